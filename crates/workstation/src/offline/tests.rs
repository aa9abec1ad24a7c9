use proptest::prelude::*;
use types::{Guid, Secret, SeededEntropy, Sid, Timestamp};

use super::*;
use crate::device::Device;
use crate::policy::{NtHashPolicy, OfflinePolicy};
use crate::{Seal, SealError};

fn at(days: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_780_000_000 + days * 86_400)
}

fn device(seed: u64) -> Device {
    let id = Guid::from_bytes_be([7; 16]);
    Device::new(id, at(0), &mut SeededEntropy::new(seed))
}

fn output(octet: u8) -> Secret<[u8; 32]> {
    Secret::new([octet; 32])
}

fn record() -> Record {
    Record {
        user: User {
            sid: Some(Sid::nt(&[21, 1, 2, 3, 1104])),
            user_principal_name: "testuser@corp.contoso.com".to_owned(),
            account: Some("testuser".to_owned()),
            realm: Some("CORP.CONTOSO.COM".to_owned()),
            groups: vec![Sid::nt(&[21, 1, 2, 3, 513])],
        },
        prt: Some(PrimaryRefreshToken {
            token: Secret::new("1.AA.token".to_owned()),
            session_key: Secret::new([9; 32]),
            expires: at(14),
        }),
        tickets: Secret::new(vec![5, 4, 0, 0]),
        nt_hash: Some(Secret::new([3; 16])),
        last_online: at(0),
        last_seen: at(0),
    }
}

fn seal(
    device: &Device,
    record: &Record,
    policy: &OfflinePolicy,
    now: Timestamp,
    seed: u64,
) -> SealedCache {
    let new = NewCache {
        rp_id_hash: [1; 32],
        credential_id: b"credential",
        public_key: b"key",
        display_name: "Test User",
        salt: *device.salt(),
        record,
    };
    new.seal(
        &output(1),
        device,
        policy,
        now,
        &mut SeededEntropy::new(seed),
    )
    .unwrap()
}

fn sealed_by(device: &Device, policy: &OfflinePolicy) -> SealedCache {
    seal(device, &record(), policy, at(0), 40)
}

fn sealed(device: &Device) -> SealedCache {
    sealed_by(device, &OfflinePolicy::default())
}

fn read(cache: &SealedCache) -> OfflineCache {
    OfflineCache::read(&cache.bytes).unwrap()
}

#[test]
fn the_right_key_on_the_right_device_opens_it() {
    let device = device(1);
    let cache = read(&sealed(&device));
    assert_eq!(cache.header().display_name, "Test User");
    assert_eq!(cache.header().salt, *device.salt());
    let unlocked = cache.unlock(&output(1), &device, at(1)).unwrap();
    let record = unlocked.record;
    assert_eq!(record.user, self::record().user);
    let prt = record.prt.unwrap();
    assert_eq!(prt.token.expose(), "1.AA.token");
    assert_eq!(prt.session_key.expose(), &[9; 32]);
    assert_eq!(record.tickets.expose(), &[5, 4, 0, 0]);
    assert!(unlocked.notices.is_empty());
}

#[test]
fn nothing_else_opens_it() {
    let owner = device(1);
    let cache = read(&sealed(&owner));
    let refused = |output: &Secret<[u8; 32]>, device: &Device, now| {
        cache.unlock(output, device, now).map(drop).unwrap_err()
    };
    // Another key, or the same key without user verification, gives another output.
    assert_eq!(refused(&output(2), &owner, at(1)), Refused::DoesNotOpen);
    // The same device id with another secret: the sealed state was lost and made anew.
    assert_eq!(refused(&output(1), &device(2), at(1)), Refused::DoesNotOpen);
    let other = Device::new(
        Guid::from_bytes_be([8; 16]),
        at(0),
        &mut SeededEntropy::new(1),
    );
    assert_eq!(refused(&output(1), &other, at(1)), Refused::OtherDevice);
    assert_eq!(
        refused(&output(1), &owner, at(30)),
        Refused::Ended { ago_s: 0 }
    );
}

#[test]
fn an_old_copy_does_not_open() {
    let mut device = device(1);
    let first = sealed(&device);
    device.wrote(first.credential, first.number);
    let second = sealed(&device);
    // The write of the second may still fail: until the device is told, the first opens.
    assert!(read(&first).unlock(&output(1), &device, at(1)).is_ok());
    device.wrote(second.credential, second.number);
    assert!(read(&second).unlock(&output(1), &device, at(1)).is_ok());
    let refused = read(&first).unlock(&output(1), &device, at(1)).unwrap_err();
    assert_eq!(
        refused,
        Refused::OldCopy {
            found: 1,
            newest: 2
        }
    );
    device.destroyed(second.credential);
    assert!(read(&second).unlock(&output(1), &device, at(1)).is_err());
}

#[test]
fn a_clock_that_was_set_back_buys_no_time() {
    let device = device(1);
    let unlock = |last_seen, now| {
        let mut record = record();
        record.last_seen = last_seen;
        let sealed = seal(&device, &record, &OfflinePolicy::default(), at(1), 40);
        read(&sealed).unlock(&output(1), &device, now)
    };
    let by_s = 27 * 86_400;
    let unlocked = unlock(at(29), at(2)).unwrap();
    assert_eq!(unlocked.notices, [Notice::ClockWentBack { by_s }]);
    let refused = unlock(at(31), at(2)).unwrap_err();
    assert_eq!(refused, Refused::Ended { ago_s: 86_400 });
}

#[test]
fn the_hash_is_kept_by_policy_only() {
    let device = device(1);
    for (nt_hash, kept) in [
        (NtHashPolicy::Never, false),
        (NtHashPolicy::Session, false),
        (NtHashPolicy::Sealed, true),
    ] {
        let policy = OfflinePolicy {
            nt_hash,
            ..OfflinePolicy::default()
        };
        let cache = read(&sealed_by(&device, &policy));
        let unlocked = cache.unlock(&output(1), &device, at(1)).unwrap();
        assert_eq!(unlocked.record.nt_hash.is_some(), kept, "{nt_hash:?}");
    }
}

#[test]
fn two_writes_share_no_key() {
    let device = device(1);
    let policy = OfflinePolicy::default();
    let [one, other] = [1, 2].map(|seed| seal(&device, &record(), &policy, at(0), seed).bytes);
    assert_eq!(one.len(), other.len());
    assert_ne!(one.last_chunk::<32>(), other.last_chunk::<32>());
}

#[test]
fn what_is_no_cache_is_told() {
    let bytes = sealed(&device(1)).bytes;
    let read = |bytes: &[u8]| OfflineCache::read(bytes).unwrap_err();
    assert_eq!(read(b""), Malformed::NotACache);
    assert_eq!(read(b"TOMBOLO-ONLINE\0\0"), Malformed::NotACache);
    let mut later = bytes.clone();
    later[16] = 2;
    assert_eq!(read(&later), Malformed::Version(2));
    assert_eq!(read(&bytes[..40]), Malformed::Damaged { at: 21 });
    let mut long = bytes;
    long[17] = 0xFF;
    assert_eq!(read(&long), Malformed::Damaged { at: 17 });
}

struct Xor(u8);

impl Seal for Xor {
    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(plain.iter().map(|octet| octet ^ self.0).collect())
    }

    fn unseal(&self, sealed: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError> {
        Ok(zeroize::Zeroizing::new(self.seal(sealed)?))
    }
}

#[test]
fn a_sealed_device_comes_back_with_its_memory() {
    let mut first = device(1);
    let cache = sealed(&first);
    first.wrote(cache.credential, cache.number);
    let bytes = first.seal(&Xor(1)).unwrap();
    let back = Device::unseal(&bytes, &Xor(1)).unwrap();
    assert!(read(&cache).unlock(&output(1), &back, at(1)).is_ok());
    assert_eq!(back.next_number(&cache.credential), 2);
    assert_eq!(
        Device::unseal(&bytes, &Xor(2)).unwrap_err(),
        SealError::NotOurs
    );
    assert_eq!(
        Device::unseal(&bytes[..20], &Xor(1)).unwrap_err(),
        SealError::NotOurs
    );
}

proptest! {
    /// Any bytes give a cache or an error, and a changed byte never opens.
    #[test]
    fn a_changed_file_never_opens(at_byte in 0_usize..600, flip in 1_u8..=255) {
        let device = device(1);
        let mut bytes = sealed(&device).bytes;
        let index = at_byte % bytes.len();
        bytes[index] ^= flip;
        if let Ok(cache) = OfflineCache::read(&bytes) {
            prop_assert!(cache.unlock(&output(1), &device, at(1)).is_err());
        }
    }

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = OfflineCache::read(&bytes);
        let mut with_front = b"TOMBOLO-OFFLINE\0\x01\0\0\0".to_vec();
        with_front.extend(bytes);
        let _ = OfflineCache::read(&with_front);
    }
}
