//! Questions that need no write: what the schema has, what we may write, who we are.

use std::collections::BTreeSet;

use ldap3::{Scope, ldap_escape};
use types::{Dn, Sid};

use super::connection::{Connection, Query};
use super::write::by_guid;
use crate::connector::{Account, Anchor, ConnectorError, Permission, SchemaProbe};

/// Which of these attributes the schema has, from its attributeSchema objects (MS-ADTS 3.1.1.2.3).
pub(super) fn schema(
    connection: &mut Connection,
    attributes: &BTreeSet<String>,
) -> Result<SchemaProbe, ConnectorError> {
    let root = connection.root()?;
    let names: String = attributes
        .iter()
        .map(|name| format!("(lDAPDisplayName={})", ldap_escape(name.as_str())))
        .collect();
    let filter = format!("(&(objectClass=attributeSchema)(|{names}))");
    let wanted = ["lDAPDisplayName", "isDefunct"];
    let query = Query {
        base: &root.schema,
        scope: Scope::OneLevel,
        filter: &filter,
        attributes: &wanted,
        deleted: false,
    };
    let mut probe = SchemaProbe::default();
    connection.search(query, &mut |entry| {
        let defunct = entry
            .text("isDefunct")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let name = entry.text("lDAPDisplayName").filter(|_| !defunct);
        let known = name.and_then(|name| {
            attributes
                .iter()
                .find(|wanted| wanted.eq_ignore_ascii_case(&name))
        });
        probe.present.extend(known.cloned());
        Ok(())
    })?;
    let head = connection.object(&root.schema, &["objectVersion"])?;
    probe.version = head
        .and_then(|entry| entry.text("objectVersion"))
        .and_then(|text| text.parse().ok());
    Ok(probe)
}

/// Whether the account may write an attribute of an object.
pub(super) fn permission(
    connection: &mut Connection,
    anchor: &Anchor,
    attribute: &str,
) -> Result<Permission, ConnectorError> {
    let settings = connection.root()?.settings;
    let wanted = ["allowedAttributesEffective", "adminCount"];
    let Some(entry) = connection.object(&by_guid(anchor), &wanted)? else {
        return Ok(Permission::Gone);
    };
    let allowed = entry.values("allowedAttributesEffective");
    if allowed
        .iter()
        .any(|name| name.eq_ignore_ascii_case(attribute.as_bytes()))
    {
        return Ok(Permission::Granted);
    }
    let protected = entry.text("adminCount").is_some_and(|count| count != "0");
    Ok(match (protected, settings) {
        (true, _) => Permission::DeniedByProtection,
        (false, Some(_)) => Permission::Denied,
        // A server without dsServiceName is no AD, and may not know the attribute.
        (false, None) => Permission::Unknown,
    })
}

/// Who we are: from Who am I?, or else from the name that we bound as.
pub(super) fn account(connection: &mut Connection) -> Result<Account, ConnectorError> {
    let root = connection.root()?;
    let told = connection.who_am_i()?.unwrap_or_default();
    let (dn, name) = match (told.strip_prefix("dn:"), told.strip_prefix("u:")) {
        (Some(dn), _) if !dn.is_empty() => (Some(dn.to_owned()), None),
        (_, Some(name)) if !name.is_empty() => (None, Some(name.to_owned())),
        _ if connection
            .bind_name()
            .parse::<Dn>()
            .is_ok_and(|dn| !dn.is_root()) =>
        {
            (Some(connection.bind_name().to_owned()), None)
        }
        _ => (None, Some(connection.bind_name().to_owned())),
    };
    let mut account = Account {
        dn: dn.clone().unwrap_or_default(),
        name: name
            .clone()
            .unwrap_or_else(|| connection.bind_name().to_owned()),
        sid: None,
        domain_dn: root.domain.clone(),
        url: connection.url().to_owned(),
    };
    let filter = match (&dn, &name) {
        (None, Some(name)) => {
            let short = name.rsplit('\\').next().unwrap_or(name);
            let (short, whole) = (ldap_escape(short), ldap_escape(name.as_str()));
            format!("(|(sAMAccountName={short})(userPrincipalName={whole}))")
        }
        _ => "(objectClass=*)".to_owned(),
    };
    let (base, scope) = match &dn {
        Some(dn) => (dn.as_str(), Scope::Base),
        None => (root.domain.as_str(), Scope::Subtree),
    };
    let wanted = ["objectSid", "sAMAccountName"];
    let query = Query {
        base,
        scope,
        filter: &filter,
        attributes: &wanted,
        deleted: false,
    };
    let found = connection.search(query, &mut |entry| {
        account.sid = entry
            .values("objectSid")
            .first()
            .and_then(|octets| Sid::from_bytes(octets).ok());
        if let (None, Some(short)) = (&name, entry.text("sAMAccountName")) {
            account.name = short;
        }
        account.dn = entry.dn;
        Ok(())
    });
    // An account that may not read itself can still be named.
    match found {
        Ok(()) | Err(ConnectorError::Refused { .. }) => Ok(account),
        Err(other) => Err(other),
    }
}
