//! Checks that everything in a store that follows from something else does: names, indexes, back links, USNs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::transaction::{index_keys, name_key};
use super::{Dnt, Link, LinkRow, Object, Snapshot};
use crate::Error;
use crate::schema::AttributeId;
use crate::store::{Table, View, keys};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

impl Snapshot {
    /// Computes every derived row again and tells where the store differs. An empty answer is a sound store.
    ///
    /// Reads everything; meant for an administrator's check and for tests.
    pub fn verify(&self) -> Result<Vec<String>, Error> {
        let mut findings = Vec::new();
        let objects = self.all_objects(&mut findings)?;
        self.compare_derived(&objects, &mut findings)?;
        self.check_links(&objects, &mut findings)?;
        self.check_references(&objects, &mut findings)?;
        Ok(findings)
    }

    fn rows(&self, table: Table) -> Result<Rows, Error> {
        let mut rows = Rows::new();
        self.view.scan(table, &[], None, &mut |key, value| {
            rows.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    fn all_objects(&self, findings: &mut Vec<String>) -> Result<BTreeMap<Dnt, Object>, Error> {
        let mut objects = BTreeMap::new();
        for (key, value) in self.rows(Table::Object)? {
            let dnt = keys::last_dnt(&key).unwrap_or(Dnt::NONE);
            match Object::decode(self.schema, dnt, value) {
                Ok(object) => {
                    objects.insert(dnt, object);
                }
                Err(error) => findings.push(error.to_string()),
            }
        }
        Ok(objects)
    }

    /// Names, indexes and USNs follow from the records.
    fn compare_derived(
        &self,
        objects: &BTreeMap<Dnt, Object>,
        findings: &mut Vec<String>,
    ) -> Result<(), Error> {
        let (mut names, mut index, mut usns) = (Rows::new(), Rows::new(), Rows::new());
        for (dnt, object) in objects {
            names.insert(name_key(self.schema, object), keys::dnt(*dnt).to_vec());
            let keys_of_object = index_keys(self.schema, object);
            index.extend(keys_of_object.into_iter().map(|key| (key, Vec::new())));
            let usn = object.usn_changed();
            usns.insert(keys::number(usn).to_vec(), keys::dnt(*dnt).to_vec());
            if usn > self.counters.usn || dnt.0 >= self.counters.next_dnt {
                findings.push(format!("object {} is ahead of the counters", dnt.0));
            }
        }
        for (table, expected) in [
            (Table::Name, names),
            (Table::Index, index),
            (Table::Usn, usns),
        ] {
            differences(table, &expected, &self.rows(table)?, findings);
        }
        Ok(())
    }

    /// Back links follow from present links, and both ends exist.
    fn check_links(
        &self,
        objects: &BTreeMap<Dnt, Object>,
        findings: &mut Vec<String>,
    ) -> Result<(), Error> {
        let mut back = Rows::new();
        for (key, value) in self.rows(Table::Link)? {
            let parts = keys::link_parts(&key).zip(LinkRow::decode(&value));
            let Some(((source, number, target, _), row)) = parts else {
                findings.push("a link row cannot be read".to_owned());
                continue;
            };
            let attribute = AttributeId(number);
            let link = Link {
                source,
                attribute,
                target,
                payload: row.payload,
            };
            if link.key() != key {
                findings.push(format!("a link of object {} has another key", source.0));
            }
            let has_links = objects
                .get(&source)
                .is_some_and(|object| object.header.has_links);
            if !has_links || !objects.contains_key(&target) {
                findings.push(format!(
                    "a link from {} to {} hangs loose",
                    source.0, target.0
                ));
            }
            if row.is_present {
                back.insert(link.back_key(), Vec::new());
            }
        }
        differences(Table::Back, &back, &self.rows(Table::Back)?, findings);
        Ok(())
    }

    /// What records refer to is there.
    fn check_references(
        &self,
        objects: &BTreeMap<Dnt, Object>,
        findings: &mut Vec<String>,
    ) -> Result<(), Error> {
        for (dnt, object) in objects {
            let parent = object.parent();
            if parent != Dnt::NONE && !objects.contains_key(&parent) {
                findings.push(format!("the parent of object {} is missing", dnt.0));
            }
            let key = keys::descriptor(object.descriptor_id());
            if self.view.get(Table::Descriptor, &key)?.is_none() {
                findings.push(format!("the descriptor of object {} is missing", dnt.0));
            }
        }
        Ok(())
    }
}

fn differences(table: Table, expected: &Rows, found: &Rows, findings: &mut Vec<String>) {
    for (key, value) in expected {
        match found.get(key) {
            None => findings.push(format!("{table:?}: a row is missing: {key:02x?}")),
            Some(other) if other != value => {
                findings.push(format!("{table:?}: a row is wrong: {key:02x?}"));
            }
            Some(_) => {}
        }
    }
    for key in found.keys().filter(|key| !expected.contains_key(*key)) {
        findings.push(format!("{table:?}: a row is too many: {key:02x?}"));
    }
}
