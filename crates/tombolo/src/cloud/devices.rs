//! `cloud device`: the devices that users joined.

use cloud_api::devices::Device as CloudDevice;
use cloud_api::users::User;
use serde_json::json;
use types::Guid;

use super::reach::{Named, Reach, Reached};
use super::state::{FORMAT, done, yes};
use crate::io::{Exit, Failure, Shell, table};

/// Devices.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Device {
    /// List devices
    List(List),
    /// Show a device
    Show(Named),
    /// Disable a device: it renews nothing from that moment on
    Disable(Named),
    /// Enable a device again
    Enable(Named),
    /// Mark a device as compliant or not, for policies that ask for it
    Mark(Mark),
    /// Delete a device; its certificate and its tokens are worth nothing from that moment on
    #[command(visible_alias = "delete")]
    Remove(Named),
}

/// List devices.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only those that this user joined, by sign-in name or id
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Mark a device.
#[derive(Debug, clap::Args)]
pub(super) struct Mark {
    /// Name or id
    name: String,
    /// As what
    #[arg(value_enum)]
    compliance: Compliance,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Compliance {
    /// It is as the organization wants it
    Compliant,
    /// It is not
    NotCompliant,
}

pub(super) fn run(device: Device, shell: &mut Shell) -> Result<Exit, Failure> {
    match device {
        Device::List(list) => self::list(&list, shell),
        Device::Show(named) => show(&named, shell),
        Device::Disable(named) => enable(&named, false, shell),
        Device::Enable(named) => enable(&named, true, shell),
        Device::Mark(mark) => self::mark(&mark, shell),
        Device::Remove(named) => remove(&named, shell),
    }
}

impl Reached {
    /// A device by name or id. A name that two devices have names neither.
    pub(super) fn device(&self, name: &str) -> Result<CloudDevice, Failure> {
        let id = name.parse::<Guid>().ok();
        let mut found = self.devices()?;
        found.retain(|device| {
            Some(device.id) == id || device.display_name.eq_ignore_ascii_case(name)
        });
        let what = || format!("could not find device {name}");
        match (found.pop(), found.is_empty()) {
            (Some(device), true) => Ok(device),
            (Some(_), false) => Err(Failure::new(what())
                .why("several devices have this name")
                .next("name it by its id: `tombolo cloud device list`")),
            (None, _) => Err(Failure::new(what())
                .why("there is no such device")
                .next("see `tombolo cloud device list`")),
        }
    }
}

fn list(list: &List, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = list.reach.open()?;
    let mut devices = cloud.devices()?;
    if let Some(name) = &list.user {
        let user = cloud.user(name)?;
        devices.retain(|device| device.registered_owner == Some(user.id));
    }
    if list.json {
        shell.json(&json!({ "format": FORMAT, "devices": devices }))?;
        return Ok(Exit::Good);
    }
    let users = cloud.users()?;
    let mut table = table([
        "Name",
        "Kind",
        "Enabled",
        "Compliant",
        "Owner",
        "Joined",
        "Id",
    ]);
    for device in &devices {
        table.add_row([
            device.display_name.clone(),
            kind(device).to_owned(),
            yes(device.account_enabled),
            yes(device.is_compliant),
            owner(device, &users),
            joined(device),
            device.id.to_string(),
        ]);
    }
    shell.line(table)?;
    Ok(Exit::Good)
}

fn kind(device: &CloudDevice) -> &str {
    match device.trust_type.as_str() {
        "AzureAd" => "joined",
        "Workplace" => "registered",
        "ServerAd" => "hybrid",
        other => other,
    }
}

fn owner(device: &CloudDevice, users: &[User]) -> String {
    let Some(id) = device.registered_owner else {
        return "-".to_owned();
    };
    let owner = users.iter().find(|user| user.id == id);
    owner.map_or_else(|| id.to_string(), |user| user.user_principal_name.clone())
}

fn joined(device: &CloudDevice) -> String {
    let when = device.registration_date_time;
    when.map_or_else(|| "not yet".to_owned(), |when| when.to_string())
}

fn show(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let device = cloud.device(&named.name)?;
    if named.json {
        shell.json(&json!({ "format": FORMAT, "device": device }))?;
        return Ok(Exit::Good);
    }
    let sid = device.on_premises_security_identifier.as_ref();
    let mut table = table(["", "Device"]);
    table.add_rows([
        ["Name", device.display_name.as_str()],
        ["Id", &device.id.to_string()],
        ["Kind", kind(&device)],
        ["Enabled", &yes(device.account_enabled)],
        ["Compliant", &yes(device.is_compliant)],
        ["Owner", &owner(&device, &cloud.users()?)],
        ["Joined", &joined(&device)],
        ["From the sync", &yes(device.on_premises_sync_enabled)],
        [
            "SID",
            &sid.map_or_else(|| "-".to_owned(), ToString::to_string),
        ],
    ]);
    shell.line(table)?;
    Ok(Exit::Good)
}

fn enable(named: &Named, enabled: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let device = cloud.device(&named.name)?;
    cloud.enable_device(&device, enabled)?;
    let word = if enabled { "enabled" } else { "disabled" };
    let text = format!("{word} device {}", device.display_name);
    done(shell, named.json, word, &device.id.to_string(), &text)
}

fn mark(mark: &Mark, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = mark.reach.open()?;
    let device = cloud.device(&mark.name)?;
    let compliant = mark.compliance == Compliance::Compliant;
    cloud.mark_device(&device, compliant)?;
    let word = if compliant {
        "compliant"
    } else {
        "not compliant"
    };
    let text = format!("device {} is {word} from now on", device.display_name);
    done(shell, mark.json, "marked", &device.id.to_string(), &text)
}

fn remove(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let device = cloud.device(&named.name)?;
    cloud.remove_device(&device)?;
    let text = format!("removed device {}", device.display_name);
    done(shell, named.json, "removed", &device.id.to_string(), &text)
}
