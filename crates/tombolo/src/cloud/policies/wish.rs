//! A policy as somebody wishes it: by flags, or from a file, with names where the API has ids.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cloud_api::conditional_access::{
    ACTION_REGISTER_DEVICE, ACTION_REGISTER_KEY, ALL, APP_DEVICES, APP_KERBEROS, APP_OWN_KEYS,
    APP_SIGN_IN, AccessPolicy, ApplicationCondition, Conditions, Control, FrequencyUnit,
    GrantControls, Operator, PolicyState, STRENGTH_MFA, STRENGTH_PASSWORDLESS,
    STRENGTH_PHISHING_RESISTANT, SessionControls, SignInFrequency, StrengthRef, UserCondition,
};
use types::Guid;

use super::super::logs::seconds;
use super::super::reach::Reached;
use crate::io::{Failure, Tell, read_input};

/// Short names of what the cloud itself is as an application, and of actions.
const TARGETS: [(&str, &str); 6] = [
    ("sign-in", APP_SIGN_IN),
    ("kerberos", APP_KERBEROS),
    ("devices", APP_DEVICES),
    ("own-keys", APP_OWN_KEYS),
    ("register-key", ACTION_REGISTER_KEY),
    ("register-device", ACTION_REGISTER_DEVICE),
];
const STRENGTHS: [(&str, &str); 3] = [
    ("mfa", STRENGTH_MFA),
    ("passwordless", STRENGTH_PASSWORDLESS),
    ("phishing-resistant", STRENGTH_PHISHING_RESISTANT),
];

/// A policy to add.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct Wish {
    /// The policy, TOML or JSON; `-` is stdin
    #[arg(conflicts_with_all = ["name", "users", "groups", "require"], required_unless_present = "name")]
    file: Option<PathBuf>,
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// Users it applies to: all, or sign-in names (comma or repeated)
    #[arg(long, value_delimiter = ',', requires = "name")]
    users: Vec<String>,
    /// Groups it applies to
    #[arg(long, value_delimiter = ',', requires = "name")]
    groups: Vec<String>,
    /// Users it spares
    #[arg(long, value_delimiter = ',', requires = "name")]
    except_users: Vec<String>,
    /// Groups it spares
    #[arg(long, value_delimiter = ',', requires = "name")]
    except_groups: Vec<String>,
    /// Where to: all, sign-in, kerberos, devices, own-keys, or a client id; all when nothing is said
    #[arg(long, value_delimiter = ',', requires = "name")]
    applications: Vec<String>,
    /// Where to it does not apply
    #[arg(long, value_delimiter = ',', requires = "name")]
    except_applications: Vec<String>,
    /// Actions it applies to, in the place of applications: register-key, register-device
    #[arg(
        long,
        value_delimiter = ',',
        requires = "name",
        conflicts_with = "applications"
    )]
    actions: Vec<String>,
    /// What it asks for (repeatable)
    #[arg(long, value_enum, value_delimiter = ',', requires = "name")]
    require: Vec<Demand>,
    /// One of what it asks for is enough; all without it
    #[arg(long, requires = "require")]
    any: bool,
    /// How often a user signs in anew: 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = frequency, requires = "name")]
    sign_in_every: Option<SignInFrequency>,
    /// Only tell the audit log what it would refuse
    #[arg(long, requires = "name")]
    report_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Demand {
    /// The impossible
    Block,
    /// Two factors
    Mfa,
    /// Neither a password nor a pass
    Passwordless,
    /// A security key or Windows Hello
    PhishingResistant,
    /// A device that is marked as compliant
    CompliantDevice,
    /// A device of a domain on the ground
    DomainJoinedDevice,
}

fn frequency(text: &str) -> Result<SignInFrequency, String> {
    let wrong = || "write whole hours or days: 12h, 7d".to_owned();
    let hours = seconds(text)
        .filter(|seconds| *seconds > 0 && seconds % 3_600 == 0)
        .map(|seconds| seconds / 3_600)
        .ok_or_else(wrong)?;
    let (value, unit) = match hours % 24 {
        0 => (hours / 24, FrequencyUnit::Days),
        _ => (hours, FrequencyUnit::Hours),
    };
    Ok(SignInFrequency {
        value: u16::try_from(value).map_err(|_| wrong())?,
        unit,
        is_enabled: true,
    })
}

impl Wish {
    /// The policy with ids.
    pub(super) fn read(&self, cloud: &Reached) -> Result<AccessPolicy, Failure> {
        match (&self.file, &self.name) {
            (Some(file), _) => of_file(file, cloud),
            (None, name) => with_ids(self.by_flags(name.as_deref().unwrap_or_default()), cloud),
        }
    }

    fn by_flags(&self, name: &str) -> AccessPolicy {
        let mut built_in_controls = Vec::new();
        let mut authentication_strength = None;
        for demand in &self.require {
            let strength = match demand {
                Demand::Block => None,
                Demand::Mfa => {
                    built_in_controls.push(Control::Mfa);
                    None
                }
                Demand::CompliantDevice => {
                    built_in_controls.push(Control::CompliantDevice);
                    None
                }
                Demand::DomainJoinedDevice => {
                    built_in_controls.push(Control::DomainJoinedDevice);
                    None
                }
                Demand::Passwordless => Some(STRENGTH_PASSWORDLESS),
                Demand::PhishingResistant => Some(STRENGTH_PHISHING_RESISTANT),
            };
            if *demand == Demand::Block {
                built_in_controls.push(Control::Block);
            }
            if let Some(id) = strength {
                authentication_strength = Some(StrengthRef { id: id.to_owned() });
            }
        }
        let applications = match self.applications.is_empty() && self.actions.is_empty() {
            true => vec![ALL.to_owned()],
            false => self.applications.clone(),
        };
        let operator = if self.any {
            Operator::Or
        } else {
            Operator::And
        };
        AccessPolicy {
            id: Guid::ZERO,
            display_name: name.to_owned(),
            state: match self.report_only {
                true => PolicyState::EnabledForReportingButNotEnforced,
                false => PolicyState::Enabled,
            },
            conditions: Conditions {
                users: UserCondition {
                    include_users: self.users.clone(),
                    exclude_users: self.except_users.clone(),
                    include_groups: self.groups.clone(),
                    exclude_groups: self.except_groups.clone(),
                },
                applications: ApplicationCondition {
                    include_applications: applications,
                    exclude_applications: self.except_applications.clone(),
                    include_user_actions: self.actions.clone(),
                },
            },
            grant_controls: (!self.require.is_empty()).then_some(GrantControls {
                operator,
                built_in_controls,
                authentication_strength,
            }),
            session_controls: self.sign_in_every.as_ref().map(|every| SessionControls {
                sign_in_frequency: Some(every.clone()),
            }),
        }
    }
}

/// A policy from a file, with ids.
pub(super) fn of_file(file: &Path, cloud: &Reached) -> Result<AccessPolicy, Failure> {
    let what = || format!("{} holds no policy", file.display());
    let text = String::from_utf8(read_input(file)?).tell(what())?;
    let policy = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).tell(what()),
        false => toml::from_str(&text).tell(what()),
    };
    let policy = policy.map_err(|failure: Failure| {
        failure.next("see `tombolo cloud policy add --help` for an example")
    })?;
    with_ids(policy, cloud)
}

/// Names of users, groups, applications and strengths become what the API knows.
fn with_ids(mut policy: AccessPolicy, cloud: &Reached) -> Result<AccessPolicy, Failure> {
    let users = &mut policy.conditions.users;
    for name in users
        .include_users
        .iter_mut()
        .chain(&mut users.exclude_users)
    {
        if name.eq_ignore_ascii_case(ALL) {
            *name = ALL.to_owned();
        } else if name.parse::<Guid>().is_err() {
            *name = cloud.user(name)?.id.to_string();
        }
    }
    for name in users
        .include_groups
        .iter_mut()
        .chain(&mut users.exclude_groups)
    {
        if name.parse::<Guid>().is_err() {
            *name = cloud.group(name)?.id.to_string();
        }
    }
    let applications = &mut policy.conditions.applications;
    let targets = applications
        .include_applications
        .iter_mut()
        .chain(&mut applications.exclude_applications)
        .chain(&mut applications.include_user_actions);
    for name in targets {
        *name = target(name);
    }
    let controls = policy.grant_controls.as_mut();
    if let Some(strength) = controls.and_then(|controls| controls.authentication_strength.as_mut())
        && let Some((_, id)) = STRENGTHS.iter().find(|(name, _)| *name == strength.id)
    {
        strength.id = (*id).to_owned();
    }
    Ok(policy)
}

/// An application or action by its short name or its own.
pub(super) fn target(name: &str) -> String {
    if name.eq_ignore_ascii_case(ALL) {
        return ALL.to_owned();
    }
    let known = TARGETS.iter().find(|(short, _)| *short == name);
    known.map_or(name, |(_, urn)| urn).to_owned()
}

/// Its short name again.
pub(super) fn short(target: &str) -> &str {
    let known = TARGETS.iter().find(|(_, urn)| *urn == target);
    known.map_or(target, |(short, _)| short)
}

/// Names of users and groups by their ids.
pub(super) struct Names(HashMap<Guid, String>);

impl Names {
    pub(super) fn of(cloud: &Reached) -> Result<Self, Failure> {
        let users = cloud.users()?.into_iter();
        let groups = cloud.groups()?.into_iter();
        let users = users.map(|user| (user.id, user.user_principal_name));
        let groups = groups.map(|group| (group.id, format!("group {}", group.display_name)));
        Ok(Self(users.chain(groups).collect()))
    }

    /// To whom a policy applies, in words.
    pub(super) fn users(&self, users: &UserCondition) -> String {
        let name = |id: &String| {
            let known = id.parse().ok().and_then(|id: Guid| self.0.get(&id));
            known.unwrap_or(id).clone()
        };
        let list = |ids: &[String], more: &[String]| {
            let names: Vec<String> = ids.iter().chain(more).map(name).collect();
            names.join(", ")
        };
        let included = list(&users.include_users, &users.include_groups);
        let excluded = list(&users.exclude_users, &users.exclude_groups);
        but(included, &excluded)
    }
}

/// Where to a policy applies, in words.
pub(super) fn applications(applications: &ApplicationCondition) -> String {
    let list = |names: &[String]| {
        let names: Vec<&str> = names.iter().map(|name| short(name)).collect();
        names.join(", ")
    };
    let included = match applications.include_user_actions.is_empty() {
        true => list(&applications.include_applications),
        false => list(&applications.include_user_actions),
    };
    but(included, &list(&applications.exclude_applications))
}

fn but(included: String, excluded: &str) -> String {
    match excluded.is_empty() {
        true => included,
        false => format!("{included}, but not {excluded}"),
    }
}

/// What a policy asks for, in words.
pub(super) fn demands(policy: &AccessPolicy) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut between = " and ";
    if let Some(controls) = &policy.grant_controls {
        if controls.operator == Operator::Or {
            between = " or ";
        }
        words.extend(
            controls
                .built_in_controls
                .iter()
                .map(|control| match control {
                    Control::Block => "the impossible",
                    Control::Mfa => "two factors",
                    Control::CompliantDevice => "a compliant device",
                    Control::DomainJoinedDevice => "a device of the domain",
                }),
        );
        if let Some(strength) = &controls.authentication_strength {
            let known = STRENGTHS.iter().find(|(_, id)| *id == strength.id);
            words.push(known.map_or(strength.id.as_str(), |(name, _)| name));
        }
    }
    let mut text = words.join(between);
    let session = policy.session_controls.as_ref();
    if let Some(every) = session.and_then(|session| session.sign_in_frequency.as_ref())
        && every.is_enabled
    {
        let unit = match every.unit {
            FrequencyUnit::Hours => "hours",
            FrequencyUnit::Days => "days",
        };
        let comma = if text.is_empty() { "" } else { ", and " };
        text.push_str(&format!(
            "{comma}a new sign-in every {} {unit}",
            every.value
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_whole_hours_or_days() {
        let check = |text: &str, wanted: Option<(u16, FrequencyUnit)>| {
            let got = frequency(text).ok().map(|every| (every.value, every.unit));
            assert_eq!(got, wanted, "{text}");
        };
        check("12h", Some((12, FrequencyUnit::Hours)));
        check("48h", Some((2, FrequencyUnit::Days)));
        check("7d", Some((7, FrequencyUnit::Days)));
        check("90m", None);
        check("0h", None);
        check("x", None);
    }

    #[test]
    fn targets_have_short_names() {
        assert_eq!(target("kerberos"), APP_KERBEROS);
        assert_eq!(target("all"), ALL);
        assert_eq!(target("my-app"), "my-app");
        assert!(
            TARGETS
                .iter()
                .all(|(name, urn)| short(&target(name)) == *name && target(name) == *urn)
        );
    }
}
