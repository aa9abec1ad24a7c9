//! How many passwords one address may try.
//!
//! Locking accounts stops whoever tries many passwords for one name; this stops whoever tries a few for many. Each
//! attempt is charged before the password is hashed and given back when it was right, so attempts at the same time
//! count as well. An address may be wrong some times in a row, and from then on at a slow rate.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use types::Timestamp;

/// Wrong passwords in a row before an address must wait.
const IN_A_ROW: i64 = 50;
/// How long one wrong password is remembered.
const EACH_S: i64 = 2;
/// Addresses that are told apart; the others share one account.
const ADDRESSES_MAX: usize = 10_000;

/// The account of every address.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<IpAddr, Timestamp>>);

impl Throttle {
    /// Charges an attempt; false where there were too many.
    pub(super) fn charge(&self, address: IpAddr, now: Timestamp) -> bool {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut address = whole(address);
        if debts.len() >= ADDRESSES_MAX && !debts.contains_key(&address) {
            debts.retain(|_, paid_at| now.seconds_since(*paid_at) < 0);
            if debts.len() >= ADDRESSES_MAX {
                address = EVERYBODY_ELSE;
            }
        }
        let paid_at = debts.entry(address).or_insert(now);
        if now.seconds_since(*paid_at) > 0 {
            *paid_at = now;
        }
        if paid_at.seconds_since(now) > (IN_A_ROW - 1) * EACH_S {
            return false;
        }
        *paid_at = paid_at.plus_seconds(EACH_S);
        true
    }

    /// Gives back the charge of a right password.
    pub(super) fn give_back(&self, address: IpAddr) {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(paid_at) = debts.get_mut(&whole(address)) {
            *paid_at = paid_at.plus_seconds(-EACH_S);
        }
    }
}

const EVERYBODY_ELSE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// One machine has as many addresses of version 6 as it likes, all in one network of 64 bits.
fn whole(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_780_000_000 + seconds)
    }

    #[test]
    fn an_address_that_is_always_wrong_must_wait_and_others_need_not() {
        let throttle = Throttle::default();
        let (bad, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let tries = |now| (0..100).filter(|_| throttle.charge(bad, now)).count();
        assert_eq!(tries(at(0)), 50);
        assert_eq!(tries(at(2)), 1);
        assert_eq!(tries(at(20)), 9);
        assert_eq!(tries(at(10_000)), 50);
        assert!(throttle.charge(other, at(0)));
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let throttle = Throttle::default();
        let address = [192, 0, 2, 1].into();
        for _ in 0..1000 {
            assert!(throttle.charge(address, at(0)));
            throttle.give_back(address);
        }
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let throttle = Throttle::default();
        for number in 0..20_000_u32 {
            throttle.charge(IpAddr::V4(number.into()), at(0));
        }
        assert!(throttle.0.lock().unwrap().len() <= ADDRESSES_MAX + 1);
        assert!(
            !throttle.charge([203, 0, 113, 1].into(), at(1)),
            "all others"
        );
        assert!(throttle.charge([203, 0, 113, 1].into(), at(100_000)));
        let network = |last: u16| IpAddr::from([0x2001, 0xDB8, 0, 0, 0, 0, 0, last]);
        let tries = (0..100).filter(|last| throttle.charge(network(*last), at(200_000)));
        assert_eq!(tries.count(), 50);
    }
}
