//! What can be asked of every key: by `tombolo key` and, of a software key, by `tombolo softkey`.

use ctap::command::User;
use ctap::{Client, Error, Pin, Status};
use data_encoding::HEXLOWER_PERMISSIVE;

use crate::io::{Exit, Failure, Shell};
use crate::softkey::pin::{NewPin, ShownPin};
use crate::softkey::show;
use crate::softkey::target::Stream;

/// A key, and what it is called.
pub(crate) type Opened = (Client<Box<dyn Stream>>, String);

/// A credential that is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct CredentialId {
    /// The credential's id in hex, as `list` prints it
    credential: String,
}

impl CredentialId {
    fn read(&self) -> Result<Vec<u8>, Failure> {
        HEXLOWER_PERMISSIVE
            .decode(self.credential.trim().as_bytes())
            .map_err(|_| {
                Failure::new(format!("'{}' is not a credential id", self.credential))
                    .next("copy the id in hex from `list`")
            })
    }
}

/// Other names for a credential's account.
#[derive(Debug, clap::Args)]
pub(crate) struct Names {
    /// The account's new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The person's new name
    #[arg(long, value_name = "NAME", required_unless_present = "name")]
    display_name: Option<String>,
}

pub(crate) fn info(
    (mut client, name): Opened,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let retries = match client.info().has_pin() {
        Some(true) => Some(
            client
                .pin_retries()
                .map_err(refused(format!("could not ask {name} for its PIN tries")))?,
        ),
        _ => None,
    };
    show::info(shell, client.info(), retries, json)?;
    Ok(Exit::Good)
}

pub(crate) fn set_pin(
    (mut client, name): Opened,
    pins: &NewPin,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let is_change = client.info().has_pin() == Some(true);
    let old: Option<Pin> = if is_change {
        Some(pins.old(shell)?)
    } else {
        None
    };
    let new = pins.new_pin(shell)?;
    client
        .set_pin(old.as_ref(), &new)
        .map_err(refused(format!("could not set the PIN of {name}")))?;
    let words = if is_change { "PIN changed" } else { "PIN set" };
    show::done(shell, json, "pin_set", words)?;
    Ok(Exit::Good)
}

pub(crate) fn list(
    (mut client, name): Opened,
    pin: &ShownPin,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let pin = pin.read(shell)?;
    let inventory = client
        .credentials(&pin)
        .map_err(refused(format!("could not list the credentials of {name}")))?;
    show::inventory(shell, &inventory, json)?;
    Ok(Exit::Good)
}

pub(crate) fn rename(
    (mut client, name): Opened,
    credential: &CredentialId,
    names: &Names,
    pin: &ShownPin,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let id = credential.read()?;
    let pin = pin.read(shell)?;
    let what = format!(
        "could not rename credential {} of {name}",
        credential.credential
    );
    let inventory = client.credentials(&pin).map_err(refused(what.clone()))?;
    let stored = inventory
        .into_iter()
        .flat_map(|(_, credentials)| credentials)
        .find(|stored| stored.id == id)
        .ok_or_else(|| {
            Failure::new(what.clone())
                .why("the key holds no such credential")
                .next("copy the id in hex from `list`")
        })?;
    let user = User {
        id: stored.user.id,
        name: names.name.clone().or(stored.user.name),
        display_name: names.display_name.clone().or(stored.user.display_name),
    };
    client
        .update_user(&pin, &id, &user)
        .map_err(refused(what))?;
    show::done(shell, json, "renamed", &format!("renamed to {user}"))?;
    Ok(Exit::Good)
}

pub(crate) fn delete(
    (mut client, name): Opened,
    credential: &CredentialId,
    pin: &ShownPin,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let id = credential.read()?;
    let pin = pin.read(shell)?;
    let shown = &credential.credential;
    client
        .delete_credential(&pin, &id)
        .map_err(refused(format!(
            "could not delete credential {shown} of {name}"
        )))?;
    show::done(shell, json, "deleted", &format!("deleted {shown}"))?;
    Ok(Exit::Good)
}

/// What a key refused, and what to do about it.
pub(crate) fn refused(what: impl Into<String>) -> impl FnOnce(Error) -> Failure {
    let what = what.into();
    move |error| {
        let failure = Failure::new(what).why(&error);
        if matches!(error, Error::PinMustChange) {
            return failure.next("change it with `tombolo key set-pin`");
        }
        match error.status() {
            Some(Status::PIN_NOT_SET) => failure.next("set one with `tombolo key set-pin`"),
            Some(Status::PIN_BLOCKED) => failure.next(
                "`tombolo key reset --yes` within ten seconds of inserting the key; every credential on it is lost, so \
                 register it again",
            ),
            Some(Status::NO_CREDENTIALS) => failure.next("copy the id in hex from `list`"),
            _ => failure,
        }
    }
}
