//! An ordinary LDAP client of the house's directory: it asks as any administrator's tool would, over TLS.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ldap3::controls::RawControl;
use ldap3::{LdapConn, LdapConnSettings, LdapResult, Mod, Scope, SearchEntry};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::Error;
use crate::pki::provider;

/// A bound connection.
pub struct LdapClient {
    connection: LdapConn,
}

const TIMEOUT: Duration = Duration::from_secs(20);

impl LdapClient {
    /// Connects to `url` (`ldaps://127.0.0.1:6360`) and binds.
    pub fn bind(url: &str, ca_pem: &str, name: &str, password: &str) -> Result<Self, Error> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(TIMEOUT)
            .set_config(Arc::new(client_config(ca_pem)?));
        let mut connection = LdapConn::with_settings(settings, url)?;
        let bound = connection.simple_bind(name, password)?;
        check(&format!("bind as {name}"), bound)?;
        Ok(Self { connection })
    }

    /// The values of one attribute of one object, as text; none where the object or the attribute is absent.
    pub fn values(&mut self, dn: &str, attribute: &str) -> Result<Vec<String>, Error> {
        let found = self
            .connection
            .search(dn, Scope::Base, "(objectClass=*)", vec![attribute])?;
        let (entries, result) = (found.0, found.1);
        if result.rc == NO_SUCH_OBJECT {
            return Ok(Vec::new());
        }
        check(&format!("read {attribute} of {dn}"), result)?;
        Ok(entries
            .into_iter()
            .map(SearchEntry::construct)
            .flat_map(|entry| entry.attrs)
            .filter(|(name, _)| name.eq_ignore_ascii_case(attribute))
            .flat_map(|(_, values)| values)
            .collect())
    }

    /// Makes an object. A control is named by its object identifier, and has no value.
    pub fn add(
        &mut self,
        dn: &str,
        attributes: &[(&str, &str)],
        control: Option<&str>,
    ) -> Result<(), Error> {
        let attributes = attributes
            .iter()
            .map(|(name, value)| (*name, HashSet::from([*value])))
            .collect();
        if let Some(control) = control {
            self.connection.with_controls(RawControl {
                ctype: control.to_owned(),
                crit: true,
                val: None,
            });
        }
        let result = self.connection.add(dn, attributes)?;
        check(&format!("make {dn}"), result)
    }

    /// Removes an object.
    pub fn delete(&mut self, dn: &str) -> Result<(), Error> {
        let result = self.connection.delete(dn)?;
        check(&format!("remove {dn}"), result)
    }

    /// Adds one value.
    pub fn add_value(&mut self, dn: &str, attribute: &str, value: &str) -> Result<(), Error> {
        self.modify(dn, Mod::Add(attribute, HashSet::from([value])), attribute)
    }

    /// Deletes one value.
    pub fn delete_value(&mut self, dn: &str, attribute: &str, value: &str) -> Result<(), Error> {
        self.modify(
            dn,
            Mod::Delete(attribute, HashSet::from([value])),
            attribute,
        )
    }

    /// Removes all values.
    pub fn clear(&mut self, dn: &str, attribute: &str) -> Result<(), Error> {
        self.modify(dn, Mod::Replace(attribute, HashSet::new()), attribute)
    }

    /// Replaces all values by one.
    pub fn replace(&mut self, dn: &str, attribute: &str, value: &str) -> Result<(), Error> {
        self.modify(
            dn,
            Mod::Replace(attribute, HashSet::from([value])),
            attribute,
        )
    }

    /// Replaces all values by one of octets.
    pub fn replace_bytes(&mut self, dn: &str, attribute: &str, value: &[u8]) -> Result<(), Error> {
        let change = Mod::Replace(attribute.as_bytes(), HashSet::from([value]));
        let result = self.connection.modify(dn, vec![change])?;
        check(&format!("change {attribute} of {dn}"), result)
    }

    /// The self-relative security descriptor of an object, with its DACL alone.
    pub fn security_descriptor(&mut self, dn: &str) -> Result<Vec<u8>, Error> {
        let connection = self.connection.with_controls(descriptor_flags());
        let found = connection.search(dn, Scope::Base, "(objectClass=*)", vec![DESCRIPTOR])?;
        let (entries, result) = (found.0, found.1);
        check(&format!("read {DESCRIPTOR} of {dn}"), result)?;
        entries
            .into_iter()
            .map(SearchEntry::construct)
            .flat_map(|entry| entry.bin_attrs)
            .find_map(|(_, values)| values.into_iter().next())
            .ok_or_else(|| Error::Story(format!("{dn} shows no {DESCRIPTOR}")))
    }

    /// Writes a security descriptor: its DACL.
    pub fn set_security_descriptor(&mut self, dn: &str, descriptor: &[u8]) -> Result<(), Error> {
        let change = Mod::Replace(DESCRIPTOR.as_bytes(), HashSet::from([descriptor]));
        let result = self
            .connection
            .with_controls(descriptor_flags())
            .modify(dn, vec![change])?;
        check(&format!("change {DESCRIPTOR} of {dn}"), result)
    }

    fn modify(&mut self, dn: &str, change: Mod<&str>, attribute: &str) -> Result<(), Error> {
        let result = self.connection.modify(dn, vec![change])?;
        check(&format!("change {attribute} of {dn}"), result)
    }
}

impl Drop for LdapClient {
    fn drop(&mut self) {
        // The other side notices a closed connection as well.
        drop(self.connection.unbind());
    }
}

const NO_SUCH_OBJECT: u32 = 32;
const DESCRIPTOR: &str = "nTSecurityDescriptor";

/// LDAP_SERVER_SD_FLAGS (MS-ADTS 3.1.1.3.4.1.11) with the DACL alone: `SEQUENCE { INTEGER 4 }`.
fn descriptor_flags() -> RawControl {
    RawControl {
        ctype: "1.2.840.113556.1.4.801".to_owned(),
        crit: true,
        val: Some(vec![0x30, 0x03, 0x02, 0x01, 0x04]),
    }
}

fn check(what: &str, result: LdapResult) -> Result<(), Error> {
    match result.rc {
        0 => Ok(()),
        code => Err(Error::Directory {
            what: what.to_owned(),
            code,
            message: result.text.trim_end_matches(['\0', '\n']).to_owned(),
        }),
    }
}

/// TLS that trusts only the given CA.
pub fn client_config(ca_pem: &str) -> Result<ClientConfig, Error> {
    let root = CertificateDer::from_pem_slice(ca_pem.as_bytes())
        .map_err(|error| Error::Tls(format!("the CA's certificate cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
