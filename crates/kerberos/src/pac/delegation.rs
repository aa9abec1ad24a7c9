//! S4U_DELEGATION_INFO, MS-PAC 2.9: through which services the client's name has come.

use super::PacError;
use super::ndr::{Reader, Writer};

/// The buffer DELEGATION_INFO.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DelegationInfo {
    /// The service that the ticket is for.
    pub proxy_target: String,
    /// The services that delegated, the first one first.
    pub transited_services: Vec<String>,
}

impl DelegationInfo {
    /// Reads the buffer.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacError> {
        let mut r = Reader::new("S4U_DELEGATION_INFO", bytes)?;
        let target = r.string_head()?;
        let named = r.u32()?;
        let is_there = r.pointer()?;
        let proxy_target = r.string(target)?;
        let count = if is_there { r.count(named, 8)? } else { 0 };
        let mut heads = Vec::with_capacity(count);
        for _ in 0..count {
            heads.push(r.string_head()?);
        }
        let transited_services = heads
            .into_iter()
            .map(|head| r.string(head))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            proxy_target,
            transited_services,
        })
    }

    /// Writes the buffer.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.string_head(&self.proxy_target);
        w.count(self.transited_services.len());
        w.pointer(true);
        w.string(&self.proxy_target);
        w.count(self.transited_services.len());
        for service in &self.transited_services {
            w.string_head(service);
        }
        for service in &self.transited_services {
            w.string(service);
        }
        w.finish()
    }
}
