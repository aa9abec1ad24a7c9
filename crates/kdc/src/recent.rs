//! What was asked lately: answers for retransmits, and authenticators that must not come twice.
//!
//! Both are maps from a SHA-256 to something that soon ends, in two generations: a full or old one is dropped as a
//! whole, so nobody can make them grow and nothing has to be swept.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use types::Timestamp;

type Hash = [u8; 32];

/// Answers by the bytes of their request, so that a retransmit costs nothing, counts nothing twice and gets the same
/// bytes over TCP that were too many for UDP.
#[derive(Debug)]
pub(crate) struct Lookaside(Generations<Vec<u8>>);

impl Lookaside {
    pub(crate) fn new() -> Self {
        Self(Generations::new(LOOKASIDE_S, LOOKASIDE_ENTRIES_MAX))
    }

    pub(crate) fn answer(&self, request: &RequestHash, now: Timestamp) -> Option<Vec<u8>> {
        self.0.find(&request.0, now)
    }

    pub(crate) fn keep(&self, request: RequestHash, answer: &[u8], now: Timestamp) {
        if answer.len() <= LOOKASIDE_ANSWER_BYTES_MAX {
            self.0.insert(request.0, answer.to_vec(), now);
        }
    }
}

/// A request as [`Lookaside`] knows it, hashed once for both questions.
pub(crate) struct RequestHash(Hash);

impl RequestHash {
    pub(crate) fn of(request: &[u8]) -> Self {
        Self(hash(request))
    }

    /// Of a request by its parts, each with its length before it.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

/// Authenticators that were seen, RFC 4120 3.2.3. Kept for twice the clock skew, since an authenticator may be that
/// early and that late.
#[derive(Debug)]
pub(crate) struct ReplayCache(Generations<()>);

impl ReplayCache {
    pub(crate) fn new(skew_s: i64) -> Self {
        Self(Generations::new(
            skew_s.saturating_mul(2),
            REPLAY_ENTRIES_MAX,
        ))
    }

    /// Whether this ciphertext was not here before; from now on it was.
    pub(crate) fn is_new(&self, authenticator: &[u8], now: Timestamp) -> bool {
        self.0.insert(hash(authenticator), (), now)
    }
}

/// What is being answered at this moment. It holds no more than there are threads that answer.
#[derive(Debug, Default)]
pub(crate) struct InProgress(Mutex<HashSet<Hash>>);

impl InProgress {
    /// None while somebody is at it; else it is the caller's until the guard goes.
    pub(crate) fn begin(&self, bytes: &[u8]) -> Option<Working<'_>> {
        let hash = hash(bytes);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(hash).then(|| Working { all: self, hash })
    }
}

/// Work that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Working<'a> {
    all: &'a InProgress,
    hash: Hash,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.hash);
    }
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

#[derive(Debug)]
struct Generations<V> {
    life_s: i64,
    entries_max: usize,
    inner: Mutex<Inner<V>>,
}

#[derive(Debug)]
struct Inner<V> {
    young: HashMap<Hash, V>,
    old: HashMap<Hash, V>,
    turned: Option<Timestamp>,
}

impl<V: Clone> Generations<V> {
    fn new(life_s: i64, entries_max: usize) -> Self {
        Self {
            life_s,
            entries_max,
            inner: Mutex::new(Inner {
                young: HashMap::new(),
                old: HashMap::new(),
                turned: None,
            }),
        }
    }

    fn find(&self, key: &Hash, now: Timestamp) -> Option<V> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn(&mut inner, now);
        inner.young.get(key).or_else(|| inner.old.get(key)).cloned()
    }

    /// False where it is there already.
    fn insert(&self, key: Hash, value: V, now: Timestamp) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn(&mut inner, now);
        if inner.old.contains_key(&key) || inner.young.contains_key(&key) {
            return false;
        }
        inner.young.insert(key, value);
        true
    }

    fn turn(&self, inner: &mut Inner<V>, now: Timestamp) {
        let turned = *inner.turned.get_or_insert(now);
        let age_s = now.seconds_since(turned);
        if age_s < self.life_s && inner.young.len() < self.entries_max {
            return;
        }
        inner.old = std::mem::take(&mut inner.young);
        if age_s >= self.life_s.saturating_mul(2) {
            inner.old.clear();
        }
        inner.turned = Some(now);
    }
}

/// Clients repeat within seconds.
const LOOKASIDE_S: i64 = 30;
const LOOKASIDE_ENTRIES_MAX: usize = 8 * 1024;
const LOOKASIDE_ANSWER_BYTES_MAX: usize = 16 * 1024;
/// 64 bytes each: at most 128 MiB in both generations, which is 3500 TGS requests a second for ten minutes.
const REPLAY_ENTRIES_MAX: usize = 1 << 21;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_780_000_000 + seconds)
    }

    #[test]
    fn an_authenticator_comes_once_while_it_is_fresh() {
        let cache = ReplayCache::new(300);
        assert!(cache.is_new(b"a", at(0)));
        assert!(!cache.is_new(b"a", at(599)));
        assert!(!cache.is_new(b"a", at(601)), "the old generation remembers");
        assert!(cache.is_new(b"b", at(601)));
        assert!(cache.is_new(b"a", at(5000)));
    }

    #[test]
    fn answers_are_given_again_for_a_while() {
        let lookaside = Lookaside::new();
        lookaside.keep(RequestHash::of(b"request"), b"answer", at(0));
        let answer = |request, now| lookaside.answer(&RequestHash::of(request), now);
        assert_eq!(answer(b"request", at(29)).as_deref(), Some(&b"answer"[..]));
        assert_eq!(answer(b"other", at(29)), None);
        assert_eq!(answer(b"request", at(100)), None);
    }

    #[test]
    fn work_is_begun_again_when_it_ended() {
        let all = InProgress::default();
        let working = all.begin(b"a");
        assert!(working.is_some() && all.begin(b"b").is_some());
        assert!(all.begin(b"a").is_none());
        drop(working);
        assert!(all.begin(b"a").is_some());
    }

    #[test]
    fn a_flood_does_not_grow_it() {
        let generations = Generations::new(1000, 4);
        for n in 0..100_u8 {
            generations.insert([n; 32], (), at(i64::from(n)));
        }
        let inner = generations.inner.lock().unwrap();
        assert!(inner.young.len() + inner.old.len() <= 8);
    }
}
