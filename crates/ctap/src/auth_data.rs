//! Authenticator data (WebAuthn level 3, section 6.1), as far as the platform needs it.
//!
//! Deliberately absent: the meaning of COSE keys and certificates. Those belong to the relying party.

use ciborium::Value;

use crate::cbor::{self, Fields};
use crate::error::Malformed;

const WHAT: &str = "authenticator data";

/// Flag: the user was present.
pub const USER_PRESENT: u8 = 0x01;
/// Flag: the user was verified, by PIN or otherwise.
pub const USER_VERIFIED: u8 = 0x04;
/// Flag: a credential is attached.
pub const ATTESTED: u8 = 0x40;
/// Flag: extension outputs are attached.
pub const EXTENSIONS: u8 = 0x80;

/// Authenticator data taken apart; `raw` is what was signed.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthData {
    /// The bytes as they came.
    pub raw: Vec<u8>,
    /// SHA-256 of the relying party's id.
    pub rp_id_hash: [u8; 32],
    /// The flags byte.
    pub flags: u8,
    /// The signature counter.
    pub counter: u32,
    /// The new credential, at registration only.
    pub credential: Option<AttestedCredential>,
    extensions: Value,
}

/// A credential as it is announced at registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedCredential {
    /// The key's model.
    pub aaguid: [u8; 16],
    /// The credential id.
    pub id: Vec<u8>,
    /// The public key as a COSE key, still encoded.
    pub public_key: Vec<u8>,
}

impl AuthData {
    /// Reads authenticator data that fills `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { bytes, offset: 0 };
        let rp_id_hash = reader.array::<32>()?;
        let [flags] = reader.array::<1>()?;
        let counter = u32::from_be_bytes(reader.array()?);
        let credential = match flags & ATTESTED != 0 {
            true => Some(reader.credential()?),
            false => None,
        };
        let extensions = match flags & EXTENSIONS != 0 {
            true => reader.cbor()?.0,
            false => Value::Map(Vec::new()),
        };
        if reader.offset != bytes.len() {
            return Err(Malformed::Trailing {
                what: WHAT,
                offset: reader.offset,
            });
        }
        if !extensions.is_map() {
            return Err(Malformed::Form {
                what: "the extension output",
                wanted: "a map",
            });
        }
        let raw = bytes.to_vec();
        Ok(Self {
            raw,
            rp_id_hash,
            flags,
            counter,
            credential,
            extensions,
        })
    }

    /// Whether the key vouches for the user, not just for a touch.
    pub fn is_user_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    /// Whether the key vouches for a touch.
    pub fn is_user_present(&self) -> bool {
        self.flags & USER_PRESENT != 0
    }

    /// Whether the key says that the new credential can do hmac-secret.
    pub fn has_hmac_secret(&self) -> Result<bool, Malformed> {
        Ok(self
            .extension_fields()?
            .flag("hmac-secret")?
            .unwrap_or(false))
    }

    /// The encrypted hmac-secret outputs of an assertion.
    pub fn hmac_secret_output(&self) -> Result<Option<Vec<u8>>, Malformed> {
        self.extension_fields()?.bytes("hmac-secret")
    }

    /// The encrypted outputs that came with a registration (hmac-secret-mc).
    pub fn hmac_secret_mc_output(&self) -> Result<Option<Vec<u8>>, Malformed> {
        self.extension_fields()?.bytes("hmac-secret-mc")
    }

    /// The protection level that the key gave the new credential.
    pub fn cred_protect(&self) -> Result<Option<u32>, Malformed> {
        self.extension_fields()?.number("credProtect")
    }

    fn extension_fields(&self) -> Result<Fields, Malformed> {
        Fields::of(self.extensions.clone(), "the extension output")
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    fn take(&mut self, need: usize) -> Result<&'a [u8], Malformed> {
        let rest = self.rest();
        let (head, _) = rest.split_at_checked(need).ok_or(Malformed::Truncated {
            what: WHAT,
            offset: self.offset,
            need,
            have: rest.len(),
        })?;
        self.offset += need;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        // INVARIANT: `take(N)` gives exactly N bytes.
        self.take(N)?.try_into().map_err(|_| Malformed::Form {
            what: WHAT,
            wanted: "whole",
        })
    }

    fn credential(&mut self) -> Result<AttestedCredential, Malformed> {
        let aaguid = self.array()?;
        let length = u16::from_be_bytes(self.array()?);
        let id = self.take(usize::from(length))?.to_vec();
        let (_, public_key) = self.cbor()?;
        Ok(AttestedCredential {
            aaguid,
            id,
            public_key: public_key.to_vec(),
        })
    }

    fn cbor(&mut self) -> Result<(Value, &'a [u8]), Malformed> {
        let (value, length) = cbor::decode_prefix(self.rest(), WHAT)?;
        Ok((value, self.take(length)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(flags: u8) -> Vec<u8> {
        let mut bytes = vec![7; 32];
        bytes.extend([flags, 0, 0, 0, 9]);
        if flags & ATTESTED != 0 {
            bytes.extend([5; 16]);
            bytes.extend([0, 2, 0xAA, 0xBB]);
            bytes.extend([0xA1, 0x01, 0x02]);
        }
        if flags & EXTENSIONS != 0 {
            bytes.extend(b"\xA2\x6Bhmac-secret\xF5\x6BcredProtect\x02");
        }
        bytes
    }

    #[test]
    fn each_part_is_read() {
        let data = AuthData::decode(&sample(0xC5)).unwrap();
        let credential = data.credential.clone().unwrap();
        assert_eq!(
            (credential.id, credential.public_key),
            (vec![0xAA, 0xBB], vec![0xA1, 1, 2])
        );
        assert_eq!((data.counter, data.is_user_verified()), (9, true));
        assert_eq!(data.has_hmac_secret(), Ok(true));
        assert_eq!(data.cred_protect(), Ok(Some(2)));
        assert!(
            AuthData::decode(&sample(0x01))
                .unwrap()
                .credential
                .is_none()
        );
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = sample(0xC5);
        for length in 0..whole.len() {
            assert!(AuthData::decode(&whole[..length]).is_err(), "{length}");
        }
        let longer = [whole, vec![0]].concat();
        assert!(matches!(
            AuthData::decode(&longer),
            Err(Malformed::Trailing { .. })
        ));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(data) = AuthData::decode(&bytes) {
                prop_assert_eq!(data.raw, bytes);
            }
        }
    }
}
