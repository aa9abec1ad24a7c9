//! What the policies would say: of one sign-in, and of everybody if a policy were added.

use cloud_api::conditional_access::{
    ACTION_REGISTER_KEY, ALL, APP_SIGN_IN, AccessPolicy, Method, PolicyState, PolicyVerdict,
    WhatIf, WhatIfReply,
};
use comfy_table::Table;
use serde_json::json;
use types::Guid;

use super::super::logs::seconds;
use super::super::reach::{Reach, Reached};
use super::super::state::FORMAT;
use super::{as_toml, state, wish};
use crate::io::{Exit, Failure, Shell, counted, table};

pub(super) const HELP: &str = "\
Examples:
  tombolo cloud policy what-if testuser@corp.contoso.com
  tombolo cloud policy what-if testuser@corp.contoso.com --method pass --application kerberos --device desk-12
  tombolo cloud policy what-if testuser@corp.contoso.com --application register-key --age 12h

Exit codes:
  0  it would be granted
  1  it would be refused
  3  not asked: no such user or device, or the cloud could not be reached";

/// More rows would be read by nobody.
const TRIALS_MAX: usize = 200;

/// A sign-in to imagine.
#[derive(Debug, clap::Args)]
pub(in crate::cloud) struct Ask {
    /// Who, by sign-in name or id
    user: String,
    /// Where to: sign-in, kerberos, devices, own-keys, register-key, register-device, or a client id
    #[arg(long, value_name = "NAME", default_value = "sign-in")]
    application: String,
    /// By what proof
    #[arg(long, value_enum, default_value_t = Proof::Fido2)]
    method: Proof,
    /// At which device, by name or id; at none when nothing is said
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// How long ago the user proved itself: 30m, 12h
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = age)]
    age: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Proof {
    /// A security key
    Fido2,
    /// A Windows Hello key
    Hello,
    /// A temporary access pass
    Pass,
}

fn age(text: &str) -> Result<u32, String> {
    let age = seconds(text).and_then(|age| u32::try_from(age).ok());
    age.ok_or_else(|| "write 90s, 30m, 12h or 7d".to_owned())
}

pub(super) fn what_if(ask: &Ask, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = ask.reach.open()?;
    let user = cloud.user(&ask.user)?;
    let device = ask.device.as_ref();
    let device = device.map(|name| cloud.device(name)).transpose()?;
    let reply = cloud.what_if(&WhatIf {
        user: user.id,
        target: wish::target(&ask.application),
        method: match ask.method {
            Proof::Fido2 => Method::Fido2,
            Proof::Hello => Method::WindowsHelloForBusiness,
            Proof::Pass => Method::TemporaryAccessPassOneTime,
        },
        device: device.as_ref().map(|device| device.id),
        proof_age_seconds: ask.age,
        candidate: None,
    })?;
    let exit = if reply.granted {
        Exit::Good
    } else {
        Exit::Look
    };
    if ask.json {
        shell.json(&json!({ "format": FORMAT, "what_if": reply }))?;
        return Ok(exit);
    }
    shell.line(told(&reply))?;
    if !reply.value.is_empty() {
        shell.line(verdicts(&reply.value))?;
    }
    Ok(exit)
}

/// One sentence: which policy decided, and why.
fn told(reply: &WhatIfReply) -> String {
    let Some(decider) = decider(reply) else {
        let content = reply
            .value
            .iter()
            .filter(|verdict| verdict.policy_applies && verdict.state == PolicyState::Enabled);
        return match u64::try_from(content.count()).unwrap_or(u64::MAX) {
            0 => "granted: no policy applies".to_owned(),
            1 => "granted: the policy that applies is content".to_owned(),
            count => format!("granted: all {count} policies that apply are content"),
        };
    };
    format!(
        "refused by policy '{}': {}",
        decider.display_name,
        decider.reasons.join("; ")
    )
}

/// The policy whose word stands in the refusal: one that blocks goes before all others.
fn decider(reply: &WhatIfReply) -> Option<&PolicyVerdict> {
    let refuses = |verdict: &&PolicyVerdict| {
        verdict.state == PolicyState::Enabled
            && verdict.policy_applies
            && !verdict.reasons.is_empty()
    };
    let mut blocking = reply
        .value
        .iter()
        .filter(refuses)
        .filter(|verdict| verdict.is_blocked);
    blocking.next().or_else(|| reply.value.iter().find(refuses))
}

fn verdicts(verdicts: &[PolicyVerdict]) -> Table {
    let mut table = table(["Policy", "State", "Says", "Why"]);
    for verdict in verdicts {
        let says = match (
            verdict.policy_applies,
            verdict.reasons.is_empty(),
            verdict.state,
        ) {
            (false, ..) => "does not apply",
            (true, true, _) => "content",
            (true, false, PolicyState::EnabledForReportingButNotEnforced) => "would refuse",
            (true, false, _) => "refuses",
        };
        table.add_row([
            verdict.display_name.as_str(),
            state(verdict.state),
            says,
            &verdict.reasons.join("; "),
        ]);
    }
    table
}

/// A user at a device, before and after.
struct Trial {
    user: String,
    device: Option<String>,
    before: WhatIfReply,
    after: WhatIfReply,
}

/// What would change if a policy were there: each enabled user with a security key, at each of its devices.
pub(super) fn dry_run(
    cloud: &Reached,
    policy: &AccessPolicy,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let target = target_of(policy);
    let (trials, left_out) = trials(cloud, policy, &target)?;
    let refused = trials
        .iter()
        .filter(|trial| trial.before.granted && !trial.after.granted);
    let refused = refused.count();
    if json {
        let trials: Vec<_> = trials
            .iter()
            .map(|trial| {
                json!({
                    "user": trial.user, "device": trial.device, "granted_before": trial.before.granted,
                    "granted_after": trial.after.granted, "verdict": word_of(policy, &trial.after),
                })
            })
            .collect();
        shell.json(&json!({
            "format": FORMAT, "dry_run": true, "policy": policy, "target": target, "trials": trials,
            "left_out": left_out,
        }))?;
    } else {
        shell.line(as_toml(policy)?.trim_end())?;
        shell.line("")?;
        if !trials.is_empty() {
            shell.line(trial_table(policy, &trials))?;
        }
        let count = |count: usize, what| counted(u64::try_from(count).unwrap_or(u64::MAX), what);
        shell.line(format_args!(
            "nothing was written; the policy applies to {} of {} with a security key, and {refused} that are granted \
             today would be refused",
            count(trials.len(), "sign-in"),
            wish::short(&target),
        ))?;
        if left_out > 0 {
            shell.note(format_args!(
                "{} were not tried",
                count(left_out, "more user")
            ));
        }
    }
    Ok(if refused > 0 { Exit::Look } else { Exit::Good })
}

/// What a policy is mostly about.
fn target_of(policy: &AccessPolicy) -> String {
    let applications = &policy.conditions.applications;
    if let Some(action) = applications.include_user_actions.first() {
        return action.clone();
    }
    let all = applications
        .include_applications
        .iter()
        .any(|name| name == ALL);
    let first = applications.include_applications.first();
    match first.filter(|_| !all) {
        Some(name) => name.clone(),
        None => APP_SIGN_IN.to_owned(),
    }
}

fn trials(
    cloud: &Reached,
    policy: &AccessPolicy,
    target: &str,
) -> Result<(Vec<Trial>, usize), Failure> {
    let devices = cloud.devices()?;
    let mut users = cloud.users()?;
    users.retain(|user| user.account_enabled);
    let mut trials = Vec::new();
    let mut left_out = 0;
    for user in users {
        if trials.len() >= TRIALS_MAX {
            left_out += 1;
            continue;
        }
        let own = devices.iter().filter(|device| {
            device.registered_owner == Some(user.id)
                && device.account_enabled
                && target != ACTION_REGISTER_KEY
        });
        let mut places: Vec<Option<(Guid, String)>> = own
            .map(|device| Some((device.id, device.display_name.clone())))
            .collect();
        if places.is_empty() {
            places.push(None);
        }
        for place in places {
            let mut question = WhatIf {
                user: user.id,
                target: target.to_owned(),
                method: Method::Fido2,
                device: place.as_ref().map(|(id, _)| *id),
                proof_age_seconds: 0,
                candidate: None,
            };
            let before = cloud.what_if(&question)?;
            question.candidate = Some(policy.clone());
            let after = cloud.what_if(&question)?;
            let applies = verdict_of(policy, &after).is_some_and(|verdict| verdict.policy_applies);
            if applies {
                trials.push(Trial {
                    user: user.user_principal_name.clone(),
                    device: place.map(|(_, name)| name),
                    before,
                    after,
                });
            }
        }
    }
    Ok((trials, left_out))
}

fn verdict_of<'a>(policy: &AccessPolicy, reply: &'a WhatIfReply) -> Option<&'a PolicyVerdict> {
    reply.value.iter().find(|verdict| verdict.id == policy.id)
}

fn word_of(policy: &AccessPolicy, reply: &WhatIfReply) -> String {
    match verdict_of(policy, reply) {
        Some(verdict) if !verdict.reasons.is_empty() => verdict.reasons.join("; "),
        _ => "content".to_owned(),
    }
}

fn trial_table(policy: &AccessPolicy, trials: &[Trial]) -> Table {
    let mut table = table(["User", "Device", "Today", "Then", "The policy says"]);
    for trial in trials {
        let word = |granted: bool| if granted { "granted" } else { "refused" };
        table.add_row([
            trial.user.as_str(),
            trial.device.as_deref().unwrap_or("-"),
            word(trial.before.granted),
            word(trial.after.granted),
            &word_of(policy, &trial.after),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(name: &str, applies: bool, reason: &str, is_blocked: bool) -> PolicyVerdict {
        PolicyVerdict {
            id: Guid::ZERO,
            display_name: name.to_owned(),
            state: PolicyState::Enabled,
            policy_applies: applies,
            reasons: Some(reason.to_owned())
                .filter(|why| !why.is_empty())
                .into_iter()
                .collect(),
            is_blocked,
        }
    }

    #[test]
    fn the_sentence_names_the_policy_that_decided() {
        let check = |granted: bool, value: Vec<PolicyVerdict>, sentence: &str| {
            assert_eq!(told(&WhatIfReply { granted, value }), sentence);
        };
        check(true, vec![], "granted: no policy applies");
        check(
            true,
            vec![
                verdict("a", true, "", false),
                verdict("b", false, "not him", false),
            ],
            "granted: the policy that applies is content",
        );
        check(
            false,
            vec![
                verdict("a", true, "a compliant device is wanted", false),
                verdict("b", true, "access is blocked", true),
            ],
            "refused by policy 'b': access is blocked",
        );
        let mut reporting = verdict("c", true, "weak", false);
        reporting.state = PolicyState::EnabledForReportingButNotEnforced;
        check(true, vec![reporting], "granted: no policy applies");
    }
}
