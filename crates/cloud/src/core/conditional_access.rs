//! What policies say of an attempt. All that apply must be content; one that blocks is never content.
//!
//! The device's state comes from the store by the device that proved itself, never from what a request claims.

use cloud_api::claims::ClaimsRequest;
use cloud_api::conditional_access::{
    ACTION_REGISTER_DEVICE, ACTION_REGISTER_KEY, ALL, APP_DEVICES, APP_KERBEROS, APP_OWN_KEYS,
    APP_SIGN_IN, AccessPolicy, Conditions, Control, GrantControls, Operator, PolicyState,
    PolicyVerdict, STRENGTH_MFA, STRENGTH_PASSWORDLESS, STRENGTH_PHISHING_RESISTANT,
};
use types::Guid;

use super::primary_token::Strength;
use crate::error::Error;

/// A device as policies see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceState {
    pub(crate) trust_type: String,
    pub(crate) is_compliant: bool,
}

/// Who wants what, and how well it is proven.
#[derive(Debug, Clone)]
pub(crate) struct Attempt<'a> {
    pub(crate) user: Guid,
    pub(crate) groups: &'a [Guid],
    /// An application or an action by name.
    pub(crate) target: &'a str,
    pub(crate) strength: Strength,
    pub(crate) device: Option<DeviceState>,
    /// Seconds since the user proved itself.
    pub(crate) proof_age_s: i64,
}

/// Each policy's word.
pub(crate) fn evaluate(policies: &[AccessPolicy], attempt: &Attempt<'_>) -> Vec<PolicyVerdict> {
    policies
        .iter()
        .map(|policy| {
            let outside = (policy.state == PolicyState::Disabled)
                .then_some("the policy is disabled")
                .or_else(|| why_not(&policy.conditions, attempt));
            let (reasons, is_blocked) = match outside {
                Some(why) => (vec![why.to_owned()], false),
                None => missing(policy, attempt),
            };
            PolicyVerdict {
                id: policy.id,
                display_name: policy.display_name.clone(),
                state: policy.state,
                policy_applies: outside.is_none(),
                reasons,
                is_blocked,
            }
        })
        .collect()
}

/// A policy that is not content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRefused {
    /// The policy.
    pub id: Guid,
    /// Its name.
    pub name: String,
    /// What it misses.
    pub why: String,
    /// Whether nothing can content it.
    pub is_blocked: bool,
    /// The strength that it asks for.
    pub strength: Option<String>,
}

impl PolicyRefused {
    /// What to ask for at the next sign-in; nothing where that could not help.
    pub(crate) fn claims(&self) -> Option<String> {
        let strength = self.strength.as_deref();
        (!self.is_blocked).then(|| ClaimsRequest::challenge(self.id, strength))
    }
}

/// Each policy's word, where none refuses.
pub(crate) fn allow(
    policies: &[AccessPolicy],
    attempt: &Attempt<'_>,
) -> Result<Vec<PolicyVerdict>, PolicyRefused> {
    let verdicts = evaluate(policies, attempt);
    let Some(verdict) = refusal(&verdicts) else {
        return Ok(verdicts);
    };
    let mut policies = policies.iter();
    let policy = policies.find(|policy| policy.id == verdict.id);
    let controls = policy.and_then(|policy| policy.grant_controls.as_ref());
    let strength = controls.and_then(|controls| controls.authentication_strength.as_ref());
    Err(PolicyRefused {
        id: verdict.id,
        name: verdict.display_name.clone(),
        why: verdict.reasons.join("; "),
        is_blocked: verdict.is_blocked,
        strength: strength.map(|strength| strength.id.clone()),
    })
}

/// The policy in force that is not content, one that blocks before all others.
pub(crate) fn refusal(verdicts: &[PolicyVerdict]) -> Option<&PolicyVerdict> {
    let discontent = || {
        verdicts.iter().filter(|verdict| {
            verdict.state == PolicyState::Enabled
                && verdict.policy_applies
                && !verdict.reasons.is_empty()
        })
    };
    discontent()
        .find(|verdict| verdict.is_blocked)
        .or_else(|| discontent().next())
}

/// The policies that would have refused if they were in force.
pub(crate) fn reports(verdicts: &[PolicyVerdict]) -> impl Iterator<Item = &PolicyVerdict> {
    verdicts.iter().filter(|verdict| {
        verdict.state == PolicyState::EnabledForReportingButNotEnforced
            && verdict.policy_applies
            && !verdict.reasons.is_empty()
    })
}

fn why_not(conditions: &Conditions, attempt: &Attempt<'_>) -> Option<&'static str> {
    let users = &conditions.users;
    let is_user = |list: &[String]| list.iter().any(|id| id == ALL || names(id, attempt.user));
    let is_member = |list: &[String]| {
        let mut groups = attempt.groups.iter();
        groups.any(|group| list.iter().any(|id| names(id, *group)))
    };
    if is_user(&users.exclude_users) || is_member(&users.exclude_groups) {
        return Some("the user is excluded");
    }
    if !is_user(&users.include_users) && !is_member(&users.include_groups) {
        return Some("the user is not included");
    }
    let applications = &conditions.applications;
    let has = |list: &[String]| list.iter().any(|name| name == attempt.target);
    if is_action(attempt.target) {
        let is_included = has(&applications.include_user_actions);
        return (!is_included).then_some("the action is not included");
    }
    if has(&applications.exclude_applications) {
        return Some("the application is excluded");
    }
    let all = applications
        .include_applications
        .iter()
        .any(|name| name == ALL);
    (!all && !has(&applications.include_applications)).then_some("the application is not included")
}

fn names(text: &str, id: Guid) -> bool {
    text.parse() == Ok(id)
}

fn is_action(target: &str) -> bool {
    [ACTION_REGISTER_KEY, ACTION_REGISTER_DEVICE].contains(&target)
}

/// What an applying policy misses, and whether it blocks.
fn missing(policy: &AccessPolicy, attempt: &Attempt<'_>) -> (Vec<String>, bool) {
    let mut reasons = Vec::new();
    let mut is_blocked = false;
    if let Some(controls) = &policy.grant_controls {
        is_blocked = controls.built_in_controls.contains(&Control::Block);
        if is_blocked {
            reasons.push("access is blocked".to_owned());
        } else {
            reasons.extend(unmet(controls, attempt));
        }
    }
    let frequency = policy.session_controls.as_ref();
    let frequency = frequency.and_then(|controls| controls.sign_in_frequency.as_ref());
    if frequency.is_some_and(|often| often.is_enabled && attempt.proof_age_s > often.seconds()) {
        reasons.push("the last sign-in is too long ago; sign in again".to_owned());
    }
    (reasons, is_blocked)
}

fn unmet(controls: &GrantControls, attempt: &Attempt<'_>) -> Vec<String> {
    let device = attempt.device.as_ref();
    let built_in = controls
        .built_in_controls
        .iter()
        .map(|control| match control {
            Control::Block => (false, "access is blocked"),
            // Every proof that this cloud takes has two factors.
            Control::Mfa => (true, "two factors are needed"),
            Control::CompliantDevice => (
                device.is_some_and(|device| device.is_compliant),
                "a compliant device is needed",
            ),
            Control::DomainJoinedDevice => (
                device.is_some_and(|device| device.trust_type == "ServerAd"),
                "a device of a domain on the ground is needed",
            ),
        });
    let strength = controls.authentication_strength.iter().map(|wanted| {
        let is_strong = strong_enough(&wanted.id, attempt.strength).unwrap_or(false);
        (is_strong, "a stronger sign-in is needed")
    });
    let all: Vec<(bool, &str)> = built_in.chain(strength).collect();
    let is_content = match controls.operator {
        Operator::And => all.iter().all(|(met, _)| *met),
        Operator::Or => all.iter().any(|(met, _)| *met) || all.is_empty(),
    };
    if is_content {
        return Vec::new();
    }
    let open = all.into_iter().filter(|(met, _)| !met);
    open.map(|(_, what)| what.to_owned()).collect()
}

/// Whether a proof is of a built-in strength; `None` where there is no such strength.
pub(crate) fn strong_enough(id: &str, strength: Strength) -> Option<bool> {
    match id {
        STRENGTH_MFA => Some(true),
        STRENGTH_PASSWORDLESS | STRENGTH_PHISHING_RESISTANT => {
            Some(strength.is_phishing_resistant())
        }
        _ => None,
    }
}

/// The built-in strengths that a proof has.
pub(crate) fn strengths_of(strength: Strength) -> Vec<String> {
    let all = [
        STRENGTH_MFA,
        STRENGTH_PASSWORDLESS,
        STRENGTH_PHISHING_RESISTANT,
    ];
    let has = |id: &&str| strong_enough(id, strength) == Some(true);
    all.into_iter().filter(has).map(str::to_owned).collect()
}

/// Refuses a policy that says nothing, or of which something would be ignored.
pub(crate) fn check(policy: &AccessPolicy) -> Result<(), Error> {
    let refused = |what: String| Err(Error::invalid(format!("the policy's {what}")));
    let users = &policy.conditions.users;
    let is_id = |text: &String| text.parse::<Guid>().is_ok();
    let ids = [
        &users.exclude_users,
        &users.include_groups,
        &users.exclude_groups,
    ];
    let stray = ids.into_iter().flatten().find(|text| !is_id(text));
    let mut included = users.include_users.iter();
    let stray = stray.or_else(|| included.find(|text| *text != ALL && !is_id(text)));
    if let Some(stray) = stray {
        let stray: String = stray.chars().take(60).collect();
        return refused(format!("users or groups name '{stray}', which is no id"));
    }
    if users.include_users.is_empty() && users.include_groups.is_empty() {
        return refused("conditions include nobody".to_owned());
    }
    let applications = &policy.conditions.applications;
    let known = [ALL, APP_SIGN_IN, APP_KERBEROS, APP_DEVICES, APP_OWN_KEYS];
    let mut named = applications
        .include_applications
        .iter()
        .chain(&applications.exclude_applications);
    let stray = named.find(|name| !known.contains(&name.as_str()));
    let mut actions = applications.include_user_actions.iter();
    if let Some(stray) = stray.or_else(|| actions.find(|name| !is_action(name))) {
        let stray: String = stray.chars().take(60).collect();
        return refused(format!(
            "applications name '{stray}', which is none of this cloud"
        ));
    }
    if applications.include_applications.is_empty() && applications.include_user_actions.is_empty()
    {
        return refused("conditions include no application".to_owned());
    }
    let controls = policy.grant_controls.as_ref();
    let strength = controls.and_then(|controls| controls.authentication_strength.as_ref());
    if strength.is_some_and(|strength| strong_enough(&strength.id, Strength::Fido2).is_none()) {
        return refused("authenticationStrength is none of the built-in ones".to_owned());
    }
    let asks = controls.is_some_and(|controls| {
        !controls.built_in_controls.is_empty() || controls.authentication_strength.is_some()
    });
    if !asks && policy.session_controls.is_none() {
        return refused("controls ask for nothing".to_owned());
    }
    Ok(())
}
