//! Each rule by name, on descriptors as a domain has them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use security_descriptor::{Domains, Outcome, SecurityDescriptor, Token};
use types::{Guid, Sid};

use super::*;
use crate::model::Descriptor;
use crate::schema::{Schema, SchemaLevel};

const KEYS: &str = "msDS-KeyCredentialLink";
const KEY_ADMINS_ACE: &str = "(OA;CI;RPWP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;KA)";
const SELF_ACE: &str =
    "(OA;CIIO;SW;9b026da6-0d3c-465c-8bee-5199d7165cba;bf967a86-0de6-11d0-a285-00aa003049e2;PS)";
/// A user of the domain, Key Admins, Domain Admins.
const USER_RID: u32 = 1104;

fn schema() -> &'static Schema {
    Schema::of(SchemaLevel::WindowsServer2016)
}

fn domain() -> Sid {
    "S-1-5-21-1-2-3".parse().unwrap()
}

fn sddl(text: &str) -> Descriptor {
    let descriptor = SecurityDescriptor::from_sddl(text, Domains::single(&domain())).unwrap();
    Descriptor::from_security(descriptor).unwrap()
}

fn show(descriptor: &Descriptor) -> String {
    descriptor
        .security()
        .to_sddl(Domains::single(&domain()))
        .unwrap()
}

/// A token of domain RIDs, the user first.
fn who(rids: &[u32]) -> Token {
    let sids = rids.iter().map(|rid| domain().with_rid(*rid));
    let token = Token::new(sids.chain(super::token::everybody()));
    if rids.contains(&512) {
        token.with_all_privileges()
    } else {
        token
    }
}

/// An object of a class below a head with `head_aces`, with the default descriptor of its class.
struct Made {
    descriptor: Descriptor,
    class: ClassId,
    sid: Sid,
}

impl Made {
    fn new(class: &str, rid: u32, head_aces: &str) -> Self {
        let domain = domain();
        let head = sddl(&format!("O:DAG:DAD:{head_aces}"));
        let parent_class = schema().class("domainDNS").unwrap().id;
        let parent = Target {
            descriptor: &head,
            class: parent_class,
            sid: Some(&domain),
            guid: Guid::ZERO,
        };
        let class = schema().class(class).unwrap().id;
        let admin = who(&[500, 512]);
        let descriptor =
            new_descriptor(schema(), &admin, Some(&domain), Some(&parent), class, None).unwrap();
        Self {
            descriptor,
            class,
            sid: domain.with_rid(rid),
        }
    }

    fn target(&self) -> Target<'_> {
        Target {
            descriptor: &self.descriptor,
            class: self.class,
            sid: Some(&self.sid),
            guid: Guid::ZERO,
        }
    }
}

fn write(attribute: &str, existing: usize, added: &[&str], removed: &[&str]) -> AttributeWrite {
    let values = |list: &[&str]| list.iter().map(|v| v.as_bytes().to_vec()).collect();
    AttributeWrite {
        attribute: schema().attribute(attribute).unwrap().id,
        existing,
        added: values(added),
        removed: values(removed),
        replaced: false,
    }
}

fn modify(
    token: &Token,
    made: &Made,
    writes: Vec<AttributeWrite>,
    context: WriteContext,
) -> Result<(), Denied> {
    let draft = ModifyDraft {
        writes,
        descriptor: None,
        password: None,
        context,
    };
    authorize_modify(schema(), token, Policy::default(), &made.target(), draft).map(|_| ())
}

fn may_write(rids: &[u32], made: &Made, attribute: &str) -> bool {
    modify(
        &who(rids),
        made,
        vec![write(attribute, 0, &["x"], &[])],
        WriteContext::default(),
    )
    .is_ok()
}

#[test]
fn every_default_is_readable() {
    let domain = domain();
    for class in schema().classes() {
        let text = class
            .default_descriptor
            .replace("S-1-5-21-2063560558-3296776465-833389195-498", "RO");
        let read = SecurityDescriptor::from_sddl(&text, Domains::single(&domain));
        assert!(read.is_ok(), "{}: {:?}", class.name, read.err());
    }
}

#[test]
fn key_admins_write_keys_of_users_computers_and_nothing_else() {
    for class in ["user", "computer"] {
        let made = Made::new(class, 1200, KEY_ADMINS_ACE);
        assert!(may_write(&[USER_RID, 526], &made, KEYS), "{class}");
        assert!(!may_write(&[USER_RID, 526], &made, "title"), "{class}");
        assert!(!may_write(&[USER_RID], &made, KEYS), "{class}");
        assert!(may_write(&[500, 512], &made, KEYS), "{class}");
    }
}

#[test]
fn write_to_the_property_set_is_write_to_the_keys() {
    let made = Made::new(
        "user",
        1200,
        "(OA;CI;WP;9b026da6-0d3c-465c-8bee-5199d7165cba;;KA)",
    );
    assert!(may_write(&[USER_RID, 526], &made, KEYS));
    assert!(!may_write(&[USER_RID, 526], &made, "title"));
}

#[test]
fn a_refusal_names_the_attribute_and_the_code() {
    let made = Made::new("user", 1200, "");
    let denied = modify(
        &who(&[USER_RID]),
        &made,
        vec![write(KEYS, 0, &["x"], &[])],
        WriteContext::default(),
    );
    let denied = denied.unwrap_err();
    assert_eq!((denied.right, denied.win32), (0x20, 0x2098));
    assert_eq!(denied.attribute_name.as_deref(), Some(KEYS));
}

#[test]
fn users_write_their_own_personal_information() {
    let made = Made::new("user", 1200, "");
    assert!(may_write(&[1200], &made, "telephoneNumber"));
    assert!(!may_write(&[1200], &made, "title"));
    assert!(!may_write(&[1201], &made, "telephoneNumber"));
}

/// A value as a patched Windows computer writes it for itself.
pub(crate) fn own_key() -> String {
    let mut material = b"RSA1".to_vec();
    for number in [2048_u32, 3, 256, 0, 0] {
        material.extend(number.to_le_bytes());
    }
    material.extend([1, 0, 1]);
    material.extend([0xC5; 256]);
    let draft = keycred::Draft {
        custom_key_information: Some(vec![1, 2]),
        created: Some(0x01DD_0000_0000_0000),
        ..keycred::Draft::hashed(material, keycred::KeyUsage::NGC, keycred::KeySource::AD)
    };
    let blob = draft.to_blob().unwrap();
    keycred::DnBinary::new(blob.as_bytes(), "CN=pc1,DC=corp").to_string()
}

#[test]
fn computers_write_one_good_key_to_themselves() {
    let computer = Made::new("computer", 1200, SELF_ACE);
    let user = Made::new("user", 1200, SELF_ACE);
    let (good, bad) = (own_key(), "B:8:DEADBEEF:CN=pc1,DC=corp");
    let good = good.as_str();
    let check =
        |made: &Made, rid: u32, existing, added: &[&str], removed: &[&str], expect: bool| {
            let got = modify(
                &who(&[rid, 515]),
                made,
                vec![write(KEYS, existing, added, removed)],
                WriteContext::default(),
            );
            assert_eq!(
                got.is_ok(),
                expect,
                "{rid} {existing} {added:?} {removed:?}"
            );
        };
    check(&computer, 1200, 0, &[good], &[], true);
    check(&computer, 1200, 1, &[good], &[], false);
    check(&computer, 1200, 1, &[good], &["old"], false);
    check(&computer, 1200, 0, &[good, good], &[], false);
    check(&computer, 1201, 0, &[good], &[], false);
    check(&user, 1200, 0, &[good], &[], false);
    check(&computer, 1200, 0, &[bad], &[], false);
    check(&computer, 1200, 1, &[], &["old"], true);
    check(&computer, 1200, 0, &[], &[], true);
    check(&computer, 1201, 1, &[], &["old"], false);
    check(&user, 1200, 1, &[], &["old"], false);
}

#[test]
fn self_membership_is_about_oneself() {
    let mut made = Made::new("group", 1300, "");
    made.descriptor = sddl("O:DAG:DAD:(OA;;SW;bf9679c0-0de6-11d0-a285-00aa003049e2;;AU)");
    let context = || WriteContext {
        caller_dn: "CN=ada,DC=corp".parse().ok(),
        ..WriteContext::default()
    };
    let check = |added: &[&str], expect: bool| {
        let got = modify(
            &who(&[USER_RID]),
            &made,
            vec![write("member", 0, added, &[])],
            context(),
        );
        assert_eq!(got.is_ok(), expect, "{added:?}");
    };
    check(&["cn=ADA,dc=corp"], true);
    check(&["CN=eve,DC=corp"], false);
    check(&["CN=ada,DC=corp", "CN=eve,DC=corp"], false);
}

fn readable(made: &Made, token: &Token) -> Readable {
    Readable::new(schema(), token, &made.target())
}

#[test]
fn reading_is_by_attribute_and_property_set() {
    let mut made = Made::new("user", 1200, "");
    made.descriptor = sddl(
        "O:DAG:DAD:(OA;;RP;59ba2f42-79a2-11d0-9020-00c04fc2d3cf;;AU)(OD;;RP;bf967950-0de6-11d0-a285-00aa003049e2;;AU)(OA;;RP;e45795b3-9455-11d1-aebd-0000f80367c1;;AU)",
    );
    let reads = readable(&made, &who(&[USER_RID]));
    let may = |name: &str| reads.may_read(schema().attribute(name).unwrap().id);
    // General information, web information, and nothing else.
    assert!(may("sAMAccountName") && may("wWWHomePage"));
    assert!(!may("title") && !may(KEYS) && !may("nTSecurityDescriptor") && !may("description"));
}

#[test]
fn passwords_are_shown_to_nobody() {
    let made = Made::new("user", 1200, "");
    let reads = readable(&made, &who(&[500, 512]));
    assert!(reads.may_read(schema().attribute("displayName").unwrap().id));
    assert!(!reads.may_read(schema().attribute("unicodePwd").unwrap().id));
}

#[test]
fn confidential_attributes_need_control_access() {
    let confidential = schema()
        .attributes()
        .find(|a| a.is_confidential() && a.security_guid.is_none())
        .unwrap();
    let mut made = Made::new("user", 1200, "");
    let check = |sddl_text: String, expect: bool, made: &mut Made| {
        made.descriptor = sddl(&sddl_text);
        let reads = readable(made, &who(&[USER_RID]));
        assert_eq!(reads.may_read(confidential.id), expect, "{sddl_text}");
    };
    check("O:DAG:DAD:(A;;RP;;;AU)".into(), false, &mut made);
    check("O:DAG:DAD:(A;;RPCR;;;AU)".into(), true, &mut made);
    check(
        format!("O:DAG:DAD:(A;;RP;;;AU)(OA;;CR;{};;AU)", confidential.guid),
        true,
        &mut made,
    );
    check(
        format!("O:DAG:DAD:(OA;;CR;{};;AU)", confidential.guid),
        false,
        &mut made,
    );
}

#[test]
fn visibility_is_list_contents_or_list_object() {
    let made = |text: &str| {
        let mut made = Made::new("user", 1200, "");
        made.descriptor = sddl(text);
        readable(&made, &who(&[USER_RID]))
    };
    let (nothing, lists, lists_object) = (
        made("O:DAG:DAD:"),
        made("O:DAG:DAD:(A;;LC;;;AU)"),
        made("O:DAG:DAD:(A;;LO;;;AU)"),
    );
    let normal = Policy::default();
    let list_object = Policy::from_heuristics(Some("001"));
    for (policy, parent, object, expect) in [
        (normal, &lists, &nothing, true),
        (normal, &nothing, &lists_object, false),
        (normal, &lists_object, &lists_object, false),
        (list_object, &lists_object, &lists_object, true),
        (list_object, &lists_object, &nothing, false),
        (list_object, &nothing, &lists_object, false),
    ] {
        assert_eq!(may_see(policy, Some(parent), object), expect);
    }
    assert!(may_see(normal, None, &nothing));
}

#[test]
fn descriptors_are_read_and_written_by_part() {
    let mut made = Made::new("user", 1200, "");
    made.descriptor = sddl("O:DAG:DUD:(A;;RCWD;;;AU)S:(AU;SA;WP;;;WD)");
    let reader = who(&[USER_RID]);
    let parts = |token: &Token, flags| {
        let bytes = read_descriptor(token, &made.target(), flags)?;
        SecurityDescriptor::from_bytes(&bytes)
            .unwrap()
            .to_sddl(Domains::single(&domain()))
            .ok()
    };
    assert_eq!(
        parts(&reader, Some(7)).as_deref(),
        Some("O:DAG:DUD:(A;;RCWD;;;AU)")
    );
    assert_eq!(parts(&reader, Some(1)).as_deref(), Some("O:DA"));
    assert_eq!(parts(&reader, Some(4)).as_deref(), Some("D:(A;;RCWD;;;AU)"));
    assert_eq!(parts(&reader, Some(15)), None);
    assert_eq!(parts(&reader, None), None);
    assert_eq!(
        parts(&who(&[500, 512]), None).as_deref(),
        Some("O:DAG:DUD:(A;;RCWD;;;AU)S:(AU;SA;WP;;;WD)")
    );

    let write = |token: &Token, flags, text: &str| {
        let draft = ModifyDraft {
            writes: vec![],
            descriptor: Some((flags, sddl(text))),
            password: None,
            context: WriteContext::default(),
        };
        authorize_modify(schema(), token, Policy::default(), &made.target(), draft).is_ok()
    };
    assert!(write(&reader, 4, "D:(A;;RP;;;AU)"));
    assert!(!write(&reader, 1, "O:DA"));
    assert!(!write(&reader, 8, "S:"));
    assert!(!write(&reader, 0xF, "O:DAG:DUD:S:"));
    assert!(write(&who(&[500, 512]), 15, "O:EAG:DUD:S:"));

    assert_eq!(effective_descriptor_rights(&reader, &made.target()), 4);
    assert_eq!(
        effective_descriptor_rights(&who(&[500, 512]), &made.target()),
        15
    );
}

#[test]
fn an_owner_is_oneself_or_a_group_of_ones_own() {
    let mut made = Made::new("user", 1200, "");
    made.descriptor = sddl("O:DAG:DUD:(A;;WO;;;AU)");
    let give = |text: &str| {
        let draft = ModifyDraft {
            writes: vec![],
            descriptor: Some((1, sddl(text))),
            password: None,
            context: WriteContext::default(),
        };
        authorize_modify(
            schema(),
            &who(&[USER_RID, 1300]),
            Policy::default(),
            &made.target(),
            draft,
        )
        .map(|_| ())
        .map_err(|denied| denied.win32)
    };
    assert_eq!(give("O:S-1-5-21-1-2-3-1104"), Ok(()));
    assert_eq!(give("O:S-1-5-21-1-2-3-1300"), Ok(()));
    assert_eq!(give("O:EA"), Err(0x51B));
}

#[test]
fn passwords_are_set_by_control_access() {
    let made = Made::new("user", 1200, "");
    let set = |rids: &[u32], password| {
        let draft = ModifyDraft {
            writes: vec![],
            descriptor: None,
            password: Some(password),
            context: WriteContext::default(),
        };
        authorize_modify(
            schema(),
            &who(rids),
            Policy::default(),
            &made.target(),
            draft,
        )
        .is_ok()
    };
    assert!(set(&[1200], PasswordWrite::Change));
    assert!(!set(&[1200], PasswordWrite::Reset));
    assert!(set(&[500, 512], PasswordWrite::Reset));
}

fn add(
    rids: &[u32],
    parent_sddl: &str,
    class: &str,
    writes: Vec<AttributeWrite>,
    given: Option<&str>,
    policy: Policy,
) -> Result<(), Denied> {
    let (parent, domain) = (sddl(parent_sddl), domain());
    let ou = schema().class("organizationalUnit").unwrap().id;
    let parent = Target {
        descriptor: &parent,
        class: ou,
        sid: None,
        guid: Guid::ZERO,
    };
    let class = schema().class(class).unwrap().id;
    let token = who(rids);
    let given = given.map(sddl);
    let descriptor = new_descriptor(
        schema(),
        &token,
        Some(&domain),
        Some(&parent),
        class,
        given.as_ref(),
    )
    .unwrap();
    let context = WriteContext {
        sam_account_name: Some("pc1$".into()),
        dns_domain: "corp.contoso.com".into(),
        ..WriteContext::default()
    };
    let draft = AddDraft {
        class,
        sid: Some(domain.with_rid(1300)),
        writes,
        gives_descriptor: given.is_some(),
        sets_password: false,
        context,
    };
    authorize_add(schema(), &token, policy, Some(&parent), &descriptor, draft).map(|_| ())
}

#[test]
fn adding_needs_create_child_of_the_class() {
    let parent = "O:DAG:DAD:(OA;;CC;bf967aba-0de6-11d0-a285-00aa003049e2;;AU)";
    let policy = Policy::default();
    assert!(add(&[USER_RID], parent, "user", vec![], None, policy).is_ok());
    let denied = add(&[USER_RID], parent, "computer", vec![], None, policy).unwrap_err();
    assert_eq!((denied.right, denied.win32), (1, 5));
    assert!(
        add(
            &[USER_RID],
            "O:DAG:DAD:(A;;CC;;;AU)",
            "computer",
            vec![],
            None,
            policy
        )
        .is_ok()
    );
}

#[test]
fn attributes_of_a_new_computer_are_authorised() {
    // Bug class: CVE-2021-42291. Whoever may create a computer could write any attribute of it.
    let parent = "O:DAG:DAD:(A;;CC;;;AU)";
    let check = |rids: &[u32], attribute: &str, value: &str, policy: Policy, expect: bool| {
        let got = add(
            rids,
            parent,
            "computer",
            vec![write(attribute, 0, &[value], &[])],
            None,
            policy,
        );
        assert_eq!(got.is_ok(), expect, "{attribute}");
    };
    let (on, off) = (
        Policy::default(),
        Policy::from_heuristics(Some("0000000001000000000200000002")),
    );
    assert!(on.authorizes_attributes_on_add && !off.authorizes_attributes_on_add);
    // What joining a domain writes is allowed to the creator.
    check(&[USER_RID], "sAMAccountName", "pc1$", on, true);
    check(&[USER_RID], "userAccountControl", "4096", on, true);
    check(&[USER_RID], "dNSHostName", "pc1.corp.contoso.com", on, true);
    check(&[USER_RID], "servicePrincipalName", "HOST/pc1", on, true);
    check(
        &[USER_RID],
        "dNSHostName",
        "dc1.corp.contoso.com",
        on,
        false,
    );
    check(&[USER_RID], KEYS, "x", on, false);
    check(&[USER_RID], KEYS, "x", off, true);
    check(&[500, 512], KEYS, "x", on, true);
}

#[test]
fn a_given_descriptor_names_an_owner_of_ones_own_and_no_sacl() {
    let parent = "O:DAG:DAD:(A;;CC;;;AU)";
    let give = |rids: &[u32], text: &str| {
        add(rids, parent, "user", vec![], Some(text), Policy::default()).is_ok()
    };
    assert!(give(&[USER_RID], "D:(A;;RP;;;AU)"));
    assert!(!give(&[USER_RID], "O:DAD:"));
    assert!(!give(&[USER_RID], "D:S:(AU;SA;WP;;;WD)"));
    assert!(give(&[500, 512], "O:EAD:S:(AU;SA;WP;;;WD)"));
}

#[test]
fn deleting_needs_delete_or_delete_child() {
    let ou = schema().class("organizationalUnit").unwrap().id;
    let user = schema().class("user").unwrap().id;
    let check = |parent: &str, own: &str, tree: bool, expect: bool| {
        let (parent, own) = (sddl(parent), sddl(own));
        let parent = Target {
            descriptor: &parent,
            class: ou,
            sid: None,
            guid: Guid::ZERO,
        };
        let target = Target {
            descriptor: &own,
            class: user,
            sid: None,
            guid: Guid::ZERO,
        };
        let got = authorize_delete(
            schema(),
            &who(&[USER_RID]),
            Some(&parent),
            &target,
            DeleteDraft { tree },
        );
        assert_eq!(got.is_ok(), expect);
    };
    check("O:DAD:", "O:DAD:(A;;SD;;;AU)", false, true);
    check(
        "O:DAD:(OA;;DC;bf967aba-0de6-11d0-a285-00aa003049e2;;AU)",
        "O:DAD:",
        false,
        true,
    );
    check(
        "O:DAD:(OA;;DC;bf967a9c-0de6-11d0-a285-00aa003049e2;;AU)",
        "O:DAD:",
        false,
        false,
    );
    check("O:DAD:(A;;DC;;;AU)", "O:DAD:(A;;SD;;;AU)", true, false);
    check("O:DAD:", "O:DAD:(A;;DT;;;AU)", true, true);
}

#[test]
fn moving_writes_the_name_takes_from_one_and_gives_to_the_other() {
    let ou = schema().class("organizationalUnit").unwrap().id;
    let user = schema().class("user").unwrap().id;
    let names = "(OA;;WP;bf96793f-0de6-11d0-a285-00aa003049e2;;AU)(OA;;WP;bf967a0e-0de6-11d0-a285-00aa003049e2;;AU)";
    let check = |own: &str, old: &str, new: &str, moves: bool, expect: bool| {
        let (own, old, new) = (sddl(own), sddl(old), sddl(new));
        let target = Target {
            descriptor: &own,
            class: user,
            sid: None,
            guid: Guid::ZERO,
        };
        let old = Target {
            descriptor: &old,
            class: ou,
            sid: None,
            guid: Guid::ZERO,
        };
        let new = Target {
            descriptor: &new,
            class: ou,
            sid: None,
            guid: Guid::ZERO,
        };
        let draft = RenameDraft {
            rdn_attribute: schema().known().cn,
            renames: !moves,
            moves,
        };
        let got = authorize_rename(
            schema(),
            &who(&[USER_RID]),
            &target,
            &old,
            Some(&new),
            draft,
        );
        assert_eq!(got.is_ok(), expect, "{moves}");
    };
    let own = format!("O:DAD:{names}");
    check(&own, "O:DAD:", "O:DAD:", false, true);
    check("O:DAD:", "O:DAD:", "O:DAD:", false, false);
    check(&own, "O:DAD:", "O:DAD:(A;;CC;;;AU)", true, false);
    check(&own, "O:DAD:(A;;DC;;;AU)", "O:DAD:", true, false);
    check(&own, "O:DAD:(A;;DC;;;AU)", "O:DAD:(A;;CC;;;AU)", true, true);
}

#[test]
fn effective_attributes_tell_who_can_write_keys() {
    let made = Made::new("user", 1200, KEY_ADMINS_ACE);
    let names = |rids: &[u32]| {
        let ids = effective_attributes(schema(), &who(rids), &made.target());
        ids.into_iter()
            .map(|id| schema().attribute_by_id(id).name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&[USER_RID, 526]), [KEYS]);
    assert!(names(&[USER_RID]).is_empty());
    let all = names(&[500, 512]);
    assert!(
        all.contains(&KEYS)
            && all.contains(&"title")
            && !all.contains(&"memberOf")
            && !all.contains(&"objectSid")
    );
    let ou = Made::new("organizationalUnit", 0, "");
    let classes = effective_child_classes(schema(), &who(&[500, 512]), &ou.target());
    let user = schema().class("user").unwrap().id;
    assert!(classes.contains(&user));
    assert!(effective_child_classes(schema(), &who(&[USER_RID]), &ou.target()).is_empty());
}

#[test]
fn audit_entries_reach_users_and_stop_at_other_attributes() {
    let sace = "(OU;CISA;WP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;WD)(OU;CIFA;WP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;DU)";
    let made = Made::new("user", 1200, &format!("S:{sace}"));
    let check = |rids: &[u32], attribute: &str, outcome, expect: bool| {
        let id = schema().attribute(attribute).unwrap().id;
        let got = audits(
            schema(),
            &who(rids),
            &made.target(),
            0x20,
            Some(id),
            outcome,
        );
        assert_eq!(got, expect, "{attribute} {outcome:?}");
    };
    check(&[USER_RID], KEYS, Outcome::Success, true);
    check(&[USER_RID], KEYS, Outcome::Failure, false);
    check(&[USER_RID, 513], KEYS, Outcome::Failure, true);
    check(&[USER_RID], "title", Outcome::Success, false);
    let quiet = Made::new("user", 1200, "");
    let keys = schema().attribute(KEYS).unwrap().id;
    assert!(!audits(
        schema(),
        &who(&[USER_RID]),
        &quiet.target(),
        0x20,
        Some(keys),
        Outcome::Success
    ));
}

#[test]
fn administrators_own_what_they_make() {
    let made = Made::new("user", 1200, "");
    assert!(show(&made.descriptor).starts_with("O:DAG:DAD:AI(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)"));
}

#[test]
fn a_changed_dacl_keeps_what_the_parent_passes_on() {
    let head = sddl(&format!("O:DAG:DAD:{KEY_ADMINS_ACE}"));
    let class = schema().class("domainDNS").unwrap().id;
    let parent = Target {
        descriptor: &head,
        class,
        sid: None,
        guid: Guid::ZERO,
    };
    let made = Made::new("user", 1200, KEY_ADMINS_ACE);
    let change = |text: &str| {
        let changed =
            changed_descriptor(schema(), &made.target(), Some(&parent), 4, &sddl(text)).unwrap();
        show(&changed)
    };
    let inherited = KEY_ADMINS_ACE.replace(";CI;", ";CIID;");
    assert_eq!(
        change("D:(A;;RP;;;AU)"),
        format!("O:DAG:DAD:AI(A;;RP;;;AU){inherited}")
    );
    assert_eq!(change("D:P(A;;RP;;;AU)"), "O:DAG:DAD:PAI(A;;RP;;;AU)");
}

#[test]
fn a_changed_head_reaches_its_children_unless_they_are_protected() {
    let class = schema().class("domainDNS").unwrap().id;
    let head = sddl("O:DAG:DAD:");
    let parent = Target {
        descriptor: &head,
        class,
        sid: None,
        guid: Guid::ZERO,
    };
    let mut made = Made::new("user", 1200, KEY_ADMINS_ACE);
    let changed = inherited_descriptor(schema(), &made.target(), &parent)
        .unwrap()
        .unwrap();
    assert!(!show(&changed).contains("KA"));
    made.descriptor = changed;
    assert!(
        inherited_descriptor(schema(), &made.target(), &parent)
            .unwrap()
            .is_none()
    );
    made.descriptor = sddl("O:DAG:DAD:PAI(A;;RP;;;AU)");
    assert!(
        inherited_descriptor(schema(), &made.target(), &parent)
            .unwrap()
            .is_none()
    );
}
