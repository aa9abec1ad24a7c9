//! What the store knows of itself: counters, and who and where this directory is.

use types::{Dn, Guid, Sid};

use super::{Dnt, Reader};
use crate::Error;
use crate::store::{Table, View, keys};

/// Key of the counters in the state table.
pub(crate) const COUNTERS: &[u8] = b"counters";
/// Key of the list of naming context heads.
pub(crate) const HEADS: &[u8] = b"heads";
/// Key of the invocation id.
pub(crate) const INVOCATION: &[u8] = b"invocation";

/// Numbers that only rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) next_dnt: u64,
    /// The highest update sequence number given out.
    pub(crate) usn: u64,
    pub(crate) next_descriptor: u64,
    pub(crate) next_rid: u32,
    /// The highest audit record number given out.
    pub(crate) audit: u64,
}

impl Default for Counters {
    fn default() -> Self {
        // Relative identifiers of accounts start where a first domain controller's pool does.
        Self {
            next_dnt: 1,
            usn: 4096,
            next_descriptor: 1,
            next_rid: 1104,
            audit: 0,
        }
    }
}

impl Counters {
    pub(crate) fn load(view: &dyn View) -> Result<Self, Error> {
        let Some(bytes) = view.get(Table::State, COUNTERS)? else {
            return Ok(Self::default());
        };
        let number = |at: usize| keys::number_at(&bytes, at.saturating_mul(8));
        let read = || {
            Some(Self {
                next_dnt: number(0)?,
                usn: number(1)?,
                next_descriptor: number(2)?,
                next_rid: u32::try_from(number(3)?).ok()?,
                audit: number(4)?,
            })
        };
        read().ok_or_else(|| Error::damaged("the counters"))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        [
            self.next_dnt,
            self.usn,
            self.next_descriptor,
            u64::from(self.next_rid),
            self.audit,
        ]
        .into_iter()
        .flat_map(u64::to_be_bytes)
        .collect()
    }
}

/// Who and where this directory is. Parts are empty until it has been provisioned.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    /// The domain, `DC=corp,DC=contoso,DC=com`.
    pub domain_dn: Dn,
    /// `CN=Configuration,..`
    pub configuration_dn: Dn,
    /// `CN=Schema,CN=Configuration,..`
    pub schema_dn: Dn,
    /// `corp.contoso.com`
    pub dns_domain: String,
    /// `CORP`
    pub netbios_domain: String,
    /// The domain's SID.
    pub domain_sid: Option<Sid>,
    /// The domain's `objectGUID`.
    pub domain_guid: Guid,
    /// DNS name of this server.
    pub dns_host_name: String,
    /// The server object under CN=Sites.
    pub server_dn: Dn,
    /// Its nTDSDSA object: `dsServiceName`.
    pub ntds_settings: Dn,
    /// Changes when the store is restored or copied: readers of USNs must start over.
    pub invocation_id: Guid,
    pub(crate) heads: Vec<(Dn, Dnt)>,
    pub(crate) domain_head: Option<Dnt>,
    pub(crate) schema_head: Option<Dnt>,
}

impl Naming {
    /// Whether there is a domain.
    pub fn is_provisioned(&self) -> bool {
        self.domain_head.is_some()
    }

    /// The heads of all naming contexts.
    pub fn naming_contexts(&self) -> impl Iterator<Item = &Dn> {
        self.heads.iter().map(|(dn, _)| dn)
    }

    /// Reads it from the store. `reader` may have an empty naming of its own.
    pub(crate) fn load(reader: &Reader<'_>) -> Result<Self, Error> {
        let mut naming = Self::default();
        if let Some(bytes) = reader.view.get(Table::State, INVOCATION)?
            && let Ok(bytes) = bytes.try_into()
        {
            naming.invocation_id = Guid::from_bytes_le(bytes);
        }
        let heads = reader.view.get(Table::State, HEADS)?.unwrap_or_default();
        for number in heads.as_chunks::<8>().0 {
            let dnt = Dnt(u64::from_be_bytes(*number));
            let head = reader.required(dnt)?;
            let dn: Dn = reader
                .dn(&head)?
                .parse()
                .map_err(|_| Error::damaged("a naming context"))?;
            match reader.schema.class_by_id(head.class()).name {
                "domainDNS" if naming.domain_head.is_none() => {
                    naming.domain_head = Some(dnt);
                    naming.dns_domain = dn.dns_domain();
                    naming.domain_sid = head.sid().cloned();
                    naming.domain_guid = head.guid();
                    naming.domain_dn = dn.clone();
                }
                "configuration" => naming.configuration_dn = dn.clone(),
                "dMD" => {
                    naming.schema_head = Some(dnt);
                    naming.schema_dn = dn.clone();
                }
                _ => {}
            }
            naming.heads.push((dn, dnt));
        }
        naming.find_names(reader)?;
        Ok(naming)
    }

    /// The names kept in the configuration: crossRef, server and nTDSDSA objects.
    fn find_names(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
        let text = |object: &super::Object, name: &str| {
            let attribute = reader.schema.attribute(name)?;
            object.text(attribute.id).map(str::to_owned)
        };
        for cross_reference in reader.objects_of_class("crossRef")? {
            if let Some(netbios) = text(&cross_reference, "nETBIOSName") {
                self.netbios_domain = netbios;
            }
        }
        if let Some(settings) = reader.objects_of_class("nTDSDSA")?.into_iter().next() {
            let parse = |dn: String| {
                dn.parse::<Dn>()
                    .map_err(|_| Error::damaged("a server name"))
            };
            self.ntds_settings = parse(reader.dn(&settings)?)?;
            if let Some(server) = reader.object(settings.parent())? {
                self.server_dn = parse(reader.dn(&server)?)?;
                self.dns_host_name = text(&server, "dNSHostName").unwrap_or_default();
            }
        }
        if self.netbios_domain.is_empty() {
            let label = self.dns_domain.split('.').next().unwrap_or_default();
            self.netbios_domain = label.to_uppercase();
        }
        Ok(())
    }
}
