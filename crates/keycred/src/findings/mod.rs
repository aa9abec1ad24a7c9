//! What is unusual about a key credential: departures from MS-ADTS 2.2.20, traces of editing, weak keys.
//!
//! Readable and conforming are two questions. Genuine values break the specification (nine reserved bytes, .NET
//! times, FIDO key ids), so each finding says how much it matters ([`Severity`]) apart from whether the
//! specification forbids it ([`Finding::spec`]).
//!
//! Deliberately absent: who may have written the value ([`crate::fingerprint`]), and anything that needs the
//! directory or the present time.

mod custom;
mod keys;
mod structure;
mod times;

use std::borrow::Cow;
use std::fmt;

use crate::credential::KeyCredential;

/// One thing that is unusual about a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable name, for filters.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What it is, in words.
    pub sentence: Cow<'static, str>,
    /// The section of MS-ADTS that says otherwise; `None` where the specification is silent.
    pub spec: Option<&'static str>,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Genuine writers do this.
    Note,
    /// Unusual: worth a look.
    Warning,
    /// Edited, forged, broken or weak.
    Alarm,
}

impl Severity {
    /// The word for tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Alarm => "alarm",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ({})",
            self.severity.word(),
            self.sentence,
            self.id
        )
    }
}

/// All findings, gravest first, otherwise in the order of the entries they are about.
pub(crate) fn of(key: &KeyCredential<'_>) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    structure::look(key, &mut findings);
    keys::look(key, &mut findings);
    custom::look(key, &mut findings);
    times::look(key, &mut findings);
    findings
        .0
        .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings.0
}

/// Collects findings with few words.
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    fn note(
        &mut self,
        id: &'static str,
        spec: Option<&'static str>,
        sentence: impl Into<Cow<'static, str>>,
    ) {
        self.add(Severity::Note, id, spec, sentence.into());
    }

    fn warning(
        &mut self,
        id: &'static str,
        spec: Option<&'static str>,
        sentence: impl Into<Cow<'static, str>>,
    ) {
        self.add(Severity::Warning, id, spec, sentence.into());
    }

    fn alarm(
        &mut self,
        id: &'static str,
        spec: Option<&'static str>,
        sentence: impl Into<Cow<'static, str>>,
    ) {
        self.add(Severity::Alarm, id, spec, sentence.into());
    }

    fn add(
        &mut self,
        severity: Severity,
        id: &'static str,
        spec: Option<&'static str>,
        sentence: Cow<'static, str>,
    ) {
        self.0.push(Finding {
            id,
            severity,
            sentence,
            spec,
        });
    }
}

/// MS-ADTS sections.
mod section {
    pub(super) const BLOB: Option<&str> = Some("MS-ADTS 2.2.20.2");
    pub(super) const CUSTOM: Option<&str> = Some("MS-ADTS 2.2.20.4");
    pub(super) const MATERIAL: Option<&str> = Some("MS-ADTS 2.2.20.5");
    pub(super) const ENTRY: Option<&str> = Some("MS-ADTS 2.2.20.6");
}
