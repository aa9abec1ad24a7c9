//! Freshness tokens, RFC 8070: a client shows that it holds its private key now.
//!
//! The form is that of Windows and Samba: two zero bytes, then a time that the KDC encrypted for itself. Clients give
//! the token back as it came.

use types::{Entropy, Timestamp};

use crate::crypto::{Key, KeyUsage};
use crate::messages::{Der, EncryptedData, Kvno, PaEncTsEnc};
use crate::ticket::{self, SealError};

/// A token for the content of PA-AS-FRESHNESS.
pub fn freshness_token(
    now: Timestamp,
    krbtgt: &Key,
    kvno: Kvno,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let time = PaEncTsEnc {
        patimestamp: now.into(),
        pausec: Some(0),
    };
    let usage = KeyUsage::PA_AS_FRESHNESS;
    let sealed = ticket::seal(&time, krbtgt, Some(kvno), usage, entropy)?;
    Ok([&[0, 0], sealed.to_der()?.as_slice()].concat())
}

/// The key version that a token names, to find its key by. `None` where it is no token of this form.
pub fn freshness_key_version(token: &[u8]) -> Option<Kvno> {
    EncryptedData::from_der(token.strip_prefix(&[0, 0])?)
        .ok()?
        .key_version()
}

/// When the token was made. `None` where it is no token of this form.
pub fn freshness_time(token: &[u8], krbtgt: &Key) -> Option<Timestamp> {
    let sealed = EncryptedData::from_der(token.strip_prefix(&[0, 0])?).ok()?;
    let time: PaEncTsEnc = ticket::open(&sealed, krbtgt, KeyUsage::PA_AS_FRESHNESS).ok()?;
    Some(time.patimestamp.timestamp())
}
