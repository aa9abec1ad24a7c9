//! A real pcscd with vsmartcard's virtual reader, the software key lying on it, and unmodified python-fido2 over PC/SC:
//! ISO 7816 framing of the key, with PIN, resident keys and hmac-secret. Our own client, built with the feature `pcsc`,
//! speaks to the same reader. All of it in a network of its own.

mod softkey_served;

use std::path::Path;
use std::process::Command;

use softkey_served::judge;

/// A command that begins beside a pcscd with the software key of `state` on its reader.
fn with_pcscd(tombolo: &Path, state: &Path) -> Command {
    for program in ["pcscd", "unshare", "ip"] {
        conformance::peers::program(program);
    }
    let mut command = Command::new("sh");
    let script = conformance::peers::root().join("conformance/scripts/with_pcscd.sh");
    command.arg(script).arg(tombolo).arg(state);
    command
}

#[test]
fn a_key_on_a_reader_is_a_whole_key() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("key.json");
    judge(
        with_pcscd(&conformance::product::tombolo(), &state)
            .arg(conformance::peers::python())
            .arg(conformance::peers::root().join("conformance/scripts/fido2_pcsc_softkey.py")),
        "agreed: python-fido2 over pcscd",
    );
}

#[test]
fn our_own_client_speaks_to_a_reader() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("key.json");
    let tombolo = conformance::product::tombolo_with_pcsc();
    let script = r#"
        set -eu
        key() { "$0" key "$@" --reader 'Virtual PCD'; }
        export TOMBOLO_PIN=123456
        key info
        key set-pin
        key list
        TOMBOLO_PIN=654321 key list 2>&1 | grep 'wrong (7 tries are left)'
        key touch
        "$0" key info --reader 'No such' 2>&1 | grep 'there is no reader'
        key info | grep 'offline     yes'
    "#;
    judge(
        with_pcscd(&tombolo, &state)
            .args(["sh", "-c", script])
            .arg(&tombolo),
        "offline     yes, by hmac-secret",
    );
}
