//! Confirming: an import, not a result code, says that a write is there.
//!
//! The same look at the journal also settles what an interrupted cycle left behind: an intent without an outcome is
//! accounted for when the import shows its effect, and given up when it does not (the plan then wants it again).

use events::ReceiptState;
use types::Timestamp;

use super::Engine;
use super::apply::{Place, changes};
use crate::Error;
use crate::connector::{Connector, Value};
use crate::engine::Step;
use crate::keys;
use crate::report::{ApplyReport, OutcomeState};
use crate::schema::Space;
use crate::store::JournalRow;

impl Engine {
    /// After an import: settles every open line of the journal. Gives the number of values of interrupted writes
    /// that turned out to be done.
    pub(super) fn account_for_writes(&mut self, now: Timestamp) -> Result<u64, Error> {
        let transaction = self.state.begin()?;
        let mut recovered = 0_u64;
        for row in self.state.open_journal()? {
            let intent = row.state == "intent";
            let (seen, missing) = self.settle(&row, now)?;
            let state = match (seen, missing) {
                (_, 0) => "confirmed",
                (0, _) if intent => "abandoned",
                _ if intent => "confirmed",
                _ => "unconfirmed",
            };
            self.state.set_journal(row.id, state, "")?;
            if intent {
                recovered = recovered.saturating_add(seen);
            }
        }
        transaction.commit()?;
        Ok(recovered)
    }

    /// Confirms what was just written.
    pub(super) fn confirm(
        &mut self,
        report: &mut ApplyReport,
        now: Timestamp,
    ) -> Result<(), Error> {
        let rows = self.state.open_journal()?;
        let transaction = self.state.begin()?;
        for row in rows.iter().filter(|row| row.state == "written") {
            let (seen, missing) = self.settle(row, now)?;
            self.state.set_journal(
                row.id,
                if missing == 0 {
                    "confirmed"
                } else {
                    "unconfirmed"
                },
                "",
            )?;
            report.confirmed = report.confirmed.saturating_add(seen);
            let place = report
                .objects
                .iter_mut()
                .find(|object| object.anchor == row.anchor && object.attribute == row.attribute);
            if let Some(OutcomeState::Written { confirmed, .. }) =
                place.map(|object| &mut object.state)
            {
                *confirmed = missing == 0;
            }
        }
        transaction.commit()?;
        self.step(Step::Confirmed(report.confirmed))
    }

    /// Looks for the effect of one write in the connector space: how many of its values are as written.
    fn settle(&self, row: &JournalRow, now: Timestamp) -> Result<(u64, u64), Error> {
        let (mut seen, mut missing) = (0_u64, 0_u64);
        let present = self.present(row)?;
        let place = Place {
            anchor: row.anchor.as_str(),
            name: &row.name,
            attribute: &row.attribute,
            rule: &row.rule,
            cloud_object: &row.cloud_object,
            cycle: row.cycle,
        };
        for (value, added) in changes(&row.added, &row.removed) {
            if present.contains(&self.identity(row, value)) != added {
                missing = missing.saturating_add(1);
                continue;
            }
            seen = seen.saturating_add(1);
            let export = self.state.export(&row.anchor, &row.attribute, value)?;
            let open = export.is_some_and(|export| !export.confirmed);
            if row.state != "intent" && !open {
                // An earlier look confirmed it, while another value of the same write was still missing.
                continue;
            }
            if row.state == "intent" {
                self.state
                    .remember_export(&row.anchor, &row.attribute, value, added, now)?;
                // Detection compares this with the directory's record, so it is the time of the write, however late
                // the interrupted cycle is resumed.
                let written = ReceiptState::Written;
                let receipt = self.make_receipt(&place, value, added, written, row.at);
                self.state.append_receipt(receipt)?;
            }
            self.state
                .confirm_export(&row.anchor, &row.attribute, value, added, now)?;
            let receipt = self.make_receipt(&place, value, added, ReceiptState::Confirmed, now);
            self.state.append_receipt(receipt)?;
        }
        Ok((seen, missing))
    }

    fn present(&self, row: &JournalRow) -> Result<Vec<Vec<u8>>, Error> {
        let Some(object) = self.state.object(Connector::Ad, &row.anchor)? else {
            return Ok(Vec::new());
        };
        let values = self.state.object_values(object.id, &row.attribute)?;
        Ok(values
            .iter()
            .map(|value| self.identity(row, value))
            .collect())
    }

    fn identity(&self, row: &JournalRow, value: &Value) -> Vec<u8> {
        let kind = self
            .rules
            .rule(&row.rule)
            .map_or("user", |rule| rule.to.as_str());
        let syntax = self.rules.syntax(Space::Ad, kind, &row.attribute);
        keys::identity(syntax, value).into_owned()
    }
}
