//! Reading back and writing single values of one object, addressed by GUID.

use std::collections::{BTreeMap, HashSet};

use ldap3::{LdapError, LdapResult, Mod};

use super::connection::{Connection, told};
use super::entry::{kept, sent};
use super::import::finish_range;
use crate::connector::{Anchor, ConnectorError, Value, ValueWrite, WriteError, WriteErrorClass};

/// An object as it was read: its name, and of one attribute each raw value with what the engine keeps of it.
#[derive(Debug)]
pub(super) struct Seen {
    dn: String,
    pub(super) values: BTreeMap<Value, Value>,
}

/// The name that stays with an object wherever it is moved (MS-ADTS 3.1.1.3.1.2.4).
pub(super) fn by_guid(anchor: &Anchor) -> String {
    format!("<GUID={anchor}>")
}

/// Reads one attribute; `None` where the object is gone.
pub(super) fn look(
    connection: &mut Connection,
    anchor: &Anchor,
    attribute: &str,
) -> Result<Option<Seen>, ConnectorError> {
    // Without a second attribute, an object that has no value would look like one that may not be read.
    let Some(mut entry) = connection.object(&by_guid(anchor), &[attribute, "objectGUID"])? else {
        return Ok(None);
    };
    finish_range(connection, &mut entry, attribute)?;
    let values = entry
        .values(attribute)
        .iter()
        .map(|raw| (raw.clone(), kept(raw)))
        .collect();
    Ok(Some(Seen {
        dn: entry.dn,
        values,
    }))
}

/// Adds and deletes values in one operation, so that all happen or none.
pub(super) fn write(
    connection: &mut Connection,
    write: &ValueWrite,
    seen: Option<Seen>,
) -> Result<(), WriteError> {
    let seen = match seen {
        Some(seen) => seen,
        None => fresh(connection, write)?,
    };
    let mut mods = Vec::new();
    // A value is deleted by the exact text that the directory holds, whatever name is in it.
    let gone: HashSet<Value> = seen
        .values
        .iter()
        .filter(|(_, kept)| write.remove.contains(*kept))
        .map(|(raw, _)| raw.clone())
        .collect();
    let missing = write
        .remove
        .iter()
        .any(|value| !seen.values.values().any(|kept| kept == value));
    if missing {
        let message = "a value that was to be deleted is not there".to_owned();
        return Err(WriteError {
            class: WriteErrorClass::AlreadySo,
            code: Some(16),
            message,
        });
    }
    let attribute = write.attribute.clone().into_bytes();
    if !gone.is_empty() {
        mods.push(Mod::Delete(attribute.clone(), gone));
    }
    let new: HashSet<Value> = write
        .add
        .iter()
        .map(|value| sent(&write.attribute, value, &seen.dn))
        .collect();
    if !new.is_empty() {
        mods.push(Mod::Add(attribute, new));
    }
    if mods.is_empty() {
        return Ok(());
    }
    match connection
        .modify(&by_guid(&write.anchor), mods)
        .and_then(LdapResult::success)
    {
        Ok(_) => Ok(()),
        Err(error) => Err(classified(error)),
    }
}

fn fresh(connection: &mut Connection, write: &ValueWrite) -> Result<Seen, WriteError> {
    match look(connection, &write.anchor, &write.attribute) {
        Ok(Some(seen)) => Ok(seen),
        Ok(None) => {
            let message = "the object is gone".to_owned();
            Err(WriteError {
                class: WriteErrorClass::Gone,
                code: Some(32),
                message,
            })
        }
        Err(error) => Err(WriteError {
            class: WriteErrorClass::Retry,
            code: None,
            message: error.to_string(),
        }),
    }
}

pub(super) fn classified(error: LdapError) -> WriteError {
    let result = match error {
        LdapError::LdapResult { result } => result,
        other => {
            let message = other.to_string();
            return WriteError {
                class: WriteErrorClass::Retry,
                code: None,
                message,
            };
        }
    };
    WriteError {
        class: class(result.rc, &result.text),
        code: Some(result.rc),
        message: told(&result),
    }
}

/// What a result code means for a write of values. AD's texts begin with a Win32 code in hex.
fn class(code: u32, text: &str) -> WriteErrorClass {
    match code {
        // ERROR_INVALID_PARAMETER: the attribute's name could not be converted, so the schema does not have it.
        16 if text.starts_with("00000057") => WriteErrorClass::Schema,
        16 | 20 | 68 => WriteErrorClass::AlreadySo,
        17 | 65 => WriteErrorClass::Schema,
        32 => WriteErrorClass::Gone,
        50 => WriteErrorClass::Denied,
        3 | 51 | 52 => WriteErrorClass::Retry,
        _ => WriteErrorClass::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_codes_mean_something() {
        use WriteErrorClass as Class;
        let check = |code, text, expect| assert_eq!(class(code, text), expect, "{code} {text}");
        check(
            50,
            "00002098: SecErr: DSID-031514A0, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0",
            Class::Denied,
        );
        check(
            16,
            "00000057: LdapErr: DSID-0C090F20, comment: Error in attribute conversion",
            Class::Schema,
        );
        check(16, "00002085: AtrErr", Class::AlreadySo);
        check(20, "00002083: AtrErr", Class::AlreadySo);
        check(32, "0000208D: NameErr", Class::Gone);
        check(51, "", Class::Retry);
        check(68, "00002071: UpdErr", Class::AlreadySo);
        check(19, "000020B5", Class::Permanent);
        check(53, "", Class::Permanent);
    }
}
