//! A real pcscd with vsmartcard's virtual reader, the software key lying on it, and unmodified python-fido2 over PC/SC:
//! ISO 7816 framing of the key, with PIN, resident keys and hmac-secret. All of it in a network of its own.

mod softkey_served;

use std::process::Command;

use softkey_served::judge;

#[test]
fn a_key_on_a_reader_is_a_whole_key() {
    for program in ["pcscd", "unshare", "ip"] {
        conformance::peers::program(program);
    }
    let directory = tempfile::tempdir().unwrap();
    let root = conformance::peers::root();
    judge(
        Command::new("sh")
            .arg(root.join("conformance/scripts/with_pcscd.sh"))
            .arg(conformance::product::tombolo())
            .arg(directory.path().join("key.json"))
            .arg(conformance::peers::python())
            .arg(root.join("conformance/scripts/fido2_pcsc_softkey.py")),
        "agreed: python-fido2 over pcscd",
    );
}
