//! COSE_Key (RFC 9052 7) as FIDO2 keys write it: EC2, RSA and OKP.

use std::borrow::Cow;

use ciborium::Value;
use types::open_enum;

use super::public_key::{EcCurve, EcPublicKey, PublicKey, RsaPublicKey};

open_enum! {
    /// COSE algorithm numbers (IANA, "COSE Algorithms").
    pub struct CoseAlgorithm(i64) {
        ES256 = -7,
        EDDSA = -8,
        ES384 = -35,
        ES512 = -36,
        RS256 = -257,
    }
}

/// A COSE_Key: its bytes, its algorithm, and the key where it is of a known kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoseKey {
    /// The CBOR as it stands in the authenticator data.
    pub raw: Vec<u8>,
    /// Label 3.
    pub algorithm: Option<CoseAlgorithm>,
    /// The key; `None` for kinds that are kept as bytes only.
    pub public_key: Option<PublicKey<'static>>,
}

impl CoseKey {
    /// Reads a COSE_Key that is the whole of `raw`.
    pub fn decode(raw: &[u8]) -> Option<Self> {
        let mut rest = raw;
        let value: Value = ciborium::from_reader(&mut rest).ok()?;
        rest.is_empty().then(|| Self::new(raw, &value))
    }

    pub(super) fn new(raw: &[u8], value: &Value) -> Self {
        Self {
            raw: raw.to_vec(),
            algorithm: label(value, 3).and_then(integer).map(CoseAlgorithm),
            public_key: public_key(value),
        }
    }
}

/// RFC 9053 7.1 (EC2, OKP) and RFC 8230 4 (RSA).
fn public_key(value: &Value) -> Option<PublicKey<'static>> {
    let bytes = |number: i64| label(value, number)?.as_bytes();
    match integer(label(value, 1)?)? {
        1 if integer(label(value, -1)?)? == 6 => {
            Some(PublicKey::Ed25519(Cow::Owned(bytes(-2)?.clone())))
        }
        2 => {
            let curve = match integer(label(value, -1)?)? {
                1 => EcCurve::P256,
                2 => EcCurve::P384,
                3 => EcCurve::P521,
                _ => return None,
            };
            let (x, y) = (bytes(-2)?, bytes(-3)?);
            let length = curve.coordinate_bytes();
            (x.len() == length && y.len() == length).then(|| {
                PublicKey::Ec(EcPublicKey {
                    curve,
                    x: Cow::Owned(x.clone()),
                    y: Cow::Owned(y.clone()),
                })
            })
        }
        3 => Some(PublicKey::Rsa(RsaPublicKey::owned(bytes(-1)?, bytes(-2)?))),
        _ => None,
    }
}

fn label(value: &Value, number: i64) -> Option<&Value> {
    let found = value
        .as_map()?
        .iter()
        .find(|(key, _)| integer(key) == Some(number))?;
    Some(&found.1)
}

fn integer(value: &Value) -> Option<i64> {
    i64::try_from(i128::from(value.as_integer()?)).ok()
}
