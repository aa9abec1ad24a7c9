//! The small parts of every message, RFC 4120 5.2.

use std::fmt;

use rasn::types::{Constraints, Identifier, OctetString, Tag};
use rasn::{AsnType, Decode, Decoder, Encode, Encoder};
use zeroize::Zeroizing;

use super::{AdType, Der, KerberosString, Malformed, NameType, PaType, sequence};
use crate::crypto::{AllowRc4, ChecksumType, CryptoError, EncryptionType, Key, KeyUsage};

/// A realm's name.
pub type Realm = KerberosString;

sequence! {
    /// PrincipalName, RFC 4120 5.2.2.
    PrincipalName {
        0 name_type [NameType],
        1 name_string [Vec<KerberosString>],
    }

    /// HostAddress, RFC 4120 5.2.5.
    HostAddress {
        0 addr_type [i32],
        1 address [OctetString],
    }

    /// One element of AuthorizationData, RFC 4120 5.2.6.
    AuthorizationData {
        0 ad_type [AdType],
        1 ad_data [OctetString],
    }

    /// PA-DATA, RFC 4120 5.2.7: its tags begin at 1.
    PaData {
        1 padata_type [PaType],
        2 padata_value [OctetString],
    }

    /// EncryptedData, RFC 4120 5.2.9.
    EncryptedData {
        0 etype [EncryptionType],
        /// As it stands on the wire; read it by [`EncryptedData::key_version`].
        1 kvno [Option<i64>],
        2 cipher [OctetString],
    }

    /// EncryptionKey, RFC 4120 5.2.9.
    EncryptionKey {
        0 keytype [EncryptionType],
        1 keyvalue [SecretBytes],
    }

    /// Checksum, RFC 4120 5.2.9.
    Checksum {
        0 cksumtype [ChecksumType],
        1 checksum [OctetString],
    }
}

impl PrincipalName {
    /// A name of these parts.
    pub fn new<'a>(name_type: NameType, parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            name_type,
            name_string: parts.into_iter().map(KerberosString::from).collect(),
        }
    }

    /// The ticket-granting service of a realm.
    pub fn krbtgt(realm: &str) -> Self {
        Self::new(NameType::NT_SRV_INST, ["krbtgt", realm])
    }

    /// The parts as text; `None` if one is not UTF-8.
    pub fn parts(&self) -> Option<Vec<&str>> {
        self.name_string
            .iter()
            .map(KerberosString::as_str)
            .collect()
    }

    /// Whether the parts are the same; the name type is a hint and never tells two names apart (RFC 4120 6.2).
    pub fn is_same_name(&self, other: &Self) -> bool {
        self.name_string == other.name_string
    }
}

/// The parts joined by `/`.
impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.name_string.iter().enumerate() {
            if place > 0 {
                f.write_str("/")?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}

impl AuthorizationData {
    /// One element.
    pub fn new(ad_type: AdType, ad_data: impl Into<Vec<u8>>) -> Self {
        Self {
            ad_type,
            ad_data: OctetString::from(ad_data.into()),
        }
    }

    /// AD-IF-RELEVANT around other elements.
    pub fn if_relevant(inner: &Vec<Self>) -> Result<Self, Malformed> {
        Ok(Self::new(AdType::AD_IF_RELEVANT, inner.to_der()?))
    }

    /// The elements inside an AD-IF-RELEVANT; `None` where this is something else.
    pub fn inner(&self) -> Option<Result<Vec<Self>, Malformed>> {
        (self.ad_type == AdType::AD_IF_RELEVANT).then(|| Vec::from_der(&self.ad_data))
    }
}

impl PaData {
    /// One element.
    pub fn new(padata_type: PaType, padata_value: impl Into<Vec<u8>>) -> Self {
        Self {
            padata_type,
            padata_value: OctetString::from(padata_value.into()),
        }
    }

    /// The content of the first element of a type.
    pub fn find(padata: &[Self], wanted: PaType) -> Option<&[u8]> {
        padata
            .iter()
            .find(|element| element.padata_type == wanted)
            .map(|element| element.padata_value.as_ref())
    }
}

/// A key version as a domain controller writes it, MS-KILE 3.1.5.8: which read-only domain controller's krbtgt key,
/// and which version of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Kvno {
    /// `msDS-SecondaryKrbTgtNumber`; 0 for a key of the domain itself.
    pub rodc: u16,
    /// `msDS-KeyVersionNumber`, its low 16 bits.
    pub version: u16,
}

impl Kvno {
    /// A key of the domain itself.
    pub fn domain(version: u16) -> Self {
        Self { rodc: 0, version }
    }

    /// The signed 32-bit number of the wire.
    pub fn to_wire(self) -> i64 {
        let [a, b] = self.rodc.to_be_bytes();
        let [c, d] = self.version.to_be_bytes();
        i64::from(i32::from_be_bytes([a, b, c, d]))
    }

    /// Reads signed and unsigned 32-bit numbers; `None` for wider ones.
    pub fn from_wire(number: i64) -> Option<Self> {
        let bits = match u32::try_from(number) {
            Ok(bits) => bits.to_be_bytes(),
            Err(_) => i32::try_from(number).ok()?.to_be_bytes(),
        };
        let [a, b, c, d] = bits;
        Some(Self {
            rodc: u16::from_be_bytes([a, b]),
            version: u16::from_be_bytes([c, d]),
        })
    }
}

impl EncryptedData {
    /// Encrypts under a key.
    pub fn seal(
        key: &Key,
        kvno: Option<Kvno>,
        usage: KeyUsage,
        plain: &[u8],
        entropy: &mut dyn types::Entropy,
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            etype: key.etype(),
            kvno: kvno.map(Kvno::to_wire),
            cipher: OctetString::from(key.encrypt(usage, plain, entropy)?),
        })
    }

    /// Decrypts; the key's type must be the one that is named.
    pub fn open(&self, key: &Key, usage: KeyUsage) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        if self.etype != key.etype() {
            return Err(CryptoError::UnsupportedEncryptionType(self.etype));
        }
        key.decrypt(usage, &self.cipher)
    }

    /// The key version, taken apart.
    pub fn key_version(&self) -> Option<Kvno> {
        self.kvno.and_then(Kvno::from_wire)
    }
}

impl EncryptionKey {
    /// The wire form of a key.
    pub fn from_key(key: &Key) -> Self {
        Self {
            keytype: key.etype(),
            keyvalue: SecretBytes::new(key.value().expose().clone()),
        }
    }

    /// The key; RC4 only with consent.
    pub fn to_key(&self, rc4: Option<AllowRc4>) -> Result<Key, CryptoError> {
        match rc4 {
            Some(consent) => Key::with_rc4(self.keytype, self.keyvalue.expose(), consent),
            None => Key::new(self.keytype, self.keyvalue.expose()),
        }
    }
}

impl Checksum {
    /// A keyed checksum over the parts, in the key's own type.
    pub fn compute(key: &Key, usage: KeyUsage, parts: &[&[u8]]) -> Result<Self, CryptoError> {
        Ok(Self {
            cksumtype: key.checksum_type(),
            checksum: OctetString::from(key.checksum(usage, parts)?),
        })
    }

    /// Whether it is the keyed checksum of the parts.
    pub fn verify(&self, key: &Key, usage: KeyUsage, parts: &[&[u8]]) -> Result<(), CryptoError> {
        key.verify_checksum(usage, self.cksumtype, parts, &self.checksum)
    }
}

/// An OCTET STRING that must not leak: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Puts bytes into the box.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Looks inside.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

impl AsnType for SecretBytes {
    const TAG: Tag = Tag::OCTET_STRING;
}

impl Decode for SecretBytes {
    fn decode_with_tag_and_constraints<D: Decoder>(
        decoder: &mut D,
        tag: Tag,
        constraints: &Constraints,
    ) -> Result<Self, D::Error> {
        decoder
            .decode_octet_string::<Vec<u8>>(tag, constraints)
            .map(Self::new)
    }
}

impl Encode for SecretBytes {
    fn encode_with_tag_and_constraints<'b, E: Encoder<'b>>(
        &self,
        encoder: &mut E,
        tag: Tag,
        constraints: &Constraints,
        identifier: Identifier,
    ) -> Result<(), E::Error> {
        encoder
            .encode_octet_string(tag, constraints, &self.0, identifier)
            .map(drop)
    }
}
