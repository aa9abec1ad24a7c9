//! How many connections there may be, in all and from one place, so that no client takes every seat.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// All seats of one listener.
#[derive(Debug, Clone)]
pub(super) struct Seats {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    total_max: usize,
    source_max: usize,
}

/// One seat, free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    source: IpAddr,
    seats: Seats,
}

impl Seats {
    pub(super) fn new(total_max: usize, source_max: usize) -> Self {
        Self {
            taken: Arc::default(),
            total_max,
            source_max,
        }
    }

    /// A seat for a client, if one is free.
    pub(super) fn take(&self, client: IpAddr) -> Option<Seat> {
        let source = source(client);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= self.total_max {
            return None;
        }
        let count = taken.entry(source).or_default();
        if *count >= self.source_max {
            return None;
        }
        *count += 1;
        drop(taken);
        let seats = self.clone();
        Some(Seat { source, seats })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let taken = &self.seats.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

/// A host has all of its IPv6 network's addresses to choose from.
fn source(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_takes_every_seat() {
        let seats = Seats::new(4, 2);
        let take = |text: &str| seats.take(text.parse().unwrap());
        let first = take("192.0.2.1").unwrap();
        let _second = take("::ffff:192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none(), "two of one place");
        let _third = take("2001:db8::1").unwrap();
        let _fourth = take("2001:db8::ffff:0:0:1").unwrap();
        assert!(take("2001:db8::2").is_none(), "the same network");
        assert!(take("192.0.2.2").is_none(), "four in all");
        drop(first);
        assert!(take("192.0.2.1").is_some());
    }
}
