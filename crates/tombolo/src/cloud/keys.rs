//! `cloud key`: what the feed will tell the sync about a user.

use cloud_api::Base64Url;
use keycred::{KeyUsage, SearchableDeviceKey};
use serde_json::json;

use super::reach::Reach;
use super::state::{FORMAT, done};
use crate::io::{Exit, Failure, Shell, table};

/// Keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Key {
    /// List the keys of a user
    List(List),
    /// Remove a key; the next sync removes it on the ground
    #[command(visible_alias = "delete")]
    Remove(Remove),
}

/// List keys.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Sign-in name or id
    name: String,
    /// Print JSON: each key as searchableDeviceKey
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Remove a key.
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// Sign-in name or id of the user
    name: String,
    /// The key's id, as `key list` prints it
    key: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(key: Key, shell: &mut Shell) -> Result<Exit, Failure> {
    match key {
        Key::List(list) => self::list(&list, shell),
        Key::Remove(remove) => self::remove(&remove, shell),
    }
}

fn list(list: &List, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = list.reach.open()?;
    let user = cloud.user(&list.name)?;
    let (keys, methods) = cloud.keys(&user)?;
    if list.json {
        shell.json(&json!({ "format": FORMAT, "user": keys }))?;
        return Ok(Exit::Good);
    }
    let mut table = table(["Usage", "Created", "Name", "Model", "Attested", "Id"]);
    for key in &keys.searchable_device_key {
        let id = id(key);
        let method = methods.iter().find(|method| method.id == id);
        table.add_row([
            key.usage.label(),
            key.creation_time.to_string(),
            method.map_or_else(|| "-".to_owned(), |method| method.display_name.clone()),
            method.map_or_else(|| "-".to_owned(), |method| method.aa_guid.clone()),
            method.map_or("-", attested).to_owned(),
            id,
        ]);
    }
    shell.line(table)?;
    Ok(Exit::Good)
}

fn attested(method: &cloud_api::fido2::Fido2Method) -> &'static str {
    match method.attestation_level {
        cloud_api::fido2::AttestationLevel::Attested => "yes",
        cloud_api::fido2::AttestationLevel::NotAttested => "no",
    }
}

fn id(key: &SearchableDeviceKey) -> String {
    Base64Url(key.key_identifier.clone()).to_string()
}

fn remove(remove: &Remove, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = remove.reach.open()?;
    let user = cloud.user(&remove.name)?;
    let (keys, _) = cloud.keys(&user)?;
    let mut keys = keys.searchable_device_key.iter();
    let key = keys.find(|key| id(key) == remove.key).ok_or_else(|| {
        Failure::new(format!(
            "could not remove key {} of {}",
            remove.key, remove.name
        ))
        .why("the user has no such key")
        .next("copy the id from `tombolo cloud key list`")
    })?;
    cloud.remove_key(&user, &remove.key, key.usage == KeyUsage::FIDO)?;
    let text = format!("removed key {} of {}", remove.key, user.user_principal_name);
    done(shell, remove.json, "removed", &remove.key, &text)
}
