//! A new domain, seen by its administrator, its users and its auditors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::sync::Arc;

use ldap::{Filter, ResultCode, Scope};
use security_descriptor::{AccessMask, Ace, AceFlags, Domains, SecurityDescriptor};
use types::{Dn, SeededEntropy, Sid, Timestamp, VirtualClock};

use super::accounts::{NewComputer, NewUser, create_computer, create_group, create_user};
use super::key_audit::{self, KeyAudit};
use super::*;
use crate::access::{adminsdholder, rights};
use crate::{DeleteRequest, Modification, ModificationKind, ModifyRequest, Name, SearchRequest};

const PASSWORD: &str = "Correct-Horse-2026";
const KEYS: &str = "msDS-KeyCredentialLink";
const DOMAIN: &str = "DC=corp,DC=contoso,DC=com";
const TEST_USER: &str = "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com";

struct Domain {
    directory: Directory,
    plan: Plan,
    system: Session,
}

impl Domain {
    fn new() -> Self {
        Self::of(Plan::example(PASSWORD), SchemaLevel::WindowsServer2016)
    }

    fn of(plan: Plan, schema: SchemaLevel) -> Self {
        let clock = VirtualClock::new(Timestamp::parse_rfc3339("2026-06-01T08:00:00Z").unwrap());
        let options = crate::Options {
            password_rounds: 10,
            kerberos_keys: crate::KeyPolicy {
                types: vec![kerberos::crypto::EncryptionType::AES256_CTS_HMAC_SHA1_96],
                ..crate::KeyPolicy::default()
            },
            schema,
            ..crate::Options::new(Arc::new(clock), Box::new(SeededEntropy::new(7)))
        };
        let directory = Directory::in_memory(options).unwrap();
        provision(&directory, &plan).unwrap();
        Self {
            directory,
            plan,
            system: Session::system(),
        }
    }

    fn dn(&self, text: &str) -> Dn {
        if text.ends_with(DOMAIN) {
            text.parse().unwrap()
        } else {
            format!("{text},{DOMAIN}").parse().unwrap()
        }
    }

    /// A user in OU=Users, in these groups of CN=Users.
    fn user(&self, account: &str, groups: &[&str]) -> Session {
        let container = self.dn("OU=Users");
        let user = NewUser {
            container: &container,
            name: account,
            account,
            password: Some(PASSWORD),
        };
        let dn = create_user(&self.directory, &self.system, &user).unwrap();
        for group in groups {
            self.change(
                &self.system,
                &format!("CN={group},CN=Users"),
                ModificationKind::Add,
                "member",
                &[dn.to_string().as_str()],
            )
            .unwrap();
        }
        self.session(account)
    }

    fn session(&self, account: &str) -> Session {
        self.directory
            .simple_bind(&format!("{account}@corp.contoso.com"), PASSWORD.as_bytes())
            .unwrap()
    }

    fn administrator(&self) -> Session {
        self.session("administrator")
    }

    fn change(
        &self,
        session: &Session,
        dn: &str,
        kind: ModificationKind,
        attribute: &str,
        values: &[&str],
    ) -> Result<(), Error> {
        let modification = Modification::new(kind, attribute, values.iter().copied());
        let request = ModifyRequest::new(Name::Dn(self.dn(dn)), vec![modification]);
        self.directory
            .apply(session, Operation::Modify(request))
            .map(|_| ())
    }

    /// Adds a key of no particular shape: plain WP asks for none.
    fn write_key(&self, session: &Session, dn: &str) -> Result<(), Error> {
        let value = format!("B:8:DEADBEEF:{}", self.dn(dn));
        let added = self.change(session, dn, ModificationKind::Add, KEYS, &[value.as_str()]);
        if added.is_ok() {
            self.change(&self.system, dn, ModificationKind::Replace, KEYS, &[])
                .unwrap();
        }
        added
    }

    fn read(&self, session: &Session, dn: &str, attributes: &[&str]) -> Option<crate::Found> {
        let request = SearchRequest::new(self.dn(dn), Scope::BaseObject, Filter::any_object())
            .with_attributes(attributes.iter().copied());
        match self.directory.find_all(session, &request) {
            Ok(found) => found.into_iter().next(),
            Err(Error::NoSuchObject { .. }) => None,
            Err(error) => panic!("{dn}: {error}"),
        }
    }

    fn texts(&self, session: &Session, dn: &str, attribute: &str) -> Vec<String> {
        let found = self.read(session, dn, &[attribute]).unwrap();
        let mut values: Vec<String> = found
            .values(attribute)
            .iter()
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .collect();
        values.sort();
        values
    }

    fn sddl(&self, dn: &str) -> String {
        adminsdholder::descriptor_of(&self.directory, &self.system, &self.dn(dn))
            .unwrap()
            .to_sddl(Domains::single(&self.plan.domain_sid))
            .unwrap()
    }

    /// Adds entries to the DACL of an object.
    fn grant(&self, dn: &str, ace: Ace) {
        let dn = self.dn(dn);
        let mut descriptor =
            adminsdholder::descriptor_of(&self.directory, &self.system, &dn).unwrap();
        descriptor.dacl.as_mut().unwrap().add(ace);
        self.set_descriptor(&dn, &descriptor);
    }

    fn set_descriptor(&self, dn: &Dn, descriptor: &SecurityDescriptor) {
        let bytes = descriptor.to_bytes().unwrap();
        let replace = Modification::new(ModificationKind::Replace, "nTSecurityDescriptor", [bytes]);
        let request = ModifyRequest::new(Name::Dn(dn.clone()), vec![replace]);
        self.directory
            .apply(&self.system, Operation::Modify(request))
            .unwrap();
    }
}

#[track_caller]
fn refused(result: Result<(), Error>) {
    let error = result.unwrap_err();
    assert_eq!(
        error.code(),
        ResultCode::INSUFFICIENT_ACCESS_RIGHTS,
        "{error}"
    );
    assert!(
        error.diagnostic().starts_with("00002098: SecErr: DSID-"),
        "{}",
        error.diagnostic()
    );
}

#[test]
fn every_text_is_readable() {
    for generation in [Generation::Current, Generation::Server2016Rtm] {
        for level in [
            SchemaLevel::WindowsServer2012R2,
            SchemaLevel::WindowsServer2016,
        ] {
            let plan = Plan {
                generation,
                ..Plan::example(PASSWORD)
            };
            assert!(operations(Schema::of(level), &plan).unwrap().len() > 100);
        }
    }
}

#[test]
fn what_tools_look_for_is_there() {
    let domain = Domain::new();
    let administrator = domain.administrator();
    for (dn, attribute, expect) in [
        ("", "msDS-Behavior-Version", "7"),
        (
            "CN=NTDS Settings,CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration",
            "msDS-Behavior-Version",
            "7",
        ),
        (
            "CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration",
            "dNSHostName",
            "dc1.corp.contoso.com",
        ),
        (
            "CN=CORP,CN=Partitions,CN=Configuration",
            "nETBIOSName",
            "CORP",
        ),
        ("CN=CORP,CN=Partitions,CN=Configuration", "systemFlags", "3"),
        (
            "CN=DS-Validated-Write-Computer,CN=Extended-Rights,CN=Configuration",
            "rightsGuid",
            "9b026da6-0d3c-465c-8bee-5199d7165cba",
        ),
        ("CN=Key Admins,CN=Users", "sAMAccountName", "Key Admins"),
        (
            "CN=Enterprise Key Admins,CN=Users",
            "groupType",
            "-2147483640",
        ),
    ] {
        let dn = if dn.is_empty() { DOMAIN } else { dn };
        assert_eq!(
            domain.texts(&administrator, dn, attribute),
            [expect],
            "{dn}"
        );
    }
    let sid = |dn: &str| {
        Sid::from_bytes(
            &domain
                .read(&administrator, dn, &["objectSid"])
                .unwrap()
                .values("objectSid")[0],
        )
        .unwrap()
    };
    assert_eq!(
        sid("CN=Key Admins,CN=Users"),
        domain.plan.domain_sid.with_rid(526)
    );
    assert_eq!(
        sid("CN=Administrator,CN=Users"),
        domain.plan.domain_sid.with_rid(500)
    );
    assert_eq!(
        sid("CN=Pre-Windows 2000 Compatible Access,CN=Builtin"),
        Sid::builtin(554)
    );
    let naming = domain.directory.naming().unwrap();
    assert_eq!(naming.netbios_domain, "CORP");
    assert_eq!(naming.dns_host_name, "dc1.corp.contoso.com");
    let keys = Name::WellKnown(
        "683a24e2-e816-4bd3-af86-ac3c2cf3f981".parse().unwrap(),
        DOMAIN.parse().unwrap(),
    );
    let request = SearchRequest::new(keys, Scope::BaseObject, Filter::any_object());
    assert_eq!(
        domain.directory.find_all(&administrator, &request).unwrap()[0].dn,
        format!("CN=Keys,{DOMAIN}")
    );
}

#[test]
fn an_old_schema_has_no_key_groups() {
    let domain = Domain::of(Plan::example(PASSWORD), SchemaLevel::WindowsServer2012R2);
    assert!(
        domain
            .read(&domain.system, "CN=Key Admins,CN=Users", &["cn"])
            .is_none()
    );
    assert!(!domain.sddl(DOMAIN).contains("5b47d60f"));
    assert!(
        domain
            .write_key(&domain.administrator(), TEST_USER)
            .is_err()
    );
}

#[test]
fn key_admins_may_write_keys_and_others_may_not() {
    let domain = Domain::new();
    let connector = domain.user("connector", &["Key Admins"]);
    let enterprise = domain.user("enterprise", &["Enterprise Key Admins"]);
    let other = domain.user("other", &[]);
    domain.write_key(&connector, TEST_USER).unwrap();
    domain.write_key(&enterprise, TEST_USER).unwrap();
    domain
        .write_key(&domain.administrator(), TEST_USER)
        .unwrap();
    refused(domain.write_key(&other, TEST_USER));
    // The entry names no class that inherits it: a computer is reached too.
    domain
        .write_key(&connector, "CN=DC1,OU=Domain Controllers")
        .unwrap();
    refused(domain.change(
        &connector,
        TEST_USER,
        ModificationKind::Replace,
        "title",
        &["x"],
    ));
}

#[test]
fn membership_counts_through_nested_groups_and_from_the_next_bind() {
    let domain = Domain::new();
    let before = domain.user("nested", &[]);
    let users = domain.dn("OU=Users");
    let nested = domain.dn("CN=nested,OU=Users");
    let inner = create_group(
        &domain.directory,
        &domain.system,
        &users,
        "inner",
        &[nested],
    )
    .unwrap();
    domain
        .change(
            &domain.system,
            "CN=Key Admins,CN=Users",
            ModificationKind::Add,
            "member",
            &[inner.to_string().as_str()],
        )
        .unwrap();
    refused(domain.write_key(&before, TEST_USER));
    domain
        .write_key(&domain.session("nested"), TEST_USER)
        .unwrap();
}

#[test]
fn every_user_reads_the_keys_of_others() {
    let domain = Domain::new();
    let reader = domain.user("reader", &[]);
    let value = format!("B:8:DEADBEEF:{TEST_USER}");
    domain
        .change(
            &domain.system,
            TEST_USER,
            ModificationKind::Add,
            KEYS,
            &[&value],
        )
        .unwrap();
    assert_eq!(domain.texts(&reader, TEST_USER, KEYS), [value]);
    // That right comes from Pre-Windows 2000 Compatible Access.
    let member = format!("CN=S-1-5-11,CN=ForeignSecurityPrincipals,{DOMAIN}");
    domain
        .change(
            &domain.system,
            "CN=Pre-Windows 2000 Compatible Access,CN=Builtin",
            ModificationKind::Delete,
            "member",
            &[&member],
        )
        .unwrap();
    let reader = domain.session("reader");
    assert!(domain.texts(&reader, TEST_USER, KEYS).is_empty());
    assert_eq!(
        domain.texts(&reader, TEST_USER, "displayName"),
        ["Test User"]
    );
}

#[test]
fn server_2016_rtm_gave_enterprise_key_admins_the_domain() {
    let rtm = Plan {
        generation: Generation::Server2016Rtm,
        ..Plan::example(PASSWORD)
    };
    let rtm = Domain::of(rtm, SchemaLevel::WindowsServer2016);
    let current = Domain::new();
    for (domain, expect) in [(&rtm, true), (&current, false)] {
        let enterprise = domain.user("enterprise", &["Enterprise Key Admins"]);
        let title = domain.change(
            &enterprise,
            TEST_USER,
            ModificationKind::Replace,
            "title",
            &["x"],
        );
        assert_eq!(title.is_ok(), expect);
        assert!(domain.write_key(&enterprise, TEST_USER).is_ok());
    }
}

#[test]
fn protected_accounts_refuse_key_admins_until_adminsdholder_is_mended() {
    let domain = Domain::new();
    let connector = domain.user("connector", &["Key Admins"]);
    let administrator = "CN=Administrator,CN=Users";
    refused(domain.write_key(&connector, administrator));
    assert_eq!(
        domain.texts(&domain.system, administrator, "adminCount"),
        ["1"]
    );
    assert!(domain.sddl(administrator).contains("D:PAI"));

    let ace = Ace::allow(
        domain.plan.domain_sid.with_rid(526),
        AccessMask::WRITE_PROPERTY,
    )
    .on(rights::KEY_CREDENTIAL_LINK);
    domain.grant("CN=AdminSDHolder,CN=System", ace);
    refused(domain.write_key(&connector, administrator));
    assert!(adminsdholder::propagate(&domain.directory).unwrap() > 0);
    domain.write_key(&connector, administrator).unwrap();
    assert_eq!(
        adminsdholder::propagate(&domain.directory).unwrap(),
        0,
        "nothing is left to do"
    );
}

#[test]
fn protection_follows_membership_and_stays_when_it_ends() {
    let domain = Domain::new();
    let connector = domain.user("connector", &["Key Admins"]);
    let users = domain.dn("OU=Users");
    domain.write_key(&connector, TEST_USER).unwrap();
    let inner = create_group(
        &domain.directory,
        &domain.system,
        &users,
        "inner",
        &[domain.dn(TEST_USER)],
    )
    .unwrap();
    let inner = inner.to_string();
    domain
        .change(
            &domain.system,
            "CN=Domain Admins,CN=Users",
            ModificationKind::Add,
            "member",
            &[&inner],
        )
        .unwrap();
    domain.write_key(&connector, TEST_USER).unwrap();
    // The user and the group between.
    assert_eq!(adminsdholder::propagate(&domain.directory).unwrap(), 2);
    refused(domain.write_key(&connector, TEST_USER));
    domain
        .change(
            &domain.system,
            "CN=Domain Admins,CN=Users",
            ModificationKind::Delete,
            "member",
            &[&inner],
        )
        .unwrap();
    assert_eq!(adminsdholder::propagate(&domain.directory).unwrap(), 0);
    refused(domain.write_key(&connector, TEST_USER));
    assert_eq!(domain.texts(&domain.system, TEST_USER, "adminCount"), ["1"]);
}

#[test]
fn groups_can_be_left_out_of_protection() {
    let domain = Domain::new();
    let operator = domain.dn("CN=op,OU=Users").to_string();
    domain.user("op", &[]);
    domain
        .change(
            &domain.system,
            "CN=Account Operators,CN=Builtin",
            ModificationKind::Add,
            "member",
            &[&operator],
        )
        .unwrap();
    let service = "CN=Directory Service,CN=Windows NT,CN=Services,CN=Configuration";
    domain
        .change(
            &domain.system,
            service,
            ModificationKind::Replace,
            "dSHeuristics",
            &["0000000001000001"],
        )
        .unwrap();
    adminsdholder::propagate(&domain.directory).unwrap();
    assert!(
        domain
            .texts(&domain.system, &operator, "adminCount")
            .is_empty()
    );
    domain
        .change(
            &domain.system,
            service,
            ModificationKind::Replace,
            "dSHeuristics",
            &[],
        )
        .unwrap();
    adminsdholder::propagate(&domain.directory).unwrap();
    assert_eq!(domain.texts(&domain.system, &operator, "adminCount"), ["1"]);
}

#[test]
fn a_grant_on_the_head_reaches_users_below_and_leaves_with_it() {
    let domain = Domain::new();
    let helper = domain.user("helper", &[]);
    let sid = helper.token().user().unwrap().clone();
    let ace = || {
        Ace::allow(sid.clone(), AccessMask::WRITE_PROPERTY)
            .on(rights::KEY_CREDENTIAL_LINK)
            .inherited_by(rights::USER)
            .with(AceFlags::CONTAINER_INHERIT | AceFlags::INHERIT_ONLY)
    };
    refused(domain.write_key(&helper, TEST_USER));
    domain.grant(DOMAIN, ace());
    domain.write_key(&helper, TEST_USER).unwrap();
    refused(domain.write_key(&helper, "CN=DC1,OU=Domain Controllers"));
    let head = domain.dn(DOMAIN);
    let mut descriptor =
        adminsdholder::descriptor_of(&domain.directory, &domain.system, &head).unwrap();
    descriptor
        .dacl
        .as_mut()
        .unwrap()
        .aces
        .retain(|other| *other != ace());
    domain.set_descriptor(&head, &descriptor);
    refused(domain.write_key(&helper, TEST_USER));
}

#[test]
fn a_head_of_a_naming_context_is_seen_by_who_may_not_list_its_parent() {
    // What stands above a head is of another naming context and has no say about it, for searches and writes alike. A
    // write that took another way to the object would tell noSuchObject of what a search shows.
    let domain = Domain::new();
    let reader = domain.user("reader", &[]);
    let sid = reader.token().user().unwrap().clone();
    let (head, inside) = (
        format!("CN=Configuration,{DOMAIN}"),
        format!("CN=Users,{DOMAIN}"),
    );
    let write = |dn: &str| {
        let replace = ModificationKind::Replace;
        domain.change(&reader, dn, replace, "description", &["x"])
    };
    assert!(domain.read(&reader, &inside, &["cn"]).is_some());
    refused(write(&inside));
    domain.grant(DOMAIN, Ace::deny(sid, AccessMask::LIST_CHILDREN));
    // Who may not list the children may not know of one, whatever it allows by itself.
    assert!(domain.read(&reader, &inside, &["cn"]).is_none());
    assert_eq!(
        write(&inside).unwrap_err().code(),
        ResultCode::NO_SUCH_OBJECT
    );
    assert!(domain.read(&reader, &head, &["cn"]).is_some());
    refused(write(&head));
}

#[test]
fn a_computer_may_not_write_the_keys_of_others() {
    let domain = Domain::new();
    let container = domain.dn("CN=Computers");
    let computer = NewComputer {
        container: &container,
        name: "PC1",
        password: Some(PASSWORD),
    };
    create_computer(&domain.directory, &domain.system, &computer).unwrap();
    let session = domain
        .directory
        .simple_bind("CORP\\PC1$", PASSWORD.as_bytes())
        .unwrap();
    refused(domain.write_key(&session, TEST_USER));
    refused(domain.write_key(&session, "CN=DC1,OU=Domain Controllers"));
    // Not a good key, so not to itself either.
    refused(domain.write_key(&session, "CN=PC1,CN=Computers"));
    let good = crate::access::tests::own_key()
        .replace("CN=pc1,DC=corp", &format!("CN=PC1,CN=Computers,{DOMAIN}"));
    domain
        .change(
            &session,
            "CN=PC1,CN=Computers",
            ModificationKind::Add,
            KEYS,
            &[&good],
        )
        .unwrap();
    let removed = domain.change(
        &session,
        "CN=PC1,CN=Computers",
        ModificationKind::Replace,
        KEYS,
        &[],
    );
    removed.unwrap();
}

#[test]
fn nothing_is_audited_until_it_is_asked_for() {
    let domain = Domain::new();
    let connector = domain.user("connector", &["Key Admins"]);
    let other = domain.user("other", &[]);
    let records = || domain.directory.changes_since(0, 100_000).unwrap();
    let audited = |deed: &dyn Fn()| {
        let before = records().len();
        deed();
        records().split_off(before)
    };
    let write = || domain.write_key(&connector, TEST_USER).unwrap();
    let refuse = || refused(domain.write_key(&other, TEST_USER));
    let quiet = audited(&refuse);
    assert!(quiet.is_empty(), "{quiet:?}");
    key_audit::enable(
        &domain.directory,
        &domain.administrator(),
        KeyAudit {
            success: true,
            failure: true,
        },
    )
    .unwrap();
    assert!(
        domain
            .sddl(TEST_USER)
            .contains("(OU;CIIDSAFA;WP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;WD)")
    );
    assert!(
        domain
            .sddl("CN=Administrator,CN=Users")
            .contains("(OU;CISAFA;WP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;WD)")
    );
    assert!(!audited(&write).is_empty());
    let denied = audited(&refuse);
    assert!(
        denied
            .iter()
            .any(|record| matches!(record, events::Record::DeniedWrite(_))),
        "{denied:?}"
    );
}

#[test]
fn effective_rights_name_the_keys() {
    let domain = Domain::new();
    let connector = domain.user("connector", &["Key Admins"]);
    let other = domain.user("other", &[]);
    assert_eq!(
        domain.texts(&connector, TEST_USER, "allowedAttributesEffective"),
        [KEYS]
    );
    assert!(
        domain
            .texts(&other, TEST_USER, "allowedAttributesEffective")
            .is_empty()
    );
    assert!(
        domain
            .texts(
                &connector,
                "CN=Administrator,CN=Users",
                "allowedAttributesEffective"
            )
            .is_empty()
    );
    assert!(
        domain
            .texts(
                &domain.administrator(),
                "OU=Users",
                "allowedChildClassesEffective"
            )
            .contains(&"user".to_owned())
    );
    assert_eq!(
        domain.texts(&domain.administrator(), TEST_USER, "sDRightsEffective"),
        ["15"]
    );
    assert_eq!(domain.texts(&other, TEST_USER, "sDRightsEffective"), ["0"]);
}

#[test]
fn ordinary_users_add_and_delete_nothing() {
    let domain = Domain::new();
    let other = domain.user("other", &[]);
    let container = domain.dn("OU=Users");
    let user = NewUser {
        container: &container,
        name: "x",
        account: "x",
        password: None,
    };
    let error = create_user(&domain.directory, &other, &user).unwrap_err();
    assert!(
        error.diagnostic().starts_with("00000005: SecErr: DSID-"),
        "{}",
        error.diagnostic()
    );
    let delete = |session: &Session, name: &str| {
        let request = DeleteRequest {
            name: Name::Dn(domain.dn(name)),
            tree: false,
        };
        domain
            .directory
            .apply(session, Operation::Delete(request))
            .map(|_| ())
    };
    assert!(delete(&other, TEST_USER).is_err());
    create_user(&domain.directory, &domain.administrator(), &user).unwrap();
    delete(&domain.administrator(), "CN=x,OU=Users").unwrap();
}

#[test]
fn an_add_without_values_is_a_constraint_violation() {
    // OpenLDAP's ldapmodify does not send such a request, so no judge sees this one.
    let domain = Domain::new();
    let added = domain.change(
        &domain.administrator(),
        TEST_USER,
        ModificationKind::Add,
        KEYS,
        &[],
    );
    assert_eq!(added.unwrap_err().code(), ResultCode::CONSTRAINT_VIOLATION);
}

#[test]
fn what_may_not_be_read_may_not_be_searched_or_compared() {
    let domain = Domain::new();
    domain.user("reader", &[]);
    let value = format!("B:8:DEADBEEF:{TEST_USER}");
    domain
        .change(
            &domain.system,
            TEST_USER,
            ModificationKind::Add,
            KEYS,
            &[&value],
        )
        .unwrap();
    let present = || Filter::Present(KEYS.into());
    let answers = || {
        let reader = domain.session("reader");
        let found = |filter| {
            let request = SearchRequest::new(domain.dn(TEST_USER), Scope::BaseObject, filter);
            domain.directory.find_all(&reader, &request).unwrap().len()
        };
        let same = Filter::equality(KEYS, value.as_str());
        let counts = [
            found(present()),
            found(Filter::Not(Box::new(present()))),
            found(same.clone()),
            found(Filter::Not(Box::new(same))),
        ];
        let name = Name::Dn(domain.dn(TEST_USER));
        let compared = domain
            .directory
            .compare(&reader, &name, KEYS, value.as_bytes());
        (counts, matches!(compared, Ok(true)))
    };
    assert_eq!(answers(), ([1, 0, 1, 0], true));
    let member = format!("CN=S-1-5-11,CN=ForeignSecurityPrincipals,{DOMAIN}");
    domain
        .change(
            &domain.system,
            "CN=Pre-Windows 2000 Compatible Access,CN=Builtin",
            ModificationKind::Delete,
            "member",
            &[&member],
        )
        .unwrap();
    assert_eq!(answers(), ([0, 0, 0, 0], false));
}

#[test]
fn what_a_computer_may_write_is_a_setting() {
    let domain = Domain::new();
    let container = domain.dn("CN=Computers");
    let computer = NewComputer {
        container: &container,
        name: "PC1",
        password: Some(PASSWORD),
    };
    create_computer(&domain.directory, &domain.system, &computer).unwrap();
    let session = domain
        .directory
        .simple_bind("CORP\\PC1$", PASSWORD.as_bytes())
        .unwrap();
    let dn = format!("CN=PC1,CN=Computers,{DOMAIN}");
    // It has CustomKeyInformation, which the text of the specification forbids.
    let key = crate::access::tests::own_key().replace("CN=pc1,DC=corp", &dn);
    let service = "CN=Directory Service,CN=Windows NT,CN=Services,CN=Configuration";
    for (setting, expect) in [("Patched2026", true), ("Spec", false), ("Pre2026", true)] {
        let setting = format!("KeyCredentialValidatedWrite={setting}");
        domain
            .change(
                &domain.system,
                service,
                ModificationKind::Replace,
                "msDS-Other-Settings",
                &[&setting],
            )
            .unwrap();
        let added = domain.change(&session, &dn, ModificationKind::Add, KEYS, &[&key]);
        assert_eq!(added.is_ok(), expect, "{setting}");
        domain
            .change(&domain.system, &dn, ModificationKind::Replace, KEYS, &[])
            .unwrap();
    }
}
