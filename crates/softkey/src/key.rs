//! The key itself: one authenticator, shared by every connection, one request at a time.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctap::Status;
use ctap::hid::{Channel, Identity, KeepaliveStatus, Message, capability};
use opensk::api::persist::{self, AttestationId, Persist, keys};
use opensk::ctap::status_code::Ctap2StatusCode;
use opensk::ctap::{Channel as OpenskChannel, CtapState};
use types::{Clock, Entropy};

use crate::attestation::{self, Attestation, AttestationAuthority};
use crate::environment::{Environment, Wire};
use crate::store::{StateError, Store};
use crate::touch::Touch;
use crate::{AAGUID, Error, without};

/// Wrong PINs that a key forgives.
const PIN_TRIES: u8 = 8;
/// CTAP 2.1, section 11.2.9.1.7 wants a keepalive at least every 100 ms.
const KEEPALIVE_EVERY: Duration = Duration::from_millis(100);
/// What the key says in its reply to INIT: it blinks, speaks CTAP2, and no U2F.
pub(crate) const IDENTITY: Identity = Identity {
    version: [0, 1, 0],
    capabilities: capability::WINK | capability::CBOR | capability::NO_MSG,
};

/// What a key needs from outside.
pub struct Options {
    clock: Arc<dyn Clock>,
    entropy: Box<dyn Entropy>,
    touch: Touch,
    attestation: Option<Attestation>,
    has_hmac_secret: bool,
}

impl Options {
    /// Touches are automatic; the attestation is made at the first start and kept.
    pub fn new(clock: Arc<dyn Clock>, entropy: Box<dyn Entropy>) -> Self {
        Self {
            clock,
            entropy,
            touch: Touch::Auto,
            attestation: None,
            has_hmac_secret: true,
        }
    }

    /// Whether the key knows hmac-secret. Without it it signs in, and cannot unlock anything without the cloud.
    #[must_use]
    pub fn hmac_secret(self, has_hmac_secret: bool) -> Self {
        Self {
            has_hmac_secret,
            ..self
        }
    }

    /// With another source of touches.
    #[must_use]
    pub fn touch(self, touch: Touch) -> Self {
        Self { touch, ..self }
    }

    /// With an attestation from a maker's root, in place of the one in the state file.
    #[must_use]
    pub fn attestation(self, attestation: Attestation) -> Self {
        Self {
            attestation: Some(attestation),
            ..self
        }
    }
}

/// What can be said of a key without its PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The model.
    pub aaguid: [u8; 16],
    /// Discoverable credentials in the file.
    pub credentials: usize,
    /// Whether a PIN is set.
    pub has_pin: bool,
    /// Wrong PINs that are still forgiven.
    pub pin_tries_left: u8,
}

/// A software key. Clones are handles to the same key.
#[derive(Clone)]
pub struct Softkey(Arc<Shared>);

struct Shared {
    /// Empty while a request is under way.
    core: Mutex<Option<Box<Core>>>,
    idle: Condvar,
    channels: AtomicU32,
    attestation_root: Vec<u8>,
    has_hmac_secret: bool,
}

struct Core {
    environment: Environment,
    state: CtapState<Environment>,
}

impl std::fmt::Debug for Softkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Softkey(..)")
    }
}

impl Softkey {
    /// Opens the key in a state file; makes an empty one where there is none.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        Self::start(Store::open(path)?, options)
    }

    /// A key that is gone with the process.
    pub fn in_memory(options: Options) -> Result<Self, Error> {
        Self::start(Store::in_memory(), options)
    }

    fn start(store: Store, options: Options) -> Result<Self, Error> {
        let Options {
            clock,
            entropy,
            touch,
            attestation,
            has_hmac_secret,
        } = options;
        let mut environment = Environment::new(store, clock, entropy, touch);
        prepare_attestation(&mut environment, attestation)?;
        environment.store.commit()?;
        let attestation_root = environment.store.attestation_root.clone();
        let state = CtapState::new(&mut environment);
        Ok(Self(Arc::new(Shared {
            core: Mutex::new(Some(Box::new(Core { environment, state }))),
            idle: Condvar::new(),
            channels: AtomicU32::new(1),
            attestation_root,
            has_hmac_secret,
        })))
    }

    /// The root certificate (DER) that a relying party must trust to accept this key's attestation.
    pub fn attestation_root(&self) -> &[u8] {
        &self.0.attestation_root
    }

    /// The same root as PEM text, as policies take it.
    pub fn attestation_root_pem(&self) -> String {
        attestation::pem(&self.0.attestation_root)
    }

    /// What can be said of the key without its PIN.
    pub fn info(&self) -> Summary {
        self.with_core(
            || (),
            |core| {
                let store = &core.environment.store;
                let is_credential = |key: &&usize| keys::CREDENTIALS.contains(*key);
                Summary {
                    aaguid: AAGUID,
                    credentials: store.entries.keys().filter(is_credential).count(),
                    has_pin: store.entries.contains_key(&keys::PIN_PROPERTIES),
                    pin_tries_left: PIN_TRIES
                        .saturating_sub(store.pin_fails().unwrap_or(PIN_TRIES)),
                }
            },
        )
    }

    /// Forgets credentials, PIN and secrets, but keeps the attestation. Unlike the reset that a platform
    /// can ask for, this works at any time.
    pub fn wipe(&self) -> Result<(), Error> {
        self.with_core(
            || (),
            |core| {
                let before = core.environment.store.entries.clone();
                if opensk::ctap::reset(&mut core.environment).is_err() {
                    core.environment.store.entries = before;
                    return Err(Error::Refused {
                        what: "be wiped",
                        status: Status::OTHER,
                    });
                }
                if let Err(error) = core.environment.store.commit() {
                    core.environment.store.entries = before;
                    return Err(error.into());
                }
                core.state = CtapState::new(&mut core.environment);
                Ok(())
            },
        )
    }

    /// Acts as if the key had been unplugged and plugged in again: three wrong PINs in a row and the
    /// seconds in which a reset is allowed are counted anew.
    pub fn replug(&self) {
        self.with_core(
            || (),
            |core| core.state = CtapState::new(&mut core.environment),
        );
    }

    /// A channel that no other connection has.
    pub(crate) fn allocate_channel(&self) -> Channel {
        let number = self.0.channels.fetch_add(1, Ordering::Relaxed);
        match Channel(number) {
            Channel::RESERVED | Channel::BROADCAST => self.allocate_channel(),
            channel => channel,
        }
    }

    /// Answers one CTAP2 request. The answer is given after the state is on disk.
    pub(crate) fn answer(&self, request: &Message, wire: &Arc<dyn Wire>) -> Vec<u8> {
        if self.0.has_hmac_secret {
            return self.answer_all(request, wire);
        }
        let heard = Message {
            payload: without::request(&request.payload),
            ..*request
        };
        without::reply(&request.payload, self.answer_all(&heard, wire))
    }

    fn answer_all(&self, request: &Message, wire: &Arc<dyn Wire>) -> Vec<u8> {
        let busy = || keepalive(request.channel, &**wire);
        self.with_core(busy, |core| {
            core.environment.wire = Some(Arc::clone(wire));
            let reply = core.answer(request);
            core.environment.wire = None;
            reply
        })
    }

    /// Waits for the core, calls `busy` now and then while it waits, and puts the core back.
    fn with_core<T>(&self, busy: impl Fn(), work: impl FnOnce(&mut Core) -> T) -> T {
        let mut slot = self.lock();
        let core = loop {
            if let Some(core) = slot.take() {
                break core;
            }
            let waited = self.0.idle.wait_timeout(slot, KEEPALIVE_EVERY);
            let (again, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
            slot = again;
            if outcome.timed_out() {
                drop(slot);
                busy();
                slot = self.lock();
            }
        };
        drop(slot);
        let mut core = core;
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut core)));
        *self.lock() = Some(core);
        self.0.idle.notify_one();
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Core>>> {
        // The lock is never held over foreign code, so a poisoned one guards a whole value.
        self.0.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// One request is one change of the file: it happens as a whole, or the key says that it did not.
    fn answer(&mut self, request: &Message) -> Vec<u8> {
        let before = self.environment.store.entries.clone();
        let channel = OpenskChannel::MainHid(request.channel.0.to_be_bytes());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.state
                .process_command(&mut self.environment, &request.payload, channel)
        }));
        let Ok(reply) = outcome else {
            // A fault of the authenticator: forget the half-done request, as a power cut would.
            self.environment.store.entries = before;
            self.state = CtapState::new(&mut self.environment);
            return vec![byte(Ctap2StatusCode::CTAP2_ERR_VENDOR_INTERNAL_ERROR)];
        };
        let reply = match std::mem::take(&mut self.environment.is_too_late) {
            true => vec![byte(Ctap2StatusCode::CTAP2_ERR_USER_ACTION_TIMEOUT)],
            false => reply,
        };
        if self.environment.store.entries == before {
            return reply;
        }
        match self.environment.store.commit() {
            Ok(()) => reply,
            Err(error) => {
                self.environment.store.entries = before;
                vec![refusal_of(&error)]
            }
        }
    }
}

/// The attestation that was handed in, else the one in the file, else a new one under a root of its own.
fn prepare_attestation(
    environment: &mut Environment,
    given: Option<Attestation>,
) -> Result<(), Error> {
    let refused = |_| Error::Refused {
        what: "take its attestation",
        status: Status::OTHER,
    };
    let stored = environment
        .store
        .get_attestation(AttestationId::Batch)
        .map_err(refused)?;
    let attestation = match (given, &stored) {
        (Some(given), _) => given,
        (None, Some(_)) => return Ok(()),
        (None, None) => {
            let now = environment.now();
            let authority = AttestationAuthority::new(environment.entropy(), now)?;
            authority.issue(environment.entropy(), now)?
        }
    };
    let store = &mut environment.store;
    if stored.is_some() {
        store
            .set_attestation(AttestationId::Batch, None)
            .map_err(refused)?;
    }
    let entry = persist::Attestation {
        wrapped_private_key: attestation.key.expose().to_vec(),
        certificate: attestation.certificate,
    };
    store
        .set_attestation(AttestationId::Batch, Some(&entry))
        .map_err(refused)?;
    store.attestation_root = attestation.root;
    Ok(())
}

fn keepalive(channel: Channel, wire: &dyn Wire) {
    let message = Message::keepalive(channel, KeepaliveStatus::PROCESSING);
    message
        .to_reports()
        .into_iter()
        .flatten()
        .for_each(|report| wire.send(&report));
}

fn refusal_of(error: &StateError) -> u8 {
    match error {
        StateError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
            byte(Ctap2StatusCode::CTAP2_ERR_KEY_STORE_FULL)
        }
        _ => byte(Ctap2StatusCode::CTAP2_ERR_VENDOR_HARDWARE_FAILURE),
    }
}

#[expect(
    clippy::as_conversions,
    reason = "opensk gives its status bytes no other way out"
)]
fn byte(status: Ctap2StatusCode) -> u8 {
    status as u8
}
