//! Controls as clients send them, and that each reads what it wrote.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not take for tests"
)]

use ldap::controls::{
    self, DirSyncFlags, DirSyncRequest, DirSyncResponse, ExtendedDn, PagedResults, SdFlags,
    SearchOptions, SortKey,
};
use ldap::{Control, RequestControl};

fn check(control: &Control, expect: &RequestControl) {
    assert_eq!(
        &RequestControl::parse(control).unwrap(),
        expect,
        "{control:?}"
    );
}

#[test]
fn controls_read_what_they_wrote() {
    let paged = PagedResults {
        size: 1000,
        cookie: vec![1, 2, 0xFF],
    };
    check(&paged.to_control(), &RequestControl::PagedResults(paged));
    check(
        &SdFlags(7).to_control(),
        &RequestControl::SdFlags(SdFlags(7)),
    );
    check(
        &ExtendedDn::Hex.to_control(),
        &RequestControl::ExtendedDn(ExtendedDn::Hex),
    );
    check(
        &ExtendedDn::Text.to_control(),
        &RequestControl::ExtendedDn(ExtendedDn::Text),
    );
    check(
        &Control::new(controls::EXTENDED_DN),
        &RequestControl::ExtendedDn(ExtendedDn::Hex),
    );
    let options = SearchOptions::PHANTOM_ROOT;
    check(
        &options.to_control(),
        &RequestControl::SearchOptions(options),
    );
    let flags = DirSyncFlags::OBJECT_SECURITY | DirSyncFlags::INCREMENTAL_VALUES;
    let sync = DirSyncRequest {
        flags,
        bytes_max: 1 << 20,
        cookie: b"MSDS".to_vec(),
    };
    check(&sync.to_control(), &RequestControl::DirSync(sync));
    let key = SortKey {
        attribute: "cn".to_owned(),
        rule: None,
        reverse: true,
    };
    let keys = vec![key];
    check(
        &SortKey::to_control(&keys),
        &RequestControl::Sort(keys.clone()),
    );
    check(&Control::new("1.2.3"), &RequestControl::Unknown);
    check(
        &Control::new(controls::SHOW_DEACTIVATED_LINK),
        &RequestControl::ShowDeactivatedLink,
    );
    let done = DirSyncResponse {
        more: true,
        cookie: vec![9],
    };
    let value = done.to_control().value.unwrap();
    assert_eq!(DirSyncResponse::decode(&value).unwrap(), done);
}

#[test]
fn flags_are_read_signed_and_unsigned() {
    // INCREMENTAL_VALUES is bit 31: ldap3 sends a negative number, others five octets.
    let negative = [0x30, 12, 2, 4, 0x80, 0, 0, 1, 2, 2, 0x7F, 0xFF, 4, 0];
    let five = [0x30, 13, 2, 5, 0, 0x80, 0, 0, 1, 2, 2, 0x7F, 0xFF, 4, 0];
    for value in [&negative[..], &five[..]] {
        let read = DirSyncRequest::decode(value).unwrap();
        assert_eq!(read.flags.0, 0x8000_0001);
    }
}

#[test]
fn values_that_cannot_be_read_are_errors() {
    for oid in [
        controls::PAGED_RESULTS,
        controls::SD_FLAGS,
        controls::SEARCH_OPTIONS,
        controls::DIR_SYNC,
        controls::SORT_REQUEST,
        controls::VERIFY_NAME,
    ] {
        assert!(RequestControl::parse(&Control::new(oid)).is_err(), "{oid}");
        let garbage = Control::new(oid).with_value(vec![0x30, 0x84, 0xFF]);
        assert!(RequestControl::parse(&garbage).is_err(), "{oid}");
    }
}
