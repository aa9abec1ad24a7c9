//! How many PKINIT requests one source may have worked on in a second: each costs a hundred times what a password does.
//!
//! A bucket of tokens for each address (for IPv6 each /64, which one subscriber has). Memory is bounded: when the table is
//! full it starts anew, which lets a flood of forged sources have a burst again, and no more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use types::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct SourceLimit {
    buckets: Mutex<HashMap<u64, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: u32,
    filled: Timestamp,
}

impl SourceLimit {
    /// Takes one of the source's `per_second` tokens; its bucket holds those of four seconds.
    pub(crate) fn may(&self, source: IpAddr, per_second: u32, now: Timestamp) -> bool {
        let most = per_second.saturating_mul(BURST_S);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = network(source);
        if buckets.len() >= SOURCES_MAX && !buckets.contains_key(&key) {
            buckets.clear();
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: most,
            filled: now,
        });
        let passed_s = now.seconds_since(bucket.filled);
        if passed_s != 0 {
            // A clock that was set back gives nothing and takes nothing.
            let passed_s = u32::try_from(passed_s.max(0)).unwrap_or(u32::MAX);
            let earned = passed_s.saturating_mul(per_second);
            bucket.tokens = bucket.tokens.saturating_add(earned).min(most);
            bucket.filled = now;
        }
        match bucket.tokens.checked_sub(1) {
            Some(rest) => {
                bucket.tokens = rest;
                true
            }
            None => false,
        }
    }
}

/// An IPv4 address, or the upper half of an IPv6 one. The first 32 bits of an IPv6 network are never 0.
fn network(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).unwrap_or(u64::MAX),
    }
}

const BURST_S: u32 = 4;
/// 32 bytes each.
const SOURCES_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_780_000_000 + seconds)
    }

    #[test]
    fn a_source_has_a_burst_and_then_its_rate() {
        let limit = SourceLimit::default();
        let source: IpAddr = "192.0.2.1".parse().unwrap();
        let taken = (0..100).filter(|_| limit.may(source, 5, at(0))).count();
        assert_eq!(taken, 20);
        let taken = (0..100).filter(|_| limit.may(source, 5, at(1))).count();
        assert_eq!(taken, 5);
        assert!(limit.may("192.0.2.2".parse().unwrap(), 5, at(1)));
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_source() {
        let limit = SourceLimit::default();
        for n in 0..20 {
            let source = format!("2001:db8::{n:x}").parse().unwrap();
            assert!(limit.may(source, 5, at(0)));
        }
        assert!(!limit.may("2001:db8::ffff".parse().unwrap(), 5, at(0)));
        assert!(limit.may("2001:db8:0:1::1".parse().unwrap(), 5, at(0)));
    }

    #[test]
    fn a_flood_of_sources_does_not_grow_it() {
        let limit = SourceLimit::default();
        for n in 0..(1_u32 << 17) {
            limit.may(IpAddr::V4(std::net::Ipv4Addr::from_bits(n)), 5, at(0));
        }
        assert!(limit.buckets.lock().unwrap().len() <= SOURCES_MAX);
    }
}
