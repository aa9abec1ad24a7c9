//! All verdicts of a scan, in the stable form `tombolo-detect/1`.

use serde::Serialize;

use crate::read::{Broken, Read};
use crate::{Baseline, Inventory, Verdict, Word, judge};

/// All that a scan found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `tombolo-detect/1`.
    pub format: &'static str,
    /// The counts.
    pub summary: Summary,
    /// One for each change, in the order of time.
    pub verdicts: Vec<Verdict>,
    /// Records that could not be read, named up to a limit.
    pub broken: Vec<Broken>,
}

/// The counts of a scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Changes of key credentials that were seen.
    pub changes: usize,
    /// Values that one operation deleted and added again unchanged, which are not judged.
    pub rewrites: usize,
    /// Verdicts `planted`.
    pub planted: usize,
    /// Verdicts `suspicious`.
    pub suspicious: usize,
    /// Verdicts `unknown`.
    pub unknown: usize,
    /// Verdicts `legitimate writeback` and `legitimate registration`.
    pub legitimate: usize,
    /// Records about something else.
    pub passed_over: usize,
    /// Records that could not be read.
    pub broken_records: usize,
}

impl Report {
    /// The current format.
    pub const FORMAT: &'static str = "tombolo-detect/1";

    /// Judges everything that was read.
    pub fn new(reads: Vec<Read>, inventory: &Inventory, baseline: &Baseline) -> Self {
        let mut summary = Summary::default();
        let mut sightings = Vec::new();
        let mut broken = Vec::new();
        for read in reads {
            summary.passed_over += read.passed_over;
            summary.broken_records += read.broken_count;
            sightings.extend(read.sightings);
            broken.extend(read.broken);
        }
        inventory.complete(&mut sightings);
        let verdicts = judge(&sightings, baseline);
        summary.changes = sightings.len();
        summary.rewrites = sightings.len() - verdicts.len();
        let count = |wanted: &[Word]| {
            verdicts
                .iter()
                .filter(|v| wanted.contains(&v.verdict))
                .count()
        };
        summary.planted = count(&[Word::Planted]);
        summary.suspicious = count(&[Word::Suspicious]);
        summary.unknown = count(&[Word::Unknown]);
        summary.legitimate = count(&[Word::LegitimateWriteback, Word::LegitimateRegistration]);
        Self {
            format: Self::FORMAT,
            summary,
            verdicts,
            broken,
        }
    }

    /// The most alarming word of all verdicts.
    pub fn worst(&self) -> Option<Word> {
        self.verdicts.iter().map(|verdict| verdict.verdict).max()
    }
}
