//! Schema objects (attributeSchema, classSchema) made from the tables when asked for; only their head is stored.

use types::Guid;

use super::{Dnt, Header, Object, ObjectBuilder, Reader, Reference};
use crate::Error;
use crate::schema::{Attribute, AttributeId, Class, ClassId};

impl Reader<'_> {
    /// The schema object of this number; `None` before there is a schema head.
    pub(super) fn schema_object(&self, dnt: Dnt) -> Result<Option<Object>, Error> {
        let Some((is_class, number)) = dnt.definition() else {
            return Ok(None);
        };
        let Some(head) = self
            .naming
            .schema_head
            .map(|head| self.required(head))
            .transpose()?
        else {
            return Ok(None);
        };
        let object = if is_class {
            self.schema
                .class_number(number)
                .and_then(|id| self.class_object(&head, self.schema.class_by_id(id)))
        } else {
            self.schema
                .attribute_number(number)
                .and_then(|id| self.attribute_object(&head, self.schema.attribute_by_id(id)))
        };
        Ok(object)
    }

    /// By `objectGUID`, which for schema objects is their `schemaIDGUID`.
    pub(super) fn schema_object_by_guid(&self, guid: Guid) -> Result<Option<Object>, Error> {
        let attribute = self
            .schema
            .attribute_by_guid(guid)
            .map(|a| Dnt::of_attribute(a.id));
        let class = || {
            self.schema
                .class_by_guid(guid)
                .map(|class| Dnt::of_class(class.id))
        };
        match attribute.or_else(class) {
            Some(dnt) => self.schema_object(dnt),
            None => Ok(None),
        }
    }

    /// Numbers of all schema objects.
    pub(crate) fn schema_objects(&self) -> Vec<Dnt> {
        let attributes = self
            .schema
            .attributes()
            .map(|attribute| Dnt::of_attribute(attribute.id));
        let classes = self.schema.classes().map(|class| Dnt::of_class(class.id));
        attributes.chain(classes).collect()
    }

    fn schema_builder(
        &self,
        head: &Object,
        dnt: Dnt,
        class: &str,
        guid: Guid,
        cn: &str,
    ) -> Option<ObjectBuilder> {
        let class = self.schema.class(class)?;
        let header = Header {
            guid,
            class: class.id,
            descriptor: head.descriptor_id(),
            parent: head.dnt,
            naming_context: head.dnt,
            is_deleted: false,
            is_head: false,
            has_links: false,
            usn_created: head.header.usn_created,
            usn_changed: head.header.usn_created,
            when_created: head.header.when_created,
            when_changed: head.header.when_created,
            sid: None,
            rdn_attribute: self.schema.known().cn,
            rdn: cn.to_owned(),
        };
        let mut builder = ObjectBuilder::new(dnt, header);
        builder.set_text(self.schema.known().instance_type, 4);
        let category = Reference::Object(Dnt::of_class(class.id), Vec::new());
        builder.set(self.schema.known().object_category, vec![category.encode()]);
        Some(builder)
    }

    fn put(&self, builder: &mut ObjectBuilder, name: &str, value: impl ToString) {
        if let Some(attribute) = self.schema.attribute(name) {
            builder.set_text(attribute.id, value);
        }
    }

    fn put_all(&self, builder: &mut ObjectBuilder, name: &str, values: Vec<Vec<u8>>) {
        if let Some(attribute) = self.schema.attribute(name) {
            builder.set(attribute.id, values);
        }
    }

    fn attribute_object(&self, head: &Object, attribute: &Attribute) -> Option<Object> {
        let dnt = Dnt::of_attribute(attribute.id);
        let mut builder =
            self.schema_builder(head, dnt, "attributeSchema", attribute.guid, &attribute.cn)?;
        let object = &mut builder;
        self.put(object, "lDAPDisplayName", attribute.name);
        self.put(object, "adminDisplayName", &attribute.cn);
        self.put(object, "attributeID", &attribute.oid);
        self.put(
            object,
            "attributeSyntax",
            attribute.syntax.attribute_syntax(),
        );
        self.put(object, "oMSyntax", attribute.syntax.om_syntax());
        self.put(object, "isSingleValued", boolean(attribute.single_valued));
        self.put(object, "systemOnly", boolean(attribute.system_only));
        self.put(object, "searchFlags", attribute.search_flags);
        self.put(object, "systemFlags", attribute.system_flags.cast_signed());
        self.put(object, "showInAdvancedViewOnly", "TRUE");
        self.put_all(
            object,
            "schemaIDGUID",
            vec![attribute.guid.to_bytes_le().to_vec()],
        );
        if !attribute.syntax.om_object_class().is_empty() {
            self.put_all(
                object,
                "oMObjectClass",
                vec![attribute.syntax.om_object_class().to_vec()],
            );
        }
        if let Some(set) = attribute.security_guid {
            self.put_all(
                object,
                "attributeSecurityGUID",
                vec![set.to_bytes_le().to_vec()],
            );
        }
        if let Some(link) = attribute.link_id {
            self.put(object, "linkID", link);
        }
        if let Some(lower) = attribute.range_lower {
            self.put(object, "rangeLower", lower.cast_signed());
        }
        if let Some(upper) = attribute.range_upper {
            self.put(object, "rangeUpper", upper.cast_signed());
        }
        if attribute.in_partial_set {
            self.put(object, "isMemberOfPartialAttributeSet", "TRUE");
        }
        builder.build()
    }

    fn class_object(&self, head: &Object, class: &Class) -> Option<Object> {
        let dnt = Dnt::of_class(class.id);
        let mut builder = self.schema_builder(head, dnt, "classSchema", class.guid, &class.cn)?;
        let object = &mut builder;
        self.put(object, "lDAPDisplayName", class.name);
        self.put(object, "adminDisplayName", &class.cn);
        self.put(object, "governsID", &class.oid);
        self.put(object, "objectClassCategory", class.category.number());
        self.put(
            object,
            "subClassOf",
            self.schema.class_by_id(class.parent).name,
        );
        self.put(
            object,
            "rDNAttID",
            self.schema.attribute_by_id(class.rdn_attribute).name,
        );
        self.put(object, "systemOnly", boolean(class.system_only));
        self.put(object, "defaultHidingValue", boolean(class.hidden));
        self.put(object, "showInAdvancedViewOnly", "TRUE");
        if !class.default_descriptor.is_empty() {
            self.put(
                object,
                "defaultSecurityDescriptor",
                class.default_descriptor,
            );
        }
        self.put_all(
            object,
            "schemaIDGUID",
            vec![class.guid.to_bytes_le().to_vec()],
        );
        if let Some(category) = self.schema.class_by_cn(&class.default_category_cn) {
            let reference = Reference::Object(Dnt::of_class(category.id), Vec::new());
            self.put_all(object, "defaultObjectCategory", vec![reference.encode()]);
        }
        self.put_all(
            object,
            "systemMustContain",
            self.attribute_names(&class.must),
        );
        self.put_all(object, "systemMayContain", self.attribute_names(&class.may));
        self.put_all(
            object,
            "systemAuxiliaryClass",
            self.class_names(&class.auxiliary),
        );
        self.put_all(
            object,
            "systemPossSuperiors",
            self.class_names(&class.possible_superiors),
        );
        builder.build()
    }

    fn attribute_names(&self, ids: &[AttributeId]) -> Vec<Vec<u8>> {
        ids.iter()
            .map(|id| self.schema.attribute_by_id(*id).name.as_bytes().to_vec())
            .collect()
    }

    fn class_names(&self, ids: &[ClassId]) -> Vec<Vec<u8>> {
        ids.iter()
            .map(|id| self.schema.class_by_id(*id).name.as_bytes().to_vec())
            .collect()
    }
}

fn boolean(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}
