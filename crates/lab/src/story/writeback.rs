//! From the registration to the decoded value.

use audit::models::Models;
use audit::report::Key;
use data_encoding::HEXLOWER;
use keycred::{Blob, KeySource, KeyUsage};

use super::stage::{Run, Stage, ensure};
use crate::Error;
use crate::people::TEST_USER;
use crate::report::Seen;

pub(super) fn register(stage: &mut Stage) -> Result<Seen, Error> {
    let key = stage.register(TEST_USER, "Blue key")?;
    let cloud = stage.cloud_keys(TEST_USER)?;
    ensure(cloud.len() == 1, || {
        format!("the cloud has {} keys of the user", cloud.len())
    })?;
    let seen = Seen::new(format!(
        "key {} is registered, {}",
        short(&key.id),
        level(&key)
    ))
    .with(format!(
        "model id {}, hmac-secret {}",
        key.aa_guid,
        yes(key.has_hmac_secret)
    ))
    .with(format!("searchableDeviceKey: {}", one_line(&cloud)?));
    stage.first_key = Some(key);
    Ok(seen)
}

pub(super) fn nothing_yet(stage: &mut Stage) -> Result<Seen, Error> {
    let values = stage.values(&stage.dn(TEST_USER)?)?;
    ensure(values.is_empty(), || {
        format!("there are {} values already", values.len())
    })?;
    Ok(Seen::new(
        "no value: a registration in the cloud changes nothing on the ground",
    ))
}

pub(super) fn one_cycle(stage: &mut Stage) -> Result<Seen, Error> {
    let report = stage.cycle(Run::default())?;
    ensure(
        report.apply.added == 1 && report.apply.confirmed == 1,
        || {
            format!(
                "{} values added, {} confirmed",
                report.apply.added, report.apply.confirmed
            )
        },
    )?;
    let lines = report.plan.objects.iter().flat_map(|object| {
        object
            .items
            .iter()
            .map(|item| format!("{}: {}", object.name, item.why))
    });
    Ok(Seen::new(format!(
        "cycle {}: 1 value added and confirmed",
        report.cycle
    ))
    .with_all(lines))
}

pub(super) fn raw_value(stage: &mut Stage) -> Result<Seen, Error> {
    let values = stage.directory_keys(TEST_USER)?;
    let [value] = values.as_slice() else {
        return Err(Error::Story(format!("there are {} values", values.len())));
    };
    let cloud = stage.cloud_keys(TEST_USER)?;
    let expected = cloud.first().map(|key| key.to_blob()).transpose();
    let expected = expected.map_err(|error| Error::Key(error.to_string()))?;
    ensure(
        expected
            .as_ref()
            .is_some_and(|blob| blob.as_bytes() == value.binary),
        || "the value is not the conversion of the cloud's key".to_owned(),
    )?;
    let text = value.to_string();
    let head: String = text.chars().take(96).collect();
    Ok(Seen::new(format!(
        "{} bytes, equal to the conversion of the cloud's key",
        value.binary.len()
    ))
    .with(format!("{head}…:{}", value.dn)))
}

pub(super) fn decoded(stage: &mut Stage) -> Result<Seen, Error> {
    let values = stage.directory_keys(TEST_USER)?;
    let value = values
        .first()
        .ok_or_else(|| Error::Story("the value is gone".to_owned()))?;
    let blob = Blob::decode(&value.binary).map_err(|error| Error::Key(error.to_string()))?;
    let key = blob.credential();
    ensure(key.usage() == Some(KeyUsage::FIDO), || {
        format!("usage {:?}", key.usage())
    })?;
    ensure(key.source() == Some(KeySource::AZURE_AD), || {
        format!("source {:?}", key.source())
    })?;
    ensure(key.key_hash_check().holds(), || {
        "the KeyHash does not hold".to_owned()
    })?;
    let dn = stage.dn(TEST_USER)?;
    ensure(value.dn == dn, || format!("the owner is {}", value.dn))?;
    let shown = Key::of(&blob, Default::default(), &Models::default());
    let registered = stage
        .first_key
        .as_ref()
        .map(|key| key.created_date_time.to_string());
    let created = shown.created.as_ref().and_then(|time| time.time.clone());
    ensure(created.is_some() && created == registered, || {
        format!("created {created:?}, registered {registered:?}")
    })?;
    let model = shown
        .model
        .ok_or_else(|| Error::Story("the model is unknown".to_owned()))?;
    let created = created.unwrap_or_default();
    Ok(
        Seen::new(format!("FIDO, AzureAD, created {created}, {model}"))
            .with("Usage  Source   Created                       Owner")
            .with(format!("FIDO   AzureAD  {created:<28}  {dn}"))
            .with(format!("model {model}; the KeyHash holds")),
    )
}

pub(super) fn hello_key_rides_along(stage: &mut Stage) -> Result<Seen, Error> {
    stage.register_hello(TEST_USER)?;
    let report = stage.cycle(Run::default())?;
    ensure(report.apply.added == 1, || {
        format!("{} values added", report.apply.added)
    })?;
    let usages: Vec<String> = usages(stage)?;
    ensure(usages == ["FIDO", "NGC"], || {
        format!("the user has {usages:?}")
    })?;
    let rule = report
        .plan
        .objects
        .first()
        .map(|object| object.rule.clone())
        .unwrap_or_default();
    Ok(
        Seen::new("FIDO and NGC side by side on the user").with(format!(
            "both by rule {rule}, whose only question is: is it a key credential?"
        )),
    )
}

/// The usages of the user's values, sorted.
fn usages(stage: &Stage) -> Result<Vec<String>, Error> {
    let mut usages = Vec::new();
    for value in stage.directory_keys(TEST_USER)? {
        let blob = Blob::decode(&value.binary).map_err(|error| Error::Key(error.to_string()))?;
        usages.push(
            blob.credential()
                .usage()
                .map_or_else(String::new, |usage| usage.to_string()),
        );
    }
    usages.sort();
    Ok(usages)
}

fn one_line(keys: &[keycred::SearchableDeviceKey]) -> Result<String, Error> {
    let text = serde_json::to_string(keys).map_err(|error| Error::Key(error.to_string()))?;
    Ok(text.chars().take(160).chain(['…']).collect())
}

fn level(key: &cloud_api::fido2::Fido2Method) -> &'static str {
    match key.attestation_level {
        cloud_api::fido2::AttestationLevel::Attested => "attested by its maker",
        cloud_api::fido2::AttestationLevel::NotAttested => "not attested",
    }
}

/// The first digits of a credential id.
pub(super) fn short(id: &str) -> String {
    cloud_api::base64::Base64Url::parse(id)
        .map(|id| HEXLOWER.encode(id.as_bytes()).chars().take(12).collect())
        .unwrap_or_else(|_| id.chars().take(12).collect())
}

const fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}
