//! What the steps share: the house, its clock, and the few things that one step leaves for the next.

use std::sync::Arc;
use std::time::Duration;

use cloud_api::devicekeys::{DeltaPage, NewNgcKey, UserDeviceKeys, request_target};
use cloud_api::fido2::Fido2Method;
use cloud_api::paths;
use data_encoding::BASE64;
use events::Receipt;
use keycred::{DnBinary, SearchableDeviceKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sync::http::{CloudSettings, HttpCloud};
use sync::ldap::{DirectorySettings, LdapDirectory};
use sync::rules::{RuleFile, RuleSet};
use sync::{CycleReport, Engine, State};
use types::{Guid, Secret, VirtualClock};
use workstation::policy::NtHashPolicy;

use crate::device::Device;
use crate::intruder::rsa_public_blob;
use crate::people::{CONNECTOR, Person};
use crate::registration::register_key;
use crate::{Error, House};

/// The attribute that all of this is about.
pub(super) const KEYS: &str = "msDS-KeyCredentialLink";

pub(super) struct Stage {
    pub(super) house: House,
    pub(super) clock: Arc<VirtualClock>,
    /// The key that the story's user registered first.
    pub(super) first_key: Option<Fido2Method>,
    /// The values that the intruder planted.
    pub(super) planted: Vec<String>,
    /// The workstation of the story's user.
    pub(super) device: Option<Device>,
    /// Further ones, under other policies for the NT hash.
    pub(super) other_devices: Vec<(NtHashPolicy, Device)>,
}

/// How a cycle is run.
#[derive(Default, Clone, Copy)]
pub(super) struct Run<'a> {
    /// Changes to the shipped rules, as TOML.
    pub(super) rules: Option<&'a str>,
    /// Send everything and let the directory decide.
    pub(super) without_preflight: bool,
}

impl Stage {
    pub(super) fn new(house: House, clock: Arc<VirtualClock>) -> Self {
        Self {
            house,
            clock,
            first_key: None,
            planted: Vec::new(),
            device: None,
            other_devices: Vec::new(),
        }
    }

    /// The user's workstation; whoever takes it puts it back.
    pub(super) fn take_device(&mut self) -> Result<Device, Error> {
        let device = self.device.take();
        device.ok_or_else(|| Error::Story("no device has joined: an earlier step failed".into()))
    }

    /// Registers a security key for one of the people.
    pub(super) fn register(&self, person: Person, name: &str) -> Result<Fido2Method, Error> {
        let house = &self.house;
        let cloud = house.cloud_as_administrator()?;
        let user = house.cloud_user(person)?;
        let mut key = house.key()?;
        register_key(
            &cloud,
            &mut key,
            &house.pin()?,
            &house.cloud_origin(),
            user,
            name,
        )
    }

    /// Registers a Windows Hello key for one of the people, as a device of theirs would.
    pub(super) fn register_hello(&self, person: Person) -> Result<(), Error> {
        let cloud = self.house.cloud_as_administrator()?;
        let user = self.house.cloud_user(person)?;
        let request = NewNgcKey {
            key_material: BASE64.encode(&rsa_public_blob()?),
            device_id: Guid::v4(*b"the lab's laptop"),
        };
        let _key: serde_json::Value = cloud.post(&paths::ngc_keys(user), &request)?;
        Ok(())
    }

    /// The keys of one of the people, as the cloud hands them to a sync.
    pub(super) fn cloud_keys(&self, person: Person) -> Result<Vec<SearchableDeviceKey>, Error> {
        let cloud = self.house.cloud_as_sync()?;
        let user = self.house.cloud_user(person)?;
        let keys: UserDeviceKeys = cloud.get(&paths::device_keys(user))?;
        Ok(keys.searchable_device_key)
    }

    /// The values on the directory's object, as an administrator reads them.
    pub(super) fn values(&self, dn: &str) -> Result<Vec<String>, Error> {
        self.house.ldap_as_administrator()?.values(dn, KEYS)
    }

    /// The values of one of the people, decoded.
    pub(super) fn directory_keys(&self, person: Person) -> Result<Vec<DnBinary>, Error> {
        let dn = self.dn(person)?;
        let read = |value: String| {
            value
                .parse::<DnBinary>()
                .map_err(|error| Error::Story(format!("{dn}: {error}")))
        };
        self.values(&dn)?.into_iter().map(read).collect()
    }

    pub(super) fn dn(&self, person: Person) -> Result<String, Error> {
        Ok(self.house.account(person)?.dn.clone())
    }

    /// One sync cycle, by a process that starts, does it and ends.
    pub(super) fn cycle(&self, run: Run<'_>) -> Result<CycleReport, Error> {
        let now = self.house.clock().now();
        Ok(engine(&self.house, run)?.cycle(now)?)
    }

    /// What the sync says that it wrote.
    pub(super) fn receipts(&self) -> Result<Vec<Receipt>, Error> {
        let state = State::open_to_read(&self.house.state().join(STATE))?;
        Ok(state.receipts(0, u32::MAX)?)
    }

    /// All users and keys of the cloud, by its feed.
    pub(super) fn cloud_feed(&self) -> Result<Vec<DeltaPage>, Error> {
        let cloud = self.house.cloud_as_sync()?;
        let mut pages = Vec::new();
        let mut target = paths::DEVICE_KEY_DELTA.to_owned();
        loop {
            let page: DeltaPage = cloud.get(&target)?;
            let next = page
                .next_link
                .as_deref()
                .and_then(request_target)
                .map(str::to_owned);
            pages.push(page);
            match next {
                Some(next) => target = next,
                None => return Ok(pages),
            }
        }
    }
}

/// The sync's state, in the house's own directory.
const STATE: &str = "sync.sqlite";
const TIMEOUT: Duration = Duration::from_secs(30);

/// A sync as an administrator would configure it: over LDAPS and HTTPS, as the connector account.
pub(super) fn engine(house: &House, run: Run<'_>) -> Result<Engine, Error> {
    let root = CertificateDer::from_pem_slice(house.ca_pem().as_bytes())
        .map_err(|error| Error::Tls(error.to_string()))?;
    let connector = house.account(CONNECTOR)?;
    let cloud = HttpCloud::new(CloudSettings {
        url: house.addresses().cloud.clone(),
        token: Secret::new(house.sync_token().expose().clone()),
        roots: vec![root.clone()],
        timeout: TIMEOUT,
    });
    let directory = LdapDirectory::new(DirectorySettings {
        url: house.addresses().ldaps.clone(),
        start_tls: false,
        bind_dn: connector.dn.clone(),
        password: Secret::new(connector.password.expose().clone()),
        base_dn: None,
        roots: vec![root],
        timeout: TIMEOUT,
    });
    let story = |error: sync::connector::ConnectorError| Error::Story(error.to_string());
    let changes: Vec<RuleFile<'_>> = run
        .rules
        .map(|text| RuleFile {
            name: "story.toml",
            text,
        })
        .into_iter()
        .collect();
    let rules = RuleSet::read(&changes).map_err(|error| Error::Story(error.to_string()))?;
    let options = sync::Options {
        preflight: !run.without_preflight,
        ..sync::Options::default()
    };
    let state = State::open(&house.state().join(STATE))?;
    Ok(Engine::new(
        state,
        rules,
        Box::new(cloud.map_err(story)?),
        Box::new(directory.map_err(story)?),
        options,
    ))
}

/// The check of a step: what is not so ends it with a sentence.
pub(super) fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Story(sentence()))
    }
}
