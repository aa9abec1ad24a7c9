//! The acceptor's half of establishing a context: from an authenticator to an AP-REP and the context (RFC 4121 4.1,
//! RFC 4120 3.2.4).
//!
//! Deliberately absent: whether ticket and authenticator are to be believed, which the service judges before; DCE
//! style with its third leg; contexts with RC4 keys.

use types::Entropy;

use super::{GssChecksum, GssError, GssFlags, PerMessage, Role};
use crate::crypto::{ChecksumType, Key};
use crate::messages::{
    ApOptions, ApRep, ApReq, Authenticator, Der as _, EncApRepPart, EncryptionKey,
};

/// A context that the acceptor has established.
#[derive(Debug)]
pub struct Accepted {
    /// What the initiator asked for; nothing where it sent no GSS checksum.
    pub flags: GssFlags,
    /// The initiator's channel bindings; zeros where it has none.
    pub channel_bindings: [u8; 16],
    /// The AP-REP, DER without a frame, where mutual authentication was asked for.
    pub reply: Option<Vec<u8>>,
    /// The context.
    pub context: PerMessage,
}

impl Accepted {
    /// Takes the initiator's word, with the authenticator that the session key opened.
    ///
    /// Where mutual authentication is asked for, the acceptor brings a subkey of its own. Without it the context has
    /// the initiator's subkey or the session key, and both sides count from the initiator's number.
    pub fn new(
        request: &ApReq,
        authenticator: &Authenticator,
        session_key: &Key,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, GssError> {
        let invalid = |why| GssError::Invalid {
            what: "authenticator",
            why,
        };
        let said = match &authenticator.cksum {
            None => GssChecksum::default(),
            Some(checksum) if checksum.cksumtype == ChecksumType::GSS => {
                GssChecksum::decode(&checksum.checksum)?
            }
            Some(_) => return Err(invalid("its checksum is none of GSS-API")),
        };
        if said.flags.contains(GssFlags::DCE_STYLE) {
            return Err(invalid("DCE style is not supported"));
        }
        let own_key = match &authenticator.subkey {
            Some(subkey) => Some(subkey.to_key(None)?),
            None => None,
        };
        // Clients disagree about the sign of the upper half.
        let theirs = u64::try_from(authenticator.seq_number.unwrap_or_default() & 0xFFFF_FFFF)
            .unwrap_or_default();
        let base = own_key.as_ref().unwrap_or(session_key);
        let is_mutual = said.flags.contains(GssFlags::MUTUAL)
            || request.ap_options.contains(ApOptions::MUTUAL_REQUIRED);
        let (reply, context) = if is_mutual {
            let key = Key::generate(base.etype(), entropy)?;
            let mut number = [0; 4];
            entropy.fill(&mut number);
            let ours = u32::from_be_bytes(number) & 0x3FFF_FFFF;
            let part = EncApRepPart {
                ctime: authenticator.ctime,
                cusec: authenticator.cusec,
                subkey: Some(EncryptionKey::from_key(&key)),
                seq_number: Some(i64::from(ours)),
            };
            let unsealed = |_| invalid("no answer can be made to it");
            let reply = ApRep::seal(&part, session_key, entropy).map_err(unsealed)?;
            let reply = reply
                .to_der()
                .map_err(|_| invalid("no answer can be made to it"))?;
            let context = PerMessage::new(Role::Acceptor, key, true, ours.into(), theirs);
            (Some(reply), context)
        } else {
            let key = own_key.unwrap_or_else(|| session_key.duplicate());
            let context = PerMessage::new(Role::Acceptor, key, false, theirs, theirs);
            (None, context)
        };
        Ok(Self {
            flags: said.flags,
            channel_bindings: said.channel_bindings,
            reply,
            context,
        })
    }
}
