//! Where to look: the index that leaves the fewest candidates.

use std::ops::ControlFlow;

use ldap::Scope;

use super::test::{How, Test};
use crate::Error;
use crate::model::{Dnt, Reader};
use crate::schema::AttributeId;
use crate::store::{Table, keys, scan_prefix};

/// Which objects to look at, in the order of their numbers.
#[derive(Debug)]
pub(super) struct Candidates {
    source: Source,
    /// Schema objects, which no index knows.
    virtual_objects: Vec<Dnt>,
}

#[derive(Debug)]
enum Source {
    /// These.
    List(Vec<Dnt>),
    /// Those under one index key.
    Rows(Vec<u8>),
    /// All there are.
    All,
}

/// Lists up to this length are gathered at once; longer ones are streamed or compared by their length.
const LIST_LENGTH_MAX: usize = 64;
/// Where counting ends: beyond it one index is as bad as another.
const COUNT_MAX: usize = 4096;
/// How many parts of a filter are looked up in indexes. A hostile filter has 100,000 of them, each worth a long scan;
/// the others are only tested.
const PARTS_MAX: usize = 256;

/// A source and about how many candidates it has.
struct Priced {
    source: Source,
    count: usize,
}

impl Candidates {
    pub(super) fn of(
        reader: &Reader<'_>,
        test: &Test,
        base: Dnt,
        scope: Scope,
        with_schema: bool,
    ) -> Result<Self, Error> {
        let virtual_objects = if with_schema {
            reader.schema_objects()
        } else {
            Vec::new()
        };
        let mut parts_left = PARTS_MAX;
        let mut best = priced(reader, test, usize::MAX, &mut parts_left)?;
        if scope == Scope::SingleLevel
            && best
                .as_ref()
                .is_none_or(|best| best.count > LIST_LENGTH_MAX)
        {
            let mut children = reader.children(base)?;
            if best.as_ref().is_none_or(|best| children.len() < best.count) {
                children.sort_unstable();
                best = Some(Priced {
                    count: children.len(),
                    source: Source::List(children),
                });
            }
        }
        let source = best.map_or(Source::All, |best| best.source);
        Ok(Self {
            source,
            virtual_objects,
        })
    }

    /// Gives every candidate after `after` to `visit`.
    pub(super) fn visit(
        &self,
        reader: &Reader<'_>,
        after: Option<Dnt>,
        visit: &mut dyn FnMut(Dnt) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let start = after.map_or(0, |after| after.0.saturating_add(1));
        let mut flow = ControlFlow::Continue(());
        match &self.source {
            Source::List(list) => flow = visit_list(list, start, visit),
            Source::Rows(prefix) => {
                let mut from = prefix.clone();
                from.extend(start.to_be_bytes());
                let end = keys::after_prefix(prefix);
                reader
                    .view
                    .scan(Table::Index, &from, end.as_deref(), &mut |key, _| {
                        flow = keys::last_dnt(key).map_or(ControlFlow::Continue(()), &mut *visit);
                        flow
                    })?;
            }
            Source::All => {
                reader
                    .view
                    .scan(Table::Object, &start.to_be_bytes(), None, &mut |key, _| {
                        flow = keys::last_dnt(key).map_or(ControlFlow::Continue(()), &mut *visit);
                        flow
                    })?;
            }
        }
        if flow.is_continue() {
            let _end = visit_list(&self.virtual_objects, start, visit);
        }
        Ok(())
    }
}

fn visit_list(
    list: &[Dnt],
    start: u64,
    visit: &mut dyn FnMut(Dnt) -> ControlFlow<()>,
) -> ControlFlow<()> {
    list.iter()
        .filter(|dnt| dnt.0 >= start)
        .try_for_each(|dnt| visit(*dnt))
}

/// The best source for a test, if it has fewer than `limit` candidates; `None` where no index helps.
///
/// `parts_left` parts may still be looked up; without, no index helps.
fn priced(
    reader: &Reader<'_>,
    test: &Test,
    limit: usize,
    parts_left: &mut usize,
) -> Result<Option<Priced>, Error> {
    match test {
        Test::And(tests) => {
            let mut ranked: Vec<&Test> = tests.iter().collect();
            ranked.sort_by_key(|test| rank(reader, test));
            let mut best: Option<Priced> = None;
            for test in ranked {
                let limit = best.as_ref().map_or(limit, |best| best.count);
                if limit <= 1 || *parts_left == 0 {
                    break;
                }
                if let Some(better) = priced(reader, test, limit, parts_left)? {
                    best = Some(better);
                }
            }
            Ok(best)
        }
        Test::Or(tests) => union(reader, tests, limit, parts_left),
        Test::Constant(Some(false) | None) => Ok(Some(list(Vec::new()))),
        _ => {
            let Some(left) = parts_left.checked_sub(1) else {
                return Ok(None);
            };
            *parts_left = left;
            leaf(reader, test).map(|found| found.filter(|found| found.count < limit))
        }
    }
}

/// Tests that usually leave few candidates come first, so that the others need not be counted far.
fn rank(reader: &Reader<'_>, test: &Test) -> u8 {
    let known = reader.schema.known();
    match test {
        Test::Plain(id, How::Equal(_)) if *id == known.object_guid || *id == known.object_sid => 0,
        Test::Plain(id, How::Equal(_)) => {
            let common = [
                known.sam_account_type,
                known.primary_group_id,
                known.group_type,
            ];
            if common.contains(id) { 6 } else { 1 }
        }
        Test::Link { .. } | Test::LinkTo { .. } | Test::BackLink { .. } => 2,
        Test::Plain(_, How::Parts { .. } | How::AtLeast(_)) => 3,
        Test::Chain { .. } => 4,
        Test::And(_) | Test::Or(_) => 5,
        _ => 7,
    }
}

fn union(
    reader: &Reader<'_>,
    tests: &[Test],
    limit: usize,
    parts_left: &mut usize,
) -> Result<Option<Priced>, Error> {
    let mut sources = Vec::with_capacity(tests.len());
    let mut count = 0_usize;
    for test in tests {
        match priced(reader, test, limit, parts_left)? {
            Some(found) => {
                count = count.saturating_add(found.count);
                sources.push(found.source);
            }
            None => return Ok(None),
        }
    }
    if count >= limit {
        return Ok(None);
    }
    let mut all = Vec::new();
    for source in sources {
        match source {
            Source::List(list) => all.extend(list),
            Source::Rows(prefix) => {
                scan_prefix(reader.view, Table::Index, &prefix, &mut |key, _| {
                    all.extend(keys::last_dnt(key));
                    ControlFlow::Continue(())
                })?
            }
            Source::All => return Ok(None),
        }
    }
    Ok(Some(list(all)))
}

fn list(mut numbers: Vec<Dnt>) -> Priced {
    numbers.sort_unstable();
    numbers.dedup();
    Priced {
        count: numbers.len(),
        source: Source::List(numbers),
    }
}

fn leaf(reader: &Reader<'_>, test: &Test) -> Result<Option<Priced>, Error> {
    let known = reader.schema.known();
    Ok(match test {
        Test::Plain(id, how) => return plain(reader, *id, how),
        Test::Reference(id, key) if reader.schema.attribute_by_id(*id).is_indexed() => {
            Some(rows(reader, keys::index_value(*id, key))?)
        }
        Test::Class(class) => {
            let mut sources = Vec::new();
            for class in reader.schema.subclasses(*class) {
                let prefix = keys::index_value(known.object_class, &class.0.to_be_bytes());
                sources.push(rows(reader, prefix)?);
            }
            return Ok(classes(sources));
        }
        Test::Link {
            attribute, target, ..
        }
        | Test::LinkTo { attribute, target } => {
            let back = reader.back_links(*target, Some(*attribute))?;
            Some(list(back.into_iter().map(|link| link.source).collect()))
        }
        Test::BackLink {
            forward, source, ..
        } => {
            let links = reader.links(*source, *forward)?;
            Some(list(links.into_iter().map(|link| link.target).collect()))
        }
        Test::Chain {
            forward,
            is_back: false,
            end,
            ..
        } => Some(list(
            reader
                .transitive_sources(&[*end], *forward)?
                .into_iter()
                .collect(),
        )),
        Test::Chain {
            forward,
            is_back: true,
            end,
            ..
        } => Some(list(transitive_targets(reader, *end, *forward)?)),
        _ => None,
    })
}

/// Objects of several classes: one index key when only one class has any.
fn classes(sources: Vec<Priced>) -> Option<Priced> {
    let mut numbers = Vec::new();
    let mut large = None;
    for priced in sources {
        match priced.source {
            Source::List(list) => numbers.extend(list),
            source @ Source::Rows(_) if large.is_none() => {
                large = Some(Priced {
                    source,
                    count: priced.count,
                })
            }
            // Two large classes: the filter's other parts, or a look at everything.
            _ => return None,
        }
    }
    match large {
        None => Some(list(numbers)),
        Some(large) if numbers.is_empty() => Some(large),
        Some(_) => None,
    }
}

fn transitive_targets(
    reader: &Reader<'_>,
    start: Dnt,
    forward: AttributeId,
) -> Result<Vec<Dnt>, Error> {
    let mut seen = std::collections::HashSet::new();
    let mut todo = vec![start];
    while let Some(at) = todo.pop() {
        for link in reader.links(at, forward)? {
            if seen.insert(link.target) {
                todo.push(link.target);
            }
        }
    }
    Ok(seen.into_iter().collect())
}

fn plain(reader: &Reader<'_>, id: AttributeId, how: &How) -> Result<Option<Priced>, Error> {
    let known = reader.schema.known();
    if id == known.usn_changed
        && let How::AtLeast(key) = how
    {
        return changed_since(reader, key).map(Some);
    }
    let has_index = reader.schema.attribute_by_id(id).is_indexed()
        || [
            known.object_guid,
            known.object_sid,
            known.name,
            known.is_deleted,
        ]
        .contains(&id);
    if !has_index {
        return Ok(None);
    }
    match how {
        How::Equal(key) => rows(reader, keys::index_value(id, key)).map(Some),
        How::Parts {
            initial: Some(initial),
            ..
        } => gathered(reader, &keys::index_initial(id, initial)),
        How::Present => gathered(reader, &keys::index_attribute(id)),
        _ => Ok(None),
    }
}

/// The rows of one index key: few as a list, many as they are.
fn rows(reader: &Reader<'_>, prefix: Vec<u8>) -> Result<Priced, Error> {
    let mut numbers = Vec::new();
    let mut count = 0_usize;
    scan_prefix(reader.view, Table::Index, &prefix, &mut |key, _| {
        count = count.saturating_add(1);
        if numbers.len() < LIST_LENGTH_MAX {
            numbers.extend(keys::last_dnt(key));
        }
        if count >= COUNT_MAX {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    if count <= numbers.len() {
        return Ok(list(numbers));
    }
    Ok(Priced {
        source: Source::Rows(prefix),
        count,
    })
}

/// Rows of many index keys, which are not in the order of objects: gathered, if there are not too many.
fn gathered(reader: &Reader<'_>, prefix: &[u8]) -> Result<Option<Priced>, Error> {
    const GATHERED_LENGTH_MAX: usize = 200_000;
    let mut numbers = Vec::new();
    scan_prefix(reader.view, Table::Index, prefix, &mut |key, _| {
        numbers.extend(keys::last_dnt(key));
        if numbers.len() > GATHERED_LENGTH_MAX {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok((numbers.len() <= GATHERED_LENGTH_MAX).then(|| list(numbers)))
}

/// `(uSNChanged>=n)`: the rows of the USN table from there on.
fn changed_since(reader: &Reader<'_>, key: &[u8]) -> Result<Priced, Error> {
    let number = key
        .try_into()
        .map(u64::from_be_bytes)
        .map(|folded| folded.cast_signed() ^ i64::MIN);
    let start = number
        .ok()
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or(0);
    let mut numbers = Vec::new();
    reader
        .view
        .scan(Table::Usn, &keys::number(start), None, &mut |_, value| {
            numbers.extend(keys::last_dnt(value));
            ControlFlow::Continue(())
        })?;
    Ok(list(numbers))
}
