//! [`Cloud`]: each operation of the identity provider as one method.
//!
//! A method checks who asks, decides with `core`, and commits with `store`. It may block on the disk, so the HTTP
//! side runs it on a thread of its own.

mod access;
mod application_tokens;
mod audit;
mod conditional_access;
mod devices;
mod feed;
mod ground;
mod groups;
mod hybrid;
mod oidc;
mod possession;
mod proofs;
mod registration;
mod registration_tokens;
mod sign_in;
mod single_sign_on;
mod tenant;
mod tenant_keys;
mod ticket;
mod trust;
mod users;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use types::{Clock, Entropy, Guid, Secret, Timestamp};

use crate::caller::Caller;
use crate::config::{Compatibility, Limits, NewTenant};
use crate::core::nonce::Nonces;
use crate::core::rate::Buckets;
use crate::error::Error;
use crate::store::{About, Change, Entry, Store};

/// What the top floor gives: time, randomness and limits.
pub struct Surroundings {
    clock: Arc<dyn Clock>,
    entropy: Box<dyn Entropy>,
    limits: Limits,
    compatibility: Compatibility,
    proxies: Vec<IpAddr>,
}

impl Surroundings {
    /// Time and randomness, with the usual limits.
    pub fn new(clock: Arc<dyn Clock>, entropy: Box<dyn Entropy>) -> Self {
        Self {
            clock,
            entropy,
            limits: Limits::default(),
            compatibility: Compatibility::default(),
            proxies: Vec::new(),
        }
    }

    /// The same for clients that need it.
    pub fn with_compatibility(self, compatibility: Compatibility) -> Self {
        Self {
            compatibility,
            ..self
        }
    }

    /// The same behind these proxies, whose `X-Forwarded-For` is believed. Without any, nobody's is.
    pub fn with_trusted_proxies(self, proxies: Vec<IpAddr>) -> Self {
        Self { proxies, ..self }
    }

    /// The same with other limits.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

/// The identity provider of one tenant. Clones share everything; each knows the address of the request that it serves.
#[derive(Clone)]
pub struct Cloud(Arc<Inner>, Option<IpAddr>);

struct Inner {
    store: Store,
    tenant_id: Guid,
    clock: Arc<dyn Clock>,
    entropy: Mutex<Box<dyn Entropy>>,
    limits: Limits,
    compatibility: Compatibility,
    proxies: Vec<IpAddr>,
    requests: Option<Mutex<Buckets>>,
    failures: Option<Mutex<Buckets>>,
    begun: Option<Mutex<Buckets>>,
    nonces: Nonces,
    keys: TenantKeys,
    applications: oidc::Applications,
}

impl Cloud {
    /// Makes a tenant in a new file, and the token of its first administrator, which is shown only here.
    pub fn create(
        path: &std::path::Path,
        tenant: &NewTenant,
        mut surroundings: Surroundings,
    ) -> Result<(Self, Secret<String>), Error> {
        tenant.check()?;
        let store = Store::create(path)?;
        let now = surroundings.clock.now();
        let id = Guid::v4(random(surroundings.entropy.as_mut()));
        let epoch = random(surroundings.entropy.as_mut());
        store.write(|db| {
            Store::put_tenant(db, id, tenant, epoch, now)?;
            let entry = Entry {
                at: now,
                activity: "createTenant",
                initiated_by: "operator",
                target: &id.to_string(),
                detail: &tenant.name,
                address: None,
                about: About::default(),
            };
            Store::append_audit(db, &entry)
        })?;
        let cloud = Self::assemble(store, id, surroundings);
        let token =
            cloud.issue_administrator_token(&Caller::operator(), "first administrator", None)?;
        Ok((cloud, token))
    }

    /// Opens a tenant.
    pub fn open(path: &std::path::Path, surroundings: Surroundings) -> Result<Self, Error> {
        let store = Store::open(path)?;
        let id = store.read(|db| Store::tenant(db))?.id;
        Ok(Self::assemble(store, id, surroundings))
    }

    fn assemble(store: Store, tenant_id: Guid, surroundings: Surroundings) -> Self {
        let Surroundings {
            clock,
            mut entropy,
            limits,
            compatibility,
            proxies,
        } = surroundings;
        let buckets = |rate: Option<_>| rate.map(|rate| Mutex::new(Buckets::new(rate)));
        let inner = Inner {
            store,
            tenant_id,
            clock,
            nonces: Nonces::new(entropy.as_mut()),
            entropy: Mutex::new(entropy),
            requests: buckets(limits.requests),
            failures: buckets(limits.failures),
            begun: buckets(limits.begun),
            limits,
            compatibility,
            proxies: proxies.iter().map(IpAddr::to_canonical).collect(),
            keys: TenantKeys::default(),
            applications: oidc::Applications::default(),
        };
        Self(Arc::new(inner), None)
    }

    /// The same cloud for a request from this address: what comes of it is told to the audit log with the address.
    pub fn seen_from(&self, address: Option<IpAddr>) -> Self {
        Self(Arc::clone(&self.0), address)
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Whether this is a proxy whose word about its clients counts.
    pub(crate) fn trusts_proxy(&self, address: IpAddr) -> bool {
        self.0.proxies.contains(&address)
    }

    pub(crate) fn compatibility(&self) -> Compatibility {
        self.0.compatibility
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        self.with_entropy(random)
    }

    fn with_entropy<T>(&self, work: impl FnOnce(&mut dyn Entropy) -> T) -> T {
        work(&mut Shared(&self.0.entropy))
    }

    /// Writes to the audit log what the caller did.
    fn tell(
        &self,
        db: &Connection,
        at: Timestamp,
        activity: &str,
        caller: &Caller,
        target: &str,
        detail: &str,
    ) -> Result<(), Error> {
        let entry = Entry {
            at,
            activity,
            initiated_by: &caller.to_string(),
            target,
            detail,
            address: self.1,
            about: About::default(),
        };
        Store::append_audit(db, &entry)
    }

    /// Writes to the audit log what a user did or was refused, or a device where no user is known to have.
    fn tell_sign_in(
        &self,
        db: &Connection,
        at: Timestamp,
        activity: &str,
        about: About<'_>,
        detail: &str,
    ) -> Result<(), Error> {
        let (kind, id) = match (about.user, about.device) {
            (Some(user), _) => ("user", user),
            (None, device) => ("device", device.unwrap_or(Guid::ZERO)),
        };
        let id = id.to_string();
        let entry = Entry {
            at,
            activity,
            initiated_by: &format!("{kind} {id}"),
            target: &id,
            detail,
            address: self.1,
            about,
        };
        Store::append_audit(db, &entry)
    }

    fn change(&self, user: Guid, kind: &'static str, at: Timestamp) -> Change {
        Change {
            user,
            kind,
            at,
            mark: self.random(),
        }
    }

    /// Counts a request of a token; `Err` says in how many seconds to come back.
    pub(crate) fn count_request(&self, name: &str) -> Result<(), u64> {
        with_buckets(self.0.requests.as_ref(), |buckets| {
            buckets.take(name, self.now())
        })
    }

    /// Whether an address may still present tokens and passes.
    pub(crate) fn may_try(&self, address: &str) -> Result<(), u64> {
        with_buckets(self.0.failures.as_ref(), |buckets| {
            buckets.look(address, self.now())
        })
    }

    /// Counts a sign-in of an application that an address begins; `Err` says in how many seconds it may again.
    pub(crate) fn count_begun(&self, address: &str) -> Result<(), u64> {
        with_buckets(self.0.begun.as_ref(), |buckets| {
            buckets.take(address, self.now())
        })
    }

    /// Counts a token or pass that was no good.
    pub(crate) fn count_failure(&self, address: &str) {
        // The next `may_try` will tell.
        let _ = with_buckets(self.0.failures.as_ref(), |buckets| {
            buckets.take(address, self.now())
        });
    }
}

/// The one source of randomness, held only while it gives: cryptography takes longer.
struct Shared<'a>(&'a Mutex<Box<dyn Entropy>>);

impl Entropy for Shared<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        source.fill(bytes);
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cloud({})", self.0.tenant_id)
    }
}

fn with_buckets(
    buckets: Option<&Mutex<Buckets>>,
    work: impl FnOnce(&mut Buckets) -> Result<(), u64>,
) -> Result<(), u64> {
    buckets.map_or(Ok(()), |buckets| {
        work(&mut buckets.lock().unwrap_or_else(PoisonError::into_inner))
    })
}

fn random<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// A name for people: not empty, not long, no control characters.
fn check_name(what: &str, name: &str, characters_max: usize) -> Result<(), Error> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > characters_max || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "{what} needs 1 to {characters_max} characters and no control characters"
        )));
    }
    Ok(())
}

pub use audit::Trimmed;
pub(crate) use feed::From;
pub(crate) use oidc::Finished;
pub use registration_tokens::Registrar;
pub use sign_in::{Granted, TokenForm};
use tenant_keys::TenantKeys;
