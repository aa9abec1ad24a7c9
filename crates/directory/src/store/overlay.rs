//! The changes of one operation, held back until it is known to succeed.
//!
//! Several operations share a commit; each writes into its own overlay, which is applied or dropped whole.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use super::{Table, View, Visit};
use crate::Error;

type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A view with changes on top.
pub(crate) struct Overlay<'b> {
    base: &'b dyn View,
    changes: [Changes; Table::ALL.len()],
}

impl<'b> Overlay<'b> {
    pub(crate) fn new(base: &'b dyn View) -> Self {
        Self {
            base,
            changes: Default::default(),
        }
    }

    fn changes(&self, table: Table) -> Option<&Changes> {
        Table::ALL
            .iter()
            .zip(&self.changes)
            .find_map(|(t, changes)| (*t == table).then_some(changes))
    }

    fn set(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        let found = Table::ALL
            .iter()
            .zip(&mut self.changes)
            .find(|(t, _)| **t == table);
        if let Some((_, changes)) = found {
            changes.insert(key, value);
        }
    }

    pub(crate) fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.set(table, key.into(), Some(value.into()));
    }

    pub(crate) fn remove(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.set(table, key.into(), None);
    }

    /// The changes, for [`super::WriteView::apply`].
    pub(crate) fn into_changes(self) -> [Changes; Table::ALL.len()] {
        self.changes
    }
}

impl View for Overlay<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.changes(table).and_then(|changes| changes.get(key)) {
            Some(change) => Ok(change.clone()),
            None => self.base.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        start: &[u8],
        end: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        if end.is_some_and(|end| end <= start) {
            return Ok(());
        }
        let upper = end.map_or(Bound::Unbounded, Bound::Excluded);
        let mut changed = self
            .changes(table)
            .into_iter()
            .flat_map(|changes| changes.range::<[u8], _>((Bound::Included(start), upper)))
            .peekable();
        let mut stopped = false;
        self.base.scan(table, start, end, &mut |key, value| {
            // Rows that exist in the overlay alone come before, at their place.
            while let Some((new_key, new_value)) = changed.next_if(|(k, _)| k.as_slice() < key) {
                if let Some(new_value) = new_value
                    && visit(new_key, new_value).is_break()
                {
                    stopped = true;
                    return ControlFlow::Break(());
                }
            }
            let flow = match changed.next_if(|(k, _)| k.as_slice() == key) {
                Some((_, None)) => ControlFlow::Continue(()),
                Some((_, Some(new_value))) => visit(key, new_value),
                None => visit(key, value),
            };
            stopped = flow.is_break();
            flow
        })?;
        if !stopped {
            for (key, value) in changed {
                if let Some(value) = value
                    && visit(key, value).is_break()
                {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<(Vec<u8>, Vec<u8>)>);

    impl View for Fixed {
        fn get(&self, _: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
            Ok(self
                .0
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, v)| v.clone()))
        }

        fn scan(
            &self,
            _: Table,
            start: &[u8],
            end: Option<&[u8]>,
            visit: Visit<'_>,
        ) -> Result<(), Error> {
            for (key, value) in &self.0 {
                if key.as_slice() >= start
                    && end.is_none_or(|end| key.as_slice() < end)
                    && visit(key, value).is_break()
                {
                    break;
                }
            }
            Ok(())
        }
    }

    fn check(overlay: &Overlay<'_>, expected: &[(u8, u8)]) {
        let mut seen = Vec::new();
        overlay
            .scan(Table::Name, &[2], Some(&[9]), &mut |key, value| {
                seen.push((key[0], value[0]));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(seen, expected);
    }

    #[test]
    fn changes_are_merged_in_order() {
        let base = Fixed(vec![
            (vec![1], vec![1]),
            (vec![3], vec![3]),
            (vec![5], vec![5]),
            (vec![9], vec![9]),
        ]);
        let mut overlay = Overlay::new(&base);
        check(&overlay, &[(3, 3), (5, 5)]);
        overlay.put(Table::Name, [2], [20]);
        overlay.remove(Table::Name, [3]);
        overlay.put(Table::Name, [4], [40]);
        overlay.put(Table::Name, [5], [50]);
        overlay.put(Table::Name, [8], [80]);
        check(&overlay, &[(2, 20), (4, 40), (5, 50), (8, 80)]);
        assert_eq!(overlay.get(Table::Name, &[3]).unwrap(), None);
        assert_eq!(overlay.get(Table::Name, &[9]).unwrap(), Some(vec![9]));
    }
}
