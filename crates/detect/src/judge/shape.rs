//! What a value looks like, and what its length tells where it is hidden.
//!
//! Shapes raise the cost of a forgery and prove nothing: whoever knows them can copy them. The rules that decide
//! are about the writer, the receipts and the cloud.

use keycred::fingerprint::{self, Context, Likely, ObjectKind, Writer, WriterKind};
use keycred::{Blob, KeyCredential, KeyIdCheck, KeyMaterial, KeySource, KeyUsage, Malformed};

use super::case::Case;
use crate::reason::{self, Reason};
use crate::sighting::dn_key;
use crate::verdict::KeyFacts;

pub(super) fn reasons(
    case: &Case<'_>,
    blob: Option<&Result<Blob<'_>, Malformed>>,
    key: Option<&KeyCredential<'_>>,
) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = dn_part(case).into_iter().collect();
    match (blob, key) {
        (Some(Err(error)), _) => {
            reasons.push(
                reason::VALUE_UNREADABLE.because(format!("the value cannot be read: {error}")),
            );
        }
        (_, Some(key)) => {
            reasons.extend(soundness(case, key));
            reasons.extend(writer_of(case, key));
        }
        _ => reasons.extend(length(case)),
    }
    reasons
}

/// What people want to know of a key.
pub(super) fn facts(case: &Case<'_>, key: &KeyCredential<'_>) -> KeyFacts {
    let material = key.material().and_then(Result::ok);
    let likely = fingerprint::writers(key.blob(), context(case));
    KeyFacts {
        key_id: data_encoding::HEXLOWER.encode(key.key_id().unwrap_or_default()),
        usage: key.usage().map(|usage| usage.label().to_string()),
        source: key.source().map(KeySource::label),
        device_id: key.device_id(),
        created: key
            .created()
            .and_then(|time| time.moment())
            .map(|moment| moment.to_string()),
        material: material.map(|material| material.format().to_owned()),
        shaped_by: likely
            .iter()
            .map(|likely| likely.writer.name().to_owned())
            .collect(),
    }
}

fn context(case: &Case<'_>) -> Context {
    Context {
        object: object_kind(case),
        ..Context::default()
    }
}

fn object_kind(case: &Case<'_>) -> Option<ObjectKind> {
    let class = case.sighting.object.class.as_deref()?;
    if case.sighting.is_computer() {
        Some(ObjectKind::Computer)
    } else if case.sighting.is_user() {
        Some(ObjectKind::User)
    } else {
        class
            .eq_ignore_ascii_case("msDS-Device")
            .then_some(ObjectKind::Device)
    }
}

/// The name inside the value follows the object's renames, so it is the object's.
fn dn_part(case: &Case<'_>) -> Option<Reason> {
    let inside = case.sighting.value.dn.as_deref()?;
    let object = case.sighting.object.dn.as_str();
    (dn_key(inside) != dn_key(object)).then(|| {
        reason::DN_PART_DIFFERS.because(format!(
            "the value names {inside}, and the object is {object}"
        ))
    })
}

fn soundness(case: &Case<'_>, key: &KeyCredential<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if key.key_hash_check() == keycred::HashCheck::Differs {
        reasons.push(
            reason::KEY_HASH_DIFFERS.because("KeyHash is not the hash of the entries after it"),
        );
    }
    if let Some(id) = repeated(key.blob()) {
        reasons.push(reason::ENTRY_REPEATED.because(format!(
            "entry {id} is there more than once, so two readers may see two keys"
        )));
    }
    if key.key_id_check() == KeyIdCheck::Differs {
        reasons.push(reason::KEY_ID_DIFFERS.because("KeyID does not belong to the key material"));
    }
    let created = key.created().and_then(|time| time.moment());
    if let (Some(created), Some(time)) = (created, case.sighting.time)
        && created.seconds_since(time) > 3600
    {
        reasons.push(reason::CREATED_IN_FUTURE.because(format!(
            "the key says it was made at {created}, after it was written"
        )));
    }
    if matches!(key.usage(), Some(usage) if usage != KeyUsage::NGC) {
        let usage = key
            .usage()
            .map(|usage| usage.label().to_string())
            .unwrap_or_default();
        reasons.push(reason::NOT_FOR_KERBEROS.because(format!(
            "a domain controller validates NGC keys alone; this one is {usage}"
        )));
    }
    reasons
}

/// The first entry id that occurs more than once.
pub(super) fn repeated(blob: &Blob<'_>) -> Option<u8> {
    let mut seen = std::collections::HashSet::new();
    blob.entries()
        .map(|entry| entry.id.0)
        .find(|id| !seen.insert(*id))
}

fn writer_of(case: &Case<'_>, key: &KeyCredential<'_>) -> Vec<Reason> {
    if case.sighting.is_computer() {
        return computer_key(case, key).into_iter().collect();
    }
    let likely = fingerprint::writers(key.blob(), context(case));
    let mut reasons: Vec<Reason> = fingerprinted(&likely).into_iter().collect();
    if key.source() != Some(KeySource::AZURE_AD) {
        reasons.extend(ground_key(case, key));
    }
    reasons
}

/// What the shape says, where it says anything: a shape that a product shares with a tool says nothing.
fn fingerprinted(likely: &[Likely]) -> Option<Reason> {
    let best = likely.first()?;
    let signs = best.reasons.join(", ");
    let has = |wanted: Writer| likely.iter().any(|likely| likely.writer == wanted);
    if has(Writer::ForgedCloudKey) {
        return Some(reason::CLOUD_SOURCE_FORGED.because(format!(
            "the value was made to look like the cloud's: {signs}"
        )));
    }
    let names: Vec<&str> = likely.iter().map(|likely| likely.writer.name()).collect();
    let is_all = |kind: WriterKind| likely.iter().all(|likely| likely.writer.kind() == kind);
    if has(Writer::CloudSync) && is_all(WriterKind::Platform) {
        return Some(reason::SHAPE_OF_SYNC.because(format!("shaped as the sync writes: {signs}")));
    }
    if is_all(WriterKind::Attack) {
        let names = names.join(" or ");
        return Some(reason::SHAPE_OF_TOOL.because(format!("shaped as {names} writes: {signs}")));
    }
    Some(reason::AMBIGUOUS_SHAPE.because(format!(
        "the bytes fit {}, so they tell nothing",
        names.join(" and ")
    )))
}

/// A value that says it was registered on the ground, or does not say.
fn ground_key(case: &Case<'_>, key: &KeyCredential<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if case.connector().is_some() {
        reasons.push(reason::CONNECTOR_WROTE_AD_SOURCE.because(
            "the sync writes keys of the cloud alone, and this one says it is from the ground",
        ));
    }
    let information = key
        .custom_key_information()
        .map(|information| information.0);
    if case.sighting.is_user() && information == Some(&[1, 2]) && key.last_logon().is_none() {
        reasons
            .push(reason::CKI_OF_TOOL_ON_USER.because(
                "CustomKeyInformation 0102 without LastLogon: computers may, users never",
            ));
    }
    reasons
}

fn computer_key(case: &Case<'_>, key: &KeyCredential<'_>) -> Option<Reason> {
    if !case.sighting.is_self_write() {
        return None;
    }
    let material = key.material().and_then(Result::ok);
    let is_der = matches!(material, Some(KeyMaterial::Pkcs1(_)));
    Some(if is_der && key.device_id().is_none() {
        reason::SHAPE_OF_COMPUTER.because("PKCS#1 without a device, as Windows writes for itself")
    } else {
        let format = material.map_or("unreadable", |material| material.format());
        let device = if key.device_id().is_some() {
            " with a device id"
        } else {
            ""
        };
        reason::COMPUTER_KEY_OF_TOOL.because(format!(
            "the computer wrote itself a {format} key{device}, which Windows never makes for computers: \
             its account was relayed"
        ))
    })
}

/// What the length tells where the value is hidden.
fn length(case: &Case<'_>) -> Option<Reason> {
    let digits = case.sighting.value.hex_digits?;
    let hint = fingerprint::length_hint(digits);
    let known = hint.map(|hint| hint.writers).unwrap_or_default();
    let meaning = hint.map_or("a length that no known writer makes", |hint| hint.sentence);
    let sentence = format!("{digits} hex digits: {meaning}");
    if case.sighting.is_computer() {
        return case.sighting.is_self_write().then(|| {
            // A length without writers is known, and harmless: the dummy that blocks a registration.
            let is_own =
                known.contains(&Writer::WindowsComputer) || hint.is_some() && known.is_empty();
            let rule = if is_own {
                reason::LENGTH_OF_COMPUTER
            } else {
                reason::LENGTH_OF_TOOL_ON_COMPUTER
            };
            rule.because(sentence)
        });
    }
    // Computers write to themselves alone.
    let possible: Vec<Writer> = known
        .iter()
        .copied()
        .filter(|writer| *writer != Writer::WindowsComputer)
        .collect();
    let is_all = |kind: WriterKind| possible.iter().all(|writer| writer.kind() == kind);
    if possible.is_empty() {
        return None;
    }
    Some(if possible.contains(&Writer::CloudSync) {
        reason::LENGTH_OF_SYNC.because(sentence)
    } else if is_all(WriterKind::Attack) {
        reason::LENGTH_OF_TOOL.because(sentence)
    } else {
        reason::LENGTH_AMBIGUOUS.because(sentence)
    })
}
