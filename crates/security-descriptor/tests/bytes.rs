//! Self-relative bytes: exact both ways, total on anything.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use proptest::prelude::*;
use security_descriptor::{
    AccessMask, Ace, AceBody, AceFlags, AceType, Acl, Domains, Malformed, ObjectTypes,
    SecurityDescriptor,
};
use types::{Guid, Sid};

/// Self-relative form of `O:DAG:DAD:(OA;CI;RPWP;5b47d60f...;;KA)` in domain S-1-5-21-1-2-3, in the order of Samba's
/// writer (owner, group, DACL), composed by hand from MS-DTYP 2.4.6.
fn sample() -> Vec<u8> {
    let sid = |rid: u8| {
        let mut bytes = vec![
            1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
        ];
        bytes.extend([rid, 2, 0, 0]);
        bytes
    };
    let mut bytes = vec![
        1, 0, 0x04, 0x80, 20, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 76, 0, 0, 0,
    ];
    bytes.extend(sid(0));
    bytes.extend(sid(0));
    bytes.extend([4, 0, 64, 0, 1, 0, 0, 0]);
    bytes.extend([5, 2, 56, 0, 0x30, 0, 0, 0, 1, 0, 0, 0]);
    bytes.extend([
        0x0f, 0xd6, 0x47, 0x5b, 0x90, 0x60, 0xb2, 0x40, 0x9f, 0x37, 0x2a, 0x4d, 0xe8, 0x8f, 0x30,
        0x63,
    ]);
    bytes.extend(sid(0x0e));
    bytes
}

#[test]
fn hand_made_bytes_read_as_sddl_and_write_back() {
    let domain: Sid = "S-1-5-21-1-2-3".parse().unwrap();
    let read = SecurityDescriptor::from_bytes(&sample()).unwrap();
    let text = read.to_sddl(Domains::single(&domain)).unwrap();
    assert_eq!(
        text,
        "O:DAG:DAD:(OA;CI;RPWP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;KA)"
    );
    assert_eq!(read.to_bytes().unwrap(), sample());
}

#[test]
fn slack_and_reserved_bytes_survive() {
    // A gap before the DACL, slack inside it, a resource manager byte, an odd revision, bytes at the end.
    let mut bytes = sample();
    bytes[1] = 0x55;
    bytes[16] = 80;
    bytes.splice(76..76, [9, 9, 9, 9]);
    bytes[80] = 3;
    bytes[82] = 68;
    bytes.extend([7, 7, 7, 7, 8]);
    let read = SecurityDescriptor::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes().unwrap(), bytes);
}

#[test]
fn unknown_entries_stay_and_decide_nothing() {
    let mut descriptor = SecurityDescriptor::from_bytes(&sample()).unwrap();
    let callback = Ace {
        flags: AceFlags::NONE,
        body: AceBody::Opaque {
            ace_type: AceType::ACCESS_ALLOWED_CALLBACK,
            data: vec![1; 40],
        },
    };
    descriptor
        .dacl
        .as_mut()
        .unwrap()
        .aces
        .push(callback.clone());
    let again = SecurityDescriptor::from_bytes(&descriptor.to_bytes().unwrap()).unwrap();
    assert_eq!(again.dacl.unwrap().aces[1], callback);
    assert!(
        descriptor
            .to_sddl(Domains::single(&Sid::nt(&[21])))
            .is_err()
    );
}

#[test]
fn broken_bytes_say_where() {
    let check = |change: &dyn Fn(&mut Vec<u8>), expect: &str| {
        let mut bytes = sample();
        change(&mut bytes);
        let error = SecurityDescriptor::from_bytes(&bytes).unwrap_err();
        assert_eq!(error.to_string(), expect);
    };
    check(
        &|b| b.truncate(10),
        "security descriptor header at byte 0 needs 20 bytes, but 10 are left",
    );
    check(&|b| b[0] = 2, "security descriptor revision 2 is unknown");
    check(&|b| b[3] = 0, "security descriptor is not self-relative");
    check(
        &|b| b.truncate(139),
        "ACL at byte 76 needs 64 bytes, but 63 are left",
    );
    check(
        &|b| b[78] = 4,
        "ACL at byte 76 claims 4 bytes, less than its own header",
    );
    check(
        &|b| b[80] = 2,
        "ACE at byte 140 needs 4 bytes, but 0 are left",
    );
    check(
        &|b| b[86] = 3,
        "ACE at byte 84 claims 3 bytes, less than its own header",
    );
    check(
        &|b| b[113] = 16,
        "SID at byte 112: a SID has at most 15 sub-authorities, not 16",
    );
    check(
        &|b| b[19] = 1,
        "part of the security descriptor at byte 16777292 needs 1 bytes, but 0 are left",
    );
    assert!(matches!(
        SecurityDescriptor::from_bytes(&vec![0; 300_000]),
        Err(Malformed::TooLong(300_000))
    ));
}

#[test]
fn a_list_that_does_not_fit_is_refused() {
    let ace = Ace::allow(Sid::nt(&[11]), AccessMask::READ_PROPERTY);
    let descriptor =
        SecurityDescriptor::new(Sid::nt(&[18]), Sid::nt(&[18]), Acl::new(vec![ace; 4000]));
    assert!(
        descriptor
            .to_bytes()
            .unwrap_err()
            .to_string()
            .contains("does not fit")
    );
}

prop_compose! {
    fn ace()(
        kind in 0u8..4,
        flags in any::<u8>(),
        mask in any::<u32>(),
        subs in proptest::collection::vec(any::<u32>(), 0..6),
        object in proptest::option::of((any::<Option<[u8; 16]>>(), any::<Option<[u8; 16]>>(), any::<u32>())),
        data in proptest::collection::vec(any::<u8>(), 0..20),
    ) -> Ace {
        let sid = Sid::nt(&subs);
        let mut ace = match kind {
            0 => Ace::allow(sid, AccessMask(mask)),
            1 => Ace::deny(sid, AccessMask(mask)),
            2 => Ace::audit(sid, AccessMask(mask)),
            _ => Ace { flags: AceFlags::NONE, body: AceBody::Opaque { ace_type: AceType(0x13), data: data.clone() } },
        };
        ace.flags = AceFlags(flags);
        if let AceBody::Entry(entry) = &mut ace.body {
            entry.trailing = data;
            entry.object = object.map(|(a, b, reserved)| ObjectTypes {
                object_type: a.map(Guid::from_bytes_le),
                inherited_object_type: b.map(Guid::from_bytes_le),
                reserved_flags: reserved & !3,
            });
        }
        ace
    }
}

proptest! {
    #[test]
    fn decode_after_encode(aces in proptest::collection::vec(ace(), 0..8), sacl in proptest::option::of(proptest::collection::vec(ace(), 0..4))) {
        let mut descriptor = SecurityDescriptor::new(Sid::nt(&[18]), Sid::nt(&[32, 544]), Acl::new(aces));
        descriptor.set_sacl(sacl.map(Acl::new));
        let bytes = descriptor.to_bytes().unwrap();
        let again = SecurityDescriptor::from_bytes(&bytes).unwrap();
        prop_assert_eq!(again.to_bytes().unwrap(), bytes);
        prop_assert_eq!(again, descriptor);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), edits in proptest::collection::vec((0usize..140, any::<u8>()), 0..4)) {
        let mut near = sample();
        for (at, byte) in edits {
            near[at] = byte;
        }
        for bytes in [bytes, near] {
            if let Ok(read) = SecurityDescriptor::from_bytes(&bytes) {
                let written = read.to_bytes().unwrap();
                prop_assert_eq!(SecurityDescriptor::from_bytes(&written).unwrap(), read);
            }
        }
    }
}
