//! Carrying whole objects into the cloud: note the intent, send, note the outcome, and believe the next import alone.
//!
//! Each write says all that an object should be, and saying it twice does no harm. So what an interrupted cycle left is not
//! settled but planned again; only its receipts are made up for, where an import shows that it was done.

use events::ReceiptState;
use types::Timestamp;

use super::apply::Place;
use super::{Engine, Step};
use crate::Error;
use crate::connector::{Attributes, Connector, ObjectWrite, WriteErrorClass};
use crate::mend::Reason;
use crate::plan::{ExportAction, ObjectExport, Plan, digest, filled};
use crate::report::{ApplyReport, ObjectOutcome, OutcomeState};
use crate::store::{ExportState, ExportedObject};

/// Objects whose intents are committed together.
const WINDOW: usize = 16;

impl Engine {
    /// Writes what a plan says to the cloud. Of a plan that was kept in a file only what today's plan says as well.
    pub(super) fn export(
        &mut self,
        plan: &Plan,
        today: Option<&Plan>,
        cycle: u64,
        report: &mut ApplyReport,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut writes = Vec::new();
        for export in plan.exports.iter().filter(|export| export.is_write()) {
            let is_made_today = today.is_none_or(|today| {
                let mut made = today.exports.iter();
                made.any(|made| made.is_same(export) && made.base == export.base)
            });
            if is_made_today {
                writes.push(export);
            } else {
                let message = "the rules do not make this from what is known now; make a new plan";
                self.refuse_export(export, Reason::Changed, message, report, now)?;
            }
        }
        let total = writes.len();
        let mut done = 0_usize;
        for window in writes.chunks(WINDOW) {
            self.intend(window, cycle, now)?;
            self.step(Step::Intent)?;
            for export in window {
                self.send_object(export, cycle, report, now)?;
                done = done.saturating_add(1);
                self.step(Step::Sent(done, total, &export.name))?;
            }
            self.step(Step::Outcome)?;
        }
        if report.exported + report.withdrawn > 0 {
            match self.import(Connector::Cloud, false, now) {
                Ok(_) => self
                    .confirm_exports(Some(report), self.moment(now))
                    .map(drop)?,
                Err(Error::Connector { source, .. }) => {
                    tracing::warn!(%source, "the cloud cannot be imported again to confirm the writes");
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn intend(
        &mut self,
        window: &[&ObjectExport],
        cycle: u64,
        now: Timestamp,
    ) -> Result<(), Error> {
        let transaction = self.state.begin()?;
        // Whoever lost the lease must not send anything any more.
        self.state.check_fence(self.fence)?;
        for export in window {
            let written = written(export, cycle, ExportState::Intent, now);
            self.state.note_export(&written)?;
        }
        Ok(transaction.commit()?)
    }

    fn send_object(
        &mut self,
        export: &ObjectExport,
        cycle: u64,
        report: &mut ApplyReport,
        now: Timestamp,
    ) -> Result<(), Error> {
        let is_put = export.action != ExportAction::Delete;
        let write = ObjectWrite {
            kind: export.kind.clone(),
            anchor: export.anchor.clone(),
            attributes: is_put.then(|| export.attributes.clone()),
        };
        let sent = self.cloud.put(&write);
        let now = self.moment(now);
        match sent {
            Err(error) if error.class == WriteErrorClass::Gone && !is_put => {}
            Err(error) => {
                let reason = Reason::of_cloud(&error);
                if error.class != WriteErrorClass::Retry {
                    self.state.forget_export(&export.kind, &export.anchor)?;
                }
                return self.refuse_export(export, reason, &error.message, report, now);
            }
            Ok(()) => {}
        }
        let transaction = self.state.begin()?;
        let written = written(export, cycle, ExportState::Written, now);
        self.state.note_export(&written)?;
        self.state.forget_failures(&export.anchor, &export.kind)?;
        self.sign(&written, ReceiptState::Written, now)?;
        transaction.commit()?;
        let (added, removed) = (u64::from(is_put), u64::from(!is_put));
        report.exported = report.exported.saturating_add(added);
        report.withdrawn = report.withdrawn.saturating_add(removed);
        let confirmed = false;
        report.objects.push(outcome(
            export,
            OutcomeState::Written {
                added,
                removed,
                confirmed,
            },
        ));
        Ok(())
    }

    fn refuse_export(
        &mut self,
        export: &ObjectExport,
        reason: Reason,
        message: &str,
        report: &mut ApplyReport,
        now: Timestamp,
    ) -> Result<(), Error> {
        let transaction = self.state.begin()?;
        if let Some(person) = export.person {
            self.state.mark_person_dirty(person)?;
        }
        let word = serde_json::to_string(&reason).unwrap_or_default();
        let failures = self.state.note_failure(
            &export.anchor,
            &export.kind,
            word.trim_matches('"'),
            message,
            now,
        )?;
        transaction.commit()?;
        report.refused = report.refused.saturating_add(1);
        let message = message.to_owned();
        report.objects.push(outcome(
            export,
            OutcomeState::Refused {
                reason,
                message,
                failures,
            },
        ));
        Ok(())
    }

    /// After an import of the cloud: signs for what it shows. Gives how many writes of interrupted cycles were done.
    pub(super) fn confirm_exports(
        &mut self,
        mut report: Option<&mut ApplyReport>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let transaction = self.state.begin()?;
        let mut recovered = 0_u64;
        for mut export in self.state.open_exports()? {
            if self.shown(&export)? != export.digest {
                continue;
            }
            if export.state == ExportState::Intent {
                // The time of the intent: what happened then is signed for now.
                self.sign(&export, ReceiptState::Written, export.at)?;
                recovered = recovered.saturating_add(1);
            }
            self.sign(&export, ReceiptState::Confirmed, now)?;
            export.state = ExportState::Confirmed;
            self.state.note_export(&export)?;
            let objects = report.as_mut().map(|report| report.objects.iter_mut());
            let mut same = objects
                .into_iter()
                .flatten()
                .filter(|object| object.anchor == export.anchor && object.attribute == export.kind);
            if let Some(OutcomeState::Written { confirmed, .. }) =
                same.next().map(|object| &mut object.state)
            {
                *confirmed = true;
            }
        }
        transaction.commit()?;
        Ok(recovered)
    }

    /// The digest of what the last import showed of an object.
    fn shown(&self, export: &ExportedObject) -> Result<String, Error> {
        let Some(object) = self.state.object(Connector::Cloud, &export.anchor)? else {
            return Ok(String::new());
        };
        let attributes = self.state.object_attributes(object.id)?;
        let attributes = match self.rules.rule(&export.rule) {
            Some(rule) => filled(rule, &attributes),
            None => attributes,
        };
        Ok(digest(Some(&attributes)))
    }

    fn sign(
        &self,
        export: &ExportedObject,
        state: ReceiptState,
        now: Timestamp,
    ) -> Result<(), Error> {
        let place = Place {
            anchor: &export.source,
            name: &export.name,
            attribute: &export.kind,
            rule: &export.rule,
            cloud_object: export.anchor.as_str(),
            cycle: export.cycle,
        };
        let mut receipt = self.make_receipt(&place, &Vec::new(), export.is_put, state, now);
        receipt.target = self.cloud.url();
        if export.is_put {
            receipt.value_sha256.clone_from(&export.digest);
        }
        receipt.value_length = usize::try_from(export.length).unwrap_or(usize::MAX);
        self.state.append_receipt(receipt)
    }
}

fn written(
    export: &ObjectExport,
    cycle: u64,
    state: ExportState,
    now: Timestamp,
) -> ExportedObject {
    let is_put = export.action != ExportAction::Delete;
    let length = |attributes: &Attributes| -> usize {
        let values = attributes.values().flatten();
        values.map(Vec::len).sum()
    };
    ExportedObject {
        kind: export.kind.clone(),
        anchor: export.anchor.clone(),
        cycle,
        at: now,
        name: export.name.clone(),
        source: export
            .source
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        rule: export.rule.clone(),
        is_put,
        digest: digest(is_put.then_some(&export.attributes)),
        length: u64::try_from(length(&export.attributes)).unwrap_or(u64::MAX),
        state,
    }
}

fn outcome(export: &ObjectExport, state: OutcomeState) -> ObjectOutcome {
    ObjectOutcome {
        anchor: export.anchor.clone(),
        name: export.name.clone(),
        attribute: export.kind.clone(),
        rule: export.rule.clone(),
        state,
    }
}
