//! Validated writes (MS-ADTS 3.1.1.5.3.1.1): the right SW lets a value pass when it is of the right shape.
//!
//! Here: DS-Validated-Write-Computer, Self-Membership, Validated-DNS-Host-Name, Validated-SPN. Deliberately absent:
//! Validated-MS-DS-Behavior-Version and Validated-MS-DS-Additional-DNS-Host-Name's alternate suffixes.

use keycred::{DnBinary, ValidatedWriteMode};
use security_descriptor::{Rights, Token};
use types::{Dn, Guid};

use super::{AttributeWrite, Policy, Target, WriteContext, rights};
use crate::schema::{Attribute, Schema};

/// Whether a validated write covers `write`, which WP does not.
pub(super) fn is_covered(
    schema: &Schema,
    token: &Token,
    policy: Policy,
    target: &Target<'_>,
    granted: &Rights,
    context: &WriteContext,
    write: &AttributeWrite,
) -> bool {
    let attribute = schema.attribute_by_id(write.attribute);
    let Some(right) = right_for(attribute) else {
        return false;
    };
    if !granted.allows_validated_write(right) {
        return false;
    }
    let is_computer = schema
        .class("computer")
        .is_some_and(|computer| schema.is_subclass(target.class, computer.id));
    match right {
        rights::VALIDATED_WRITE_COMPUTER => {
            is_computer && is_self(token, target) && own_key(write, policy.key_write_mode)
        }
        rights::SELF_MEMBERSHIP => only_oneself(write, context),
        rights::VALIDATED_DNS_HOST_NAME => {
            is_computer && added_text(write).is_some_and(|t| t.iter().all(|n| is_host(n, context)))
        }
        _ => is_computer && added_text(write).is_some_and(|t| t.iter().all(|n| is_spn(n, context))),
    }
}

/// The validated write that may let values of this attribute pass.
pub(super) fn right_for(attribute: &Attribute) -> Option<Guid> {
    match (attribute.guid, attribute.name) {
        (rights::KEY_CREDENTIAL_LINK, _) => Some(rights::VALIDATED_WRITE_COMPUTER),
        (rights::SELF_MEMBERSHIP, _) => Some(rights::SELF_MEMBERSHIP),
        (rights::VALIDATED_SPN, _) => Some(rights::VALIDATED_SPN),
        (_, "dNSHostName") => Some(rights::VALIDATED_DNS_HOST_NAME),
        _ => None,
    }
}

fn is_self(token: &Token, target: &Target<'_>) -> bool {
    target.sid.is_some() && token.user() == target.sid
}

/// 3.1.1.5.3.1.1.6: one good value where there was none; taking values away is free.
fn own_key(write: &AttributeWrite, mode: ValidatedWriteMode) -> bool {
    match write.added.as_slice() {
        [] => true,
        [value] => {
            write.existing == 0
                && std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse::<DnBinary>().ok())
                    .is_some_and(|value| keycred::validated_write(&value.binary, mode).is_ok())
        }
        _ => false,
    }
}

/// 3.1.1.5.3.1.1.5: the caller adds or removes itself, and nobody else.
fn only_oneself(write: &AttributeWrite, context: &WriteContext) -> bool {
    let Some(caller) = &context.caller_dn else {
        return false;
    };
    write.added.iter().chain(&write.removed).all(|value| {
        std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse::<Dn>().ok())
            .is_some_and(|dn| dn == *caller)
    })
}

fn added_text(write: &AttributeWrite) -> Option<Vec<&str>> {
    write
        .added
        .iter()
        .map(|value| std::str::from_utf8(value).ok())
        .collect()
}

fn account(context: &WriteContext) -> Option<&str> {
    let name = context.sam_account_name.as_deref()?;
    Some(name.strip_suffix('$').unwrap_or(name))
}

/// 3.1.1.5.3.1.1.2: the account's name in the domain.
fn is_host(name: &str, context: &WriteContext) -> bool {
    account(context).is_some_and(|account| {
        name.eq_ignore_ascii_case(&format!("{account}.{}", context.dns_domain))
    })
}

/// 3.1.1.5.3.1.1.4: `class/instance` or `class/instance/domain`, where the instance is the computer.
fn is_spn(name: &str, context: &WriteContext) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let (class, instance, service) = match parts.as_slice() {
        [class, instance] => (*class, *instance, None),
        [class, instance, service] => (*class, *instance, Some(*service)),
        _ => return false,
    };
    let instance = instance
        .split_once(':')
        .map_or(instance, |(host, _port)| host);
    let is_host_name = |host: &str| {
        account(context).is_some_and(|account| host.eq_ignore_ascii_case(account))
            || context
                .dns_host_name
                .as_deref()
                .is_some_and(|name| host.eq_ignore_ascii_case(name))
    };
    let is_domain = |name: &str| {
        name.eq_ignore_ascii_case(&context.dns_domain)
            || name.eq_ignore_ascii_case(&context.netbios_domain)
    };
    !class.is_empty()
        && is_host_name(instance)
        && service.is_none_or(|service| is_domain(service) || is_host_name(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> WriteContext {
        WriteContext {
            caller_dn: "CN=ada,DC=corp".parse().ok(),
            sam_account_name: Some("PC1$".into()),
            dns_host_name: Some("pc1.corp.contoso.com".into()),
            dns_domain: "corp.contoso.com".into(),
            netbios_domain: "CORP".into(),
        }
    }

    #[test]
    fn host_names_are_the_accounts_own() {
        for (name, good) in [
            ("pc1.corp.contoso.com", true),
            ("PC1.CORP.contoso.com", true),
            ("pc2.corp.contoso.com", false),
            ("pc1.evil.example", false),
            ("pc1", false),
        ] {
            assert_eq!(is_host(name, &context()), good, "{name}");
        }
    }

    #[test]
    fn service_names_are_the_computers_own() {
        for (name, good) in [
            ("HOST/pc1", true),
            ("HOST/pc1.corp.contoso.com", true),
            ("ldap/pc1.corp.contoso.com/corp.contoso.com", true),
            ("http/pc1:8080", true),
            ("HOST/dc1", false),
            ("ldap/pc1/evil.example", false),
            ("pc1", false),
            ("/pc1", false),
            ("a/pc1/CORP/x", false),
        ] {
            assert_eq!(is_spn(name, &context()), good, "{name}");
        }
    }
}
