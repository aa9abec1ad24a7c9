//! Unmodified libfido2, through its C interface with its own I/O functions replaced by a socket: PIN,
//! registration verified with its certificate, assertions with 64 bytes of salt, credential management.

mod softkey_served;

use std::process::Command;

use softkey_served::{ServedKey, judge};

#[test]
fn it_registers_verifies_and_gets_the_secrets() {
    // The tools come with the library; the library alone is not on the PATH.
    conformance::peers::program("fido2-token");
    let served = ServedKey::in_memory();
    judge(
        Command::new(conformance::peers::python())
            .arg(conformance::peers::root().join("conformance/scripts/libfido2_softkey.py"))
            .args(["libfido2.so.1", &served.address()]),
        "agreed: libfido2",
    );
    assert_eq!(served.key.info().credentials, 1);
}
