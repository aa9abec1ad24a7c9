//! Unmodified fido2-token, fido2-cred and fido2-assert of libfido2 against the software key behind a character device:
//! hmac-secret with and without verification, several accounts, credential management. `tombolo key` speaks to the same
//! device, so that each sees what the other has changed.

mod softkey_served;

use std::process::Command;

use softkey_served::{ServedKey, judge};

#[test]
fn the_tools_and_our_client_agree_on_one_device() {
    conformance::peers::program("fido2-token");
    let served = ServedKey::in_memory();
    judge(
        Command::new(conformance::peers::python())
            .arg(conformance::peers::root().join("conformance/scripts/fido2_tools_softkey.py"))
            .arg(served.address())
            .arg(conformance::product::tombolo()),
        "agreed: fido2-tools",
    );
    assert_eq!(served.key.info().credentials, 0);
}
