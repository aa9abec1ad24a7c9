//! A consistent view for readers, shared by all of them until the next commit.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::{Counters, Descriptor, DescriptorCache, Dnt, NameCache, Naming, Object, Reader};
use crate::access::Policy;
use crate::schema::{Attribute, Schema};
use crate::store::{ReadView, Table, View};
use crate::{Error, Name};

/// The directory as of one commit.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) schema: &'static Schema,
    pub(crate) view: ReadView,
    pub(crate) names: Arc<NameCache>,
    pub(crate) descriptors: Arc<DescriptorCache>,
    pub(crate) naming: Arc<Naming>,
    pub(crate) counters: Counters,
    /// Rises whenever somebody may be in other groups than before.
    pub(crate) groups_generation: u64,
    policy: OnceLock<Policy>,
    parents: RwLock<HashMap<Dnt, Arc<Object>>>,
}

/// Parents remembered within one snapshot.
const PARENTS_LENGTH_MAX: usize = 10_000;

impl Snapshot {
    pub(crate) fn new(
        schema: &'static Schema,
        view: ReadView,
        names: Arc<NameCache>,
        descriptors: Arc<DescriptorCache>,
        naming: Option<Arc<Naming>>,
        groups_generation: u64,
    ) -> Result<Self, Error> {
        let counters = Counters::load(&view)?;
        let naming = match naming {
            Some(naming) => naming,
            None => {
                let empty = Naming::default();
                // Names below a head are found before the heads are known: only numbers are followed.
                let reader = Reader {
                    schema,
                    view: &view,
                    names: &names,
                    descriptors: &descriptors,
                    is_committed: true,
                    naming: &empty,
                };
                Arc::new(Naming::load(&reader)?)
            }
        };
        Ok(Self {
            schema,
            view,
            names,
            descriptors,
            naming,
            counters,
            groups_generation,
            policy: OnceLock::new(),
            parents: RwLock::default(),
        })
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            schema: self.schema,
            view: &self.view,
            names: &self.names,
            descriptors: &self.descriptors,
            is_committed: true,
            naming: &self.naming,
        }
    }

    /// A parent of many: read once per snapshot.
    pub(crate) fn parent(&self, dnt: Dnt) -> Result<Arc<Object>, Error> {
        let known = self
            .parents
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&dnt)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let object = Arc::new(self.reader().required(dnt)?);
        let mut map = self.parents.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= PARENTS_LENGTH_MAX {
            map.clear();
        }
        map.insert(dnt, Arc::clone(&object));
        Ok(object)
    }

    /// Domain-wide rules of access.
    pub(crate) fn policy(&self) -> Policy {
        *self.policy.get_or_init(|| policy(&self.reader()))
    }

    /// The schema.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// Who and where this directory is.
    pub fn naming(&self) -> &Naming {
        &self.naming
    }

    /// `highestCommittedUSN`
    pub fn highest_usn(&self) -> u64 {
        self.counters.usn
    }

    /// The number of stored objects, tombstones included.
    pub fn object_count(&self) -> Result<u64, Error> {
        self.view.row_count(Table::Object)
    }

    /// The object that a name leads to, without any access check.
    pub fn find(&self, name: &Name, show_deleted: bool) -> Result<Object, Error> {
        self.reader().find(name, show_deleted)
    }

    /// The object of this number.
    pub fn object(&self, dnt: Dnt) -> Result<Option<Object>, Error> {
        self.reader().object(dnt)
    }

    /// The name of an object.
    pub fn dn(&self, object: &Object) -> Result<String, Error> {
        self.reader().dn(object)
    }

    /// The security descriptor of an object.
    pub fn descriptor(&self, object: &Object) -> Result<Arc<Descriptor>, Error> {
        self.reader().descriptor(object.descriptor_id())
    }

    /// The children of an object, tombstones included.
    pub fn children(&self, object: &Object) -> Result<Vec<Dnt>, Error> {
        self.reader().children(object.dnt)
    }

    /// The living objects that have `value` (in LDAP form) in an indexed attribute.
    pub fn lookup(&self, attribute: &Attribute, value: &[u8]) -> Result<Vec<Object>, Error> {
        let reader = self.reader();
        let is_guid = attribute.id == self.schema.known().object_guid;
        let Some(key) = attribute.syntax.assertion_key(value, is_guid) else {
            return Ok(Vec::new());
        };
        let mut objects = Vec::new();
        for dnt in reader.indexed(attribute.id, &key, usize::MAX)? {
            objects.extend(reader.object(dnt)?.filter(|object| !object.is_deleted()));
        }
        Ok(objects)
    }

    /// The objects that a forward link attribute of `object` names, such as the members of a group.
    pub fn link_targets(&self, object: &Object, attribute: &Attribute) -> Result<Vec<Dnt>, Error> {
        Ok(self
            .reader()
            .links(object.dnt, attribute.id)?
            .into_iter()
            .map(|link| link.target)
            .collect())
    }

    /// The objects whose forward link attribute names `object`, such as the groups of a member.
    pub fn link_sources(&self, object: &Object, forward: &Attribute) -> Result<Vec<Dnt>, Error> {
        let back = self.reader().back_links(object.dnt, Some(forward.id))?;
        Ok(back.into_iter().map(|link| link.source).collect())
    }

    /// Every row of the store, for tests that compare two stores.
    #[doc(hidden)]
    pub fn dump(&self) -> Result<Vec<DumpedRow>, Error> {
        let mut rows = Vec::new();
        for table in Table::ALL {
            self.view.scan(table, &[], None, &mut |key, value| {
                rows.push((format!("{table:?}"), key.to_vec(), value.to_vec()));
                std::ops::ControlFlow::Continue(())
            })?;
        }
        Ok(rows)
    }
}

/// Table, key and value.
type DumpedRow = (String, Vec<u8>, Vec<u8>);

/// From `dSHeuristics` and `msDS-Other-Settings` of the Directory Service object (MS-ADTS 6.1.1.2.4.1).
pub(crate) fn policy(reader: &Reader<'_>) -> Policy {
    let service = reader
        .objects_of_class("nTDSService")
        .ok()
        .and_then(|services| services.into_iter().next());
    let Some(service) = service else {
        return Policy::default();
    };
    let attribute = |name| reader.schema.attribute(name).map(|attribute| attribute.id);
    let heuristics = attribute("dSHeuristics").and_then(|id| service.text(id));
    let settings = attribute("msDS-Other-Settings").map(|id| service.values(id));
    let settings = settings
        .into_iter()
        .flatten()
        .filter_map(|value| std::str::from_utf8(value).ok());
    Policy::from_heuristics(heuristics).with_settings(settings)
}
