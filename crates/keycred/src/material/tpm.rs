//! PCP_KEY_BLOB_WIN8 ("PCPM"), Windows' wrapping of a TPM 2.0 key, and the TPM2B_PUBLIC in it
//! (TPM 2.0 Library, part 2, 12.2.5).
//!
//! The header is little-endian and 0x38 bytes long; the TPM's structures are big-endian. The private area that
//! follows is encrypted for that TPM and is not looked at. A vector with another header length, a public area of
//! length 0 and a little-endian TPM2B size circulates in a test-suite: it is refused here.

use std::borrow::Cow;

use super::MaterialError;
use super::bcrypt::words;
use super::public_key::{EcCurve, EcPublicKey, PublicKey, RsaPublicKey};

/// A key in a TPM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmKey<'a> {
    /// The public key.
    pub public: PublicKey<'a>,
    /// TPMA_OBJECT of the key.
    pub attributes: u32,
    /// TPM_ALG_ID of the name algorithm.
    pub name_algorithm: u16,
}

/// Length of PCP_KEY_BLOB_WIN8: thirteen words, an algorithm, two bytes of padding.
const HEADER_BYTES: usize = 0x38;
const TPM_2_0: usize = 2;
const ALG_RSA: u16 = 0x0001;
const ALG_ECC: u16 = 0x0023;
const ALG_NULL: u16 = 0x0010;
const ALG_ECDAA: u16 = 0x001A;
/// TPM2_RSA: an exponent of 0 stands for this one.
const DEFAULT_EXPONENT: [u8; 3] = [1, 0, 1];

impl<'a> TpmKey<'a> {
    /// Reads the header and the public area.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, MaterialError> {
        let broken = |what: &str| MaterialError::broken("TPM (PCP)", what);
        let ([_, header, version, _, public, private], _) =
            words(bytes).ok_or(broken("shorter than its header"))?;
        if header != HEADER_BYTES {
            return Err(broken("header length is not 0x38"));
        }
        if version != TPM_2_0 {
            return Err(broken("not a key of a TPM 2.0"));
        }
        let areas = bytes.get(header..).ok_or(broken("truncated header"))?;
        if public.saturating_add(private) > areas.len() {
            return Err(broken("truncated areas"));
        }
        let area = areas.get(..public).ok_or(broken("truncated public area"))?;
        Self::public_area(area).ok_or(broken("not a TPM2B_PUBLIC of an RSA or ECC key"))
    }

    fn public_area(area: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(area);
        let mut reader = Reader(reader.sized()?);
        let kind = reader.u16()?;
        let name_algorithm = reader.u16()?;
        let attributes = reader.u32()?;
        reader.sized()?; // authPolicy
        let public = match kind {
            ALG_RSA => PublicKey::Rsa(reader.rsa()?),
            ALG_ECC => PublicKey::Ec(reader.ecc()?),
            _ => return None,
        };
        reader.0.is_empty().then_some(Self {
            public,
            attributes,
            name_algorithm,
        })
    }
}

/// Big-endian fields from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    /// A TPM2B: length and bytes.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u16()?);
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    /// TPMT_SYM_DEF_OBJECT and the asymmetric scheme, which both may be absent.
    fn skip_algorithms(&mut self) -> Option<()> {
        if self.u16()? != ALG_NULL {
            self.u32()?; // key bits and mode
        }
        self.skip_scheme()
    }

    fn skip_scheme(&mut self) -> Option<()> {
        match self.u16()? {
            ALG_NULL => Some(()),
            ALG_ECDAA => self.u32().map(drop), // hash and count
            _ => self.u16().map(drop),         // hash
        }
    }

    fn rsa(&mut self) -> Option<RsaPublicKey<'a>> {
        self.skip_algorithms()?;
        let bits = usize::from(self.u16()?);
        let exponent = self.u32()?;
        let modulus = self.sized()?;
        let mut key = RsaPublicKey::new(modulus, &[]);
        key.exponent = match exponent {
            0 => Cow::Owned(DEFAULT_EXPONENT.to_vec()),
            number => RsaPublicKey::owned(&[], &number.to_be_bytes()).exponent,
        };
        (key.bits() <= bits).then_some(key)
    }

    fn ecc(&mut self) -> Option<EcPublicKey<'a>> {
        self.skip_algorithms()?;
        let curve = match self.u16()? {
            3 => EcCurve::P256,
            4 => EcCurve::P384,
            5 => EcCurve::P521,
            _ => return None,
        };
        self.skip_scheme()?; // key derivation
        let (x, y) = (self.sized()?, self.sized()?);
        let fits = x.len().max(y.len()) <= curve.coordinate_bytes();
        fits.then(|| EcPublicKey {
            curve,
            x: padded(x, curve),
            y: padded(y, curve),
        })
    }
}

/// A TPM may leave leading zeros out.
fn padded(number: &[u8], curve: EcCurve) -> Cow<'_, [u8]> {
    match curve.coordinate_bytes().checked_sub(number.len()) {
        None | Some(0) => Cow::Borrowed(number),
        Some(missing) => Cow::Owned([&vec![0; missing], number].concat()),
    }
}
