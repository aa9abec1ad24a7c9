//! Token buckets: so many requests at once, so many a second.

use std::collections::HashMap;

use types::Timestamp;

use crate::config::Rate;

/// Buckets by name. Full ones are forgotten when there are many, since a new one is full as well.
#[derive(Debug)]
pub(crate) struct Buckets {
    rate: Rate,
    buckets: HashMap<String, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Ticks of 100 ns that the bucket is worth; one request costs `cost`.
    level: i64,
    filled: Timestamp,
}

impl Buckets {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: HashMap::new(),
        }
    }

    /// Takes one, or says in how many seconds there is one again.
    pub(crate) fn take(&mut self, name: &str, now: Timestamp) -> Result<(), u64> {
        self.take_if(name, now, true)
    }

    /// Whether there is one, without taking it.
    pub(crate) fn look(&mut self, name: &str, now: Timestamp) -> Result<(), u64> {
        self.take_if(name, now, false)
    }

    fn take_if(&mut self, name: &str, now: Timestamp, take: bool) -> Result<(), u64> {
        if self.buckets.len() >= BUCKETS_MAX {
            self.forget_full(now);
        }
        let (cost, full) = (self.cost(), self.full());
        let bucket = self.buckets.entry(name.to_owned()).or_insert(Bucket {
            level: full,
            filled: now,
        });
        *bucket = bucket.at(now, full);
        if bucket.level >= cost {
            if take {
                bucket.level -= cost;
            }
            return Ok(());
        }
        let missing = cost.saturating_sub(bucket.level);
        let seconds =
            missing.saturating_add(Timestamp::TICKS_PER_SECOND - 1) / Timestamp::TICKS_PER_SECOND;
        Err(u64::try_from(seconds).unwrap_or(1).max(1))
    }

    fn forget_full(&mut self, now: Timestamp) {
        let full = self.full();
        self.buckets
            .retain(|_, bucket| bucket.at(now, full).level < full);
        if self.buckets.len() >= BUCKETS_MAX {
            // So many half-empty buckets are an attack from many addresses; its memory is worth more than its memory
            // of us.
            self.buckets.clear();
        }
    }

    fn cost(&self) -> i64 {
        Timestamp::TICKS_PER_SECOND / i64::from(self.rate.per_second.max(1))
    }

    fn full(&self) -> i64 {
        self.cost()
            .saturating_mul(i64::from(self.rate.burst.max(1)))
    }
}

impl Bucket {
    fn at(self, now: Timestamp, full: i64) -> Self {
        let passed = now.ticks().saturating_sub(self.filled.ticks()).max(0);
        Self {
            level: self.level.saturating_add(passed).min(full),
            filled: now,
        }
    }
}

const BUCKETS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_trickle() {
        let mut buckets = Buckets::new(Rate {
            burst: 3,
            per_second: 1,
        });
        let start = Timestamp::from_unix_seconds(1_780_000_000);
        for _ in 0..3 {
            assert_eq!(buckets.take("a", start), Ok(()));
        }
        assert_eq!(buckets.take("a", start), Err(1));
        assert_eq!(buckets.look("a", start), Err(1));
        assert_eq!(
            buckets.take("b", start),
            Ok(()),
            "another name has its own bucket"
        );
        assert_eq!(buckets.take("a", start.plus_seconds(1)), Ok(()));
        assert_eq!(buckets.take("a", start.plus_seconds(1)), Err(1));
        assert_eq!(
            buckets.take("a", start),
            Err(1),
            "a clock that goes back gives nothing"
        );
        for _ in 0..3 {
            assert_eq!(buckets.take("a", start.plus_seconds(100)), Ok(()));
        }
        assert_eq!(buckets.take("a", start.plus_seconds(100)), Err(1));
    }

    #[test]
    fn memory_is_bounded() {
        let mut buckets = Buckets::new(Rate {
            burst: 3,
            per_second: 1,
        });
        let now = Timestamp::from_unix_seconds(1_780_000_000);
        for n in 0..3 * BUCKETS_MAX {
            let _ = buckets.take(&n.to_string(), now);
        }
        assert!(buckets.buckets.len() <= BUCKETS_MAX);
    }
}
