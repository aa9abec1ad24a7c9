//! Believing a PAC: the signatures of MS-PAC 2.8, checked in constant time.

use super::{BufferType, Pac, PacError};
use crate::crypto::{ChecksumType, CryptoError, Key, KeyUsage};
use crate::messages::{Der, EncTicketPart};
use crate::ticket::{pac_of, put_pac};

/// A PAC whose signatures were checked. Only this module makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPac {
    pac: Pac,
    evidence: Evidence,
}

/// Which signatures were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The server's alone: a service looked at its own ticket. Whoever has the service's key can make such a PAC.
    Server,
    /// The server's and the KDC's: a KDC looked at a ticket-granting ticket.
    Kdc,
    /// All four: a KDC looked at a service ticket, which may be used as evidence in S4U2Proxy.
    Ticket,
}

impl VerifiedPac {
    /// For a service: the server signature of its own ticket. `None` where the ticket has no PAC.
    pub fn for_service(ticket: &EncTicketPart, key: &Key) -> Result<Option<Self>, PacError> {
        let Some(pac) = unverified(ticket)? else {
            return Ok(None);
        };
        check_server(&pac, key)?;
        Ok(Some(Self {
            pac,
            evidence: Evidence::Server,
        }))
    }

    /// For a KDC: a ticket-granting ticket under a krbtgt key, `rodc` being that key's number (0 for the domain's
    /// own). `None` where the ticket has no PAC.
    pub fn for_tgt(
        ticket: &EncTicketPart,
        krbtgt: &Key,
        rodc: u16,
    ) -> Result<Option<Self>, PacError> {
        let Some(pac) = unverified(ticket)? else {
            return Ok(None);
        };
        check_server(&pac, krbtgt)?;
        check_kdc(&pac, krbtgt, rodc)?;
        Ok(Some(Self {
            pac,
            evidence: Evidence::Kdc,
        }))
    }

    /// For a KDC: a service ticket that is offered as evidence. All four signatures must be there and hold; without
    /// the ticket signature a service could set flags of its own ticket (CVE-2020-17049), without the full signature
    /// parts of the PAC (CVE-2022-37967).
    pub fn for_evidence(
        ticket: &EncTicketPart,
        service: &Key,
        krbtgt: &Key,
        rodc: u16,
    ) -> Result<Option<Self>, PacError> {
        let Some(pac) = unverified(ticket)? else {
            return Ok(None);
        };
        check_server(&pac, service)?;
        check_kdc(&pac, krbtgt, rodc)?;
        let mut blank = ticket.clone();
        put_pac(&mut blank, &[0])?;
        check(
            &pac,
            BufferType::TICKET_CHECKSUM,
            krbtgt,
            Some(rodc),
            &blank.to_der()?,
        )?;
        let mut covered = pac.clone();
        for signature in [
            BufferType::SERVER_CHECKSUM,
            BufferType::KDC_CHECKSUM,
            BufferType::FULL_CHECKSUM,
        ] {
            covered.blank(signature);
        }
        check(
            &pac,
            BufferType::FULL_CHECKSUM,
            krbtgt,
            Some(rodc),
            covered.as_bytes(),
        )?;
        Ok(Some(Self {
            pac,
            evidence: Evidence::Ticket,
        }))
    }

    /// What was checked.
    pub fn evidence(&self) -> Evidence {
        self.evidence
    }

    /// The container.
    pub fn pac(&self) -> &Pac {
        &self.pac
    }
}

/// The PAC of a ticket as it stands; nobody has vouched for it yet.
fn unverified(ticket: &EncTicketPart) -> Result<Option<Pac>, PacError> {
    pac_of(ticket)?.map(|bytes| Pac::decode(&bytes)).transpose()
}

fn check_server(pac: &Pac, key: &Key) -> Result<(), PacError> {
    let mut covered = pac.clone();
    covered.blank(BufferType::SERVER_CHECKSUM);
    covered.blank(BufferType::KDC_CHECKSUM);
    check(
        pac,
        BufferType::SERVER_CHECKSUM,
        key,
        None,
        covered.as_bytes(),
    )
}

fn check_kdc(pac: &Pac, krbtgt: &Key, rodc: u16) -> Result<(), PacError> {
    let signature = split(pac, BufferType::SERVER_CHECKSUM)?.signature.to_vec();
    check(
        pac,
        BufferType::KDC_CHECKSUM,
        krbtgt,
        Some(rodc),
        &signature,
    )
}

/// `rodc` is `None` for the server's signature, which carries no identifier.
fn check(
    pac: &Pac,
    which: BufferType,
    key: &Key,
    rodc: Option<u16>,
    covered: &[u8],
) -> Result<(), PacError> {
    let signature = split(pac, which)?;
    key.verify_checksum(
        KeyUsage::PAC_CHECKSUM,
        signature.kind,
        &[covered],
        signature.signature,
    )
    .map_err(|why| PacError::Signature { which, why })?;
    // The identifier may be left out, as some writers of RODC tickets do; a wrong one is never right.
    match (signature.rodc, rodc) {
        (None, _) | (Some(_), None) => Ok(()),
        (Some(have), Some(need)) if have == need => Ok(()),
        (Some(have), Some(need)) => Err(PacError::WrongRodc { which, need, have }),
    }
}

struct Signature<'a> {
    kind: ChecksumType,
    signature: &'a [u8],
    rodc: Option<u16>,
}

fn split(pac: &Pac, which: BufferType) -> Result<Signature<'_>, PacError> {
    let data = pac.need(which)?;
    let truncated = |need| PacError::Truncated {
        what: "PAC_SIGNATURE_DATA",
        offset: 0,
        need,
        have: data.len(),
    };
    let (kind, rest) = data.split_first_chunk::<4>().ok_or_else(|| truncated(4))?;
    let kind = ChecksumType(i32::from_le_bytes(*kind));
    let length = kind.checksum_bytes().ok_or(PacError::Signature {
        which,
        why: CryptoError::Integrity,
    })?;
    let (signature, rest) = rest
        .split_at_checked(length)
        .ok_or_else(|| truncated(4 + length))?;
    let rodc = match rest {
        [low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    };
    Ok(Signature {
        kind,
        signature,
        rodc,
    })
}
