//! `cloud user` and `cloud pass`.

use ::cloud::{Caller, Cloud};
use cloud_api::access::NewTemporaryAccessPass;
use cloud_api::users::{NewUser, User as CloudUser, UserChange};
use serde_json::json;

use super::state::{FORMAT, State, done, find};
use crate::io::{Exit, Failure, Shell, Tell, table};

/// Users.
#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Make a user of the cloud alone; users of the ground come by the sync
    Add(Add),
    /// List all users
    List(List),
    /// Disable a user: keys stay, registration and sign-in end
    Disable(Named),
    /// Enable a user again
    Enable(Named),
    /// Delete a user with all keys; the sync hears of it
    Remove(Named),
}

/// Make a user.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    #[command(flatten)]
    state: State,
    /// Sign-in name, such as testuser@corp.contoso.com
    name: String,
    /// Name for people; the sign-in name when absent
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// List users.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    state: State,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One user.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    #[command(flatten)]
    state: State,
    /// Sign-in name or id
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn user(user: User, shell: &mut Shell) -> Result<Exit, Failure> {
    match user {
        User::Add(add) => self::add(&add, shell),
        User::List(list) => self::list(&list, shell),
        User::Disable(named) => enable(&named, false, shell),
        User::Enable(named) => enable(&named, true, shell),
        User::Remove(named) => remove(&named, shell),
    }
}

fn add(add: &Add, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = add.state.open()?;
    let new = NewUser {
        user_principal_name: add.name.clone(),
        display_name: add.display_name.clone().unwrap_or_else(|| add.name.clone()),
        account_enabled: true,
    };
    let user = cloud
        .create_user(&Caller::operator(), &new)
        .tell(format!("could not add user {}", add.name))?;
    if add.json {
        shell.json(&json!({ "format": FORMAT, "user": user }))?;
    } else {
        shell.line(format_args!("{} {}", user.id, user.user_principal_name))?;
    }
    Ok(Exit::Good)
}

fn list(list: &List, shell: &mut Shell) -> Result<Exit, Failure> {
    let users = all(&list.state.open()?)?;
    if list.json {
        shell.json(&json!({ "format": FORMAT, "users": users }))?;
        return Ok(Exit::Good);
    }
    let mut table = table(["Sign-in name", "Name", "Enabled", "On the ground", "Id"]);
    for user in &users {
        let ground = &user.on_premises;
        let ground = ground.on_premises_distinguished_name.clone().or_else(|| {
            let sid = ground.on_premises_security_identifier.as_ref();
            sid.map(ToString::to_string)
        });
        table.add_row([
            user.user_principal_name.clone(),
            user.display_name.clone(),
            if user.account_enabled { "yes" } else { "no" }.to_owned(),
            ground.unwrap_or_else(|| "-".to_owned()),
            user.id.to_string(),
        ]);
    }
    shell.line(table)?;
    Ok(Exit::Good)
}

fn all(cloud: &Cloud) -> Result<Vec<CloudUser>, Failure> {
    const PAGE: u16 = 999;
    let mut users: Vec<CloudUser> = Vec::new();
    loop {
        let after = users.last().map(|user| user.id);
        let page = cloud
            .users(&Caller::operator(), after, PAGE)
            .tell("could not list the users")?;
        let is_last = page.len() < usize::from(PAGE);
        users.extend(page);
        if is_last {
            return Ok(users);
        }
    }
}

fn enable(named: &Named, enabled: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.state.open()?;
    let user = find(&cloud, &named.name)?;
    let change = UserChange {
        account_enabled: Some(enabled),
        ..UserChange::default()
    };
    cloud
        .change_user(&Caller::operator(), user.id, &change)
        .tell(format!("could not change user {}", named.name))?;
    let word = if enabled { "enabled" } else { "disabled" };
    let text = format!("{word} {}", user.user_principal_name);
    done(shell, named.json, word, &user.user_principal_name, &text)
}

fn remove(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.state.open()?;
    let user = find(&cloud, &named.name)?;
    cloud
        .delete_user(&Caller::operator(), user.id)
        .tell(format!("could not remove user {}", named.name))?;
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
    #[command(flatten)]
    state: State,
    /// Sign-in name or id
    name: String,
    /// Minutes until it ends
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(10..=43_200))]
    minutes: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn pass(pass: &Pass, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = pass.state.open()?;
    let user = find(&cloud, &pass.name)?;
    let request = NewTemporaryAccessPass {
        lifetime_in_minutes: Some(pass.minutes),
    };
    let made = cloud
        .issue_temporary_access_pass(&Caller::operator(), user.id, &request)
        .tell(format!("could not make a pass for {}", pass.name))?;
    let text = &made.temporary_access_pass;
    done(shell, pass.json, "temporary_access_pass", text, text)
}
