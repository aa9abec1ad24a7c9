//! The outage matrix: what works when the cloud, the domain controller or both are away, for how long, and why. Each
//! cell is tried: in a house of its own, at that time, over the wires that are left.
//!
//! The mornings are all alike: at eight somebody signs in with a security key; half an hour later the outage begins.

mod column;
mod rows;
pub mod timeline;

use serde::Serialize;
use types::Timestamp;

use crate::{Error, Lifetimes};
pub use rows::{ROWS, Row};

/// What an administrator decides, and what the matrix depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long tickets live.
    pub lifetimes: Lifetimes,
    /// How long after the last contact with the cloud a device opens, in seconds.
    pub offline_s: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            lifetimes: Lifetimes::default(),
            offline_s: workstation::policy::OfflinePolicy::default().usable_for_s,
        }
    }
}

/// What is away, and for how long it has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// A name that stays the same from version to version.
    pub id: &'static str,
    /// In words.
    pub title: &'static str,
    /// For the head of a narrow column.
    pub short: &'static str,
    /// The cloud is away.
    pub no_cloud: bool,
    /// The domain controller is away.
    pub no_domain_controller: bool,
    /// For so many seconds.
    pub for_s: i64,
    /// Nobody signed in on the device before.
    pub is_first: bool,
    /// The security key has hmac-secret.
    pub hmac_secret: bool,
}

impl Situation {
    const fn new(
        id: &'static str,
        title: &'static str,
        short: &'static str,
        away: [bool; 2],
        for_s: i64,
    ) -> Self {
        let [no_cloud, no_domain_controller] = away;
        Self {
            id,
            title,
            short,
            no_cloud,
            no_domain_controller,
            for_s,
            is_first: false,
            hmac_secret: true,
        }
    }
}

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;
const CLOUD: [bool; 2] = [true, false];

/// The columns. The first shows that everything works in this house.
pub const SITUATIONS: [Situation; 9] = [
    Situation::new("up", "nothing is away", "all up", [false, false], HOUR_S),
    Situation::new(
        "cloud-1m",
        "cloud away for 1 minute",
        "cloud 1m",
        CLOUD,
        MINUTE_S,
    ),
    Situation::new(
        "cloud-1h",
        "cloud away for 1 hour",
        "cloud 1h",
        CLOUD,
        HOUR_S,
    ),
    Situation::new(
        "cloud-11h",
        "cloud away for 11 hours",
        "cloud 11h",
        CLOUD,
        11 * HOUR_S,
    ),
    Situation::new(
        "cloud-8d",
        "cloud away for 8 days",
        "cloud 8d",
        CLOUD,
        8 * DAY_S,
    ),
    Situation::new(
        "dc-1h",
        "domain controller away for 1 hour",
        "DC 1h",
        [false, true],
        HOUR_S,
    ),
    Situation::new(
        "both-1h",
        "both away for 1 hour",
        "both 1h",
        [true, true],
        HOUR_S,
    ),
    Situation {
        is_first: true,
        ..Situation::new(
            "first",
            "first sign-in on this device, cloud away",
            "first time",
            CLOUD,
            HOUR_S,
        )
    },
    Situation {
        hmac_secret: false,
        ..Situation::new(
            "no-hmac-secret",
            "key without hmac-secret, cloud away for 1 hour",
            "no hmac",
            CLOUD,
            HOUR_S,
        )
    },
];

/// A cell as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// [`Row::id`].
    pub row: &'static str,
    /// [`Situation::id`].
    pub column: &'static str,
    /// Whether it works.
    pub outcome: Outcome,
    /// By what, or for want of what.
    pub mechanism: String,
    /// Until when that holds, where it ends by itself.
    pub until: Option<Timestamp>,
    /// When it was tried.
    pub at: Timestamp,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It did what was wanted.
    Works,
    /// It did not.
    Fails,
}

/// All cells, column by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// When everybody signed in.
    pub signed_in: Timestamp,
    /// When the outages began.
    pub outage: Timestamp,
    /// What it depends on.
    pub rules: Rules,
    /// The cells.
    pub cells: Vec<Cell>,
}

impl Matrix {
    /// A cell.
    pub fn cell(&self, row: &str, column: &str) -> Option<&Cell> {
        self.cells
            .iter()
            .find(|cell| cell.row == row && cell.column == column)
    }
}

/// The morning: `2026-06-10T08:00:00Z`.
pub(super) const MORNING: Timestamp = Timestamp::from_unix_seconds(1_781_078_400);
/// From the sign-in to the outage.
pub(super) const BEFORE_S: i64 = HOUR_S / 2;

/// Tries every cell. `observer` is told before each column.
pub fn run(rules: Rules, observer: &mut dyn FnMut(&Situation)) -> Result<Matrix, Error> {
    let mut cells = Vec::with_capacity(SITUATIONS.len() * ROWS.len());
    for situation in &SITUATIONS {
        observer(situation);
        cells.extend(column::play(rules, situation)?);
    }
    Ok(Matrix {
        signed_in: MORNING,
        outage: MORNING.plus_seconds(BEFORE_S),
        rules,
        cells,
    })
}
