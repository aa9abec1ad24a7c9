//! Per-message tokens, RFC 4121 4.2: Wrap with and without confidentiality, and MIC.
//!
//! MIT's library reads and writes them in `conformance/tests/openldap_sasl.rs`; of the rotation that Windows uses
//! there is no outside judge yet.

use types::Entropy;

use super::GssError;
use crate::crypto::{Key, KeyUsage};

/// Which side of the context one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The client.
    Initiator,
    /// The service.
    Acceptor,
}

/// How a message was protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Signed, in the clear.
    Integrity,
    /// Encrypted.
    Confidentiality,
}

/// One side of an established context. Messages are taken in order, each once.
#[derive(Debug)]
pub struct PerMessage {
    role: Role,
    key: Key,
    /// The key is the acceptor's own subkey.
    is_acceptor_subkey: bool,
    send: u64,
    receive: u64,
}

const HEADER_BYTES: usize = 16;
const WRAP: [u8; 2] = [0x05, 0x04];
const MIC: [u8; 2] = [0x04, 0x04];
const SENT_BY_ACCEPTOR: u8 = 1;
const SEALED: u8 = 2;
const ACCEPTOR_SUBKEY: u8 = 4;

impl PerMessage {
    /// `send` and `receive` are the sequence numbers of the authenticators, ours and the other side's.
    pub fn new(role: Role, key: Key, is_acceptor_subkey: bool, send: u64, receive: u64) -> Self {
        Self {
            role,
            key,
            is_acceptor_subkey,
            send,
            receive,
        }
    }

    /// Wraps a message.
    pub fn wrap(
        &mut self,
        protection: Protection,
        plain: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, GssError> {
        let sealed = if protection == Protection::Confidentiality {
            SEALED
        } else {
            0
        };
        let header = self.next_header(WRAP, sealed, [0xFF, 0, 0, 0, 0]);
        let usage = seal_usage(self.role);
        match protection {
            Protection::Confidentiality => {
                let plain = zeroize::Zeroizing::new([plain, &header].concat());
                let body = self.key.encrypt(usage, &plain, entropy)?;
                Ok([&header[..], &body].concat())
            }
            Protection::Integrity => {
                // The checksum covers a header that says 0 where the token says how long the checksum is.
                let checksum = self.key.checksum(usage, &[plain, &header])?;
                let [high, low] = u16::try_from(checksum.len())
                    .unwrap_or_default()
                    .to_be_bytes();
                let mut header = header;
                header[4] = high;
                header[5] = low;
                Ok([&header[..], plain, &checksum].concat())
            }
        }
    }

    /// Unwraps the other side's next message.
    pub fn unwrap(&mut self, token: &[u8]) -> Result<(Vec<u8>, Protection), GssError> {
        let invalid = |why| GssError::Invalid {
            what: "wrap token",
            why,
        };
        let (header, body) = self.their_header(WRAP, "wrap token", token)?;
        let [_, _, flags, _, ec_high, ec_low, rrc_high, rrc_low, ..] = header;
        let extra = usize::from(u16::from_be_bytes([ec_high, ec_low]));
        let rotation = usize::from(u16::from_be_bytes([rrc_high, rrc_low]));
        let mut body = body.to_vec();
        if !body.is_empty() {
            let turns = rotation % body.len();
            body.rotate_left(turns);
        }
        let usage = seal_usage(self.other());
        let mut covered = header;
        covered[6] = 0;
        covered[7] = 0;
        let plain = if flags & SEALED != 0 {
            let mut plain = self.key.decrypt(usage, &body)?;
            let end = plain
                .len()
                .checked_sub(HEADER_BYTES)
                .ok_or(invalid("no header inside"))?;
            if plain.get(end..) != Some(&covered[..]) {
                return Err(invalid("the header inside is another one"));
            }
            let end = end
                .checked_sub(extra)
                .ok_or(invalid("more filler than content"))?;
            plain.truncate(end);
            std::mem::take(&mut *plain)
        } else {
            let end = body
                .len()
                .checked_sub(extra)
                .ok_or(invalid("the checksum is longer than the token"))?;
            let checksum = body.split_off(end);
            covered[4] = 0;
            covered[5] = 0;
            let kind = self.key.checksum_type();
            self.key
                .verify_checksum(usage, kind, &[&body, &covered], &checksum)?;
            body
        };
        self.receive = self.receive.wrapping_add(1);
        let protection = if flags & SEALED != 0 {
            Protection::Confidentiality
        } else {
            Protection::Integrity
        };
        Ok((plain, protection))
    }

    /// Signs a message that travels elsewhere.
    pub fn mic(&mut self, message: &[u8]) -> Result<Vec<u8>, GssError> {
        let header = self.next_header(MIC, 0, [0xFF; 5]);
        let checksum = self
            .key
            .checksum(sign_usage(self.role), &[message, &header])?;
        Ok([&header[..], &checksum].concat())
    }

    /// Checks the other side's signature.
    pub fn verify_mic(&mut self, message: &[u8], token: &[u8]) -> Result<(), GssError> {
        let (header, checksum) = self.their_header(MIC, "MIC token", token)?;
        let kind = self.key.checksum_type();
        let usage = sign_usage(self.other());
        self.key
            .verify_checksum(usage, kind, &[message, &header], checksum)?;
        self.receive = self.receive.wrapping_add(1);
        Ok(())
    }

    /// The key of the context.
    pub fn key(&self) -> &Key {
        &self.key
    }

    fn other(&self) -> Role {
        match self.role {
            Role::Initiator => Role::Acceptor,
            Role::Acceptor => Role::Initiator,
        }
    }

    fn next_header(&mut self, id: [u8; 2], sealed: u8, middle: [u8; 5]) -> [u8; HEADER_BYTES] {
        let mut flags = sealed;
        if self.role == Role::Acceptor {
            flags |= SENT_BY_ACCEPTOR;
        }
        if self.is_acceptor_subkey {
            flags |= ACCEPTOR_SUBKEY;
        }
        let [m0, m1, m2, m3, m4] = middle;
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.send.to_be_bytes();
        self.send = self.send.wrapping_add(1);
        let [i0, i1] = id;
        [
            i0, i1, flags, m0, m1, m2, m3, m4, s0, s1, s2, s3, s4, s5, s6, s7,
        ]
    }

    /// The header of a token that the other side may have sent now.
    fn their_header<'t>(
        &self,
        id: [u8; 2],
        what: &'static str,
        token: &'t [u8],
    ) -> Result<([u8; HEADER_BYTES], &'t [u8]), GssError> {
        let invalid = |why| GssError::Invalid { what, why };
        let (header, body) = token
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(invalid("truncated"))?;
        let [i0, i1, flags, filler, _, _, _, _, sequence @ ..] = *header;
        if [i0, i1] != id || filler != 0xFF {
            return Err(invalid("another kind of token"));
        }
        // A token of one's own that comes back would otherwise pass.
        let is_from_acceptor = flags & SENT_BY_ACCEPTOR != 0;
        if is_from_acceptor != (self.other() == Role::Acceptor) {
            return Err(invalid("sent by the same side"));
        }
        if (flags & ACCEPTOR_SUBKEY != 0) != self.is_acceptor_subkey {
            return Err(invalid("made with another key"));
        }
        let have = u64::from_be_bytes(sequence);
        if have != self.receive {
            return Err(GssError::Sequence {
                need: self.receive,
                have,
            });
        }
        Ok((*header, body))
    }
}

fn seal_usage(sender: Role) -> KeyUsage {
    match sender {
        Role::Initiator => KeyUsage::GSS_INITIATOR_SEAL,
        Role::Acceptor => KeyUsage::GSS_ACCEPTOR_SEAL,
    }
}

fn sign_usage(sender: Role) -> KeyUsage {
    match sender {
        Role::Initiator => KeyUsage::GSS_INITIATOR_SIGN,
        Role::Acceptor => KeyUsage::GSS_ACCEPTOR_SIGN,
    }
}
