//! What a command is going to do, step by step, and what has become of it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::probe::Verdict;
use super::server_object::{Krbtgt, ServerObject};
use crate::io::{Failure, Shell};

/// The name of the JSON form.
const FORMAT: &str = "tombolo-trust-change/1";

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub(super) enum Step {
    /// Make the ticket granting account; the directory chooses its number.
    MakeKrbtgt { dn: String },
    /// Make the computer object.
    MakeComputer { dn: String },
    /// Write an attribute of the computer object.
    Write {
        dn: String,
        attribute: &'static str,
        values: Vec<String>,
    },
    /// Give the ticket granting account a new key.
    RenewKey { dn: String },
    /// Ask the KDC whether it has the key.
    Probe { kdc: String },
    /// Write the key to a file.
    WriteKeytab { path: PathBuf },
    /// Give the key to the cloud, sealed.
    Publish { cloud: String },
    /// Delete an object.
    Delete { dn: String },
    /// Have the cloud forget the key.
    Withdraw { cloud: String, domain: String },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeKrbtgt { dn } => {
                write!(
                    f,
                    "+ ticket granting account {dn}; the directory chooses its number"
                )
            }
            Self::MakeComputer { dn } => write!(f, "+ computer {dn}"),
            Self::Write {
                dn,
                attribute,
                values,
            } => write!(f, "~ {attribute} of {dn}: {}", values.join(" and ")),
            Self::RenewKey { dn } => write!(f, "~ a new key for {dn}, from a random password"),
            Self::Probe { kdc } => write!(f, "? ask the KDC at {kdc} whether it has the key"),
            Self::WriteKeytab { path } => write!(f, "+ the key in {}", path.display()),
            Self::Publish { cloud } => write!(f, "+ the key to {cloud}, sealed"),
            Self::Delete { dn } => write!(f, "- {dn}"),
            Self::Withdraw { cloud, domain } => write!(f, "- the key of {domain} at {cloud}"),
        }
    }
}

/// A step, and whether it is done.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Planned {
    #[serde(flatten)]
    pub(super) step: Step,
    pub(super) done: bool,
}

/// The plan, and what has become of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    format: &'static str,
    /// `create`, `rotate`, `publish` or `remove`.
    action: &'static str,
    /// The object as it was before.
    before: ServerObject,
    /// Who writes.
    writer: String,
    steps: Vec<Planned>,
    /// Rights that the writer lacks.
    pub(super) lacks: Vec<String>,
    pub(super) applied: bool,
    /// The number and the version of the key, once they are known.
    pub(super) number: Option<u16>,
    pub(super) version: Option<u16>,
    /// What the KDC says of the key.
    pub(super) verdict: Option<Verdict>,
    /// What is left to be done by hand.
    pub(super) next: Vec<String>,
}

impl Change {
    /// A plan.
    pub(super) fn new(
        action: &'static str,
        before: ServerObject,
        writer: String,
        steps: Vec<Step>,
    ) -> Self {
        let krbtgt = before.krbtgt.as_ref();
        Self {
            format: FORMAT,
            action,
            number: krbtgt.and_then(|krbtgt| krbtgt.number),
            version: krbtgt.and_then(|krbtgt| krbtgt.version),
            before,
            writer,
            steps: steps
                .into_iter()
                .map(|step| Planned { step, done: false })
                .collect(),
            lacks: Vec::new(),
            applied: false,
            verdict: None,
            next: Vec::new(),
        }
    }

    /// The account has these now.
    pub(super) fn learn(&mut self, krbtgt: &Krbtgt) {
        (self.number, self.version) = (krbtgt.number, krbtgt.version);
    }

    /// The steps that are still to be done.
    pub(super) fn open(&self) -> Vec<Step> {
        let open = self.steps.iter().filter(|planned| !planned.done);
        open.map(|planned| planned.step.clone()).collect()
    }

    /// A step is done.
    pub(super) fn did(&mut self, step: &Step) {
        let found = self.steps.iter_mut().find(|planned| planned.step == *step);
        if let Some(planned) = found {
            planned.done = true;
        }
    }

    /// Whether there is anything to do.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether it is all done, or could be.
    pub(super) fn is_well(&self) -> bool {
        match self.applied {
            true => self.steps.iter().all(|planned| planned.done),
            false => self.lacks.is_empty(),
        }
    }

    /// For people.
    pub(super) fn tell(&self, shell: &mut Shell) -> Result<(), Failure> {
        shell.line(format!("domain: {}", self.before.domain.dns_name))?;
        shell.line(format!("writer: {}", self.writer))?;
        for Planned { step, done } in &self.steps {
            let state = match (self.applied, done) {
                (false, _) => "",
                (true, true) => "done     ",
                (true, false) => "NOT done ",
            };
            shell.line(format!("{state}{step}"))?;
        }
        if self.steps.is_empty() {
            shell.line("there is nothing to do")?;
        }
        if let (Some(number), Some(version)) = (self.number, self.version) {
            shell.line(format!("key: number {number}, version {version}"))?;
        }
        match &self.verdict {
            Some(Verdict::Right) => shell.line("the KDC opens tickets of this key")?,
            Some(Verdict::Wrong | Verdict::Unknown) => {
                shell.line("the KDC does NOT open tickets of this key")?;
            }
            Some(Verdict::Unclear(why)) => {
                shell.line(format!("whether the KDC has this key is not clear: {why}"))?;
            }
            None => {}
        }
        for lack in &self.lacks {
            shell.line(format!("lacks: {lack}"))?;
        }
        for next in &self.next {
            shell.line(format!("next: {next}"))?;
        }
        if !self.applied && !self.steps.is_empty() {
            shell.line(match self.lacks.is_empty() {
                true => "nothing was done yet; --apply does it",
                false => "nothing was done, and nothing would be: rights are missing",
            })?;
        }
        Ok(())
    }
}
