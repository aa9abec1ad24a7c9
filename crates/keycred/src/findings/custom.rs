//! CustomKeyInformation: what the specification asks of it.

use super::{Findings, section};
use crate::credential::KeyCredential;
use crate::numbers::KeyStrength;

pub(super) fn look(key: &KeyCredential<'_>, findings: &mut Findings) {
    let Some(info) = key.custom_key_information() else {
        return;
    };
    let length = info.0.len();
    match length {
        2 | 16.. => {}
        4 | 5 | 6 | 15 => findings.note(
            "custom-key-information-length",
            section::CUSTOM,
            format!("CustomKeyInformation has {length} bytes instead of 2 or at least 16; the cloud writes this length"),
        ),
        _ => findings.warning(
            "custom-key-information-length",
            section::CUSTOM,
            format!("CustomKeyInformation has {length} bytes, which no known writer does"),
        ),
    }
    if let Some(version) = info.version().filter(|version| *version != 1) {
        findings.warning(
            "custom-key-information-version",
            section::CUSTOM,
            format!("CustomKeyInformation of version {version} instead of 1"),
        );
    }
    match info.fek_version() {
        None | Some(1) => {}
        Some(0) => findings.note(
            "fek-version-zero",
            section::CUSTOM,
            "fekVersion is 0 instead of 1; the cloud writes 0",
        ),
        Some(other) => findings.warning(
            "fek-version",
            section::CUSTOM,
            format!("fekVersion is {other} instead of 1"),
        ),
    }
    if info.reserved().iter().any(|byte| *byte != 0) {
        findings.note(
            "reserved-not-zero",
            section::CUSTOM,
            "reserved bytes of CustomKeyInformation are in use",
        );
    }
    if info.key_strength() == Some(KeyStrength::WEAK) {
        findings.alarm(
            "key-strength-weak",
            None,
            "the writer itself calls this key weak",
        );
    }
    if !info.extended().1.is_empty() {
        findings.warning(
            "extended-information-broken",
            section::CUSTOM,
            "the extended part of CustomKeyInformation is cut",
        );
    }
}
