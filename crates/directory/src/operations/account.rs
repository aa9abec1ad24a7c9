//! What follows from being a user, a computer or a group: default values and derived attributes (MS-ADTS 3.1.1.5.2.4,
//! MS-SAMR 3.1.1.8).

use crate::Error;
use crate::error::AttributeProblem;
use crate::model::{Object, ObjectBuilder, Snapshot, Transaction};
use crate::schema::{ClassId, Schema};

/// `userAccountControl`: ACCOUNTDISABLE.
pub(super) const DISABLED: i64 = 0x2;
/// `userAccountControl`: DONT_EXPIRE_PASSWORD.
pub(super) const PASSWORD_DOES_NOT_EXPIRE: i64 = 0x1_0000;
const PASSWORD_NOT_REQUIRED: i64 = 0x20;
const NORMAL_ACCOUNT: i64 = 0x200;
const INTERDOMAIN_TRUST: i64 = 0x800;
const WORKSTATION_TRUST: i64 = 0x1000;
const SERVER_TRUST: i64 = 0x2000;
const PARTIAL_SECRETS: i64 = 0x400_0000;
/// `groupType`: security-enabled.
pub(super) const SECURITY_ENABLED: i64 = 0x8000_0000;
const DOMAIN_LOCAL: i64 = 0x4;
const BUILTIN_LOCAL: i64 = 0x1;
const GLOBAL: i64 = 0x2;
/// `accountExpires`: never.
pub(super) const NEVER: i64 = i64::MAX;

/// What kind of account a class makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Computer,
    Group,
    /// Has a SID, and nothing else of an account.
    Other,
}

/// What kind of security principal objects of `class` are; `None` where they have no SID.
pub(super) fn kind(schema: &Schema, class: ClassId) -> Option<Kind> {
    let is = |name: &str| {
        schema
            .class(name)
            .is_some_and(|base| schema.is_subclass(class, base.id))
    };
    if is("computer") {
        Some(Kind::Computer)
    } else if is("user") {
        Some(Kind::User)
    } else if is("group") {
        Some(Kind::Group)
    } else {
        schema
            .class("securityPrincipal")
            .is_some_and(|principal| schema.chain_with_auxiliary(class).contains(&principal.id))
            .then_some(Kind::Other)
    }
}

/// Fills in what the client of an add left out.
pub(super) fn complete(transaction: &Transaction<'_>, kind: Kind, object: &mut ObjectBuilder) {
    let schema = transaction.schema;
    let known = schema.known();
    let mut default = |name: &str, value: i64| {
        if let Some(attribute) = schema.attribute(name)
            && !object.has(attribute.id)
        {
            object.set_text(attribute.id, value);
        }
    };
    match kind {
        Kind::User | Kind::Computer => {
            let control = if kind == Kind::User {
                NORMAL_ACCOUNT
            } else {
                WORKSTATION_TRUST
            };
            default(
                "userAccountControl",
                control | DISABLED | PASSWORD_NOT_REQUIRED,
            );
            for name in [
                "badPwdCount",
                "codePage",
                "countryCode",
                "badPasswordTime",
                "lastLogoff",
                "lastLogon",
                "pwdLastSet",
                "logonCount",
            ] {
                default(name, 0);
            }
            default("accountExpires", NEVER);
        }
        Kind::Group => default("groupType", (SECURITY_ENABLED | GLOBAL) - (1 << 32)),
        Kind::Other => {}
    }
    if matches!(kind, Kind::User | Kind::Computer) {
        let control = number(object, known.user_account_control);
        let group = match control {
            c if c & PARTIAL_SECRETS != 0 => 521,
            c if c & SERVER_TRUST != 0 => 516,
            c if c & WORKSTATION_TRUST != 0 => 515,
            _ => 513,
        };
        if !object.has(known.primary_group_id) {
            object.set_text(known.primary_group_id, group);
        }
    }
    if kind != Kind::Other {
        if !object.has(known.sam_account_name) {
            let random = u64::from_le_bytes(transaction.random());
            object.set_text(known.sam_account_name, format!("${random:016X}"));
        }
        derive(schema, kind, object);
    }
}

/// Sets `sAMAccountType` from what it follows from.
pub(super) fn derive(schema: &Schema, kind: Kind, object: &mut ObjectBuilder) {
    let known = schema.known();
    let account_type = match kind {
        Kind::User | Kind::Computer => match number(object, known.user_account_control) {
            c if c & (WORKSTATION_TRUST | SERVER_TRUST) != 0 => 0x3000_0001,
            c if c & INTERDOMAIN_TRUST != 0 => 0x3000_0002,
            _ => 0x3000_0000,
        },
        Kind::Group => {
            let group_type = number(object, known.group_type);
            let alias = if group_type & (DOMAIN_LOCAL | BUILTIN_LOCAL) != 0 {
                0x1000_0000
            } else {
                0
            };
            let plain = i64::from(group_type & SECURITY_ENABLED == 0);
            0x1000_0000 + alias + plain
        }
        Kind::Other => return,
    };
    object.set_text(known.sam_account_type, account_type);
}

fn number(object: &ObjectBuilder, attribute: crate::schema::AttributeId) -> i64 {
    object
        .values(attribute)
        .first()
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Names of accounts are unique in the domain (MS-ADTS 3.1.1.5.1.3, MS-SAMR 3.1.1.8.4).
pub(super) fn check_unique(
    transaction: &Transaction<'_>,
    object: &ObjectBuilder,
) -> Result<(), Error> {
    let reader = transaction.reader();
    let known = transaction.schema.known();
    for id in [
        known.sam_account_name,
        known.user_principal_name,
        known.service_principal_name,
    ] {
        let attribute = transaction.schema.attribute_by_id(id);
        for value in object.values(id) {
            for dnt in reader.indexed(id, &attribute.syntax.key(value), 16)? {
                let other = reader.object(dnt)?;
                if dnt == object.dnt || other.is_none_or(|other| other.is_deleted()) {
                    continue;
                }
                return Err(if id == known.sam_account_name {
                    Error::AlreadyExists {
                        name: String::from_utf8_lossy(value).into_owned(),
                    }
                } else {
                    Error::attribute(attribute, AttributeProblem::Constraint)
                });
            }
        }
    }
    Ok(())
}

/// When the password ends by the domain's rule, MS-ADTS 3.1.1.4.5.38: 0 where it must change now, and `NEVER`.
pub(super) fn password_expiry(snapshot: &Snapshot, object: &Object) -> i64 {
    let known = snapshot.schema.known();
    let control = object.number(known.user_account_control).unwrap_or(0);
    if control & PASSWORD_DOES_NOT_EXPIRE != 0 {
        return NEVER;
    }
    // `maxPwdAge` is negative.
    let age = domain_number(snapshot, "maxPwdAge").filter(|age| !matches!(*age, 0 | i64::MIN));
    match (object.number(known.pwd_last_set).unwrap_or(0), age) {
        (0, _) => 0,
        (_, None) => NEVER,
        (set, Some(age)) => set.saturating_sub(age),
    }
}

/// One of the numbers that the domain's head holds.
pub(super) fn domain_number(snapshot: &Snapshot, attribute: &str) -> Option<i64> {
    let domain = snapshot.parent(snapshot.naming.domain_head?).ok()?;
    domain.number(snapshot.schema.attribute(attribute)?.id)
}

/// Characters that `sAMAccountName` must not hold (MS-SAMR 3.1.1.8.4).
pub(super) fn is_account_name(value: &[u8]) -> bool {
    !value
        .iter()
        .any(|byte| *byte < b' ' || b"\"/\\[]:;|=,+*?<>".contains(byte))
}
