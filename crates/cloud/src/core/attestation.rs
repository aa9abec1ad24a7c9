//! The attestation object (WebAuthn Level 3, section 6.5.4), with every byte kept.
//!
//! The authenticator data must reach `keyMaterial` exactly as the key wrote it, and the elements of `x5c` as well,
//! even those that are no certificates: one maker puts 32 other bytes second. The verifier wants certificates alone,
//! so [`AttestationObject::for_verifier`] leaves the others out; no signature covers the list.
//!
//! Deliberately absent: any judgement. See [`super::ceremony`].

use ciborium::Value;
use x509_cert::der::Decode;

/// An attestation object, read and unjudged.
#[derive(Debug, Clone, PartialEq)]
pub struct AttestationObject {
    /// The format of the statement, such as `packed`.
    pub format: String,
    /// Authenticator data, raw.
    pub auth_data: Vec<u8>,
    /// The statement's certificates, raw, leaf first; empty when it has none.
    pub x5c: Vec<Vec<u8>>,
    statement: Vec<(Value, Value)>,
    raw: Vec<u8>,
}

/// The bytes are not an attestation object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedAttestation {
    /// Not one CBOR item, or nested too deep.
    #[error("the attestation object is not CBOR")]
    NotCbor,
    /// Something follows the item.
    #[error("{0} bytes after the attestation object")]
    TrailingBytes(usize),
    /// A member is absent, there twice, or of another type.
    #[error("the attestation object has no proper '{0}'")]
    Member(&'static str),
    /// More certificates than any chain has.
    #[error("the attestation statement has {0} certificates; at most 8 are read")]
    TooManyCertificates(usize),
}

impl AttestationObject {
    /// Reads an attestation object that fills `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MalformedAttestation> {
        let mut rest = bytes;
        let value: Value =
            ciborium::de::from_reader_with_recursion_limit(&mut rest, CBOR_DEPTH_MAX)
                .map_err(|_| MalformedAttestation::NotCbor)?;
        if !rest.is_empty() {
            return Err(MalformedAttestation::TrailingBytes(rest.len()));
        }
        let Value::Map(mut members) = value else {
            return Err(MalformedAttestation::Member("fmt"));
        };
        let Value::Text(format) = take(&mut members, "fmt")? else {
            return Err(MalformedAttestation::Member("fmt"));
        };
        let Value::Bytes(auth_data) = take(&mut members, "authData")? else {
            return Err(MalformedAttestation::Member("authData"));
        };
        let Value::Map(statement) = take(&mut members, "attStmt")? else {
            return Err(MalformedAttestation::Member("attStmt"));
        };
        let x5c = certificates(&statement)?;
        Ok(Self {
            format,
            auth_data,
            x5c,
            statement,
            raw: bytes.to_vec(),
        })
    }

    /// The object as a verifier wants it: the same bytes, unless `x5c` holds something that is no certificate.
    pub fn for_verifier(&self) -> Result<Vec<u8>, MalformedAttestation> {
        if self.x5c.iter().all(|item| is_certificate(item)) {
            return Ok(self.raw.clone());
        }
        let kept = self
            .x5c
            .iter()
            .filter(|item| is_certificate(item))
            .map(|item| Value::Bytes(item.clone()))
            .collect();
        let mut statement = self.statement.clone();
        statement.retain(|(key, _)| key.as_text() != Some("x5c"));
        statement.push((Value::Text("x5c".into()), Value::Array(kept)));
        let object = Value::Map(vec![
            (Value::Text("fmt".into()), Value::Text(self.format.clone())),
            (Value::Text("attStmt".into()), Value::Map(statement)),
            (
                Value::Text("authData".into()),
                Value::Bytes(self.auth_data.clone()),
            ),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&object, &mut bytes).map_err(|_| MalformedAttestation::NotCbor)?;
        Ok(bytes)
    }
}

/// Takes a member out; it must be there once.
fn take(
    members: &mut Vec<(Value, Value)>,
    name: &'static str,
) -> Result<Value, MalformedAttestation> {
    let mut found = None;
    let mut others = Vec::with_capacity(members.len());
    for (key, value) in members.drain(..) {
        if key.as_text() != Some(name) {
            others.push((key, value));
        } else if found.replace(value).is_some() {
            return Err(MalformedAttestation::Member(name));
        }
    }
    *members = others;
    found.ok_or(MalformedAttestation::Member(name))
}

fn certificates(statement: &[(Value, Value)]) -> Result<Vec<Vec<u8>>, MalformedAttestation> {
    let mut lists = statement
        .iter()
        .filter(|(key, _)| key.as_text() == Some("x5c"))
        .map(|(_, value)| value);
    let Some(list) = lists.next() else {
        return Ok(Vec::new());
    };
    let malformed = MalformedAttestation::Member("x5c");
    if lists.next().is_some() {
        return Err(malformed);
    }
    let items = list.as_array().ok_or(malformed.clone())?;
    if items.len() > CERTIFICATES_MAX {
        return Err(MalformedAttestation::TooManyCertificates(items.len()));
    }
    items
        .iter()
        .map(|item| item.as_bytes().cloned().ok_or(malformed.clone()))
        .collect()
}

pub(crate) fn is_certificate(bytes: &[u8]) -> bool {
    x509_cert::Certificate::from_der(bytes).is_ok()
}

const CBOR_DEPTH_MAX: usize = 16;
const CERTIFICATES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(statement: Vec<(Value, Value)>) -> Vec<u8> {
        let value = Value::Map(vec![
            (Value::Text("fmt".into()), Value::Text("packed".into())),
            (Value::Text("attStmt".into()), Value::Map(statement)),
            (Value::Text("authData".into()), Value::Bytes(vec![7; 40])),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&value, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn other_bytes_among_the_certificates_are_kept_but_not_verified() {
        let stray = vec![0xAA; 32];
        let bytes = object(vec![(
            Value::Text("x5c".into()),
            Value::Array(vec![Value::Bytes(stray.clone())]),
        )]);
        let read = AttestationObject::decode(&bytes).unwrap();
        assert_eq!(read.x5c, [stray]);
        let cleaned = AttestationObject::decode(&read.for_verifier().unwrap()).unwrap();
        assert!(cleaned.x5c.is_empty());
        assert_eq!(cleaned.auth_data, read.auth_data);
    }

    #[test]
    fn without_strays_the_bytes_stay() {
        let bytes = object(vec![]);
        assert_eq!(
            AttestationObject::decode(&bytes)
                .unwrap()
                .for_verifier()
                .unwrap(),
            bytes
        );
    }

    #[test]
    fn broken_objects_are_refused() {
        let check = |bytes: &[u8], expected| {
            assert_eq!(AttestationObject::decode(bytes).unwrap_err(), expected);
        };
        check(b"", MalformedAttestation::NotCbor);
        check(b"\xa0", MalformedAttestation::Member("fmt"));
        check(&[0x81; 400], MalformedAttestation::NotCbor);
        check(
            &[object(vec![]), vec![0]].concat(),
            MalformedAttestation::TrailingBytes(1),
        );
        let many = Value::Array(vec![Value::Bytes(vec![]); 9]);
        check(
            &object(vec![(Value::Text("x5c".into()), many)]),
            MalformedAttestation::TooManyCertificates(9),
        );
        let twice = (Value::Text("x5c".into()), Value::Array(vec![]));
        check(
            &object(vec![twice.clone(), twice]),
            MalformedAttestation::Member("x5c"),
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(object) = AttestationObject::decode(&bytes) {
                let _ = object.for_verifier();
            }
        }
    }
}
