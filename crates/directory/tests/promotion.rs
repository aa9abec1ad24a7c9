//! The ticket granting account of a read-only domain controller: who may make one, its number, its keys, and the way from
//! it to the computer that it belongs to.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use directory::ModificationKind::Replace;
use directory::provision::accounts::{NewUser, create_user, unicode_password};
use directory::provision::{Plan, provision};
use directory::{
    AddRequest, Directory, Error, Modification, ModifyRequest, Name, Operation, PrincipalName,
    Principals, Session,
};
use kerberos::crypto::{EncryptionType, string_to_key};
use ldap::ResultCode;
use types::Dn;

const DOMAIN: &str = "DC=corp,DC=contoso,DC=com";
const PASSWORD: &str = "Correct-Horse-2026";
const CHOSEN: &str = "a-password-of-more-than-forty-characters-2026";

fn domain() -> (Directory, Session) {
    let directory = Directory::in_memory(small::options()).unwrap();
    provision(&directory, &Plan::example(PASSWORD)).unwrap();
    let administrator = directory
        .simple_bind("Administrator@corp.contoso.com", PASSWORD.as_bytes())
        .unwrap()
        .with_secure(true);
    (directory, administrator)
}

fn krbtgt(container: &str, class: &str) -> AddRequest {
    let dn: Dn = format!("CN=krbtgt_AzureAD,{container},{DOMAIN}")
        .parse()
        .unwrap();
    AddRequest {
        makes_read_only_krbtgt: true,
        ..AddRequest::new(dn)
            .with("objectClass", [class])
            .with("userAccountControl", ["514"])
    }
}

fn add(directory: &Directory, session: &Session, request: AddRequest) -> Result<(), Error> {
    directory.apply(session, Operation::Add(request)).map(drop)
}

fn text(directory: &Directory, dn: &str, attribute: &str) -> String {
    let name: Name = dn.parse().unwrap();
    let request =
        directory::SearchRequest::new(name, ldap::Scope::BaseObject, ldap::Filter::any_object())
            .with_attributes([attribute]);
    let found = directory.find_all(&Session::system(), &request).unwrap();
    let value = found[0].values(attribute).first().cloned();
    String::from_utf8(value.unwrap_or_default()).unwrap()
}

#[test]
fn the_directory_chooses_number_and_name() {
    let (directory, administrator) = domain();
    add(&directory, &administrator, krbtgt("CN=Users", "user")).unwrap();
    let dn = format!("CN=krbtgt_AzureAD,CN=Users,{DOMAIN}");
    let number: u16 = text(&directory, &dn, "msDS-SecondaryKrbTgtNumber")
        .parse()
        .unwrap();
    assert_ne!(number, 0);
    let name = format!("krbtgt_{number}");
    assert_eq!(text(&directory, &dn, "sAMAccountName"), name);

    let value = unicode_password(CHOSEN);
    let step = Modification::new(Replace, "unicodePwd", [value]);
    let request = ModifyRequest::new(dn.parse::<Name>().unwrap(), vec![step]);
    directory
        .apply(&administrator, Operation::Modify(request))
        .unwrap();
    let principals = Principals::new(directory);
    let found = principals
        .find(PrincipalName::Krbtgt(number))
        .unwrap()
        .unwrap();
    let etype = EncryptionType::AES256_CTS_HMAC_SHA1_96;
    let salt = format!("CORP.CONTOSO.COM{name}");
    let expect = string_to_key(etype, CHOSEN.as_bytes(), salt.as_bytes(), None).unwrap();
    assert_eq!(*found.keys[0].keys[0], expect);
    assert_eq!(found.keys[0].version, 1);
}

#[test]
fn the_right_to_create_users_is_not_enough() {
    let (directory, administrator) = domain();
    let system = Session::system();
    let users: Dn = format!("CN=Users,{DOMAIN}").parse().unwrap();
    let helpdesk = NewUser {
        container: &users,
        name: "Helpdesk",
        account: "helpdesk",
        password: Some(PASSWORD),
    };
    let dn = create_user(&directory, &system, &helpdesk).unwrap();
    let operators: Name = format!("CN=Account Operators,CN=Builtin,{DOMAIN}")
        .parse()
        .unwrap();
    let member = Modification::new(directory::ModificationKind::Add, "member", [dn.to_string()]);
    directory
        .apply(
            &system,
            Operation::Modify(ModifyRequest::new(operators, vec![member])),
        )
        .unwrap();
    let operator = directory
        .simple_bind("helpdesk@corp.contoso.com", PASSWORD.as_bytes())
        .unwrap()
        .with_secure(true);
    // It may make users, and not this one.
    let plain = AddRequest::new(format!("CN=Somebody,CN=Users,{DOMAIN}").parse().unwrap())
        .with("objectClass", ["user"]);
    add(&directory, &operator, plain).unwrap();
    let refused = add(&directory, &operator, krbtgt("CN=Users", "user")).unwrap_err();
    assert_eq!(refused.code(), ResultCode::INSUFFICIENT_ACCESS_RIGHTS);
    // Nor can anybody write the number without the control.
    let mut numbered = krbtgt("CN=Users", "user").with("msDS-SecondaryKrbTgtNumber", ["7"]);
    numbered.makes_read_only_krbtgt = false;
    assert!(add(&directory, &administrator, numbered).is_err());
}

#[test]
fn only_a_user_without_a_password_yet() {
    let (directory, administrator) = domain();
    let computer = krbtgt("CN=Computers", "computer");
    let refused = add(&directory, &administrator, computer).unwrap_err();
    assert!(refused.to_string().contains("only a user"), "{refused}");
    let early = krbtgt("CN=Users", "user").with("unicodePwd", [unicode_password(CHOSEN)]);
    let refused = add(&directory, &administrator, early).unwrap_err();
    assert!(refused.to_string().contains("has its number"), "{refused}");
}
