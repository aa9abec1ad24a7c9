//! `cloud key`: what the feed will tell the sync about a user.

use ::cloud::Caller;
use cloud_api::Base64Url;
use keycred::{KeyUsage, SearchableDeviceKey};
use serde_json::json;

use super::state::{FORMAT, State, done, find};
use crate::io::{Exit, Failure, Shell, Tell, table};

/// Keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Key {
    /// List the keys of a user
    List(List),
    /// Remove a key; the next sync removes it on the ground
    Remove(Remove),
}

/// List keys.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    state: State,
    /// Sign-in name or id
    name: String,
    /// Print JSON: each key as searchableDeviceKey
    #[arg(long)]
    json: bool,
}

/// Remove a key.
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    #[command(flatten)]
    state: State,
    /// Sign-in name or id of the user
    name: String,
    /// The key's id, as `key list` prints it
    key: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(key: Key, shell: &mut Shell) -> Result<Exit, Failure> {
    match key {
        Key::List(list) => self::list(&list, shell),
        Key::Remove(remove) => self::remove(&remove, shell),
    }
}

fn list(list: &List, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = list.state.open()?;
    let user = find(&cloud, &list.name)?;
    let operator = Caller::operator();
    let what = || format!("could not list the keys of {}", list.name);
    let keys = cloud.device_keys(&operator, user.id).tell(what())?;
    if list.json {
        shell.json(&json!({ "format": FORMAT, "user": keys }))?;
        return Ok(Exit::Good);
    }
    let methods = cloud.security_keys(&operator, user.id).tell(what())?;
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
    let cloud = remove.state.open()?;
    let user = find(&cloud, &remove.name)?;
    let operator = Caller::operator();
    let what = || format!("could not remove key {} of {}", remove.key, remove.name);
    let keys = cloud.device_keys(&operator, user.id).tell(what())?;
    let key = keys
        .searchable_device_key
        .iter()
        .find(|key| id(key) == remove.key)
        .ok_or_else(|| {
            Failure::new(what())
                .why("the user has no such key")
                .next("copy the id from `tombolo cloud key list`")
        })?;
    if key.usage == KeyUsage::FIDO {
        cloud.remove_security_key(&operator, user.id, &remove.key)
    } else {
        cloud.remove_ngc_key(&operator, user.id, &remove.key)
    }
    .tell(what())?;
    let text = format!("removed key {} of {}", remove.key, user.user_principal_name);
    done(shell, remove.json, "removed", &remove.key, &text)
}
