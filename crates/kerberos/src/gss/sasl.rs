//! The last exchange of SASL GSSAPI, RFC 4752 3.1 and 3.2: four bytes that choose the security layer.

use super::GssError;

/// The layers that are offered, or the one that is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslLayer {
    /// Bits: see the constants.
    pub layers: u8,
    /// The longest wrapped message that the sender takes, 24 bits; 0 where there is no layer.
    pub message_bytes_max: u32,
}

impl SaslLayer {
    /// No security layer.
    pub const NONE: u8 = 1;
    /// Integrity.
    pub const INTEGRITY: u8 = 2;
    /// Confidentiality.
    pub const CONFIDENTIALITY: u8 = 4;

    /// Reads the four bytes; an authorisation identity may follow them.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), GssError> {
        let Some((&[layers, a, b, c], identity)) = bytes.split_first_chunk::<4>() else {
            return Err(GssError::Invalid {
                what: "SASL security layer",
                why: "fewer than four bytes",
            });
        };
        let message_bytes_max = u32::from_be_bytes([0, a, b, c]);
        Ok((
            Self {
                layers,
                message_bytes_max,
            },
            identity,
        ))
    }

    /// The four bytes.
    pub fn encode(self) -> [u8; 4] {
        let [_, a, b, c] = self.message_bytes_max.min(0x00FF_FFFF).to_be_bytes();
        [self.layers, a, b, c]
    }
}
