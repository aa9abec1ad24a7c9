//! The schema: attributes, classes and how they hang together (MS-ADTS 3.1.1.2; MS-ADA1-3, MS-ADSC for the facts).
//!
//! The two tables (`attributes.tsv`, `classes.tsv`) hold the published schema of Windows Server 2016 in a short
//! notation of our own; `table` reads it once per process.
//!
//! Deliberately absent: extending the schema at run time. [`SchemaLevel`] chooses how much of it is there.

mod definition;
mod syntax;
mod table;

use std::collections::HashMap;
use std::sync::OnceLock;

use types::Guid;

pub use definition::{Attribute, AttributeId, Class, ClassCategory, ClassId};
pub use syntax::{Syntax, folded, number_key};

/// Which generation of the schema a directory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SchemaLevel {
    /// Without what came in 2016: no `msDS-KeyCredentialLink`, the "schema too old" of real forests.
    WindowsServer2012R2,
    /// `objectVersion` 87.
    #[default]
    WindowsServer2016,
}

impl SchemaLevel {
    /// `objectVersion` of the schema head.
    pub fn object_version(self) -> u32 {
        match self {
            Self::WindowsServer2012R2 => 69,
            Self::WindowsServer2016 => 87,
        }
    }
}

/// All attributes and classes, with the look-ups that requests need.
#[derive(Debug)]
pub struct Schema {
    level: SchemaLevel,
    attributes: Vec<Attribute>,
    classes: Vec<Class>,
    attribute_by_name: HashMap<String, AttributeId>,
    attribute_by_guid: HashMap<Guid, AttributeId>,
    attribute_by_cn: HashMap<String, AttributeId>,
    attribute_by_link: HashMap<u32, AttributeId>,
    property_sets: HashMap<Guid, Vec<AttributeId>>,
    class_by_name: HashMap<String, ClassId>,
    class_by_guid: HashMap<Guid, ClassId>,
    class_by_cn: HashMap<String, ClassId>,
    details: Vec<ClassDetails>,
    known: Known,
}

/// What follows for a class from its bases and auxiliary classes.
#[derive(Debug, Default)]
struct ClassDetails {
    chain: Vec<ClassId>,
    linear: Vec<ClassId>,
    must: Vec<AttributeId>,
    allowed: Vec<AttributeId>,
    superiors: Vec<ClassId>,
    subclasses: Vec<ClassId>,
}

macro_rules! known {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// Numbers of the attributes that the directory itself handles.
        #[derive(Debug, Clone, Copy)]
        #[expect(missing_docs, reason = "each field is named as the attribute is")]
        pub struct Known { $(pub $field: AttributeId),* }

        impl Known {
            fn new(find: impl Fn(&str) -> AttributeId) -> Self {
                Self { $($field: find($name)),* }
            }
        }
    };
}

known! {
    object_class = "objectClass", cn = "cn", name = "name", distinguished_name = "distinguishedName",
    object_guid = "objectGUID", object_sid = "objectSid", object_category = "objectCategory",
    security_descriptor = "nTSecurityDescriptor", instance_type = "instanceType",
    when_created = "whenCreated", when_changed = "whenChanged",
    usn_created = "uSNCreated", usn_changed = "uSNChanged",
    is_deleted = "isDeleted", is_recycled = "isRecycled", last_known_parent = "lastKnownParent",
    last_known_rdn = "msDS-LastKnownRDN",
    sam_account_name = "sAMAccountName", sam_account_type = "sAMAccountType",
    user_principal_name = "userPrincipalName", service_principal_name = "servicePrincipalName",
    display_name = "displayName", user_account_control = "userAccountControl",
    primary_group_id = "primaryGroupID", group_type = "groupType", member = "member", member_of = "memberOf",
    pwd_last_set = "pwdLastSet", unicode_pwd = "unicodePwd", account_expires = "accountExpires",
    key_credential_back_link = "msDS-KeyCredentialLink-BL",
    canonical_name = "canonicalName", primary_group_token = "primaryGroupToken",
    token_groups = "tokenGroups", token_groups_global = "tokenGroupsGlobalAndUniversal",
    token_groups_local = "tokenGroupsNoGCAcceptable",
    allowed_attributes = "allowedAttributes", allowed_attributes_effective = "allowedAttributesEffective",
    allowed_child_classes = "allowedChildClasses",
    allowed_child_classes_effective = "allowedChildClassesEffective",
    sd_rights_effective = "sDRightsEffective", structural_object_class = "structuralObjectClass",
    create_time_stamp = "createTimeStamp", modify_time_stamp = "modifyTimeStamp",
    subschema_subentry = "subSchemaSubEntry", principal_name = "msDS-PrincipalName",
    account_control_computed = "msDS-User-Account-Control-Computed",
    password_expiry_computed = "msDS-UserPasswordExpiryTimeComputed",
    approx_immed_subordinates = "msDS-Approx-Immed-Subordinates",
    repl_attribute_metadata = "msDS-ReplAttributeMetaData", repl_value_metadata = "msDS-ReplValueMetaData",
    repl_property_metadata = "replPropertyMetaData", ds_core_propagation_data = "dSCorePropagationData",
    key_version = "msDS-KeyVersionNumber", secondary_krbtgt_number = "msDS-SecondaryKrbTgtNumber",
    system_flags = "systemFlags", critical = "isCriticalSystemObject", anr = "aNR",
}

impl Schema {
    /// The schema of `level`; shared by the whole process.
    pub fn of(level: SchemaLevel) -> &'static Self {
        static OLD: OnceLock<Schema> = OnceLock::new();
        static NEW: OnceLock<Schema> = OnceLock::new();
        match level {
            SchemaLevel::WindowsServer2012R2 => OLD.get_or_init(|| Self::build(level)),
            SchemaLevel::WindowsServer2016 => NEW.get_or_init(|| Self::build(level)),
        }
    }

    /// Which generation this is.
    pub fn level(&self) -> SchemaLevel {
        self.level
    }

    /// Numbers of the attributes that the directory itself handles.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// All attributes of this level.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes
            .iter()
            .filter(|attribute| self.has(attribute.since_2016))
    }

    /// All classes of this level.
    pub fn classes(&self) -> impl Iterator<Item = &Class> {
        self.classes
            .iter()
            .filter(|class| self.has(class.since_2016))
    }

    fn has(&self, since_2016: bool) -> bool {
        !since_2016 || self.level == SchemaLevel::WindowsServer2016
    }

    /// By `lDAPDisplayName` (any case) or OID. The option `;binary` changes nothing, as in AD.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        let name = name.strip_suffix(";binary").unwrap_or(name);
        find_folded(&self.attribute_by_name, name).map(|id| self.attribute_by_id(*id))
    }

    /// By number.
    #[expect(
        clippy::indexing_slicing,
        reason = "ids are made by this table, and checked when read from a store"
    )]
    pub fn attribute_by_id(&self, id: AttributeId) -> &Attribute {
        &self.attributes[usize::from(id.0)]
    }

    /// A number read from a store, checked.
    pub(crate) fn attribute_number(&self, number: u16) -> Option<AttributeId> {
        self.attributes
            .get(usize::from(number))
            .map(|attribute| attribute.id)
    }

    /// A class number read from a store, checked.
    pub(crate) fn class_number(&self, number: u16) -> Option<ClassId> {
        self.classes.get(usize::from(number)).map(|class| class.id)
    }

    /// By `schemaIDGUID`.
    pub fn attribute_by_guid(&self, guid: Guid) -> Option<&Attribute> {
        self.attribute_by_guid
            .get(&guid)
            .map(|id| self.attribute_by_id(*id))
    }

    /// By `cn` of the schema object.
    pub fn attribute_by_cn(&self, cn: &str) -> Option<&Attribute> {
        find_folded(&self.attribute_by_cn, cn).map(|id| self.attribute_by_id(*id))
    }

    /// The other side of a link.
    pub fn link_partner(&self, attribute: &Attribute) -> Option<&Attribute> {
        let partner = attribute.link_id? ^ 1;
        self.attribute_by_link
            .get(&partner)
            .map(|id| self.attribute_by_id(*id))
    }

    /// The attributes of a property set; empty where the GUID names none.
    pub fn attributes_of_set(&self, property_set: Guid) -> &[AttributeId] {
        self.property_sets
            .get(&property_set)
            .map_or(&[], Vec::as_slice)
    }

    /// By `lDAPDisplayName` (any case) or OID.
    pub fn class(&self, name: &str) -> Option<&Class> {
        find_folded(&self.class_by_name, name).map(|id| self.class_by_id(*id))
    }

    /// By number.
    #[expect(
        clippy::indexing_slicing,
        reason = "ids are made by this table, and checked when read from a store"
    )]
    pub fn class_by_id(&self, id: ClassId) -> &Class {
        &self.classes[usize::from(id.0)]
    }

    /// By `schemaIDGUID`.
    pub fn class_by_guid(&self, guid: Guid) -> Option<&Class> {
        self.class_by_guid
            .get(&guid)
            .map(|id| self.class_by_id(*id))
    }

    /// By `cn` of the schema object, as `objectCategory` names classes.
    pub fn class_by_cn(&self, cn: &str) -> Option<&Class> {
        find_folded(&self.class_by_cn, cn).map(|id| self.class_by_id(*id))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "one entry per class, made together with the classes"
    )]
    fn details(&self, class: ClassId) -> &ClassDetails {
        &self.details[usize::from(class.0)]
    }

    /// The class and its bases, `top` first: the values of `objectClass`.
    pub fn chain(&self, class: ClassId) -> &[ClassId] {
        &self.details(class).chain
    }

    /// The chain and every auxiliary class on it.
    pub fn chain_with_auxiliary(&self, class: ClassId) -> &[ClassId] {
        &self.details(class).linear
    }

    /// Whether `class` is `base` or derives from it.
    pub fn is_subclass(&self, class: ClassId, base: ClassId) -> bool {
        self.chain(class).contains(&base)
    }

    /// The class and all that derive from it.
    pub fn subclasses(&self, class: ClassId) -> &[ClassId] {
        &self.details(class).subclasses
    }

    /// Attributes that an object of this class must have.
    pub fn attributes_required(&self, class: ClassId) -> &[AttributeId] {
        &self.details(class).must
    }

    /// Attributes that an object of this class may have, required ones included; sorted by number.
    pub fn attributes_allowed(&self, class: ClassId) -> &[AttributeId] {
        &self.details(class).allowed
    }

    /// Whether an object of `class` may have `attribute`.
    pub fn allows(&self, class: ClassId, attribute: AttributeId) -> bool {
        self.attributes_allowed(class)
            .binary_search(&attribute)
            .is_ok()
    }

    /// Whether an object of `child` may stand under one of `parent` (MS-ADTS 3.1.1.2.4.3).
    pub fn may_contain(&self, parent: ClassId, child: ClassId) -> bool {
        let superiors = &self.details(child).superiors;
        self.chain_with_auxiliary(parent)
            .iter()
            .any(|class| superiors.contains(class))
    }

    /// Structural classes whose objects may stand under an object of `parent`.
    pub fn children_allowed(&self, parent: ClassId) -> Vec<ClassId> {
        self.classes()
            .filter(|class| {
                matches!(
                    class.category,
                    ClassCategory::Structural | ClassCategory::Any
                ) && self.may_contain(parent, class.id)
            })
            .map(|class| class.id)
            .collect()
    }
}

fn find_folded<'a, T>(map: &'a HashMap<String, T>, name: &str) -> Option<&'a T> {
    // The stack buffer keeps the common look-up free of allocation.
    let mut buffer = [0_u8; 64];
    match buffer.get_mut(..name.len()) {
        Some(folded) => {
            folded.copy_from_slice(name.as_bytes());
            folded.make_ascii_lowercase();
            map.get(std::str::from_utf8(folded).ok()?)
        }
        None => map.get(&name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> &'static Schema {
        Schema::of(SchemaLevel::WindowsServer2016)
    }

    #[test]
    fn key_credential_link_is_as_published() {
        let attribute = schema().attribute("MSDS-keycredentiallink").unwrap();
        assert_eq!(attribute.name, "msDS-KeyCredentialLink");
        assert_eq!(attribute.cn, "ms-DS-Key-Credential-Link");
        assert_eq!(attribute.oid, "1.2.840.113556.1.4.2328");
        assert_eq!(attribute.syntax, Syntax::DnBinary);
        assert_eq!(attribute.syntax.attribute_syntax(), "2.5.5.7");
        assert_eq!(attribute.link_id, Some(2220));
        assert_eq!(
            attribute.guid.to_string(),
            "5b47d60f-6090-40b2-9f37-2a4de88f3063"
        );
        assert_eq!(
            attribute.security_guid.unwrap().to_string(),
            "9b026da6-0d3c-465c-8bee-5199d7165cba"
        );
        assert_eq!((attribute.search_flags, attribute.system_flags), (0, 16));
        let back = schema().link_partner(attribute).unwrap();
        assert_eq!(back.name, "msDS-KeyCredentialLink-BL");
        for class in ["user", "computer", "msDS-Device"] {
            let class = schema().class(class).unwrap();
            assert!(schema().allows(class.id, attribute.id), "{}", class.name);
        }
        let group = schema().class("group").unwrap();
        assert!(!schema().allows(group.id, attribute.id));
        assert!(
            schema().allows(group.id, back.id),
            "the back link is allowed on any class"
        );
    }

    #[test]
    fn an_old_schema_does_not_know_it() {
        let old = Schema::of(SchemaLevel::WindowsServer2012R2);
        assert!(old.attribute("msDS-KeyCredentialLink").is_none());
        assert!(old.attribute("1.2.840.113556.1.4.2328").is_none());
        assert!(old.attribute("memberOf").is_some());
        let user = old.class("user").unwrap();
        assert!(
            old.attributes_allowed(user.id)
                .iter()
                .all(|id| !old.attribute_by_id(*id).since_2016)
        );
    }

    #[test]
    fn classes_inherit() {
        let schema = schema();
        let names = |ids: &[ClassId]| {
            ids.iter()
                .map(|id| schema.class_by_id(*id).name)
                .collect::<Vec<_>>()
        };
        let computer = schema.class("computer").unwrap().id;
        assert_eq!(
            names(schema.chain(computer)),
            ["top", "person", "organizationalPerson", "user", "computer"]
        );
        let user = schema.class("user").unwrap().id;
        assert!(schema.is_subclass(computer, user) && !schema.is_subclass(user, computer));
        assert!(schema.subclasses(user).contains(&computer));
        let unit = schema.class("organizationalUnit").unwrap().id;
        assert!(schema.may_contain(unit, user) && !schema.may_contain(user, unit));
        let sid = schema.known().object_sid;
        assert!(
            schema.allows(user, sid),
            "from the auxiliary class securityPrincipal"
        );
    }
}
