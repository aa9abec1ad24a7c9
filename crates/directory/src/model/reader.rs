//! Reads objects, names and links from any view of the store.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use ldap::controls::ExtendedDn;
use types::{Dn, Guid, Rdn, Sid};

use super::names::ContainerName;
use super::{
    Descriptor, DescriptorCache, DescriptorId, Dnt, Link, LinkRow, NameCache, Naming, Object,
    folded_rdn,
};
use crate::access::Target;
use crate::schema::{AttributeId, Schema};
use crate::store::{Table, View, keys, scan_prefix};
use crate::{Error, Name};

/// Deepest nesting of names that is followed.
const DEPTH_MAX: usize = 300;

/// A view of the store, with the schema to read it by.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) schema: &'static Schema,
    pub(crate) view: &'a dyn View,
    pub(crate) names: &'a NameCache,
    pub(crate) descriptors: &'a DescriptorCache,
    /// Descriptors read through this view are committed, and may be remembered.
    pub(crate) is_committed: bool,
    pub(crate) naming: &'a Naming,
}

impl<'a> Reader<'a> {
    /// The object of this number.
    pub(crate) fn object(&self, dnt: Dnt) -> Result<Option<Object>, Error> {
        if dnt.is_virtual() {
            return self.schema_object(dnt);
        }
        match self.view.get(Table::Object, &keys::dnt(dnt))? {
            Some(bytes) => Object::decode(self.schema, dnt, bytes).map(Some),
            None => Ok(None),
        }
    }

    /// An object that must be there.
    pub(crate) fn required(&self, dnt: Dnt) -> Result<Object, Error> {
        self.object(dnt)?
            .ok_or_else(|| Error::damaged(format!("object {}", dnt.0)))
    }

    /// The object that a request names.
    pub(crate) fn find(&self, name: &Name, show_deleted: bool) -> Result<Object, Error> {
        let object = match name {
            Name::Dn(dn) => {
                let dnt = self.resolve(dn)?;
                self.object(dnt)?
            }
            Name::Guid(guid) => self.by_guid(*guid)?,
            Name::Sid(sid) => self.by_sid(sid)?,
            Name::WellKnown(role, dn) => self.well_known(*role, dn)?,
        };
        object
            .filter(|object| show_deleted || !object.is_deleted())
            .ok_or_else(|| Error::no_object(name, self.nearest(name)))
    }

    fn nearest(&self, name: &Name) -> Dn {
        match name {
            Name::Dn(dn) => dn.parent().and_then(|parent| match self.resolve(&parent) {
                Ok(_) => Some(parent),
                Err(Error::NoSuchObject { nearest, .. }) => Some(nearest),
                Err(_) => None,
            }),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// The number behind a name.
    pub(crate) fn resolve(&self, dn: &Dn) -> Result<Dnt, Error> {
        let text = dn.to_string();
        if let Some(dnt) = self.names.resolved(&text) {
            return Ok(dnt);
        }
        let dnt = self.walk(dn)?;
        self.names.remember_resolved(&text, dnt);
        Ok(dnt)
    }

    /// From the deepest naming context head that the name lies in, down part by part.
    fn walk(&self, dn: &Dn) -> Result<Dnt, Error> {
        let head = self
            .naming
            .heads
            .iter()
            .filter(|(head, _)| dn.is_within(head))
            .max_by_key(|(head, _)| head.rdns().len());
        let Some((head, mut at)) = head.map(|(head, dnt)| (head, *dnt)) else {
            return Err(Error::no_object(dn, Dn::ROOT));
        };
        let below = dn.rdns().len().saturating_sub(head.rdns().len());
        let mut reached = head.clone();
        for rdn in dn.rdns().iter().take(below).rev() {
            match self.child(at, rdn)? {
                Some(next) => {
                    at = next;
                    reached = reached.child(rdn.clone());
                }
                None => return Err(Error::no_object(dn, reached)),
            }
        }
        Ok(at)
    }

    /// The child of this relative name.
    pub(crate) fn child(&self, parent: Dnt, rdn: &Rdn) -> Result<Option<Dnt>, Error> {
        if self.naming.schema_head == Some(parent) && rdn.attribute().eq_ignore_ascii_case("CN") {
            let class = self
                .schema
                .class_by_cn(rdn.value())
                .map(|class| Dnt::of_class(class.id));
            let attribute = || {
                self.schema
                    .attribute_by_cn(rdn.value())
                    .map(|a| Dnt::of_attribute(a.id))
            };
            if let Some(found) = class.or_else(attribute) {
                return Ok(Some(found));
            }
        }
        let row = self
            .view
            .get(Table::Name, &keys::name(parent, &folded_rdn(rdn)))?;
        Ok(row.as_deref().and_then(keys::last_dnt))
    }

    /// By `objectGUID`.
    pub(crate) fn by_guid(&self, guid: Guid) -> Result<Option<Object>, Error> {
        let known = self.schema.known();
        match self
            .indexed(known.object_guid, &guid.to_bytes_le(), 1)?
            .first()
        {
            Some(dnt) => self.object(*dnt),
            None => self.schema_object_by_guid(guid),
        }
    }

    /// By `objectSid`; a living object before a deleted one.
    pub(crate) fn by_sid(&self, sid: &Sid) -> Result<Option<Object>, Error> {
        let mut deleted = None;
        for dnt in self.indexed(self.schema.known().object_sid, &sid.to_bytes(), 16)? {
            match self.object(dnt)? {
                Some(object) if object.is_deleted() => deleted = Some(object),
                Some(object) => return Ok(Some(object)),
                None => {}
            }
        }
        Ok(deleted)
    }

    /// By role: `wellKnownObjects` and `otherWellKnownObjects` of the named object (MS-ADTS 6.1.1.4).
    fn well_known(&self, role: Guid, dn: &Dn) -> Result<Option<Object>, Error> {
        let holder = self.required(self.resolve(dn)?)?;
        match self.well_known_child(&holder, role)? {
            Some(dnt) => self.object(dnt),
            None => Ok(None),
        }
    }

    /// The object that plays a role below `holder`.
    pub(crate) fn well_known_child(
        &self,
        holder: &Object,
        role: Guid,
    ) -> Result<Option<Dnt>, Error> {
        for name in ["wellKnownObjects", "otherWellKnownObjects"] {
            let Some(attribute) = self.schema.attribute(name) else {
                continue;
            };
            for value in holder.values(attribute.id) {
                if let Some(super::Reference::Object(dnt, payload)) =
                    super::Reference::decode(value)
                    && payload == role.to_bytes_be()
                {
                    return Ok(Some(dnt));
                }
            }
        }
        Ok(None)
    }

    /// Numbers of at most `limit` objects with this index key.
    pub(crate) fn indexed(
        &self,
        attribute: AttributeId,
        value: &[u8],
        limit: usize,
    ) -> Result<Vec<Dnt>, Error> {
        let mut found = Vec::new();
        scan_prefix(
            self.view,
            Table::Index,
            &keys::index_value(attribute, value),
            &mut |key, _| {
                found.extend(keys::last_dnt(key));
                if found.len() >= limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )?;
        Ok(found)
    }

    /// All living objects whose most specific class is this one.
    pub(crate) fn objects_of_class(&self, name: &str) -> Result<Vec<Object>, Error> {
        let Some(class) = self.schema.class(name) else {
            return Ok(Vec::new());
        };
        let key = class.id.0.to_be_bytes();
        let numbers = self.indexed(self.schema.known().object_class, &key, usize::MAX)?;
        let mut objects = Vec::with_capacity(numbers.len());
        for dnt in numbers {
            objects.extend(self.object(dnt)?.filter(|object| !object.is_deleted()));
        }
        Ok(objects)
    }

    /// The name of a container.
    pub(crate) fn container(&self, dnt: Dnt) -> Result<ContainerName, Error> {
        if let Some(known) = self.names.container(dnt) {
            return Ok(known);
        }
        let object = self.required(dnt)?;
        let name = ContainerName {
            parent: object.parent(),
            dn: self.dn_at_depth(&object, 0)?.into(),
        };
        self.names.remember_container(dnt, name.clone());
        Ok(name)
    }

    /// The name of an object.
    pub(crate) fn dn(&self, object: &Object) -> Result<String, Error> {
        if object.parent() == Dnt::NONE {
            return Ok(object.header.rdn.clone());
        }
        let parent = self.container(object.parent())?;
        Ok(self.joined(object, &parent.dn))
    }

    fn joined(&self, object: &Object, parent: &str) -> String {
        let attribute = self
            .schema
            .attribute_by_id(object.header.rdn_attribute)
            .name;
        let rdn = Rdn::new(rdn_spelling(attribute), object.rdn());
        format!("{rdn},{parent}")
    }

    fn dn_at_depth(&self, object: &Object, depth: usize) -> Result<String, Error> {
        if object.parent() == Dnt::NONE {
            return Ok(object.header.rdn.clone());
        }
        if depth >= DEPTH_MAX {
            return Err(Error::damaged(format!(
                "the name of object {}",
                object.dnt.0
            )));
        }
        if let Some(known) = self.names.container(object.parent()) {
            return Ok(self.joined(object, &known.dn));
        }
        let parent = self.required(object.parent())?;
        let dn = self.dn_at_depth(&parent, depth.saturating_add(1))?;
        let joined = self.joined(object, &dn);
        let name = ContainerName {
            parent: parent.parent(),
            dn: dn.into(),
        };
        self.names.remember_container(object.parent(), name);
        Ok(joined)
    }

    /// The name of an object by number, with GUID and SID where the extended form is asked for
    /// (MS-ADTS 3.1.1.3.4.1.5).
    pub(crate) fn shown_dn(
        &self,
        dnt: Dnt,
        extended: Option<ExtendedDn>,
    ) -> Result<Option<String>, Error> {
        if extended.is_none()
            && let Some(known) = self.names.container(dnt)
        {
            return Ok(Some(known.dn.to_string()));
        }
        let Some(object) = self.object(dnt)? else {
            return Ok(None);
        };
        let dn = self.dn(&object)?;
        Ok(Some(match extended {
            Some(form) => extended_dn(&object, &dn, form),
            None => dn,
        }))
    }

    /// Whether `dnt` is `ancestor` or lies below it.
    pub(crate) fn is_within(&self, dnt: Dnt, ancestor: Dnt) -> Result<bool, Error> {
        let mut at = dnt;
        for _ in 0..DEPTH_MAX {
            if at == ancestor {
                return Ok(true);
            }
            if at == Dnt::NONE {
                return Ok(false);
            }
            at = self.container(at)?.parent;
        }
        Err(Error::damaged(format!("the name of object {}", dnt.0)))
    }

    /// Numbers of the children, in the order of their names.
    pub(crate) fn children(&self, parent: Dnt) -> Result<Vec<Dnt>, Error> {
        let mut children = Vec::new();
        scan_prefix(
            self.view,
            Table::Name,
            &keys::dnt(parent),
            &mut |_, value| {
                children.extend(keys::last_dnt(value));
                ControlFlow::Continue(())
            },
        )?;
        Ok(children)
    }

    /// The descriptor of this number.
    pub(crate) fn descriptor(&self, id: DescriptorId) -> Result<Arc<Descriptor>, Error> {
        if let Some(known) = self.descriptors.get(id) {
            return Ok(known);
        }
        let bytes = self
            .view
            .get(Table::Descriptor, &keys::descriptor(id))?
            .ok_or_else(|| Error::damaged(format!("descriptor {}", id.0)))?;
        let descriptor = Arc::new(Descriptor::parse(&bytes)?);
        if self.is_committed {
            self.descriptors.insert(id, Arc::clone(&descriptor));
        }
        Ok(descriptor)
    }

    /// An object as the access check sees it.
    pub(crate) fn target<'o>(object: &'o Object, descriptor: &'o Descriptor) -> Target<'o> {
        Target {
            descriptor,
            class: object.class(),
            sid: object.sid(),
            guid: object.guid(),
        }
    }

    /// What is stored for a link value, present or not.
    pub(crate) fn link_row(&self, link: &Link) -> Result<Option<LinkRow>, Error> {
        let row = self.view.get(Table::Link, &link.key())?;
        Ok(row.as_deref().and_then(LinkRow::decode))
    }

    /// Visits the rows of one object's link values, of one attribute or of all, absent ones included.
    pub(crate) fn link_rows(
        &self,
        source: Dnt,
        attribute: Option<AttributeId>,
        visit: &mut dyn FnMut(Link, LinkRow) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let prefix = match attribute {
            Some(attribute) => keys::link_attribute(source, attribute),
            None => keys::dnt(source).to_vec(),
        };
        scan_prefix(self.view, Table::Link, &prefix, &mut |key, value| {
            let parts = keys::link_parts(key).zip(LinkRow::decode(value));
            let Some(((source, number, target, _), row)) = parts else {
                return ControlFlow::Continue(());
            };
            let Some(attribute) = self.schema.attribute_number(number) else {
                return ControlFlow::Continue(());
            };
            let link = Link {
                source,
                attribute,
                target,
                payload: row.payload.clone(),
            };
            visit(link, row)
        })
    }

    /// The present values of one link attribute.
    pub(crate) fn links(&self, source: Dnt, attribute: AttributeId) -> Result<Vec<Link>, Error> {
        let mut links = Vec::new();
        self.link_rows(source, Some(attribute), &mut |link, row| {
            if row.is_present {
                links.push(link);
            }
            ControlFlow::Continue(())
        })?;
        Ok(links)
    }

    /// The objects whose `attribute` names `target`, one entry per value: `(source, digest of the payload)`.
    pub(crate) fn back_links(
        &self,
        target: Dnt,
        attribute: Option<AttributeId>,
    ) -> Result<Vec<BackLink>, Error> {
        let prefix = match attribute {
            Some(attribute) => keys::link_attribute(target, attribute),
            None => keys::dnt(target).to_vec(),
        };
        let mut found = Vec::new();
        scan_prefix(self.view, Table::Back, &prefix, &mut |key, _| {
            if let Some((_, number, source, digest)) = keys::link_parts(key)
                && let Some(attribute) = self.schema.attribute_number(number)
            {
                found.push(BackLink {
                    attribute,
                    source,
                    digest,
                });
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Everything that `start` is a member of, directly or not, by the link `attribute`.
    pub(crate) fn transitive_sources(
        &self,
        start: &[Dnt],
        attribute: AttributeId,
    ) -> Result<HashSet<Dnt>, Error> {
        let mut seen = HashSet::new();
        let mut todo = start.to_vec();
        while let Some(at) = todo.pop() {
            for back in self.back_links(at, Some(attribute))? {
                if seen.insert(back.source) {
                    todo.push(back.source);
                }
            }
        }
        Ok(seen)
    }
}

/// One value elsewhere that names an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackLink {
    pub(crate) attribute: AttributeId,
    pub(crate) source: Dnt,
    pub(crate) digest: [u8; keys::DIGEST_LENGTH],
}

/// AD writes the naming attributes of names in capitals.
fn rdn_spelling(attribute: &'static str) -> &'static str {
    match attribute {
        "cn" => "CN",
        "ou" => "OU",
        "dc" => "DC",
        "o" => "O",
        "l" => "L",
        "c" => "C",
        other => other,
    }
}

/// `<GUID=..>;<SID=..>;name`
pub(crate) fn extended_dn(object: &Object, dn: &str, form: ExtendedDn) -> String {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let is_text = matches!(form, ExtendedDn::Text);
    let guid = if is_text {
        object.guid().to_string()
    } else {
        hex(&object.guid().to_bytes_le())
    };
    match object.sid() {
        Some(sid) => {
            let sid = if is_text {
                sid.to_string()
            } else {
                hex(&sid.to_bytes())
            };
            format!("<GUID={guid}>;<SID={sid}>;{dn}")
        }
        None => format!("<GUID={guid}>;{dn}"),
    }
}
