//! The SASL security layer (RFC 4422 3.7): buffers with a length of four bytes before them, each a wrap token of
//! RFC 4121 4.2.6.2, in both directions.

use std::io;

use kerberos::gss::{PerMessage, Protection};
use types::Entropy;

/// A layer in effect.
#[derive(Debug)]
pub(in crate::serve) struct Layer {
    context: PerMessage,
    protection: Protection,
    /// Bytes that go into one buffer.
    send_max: usize,
    /// Longest buffer that is waited for.
    receive_max: usize,
    /// What arrived of a buffer that is not whole yet.
    arrived: Vec<u8>,
}

/// More than a token is longer than what it holds: header twice, confounder, checksum.
pub(super) const OVERHEAD: usize = 128;
/// Buffers of clients that do not say how much they take; libldap's limit is twice as much.
const SEND_USUAL: usize = 32 << 10;
/// A client that takes less than this would only make work.
pub(super) const SEND_MIN: usize = 1024;

impl Layer {
    /// `client_max` is the longest buffer that the client takes, where it said so.
    pub(super) fn new(
        context: PerMessage,
        protection: Protection,
        client_max: Option<usize>,
        receive_max: usize,
    ) -> Self {
        let room = client_max.map_or(SEND_USUAL, |max| max.saturating_sub(OVERHEAD));
        Self {
            context,
            protection,
            send_max: room.clamp(SEND_MIN - OVERHEAD, SEND_USUAL),
            receive_max,
            arrived: Vec::new(),
        }
    }

    /// Whether nobody on the way can read along.
    pub(in crate::serve) fn seals(&self) -> bool {
        self.protection == Protection::Confidentiality
    }

    /// Where bytes from the wire go; append only, then [`Layer::open`].
    pub(in crate::serve) fn input(&mut self) -> &mut Vec<u8> {
        &mut self.arrived
    }

    /// Whether a buffer has begun to arrive.
    pub(in crate::serve) fn is_amid(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Takes every whole buffer apart, and appends what it held to `plain`.
    pub(in crate::serve) fn open(&mut self, plain: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = self.arrived.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > self.receive_max {
                return Err(broken("a SASL buffer is too long"));
            }
            let Some((token, after)) = after.split_at_checked(length) else {
                break;
            };
            let (message, protection) = self
                .context
                .unwrap(token)
                .map_err(|error| broken(&error.to_string()))?;
            // Whoever agreed to seal is not heard in the clear.
            if self.protection == Protection::Confidentiality && protection != self.protection {
                return Err(broken("a SASL buffer is not sealed"));
            }
            plain.extend(message);
            rest = after;
        }
        let used = self.arrived.len() - rest.len();
        self.arrived.drain(..used);
        if self.arrived.is_empty() {
            self.arrived.shrink_to(KEPT_MAX);
        }
        Ok(())
    }

    /// Wraps `plain`, in as many buffers as it takes.
    pub(in crate::serve) fn close(
        &mut self,
        plain: &[u8],
        entropy: &mut dyn Entropy,
    ) -> io::Result<Vec<u8>> {
        let mut wire = Vec::with_capacity(plain.len() + plain.len() / 64 + OVERHEAD);
        for part in plain.chunks(self.send_max) {
            let token = self
                .context
                .wrap(self.protection, part, entropy)
                .map_err(|error| broken(&error.to_string()))?;
            let length = u32::try_from(token.len()).map_err(io::Error::other)?;
            wire.extend(length.to_be_bytes());
            wire.extend(token);
        }
        Ok(wire)
    }
}

/// An idle connection keeps no more than this.
const KEPT_MAX: usize = 64 << 10;

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}
