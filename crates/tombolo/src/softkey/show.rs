//! What `tombolo softkey` prints, for people and as JSON (version 1).

use ctap::client::Inventory;
use ctap::client_pin::Retries;
use ctap::get_info::Info;
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::json;

use ::softkey::Softkey;

use crate::io::{Failure, Shell, table};

const VERSION: u32 = 1;

#[derive(Serialize)]
struct InfoJson<'a> {
    version: u32,
    aaguid: String,
    versions: &'a [String],
    extensions: &'a [String],
    pin_set: bool,
    pin_retries: Option<u32>,
    remaining_credentials: Option<u32>,
    options: serde_json::Map<String, serde_json::Value>,
}

pub(crate) fn info(
    shell: &mut Shell,
    info: &Info,
    retries: Option<Retries>,
    json: bool,
) -> Result<(), Failure> {
    let pin_set = info.has_pin() == Some(true);
    if json {
        return shell.json(&InfoJson {
            version: VERSION,
            aaguid: guid(&info.aaguid),
            versions: &info.versions,
            extensions: &info.extensions,
            pin_set,
            pin_retries: retries.map(|retries| retries.left),
            remaining_credentials: info.remaining_credentials,
            options: info
                .options
                .iter()
                .map(|(name, on)| (name.clone(), (*on).into()))
                .collect(),
        });
    }
    let pin = match retries {
        Some(retries) if retries.needs_power_cycle => {
            format!(
                "set, {} tries left, after the key was started anew",
                retries.left
            )
        }
        Some(retries) => format!("set, {} tries left", retries.left),
        None if pin_set => "set".to_owned(),
        None => "not set".to_owned(),
    };
    let room = info
        .remaining_credentials
        .map_or("unknown".to_owned(), |room| room.to_string());
    let model = if info.aaguid == ::softkey::AAGUID {
        " (this software key)"
    } else {
        ""
    };
    shell.line(format!("model       {}{model}", guid(&info.aaguid)))?;
    shell.line(format!("speaks      {}", info.versions.join(", ")))?;
    shell.line(format!("extensions  {}", info.extensions.join(", ")))?;
    let unlocks = match info.has_extension(ctap::hmac_secret::NAME) {
        true => "yes, by hmac-secret",
        false => "no: the key has no hmac-secret",
    };
    shell.line(format!("offline     {unlocks}"))?;
    shell.line(format!("PIN         {pin}"))?;
    shell.line(format!("room for    {room} more credentials"))
}

#[derive(Serialize)]
struct CredentialJson<'a> {
    rp_id: &'a str,
    credential_id: String,
    user_id: String,
    user_name: Option<&'a str>,
    user_display_name: Option<&'a str>,
    cred_protect: Option<u32>,
}

pub(crate) fn inventory(
    shell: &mut Shell,
    inventory: &Inventory,
    json: bool,
) -> Result<(), Failure> {
    let credentials: Vec<CredentialJson<'_>> = inventory
        .iter()
        .flat_map(|(party, credentials)| {
            credentials.iter().map(|credential| CredentialJson {
                rp_id: &party.id,
                credential_id: HEXLOWER.encode(&credential.id),
                user_id: HEXLOWER.encode(&credential.user.id),
                user_name: credential.user.name.as_deref(),
                user_display_name: credential.user.display_name.as_deref(),
                cred_protect: credential.cred_protect,
            })
        })
        .collect();
    if json {
        return shell.json(&json!({ "version": VERSION, "credentials": credentials }));
    }
    if credentials.is_empty() {
        return shell.line("the key holds no credentials");
    }
    let mut table = table(["Relying party", "User", "Protection", "Credential id"]);
    for credential in &credentials {
        let protection = match credential.cred_protect {
            Some(3) => "PIN always",
            Some(2) => "PIN, or id known",
            _ => "none",
        };
        let user = credential.user_name.unwrap_or(&credential.user_id);
        table.add_row([
            credential.rp_id,
            user,
            protection,
            &credential.credential_id,
        ]);
    }
    shell.line(table)
}

/// The one line that other programs wait for; it is flushed at once.
pub(crate) fn listening(
    shell: &mut Shell,
    address: &str,
    key: &Softkey,
    json: bool,
) -> Result<(), Failure> {
    let info = key.info();
    if json {
        shell.json_line(&json!({
            "version": VERSION,
            "listening": address,
            "aaguid": guid(&info.aaguid),
            "credentials": info.credentials,
            "pin_set": info.has_pin,
        }))?;
    } else {
        let pin = if info.has_pin { "a PIN" } else { "no PIN" };
        let credentials = info.credentials;
        shell.line(format!(
            "the key listens on {address} ({credentials} credentials, {pin})"
        ))?;
    }
    shell.flush()
}

pub(crate) fn done(shell: &mut Shell, json: bool, what: &str, words: &str) -> Result<(), Failure> {
    match json {
        true => shell.json(&json!({ "version": VERSION, "done": what })),
        false => shell.line(words),
    }
}

/// AAGUIDs are written in the order of their bytes.
fn guid(bytes: &[u8; 16]) -> String {
    let hex = HEXLOWER.encode(bytes);
    let cut = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [cut(0, 8), cut(8, 12), cut(12, 16), cut(16, 20), cut(20, 32)].join("-")
}
