//! The inside of one operation: reads see its own writes, and nothing is kept unless it succeeds.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use events::Record;
use sha2::{Digest, Sha256};
use types::{Entropy, Guid, Rdn, Sid, Timestamp};

use super::{
    Counters, Descriptor, DescriptorCache, DescriptorId, Dnt, Link, LinkRow, NameCache, Naming,
    Object, ObjectBuilder, Reader, Reference, Stamp, folded_rdn, state,
};
use crate::Error;
use crate::access::{AddDraft, Authorized};
use crate::schema::{Attribute, AttributeId, Schema};
use crate::store::{Overlay, Table, View, keys};

/// What a commit has to renew besides the snapshot.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effects {
    /// Names may lead elsewhere than before.
    pub(crate) names: bool,
    /// [`Naming`] may have changed.
    pub(crate) naming: bool,
    /// Somebody may be in other groups than before.
    pub(crate) groups: bool,
}

/// One operation at work.
pub(crate) struct Transaction<'a> {
    pub(crate) schema: &'static Schema,
    pub(crate) overlay: Overlay<'a>,
    names: NameCache,
    descriptors: &'a DescriptorCache,
    pub(crate) naming: Arc<Naming>,
    pub(crate) counters: Counters,
    pub(crate) now: Timestamp,
    entropy: &'a Mutex<Box<dyn Entropy>>,
    pub(crate) effects: Effects,
}

/// What a transaction starts from.
pub(crate) struct Start<'a> {
    pub(crate) schema: &'static Schema,
    pub(crate) view: &'a dyn View,
    pub(crate) descriptors: &'a DescriptorCache,
    pub(crate) naming: Arc<Naming>,
    pub(crate) counters: Counters,
    pub(crate) now: Timestamp,
    pub(crate) entropy: &'a Mutex<Box<dyn Entropy>>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn begin(start: Start<'a>) -> Self {
        Self {
            schema: start.schema,
            overlay: Overlay::new(start.view),
            names: NameCache::default(),
            descriptors: start.descriptors,
            naming: start.naming,
            counters: start.counters,
            now: start.now,
            entropy: start.entropy,
            effects: Effects::default(),
        }
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            schema: self.schema,
            view: &self.overlay,
            names: &self.names,
            descriptors: self.descriptors,
            is_committed: false,
            naming: &self.naming,
        }
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill(&mut bytes);
        bytes
    }

    /// A new GUID.
    pub(crate) fn new_guid(&self) -> Guid {
        Guid::v4(self.random())
    }

    pub(crate) fn next_dnt(&mut self) -> Dnt {
        let dnt = Dnt(self.counters.next_dnt);
        self.counters.next_dnt = self.counters.next_dnt.saturating_add(1);
        dnt
    }

    pub(crate) fn next_usn(&mut self) -> u64 {
        self.counters.usn = self.counters.usn.saturating_add(1);
        self.counters.usn
    }

    /// The next account's SID that nobody has.
    pub(crate) fn next_sid(&mut self) -> Result<Option<Sid>, Error> {
        let Some(domain) = self.naming.domain_sid.clone() else {
            return Ok(None);
        };
        loop {
            let sid = domain.with_rid(self.counters.next_rid);
            self.counters.next_rid = self.counters.next_rid.saturating_add(1);
            if self.reader().by_sid(&sid)?.is_none() {
                return Ok(Some(sid));
            }
        }
    }

    /// The number of a descriptor; the same bytes have the same number.
    pub(crate) fn intern(&mut self, descriptor: &Descriptor) -> Result<DescriptorId, Error> {
        let digest = Sha256::digest(descriptor.bytes());
        if let Some(number) = self
            .overlay
            .get(Table::DescriptorDigest, digest.as_slice())?
        {
            let number = keys::number_at(&number, 0)
                .ok_or_else(|| Error::damaged("a descriptor's digest"))?;
            return Ok(DescriptorId(number));
        }
        let id = DescriptorId(self.counters.next_descriptor);
        self.counters.next_descriptor = self.counters.next_descriptor.saturating_add(1);
        self.overlay
            .put(Table::Descriptor, keys::descriptor(id), descriptor.bytes());
        self.overlay.put(
            Table::DescriptorDigest,
            digest.as_slice(),
            keys::descriptor(id),
        );
        Ok(id)
    }

    /// Stores a new object, with its name and index rows. Its USN must be set.
    pub(crate) fn insert(
        &mut self,
        _proof: Authorized<AddDraft>,
        builder: ObjectBuilder,
    ) -> Result<Object, Error> {
        let object = builder.build().ok_or_else(too_large)?;
        self.overlay
            .put(Table::Object, keys::dnt(object.dnt), object.encode());
        self.overlay.put(
            Table::Name,
            name_key(self.schema, &object),
            keys::dnt(object.dnt),
        );
        for key in self.index_keys(&object) {
            self.overlay.put(Table::Index, key, Vec::new());
        }
        self.overlay.put(
            Table::Usn,
            keys::number(object.usn_changed()),
            keys::dnt(object.dnt),
        );
        if object.is_naming_context_head() {
            self.add_head(&object)?;
        }
        Ok(object)
    }

    /// Stores a changed object. Its new USN must be set. The proof is that of the operation, whichever it is.
    pub(crate) fn update<D>(
        &mut self,
        _proof: &Authorized<D>,
        old: &Object,
        builder: ObjectBuilder,
    ) -> Result<Object, Error> {
        let object = builder.build().ok_or_else(too_large)?;
        self.overlay
            .put(Table::Object, keys::dnt(object.dnt), object.encode());
        let (old_keys, new_keys) = (self.index_keys(old), self.index_keys(&object));
        for key in old_keys.difference(&new_keys) {
            self.overlay.remove(Table::Index, key.clone());
        }
        for key in new_keys.difference(&old_keys) {
            self.overlay.put(Table::Index, key.clone(), Vec::new());
        }
        let (old_name, new_name) = (name_key(self.schema, old), name_key(self.schema, &object));
        if old_name != new_name {
            self.overlay.remove(Table::Name, old_name);
            self.overlay
                .put(Table::Name, new_name, keys::dnt(object.dnt));
            self.names = NameCache::default();
            self.effects.names = true;
        }
        if old.usn_changed() != object.usn_changed() {
            self.overlay
                .remove(Table::Usn, keys::number(old.usn_changed()));
            self.overlay.put(
                Table::Usn,
                keys::number(object.usn_changed()),
                keys::dnt(object.dnt),
            );
        }
        self.effects.naming |= self.is_named_in_naming(&object);
        let is_group = |object: &Object| {
            object
                .values(self.schema.known().group_type)
                .next()
                .is_some()
        };
        self.effects.groups |= is_group(old) || is_group(&object);
        Ok(object)
    }

    /// Objects from which [`Naming`] is made.
    pub(crate) fn is_named_in_naming(&self, object: &Object) -> bool {
        object.is_naming_context_head()
            || matches!(
                self.schema.class_by_id(object.class()).name,
                "crossRef" | "server" | "nTDSDSA"
            )
    }

    fn add_head(&mut self, object: &Object) -> Result<(), Error> {
        let mut heads = self
            .overlay
            .get(Table::State, state::HEADS)?
            .unwrap_or_default();
        heads.extend(keys::dnt(object.dnt));
        self.overlay.put(Table::State, state::HEADS, heads);
        self.renew_naming()
    }

    /// Reads [`Naming`] again, for what follows in the same transaction.
    pub(crate) fn renew_naming(&mut self) -> Result<(), Error> {
        self.effects.naming = true;
        self.naming = Arc::new(Naming::load(&self.reader())?);
        Ok(())
    }

    /// Every index key that the object has. The tests compare the table with this.
    pub(crate) fn index_keys(&self, object: &Object) -> BTreeSet<Vec<u8>> {
        index_keys(self.schema, object)
    }

    /// Notes that attributes were changed now, by the operation with this USN.
    pub(crate) fn stamp(
        &mut self,
        object: Dnt,
        usn: u64,
        changed: &[AttributeId],
    ) -> Result<(), Error> {
        let row = self
            .overlay
            .get(Table::Stamp, &keys::dnt(object))?
            .unwrap_or_default();
        let mut stamps = Stamp::decode_all(&row);
        for attribute in changed {
            match stamps
                .iter_mut()
                .find(|stamp| stamp.attribute == *attribute)
            {
                Some(stamp) => {
                    stamp.version = stamp.version.saturating_add(1);
                    (stamp.usn, stamp.time) = (usn, self.now);
                }
                None => stamps.push(Stamp {
                    attribute: *attribute,
                    version: 2,
                    usn,
                    time: self.now,
                }),
            }
        }
        self.overlay
            .put(Table::Stamp, keys::dnt(object), Stamp::encode_all(&stamps));
        Ok(())
    }

    /// Makes a link value present.
    pub(crate) fn link(&mut self, link: &Link, usn: u64) -> Result<(), Error> {
        let version = self.reader().link_row(link)?.map_or(0, |row| row.version);
        let row = LinkRow {
            is_present: true,
            version: version.saturating_add(1),
            usn,
            created: self.now,
            changed: self.now,
            payload: link.payload.clone(),
        };
        self.effects.groups |= link.attribute == self.schema.known().member;
        self.overlay.put(Table::Link, link.key(), row.encode());
        self.overlay.put(Table::Back, link.back_key(), Vec::new());
        Ok(())
    }

    /// Makes a link value absent; its row stays, with the time of its removal.
    pub(crate) fn unlink(&mut self, link: &Link, usn: u64) -> Result<(), Error> {
        let Some(row) = self.reader().link_row(link)? else {
            return Ok(());
        };
        let row = LinkRow {
            is_present: false,
            version: row.version.saturating_add(1),
            usn,
            changed: self.now,
            ..row
        };
        self.overlay.put(Table::Link, link.key(), row.encode());
        self.overlay.remove(Table::Back, link.back_key());
        Ok(())
    }

    /// Removes every link from and to an object that is being deleted, rows and all.
    pub(crate) fn drop_links(&mut self, object: Dnt) -> Result<(), Error> {
        let mut forward = Vec::new();
        self.reader().link_rows(object, None, &mut |link, _| {
            forward.push(link);
            ControlFlow::Continue(())
        })?;
        for link in forward {
            self.overlay.remove(Table::Link, link.key());
            self.overlay.remove(Table::Back, link.back_key());
        }
        for back in self.reader().back_links(object, None)? {
            self.overlay.remove(
                Table::Link,
                keys::link(back.source, back.attribute, object, &back.digest),
            );
            self.overlay.remove(
                Table::Back,
                keys::link(object, back.attribute, back.source, &back.digest),
            );
        }
        Ok(())
    }

    /// Appends an audit record, giving it the next number.
    pub(crate) fn audit(&mut self, mut record: Record) -> Result<(), Error> {
        self.counters.audit = self.counters.audit.saturating_add(1);
        let number = self.counters.audit;
        match &mut record {
            Record::Change(change) => change.origin.record_id = number,
            Record::DeniedWrite(denied) => denied.origin.record_id = number,
        }
        let line = serde_json::to_vec(&record).map_err(|error| Error::Store {
            reason: error.to_string(),
        })?;
        self.overlay.put(Table::Audit, keys::number(number), line);
        Ok(())
    }
}

/// Where the object stands in the name table.
pub(super) fn name_key(schema: &Schema, object: &Object) -> Vec<u8> {
    if object.parent() == Dnt::NONE {
        let name = crate::schema::folded(object.rdn().as_bytes());
        return keys::name(Dnt::NONE, &name);
    }
    let attribute = schema.attribute_by_id(object.header.rdn_attribute).name;
    keys::name(
        object.parent(),
        &folded_rdn(&Rdn::new(attribute, object.rdn())),
    )
}

fn too_large() -> Error {
    Error::unwilling(
        ldap::diagnostic::win32::ERROR_DS_UNWILLING_TO_PERFORM,
        "the object is too large",
    )
}

/// The key of one stored value in the index of its attribute.
pub(crate) fn value_key(attribute: &Attribute, stored: &[u8]) -> Vec<u8> {
    if attribute.syntax.is_reference() {
        return Reference::decode(stored).map_or_else(Vec::new, |reference| reference.key());
    }
    attribute.syntax.key(stored)
}

/// See [`Transaction::index_keys`].
pub(crate) fn index_keys(schema: &Schema, object: &Object) -> BTreeSet<Vec<u8>> {
    let known = schema.known();
    let header = &object.header;
    let mut all = BTreeSet::new();
    let mut put = |attribute: AttributeId, value: &[u8]| {
        all.insert(keys::index(attribute, value, object.dnt));
    };
    put(known.object_guid, &header.guid.to_bytes_le());
    put(known.object_class, &header.class.0.to_be_bytes());
    if let Some(sid) = &header.sid {
        put(known.object_sid, &sid.to_bytes());
    }
    if header.is_deleted {
        put(known.is_deleted, b"TRUE");
    }
    let name = crate::schema::folded(object.short_name().as_bytes());
    put(known.name, &name);
    if schema.attribute_by_id(header.rdn_attribute).is_indexed() {
        put(header.rdn_attribute, &name);
    }
    for (id, values) in object.attributes() {
        let attribute = schema.attribute_by_id(id);
        if attribute.is_indexed() {
            for value in values {
                put(id, &value_key(attribute, value));
            }
        }
    }
    all
}
