//! A workstation in the house: what `tombolo signin`, `tombolo unlock` and the agent do, by the same library, at the
//! house's own time and over its wires. Its disk and its memory are values here, so that a week passes in a moment.

use std::net::TcpStream;

use ctap::Attendant;
use ctap::command::User;
use kerberos::client::{ClientError, Credentials};
use types::Timestamp;
use workstation::cloud;
use workstation::connection::{Attempt, CacheFate};
use workstation::domain::{self, DomainError};
use workstation::joined::Joined;
use workstation::keys::DeviceKeys;
use workstation::offline::{OfflineCache, Refused};
use workstation::policy::OfflinePolicy;
use workstation::session::{self, Happened, Job, NotOpened, Session};
use workstation::sign_in::SignInError;

use crate::people::Person;
use crate::wires::{CloudWire, KdcWire};
use crate::{Error, House, OsEntropy};

/// A device that has joined the house's cloud.
pub struct Device {
    joined: Joined,
    cloud: CloudWire,
    domain: KdcWire,
    policy: OfflinePolicy,
    person: Person,
    /// The offline cache, as it lies on the disk.
    disk: Option<Vec<u8>>,
    session: Option<Session>,
    is_unlocked: bool,
}

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No answer of the cloud.
    #[error("the cloud cannot be reached")]
    NoCloud,
    /// A no of the cloud.
    #[error("the cloud refused: {0}")]
    CloudRefused(String),
    /// No answer of a domain controller.
    #[error("no domain controller can be reached")]
    NoDomainController,
    /// A no of the domain controller.
    #[error("the domain controller refused: {0}")]
    DomainRefused(String),
    /// Nobody signed in here before.
    #[error("nothing is kept on this device")]
    NothingKept,
    /// The key cannot compute the secret of an offline cache.
    #[error("the security key has no hmac-secret")]
    NoHmacSecret,
    /// The offline cache stays shut.
    #[error(transparent)]
    Shut(#[from] Refused),
    /// What is needed is not held.
    #[error("there is no {0}")]
    Without(&'static str),
    /// The house itself.
    #[error(transparent)]
    House(#[from] Error),
}

impl Trouble {
    /// What an error of the house's own Kerberos client means.
    pub fn of(error: Error) -> Self {
        match error {
            Error::Kerberos(ClientError::Refused(refusal)) => {
                Self::DomainRefused(refusal.error_code.to_string())
            }
            Error::Io { .. } => Self::NoDomainController,
            other => Self::House(other),
        }
    }
}

impl From<SignInError> for Trouble {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Cloud(error) | SignInError::AfterTouch { error, .. } => {
                match error.attempt() {
                    Attempt::Unreachable => Self::NoCloud,
                    _ => Self::CloudRefused(error.to_string()),
                }
            }
            other => Self::House(Error::Story(other.to_string())),
        }
    }
}

impl From<NotOpened> for Trouble {
    fn from(error: NotOpened) -> Self {
        match error {
            NotOpened::NothingKept => Self::NothingKept,
            NotOpened::NoSecret => Self::NoHmacSecret,
            NotOpened::Touch(error) => error.into(),
            NotOpened::Shut(refused) => Self::Shut(refused),
            other => Self::House(Error::Story(other.to_string())),
        }
    }
}

impl From<DomainError> for Trouble {
    fn from(error: DomainError) -> Self {
        match error {
            DomainError::NoAnswer(_) => Self::NoDomainController,
            DomainError::Refused { error } => Self::of(Error::Kerberos(error)),
            other => Self::House(Error::Story(other.to_string())),
        }
    }
}

impl Device {
    /// Joins the cloud in the name of one of the people.
    pub fn join(house: &House, person: Person, policy: OfflinePolicy) -> Result<Self, Error> {
        let story = |error: &dyn std::fmt::Display| Error::Story(error.to_string());
        let mut cloud = CloudWire::new(&house.addresses().cloud, house.ca_pem())?;
        let session = house.session(person)?;
        let keys = DeviceKeys::generate().map_err(|error| story(&error))?;
        let answer = cloud::join(&mut cloud, &keys, "a workstation of the lab", &session)
            .map_err(|error| story(&error))?;
        let certificate = data_encoding::BASE64
            .decode(answer.certificate.raw_body.as_bytes())
            .map_err(|error| story(&error))?;
        let (origin, now) = (house.cloud_origin(), house.clock().now());
        let joined = Joined::of_certificate(keys, certificate, &origin, now, &mut OsEntropy)
            .map_err(|error| story(&error))?;
        Ok(Self {
            joined,
            cloud,
            domain: KdcWire(house.addresses().kdc.to_string()),
            policy,
            person,
            disk: None,
            session: None,
            is_unlocked: false,
        })
    }

    /// Signs in at the cloud with the house's security key, by one touch; the domain's ticket comes with it, unless what
    /// is given back says why not.
    pub fn sign_in(&mut self, house: &House) -> Result<Vec<Happened>, Trouble> {
        let mut key = self.key(house)?;
        let (pin, now) = (house.pin()?, house.clock().now());
        let (joined, cloud) = (&self.joined, &mut self.cloud);
        let begun = session::sign_in(
            joined,
            cloud,
            &mut key,
            &pin,
            self.policy,
            now,
            &mut OsEntropy,
        )?;
        self.session = Some(begun.session);
        self.is_unlocked = false;
        self.keep()?;
        if let Some(next) = begun.next_salt {
            self.joined.device.rotate_salt(next, now);
        }
        self.look(house)
    }

    /// Opens what the last sign-in left, without the cloud and the domain, by one touch.
    pub fn unlock(&mut self, house: &House) -> Result<(), Trouble> {
        let mut key = self.key(house)?;
        let caches = match &self.disk {
            None if !key.info().has_extension("hmac-secret") => return Err(Trouble::NoHmacSecret),
            None => Vec::new(),
            Some(disk) => {
                vec![OfflineCache::read(disk).map_err(|error| Error::Story(error.to_string()))?]
            }
        };
        let (pin, now) = (house.pin()?, house.clock().now());
        let (joined, policy) = (&self.joined, self.policy);
        let opened = session::open(joined, &caches, &mut key, &pin, policy, now, &mut OsEntropy)?;
        self.session = Some(opened.session);
        self.is_unlocked = true;
        Ok(())
    }

    /// Ends the session; what is on the disk stays.
    pub fn sign_out(&mut self) {
        self.session = None;
    }

    /// Who is signed in, and with what.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Whether the session began without the cloud.
    pub fn is_unlocked(&self) -> bool {
        self.is_unlocked
    }

    /// What lies on the disk for a time without the cloud.
    pub fn offline_cache(&self) -> Option<OfflineCache> {
        OfflineCache::read(self.disk.as_ref()?).ok()
    }

    /// Whether something lies on the disk that a key could open.
    pub fn has_offline_cache(&self) -> bool {
        self.disk.is_some()
    }

    /// What an agent does when it looks: whatever is due.
    pub fn look(&mut self, house: &House) -> Result<Vec<Happened>, Trouble> {
        let mut happened = Vec::new();
        while let Some(job) = self
            .session
            .as_ref()
            .and_then(|it| it.due(house.clock().now()))
        {
            happened.push(self.work(house, job)?);
        }
        Ok(happened)
    }

    /// When the agent looks again.
    pub fn next_look(&self, house: &House) -> Option<Timestamp> {
        let now = house.clock().now();
        self.session.as_ref().map(|session| session.next_look(now))
    }

    /// A new primary refresh token now, whether it is due or not, and what is due after it.
    pub fn refresh(&mut self, house: &House) -> Result<Vec<Happened>, Trouble> {
        let job = self.session.as_ref().ok_or(Trouble::Without("session"))?;
        let job = job.refresh_now();
        let job = job.ok_or(Trouble::Without("primary refresh token"))?;
        let mut happened = vec![self.work(house, job)?];
        happened.extend(self.look(house)?);
        Ok(happened)
    }

    /// Renews the ticket granting ticket now.
    pub fn renew(&mut self, house: &House) -> Result<Happened, Trouble> {
        let granting = self.granting(house)?;
        self.work(house, Job::Renew { granting })
    }

    /// A ticket for a service.
    pub fn ticket(&self, house: &House, service: &str) -> Result<Credentials, Trouble> {
        ticket_by(house, &self.granting(house)?, service)
    }

    /// The session's ticket granting ticket, where it is still good.
    pub fn granting(&self, house: &House) -> Result<Credentials, Trouble> {
        let session = self.session.as_ref().ok_or(Trouble::Without("session"))?;
        let granting = session.granting(house.clock().now());
        granting.ok_or(Trouble::Without("ticket granting ticket"))
    }

    fn work(&mut self, house: &House, job: Job) -> Result<Happened, Trouble> {
        let now = house.clock().now();
        let done = job.run(&mut self.cloud, &mut self.domain, now, &mut OsEntropy);
        let session = self.session.as_mut();
        let session = session.ok_or(Trouble::Without("session"))?;
        let happened = session.apply(done, now);
        match happened.cache_fate() {
            CacheFate::Renewed => self.keep()?,
            CacheFate::Kept => (),
            CacheFate::Destroyed => self.disk = None,
        }
        Ok(happened)
    }

    /// The house's key, in the hands of this device's user: others may have registered it too.
    fn key(&self, house: &House) -> Result<ctap::Client<TcpStream>, Error> {
        let mut key = house.key()?;
        key.attend(Chooser(self.person.upn(house.dns_domain())));
        Ok(key)
    }

    /// Writes the offline cache anew, where there is a key that could open it.
    fn keep(&mut self) -> Result<(), Error> {
        let device = &self.joined.device;
        let sealed = self
            .session
            .as_ref()
            .and_then(|session| session.seal(device, &mut OsEntropy));
        if let Some(sealed) = sealed {
            let sealed = sealed.map_err(|error| Error::Story(error.to_string()))?;
            self.joined.device.wrote(sealed.credential, sealed.number);
            self.disk = Some(sealed.bytes);
        }
        Ok(())
    }
}

/// Says whose account is meant.
struct Chooser(String);

impl Attendant for Chooser {
    fn choose(&mut self, accounts: &[User]) -> Option<usize> {
        let is_meant = |user: &User| user.name.as_deref() == Some(self.0.as_str());
        accounts.iter().position(is_meant)
    }
}

/// A ticket for a service, by any ticket granting ticket.
pub fn ticket_by(house: &House, tgt: &Credentials, service: &str) -> Result<Credentials, Trouble> {
    let mut domain = KdcWire(house.addresses().kdc.to_string());
    let now = house.clock().now();
    let ticket = domain::service_ticket(tgt, service, &mut domain, now, &mut OsEntropy);
    Ok(ticket?)
}
