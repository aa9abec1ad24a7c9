//! What an administrator's command asks of a connection beside the sync: make and remove objects, write attributes
//! whole, and the questions that come before it.

use std::collections::{BTreeSet, HashSet};

use ldap3::controls::RawControl;
use ldap3::{LdapError, LdapResult, Mod};

use super::connection::Connection;
use super::entry::Entry;
use super::import::finish_range;
use super::probe;
use super::write::classified;
use crate::connector::{
    Account, Anchor, ConnectorError, Permission, SchemaProbe, Value, WriteError,
};

/// A change of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Modification {
    /// Add these values.
    Add(String, Vec<Value>),
    /// Delete these values, or all of them where none is given.
    Delete(String, Vec<Value>),
    /// Have these values and no others.
    Replace(String, Vec<Value>),
}

/// A control without a value (RFC 4511 section 4.1.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Its object identifier.
    pub oid: &'static str,
    /// Whether the operation must fail where it is unknown.
    pub critical: bool,
}

impl Connection {
    /// Makes an object. It is never sent twice: nobody knows whether the first was carried out.
    pub fn add(
        &mut self,
        dn: &str,
        attributes: Vec<(&str, Vec<Value>)>,
        controls: &[Control],
    ) -> Result<(), WriteError> {
        let attributes = attributes
            .into_iter()
            .map(|(name, values)| (name.as_bytes().to_vec(), values.into_iter().collect()))
            .collect::<Vec<(Value, HashSet<Value>)>>();
        let controls: Vec<RawControl> = controls
            .iter()
            .map(|control| RawControl {
                ctype: control.oid.to_owned(),
                crit: control.critical,
                val: None,
            })
            .collect();
        let added = self.ready().map_err(unready).and_then(|open| {
            if !controls.is_empty() {
                open.with_controls(controls);
            }
            open.add(dn, attributes)
        });
        done(added)
    }

    /// Changes an object: all of it, or nothing.
    pub fn change(&mut self, dn: &str, changes: Vec<Modification>) -> Result<(), WriteError> {
        let mods = changes.into_iter().map(Mod::from).collect();
        done(self.modify(dn, mods))
    }

    /// Deletes an object that has none below it.
    pub fn delete(&mut self, dn: &str) -> Result<(), WriteError> {
        done(
            self.ready()
                .map_err(unready)
                .and_then(|open| open.delete(dn)),
        )
    }

    /// Which of these attributes the schema has.
    pub fn schema(&mut self, attributes: &BTreeSet<String>) -> Result<SchemaProbe, ConnectorError> {
        probe::schema(self, attributes)
    }

    /// Whether the account may write `attribute` of the object with this `objectGUID`, asked without a write.
    pub fn permission(
        &mut self,
        object: &Anchor,
        attribute: &str,
    ) -> Result<Permission, ConnectorError> {
        probe::permission(self, object, attribute)
    }

    /// Reads the rest of an attribute that came in part, because it has more values than one answer holds.
    pub fn complete(&mut self, entry: &mut Entry, attribute: &str) -> Result<(), ConnectorError> {
        finish_range(self, entry, attribute)
    }

    /// Who we are there.
    pub fn account(&mut self) -> Result<Account, ConnectorError> {
        probe::account(self)
    }
}

impl From<Modification> for Mod<Value> {
    fn from(change: Modification) -> Self {
        let set = |values: Vec<Value>| values.into_iter().collect();
        match change {
            Modification::Add(name, values) => Self::Add(name.into_bytes(), set(values)),
            Modification::Delete(name, values) => Self::Delete(name.into_bytes(), set(values)),
            Modification::Replace(name, values) => Self::Replace(name.into_bytes(), set(values)),
        }
    }
}

fn unready(error: ConnectorError) -> LdapError {
    std::io::Error::other(error.to_string()).into()
}

fn done(answer: Result<LdapResult, LdapError>) -> Result<(), WriteError> {
    answer
        .and_then(LdapResult::success)
        .map(drop)
        .map_err(classified)
}
