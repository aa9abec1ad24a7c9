use cloud_api::trust::PublishedVersion;
use types::{Guid, Sid};

use super::*;
use crate::trust::server_object::Domain;

const ALLOWED: &str =
    "CN=Allowed RODC Password Replication Group,CN=Users,DC=corp,DC=contoso,DC=com";
const DENIED: &str = "CN=Administrators,CN=Builtin,DC=corp,DC=contoso,DC=com";
const KRBTGT: &str = "CN=krbtgt_AzureAD,CN=Users,DC=corp,DC=contoso,DC=com";

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap()
}

fn healthy() -> ServerObject {
    let sid: Sid = "S-1-5-21-1-2-3".parse().unwrap();
    ServerObject {
        computer: Some(Computer {
            dn: "CN=AzureADKerberos,OU=Domain Controllers,DC=corp,DC=contoso,DC=com".to_owned(),
            guid: Some(Guid::ZERO),
            sid: Some(sid.with_rid(1200)),
            account_name: "AzureADKerberos$".to_owned(),
            account_control: names::READ_ONLY_CONTROLLER,
            primary_group: names::READ_ONLY_CONTROLLERS,
            link: Some(KRBTGT.to_owned()),
            allowed: vec![ALLOWED.to_owned()],
            denied: vec![DENIED.to_owned()],
        }),
        krbtgt: Some(Krbtgt {
            dn: KRBTGT.to_owned(),
            account_name: "krbtgt_40000".to_owned(),
            account_control: names::DISABLED_USER,
            number: Some(40000),
            version: Some(2),
            key_set: Some(now().plus_seconds(-24 * 3600)),
            owners: Vec::new(),
            clashes: Vec::new(),
        }),
        domain: Domain {
            dn: "DC=corp,DC=contoso,DC=com".parse().unwrap(),
            dns_name: "corp.contoso.com".to_owned(),
            realm: "CORP.CONTOSO.COM".to_owned(),
            netbios_name: "CORP".to_owned(),
            sid,
            makes_krbtgt: true,
        },
    }
}

fn published(object: &ServerObject, versions: &[u16]) -> PublishedServer {
    PublishedServer {
        server: object.facts().unwrap(),
        versions: versions
            .iter()
            .map(|version| PublishedVersion {
                version: *version,
                published_date_time: now(),
            })
            .collect(),
        ground: None,
    }
}

fn surroundings<'a>() -> Surroundings<'a> {
    Surroundings {
        now: now(),
        age_days_max: 180,
        privileged: &[],
        cloud: None,
        verdict: None,
    }
}

#[track_caller]
fn check(object: &ServerObject, around: &Surroundings<'_>, expect: &[&str]) {
    let found: Vec<&str> = judge(object, around)
        .iter()
        .map(|finding| finding.id)
        .collect();
    assert_eq!(found, expect);
}

#[test]
fn what_is_as_it_should_be_has_no_findings() {
    let object = healthy();
    let published = published(&object, &[2, 1]);
    let around = Surroundings {
        cloud: Some(Some(&published)),
        verdict: Some(&Verdict::Right),
        ..surroundings()
    };
    check(&object, &around, &[]);
}

#[test]
fn everything_that_can_be_missing() {
    let mut nothing = healthy();
    (nothing.computer, nothing.krbtgt) = (None, None);
    check(&nothing, &surroundings(), &["no-object"]);
    let mut half = healthy();
    half.computer = None;
    check(&half, &surroundings(), &["no-computer"]);
    let mut half = healthy();
    half.krbtgt = None;
    check(&half, &surroundings(), &["no-krbtgt"]);
    // An old trust that only the cloud still has.
    let published = published(&healthy(), &[2]);
    let around = Surroundings {
        cloud: Some(Some(&published)),
        ..surroundings()
    };
    check(&nothing, &around, &["no-object", "only-in-cloud"]);
}

#[test]
fn everything_that_can_be_wrong_with_the_computer() {
    let with = |change: fn(&mut Computer), expect: &[&str]| {
        let mut object = healthy();
        change(object.computer.as_mut().unwrap());
        check(&object, &surroundings(), expect);
    };
    with(
        |computer| computer.account_control = 0x1000,
        &["wrong-bits"],
    );
    with(|computer| computer.account_control |= 2, &["wrong-bits"]);
    with(|computer| computer.primary_group = 515, &["wrong-group"]);
    with(|computer| computer.link = None, &["no-link"]);
    with(
        |computer| computer.link = Some("CN=krbtgt,CN=Users,DC=corp".to_owned()),
        &["wrong-link"],
    );
    with(|computer| computer.link = Some(KRBTGT.to_uppercase()), &[]);
    with(|computer| computer.allowed.clear(), &["nobody-allowed"]);
    with(|computer| computer.denied.clear(), &["nobody-denied"]);
}

#[test]
fn everything_that_can_be_wrong_with_the_key() {
    let with = |change: fn(&mut Krbtgt), expect: &[&str]| {
        let mut object = healthy();
        change(object.krbtgt.as_mut().unwrap());
        check(&object, &surroundings(), expect);
    };
    with(|krbtgt| krbtgt.number = None, &["no-number"]);
    with(|krbtgt| krbtgt.account_control = 0x200, &["krbtgt-enabled"]);
    with(
        |krbtgt| krbtgt.clashes = vec![ALLOWED.to_owned()],
        &["number-clash"],
    );
    with(
        |krbtgt| krbtgt.owners = vec![ALLOWED.to_owned(), DENIED.to_owned()],
        &["two-owners"],
    );
    with(|krbtgt| krbtgt.key_set = None, &["no-key"]);
    with(
        |krbtgt| krbtgt.key_set = Some(now().plus_seconds(-181 * 24 * 3600)),
        &["old-key"],
    );
    for (verdict, expect) in [
        (Verdict::Wrong, "wrong-key"),
        (Verdict::Unknown, "wrong-key"),
        (Verdict::Unclear("no answer".to_owned()), "key-unclear"),
    ] {
        let around = Surroundings {
            verdict: Some(&verdict),
            ..surroundings()
        };
        check(&healthy(), &around, &[expect]);
    }
}

#[test]
fn privileged_accounts_are_to_be_denied() {
    let account = |is_allowed, is_denied| Privileged {
        dn: "CN=Ada Admin,OU=Users,DC=corp,DC=contoso,DC=com".to_owned(),
        is_allowed,
        is_denied,
    };
    for (is_allowed, is_denied, expect) in [
        (true, false, &["privileged-allowed"][..]),
        (false, false, &["privileged-not-denied"]),
        (true, true, &[]),
        (false, true, &[]),
    ] {
        let privileged = [account(is_allowed, is_denied)];
        let around = Surroundings {
            privileged: &privileged,
            ..surroundings()
        };
        check(&healthy(), &around, expect);
    }
}

#[test]
fn the_cloud_is_to_know_the_same() {
    let object = healthy();
    let asked = |published: Option<&PublishedServer>, expect: &[&str]| {
        let around = Surroundings {
            cloud: Some(published),
            ..surroundings()
        };
        check(&object, &around, expect);
    };
    asked(None, &["not-published"]);
    asked(Some(&published(&object, &[1])), &["version-differs"]);
    asked(Some(&published(&object, &[])), &["version-differs"]);
    let mut other = published(&object, &[2]);
    other.server.number = 7;
    asked(Some(&other), &["cloud-differs"]);
}
