//! Values that come back, and values that go.

use cloud_api::paths;

use super::stage::{KEYS, Run, Stage, ensure};
use super::writeback::short;
use crate::Error;
use crate::people::TEST_USER;
use crate::report::Seen;

pub(super) fn deleted_by_hand(stage: &mut Stage) -> Result<Seen, Error> {
    let value = first_value(stage)?;
    let dn = stage.dn(TEST_USER)?;
    stage
        .house
        .ldap_as_administrator()?
        .delete_value(&dn, KEYS, &value)?;
    let gone = !stage.values(&dn)?.contains(&value);
    ensure(gone, || "the value is still there".to_owned())?;
    stage.cycle(Run::default())?;
    let back = stage.values(&dn)?.contains(&value);
    ensure(back, || "the value did not come back".to_owned())?;
    Ok(Seen::new(
        "it was gone, and one cycle later it is back: a key is removed in the cloud or not at all",
    ))
}

pub(super) fn removed_in_cloud(stage: &mut Stage) -> Result<Seen, Error> {
    let value = first_value(stage)?;
    let dn = stage.dn(TEST_USER)?;
    let before = stage.values(&dn)?.len();
    let key = stage
        .first_key
        .as_ref()
        .ok_or_else(|| Error::Story("no key was registered".to_owned()))?;
    let user = stage.house.cloud_user(TEST_USER)?;
    stage
        .house
        .cloud_as_administrator()?
        .delete(&paths::fido2_method(user, &key.id))?;
    let report = stage.cycle(Run::default())?;
    let values = stage.values(&dn)?;
    ensure(!values.contains(&value), || {
        "the value is still there".to_owned()
    })?;
    ensure(values.len() + 1 == before, || {
        format!("{} of {before} values are left", values.len())
    })?;
    Ok(Seen::new(format!(
        "key {} is gone ({} value deleted); values that stay: {}",
        short(&key.id),
        report.apply.removed,
        values.len()
    )))
}

/// The value of the key that the user registered first, as the directory shows it.
fn first_value(stage: &Stage) -> Result<String, Error> {
    let key = stage
        .first_key
        .as_ref()
        .ok_or_else(|| Error::Story("no key was registered".to_owned()))?;
    let id = cloud_api::base64::Base64Url::parse(&key.id)
        .map_err(|error| Error::Key(error.to_string()))?;
    let values = stage.directory_keys(TEST_USER)?;
    let found = values.into_iter().find(|value| {
        keycred::Blob::decode(&value.binary)
            .is_ok_and(|blob| blob.credential().key_id() == Some(id.as_bytes()))
    });
    found
        .map(|value| value.to_string())
        .ok_or_else(|| Error::Story("the value is not there".to_owned()))
}
