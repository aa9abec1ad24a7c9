//! A JSON Web Key (RFC 7517) as key material: not in the specification, written by the cloud for phones and Macs.
//!
//! `x` and `y` are base64url without padding, `kid` is standard base64 of the sixteen bytes that are the KeyID.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::Value;

use super::MaterialError;
use super::public_key::{EcCurve, EcPublicKey, PublicKey, RsaPublicKey};

/// A decoded JSON Web Key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonWebKey {
    /// `EC` in every value seen.
    pub kty: String,
    /// `P-256` in every value seen.
    pub crv: Option<String>,
    /// The key's id, decoded.
    pub kid: Option<Vec<u8>>,
    x: Option<Vec<u8>>,
    y: Option<Vec<u8>>,
    n: Option<Vec<u8>>,
    e: Option<Vec<u8>>,
}

impl JsonWebKey {
    pub(super) fn from_json(json: Value) -> Result<Self, MaterialError> {
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let number = |name: &'static str| {
            text(name)
                .map(|text| BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()))
                .transpose()
                .map_err(|_| {
                    MaterialError::broken("JSON Web Key", format!("{name} is not base64url"))
                })
        };
        Ok(Self {
            kty: text("kty")
                .ok_or(MaterialError::broken("JSON Web Key", "kty is not a string"))?
                .to_owned(),
            crv: text("crv").map(str::to_owned),
            // RFC 7517 4.5 lets a kid be any string: keep one that is not base64 as its characters.
            kid: text("kid").map(|kid| {
                BASE64
                    .decode(kid.as_bytes())
                    .unwrap_or_else(|_| kid.as_bytes().to_vec())
            }),
            x: number("x")?,
            y: number("y")?,
            n: number("n")?,
            e: number("e")?,
        })
    }

    /// The key, where its kind is known and its numbers are there.
    pub fn public_key(&self) -> Option<PublicKey<'_>> {
        if self.kty == "RSA" {
            let (n, e) = (self.n.as_deref()?, self.e.as_deref()?);
            return Some(PublicKey::Rsa(RsaPublicKey::new(n, e)));
        }
        let curve = match (self.kty.as_str(), self.crv.as_deref()?) {
            ("EC", "P-256") => EcCurve::P256,
            ("EC", "P-384") => EcCurve::P384,
            ("EC", "P-521") => EcCurve::P521,
            _ => return None,
        };
        let (x, y) = (self.x.as_deref()?, self.y.as_deref()?);
        let length = curve.coordinate_bytes();
        (x.len() == length && y.len() == length).then_some(PublicKey::Ec(EcPublicKey {
            curve,
            x: Cow::Borrowed(x),
            y: Cow::Borrowed(y),
        }))
    }
}
