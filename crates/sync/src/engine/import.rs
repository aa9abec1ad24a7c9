//! Imports: what a connected system shows, into its connector space, in one transaction with the watermark.

use std::collections::BTreeSet;

use types::Timestamp;

use super::{Engine, Step, of};
use crate::Error;
use crate::connector::{Change, Connector, ConnectorError, Cursor, ImportRequest, Kinds, Stop};
use crate::report::ImportCount;
use crate::rules::Guard;
use crate::store::{ObjectRow, State};

impl Engine {
    /// Imports what changed; everything where that is asked for, or where the connected system wants it.
    pub(super) fn import(
        &mut self,
        connector: Connector,
        full: bool,
        now: Timestamp,
    ) -> Result<ImportCount, Error> {
        self.step(Step::Importing(connector))?;
        let kinds = self.rules.kinds(connector);
        let asked = kinds.to_string();
        let mark = self.state.import_mark(connector)?;
        // Other attributes than last time: what is unchanged there is not what is known here.
        let since = mark
            .filter(|mark| !full && mark.attributes == asked)
            .map(|mark| mark.cursor);
        let count = match self.read(connector, since.as_ref(), &kinds, &asked, now) {
            Err(Error::Connector {
                source: ConnectorError::ResyncRequired(who, why),
                ..
            }) if since.is_some() => {
                tracing::warn!(%connector, %who, %why, "the cursor is not valid any more: importing everything");
                self.read(connector, None, &kinds, &asked, now)?
            }
            other => other?,
        };
        self.step(Step::Imported(connector, count))?;
        Ok(count)
    }

    fn read(
        &mut self,
        connector: Connector,
        since: Option<&Cursor>,
        kinds: &Kinds,
        asked: &str,
        now: Timestamp,
    ) -> Result<ImportCount, Error> {
        let (state, observer) = (&self.state, &mut self.observer);
        let transaction = state.begin()?;
        let mut stager = Stager {
            state,
            connector,
            count: ImportCount {
                full: since.is_none(),
                ..ImportCount::default()
            },
            seen: BTreeSet::new(),
            error: None,
        };
        let source: &mut dyn crate::connector::Source = match connector {
            Connector::Ad => self.directory.as_mut(),
            Connector::Cloud => self.cloud.as_mut(),
        };
        let request = ImportRequest { since, kinds };
        let cursor = source.import(request, &mut |change| {
            stager.take(change)?;
            let seen = stager.count.seen;
            if seen.is_multiple_of(1000)
                && observer(Step::Importing1000(connector, seen)).is_break()
            {
                stager.error = Some(Error::Stopped);
                return Err(Stop);
            }
            Ok(())
        });
        if let Some(error) = stager.error.take() {
            return Err(error);
        }
        let cursor = cursor.map_err(of(connector))?;
        if since.is_none() {
            stager.remove_missing(self.options.accept_missing)?;
        }
        let count = stager.count;
        state.set_import_mark(connector, &cursor, asked, now)?;
        transaction.commit()?;
        Ok(count)
    }
}

/// Puts the lines of an import into the connector space.
struct Stager<'a> {
    state: &'a State,
    connector: Connector,
    count: ImportCount,
    seen: BTreeSet<i64>,
    error: Option<Error>,
}

impl Stager<'_> {
    fn take(&mut self, change: Change) -> Result<(), Stop> {
        self.store(change).map_err(|error| {
            self.error = Some(error);
            Stop
        })
    }

    fn store(&mut self, change: Change) -> Result<(), Error> {
        self.count.seen = self.count.seen.saturating_add(1);
        match change {
            Change::Upsert(mut staged) => {
                staged.attributes.retain(|_, values| !values.is_empty());
                let (id, changed) = self.state.stage(self.connector, &staged)?;
                self.count.changed = self.count.changed.saturating_add(u64::from(changed));
                self.seen.insert(id);
            }
            Change::Delete(anchor) => {
                if let Some(object) = self.state.object(self.connector, &anchor)? {
                    self.forget(&object)?;
                }
            }
            Change::Whole(kind) => {
                self.count.seen = self.count.seen.saturating_sub(1);
                let known = self.state.object_ids_of(self.connector, &kind)?;
                let gone: Vec<i64> = known.difference(&self.seen).copied().collect();
                for id in gone {
                    if let Some(object) = self.state.object_by_id(id)? {
                        self.forget(&object)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, object: &ObjectRow) -> Result<(), Error> {
        self.state.unstage(object)?;
        self.count.deleted = self.count.deleted.saturating_add(1);
        Ok(())
    }

    /// What a full import did not show is gone, unless that is too much to believe.
    fn remove_missing(&mut self, accept: bool) -> Result<(), Error> {
        let known = self.state.object_ids(self.connector)?;
        let missing: Vec<i64> = known.difference(&self.seen).copied().collect();
        let (gone, all) = (length(missing.len()), length(known.len()));
        let guard = Guard::DEFAULT;
        // Nothing at all is never believed: an account that may not read looks exactly like that.
        let nothing = self.seen.is_empty() && gone > 0;
        if !accept && (nothing || !guard.allows(gone, all)) {
            let allowed = guard.to_string();
            return Err(Error::TooManyMissing {
                connector: self.connector,
                gone,
                known: all,
                allowed,
            });
        }
        for id in missing {
            if let Some(object) = self.state.object_by_id(id)? {
                self.forget(&object)?;
            }
        }
        Ok(())
    }
}

fn length(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
