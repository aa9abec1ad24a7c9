//! `cloud group`: groups of users, for policies.

use cloud_api::conditional_access::Group as CloudGroup;
use cloud_api::users::User;
use serde_json::json;
use types::Guid;

use super::reach::{List, Named, Reach, Reached};
use super::state::{FORMAT, done};
use crate::io::{Exit, Failure, Shell, counted, table};

/// Groups of users.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Group {
    /// Make a group
    #[command(visible_alias = "create")]
    Add(Add),
    /// List all groups
    List(List),
    /// Show a group and its members
    Show(Named),
    /// Put users into a group
    AddMember(Members),
    /// Take users out of a group
    RemoveMember(Members),
    /// Delete a group that no policy names
    #[command(visible_alias = "delete")]
    Remove(Named),
}

/// Make a group.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Its name
    name: String,
    /// A member, by sign-in name or id (repeatable)
    #[arg(long, value_name = "USER")]
    member: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Users in a group.
#[derive(Debug, clap::Args)]
pub(super) struct Members {
    /// Name or id of the group
    name: String,
    /// Sign-in names or ids of users
    #[arg(required = true)]
    users: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(group: Group, shell: &mut Shell) -> Result<Exit, Failure> {
    match group {
        Group::Add(add) => self::add(&add, shell),
        Group::List(list) => self::list(&list, shell),
        Group::Show(named) => show(&named, shell),
        Group::AddMember(members) => change(&members, true, shell),
        Group::RemoveMember(members) => change(&members, false, shell),
        Group::Remove(named) => remove(&named, shell),
    }
}

impl Reached {
    /// A group by name or id. A name that two groups have names neither.
    pub(super) fn group(&self, name: &str) -> Result<CloudGroup, Failure> {
        let id = name.parse::<Guid>().ok();
        let mut found = self.groups()?;
        found.retain(|group| Some(group.id) == id || group.display_name.eq_ignore_ascii_case(name));
        let what = || format!("could not find group {name}");
        let next = "see `tombolo cloud group list`";
        match (found.pop(), found.is_empty()) {
            (Some(group), true) => Ok(group),
            (Some(_), false) => Err(Failure::new(what())
                .why("several groups have this name")
                .next("name it by its id: `tombolo cloud group list`")),
            (None, _) => Err(Failure::new(what())
                .why("there is no such group")
                .next(next)),
        }
    }
}

fn add(add: &Add, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = add.reach.open()?;
    let members = ids(&cloud, &add.member)?;
    let group = cloud.add_group(&CloudGroup {
        id: Guid::ZERO,
        display_name: add.name.clone(),
        members,
    })?;
    if add.json {
        shell.json(&json!({ "format": FORMAT, "group": group }))?;
    } else {
        shell.line(format_args!("{} {}", group.id, group.display_name))?;
    }
    Ok(Exit::Good)
}

fn ids(cloud: &Reached, names: &[String]) -> Result<Vec<Guid>, Failure> {
    let ids = names
        .iter()
        .map(|name| cloud.user(name).map(|user| user.id));
    ids.collect()
}

fn list(list: &List, shell: &mut Shell) -> Result<Exit, Failure> {
    let groups = list.reach.open()?.groups()?;
    if list.json {
        shell.json(&json!({ "format": FORMAT, "groups": groups }))?;
        return Ok(Exit::Good);
    }
    let mut table = table(["Name", "Members", "Id"]);
    for group in &groups {
        table.add_row([
            group.display_name.clone(),
            group.members.len().to_string(),
            group.id.to_string(),
        ]);
    }
    shell.line(table)?;
    Ok(Exit::Good)
}

fn show(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let group = cloud.group(&named.name)?;
    if named.json {
        shell.json(&json!({ "format": FORMAT, "group": group }))?;
        return Ok(Exit::Good);
    }
    shell.line(format_args!("{} {}", group.id, group.display_name))?;
    let users = cloud.users()?;
    let mut table = table(["Member", "Name", "Id"]);
    for member in &group.members {
        let user = users.iter().find(|user| user.id == *member);
        let text =
            |of: fn(&User) -> &String| user.map_or_else(|| "-".to_owned(), |user| of(user).clone());
        table.add_row([
            text(|user| &user.user_principal_name),
            text(|user| &user.display_name),
            member.to_string(),
        ]);
    }
    shell.line(table)?;
    Ok(Exit::Good)
}

fn change(members: &Members, is_member: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = members.reach.open()?;
    let group = cloud.group(&members.name)?;
    // All names first: half of a wish is not what anybody wanted.
    let users = ids(&cloud, &members.users)?;
    for user in &users {
        cloud.change_member(&group, *user, is_member)?;
    }
    let count = counted(u64::try_from(users.len()).unwrap_or(u64::MAX), "user");
    let (key, text) = match is_member {
        true => (
            "added_to",
            format!("put {count} into {}", group.display_name),
        ),
        false => (
            "removed_from",
            format!("took {count} out of {}", group.display_name),
        ),
    };
    done(shell, members.json, key, &group.id.to_string(), &text)
}

fn remove(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let group = cloud.group(&named.name)?;
    cloud.remove_group(&group)?;
    let text = format!("removed group {}", group.display_name);
    done(shell, named.json, "removed", &group.id.to_string(), &text)
}
