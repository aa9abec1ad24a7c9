//! What `opensk` needs to run: clock, randomness, storage, touch and a way to say "still busy".

use std::sync::Arc;
use std::time::Duration;

use ctap::hid::Report;
use opensk::api::clock::Clock as OpenskClock;
use opensk::api::connection::{HidConnection, RecvStatus, UsbEndpoint};
use opensk::api::crypto::software_crypto::SoftwareCrypto;
use opensk::api::customization::{CustomizationImpl, DEFAULT_CUSTOMIZATION};
use opensk::api::key_store;
use opensk::api::rng::Rng;
use opensk::api::rng::rand_core::{CryptoRng, Error as RngError, RngCore};
use opensk::api::user_presence::{UserPresence, UserPresenceError, UserPresenceWaitResult};
use opensk::ctap::status_code::CtapResult;
use opensk::env::Env;
use types::{Clock, Entropy, Timestamp};

use crate::store::Store;
use crate::touch::{Answer, Touch};

/// Touches are waited for in steps of 100 ms for half a minute.
const WAITS_MAX: u32 = 300;

/// The connection that the request under way came from.
pub(crate) trait Wire: Send + Sync {
    /// Sends a keepalive; when it cannot be sent, the request is as good as cancelled.
    fn send(&self, report: &Report);
    /// Whether the platform gave the request up.
    fn is_cancelled(&self) -> bool;
}

pub(crate) struct Environment {
    pub(crate) store: Store,
    pub(crate) wire: Option<Arc<dyn Wire>>,
    clock: MonotonicClock,
    randomness: Randomness,
    touch: Touch,
    waits: u32,
    /// Nobody touched the key in time, which `opensk` has no word for.
    pub(crate) is_too_late: bool,
    customization: CustomizationImpl,
}

impl Environment {
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Box<dyn Entropy>,
        touch: Touch,
    ) -> Self {
        let customization = CustomizationImpl {
            use_batch_attestation: true,
            ..DEFAULT_CUSTOMIZATION
        };
        Self {
            store,
            wire: None,
            clock: MonotonicClock {
                latest: clock.now(),
                clock,
            },
            randomness: Randomness(entropy),
            touch,
            waits: 0,
            is_too_late: false,
            customization,
        }
    }

    pub(crate) fn entropy(&mut self) -> &mut dyn Entropy {
        &mut *self.randomness.0
    }

    pub(crate) fn now(&mut self) -> Timestamp {
        self.clock.now()
    }
}

impl Env for Environment {
    type Rng = Randomness;
    type UserPresence = Self;
    type Persist = Store;
    type KeyStore = Self;
    type Write = Silence;
    type Customization = CustomizationImpl;
    type HidConnection = Self;
    type Clock = MonotonicClock;
    type Crypto = SoftwareCrypto;

    fn rng(&mut self) -> &mut Randomness {
        &mut self.randomness
    }

    fn user_presence(&mut self) -> &mut Self {
        self
    }

    fn persist(&mut self) -> &mut Store {
        &mut self.store
    }

    fn key_store(&mut self) -> &mut Self {
        self
    }

    fn clock(&mut self) -> &mut MonotonicClock {
        &mut self.clock
    }

    fn write(&mut self) -> Silence {
        Silence
    }

    fn customization(&self) -> &CustomizationImpl {
        &self.customization
    }

    fn hid_connection(&mut self) -> &mut Self {
        self
    }

    fn boots_after_soft_reset(&self) -> bool {
        false
    }
}

/// The key store of `opensk` itself: master keys among the entries of the state file.
impl key_store::Helper for Environment {}

impl UserPresence for Environment {
    fn check_init(&mut self) {
        self.waits = 0;
    }

    fn wait_with_timeout(
        &mut self,
        _packet: &mut [u8; 64],
        timeout_ms: usize,
    ) -> UserPresenceWaitResult {
        let patience = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(100));
        let answer = self.touch.wait(patience);
        self.waits += 1;
        let cancelled = self.wire.as_ref().is_some_and(|wire| wire.is_cancelled());
        self.is_too_late = answer == Answer::NotYet && !cancelled && self.waits >= WAITS_MAX;
        let outcome = match answer {
            _ if cancelled => Err(UserPresenceError::Canceled),
            Answer::Touched => Ok(()),
            Answer::Declined => Err(UserPresenceError::Declined),
            // `opensk` asks again after a time-out, by its clock; a virtual clock may stand still.
            Answer::NotYet if self.is_too_late => Err(UserPresenceError::Declined),
            Answer::NotYet => Err(UserPresenceError::Timeout),
        };
        Ok((outcome, RecvStatus::Timeout))
    }

    fn check_complete(&mut self) {}
}

/// Only keepalives pass here; requests and replies have their own framing in `ctap::hid`.
impl HidConnection for Environment {
    fn send(&mut self, report: &[u8; 64], _endpoint: UsbEndpoint) -> CtapResult<()> {
        if let Some(wire) = &self.wire {
            wire.send(report);
        }
        Ok(())
    }

    fn recv(&mut self, _report: &mut [u8; 64], _timeout_ms: usize) -> CtapResult<RecvStatus> {
        Ok(RecvStatus::Timeout)
    }
}

/// Timers must never run backwards, though the clock on the wall may.
pub(crate) struct MonotonicClock {
    clock: Arc<dyn Clock>,
    latest: Timestamp,
}

/// When a timer is over; one that was never set is over.
#[derive(Default)]
pub(crate) struct Deadline(Option<Timestamp>);

impl MonotonicClock {
    fn now(&mut self) -> Timestamp {
        self.latest = self.latest.max(self.clock.now());
        self.latest
    }
}

impl OpenskClock for MonotonicClock {
    type Timer = Deadline;

    fn make_timer(&mut self, milliseconds: usize) -> Deadline {
        let ticks = i64::try_from(milliseconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(10_000);
        Deadline(Some(Timestamp::from_ticks(
            self.now().ticks().saturating_add(ticks),
        )))
    }

    fn is_elapsed(&mut self, timer: &Deadline) -> bool {
        timer.0.is_none_or(|end| self.now() >= end)
    }
}

pub(crate) struct Randomness(Box<dyn Entropy>);

impl RngCore for Randomness {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RngError> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl CryptoRng for Randomness {}
impl Rng for Randomness {}

/// Debug output of `opensk` goes nowhere: it would show requests.
pub(crate) struct Silence;

impl std::fmt::Write for Silence {
    fn write_str(&mut self, _text: &str) -> std::fmt::Result {
        Ok(())
    }
}
