//! What is said of one change.

use std::fmt;

use serde::Serialize;
use types::Guid;

use crate::{Reason, Side, Sighting};

/// The verdict on one change, with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The word.
    pub verdict: Word,
    /// How sure.
    pub confidence: Confidence,
    /// On how much evidence.
    pub tier: Tier,
    /// Sum of the weights.
    pub score: i32,
    /// The change.
    pub change: Sighting,
    /// What the key is, where the value is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyFacts>,
    /// Every reason, the heaviest first.
    pub reasons: Vec<Reason>,
    /// Evidence that would have been useful and was not there.
    pub not_available: Vec<String>,
    /// One command that would settle it; none where it is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle: Option<String>,
}

/// What a value says of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyFacts {
    /// KeyID in hex.
    pub key_id: String,
    /// `NGC`, `FIDO`, ...
    pub usage: Option<String>,
    /// `AD`, `AzureAD`.
    pub source: Option<String>,
    /// The device that holds the key.
    pub device_id: Option<Guid>,
    /// When it says it was made.
    pub created: Option<String>,
    /// Format of the key material.
    pub material: Option<String>,
    /// Who shapes values like this, best guess first.
    pub shaped_by: Vec<String>,
}

/// The word of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Word {
    /// The sync wrote what the cloud has.
    #[serde(rename = "legitimate writeback")]
    LegitimateWriteback,
    /// A computer for itself, or a registration service on the ground, as they do.
    #[serde(rename = "legitimate registration")]
    LegitimateRegistration,
    /// The evidence does not lean.
    #[serde(rename = "unknown")]
    Unknown,
    /// It leans towards an attack, and proves none.
    #[serde(rename = "suspicious")]
    Suspicious,
    /// Somebody wrote a key of their own.
    #[serde(rename = "planted")]
    Planted,
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Just over the threshold.
    Low,
    /// Clearly over it.
    Medium,
    /// Decided by a rule that leaves no doubt, or far over it.
    High,
}

/// How much evidence there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Tier {
    /// The event alone: writer, object, length.
    T1,
    /// And the value.
    T2,
    /// And the cloud's keys, and what is known of the sync.
    T3,
}

impl Word {
    /// The word as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegitimateWriteback => "legitimate writeback",
            Self::LegitimateRegistration => "legitimate registration",
            Self::Unknown => "unknown",
            Self::Suspicious => "suspicious",
            Self::Planted => "planted",
        }
    }

    /// Whether somebody should look.
    pub fn is_alarming(self) -> bool {
        matches!(self, Self::Suspicious | Self::Planted)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::T1 => "T1",
            Self::T2 => "T2",
            Self::T3 => "T3",
        })
    }
}

impl Verdict {
    /// The reasons on one side, the heaviest first.
    pub fn reasons_on(&self, side: Side) -> impl Iterator<Item = &Reason> {
        self.reasons
            .iter()
            .filter(move |reason| reason.side() == side)
    }

    /// Whether a reason with this id was found.
    pub fn has_reason(&self, id: &str) -> bool {
        self.reasons.iter().any(|reason| reason.id == id)
    }
}
