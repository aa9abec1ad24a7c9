//! The buffers that are no NDR: PAC_CLIENT_INFO, UPN_DNS_INFO, PAC_REQUESTOR.

use types::{Sid, Timestamp};

use super::ndr::{utf16, utf16_bytes};
use super::{Buffer, BufferType, PacError};

/// PAC_CLIENT_INFO, MS-PAC 2.7: binds the PAC to the ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// The ticket's authtime.
    pub client_id: Timestamp,
    /// The ticket's cname.
    pub name: String,
}

impl ClientInfo {
    /// Reads the buffer.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacError> {
        let truncated = |need| PacError::Truncated {
            what: "PAC_CLIENT_INFO",
            offset: 0,
            need,
            have: bytes.len(),
        };
        let (time, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or_else(|| truncated(10))?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(|| truncated(10))?;
        let length = usize::from(u16::from_le_bytes(*length));
        let name = rest.get(..length).ok_or_else(|| truncated(10 + length))?;
        Ok(Self {
            client_id: Timestamp::from_ticks(i64::from_le_bytes(*time)),
            name: utf16(name),
        })
    }

    /// Writes the buffer.
    pub fn encode(&self) -> Vec<u8> {
        let name = utf16_bytes(&self.name);
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        let mut bytes = self.client_id.ticks().to_le_bytes().to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(name);
        bytes
    }
}

/// UPN_DNS_INFO, MS-PAC 2.10, with its extension by sAMAccountName and SID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpnDnsInfo {
    /// userPrincipalName, or one that was made up.
    pub upn: String,
    /// The domain's DNS name in capitals.
    pub dns_domain: String,
    /// Bit 0: the UPN was made up. Bit 1, the extension, is written where `sam` is there.
    pub flags: u32,
    /// sAMAccountName and objectSid.
    pub sam: Option<(String, Sid)>,
}

impl UpnDnsInfo {
    /// The account has no userPrincipalName.
    pub const UPN_MADE_UP: u32 = 1;
    const EXTENDED: u32 = 2;

    /// Reads the buffer.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacError> {
        let half = |place: usize| {
            let at = bytes.get(place..).and_then(|rest| rest.first_chunk::<2>());
            at.map(|pair| usize::from(u16::from_le_bytes(*pair)))
                .ok_or(Self::truncated(place, 2, bytes.len()))
        };
        // Length, then offset from the start of the buffer.
        let part = |place: usize| {
            let (length, offset) = (half(place)?, half(place + 2)?);
            bytes
                .get(offset..offset + length)
                .ok_or(Self::truncated(offset, length, bytes.len()))
        };
        let flags = bytes
            .get(8..)
            .and_then(|rest| rest.first_chunk::<4>())
            .map(|word| u32::from_le_bytes(*word))
            .ok_or(Self::truncated(8, 4, bytes.len()))?;
        let sam = if flags & Self::EXTENDED == 0 {
            None
        } else {
            let sid = Sid::from_bytes(part(16)?).map_err(|_| PacError::Invalid {
                what: "UPN_DNS_INFO",
                why: "the SID is not one",
            })?;
            Some((utf16(part(12)?), sid))
        };
        Ok(Self {
            upn: utf16(part(0)?),
            dns_domain: utf16(part(4)?),
            flags,
            sam,
        })
    }

    /// Writes the buffer, each part on an eight-byte boundary.
    pub fn encode(&self) -> Vec<u8> {
        let mut parts = vec![utf16_bytes(&self.upn), utf16_bytes(&self.dns_domain)];
        let mut flags = self.flags & !Self::EXTENDED;
        if let Some((name, sid)) = &self.sam {
            parts.extend([utf16_bytes(name), sid.to_bytes()]);
            flags |= Self::EXTENDED;
        }
        let mut head = Vec::new();
        let mut tail: Vec<u8> = Vec::new();
        let start: usize = if self.sam.is_some() { 24 } else { 16 };
        for (place, part) in parts.iter().enumerate() {
            if place == 2 {
                head.extend(flags.to_le_bytes());
            }
            let offset = start + tail.len();
            for number in [part.len(), offset] {
                head.extend(u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes());
            }
            tail.extend_from_slice(part);
            tail.resize(tail.len().next_multiple_of(8), 0);
        }
        if parts.len() == 2 {
            head.extend(flags.to_le_bytes());
        }
        head.resize(start, 0);
        head.extend(tail);
        head
    }

    fn truncated(offset: usize, need: usize, have: usize) -> PacError {
        PacError::Truncated {
            what: "UPN_DNS_INFO",
            offset,
            need,
            have,
        }
    }
}

/// PAC_REQUESTOR, MS-PAC 2.15: the SID of the account that asked.
pub fn requestor(sid: &Sid) -> Buffer {
    Buffer {
        kind: BufferType::REQUESTOR,
        data: sid.to_bytes(),
    }
}

/// Reads PAC_REQUESTOR.
pub fn requestor_from(bytes: &[u8]) -> Result<Sid, PacError> {
    Sid::from_bytes(bytes).map_err(|_| PacError::Invalid {
        what: "PAC_REQUESTOR",
        why: "the SID is not one",
    })
}
