//! What the sync and the cloud say about a value.

use keycred::{KeyCredential, KeySource, KeyUsage};

use super::case::Case;
use crate::reason::{self, Reason};
use crate::{Act, Sighting};

/// What the sync's receipts say.
///
/// `alike` counts the changes that a receipt for a hidden value could be for, this one included.
pub(super) fn receipts(case: &Case<'_>, alike: impl FnOnce() -> usize) -> Vec<Reason> {
    let sighting = case.sighting;
    let Some(receipts) = case
        .baseline
        .receipts()
        .filter(|_| sighting.act != Act::Refused)
    else {
        return Vec::new();
    };
    let connector = case.connector();
    if let Some(receipt) = receipts.exact(sighting) {
        // A receipt proves the sync's write only for the account that the sync uses.
        let is_signed = match (&receipt.connector, &sighting.writer.sid) {
            (Some(signed), Some(writer)) => signed == writer,
            _ => connector.is_some(),
        };
        return if is_signed {
            vec![reason::RECEIPT_MATCHES.because(format!(
                "receipt {} of sync cycle {} is for exactly this value (rule '{}')",
                receipt.sequence, receipt.cycle, receipt.rule
            ))]
        } else {
            vec![reason::RECEIPT_OF_OTHER_ACCOUNT.because(format!(
                "receipt {} is for this value, but {} wrote it",
                receipt.sequence,
                case.writer_name()
            ))]
        };
    }
    let is_hidden = sighting.value.octets.is_none();
    if is_hidden
        && connector.is_some()
        && let Some(receipt) = receipts.fitting(sighting)
    {
        let (alike, written) = (alike(), receipts.fitting_count(sighting));
        if alike > written {
            return vec![reason::CONNECTOR_WITHOUT_RECEIPT.because(format!(
                "{} did this {alike} times with values of this length, and the sync has receipts for {written}",
                case.writer_name()
            ))];
        }
        return vec![reason::RECEIPT_FITS.because(format!(
            "receipt {} of sync cycle {} is for a value of this length on this object",
            receipt.sequence, receipt.cycle
        ))];
    }
    if !receipts.cover(sighting.time) {
        return Vec::new();
    }
    match connector {
        Some(_) => vec![reason::CONNECTOR_WITHOUT_RECEIPT.because(format!(
            "{} did this, and the sync has no receipt for it",
            case.writer_name()
        ))],
        None if sighting.act == Act::Added && !is_expected_without_receipt(case) => {
            vec![reason::NO_RECEIPT.because("the sync has no receipt for this value")]
        }
        None => Vec::new(),
    }
}

/// Computers and registration services write without the sync.
fn is_expected_without_receipt(case: &Case<'_>) -> bool {
    case.is_by_registrar()
        || case.is_by_system()
        || case.sighting.is_computer() && case.sighting.is_self_write()
}

/// What the cloud's list says.
pub(super) fn cloud(case: &Case<'_>, key: &KeyCredential<'_>) -> Vec<Reason> {
    let (Some(cloud), Some(key_id)) = (case.baseline.cloud(), key.key_id()) else {
        return Vec::new();
    };
    let sighting = case.sighting;
    if !sighting.is_user() {
        return Vec::new();
    }
    let user = cloud.user(sighting);
    let listed = user.and_then(|user| user.keys.iter().find(|own| own.key_identifier == key_id));
    let Some(listed) = listed else {
        return not_listed(case, key, key_id);
    };
    if key.key_material() != Some(listed.key_material.as_slice()) {
        return vec![reason::CLOUD_MATERIAL_DIFFERS.because(
            "the cloud has a key with this id for this user, but its key material is another",
        )];
    }
    if case.connector().is_none() {
        return vec![reason::CLOUD_KEY_FROM_OTHER_WRITER.because(format!(
            "the cloud has this key for this user, but {} wrote it, not the sync",
            case.writer_name()
        ))];
    }
    if super::shape::repeated(key.blob()).is_some() {
        return Vec::new();
    }
    let is_equal = listed
        .to_blob()
        .is_ok_and(|blob| Some(blob.as_bytes()) == sighting.value.octets.as_deref());
    vec![if is_equal {
        reason::CLOUD_HAS_VALUE
            .because("the cloud has this key for this user, and it converts to exactly this value")
    } else {
        reason::CLOUD_HAS_KEY.because(
            "the cloud has this key for this user with the same material; other entries differ",
        )
    }]
}

fn not_listed(case: &Case<'_>, key: &KeyCredential<'_>, key_id: &[u8]) -> Vec<Reason> {
    let Some(cloud) = case.baseline.cloud() else {
        return Vec::new();
    };
    let sighting = case.sighting;
    if let Some(owner) = cloud.owners(key_id).next() {
        return vec![reason::CLOUD_KEY_OF_OTHER_USER.because(format!(
            "the cloud has this key for {}, not for {}",
            owner.name, sighting.object.dn
        ))];
    }
    // The list is of today. A key that the sync wrote and the cloud has dropped since is no contradiction.
    let has_receipt = case
        .baseline
        .receipts()
        .is_some_and(|all| all.exact(sighting).is_some());
    if has_receipt && case.connector().is_some() {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    // Without receipts of that time an old write of the sync looks the same as a forgery.
    let may_be_removed_since = case.connector().is_some()
        && case
            .baseline
            .receipts()
            .is_none_or(|all| !all.cover(sighting.time));
    if key.source() == Some(KeySource::AZURE_AD) {
        let rule = if may_be_removed_since {
            reason::CLOUD_LACKS_KEY_TODAY
        } else {
            reason::CLOUD_LACKS_KEY
        };
        reasons.push(rule.because(format!(
            "the value says it comes from the cloud, and the cloud knows no key {} for {}",
            key.short_key_id(),
            name_of(sighting)
        )));
    } else if !case.is_by_registrar() {
        reasons.push(reason::CLOUD_LACKS_AD_KEY.because(format!(
            "the cloud knows no key {} for {}",
            key.short_key_id(),
            name_of(sighting)
        )));
    }
    let is_enrolled = cloud
        .user(sighting)
        .is_some_and(|user| user.keys.iter().any(|own| own.usage == KeyUsage::NGC));
    if key.usage() == Some(KeyUsage::NGC) && !is_enrolled && !case.is_by_registrar() {
        reasons.push(reason::NEVER_ENROLLED.because(format!(
            "{} never enrolled for Windows Hello: the cloud has no such key for that user",
            name_of(sighting)
        )));
    }
    reasons
}

fn name_of(sighting: &Sighting) -> &str {
    &sighting.object.dn
}
