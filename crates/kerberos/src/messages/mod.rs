//! Messages of RFC 4120 with the extensions of MS-KILE, MS-SFU, RFC 6113 and RFC 6806, as DER.
//!
//! Structs carry the field names of the specification. Numbers are open: unknown types survive. A `kvno` is 64
//! bits wide here, because a read-only domain controller's is a negative number on the wire; [`Kvno`] takes it
//! apart. Names and texts keep the bytes that came. The body of a KDC request is kept raw beside its decoded form,
//! because checksums cover it as it was sent.
//!
//! Decoders never panic, take at most [`MESSAGE_BYTES_MAX`] bytes and stop at deep nesting.
//!
//! Deliberately absent: what any of it means. That is the KDC's and the client's work.

mod ap;
mod basic;
mod error;
mod fast;
mod flags;
mod kdc;
mod numbers;
mod padata;
mod proxy;
mod secret_parts;
mod text;
mod time;

pub use ap::{
    ApRep, ApReq, Authenticator, ChangePasswdData, EncApRepPart, EncKrbPrivPart, KrbCred, KrbPriv,
    KrbSafe, KrbSafeBody,
};
pub use basic::{
    AuthorizationData, Checksum, EncryptedData, EncryptionKey, HostAddress, Kvno, PaData,
    PrincipalName, Realm, SecretBytes,
};
pub use error::{KrbError, TypedData};
pub use fast::{
    KrbFastArmor, KrbFastArmoredRep, KrbFastArmoredReq, KrbFastFinished, KrbFastReq,
    KrbFastResponse, PaFxFastReply, PaFxFastRequest,
};
pub use flags::{
    ApOptions, KdcOptions, PacOptions, S4uOptions, SupportedEncryptionTypes, TicketFlags,
};
pub use kdc::{KdcReply, KdcReqBody, KdcRequest, RequestKind, Ticket};
pub use numbers::{AdType, ErrorCode, MessageType, NameType, PaType};
pub use padata::{
    EtypeInfo2Entry, KerbKeyListRep, KerbKeyListReq, PaEncTsEnc, PaForUser, PaPacOptions,
    PaPacRequest, PaS4uX509User, S4uUserId,
};
pub use proxy::KdcProxyMessage;
pub use secret_parts::{
    EncKdcRepPart, EncKrbCredPart, EncTicketPart, KrbCredInfo, LastReqEntry, TransitedEncoding,
};
pub use text::KerberosString;
pub use time::KerberosTime;

/// The longest message that is read; Windows stops at the same size.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The bytes are not the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Nobody sends messages of this size.
    #[error("{what} of {have} bytes; the limit is {max}")]
    TooLarge {
        /// The message.
        what: &'static str,
        /// Its size.
        have: usize,
        /// The limit.
        max: usize,
    },
    /// Not the DER of this message.
    #[error("invalid {what}: {why}")]
    Der {
        /// The message.
        what: &'static str,
        /// What the decoder met.
        why: String,
    },
    /// A field has a value that the message cannot have.
    #[error("invalid {what}: {field} is {have}")]
    Field {
        /// The message.
        what: &'static str,
        /// The field's name.
        field: &'static str,
        /// Its value.
        have: i64,
    },
}

/// Everything in this module that stands on the wire by itself.
pub trait Der: Sized {
    /// Reads a value that fills `bytes` exactly.
    fn from_der(bytes: &[u8]) -> Result<Self, Malformed>;

    /// The DER form.
    fn to_der(&self) -> Result<Vec<u8>, Malformed>;
}

impl<T: rasn::Decode + rasn::Encode> Der for T {
    fn from_der(bytes: &[u8]) -> Result<Self, Malformed> {
        let what = short_name::<T>();
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Malformed::TooLarge {
                what,
                have: bytes.len(),
                max: MESSAGE_BYTES_MAX,
            });
        }
        rasn::der::decode(bytes).map_err(|error| Malformed::Der {
            what,
            why: first_line(&error.to_string()),
        })
    }

    fn to_der(&self) -> Result<Vec<u8>, Malformed> {
        // Most messages fit, so that the buffer does not grow step by step.
        let buffer = Vec::with_capacity(2048);
        let mut encoder =
            rasn::ber::enc::Encoder::new_with_buffer(rasn::ber::enc::EncoderOptions::der(), buffer);
        match self.encode(&mut encoder) {
            Ok(()) => Ok(encoder.output()),
            Err(error) => Err(Malformed::Der {
                what: short_name::<T>(),
                why: first_line(&error.to_string()),
            }),
        }
    }
}

fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

/// A SEQUENCE with explicit tags, as every structure of RFC 4120 is.
macro_rules! sequence {
    ($(
        $(#[$meta:meta])*
        $name:ident $([$($tag:tt)+])? {
            $( $(#[$field_meta:meta])* $n:literal $field:ident [$($ty:tt)+] ),* $(,)?
        }
    )+) => {
        // The derived code calls methods of these traits.
        #[allow(unused_imports, reason = "needed where no other line of the module imports them")]
        use rasn::{AsnType as _, Decode as _, Decoder as _, Encode as _, Encoder as _, de::Error as _, enc::Error as _};
        $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, rasn::AsnType, rasn::Encode, rasn::Decode)]
        $(#[rasn($($tag)+)])?
        #[allow(missing_docs, reason = "the fields are named and explained in the specification")]
        pub struct $name {
            $( $(#[$field_meta])* #[rasn(tag(explicit($n)))] pub $field: $($ty)+, )*
        }
    )+ };
}
pub(crate) use sequence;
