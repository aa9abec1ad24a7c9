//! Passwords: the only form in which AD takes them, and what is kept of them.
//!
//! A client writes `unicodePwd` as UTF-16LE between quotation marks over an encrypted connection (MS-ADTS
//! 3.1.1.3.1.5.1). Only a PBKDF2-HMAC-SHA256 verifier is kept; Kerberos keys come with the KDC.

use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use types::Secret;

use crate::access::PasswordWrite;
use crate::{Error, ModificationKind, Operation, Session};

pub(crate) const SALT_LENGTH: usize = 16;
const HASH_LENGTH: usize = 32;
const VERSION: u8 = 1;
const LENGTH_MAX: usize = 256;

/// A password on its way into the store.
#[derive(Debug)]
pub(crate) struct NewPassword {
    pub(crate) verifier: Vec<u8>,
    pub(crate) kind: PasswordWrite,
    /// The old one, which a change must know.
    pub(crate) old: Option<Secret<Vec<u8>>>,
}

pub(crate) fn is_password(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case("unicodePwd") || attribute == "1.2.840.113556.1.4.90"
}

/// Takes the password out of a request, hashed.
pub(crate) fn take(
    operation: &mut Operation,
    session: &Session,
    rounds: u32,
    salt: &[u8; SALT_LENGTH],
) -> Result<Option<NewPassword>, Error> {
    let (new, old, kind) = match operation {
        Operation::Add(request) => {
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
            (single(values)?, None, PasswordWrite::Reset)
        }
        Operation::Modify(request) => {
            let (passwords, rest): (Vec<_>, Vec<_>) = request
                .modifications
                .drain(..)
                .partition(|m| is_password(&m.attribute));
            request.modifications = rest;
            let mut steps = passwords.into_iter().map(|m| (m.kind, m.values));
            match (steps.next(), steps.next(), steps.next()) {
                (None, ..) => return Ok(None),
                (Some((ModificationKind::Replace, values)), None, None) => {
                    (single(values)?, None, PasswordWrite::Reset)
                }
                (
                    Some((ModificationKind::Delete, old)),
                    Some((ModificationKind::Add, new)),
                    None,
                )
                | (
                    Some((ModificationKind::Add, new)),
                    Some((ModificationKind::Delete, old)),
                    None,
                ) => (single(new)?, Some(single(old)?), PasswordWrite::Change),
                _ => {
                    return Err(refused(
                        "write one replace, or a delete of the old and an add of the new one",
                    ));
                }
            }
        }
        Operation::Delete(_) | Operation::Rename(_) => return Ok(None),
    };
    if !session.is_secure() && !session.is_system() {
        return Err(Error::ConfidentialityRequired {
            what: "writing a password",
        });
    }
    let old = old.map(|old| unquoted(old.expose())).transpose()?;
    let verifier = verifier(unquoted(new.expose())?.expose(), salt, rounds);
    Ok(Some(NewPassword {
        verifier,
        kind,
        old,
    }))
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

/// The password in UTF-8 from its quoted UTF-16LE form.
fn unquoted(value: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
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

/// `version 1 | rounds 4 | salt 16 | hash 32`
pub(crate) fn verifier(password: &[u8], salt: &[u8; SALT_LENGTH], rounds: u32) -> Vec<u8> {
    let mut hash = [0; HASH_LENGTH];
    pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut hash);
    let mut bytes = vec![VERSION];
    bytes.extend(rounds.to_le_bytes());
    bytes.extend(salt);
    bytes.extend(hash);
    bytes
}

/// Whether `password` is the one behind `stored`. Takes the same time for any password.
pub(crate) fn verify(stored: &[u8], password: &[u8]) -> bool {
    let parts = || {
        let ([VERSION], rest) = stored.split_first_chunk::<1>()? else {
            return None;
        };
        let (rounds, rest) = rest.split_first_chunk::<4>()?;
        let (salt, hash) = rest.split_first_chunk::<SALT_LENGTH>()?;
        Some((
            u32::from_le_bytes(*rounds),
            *salt,
            <[u8; HASH_LENGTH]>::try_from(hash).ok()?,
        ))
    };
    let Some((rounds, salt, hash)) = parts() else {
        return false;
    };
    let mut computed = [0; HASH_LENGTH];
    pbkdf2_hmac::<Sha256>(password, &salt, rounds, &mut computed);
    subtle::ConstantTimeEq::ct_eq(computed.as_slice(), hash.as_slice()).into()
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

    #[test]
    fn verifiers_verify() {
        let stored = verifier(b"secret", &[1; SALT_LENGTH], 10);
        assert!(verify(&stored, b"secret"));
        assert!(!verify(&stored, b"Secret"));
        assert!(!verify(&stored[..20], b"secret"));
    }
}
