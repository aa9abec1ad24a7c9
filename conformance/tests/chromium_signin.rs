//! A real browser on the sign-in page: Chromium with its virtual security key registers at the cloud, signs in for an
//! application by code with PKCE, and is refused without user verification and after its key was removed.

#![allow(
    clippy::unwrap_used,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use conformance::{Said, peers, product};

#[test]
fn chromium_signs_in() {
    let folder = tempfile::tempdir().unwrap();
    let script = peers::root().join("conformance/scripts/chromium_sign_in.py");
    let words = [peers::python(), script, peers::program("chromium")];
    let words: Vec<String> = words
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let line = format!("exec {} {}", words.join(" "), folder.path().display());
    let said = Said::of(&mut product::in_lab(&[], &line), "").well();
    assert!(said.contains("agreed: Chromium signs in"), "{said}");
}
