//! A directory over LDAP: a [`Target`] for Active Directory, Samba, and whatever speaks like them.
//!
//! Imports go by `uSNChanged` (MS-ADTS 3.1.1.1.9) with deleted objects shown, and belong to one database: its
//! `invocationID` is part of the cursor, so that a domain controller that was restored, or another one, leads to a
//! full import. Writes are value by value, addressed by `<GUID=...>` (MS-ADTS 3.1.1.3.1.2.4). What the account may
//! write is read from `allowedAttributesEffective` (MS-ADTS 3.1.1.4.5.18), without trying.
//!
//! The client is blocking and brings a runtime of its own: do not call it from inside an asynchronous task, give it a
//! thread.
//!
//! Deliberately absent: DirSync and change notification, which come with the watching sync, and Kerberos binds.

mod administer;
mod connection;
mod cursor;
mod entry;
mod import;
mod probe;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use types::Secret;

use crate::connector::{
    Account, Anchor, ConnectorError, Cursor, ImportRequest, Permission, SchemaProbe, Sink, Source,
    Target, ValueWrite, Values, WriteError,
};
pub use administer::{Control, Modification};
pub use connection::{Connection, Query, RootDse};
pub use entry::Entry;
pub use ldap3::{Scope, ldap_escape};

use write::Seen;

/// Where the directory is, and how to get in.
#[derive(Debug)]
pub struct DirectorySettings {
    /// `ldaps://dc1.corp.contoso.com` or `ldap://...`.
    pub url: String,
    /// Begin with StartTLS on an `ldap://` address.
    pub start_tls: bool,
    /// Distinguished name, user principal name or DOMAIN\name of the connector account.
    pub bind_dn: String,
    /// Its password.
    pub password: Secret<String>,
    /// Where users are looked for; the whole domain where it is `None`.
    pub base_dn: Option<String>,
    /// The certificate authorities that are trusted.
    pub roots: Vec<CertificateDer<'static>>,
    /// For one operation.
    pub timeout: Duration,
}

/// The directory as a target.
#[derive(Debug)]
pub struct LdapDirectory {
    connection: Connection,
    base_dn: Option<String>,
    account: Option<Account>,
    /// What was read last of the objects that are about to be written: name and raw values.
    seen: HashMap<(Anchor, String), Seen>,
}

impl LdapDirectory {
    /// Prepares the connection; it is opened with the first operation.
    pub fn new(settings: DirectorySettings) -> Result<Self, ConnectorError> {
        let base_dn = settings.base_dn.clone();
        let connection = Connection::new(settings)?;
        Ok(Self {
            connection,
            base_dn,
            account: None,
            seen: HashMap::new(),
        })
    }
}

impl Source for LdapDirectory {
    fn import(
        &mut self,
        request: ImportRequest<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Cursor, ConnectorError> {
        import::import(&mut self.connection, self.base_dn.as_deref(), request, sink)
    }

    fn url(&self) -> String {
        self.connection.url().to_owned()
    }
}

impl Target for LdapDirectory {
    fn schema(&mut self, attributes: &BTreeSet<String>) -> Result<SchemaProbe, ConnectorError> {
        probe::schema(&mut self.connection, attributes)
    }

    fn permissions(
        &mut self,
        anchors: &[Anchor],
        attribute: &str,
    ) -> Result<BTreeMap<Anchor, Permission>, ConnectorError> {
        let mut answers = BTreeMap::new();
        for anchor in anchors {
            answers.insert(
                anchor.clone(),
                probe::permission(&mut self.connection, anchor, attribute)?,
            );
        }
        Ok(answers)
    }

    fn read(&mut self, anchor: &Anchor, attribute: &str) -> Result<Option<Values>, ConnectorError> {
        let seen = write::look(&mut self.connection, anchor, attribute)?;
        let values = seen
            .as_ref()
            .map(|seen| seen.values.values().cloned().collect());
        if let Some(seen) = seen {
            self.seen
                .insert((anchor.clone(), attribute.to_owned()), seen);
        }
        Ok(values)
    }

    fn write(&mut self, write: &ValueWrite) -> Result<(), WriteError> {
        let seen = self
            .seen
            .remove(&(write.anchor.clone(), write.attribute.clone()));
        write::write(&mut self.connection, write, seen)
    }

    fn account(&mut self) -> Result<Account, ConnectorError> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let account = probe::account(&mut self.connection)?;
        Ok(self.account.insert(account).clone())
    }
}
