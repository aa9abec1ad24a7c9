//! A small memory of secrets that end by themselves: codes, sign-ins that have begun.
//!
//! It lives as long as the process. What is forgotten by a restart must be begun anew, which costs the user a touch.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use types::Timestamp;

/// More than this at a time are an attack: nothing more is taken until some have ended.
const ENTRIES_MAX: usize = 1 << 16;

pub(crate) struct Expiring<T>(Mutex<HashMap<String, (Timestamp, T)>>);

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Expiring<T> {
    /// Keeps a value; false where there is no room.
    pub(crate) fn keep(&self, name: &str, value: T, ends: Timestamp, now: Timestamp) -> bool {
        let mut entries = self.lock();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, (ends, _)| *ends > now);
        }
        let has_room = entries.len() < ENTRIES_MAX;
        if has_room {
            entries.insert(name.to_owned(), (ends, value));
        }
        has_room
    }

    /// Takes a value out, so that it works once.
    pub(crate) fn take(&self, name: &str, now: Timestamp) -> Option<T> {
        let (ends, value) = self.lock().remove(name)?;
        (now < ends).then_some(value)
    }

    /// Looks at a value, or changes it.
    pub(crate) fn with<R>(
        &self,
        name: &str,
        now: Timestamp,
        work: impl FnOnce(&mut T) -> R,
    ) -> Option<R> {
        let mut entries = self.lock();
        let (ends, value) = entries.get_mut(name)?;
        (now < *ends).then(|| work(value))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Timestamp, T)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_once_and_end() {
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let memory = Expiring::default();
        assert!(memory.keep("a", 1, now.plus_seconds(10), now));
        assert!(memory.keep("b", 2, now.plus_seconds(10), now));
        assert_eq!(memory.with("a", now, |value| *value), Some(1));
        assert_eq!(memory.take("a", now), Some(1));
        assert_eq!(memory.take("a", now), None);
        assert_eq!(memory.take("b", now.plus_seconds(10)), None);
    }
}
