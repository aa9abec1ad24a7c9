//! Applying a plan: journal, send, note the outcome.
//!
//! Values are added and deleted one by one and never replaced, so that other writers' values survive; objects are
//! addressed by GUID, so that a rename does not hit another. Each object stands for itself: one that is refused does
//! not keep the next from being written.

use std::collections::HashMap;

use types::{Guid, Timestamp};

use super::{Engine, Step};
use crate::Error;
use crate::connector::{
    Anchor, Connector, Permission, Value, ValueWrite, Values, WriteError, WriteErrorClass,
};
use crate::mend::{Mend, Reason};
use crate::plan::{Action, ObjectPlan, Plan, base};
use crate::report::{ApplyReport, ObjectOutcome, OutcomeState};
use crate::store::JournalRow;
use events::{Operation, Receipt, ReceiptState};

/// Objects that are journalled together: one commit for the intents, one for the outcomes.
const WINDOW: usize = 16;

/// A write on its way.
struct Write<'p> {
    plan: &'p ObjectPlan,
    values: ValueWrite,
    journal: i64,
}

/// How a write ended.
enum Sent {
    Done(ValueWrite),
    AlreadySo,
    Refused(Reason, String),
    /// Nobody knows: the line broke. The journal keeps the intent, the next import tells.
    Unknown(String),
}

impl Engine {
    /// Writes what a plan says, then imports what came of it. Of a plan that was kept in a file only what today's
    /// plan says as well.
    pub(super) fn apply_and_confirm(
        &mut self,
        plan: &Plan,
        today: Option<&Plan>,
        cycle: u64,
        now: Timestamp,
    ) -> Result<ApplyReport, Error> {
        let mut report = ApplyReport::default();
        self.export(plan, today, cycle, &mut report, now)?;
        let today = today.map(by_place);
        let mut objects = Vec::new();
        for object in plan.objects.iter().filter(|object| object.has_writes()) {
            let place = (object.anchor.as_ref(), object.attribute.as_str());
            let is_made_today = today.as_ref().is_none_or(|today| {
                let made = today.get(&place);
                made.is_some_and(|made| object.is_within(made))
            });
            if is_made_today {
                objects.push(object);
            } else {
                let message =
                    "the rules do not make this from the keys that are known now; make a new plan";
                let refused = (Reason::Changed, message.to_owned());
                self.refuse(object, refused, &mut report, now)?;
            }
        }
        let total = objects.len();
        let mut done = 0_usize;
        for window in objects.chunks(WINDOW) {
            self.window(window, cycle, (&mut done, total), &mut report, now)?;
        }
        self.add_mends(&mut report);
        if report.added > 0 || report.removed > 0 {
            let first = self.import(Connector::Ad, false, now);
            match first {
                Ok(_) => {
                    let now = self.moment(now);
                    self.confirm(&mut report, now)?;
                    self.settle_written(now)?;
                }
                // What was written stays unconfirmed in the journal; the next cycle's import sees it.
                Err(Error::Connector { source, .. }) => {
                    tracing::warn!(%source, "the directory cannot be imported again to confirm the writes");
                }
                Err(other) => return Err(other),
            }
        } else if report.exported > 0 || report.withdrawn > 0 {
            self.settle_written(self.moment(now))?;
        }
        Ok(report)
    }

    fn window(
        &mut self,
        objects: &[&ObjectPlan],
        cycle: u64,
        (done, total): (&mut usize, usize),
        report: &mut ApplyReport,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut writes = Vec::new();
        for plan in objects {
            match self.check_base(plan) {
                Ok(values) => writes.push(Write {
                    plan,
                    values,
                    journal: 0,
                }),
                Err(refused) => self.refuse(plan, refused, report, now)?,
            }
        }
        self.journal_intents(&mut writes, cycle, self.moment(now))?;
        self.step(Step::Intent)?;
        let mut sent = Vec::new();
        for write in writes {
            let outcome = self.send(&write);
            *done = done.saturating_add(1);
            self.step(Step::Sent(*done, total, &write.plan.name))?;
            sent.push((write, outcome));
        }
        let now = self.moment(now);
        let transaction = self.state.begin()?;
        for (write, outcome) in &sent {
            self.note_outcome(write, outcome, cycle, report, now)?;
        }
        transaction.commit()?;
        self.step(Step::Outcome)
    }

    /// The values to write, if the object still looks as the plan saw it.
    fn check_base(&mut self, plan: &ObjectPlan) -> Result<ValueWrite, (Reason, String)> {
        let gone = || (Reason::ObjectGone, "the object is gone".to_owned());
        let anchor = plan.anchor.clone().ok_or_else(gone)?;
        let present = self
            .directory
            .read(&anchor, &plan.attribute)
            .map_err(|error| (Reason::Unavailable, error.to_string()))?
            .ok_or_else(gone)?;
        let found = base(&present);
        if found != plan.base {
            let message = format!(
                "its values are not those that the plan saw ({found}, not {}); make a new plan",
                plan.base
            );
            return Err((Reason::Changed, message));
        }
        Ok(ValueWrite {
            anchor,
            attribute: plan.attribute.clone(),
            add: plan.values(&Action::Add).cloned().collect(),
            remove: plan.values(&Action::Remove).cloned().collect(),
        })
    }

    fn journal_intents(
        &mut self,
        writes: &mut [Write<'_>],
        cycle: u64,
        now: Timestamp,
    ) -> Result<(), Error> {
        let transaction = self.state.begin()?;
        // Whoever lost the lease must not send anything any more.
        self.state.check_fence(self.fence)?;
        for write in writes {
            let attribute = Some(write.values.attribute.as_str());
            self.state.supersede(&write.values.anchor, attribute)?;
            let row = JournalRow {
                id: 0,
                cycle,
                at: now,
                anchor: write.values.anchor.clone(),
                name: write.plan.name.clone(),
                attribute: write.plan.attribute.clone(),
                rule: write.plan.rule.clone(),
                cloud_object: write
                    .plan
                    .cloud_object
                    .as_ref()
                    .map_or_else(String::new, ToString::to_string),
                added: write.values.add.clone(),
                removed: write.values.remove.clone(),
                state: "intent".to_owned(),
            };
            write.journal = self.state.journal(&row, self.fence)?;
        }
        Ok(transaction.commit()?)
    }

    fn send(&mut self, write: &Write<'_>) -> Sent {
        let error = match self.directory.write(&write.values) {
            Ok(()) => return Sent::Done(write.values.clone()),
            Err(error) => error,
        };
        match error.class {
            WriteErrorClass::AlreadySo => self.send_the_rest(&write.values, &error),
            WriteErrorClass::Retry => Sent::Unknown(error.message),
            _ => self.refused(&write.values, &error),
        }
    }

    /// Someone was faster with a part of it: read back, and send what is still missing.
    fn send_the_rest(&mut self, values: &ValueWrite, first: &WriteError) -> Sent {
        let present = match self.directory.read(&values.anchor, &values.attribute) {
            Ok(Some(present)) => present,
            Ok(None) => return Sent::Refused(Reason::ObjectGone, first.message.clone()),
            Err(error) => return Sent::Unknown(error.to_string()),
        };
        let rest = ValueWrite {
            anchor: values.anchor.clone(),
            attribute: values.attribute.clone(),
            add: values.add.difference(&present).cloned().collect(),
            remove: values.remove.intersection(&present).cloned().collect(),
        };
        if rest.add.is_empty() && rest.remove.is_empty() {
            return Sent::AlreadySo;
        }
        match self.directory.write(&rest) {
            Ok(()) => Sent::Done(rest),
            Err(error) if error.class == WriteErrorClass::Retry => Sent::Unknown(error.message),
            Err(error) => self.refused(values, &error),
        }
    }

    fn refused(&mut self, values: &ValueWrite, error: &WriteError) -> Sent {
        let denied = error.class == WriteErrorClass::Denied;
        let protected = denied && {
            let asked = self
                .directory
                .permissions(std::slice::from_ref(&values.anchor), &values.attribute);
            let answer = asked
                .ok()
                .and_then(|answers| answers.get(&values.anchor).copied());
            answer == Some(Permission::DeniedByProtection)
        };
        Sent::Refused(Reason::of(error, protected), error.message.clone())
    }

    fn refuse(
        &mut self,
        plan: &ObjectPlan,
        (reason, message): (Reason, String),
        report: &mut ApplyReport,
        now: Timestamp,
    ) -> Result<(), Error> {
        let transaction = self.state.begin()?;
        self.note_refusal(plan, reason, &message, report, now)?;
        Ok(transaction.commit()?)
    }

    fn note_refusal(
        &self,
        plan: &ObjectPlan,
        reason: Reason,
        message: &str,
        report: &mut ApplyReport,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(anchor) = plan.anchor.clone() else {
            return Ok(());
        };
        // A kept plan may fail for somebody who is in order: the next plan looks again, and forgets the failure.
        self.state.mark_person_dirty(plan.person)?;
        let word = serde_json::to_string(&reason).unwrap_or_default();
        let failures = self.state.note_failure(
            &anchor,
            &plan.attribute,
            word.trim_matches('"'),
            message,
            now,
        )?;
        if reason == Reason::Changed && failures == 2 {
            // The same surprise twice: the imports do not show what the directory has. Once, all is read again.
            self.state.set_meta(super::RESYNC, "yes")?;
        }
        report.refused = report.refused.saturating_add(1);
        let state = OutcomeState::Refused {
            reason,
            message: message.to_owned(),
            failures,
        };
        report.objects.push(outcome(plan, state));
        Ok(())
    }

    fn note_outcome(
        &self,
        write: &Write<'_>,
        sent: &Sent,
        cycle: u64,
        report: &mut ApplyReport,
        now: Timestamp,
    ) -> Result<(), Error> {
        let plan = write.plan;
        match sent {
            Sent::Done(values) => {
                self.state.set_journal(write.journal, "written", "")?;
                self.state
                    .forget_failures(&values.anchor, &values.attribute)?;
                let changes = changes(&values.add, &values.remove);
                for (value, added) in changes {
                    self.state.remember_export(
                        &values.anchor,
                        &values.attribute,
                        value,
                        added,
                        now,
                    )?;
                    let receipt = self.receipt(write, value, added, cycle, now);
                    self.state.append_receipt(receipt)?;
                }
                let (added, removed) = (count(&values.add), count(&values.remove));
                report.added = report.added.saturating_add(added);
                report.removed = report.removed.saturating_add(removed);
                report.objects.push(outcome(
                    plan,
                    OutcomeState::Written {
                        added,
                        removed,
                        confirmed: false,
                    },
                ));
            }
            Sent::AlreadySo => {
                self.state.set_journal(write.journal, "already", "")?;
                self.state
                    .forget_failures(&write.values.anchor, &write.values.attribute)?;
                report.objects.push(outcome(plan, OutcomeState::AlreadySo));
            }
            Sent::Refused(reason, message) => {
                self.state.set_journal(write.journal, "refused", message)?;
                self.note_refusal(plan, *reason, message, report, now)?;
            }
            Sent::Unknown(message) => {
                self.state.set_journal(write.journal, "intent", message)?;
                self.note_refusal(plan, Reason::Unavailable, message, report, now)?;
            }
        }
        Ok(())
    }

    fn receipt(
        &self,
        write: &Write<'_>,
        value: &Value,
        added: bool,
        cycle: u64,
        now: Timestamp,
    ) -> Receipt {
        let cloud = write
            .plan
            .cloud_object
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        let place = Place {
            anchor: write.values.anchor.as_str(),
            name: &write.plan.name,
            attribute: &write.plan.attribute,
            rule: &write.plan.rule,
            cloud_object: &cloud,
            cycle,
        };
        self.make_receipt(&place, value, added, ReceiptState::Written, now)
    }

    pub(super) fn make_receipt(
        &self,
        place: &Place<'_>,
        value: &Value,
        added: bool,
        state: ReceiptState,
        now: Timestamp,
    ) -> Receipt {
        use sha2::Digest;
        Receipt {
            format: events::ReceiptFormat,
            sequence: 0,
            time: now,
            cycle: place.cycle,
            connector: self.account.sid.clone(),
            target: self.account.url.clone(),
            object_guid: place.anchor.parse().unwrap_or(Guid::ZERO),
            object_dn: place.name.to_owned(),
            attribute: place.attribute.to_owned(),
            operation: if added {
                Operation::ValueAdded
            } else {
                Operation::ValueDeleted
            },
            value_sha256: data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(value)),
            value_length: value.len(),
            rule: place.rule.to_owned(),
            cloud_object: place.cloud_object.to_owned(),
            state,
        }
    }

    /// The lines that mend what was refused, once for each reason and attribute.
    fn add_mends(&self, report: &mut ApplyReport) {
        let mut reasons: Vec<(Reason, &str)> = Vec::new();
        for object in &report.objects {
            if let OutcomeState::Refused { reason, .. } = &object.state
                && !reasons.contains(&(*reason, &object.attribute))
            {
                reasons.push((*reason, &object.attribute));
            }
        }
        let mends = reasons
            .iter()
            .filter_map(|(reason, attribute)| Mend::of(*reason, attribute, &self.account));
        report.mends = mends.collect();
    }
}

/// Today's plan for each object and attribute.
fn by_place(plan: &Plan) -> HashMap<(Option<&Anchor>, &str), &ObjectPlan> {
    let places = plan.objects.iter().map(|object| {
        let place = (object.anchor.as_ref(), object.attribute.as_str());
        (place, object)
    });
    places.collect()
}

/// Where a value was written, for its receipt.
pub(super) struct Place<'a> {
    pub(super) anchor: &'a str,
    pub(super) name: &'a str,
    pub(super) attribute: &'a str,
    pub(super) rule: &'a str,
    pub(super) cloud_object: &'a str,
    pub(super) cycle: u64,
}

/// Each value with whether it is added.
pub(super) fn changes<'a>(
    added: &'a Values,
    removed: &'a Values,
) -> impl Iterator<Item = (&'a Value, bool)> {
    added
        .iter()
        .map(|value| (value, true))
        .chain(removed.iter().map(|value| (value, false)))
}

fn outcome(plan: &ObjectPlan, state: OutcomeState) -> ObjectOutcome {
    ObjectOutcome {
        anchor: plan
            .anchor
            .clone()
            .unwrap_or_else(|| crate::connector::Anchor::new("")),
        name: plan.name.clone(),
        attribute: plan.attribute.clone(),
        rule: plan.rule.clone(),
        state,
    }
}

pub(super) fn count(values: &Values) -> u64 {
    u64::try_from(values.len()).unwrap_or(u64::MAX)
}
