//! Unmodified python-fido2 against the software key over its socket: PIN, attestation, discoverable
//! assertions with two salts under both PIN protocols, tampering, wrong PINs, and a restart in between.

#![expect(
    clippy::disallowed_methods,
    reason = "a judge's test is its own top floor"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod softkey_served;

use std::path::Path;
use std::process::Command;

use softkey_served::{ServedKey, judge};

fn phase(served: &ServedKey, phase: &str, state: &Path) {
    let root = state.with_file_name("root.pem");
    std::fs::write(&root, served.key.attestation_root_pem()).unwrap();
    judge(
        Command::new(conformance::peers::python())
            .arg(conformance::peers::root().join("conformance/scripts/fido2_softkey.py"))
            .args([phase, &served.address()])
            .args([state, &root]),
        &format!("agreed: {phase}"),
    );
}

#[test]
fn it_enrols_signs_and_finds_its_secrets_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("judge.json");
    phase(
        &ServedKey::in_file(&directory.path().join("key.json")),
        "enrol",
        &state,
    );
    phase(
        &ServedKey::in_file(&directory.path().join("key.json")),
        "again",
        &state,
    );
}
