//! What a story leaves behind: one record per step, for people and as JSON.

use serde::Serialize;
use types::Timestamp;

/// A story as it was played.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The format's name and version.
    pub format: &'static str,
    /// When the story began.
    pub started: Timestamp,
    /// The realm it played in.
    pub realm: String,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// What the steps show.
    pub claims: Vec<Claim>,
    /// How many steps went as they should.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// From the first step's start to the last one's end.
    pub milliseconds: u64,
}

/// One step: what should be seen, and what was.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Its place in the story, from 1.
    pub number: usize,
    /// A short name that stays the same from version to version.
    pub id: &'static str,
    /// What is done.
    pub title: &'static str,
    /// What should be seen.
    pub expected: &'static str,
    /// What was seen, or what went wrong.
    pub seen: String,
    /// Whether the two agree.
    pub passed: bool,
    /// What a reader may want to look at: values, plan lines, reasons.
    pub details: Vec<String>,
    /// How long the step took.
    pub milliseconds: u64,
}

/// A claim, whether it was shown, and who else can judge it.
#[derive(Debug, Clone, Serialize)]
pub struct Claim {
    /// In one sentence.
    pub claim: &'static str,
    /// The numbers of the steps that show it.
    pub steps: Vec<usize>,
    /// Whether all of them went as they should.
    pub shown: bool,
    /// Foreign programs that can say the same; empty where there is none.
    pub judge: &'static str,
    /// What runs them.
    pub command: &'static str,
}

/// What a step saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// In one line.
    pub summary: String,
    /// What is worth showing below it.
    pub details: Vec<String>,
}

impl Seen {
    /// A sight that one line tells.
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            details: Vec::new(),
        }
    }

    /// Adds a line below.
    #[must_use]
    pub fn with(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// Adds lines below.
    #[must_use]
    pub fn with_all(mut self, details: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.details.extend(details.into_iter().map(Into::into));
        self
    }
}

impl Report {
    /// The current format.
    pub const FORMAT: &'static str = "tombolo-lab/1";

    /// An empty report.
    pub fn new(started: Timestamp, realm: &str) -> Self {
        Self {
            format: Self::FORMAT,
            started,
            realm: realm.to_owned(),
            steps: Vec::new(),
            claims: Vec::new(),
            passed: 0,
            failed: 0,
            milliseconds: 0,
        }
    }

    /// Adds a step and counts it.
    pub fn push(&mut self, step: Step) {
        if step.passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        self.milliseconds += step.milliseconds;
        self.steps.push(step);
    }

    /// Whether every step went as it should.
    pub fn all_passed(&self) -> bool {
        self.failed == 0 && !self.steps.is_empty()
    }
}
