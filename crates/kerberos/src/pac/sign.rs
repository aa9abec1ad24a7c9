//! The four signatures of a PAC, made in the order in which each covers the ones before it (MS-PAC 2.8).

use super::{Buffer, BufferType, Pac, PacError};
use crate::crypto::{Key, KeyUsage};
use crate::messages::{Der, EncTicketPart};
use crate::ticket::put_pac;

/// Which signatures a ticket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketKind {
    /// For a krbtgt: server and KDC signature.
    Tgt,
    /// For anybody else: ticket and full signature too.
    Service,
}

/// The keys that sign.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'k> {
    /// The key under which the ticket is sealed.
    pub server_key: &'k Key,
    /// The krbtgt key.
    pub kdc_key: &'k Key,
    /// The number of the read-only domain controller whose krbtgt key it is; `None` for the domain's own.
    pub rodc: Option<u16>,
    /// What kind of ticket it is for.
    pub kind: TicketKind,
}

impl Signing<'_> {
    /// Puts a signed PAC of these buffers into the ticket. Signatures among the buffers are dropped and made anew.
    ///
    /// Everything else in the ticket must be final: the ticket signature covers it.
    pub fn sign_into(
        &self,
        ticket: &mut EncTicketPart,
        buffers: Vec<Buffer>,
    ) -> Result<(), PacError> {
        let blank_ticket = match self.kind {
            // Nothing of it is signed.
            TicketKind::Tgt => Vec::new(),
            TicketKind::Service => {
                put_pac(ticket, &[0])?;
                ticket.to_der()?
            }
        };
        let pac = self.sign(&blank_ticket, buffers)?;
        put_pac(ticket, pac.as_bytes())?;
        Ok(())
    }

    /// `blank_ticket` is the DER of EncTicketPart with one zero byte in the place of the PAC, for a service ticket.
    fn sign(&self, blank_ticket: &[u8], mut buffers: Vec<Buffer>) -> Result<Pac, PacError> {
        buffers.retain(|buffer| !buffer.kind.is_signature());
        buffers.push(self.empty(BufferType::SERVER_CHECKSUM));
        buffers.push(self.empty(BufferType::KDC_CHECKSUM));
        if self.kind == TicketKind::Service {
            buffers.push(self.empty(BufferType::TICKET_CHECKSUM));
            buffers.push(self.empty(BufferType::FULL_CHECKSUM));
        }
        let mut pac = Pac::from_buffers(&buffers)?;
        if self.kind == TicketKind::Service {
            let ticket = checksum(self.kdc_key, blank_ticket)?;
            self.write(&mut pac, BufferType::TICKET_CHECKSUM, &ticket);
            let full = checksum(self.kdc_key, pac.as_bytes())?;
            self.write(&mut pac, BufferType::FULL_CHECKSUM, &full);
        }
        let server = checksum(self.server_key, pac.as_bytes())?;
        pac.overwrite(BufferType::SERVER_CHECKSUM, 4, &server);
        let kdc = checksum(self.kdc_key, &server)?;
        self.write(&mut pac, BufferType::KDC_CHECKSUM, &kdc);
        Ok(pac)
    }

    /// PAC_SIGNATURE_DATA (MS-PAC 2.8) with a signature of zeros.
    fn empty(&self, kind: BufferType) -> Buffer {
        let (key, rodc) = match kind {
            BufferType::SERVER_CHECKSUM => (self.server_key, None),
            _ => (self.kdc_key, self.rodc),
        };
        let signature_type = key.checksum_type();
        let length = signature_type.checksum_bytes().unwrap_or_default();
        let mut data = signature_type.0.to_le_bytes().to_vec();
        data.resize(4 + length + if rodc.is_some() { 2 } else { 0 }, 0);
        Buffer { kind, data }
    }

    fn write(&self, pac: &mut Pac, kind: BufferType, signature: &[u8]) {
        let mut value = signature.to_vec();
        if let Some(number) = self.rodc {
            value.extend(number.to_le_bytes());
        }
        pac.overwrite(kind, 4, &value);
    }
}

fn checksum(key: &Key, bytes: &[u8]) -> Result<Vec<u8>, PacError> {
    Ok(key.checksum(KeyUsage::PAC_CHECKSUM, &[bytes])?)
}
