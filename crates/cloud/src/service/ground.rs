//! What the sync brings from the ground beside users: computers that may join, and Kerberos server objects.

use cloud_api::Base64Url;
use cloud_api::ground::{GroundPage, SyncDevice, SyncKerberosServer};
use types::{Dn, Guid};

use super::{Cloud, check_name};
use crate::caller::Caller;
use crate::core::hybrid;
use crate::error::Error;
use crate::store::Store;

/// Devices in one page: each has a certificate or a few.
const PAGE: u16 = 500;

impl Cloud {
    /// Brings a computer, or changes what is known of it. It is pending until it joins by itself.
    pub fn put_ground_device(
        &self,
        caller: &Caller,
        id: Guid,
        device: &SyncDevice,
    ) -> Result<(), Error> {
        caller.must_sync()?;
        check_device(id, device)?;
        let now = self.now();
        let mark = self.random();
        self.store().write(|db| {
            let old = Store::ground_device(db, id)?;
            if old.as_ref() == Some(device) {
                return Ok(());
            }
            match &old {
                Some(old) => check_same_computer(id, old, device)?,
                None => check_new(db, id, device)?,
            }
            Store::put_ground_device(db, id, device)?;
            Store::mark_ground(db, mark)?;
            let activity = match old {
                Some(_) => "changeGroundDevice",
                None => "addGroundDevice",
            };
            let sid = &device.on_premises_security_identifier;
            let detail = format!("'{}', {sid}", device.display_name);
            self.tell(db, now, activity, caller, &id.to_string(), &detail)
        })
    }

    /// Removes a computer: it is gone from the ground, or has no certificate there any more. Where it had joined, its
    /// certificate and its tokens are worth nothing from that moment on.
    pub fn remove_ground_device(&self, caller: &Caller, id: Guid) -> Result<(), Error> {
        caller.must_sync()?;
        let now = self.now();
        let mark = self.random();
        self.store().write(|db| {
            if !Store::remove_ground_device(db, id)? {
                return Err(Error::NotFound {
                    what: "device of the ground",
                    id: id.to_string(),
                });
            }
            let was_joined = Store::remove_device(db, id)?;
            Store::mark_ground(db, mark)?;
            let detail = if was_joined {
                "it had joined"
            } else {
                "it was pending"
            };
            self.tell(
                db,
                now,
                "removeGroundDevice",
                caller,
                &id.to_string(),
                detail,
            )
        })
    }

    /// Notes what the sync sees of a domain's Kerberos server object.
    pub fn put_ground_server(
        &self,
        caller: &Caller,
        domain: &str,
        server: &SyncKerberosServer,
    ) -> Result<(), Error> {
        caller.must_sync()?;
        check_name("the domain", domain, 253)?;
        check_name("krbtgtName", &server.krbtgt_name, 256)?;
        if domain != domain.to_ascii_lowercase() {
            return Err(Error::invalid(
                "the domain's DNS name is written in lower case",
            ));
        }
        if server.number == 0 {
            return Err(Error::invalid(
                "number 0 is the domain's own krbtgt; it is no Kerberos server object",
            ));
        }
        if let Some(dn) = &server.computer_dn {
            dn.parse::<Dn>()
                .map_err(|error| Error::invalid(format!("computerDn cannot be read: {error}")))?;
        }
        let now = self.now();
        let mark = self.random();
        self.store().write(|db| {
            let old = Store::ground_server(db, domain)?;
            if old.as_ref() == Some(server) {
                return Ok(());
            }
            if old.is_some_and(|old| old.domain_sid != server.domain_sid) {
                return Err(Error::invalid(format!(
                    "the SID of domain {domain} is set and never changes; remove the object first if it is another domain"
                )));
            }
            Store::put_ground_server(db, domain, server)?;
            Store::mark_ground(db, mark)?;
            let detail = format!("number {}, version {}", server.number, server.key_version);
            self.tell(db, now, "seeKerberosServer", caller, domain, &detail)
        })
    }

    /// The Kerberos server object of a domain is gone from the ground. What was published with a key stays, and is an
    /// administrator's to remove.
    pub fn remove_ground_server(&self, caller: &Caller, domain: &str) -> Result<(), Error> {
        caller.must_sync()?;
        let now = self.now();
        let mark = self.random();
        self.store().write(|db| {
            if !Store::remove_ground_server(db, domain)? {
                return Err(Error::NotFound {
                    what: "Kerberos server object of domain",
                    id: domain.chars().take(253).collect(),
                });
            }
            Store::mark_ground(db, mark)?;
            self.tell(db, now, "missKerberosServer", caller, domain, "")
        })
    }

    /// What the cloud has of the ground, after a device; only the version for a reader that has this one. The second
    /// value is the device to go on after.
    pub fn ground(
        &self,
        caller: &Caller,
        known: Option<&str>,
        after: Option<Guid>,
    ) -> Result<(GroundPage, Option<Guid>), Error> {
        caller.must_read_keys()?;
        self.store().read(|db| {
            let version = Base64Url(Store::ground_version(db)?.to_vec()).to_string();
            if known == Some(version.as_str()) {
                return Ok((page(version), None));
            }
            let devices = Store::ground_devices_after(db, after, PAGE)?;
            let is_full = devices.len() == usize::from(PAGE);
            let last = devices.last().map(|device| device.id);
            let kerberos_servers = match after {
                None => Store::ground_servers(db)?,
                Some(_) => Vec::new(),
            };
            let page = GroundPage {
                devices: Some(devices),
                kerberos_servers,
                ..page(version)
            };
            Ok((page, last.filter(|_| is_full)))
        })
    }
}

fn page(version: String) -> GroundPage {
    GroundPage {
        version,
        devices: None,
        kerberos_servers: Vec::new(),
        next_link: None,
    }
}

fn check_device(id: Guid, device: &SyncDevice) -> Result<(), Error> {
    check_name("displayName", &device.display_name, 256)?;
    let account = &device.on_premises_sam_account_name;
    check_name("onPremisesSamAccountName", account, 256)?;
    for (name, text) in [
        ("onPremisesDomainName", &device.on_premises_domain_name),
        ("operatingSystem", &device.operating_system),
        ("operatingSystemVersion", &device.operating_system_version),
    ] {
        if let Some(text) = text {
            check_name(name, text, 255)?;
        }
    }
    if let Some(dn) = &device.on_premises_distinguished_name {
        dn.parse::<Dn>().map_err(|error| {
            Error::invalid(format!(
                "onPremisesDistinguishedName cannot be read: {error}"
            ))
        })?;
    }
    hybrid::check_certificates(id, device)
}

/// Whoever could rewrite these could have another computer join in the place of this one.
fn check_same_computer(id: Guid, old: &SyncDevice, new: &SyncDevice) -> Result<(), Error> {
    let property = if old.on_premises_security_identifier != new.on_premises_security_identifier {
        "onPremisesSecurityIdentifier"
    } else if old.on_premises_sam_account_name != new.on_premises_sam_account_name {
        "onPremisesSamAccountName"
    } else {
        return Ok(());
    };
    Err(Error::ImmutableDevice {
        device: id,
        property,
    })
}

fn check_new(db: &rusqlite::Connection, id: Guid, device: &SyncDevice) -> Result<(), Error> {
    if Store::device(db, id)?.is_some() {
        return Err(Error::DeviceTaken {
            what: "the id",
            holder: id,
        });
    }
    let sid = &device.on_premises_security_identifier;
    match Store::ground_device_by_sid(db, sid)? {
        Some(holder) => Err(Error::DeviceTaken {
            what: "the SID",
            holder,
        }),
        None => Ok(()),
    }
}
