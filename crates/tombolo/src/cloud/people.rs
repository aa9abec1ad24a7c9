//! `cloud user` and `cloud pass`.

use ::cloud::{AuditQuery, SignInLog};
use cloud_api::access::NewTemporaryAccessPass;
use cloud_api::users::{NewUser, User as CloudUser, UserChange};
use serde_json::json;

use super::reach::{List, Reach};
use super::state::{FORMAT, done, yes};
use crate::io::{Exit, Failure, Shell, table};

/// Users.
#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Make a user of the cloud alone; users of the ground come by the sync
    #[command(visible_alias = "create")]
    Add(Add),
    /// List all users
    List(List),
    /// Show a user: the account on the ground, keys, devices, groups, the last sign-in
    Show(Named),
    /// Disable a user: keys stay, registration and sign-in end
    Disable(Named),
    /// Enable a user again
    Enable(Named),
    /// Delete a user with all keys; the sync hears of it
    #[command(visible_alias = "delete")]
    Remove(Named),
}

/// Make a user.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Sign-in name, such as testuser@corp.contoso.com
    name: String,
    /// Name for people; the sign-in name when absent
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// One user.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Sign-in name or id
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn user(user: User, shell: &mut Shell) -> Result<Exit, Failure> {
    match user {
        User::Add(add) => self::add(&add, shell),
        User::List(list) => self::list(&list, shell),
        User::Show(named) => show(&named, shell),
        User::Disable(named) => enable(&named, false, shell),
        User::Enable(named) => enable(&named, true, shell),
        User::Remove(named) => remove(&named, shell),
    }
}

fn add(add: &Add, shell: &mut Shell) -> Result<Exit, Failure> {
    let new = NewUser {
        user_principal_name: add.name.clone(),
        display_name: add.display_name.clone().unwrap_or_else(|| add.name.clone()),
        account_enabled: true,
    };
    let user = add.reach.open()?.add_user(&new)?;
    if add.json {
        shell.json(&json!({ "format": FORMAT, "user": user }))?;
    } else {
        shell.line(format_args!("{} {}", user.id, user.user_principal_name))?;
    }
    Ok(Exit::Good)
}

fn list(list: &List, shell: &mut Shell) -> Result<Exit, Failure> {
    let users = list.reach.open()?.users()?;
    if list.json {
        shell.json(&json!({ "format": FORMAT, "users": users }))?;
        return Ok(Exit::Good);
    }
    let mut table = table(["Sign-in name", "Name", "Enabled", "On the ground", "Id"]);
    for user in &users {
        table.add_row([
            user.user_principal_name.clone(),
            user.display_name.clone(),
            yes(user.account_enabled),
            ground(user).unwrap_or_else(|| "-".to_owned()),
            user.id.to_string(),
        ]);
    }
    shell.line(table)?;
    Ok(Exit::Good)
}

fn ground(user: &CloudUser) -> Option<String> {
    let ground = &user.on_premises;
    ground.on_premises_distinguished_name.clone().or_else(|| {
        let sid = ground.on_premises_security_identifier.as_ref();
        sid.map(ToString::to_string)
    })
}

fn show(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let user = cloud.user(&named.name)?;
    let (keys, _) = cloud.keys(&user)?;
    let mut devices = cloud.devices()?;
    devices.retain(|device| device.registered_owner == Some(user.id));
    let mut groups = cloud.groups()?;
    groups.retain(|group| group.members.contains(&user.id));
    let query = AuditQuery {
        user: Some(user.id),
        ..AuditQuery::default()
    };
    let last = cloud.sign_ins(SignInLog::SignIns, &query, 1)?.pop();
    if named.json {
        shell.json(&json!({
            "format": FORMAT, "user": user, "keys": keys.searchable_device_key, "devices": devices,
            "groups": groups, "last_sign_in": last,
        }))?;
        return Ok(Exit::Good);
    }
    let ground = &user.on_premises;
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let sid = ground.on_premises_security_identifier.as_ref();
    let names = |names: Vec<String>| match names.is_empty() {
        true => "-".to_owned(),
        false => names.join(", "),
    };
    let mut table = table(["", "User"]);
    let last = last.map(|last| {
        let ending = match last.status.error_code {
            0 => String::new(),
            _ => format!(", refused: {}", word(&last.status.failure_reason)),
        };
        format!("{} {}{ending}", last.created_date_time, last.activity)
    });
    table.add_rows([
        ["Sign-in name", user.user_principal_name.as_str()],
        ["Name", user.display_name.as_str()],
        ["Id", &user.id.to_string()],
        ["Enabled", &yes(user.account_enabled)],
        ["Since", &user.created_date_time.to_string()],
        ["Domain", &word(&ground.on_premises_domain_name)],
        ["Account", &word(&ground.on_premises_sam_account_name)],
        ["Object", &word(&ground.on_premises_distinguished_name)],
        ["SID", &word(&sid.map(ToString::to_string))],
        ["Keys", &keys.searchable_device_key.len().to_string()],
        [
            "Devices",
            &names(
                devices
                    .into_iter()
                    .map(|device| device.display_name)
                    .collect(),
            ),
        ],
        [
            "Groups",
            &names(groups.into_iter().map(|group| group.display_name).collect()),
        ],
        ["Last sign-in", &word(&last)],
    ]);
    shell.line(table)?;
    Ok(Exit::Good)
}

fn enable(named: &Named, enabled: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let user = cloud.user(&named.name)?;
    let change = UserChange {
        account_enabled: Some(enabled),
        ..UserChange::default()
    };
    cloud.change_user(&user, &change)?;
    let word = if enabled { "enabled" } else { "disabled" };
    let text = format!("{word} {}", user.user_principal_name);
    done(shell, named.json, word, &user.user_principal_name, &text)
}

fn remove(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let user = cloud.user(&named.name)?;
    cloud.remove_user(&user)?;
    let text = format!("removed {}", user.user_principal_name);
    done(
        shell,
        named.json,
        "removed",
        &user.user_principal_name,
        &text,
    )
}

/// Make a temporary access pass.
#[derive(Debug, clap::Args)]
pub(super) struct Pass {
    /// Sign-in name or id
    name: String,
    /// Minutes until it ends
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(10..=43_200))]
    minutes: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn pass(pass: &Pass, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = pass.reach.open()?;
    let user = cloud.user(&pass.name)?;
    let request = NewTemporaryAccessPass {
        lifetime_in_minutes: Some(pass.minutes),
    };
    let made = cloud.make_pass(&user, &request)?;
    let text = &made.temporary_access_pass;
    done(shell, pass.json, "temporary_access_pass", text, text)
}
