//! Rule files: what is read, what is refused, and how the refusal reads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use sync::connector::Connector;
use sync::rules::{Cel, Expression, Input, Output, Owns, RuleFile, RuleSet};
use sync::schema::Syntax;

fn read(text: &str) -> Result<RuleSet, String> {
    let text = format!("version = 1\n{text}");
    RuleSet::read(&[RuleFile {
        name: "own.toml",
        text: &text,
    }])
    .map_err(|error| error.to_string())
}

/// A rule with one line replaced.
fn with(find: &str, replace: &str) -> String {
    let rule = r#"
[[rule]]
id = "own"
direction = "inbound"
connector = "cloud"
from = "user"
to = "person"
link = "join"
precedence = 130
scope = [["accountEnabled EQUAL true"]]
join = [["sourceAnchor = sourceAnchor"]]
[[rule.flow]]
to = "displayName"
from = "displayName"
"#;
    assert!(rule.contains(find), "{find}");
    rule.replace(find, replace)
}

#[test]
fn what_is_wrong_is_said() {
    let check = |text: &str, expect: &[&str]| match read(text) {
        Ok(_) => assert!(expect.is_empty(), "{expect:?} expected of {text}"),
        Err(error) => {
            assert!(!expect.is_empty(), "{error}");
            for part in expect {
                assert!(error.contains(part), "'{part}' expected in '{error}'");
            }
        }
    };
    check(&with("130", "130"), &[]);
    check("[[rule", &["own.toml", "TOML parse error"]);
    check("[[rule]]\nid = 5", &["invalid type"]);
    check(&with("link", "lnik"), &["unknown field `lnik`"]);
    check(
        &with("\"inbound\"", "\"sideways\""),
        &["rule 'own'", "direction = \"sideways\"", "\"outbound\""],
    );
    check(
        &with("= \"displayName\"\nfrom", "= \"displayNam\"\nfrom"),
        &[
            "the metaverse's person has no attribute 'displayNam'",
            "did you mean 'displayName'?",
        ],
    );
    check(
        &with("from = \"displayName\"", "from = \"colour\""),
        &[
            "the cloud's user has no attribute 'colour'",
            "[[attribute]]",
        ],
    );
    check(
        &with("from = \"user\"", "from = \"group\""),
        &["no objects of kind 'group'"],
    );
    check(
        &with("from = \"displayName\"", "from = \"searchableDeviceKey\""),
        &[
            "'searchableDeviceKey' is a key credential but 'displayName' is text",
            "'expr'",
        ],
    );
    check(
        &with("sourceAnchor = sourceAnchor", "sourceAnchor = objectSid"),
        &["can never be equal"],
    );
    check(
        &with("sourceAnchor = sourceAnchor", "sourceAnchor"),
        &["attribute = metaverseAttribute"],
    );
    check(
        &with("[[\"sourceAnchor = sourceAnchor\"]]", "[[]]"),
        &["an empty group would join everything"],
    );
    check(
        &with("EQUAL true", "RESEMBLES true"),
        &[
            "scope: 'accountEnabled RESEMBLES true' is not a condition",
            "ISBITNOTSET",
        ],
    );
    check(
        &with("130", "119").replace("displayName", "userPrincipalName"),
        &["precedence 119 is also that of rule", "userPrincipalName"],
    );
    check(
        &format!("{}{}", with("130", "130"), with("130", "131")),
        &["the id is used twice"],
    );
    check(
        &with("from = \"displayName\"", "expr = 'nonsense('"),
        &["flow to 'displayName'"],
    );
    check(
        &with("from = \"displayName\"", "expr = 'colour'"),
        &["'colour' is unknown here", "object"],
    );
    check(
        &with(
            "from = \"displayName\"",
            "from = \"displayName\"\nexpr = 'shout(v)'",
        ),
        &["there is no function 'shout'", "with_key_hash"],
    );
    check(
        &with(
            "from = \"displayName\"",
            "from = \"displayName\"\nconstant = 'x'",
        ),
        &["write 'from', 'expr'"],
    );
    check(
        &with(
            "from = \"displayName\"",
            "from = \"displayName\"\nowns = 'full'",
        ),
        &["owns and guard are for outbound rules"],
    );
    check(
        &with(
            "from = \"displayName\"",
            "from = \"displayName\"\nmerge = 'mix'",
        ),
        &["merge = \"mix\" is unknown"],
    );
    check(
        "[[override]]\nid = 'none'\nenabled = false",
        &["there is no such rule to override", "out-ad-user-ngckey"],
    );
    check(
        "[[override]]\nid = 'out-ad-user-ngckey'\nmax_value_deletes = 'few'",
        &["'few' is not a guard"],
    );
    check(
        "[[override]]\nid = 'out-ad-user-ngckey'\nowns = 'mine'",
        &["owns = \"mine\" is unknown"],
    );
    let provision = "[[rule]]\nid='o'\ndirection='outbound'\nconnector='cloud'\nfrom='person'\nto='user'\nlink='provision'\nprecedence=1\njoin=[['sourceAnchor = sourceAnchor']]\n";
    check(provision, &["carry other objects", "ride on inbound joins"]);
    let provision = provision.replace("cloud", "ad");
    check(&provision, &["makes no directory objects"]);
    let device = "[[rule]]\nid='o'\ndirection='outbound'\nconnector='cloud'\nfrom='device'\nto='device'\nlink='provision'\nprecedence=1\n";
    let flow = "[[rule.flow]]\nto='displayName'\nfrom='displayName'\n";
    check(&format!("{device}{flow}"), &["write anchor"]);
    check(
        &format!("{device}anchor='deviceId'\n{flow}"),
        &["no flow fills 'deviceId'"],
    );
    check(
        &format!("{device}anchor='displayName'\n{flow}").replace("provision", "join"),
        &["write link = \"provision\""],
    );
    check(
        &with("precedence = 130", "precedence = 130\nanchor = 'deviceId'"),
        &["for outbound rules into the cloud"],
    );
    // Everything that is wrong is told at once.
    check(
        &with("130", "119")
            .replace("displayName", "colour")
            .replace("EQUAL", "IS"),
        &["scope:", "'colour'"],
    );
}

#[test]
fn several_problems_are_told_in_one_go() {
    let text = format!(
        "{}{}",
        with("\"displayName\"", "\"colour\""),
        with("\"own\"", "\"other\"").replace("cloud", "clowd")
    );
    let error = read(&text).unwrap_err();
    assert!(error.lines().count() >= 3, "{error}");
}

#[test]
fn a_declared_attribute_is_known() {
    let text = format!(
        "[[attribute]]\nspace = 'cloud'\nname = 'colour'\nsyntax = 'text'\n{}",
        with("from = \"displayName\"", "from = \"colour\"")
    );
    let rules = read(&text).unwrap();
    assert!(rules.kinds(Connector::Cloud).wants("user", "colour"));
}

#[test]
fn the_shipped_pair_is_as_documented() {
    let rules = RuleSet::shipped().unwrap();
    let ids: Vec<&str> = rules.rules().iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "in-ad-user",
            "in-cloud-user",
            "in-cloud-user-ngckey",
            "in-ad-computer",
            "in-cloud-device",
            "in-ad-kerberos-server",
            "in-cloud-kerberos-server",
            "out-ad-user-ngckey",
            "out-cloud-device",
            "out-cloud-kerberos-server",
        ]
    );
    let inbound = rules.rule("in-cloud-user-ngckey").unwrap();
    assert!(inbound.scope.0.is_empty() && inbound.join.is_empty());
    assert_eq!(inbound.precedence, 122);
    let outbound = rules.rule("out-ad-user-ngckey").unwrap();
    assert_eq!(
        outbound
            .scope
            .0
            .first()
            .unwrap()
            .first()
            .unwrap()
            .to_string(),
        "sourceAnchor ISNOTNULL"
    );
    assert_eq!(outbound.flows.first().unwrap().owns, Owns::SourceCloud);
    let kinds = rules.kinds(Connector::Ad);
    let user: Vec<&str> = kinds.0["user"].iter().map(String::as_str).collect();
    assert_eq!(
        user,
        [
            "mS-DS-ConsistencyGuid",
            "msDS-KeyCredentialLink",
            "objectGUID",
            "objectSid",
            "sAMAccountName"
        ]
    );
    let kinds: Vec<&str> = kinds.0.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["computer", "kerberosServer", "user"]);
}

#[test]
fn an_expression_names_what_it_asks_for() {
    let check = |text: &str, expect: &[&str]| {
        assert_eq!(
            Cel::compile(text, &["object"]).unwrap().quoted(),
            expect,
            "{text}"
        );
    };
    check("object[\"a\"][0]", &["a"]);
    check(
        "'a' in object ? object['a'][0] : object[\"b-c\"][0]",
        &["a", "a", "b-c"],
    );
    check("null", &[]);
}

#[test]
fn every_change_of_a_rule_changes_the_fingerprint() {
    let shipped = RuleSet::shipped().unwrap();
    let check = |change: &str| {
        let text = format!("[[override]]\nid = 'out-ad-user-ngckey'\n{change}\n");
        assert_ne!(
            read(&text).unwrap().fingerprint(),
            shipped.fingerprint(),
            "{change}"
        );
    };
    check("enabled = false");
    check("precedence = 200");
    check("owns = 'full'");
    check("max_value_deletes = '1'");
    assert_eq!(read("").unwrap().fingerprint(), shipped.fingerprint());
}

#[test]
fn expressions_give_what_they_say() {
    let draft = keycred::Draft::new(
        b"id",
        b"m",
        keycred::KeyUsage::NGC,
        keycred::KeySource::AZURE_AD,
    );
    let raw = draft.to_raw_blob().unwrap().encode();
    let hashed = keycred::with_key_hash(&raw).unwrap();
    let check = |text: &str, value: &[u8], syntax: Syntax, expect: Result<Vec<Output>, &str>| {
        let got = Cel::compile(text, &["v"])
            .unwrap()
            .evaluate(Input::Value(syntax, value));
        match (got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect, "{text}"),
            (Err(got), Err(part)) => assert!(got.contains(part), "{text}: {got}"),
            (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
        }
    };
    let key = Syntax::KeyCredential;
    let shipped = "is_keycred(v) ? with_key_hash(v) : null";
    check(shipped, &raw, key, Ok(vec![Output::Octets(hashed.clone())]));
    check(shipped, b"nonsense", key, Ok(vec![]));
    check(shipped, b"", key, Ok(vec![]));
    check("with_key_hash(v)", b"\x00\x02\x00\x00", key, Err("nothing"));
    check(
        "usage(v) == 'NGC' ? v : null",
        &raw,
        key,
        Ok(vec![Output::Octets(raw.clone())]),
    );
    check("usage(v) == 'FIDO' ? v : null", &raw, key, Ok(vec![]));
    check(
        "source(v)",
        &raw,
        key,
        Ok(vec![Output::Text("AzureAD".to_owned())]),
    );
    check(
        "b64(v)",
        b"\x01\x02",
        Syntax::Binary,
        Ok(vec![Output::Text("AQI=".to_owned())]),
    );
    check(
        "sid(v)",
        &types::Sid::everyone().to_bytes(),
        Syntax::Binary,
        Ok(vec![Output::Text("S-1-1-0".to_owned())]),
    );
    check("sid(v)", b"\x01", Syntax::Binary, Err("SID"));
    check(
        "v + 1",
        b"41",
        Syntax::Integer,
        Ok(vec![Output::Integer(42)]),
    );
    check(
        "!v",
        b"TRUE",
        Syntax::Boolean,
        Ok(vec![Output::Boolean(false)]),
    );
    check(
        "v + '!'",
        b"ada",
        Syntax::Text,
        Ok(vec![Output::Text("ada!".to_owned())]),
    );
    check(
        "[v, v + 'x']",
        b"a",
        Syntax::Text,
        Ok(vec![
            Output::Text("a".to_owned()),
            Output::Text("ax".to_owned()),
        ]),
    );
    check(
        "v + 1",
        b"a",
        Syntax::Text,
        Err("nsupported binary operator"),
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    /// Whatever is written as an expression is compiled or refused, and what compiles can be evaluated.
    #[test]
    fn no_expression_panics(text in "([a-z0-9_ .()\\[\\]{}?:+*/%!=<>&|\"',-]|v|null|with_key_hash\\(v\\)){0,24}", value: Vec<u8>) {
        if let Ok(expression) = Cel::compile(&text, &["v"]) {
            for syntax in [Syntax::Text, Syntax::KeyCredential, Syntax::Integer, Syntax::Boolean] {
                let _ = expression.evaluate(Input::Value(syntax, &value));
            }
        }
    }

    #[test]
    fn no_rule_file_panics(text in "(\\[\\[rule\\]\\]|\n|id|scope|join|flow|expr|from|to| = |\"|\\[|\\]|[a-z .]){0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn no_plan_file_panics(text in "\\PC{0,80}") {
        let _ = sync::Plan::from_json(&text);
    }
}
