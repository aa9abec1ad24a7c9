//! The first tokens of a context: InitialContextToken (RFC 2743 3.1) around a Kerberos message (RFC 4121 4.1).

use super::GssError;
use crate::der::{self, Reader};

/// The application tag of InitialContextToken.
pub(super) const INITIAL_CONTEXT_TOKEN: u8 = 0x60;

/// A mechanism, by the content bytes of its OID.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Mech(Vec<u8>);

impl Mech {
    /// Kerberos, 1.2.840.113554.1.2.2.
    pub fn kerberos() -> Self {
        Self(vec![0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02])
    }

    /// Kerberos by the number that Windows offers first, 1.2.840.48018.1.2.2: a bit was lost once.
    pub fn kerberos_of_windows() -> Self {
        Self(vec![0x2A, 0x86, 0x48, 0x82, 0xF7, 0x12, 0x01, 0x02, 0x02])
    }

    /// Kerberos user-to-user, 1.2.840.113554.1.2.2.3.
    pub fn kerberos_user_to_user() -> Self {
        Self(vec![
            0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02, 0x03,
        ])
    }

    /// SPNEGO, 1.3.6.1.5.5.2.
    pub fn spnego() -> Self {
        Self(vec![0x2B, 0x06, 0x01, 0x05, 0x05, 0x02])
    }

    /// NTLM, 1.3.6.1.4.1.311.2.2.10.
    pub fn ntlm() -> Self {
        Self(vec![
            0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0A,
        ])
    }

    /// Any mechanism.
    pub fn from_oid(content: &[u8]) -> Self {
        Self(content.to_vec())
    }

    /// The content bytes of the OID.
    pub fn oid(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is Kerberos under either number.
    pub fn is_kerberos(&self) -> bool {
        *self == Self::kerberos() || *self == Self::kerberos_of_windows()
    }
}

impl std::fmt::Debug for Mech {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = [
            (Self::kerberos(), "Kerberos"),
            (Self::kerberos_of_windows(), "Kerberos (Windows)"),
            (Self::kerberos_user_to_user(), "Kerberos user-to-user"),
            (Self::spnego(), "SPNEGO"),
            (Self::ntlm(), "NTLM"),
        ];
        match known.iter().find(|(mech, _)| mech == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "OID {:02x?}", self.0),
        }
    }
}

types::open_enum! {
    /// TOK_ID of the context establishment tokens, RFC 4121 4.1.
    pub struct TokenKind(u16) { AP_REQ = 0x0100, AP_REP = 0x0200, KRB_ERROR = 0x0300 }
}

/// A Kerberos message in its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MechToken {
    /// The mechanism of the frame.
    pub mech: Mech,
    /// Which message.
    pub kind: TokenKind,
    /// The message, DER.
    pub message: Vec<u8>,
}

impl MechToken {
    /// Reads a framed message, or a bare AP-REQ or AP-REP, as Windows sends and accepts them in DCE style.
    pub fn decode(bytes: &[u8]) -> Result<Self, GssError> {
        let bare = |kind| Self {
            mech: Mech::kerberos(),
            kind,
            message: bytes.to_vec(),
        };
        match bytes.first() {
            Some(0x6E) => return Ok(bare(TokenKind::AP_REQ)),
            Some(0x6F) => return Ok(bare(TokenKind::AP_REP)),
            _ => {}
        }
        let mut outer = Reader::new("GSS token", bytes);
        let mut token = outer.enter(INITIAL_CONTEXT_TOKEN)?;
        outer.end()?;
        let mech = Mech(token.expect(der::OID)?.content.to_vec());
        let Some((kind, message)) = token.rest().split_first_chunk::<2>() else {
            return Err(token.invalid("no token id").into());
        };
        Ok(Self {
            mech,
            kind: TokenKind(u16::from_be_bytes(*kind)),
            message: message.to_vec(),
        })
    }

    /// The framed form.
    pub fn encode(&self) -> Vec<u8> {
        der::tlv(
            INITIAL_CONTEXT_TOKEN,
            &[
                &der::tlv(der::OID, &[&self.mech.0]),
                &self.kind.0.to_be_bytes(),
                &self.message,
            ],
        )
    }
}
