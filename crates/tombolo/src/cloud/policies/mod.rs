//! `cloud policy`: Conditional Access, and what it would say.
//!
//! | module | what |
//! |---|---|
//! | `wish` | a policy by flags or from a file, with names where the API has ids |
//! | `trial` | what-if, and the dry run of a new policy |

mod trial;
mod wish;

use cloud_api::conditional_access::{AccessPolicy, PolicyState};
use serde_json::json;
use types::Guid;

use super::reach::{List, Named, Reach, Reached};
use super::state::{FORMAT, done};
use crate::io::{Exit, Failure, Shell, Tell, table};

const EXAMPLES: &str = "\
Examples:
  tombolo cloud policy add --name 'keys for tickets' --users all --applications kerberos \\
      --require phishing-resistant --dry-run
  tombolo cloud policy add --name 'compliant devices for pilots' --groups pilots --except-users admin@contoso.example \\
      --require compliant-device --report-only
  tombolo cloud policy add policy.toml
  tombolo cloud policy what-if testuser@corp.contoso.com --method pass --application kerberos

A file is TOML or JSON in the names of Graph's conditionalAccessPolicy; users and groups may be named by their names:
  displayName = 'compliant devices for pilots'
  state = 'enabled'
  conditions.users = { includeGroups = ['pilots'], excludeUsers = ['admin@contoso.example'] }
  conditions.applications = { includeApplications = ['All'] }
  grantControls = { operator = 'OR', builtInControls = ['compliantDevice'] }";

/// Conditional Access policies.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Policy {
    /// List all policies
    List(List),
    /// Show a policy as the API writes it; `add` takes the same
    Show(Named),
    /// Add a policy by flags or from a file
    #[command(visible_alias = "create", after_help = EXAMPLES)]
    Add(Box<Add>),
    /// Replace a policy by what a file says
    Replace(Replace),
    /// Put a policy in force
    Enable(Named),
    /// Put a policy out of force
    Disable(Named),
    /// Let a policy tell the audit log what it would refuse, and refuse nothing
    ReportOnly(Named),
    /// Delete a policy
    #[command(visible_alias = "delete")]
    Remove(Named),
    /// Ask what the policies would say of a sign-in, and why
    #[command(after_help = trial::HELP)]
    WhatIf(trial::Ask),
}

/// Add a policy.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    #[command(flatten)]
    wish: wish::Wish,
    /// Write nothing: show the policy, and of whom it would think what
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Replace a policy.
#[derive(Debug, clap::Args)]
pub(super) struct Replace {
    /// Name or id
    name: String,
    /// The policy, TOML or JSON; `-` is stdin
    file: std::path::PathBuf,
    /// Write nothing: show the policy, and of whom it would think what
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(policy: Policy, shell: &mut Shell) -> Result<Exit, Failure> {
    match policy {
        Policy::List(list) => self::list(&list, shell),
        Policy::Show(named) => show(&named, shell),
        Policy::Add(add) => {
            let cloud = add.reach.open()?;
            let policy = add.wish.read(&cloud)?;
            put(&cloud, &policy, true, add.dry_run, add.json, shell)
        }
        Policy::Replace(replace) => {
            let cloud = replace.reach.open()?;
            let id = cloud.policy(&replace.name)?.id;
            let policy = AccessPolicy {
                id,
                ..wish::of_file(&replace.file, &cloud)?
            };
            put(&cloud, &policy, false, replace.dry_run, replace.json, shell)
        }
        Policy::Enable(named) => change(&named, PolicyState::Enabled, shell),
        Policy::Disable(named) => change(&named, PolicyState::Disabled, shell),
        Policy::ReportOnly(named) => change(
            &named,
            PolicyState::EnabledForReportingButNotEnforced,
            shell,
        ),
        Policy::Remove(named) => remove(&named, shell),
        Policy::WhatIf(ask) => trial::what_if(&ask, shell),
    }
}

impl Reached {
    /// A policy by name or id. A name that two policies have names neither.
    fn policy(&self, name: &str) -> Result<AccessPolicy, Failure> {
        let id = name.parse::<Guid>().ok();
        let mut found = self.policies()?;
        found.retain(|policy| {
            Some(policy.id) == id || policy.display_name.eq_ignore_ascii_case(name)
        });
        let what = || format!("could not find policy {name}");
        match (found.pop(), found.is_empty()) {
            (Some(policy), true) => Ok(policy),
            (Some(_), false) => Err(Failure::new(what())
                .why("several policies have this name")
                .next("name it by its id: `tombolo cloud policy list`")),
            (None, _) => Err(Failure::new(what())
                .why("there is no such policy")
                .next("see `tombolo cloud policy list`")),
        }
    }
}

fn list(list: &List, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = list.reach.open()?;
    let policies = cloud.policies()?;
    if list.json {
        shell.json(&json!({ "format": FORMAT, "policies": policies }))?;
        return Ok(Exit::Good);
    }
    let names = wish::Names::of(&cloud)?;
    let mut table = table(["Name", "State", "Users", "Applications", "Asks for", "Id"]);
    for policy in &policies {
        table.add_row([
            policy.display_name.clone(),
            state(policy.state).to_owned(),
            names.users(&policy.conditions.users),
            wish::applications(&policy.conditions.applications),
            wish::demands(policy),
            policy.id.to_string(),
        ]);
    }
    shell.line(table)?;
    Ok(Exit::Good)
}

fn state(state: PolicyState) -> &'static str {
    match state {
        PolicyState::Enabled => "in force",
        PolicyState::Disabled => "disabled",
        PolicyState::EnabledForReportingButNotEnforced => "report only",
    }
}

fn show(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let policy = named.reach.open()?.policy(&named.name)?;
    if named.json {
        shell.json(&json!({ "format": FORMAT, "policy": policy }))?;
    } else {
        shell.line(as_toml(&policy)?.trim_end())?;
    }
    Ok(Exit::Good)
}

fn as_toml(policy: &AccessPolicy) -> Result<String, Failure> {
    toml::to_string(policy).tell("could not write the policy as TOML")
}

fn put(
    cloud: &Reached,
    policy: &AccessPolicy,
    is_new: bool,
    dry_run: bool,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    if dry_run {
        cloud.check_policy(policy)?;
        return trial::dry_run(cloud, policy, json, shell);
    }
    let policy = cloud.put_policy(policy, is_new)?;
    if json {
        shell.json(&json!({ "format": FORMAT, "policy": policy }))?;
    } else {
        shell.line(format_args!("{} {}", policy.id, policy.display_name))?;
    }
    Ok(Exit::Good)
}

fn change(named: &Named, wanted: PolicyState, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let mut policy = cloud.policy(&named.name)?;
    policy.state = wanted;
    cloud.put_policy(&policy, false)?;
    let text = format!("policy '{}': {}", policy.display_name, state(wanted));
    done(shell, named.json, "changed", &policy.id.to_string(), &text)
}

fn remove(named: &Named, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = named.reach.open()?;
    let policy = cloud.policy(&named.name)?;
    cloud.remove_policy(&policy)?;
    let text = format!("removed policy '{}'", policy.display_name);
    done(shell, named.json, "removed", &policy.id.to_string(), &text)
}
