//! What a signed-in user holds on this device, and how it is kept fresh.
//!
//! A [`Session`] begins with a sign-in or with an unlock, and is one value: whoever keeps it asks what is due
//! ([`Session::due`]), does it over the wires ([`Job::run`], which may take its time), and tells the session what came
//! ([`Session::apply`]). It never waits and never looks at a clock.
//!
//! ```text
//! due → Refresh ─ cloud ─→ new primary refresh token, new partial ticket → due → Exchange ─ domain ─→ ticket, NT hash
//!     → Renew ── domain ─→ the same ticket, its life begun anew
//! ```
//! A wire that is silent costs nothing but time: what is held stays. Only the cloud's own no ends a session, and with it the
//! offline cache.

mod begin;
mod carried;
mod job;
mod schedule;
#[cfg(test)]
mod tests;

use kerberos::client::Credentials;
use kerberos::files::CredentialCache;
use types::{Entropy, Secret, Timestamp};

pub use begin::{Begun, NotOpened, Opened, open, open_after_touch, sign_in};
pub use carried::NotCarried;
pub use job::{Done, Happened, Job};

use crate::connection::{Connection, Refusal};
use crate::device::Device;
use crate::offline::{
    NtHash, PrimaryRefreshToken, Record, SealedCache, TouchedKey, Unlocked, Unsealable, User,
};
use crate::policy::OfflinePolicy;
use crate::sign_in::SignIn;
use crate::tickets::PartialTicket;

/// What a signed-in user holds.
#[derive(Debug)]
pub struct Session {
    user: User,
    standing: Standing,
    prt: Option<PrimaryRefreshToken>,
    /// When the cloud last gave the token.
    refreshed_at: Timestamp,
    /// The cloud's ticket, until a domain controller has exchanged it.
    partial: Option<PartialTicket>,
    /// Why there is none.
    no_partial: Option<String>,
    /// The domain's tickets.
    tickets: Option<CredentialCache>,
    /// The ticket whose renewal the domain refused, by its end: it is not asked for again.
    not_renewed: Option<Timestamp>,
    nt_hash: Option<NtHash>,
    key: Option<TouchedKey>,
    policy: OfflinePolicy,
    /// Until when the offline cache opens without another contact.
    usable_until: Timestamp,
    last_online: Timestamp,
    last_seen: Timestamp,
    cloud: Connection,
    domain: Connection,
}

/// Whether the cloud still stands by a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It did when it was last asked.
    Good,
    /// A policy wants a touch before it goes on; what is held stays.
    TouchWanted(String),
    /// It said no: the token and the NT hash are gone, and so must the offline cache.
    Ended(Refusal, String),
}

impl Session {
    /// Begins with a sign-in online. Without `key`, nothing of it can be kept for later.
    pub fn signed_in(
        signed: SignIn,
        key: Option<TouchedKey>,
        policy: OfflinePolicy,
        now: Timestamp,
    ) -> Self {
        let user = User {
            sid: None,
            user_principal_name: signed.who.upn.clone(),
            account: None,
            realm: None,
            groups: Vec::new(),
        };
        let mut session = Self::empty(user, policy, now);
        session.key = key;
        session.take(signed, now);
        session
    }

    /// Begins with an offline cache that a key has opened. It ends when it would have ended.
    pub fn unlocked(
        unlocked: Unlocked,
        key: TouchedKey,
        policy: OfflinePolicy,
        now: Timestamp,
    ) -> Self {
        let record = unlocked.record;
        let mut session = Self::empty(record.user, policy, now);
        session.tickets = CredentialCache::decode(record.tickets.expose()).ok();
        session.prt = record.prt;
        session.nt_hash = record.nt_hash;
        session.key = Some(key);
        session.refreshed_at = record.last_online;
        session.last_online = record.last_online;
        session.last_seen = record.last_seen.max(now);
        session.usable_until = unlocked.usable_until;
        session
    }

    fn empty(user: User, policy: OfflinePolicy, now: Timestamp) -> Self {
        Self {
            user,
            standing: Standing::Good,
            prt: None,
            refreshed_at: now,
            partial: None,
            no_partial: None,
            tickets: None,
            not_renewed: None,
            nt_hash: None,
            key: None,
            policy,
            usable_until: now,
            last_online: now,
            last_seen: now,
            cloud: Connection::Online,
            domain: Connection::Online,
        }
    }

    /// Whose session it is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Whether the cloud stands by it.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The wire to the cloud, as it was last seen.
    pub fn cloud(&self) -> Connection {
        self.cloud
    }

    /// The wire to the domain controller, as it was last seen.
    pub fn domain(&self) -> Connection {
        self.domain
    }

    /// Until when the cloud renews this session.
    pub fn renewable_until(&self) -> Option<Timestamp> {
        self.prt.as_ref().map(|prt| prt.expires)
    }

    /// The last contact with the cloud.
    pub fn last_online(&self) -> Timestamp {
        self.last_online
    }

    /// Until when the same key opens this device without the cloud; nothing where nothing can be kept.
    pub fn usable_until(&self) -> Option<Timestamp> {
        let is_kept = self.key.is_some() && !matches!(self.standing, Standing::Ended(..));
        is_kept.then_some(self.usable_until)
    }

    /// The key that was touched.
    pub fn key(&self) -> Option<&TouchedKey> {
        self.key.as_ref()
    }

    /// The domain's tickets: those that were brought here, and those that were taken in.
    pub fn tickets(&self) -> Option<&CredentialCache> {
        self.tickets.as_ref()
    }

    /// The domain's ticket granting ticket, where one is still good.
    pub fn granting(&self, now: Timestamp) -> Option<Credentials> {
        let kept = self.tickets.as_ref()?.granting()?;
        let credentials = Credentials::of_credential(kept).ok()?;
        (kept.endtime > now).then_some(credentials)
    }

    /// Why the cloud gave no ticket.
    pub fn no_partial(&self) -> Option<&str> {
        self.no_partial.as_deref()
    }

    /// Whether the cloud's ticket waits for a domain controller.
    pub fn has_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// The NT hash. Whoever reads it writes down that it was read.
    pub fn nt_hash(&self) -> Option<&NtHash> {
        self.nt_hash.as_ref()
    }

    /// What an administrator decided.
    pub fn policy(&self) -> &OfflinePolicy {
        &self.policy
    }

    /// Adds a ticket for a service.
    pub fn put(&mut self, ticket: &Credentials) {
        let Ok(ticket) = ticket.to_credential() else {
            return;
        };
        let client = ticket.client.clone();
        self.tickets
            .get_or_insert_with(|| CredentialCache::new(client))
            .put(ticket);
    }

    /// Takes in what other programs have added to the credential cache: tickets of the same user that still work, and the
    /// configuration entries. The ticket granting ticket stays as it is here.
    pub fn take_in(&mut self, cache: &CredentialCache, now: Timestamp) {
        let Some(own) = &mut self.tickets else {
            return;
        };
        if cache.default_principal != own.default_principal {
            return;
        }
        let realm = own.default_principal.realm.clone();
        own.credentials.retain(|held| {
            held.is_configuration() || held.is_granting(&realm) || held.endtime > now
        });
        for other in &cache.credentials {
            let works = other.is_configuration() || other.endtime > now;
            if works && !other.is_granting(&realm) {
                own.put(other.clone());
            }
        }
    }

    /// Notes that this moment has been seen, so that a clock that is set back later buys nothing.
    pub fn saw(&mut self, now: Timestamp) {
        self.last_seen = self.last_seen.max(now);
    }

    /// Seals what the policy lets be kept. `None` without a key that could open it, and after the cloud's no.
    pub fn seal(
        &self,
        device: &Device,
        entropy: &mut dyn Entropy,
    ) -> Option<Result<SealedCache, Unsealable>> {
        self.usable_until()?;
        let key = self.key.as_ref()?;
        let tickets = self.tickets.as_ref();
        let tickets = tickets.and_then(|tickets| tickets.encode().ok());
        let record = Record {
            user: self.user.clone(),
            prt: self.prt.as_ref().map(PrimaryRefreshToken::again),
            tickets: Secret::new(tickets.unwrap_or_default()),
            nt_hash: self
                .nt_hash
                .as_ref()
                .map(|hash| Secret::new(*hash.expose())),
            last_online: self.last_online,
            last_seen: self.last_seen,
        };
        let policy = OfflinePolicy {
            usable_for_s: self.usable_until.seconds_since(self.last_online),
            ..self.policy
        };
        Some(key.seal(&record, device, &policy, self.last_seen, entropy))
    }

    /// What the cloud gave: with it, the session begins anew.
    fn take(&mut self, signed: SignIn, now: Timestamp) {
        self.prt = Some(signed.prt);
        self.refreshed_at = now;
        self.last_online = now;
        self.usable_until = now.plus_seconds(self.policy.usable_for_s);
        self.standing = Standing::Good;
        match signed.ticket {
            Ok(partial) => {
                self.user.realm = Some(partial.realm().to_owned());
                self.partial = Some(partial);
                self.no_partial = None;
            }
            Err(why) => {
                self.partial = None;
                self.no_partial = Some(why.to_string());
            }
        }
    }

    /// The cloud's no: what only it could vouch for goes.
    fn end(&mut self, refusal: Refusal, why: String) {
        self.standing = Standing::Ended(refusal, why);
        self.prt = None;
        self.partial = None;
        self.nt_hash = None;
    }
}
