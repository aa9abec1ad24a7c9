//! The values of a request that are passwords, and their only form.

use types::Secret;

use super::is_password;
use crate::access::PasswordWrite;
use crate::{AddRequest, Error, ModificationKind, ModifyRequest, Operation};

/// The values of a request that are passwords.
pub(super) struct Taken {
    pub(super) new: Secret<Vec<u8>>,
    pub(super) old: Option<Secret<Vec<u8>>>,
    pub(super) kind: PasswordWrite,
}

impl Taken {
    /// Takes them out of the request.
    pub(super) fn out_of(operation: &mut Operation) -> Result<Option<Self>, Error> {
        match operation {
            Operation::Add(request) => Self::out_of_add(request),
            Operation::Modify(request) => Self::out_of_modify(request),
            Operation::Delete(_) | Operation::Rename(_) => Ok(None),
        }
    }

    fn out_of_add(request: &mut AddRequest) -> Result<Option<Self>, Error> {
        let Some(at) = request
            .attributes
            .iter()
            .position(|(name, _)| is_password(name))
        else {
            return Ok(None);
        };
        let (_, values) = request.attributes.remove(at);
        if request.attributes.iter().any(|(name, _)| is_password(name)) {
            return Err(refused("exactly one password is wanted"));
        }
        Ok(Some(Self {
            new: single(values)?,
            old: None,
            kind: PasswordWrite::Reset,
        }))
    }

    fn out_of_modify(request: &mut ModifyRequest) -> Result<Option<Self>, Error> {
        let (passwords, rest): (Vec<_>, Vec<_>) = request
            .modifications
            .drain(..)
            .partition(|m| is_password(&m.attribute));
        request.modifications = rest;
        let mut steps = passwords.into_iter().map(|m| (m.kind, m.values));
        let (new, old) = match (steps.next(), steps.next(), steps.next()) {
            (None, ..) => return Ok(None),
            (Some((ModificationKind::Replace, values)), None, None) => (values, None),
            (Some((ModificationKind::Delete, old)), Some((ModificationKind::Add, new)), None)
            | (Some((ModificationKind::Add, new)), Some((ModificationKind::Delete, old)), None) => {
                (new, Some(old))
            }
            _ => {
                return Err(refused(
                    "write one replace, or a delete of the old and an add of the new one",
                ));
            }
        };
        let kind = match old {
            Some(_) => PasswordWrite::Change,
            None => PasswordWrite::Reset,
        };
        Ok(Some(Self {
            new: single(new)?,
            old: old.map(single).transpose()?,
            kind,
        }))
    }
}

fn refused(why: &str) -> Error {
    // ERROR_GEN_FAILURE leads AD's answer here.
    Error::unwilling(0x1F, why)
}

fn single(values: Vec<Vec<u8>>) -> Result<Secret<Vec<u8>>, Error> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(Secret::new(value)),
        _ => Err(refused("exactly one password is wanted")),
    }
}

/// UTF-16 units of the longest password, quotation marks included.
const LENGTH_MAX: usize = 256;

/// The password in UTF-8 from its quoted UTF-16LE form.
pub(super) fn unquoted(value: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
    let bad = || refused("a password is written as UTF-16LE between quotation marks");
    let (units, rest) = value.as_chunks::<2>();
    if !rest.is_empty() || units.len() > LENGTH_MAX {
        return Err(bad());
    }
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let quote = u16::from(b'"');
    match units.as_slice() {
        [first, inner @ .., last] if *first == quote && *last == quote && !inner.is_empty() => {
            let text = String::from_utf16(inner).map_err(|_| bad())?;
            Ok(Secret::new(text.into_bytes()))
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(password: &str) -> Vec<u8> {
        format!("\"{password}\"")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    }

    #[test]
    fn only_the_quoted_form_is_a_password() {
        assert_eq!(
            unquoted(&quoted("Pä55")).unwrap().expose(),
            "Pä55".as_bytes()
        );
        assert!(unquoted(b"\"plain\"").is_err());
        assert!(unquoted(&quoted("")).is_err());
        assert!(unquoted(&[0x22]).is_err());
    }
}
