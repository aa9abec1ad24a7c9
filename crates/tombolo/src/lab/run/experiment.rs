//! An experiment as a file says it: a claim in words, and cases that show it from more than one side.

use std::path::Path;

use serde::Deserialize;

use crate::io::{Failure, Tell, read_file};

/// A claim and the cases that show it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Experiment {
    /// The claim, in one sentence.
    pub(super) claim: String,
    /// What is looked at.
    pub(super) measured: String,
    /// The cases; at least two, as a claim that nothing could contradict shows nothing.
    #[serde(rename = "case")]
    pub(super) cases: Vec<Case>,
}

/// One direction of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What is different here, in words.
    pub(super) direction: String,
    /// What is done to a house in which everything works.
    #[serde(default)]
    pub(super) given: Vec<Step>,
    /// What is tried then.
    #[serde(default)]
    pub(super) attempt: Attempt,
    /// What should be seen.
    pub(super) expected: String,
}

/// Something that an administrator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    /// Removes the values of msDS-KeyCredentialLink of the user.
    RemoveSyncedEntry,
    /// `tombolo trust remove --apply`.
    RemoveTrust,
    /// Puts the user into the Denied RODC Password Replication Group.
    DenyUser,
    /// `tombolo trust create --allow "Schema Admins" --apply`.
    AllowNobodyElse,
    /// Disables the user's account on the ground.
    DisableAccount,
    /// Disables the user in the cloud.
    DisableUserInCloud,
    /// `tombolo trust rotate --apply`.
    RotateKey,
    /// The same, with the key in a file and not in the cloud.
    RotateKeyWithoutCloud,
    /// Puts the user into Domain Admins.
    MakeAdministrator,
    /// Removes the user's security key in the cloud.
    RemoveKeyInCloud,
    /// Adds a Conditional Access policy that wants a device of the domain.
    WantDomainDevice,
    /// `tombolo device hybrid-join` as the computer, `tombolo sync run`, and once more.
    JoinComputer,
    /// Removes the computer's certificate from its object, and syncs.
    RemoveComputerCertificate,
    /// Deletes the computer's object, and syncs.
    DeleteComputer,
}

/// What is tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Attempt {
    /// `tombolo signin`.
    #[default]
    SignIn,
    /// A sign-in at the cloud, and the exchange of its ticket.
    Exchange,
    /// The same by somebody who has the ticket and not its session key.
    ExchangeWithoutSessionKey,
    /// The same in the name of somebody else.
    ExchangeInAnotherName,
    /// A sign-in at the cloud, a renewal, and the exchange of the renewed ticket.
    Renew,
    /// The same, with the key removed between sign-in and renewal.
    RenewAfterKeyRemoval,
    /// A sign-in; then the cloud is cut off, and another sign-in is tried.
    SignInWithoutCloud,
    /// A sign-in; then the cloud is cut off, and `tombolo unlock` is tried.
    UnlockWithoutCloud,
    /// The same with a copy of the offline cache from before the last one.
    UnlockAnOldCopy,
    /// The same in the state of another device.
    UnlockOnAnotherDevice,
    /// `tombolo device hybrid-join` as the computer.
    JoinComputer,
}

impl Attempt {
    /// Whether it begins by cutting the cloud off after a good sign-in.
    pub(super) fn is_without_cloud(self) -> bool {
        matches!(
            self,
            Self::SignInWithoutCloud
                | Self::UnlockWithoutCloud
                | Self::UnlockAnOldCopy
                | Self::UnlockOnAnotherDevice
        )
    }
}

/// The experiments that come with the program, by name.
pub(super) const SHIPPED: [(&str, &str); 10] = [
    (
        "synced-entry",
        include_str!("../../../../../experiments/synced-entry.toml"),
    ),
    (
        "kerberos-server-object",
        include_str!("../../../../../experiments/kerberos-server-object.toml"),
    ),
    (
        "deny-group",
        include_str!("../../../../../experiments/deny-group.toml"),
    ),
    (
        "disabled-account",
        include_str!("../../../../../experiments/disabled-account.toml"),
    ),
    (
        "privileged-account",
        include_str!("../../../../../experiments/privileged-account.toml"),
    ),
    (
        "rotated-key",
        include_str!("../../../../../experiments/rotated-key.toml"),
    ),
    (
        "stolen-ticket",
        include_str!("../../../../../experiments/stolen-ticket.toml"),
    ),
    (
        "removed-key",
        include_str!("../../../../../experiments/removed-key.toml"),
    ),
    (
        "without-the-cloud",
        include_str!("../../../../../experiments/without-the-cloud.toml"),
    ),
    (
        "hybrid-device",
        include_str!("../../../../../experiments/hybrid-device.toml"),
    ),
];

impl Experiment {
    /// A shipped experiment by its name, or one in a file.
    pub(super) fn find(name: &str) -> Result<Self, Failure> {
        let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name);
        if let Some((_, text)) = shipped {
            return Self::parse(text, name);
        }
        let path = Path::new(name);
        if !path.is_file() {
            let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
            return Err(Failure::new(format!("there is no experiment '{name}'"))
                .next(format!("name one of {}, or a file", names.join(", "))));
        }
        let text = String::from_utf8(read_file(path)?).tell(format!("{name} is no text"))?;
        Self::parse(&text, name)
    }

    fn parse(text: &str, name: &str) -> Result<Self, Failure> {
        let read: Self =
            toml::from_str(text).tell(format!("the experiment {name} cannot be read"))?;
        if read.cases.len() < 2 {
            return Err(
                Failure::new(format!("the experiment {name} has fewer than two cases"))
                    .next("show the claim from both sides"),
            );
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_experiments_can_be_read_and_none_is_forgotten() {
        for (name, text) in SHIPPED {
            Experiment::parse(text, name).unwrap();
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), SHIPPED.len());
    }

    #[test]
    fn a_claim_without_its_opposite_is_none() {
        let text = "claim = 'x'\nmeasured = 'y'\n[[case]]\ndirection = 'z'\nexpected = 'ticket'\n";
        assert!(Experiment::parse(text, "x").is_err());
        assert!(Experiment::find("no-such-experiment").is_err());
    }
}
