//! The subschema entry `CN=Aggregate` in the form of RFC 4512 4.1, with AD's habits (MS-ADTS 3.1.1.3.1.1).
//!
//! It is made once per schema from the schema's tables: several 100 KB of text that never change.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::OnceLock;

use super::conversation::Conversation;
use super::search::{self, MadeUp};
use crate::Directory;
use crate::schema::{Attribute, AttributeId, Class, ClassCategory, ClassId, Schema};

/// The entry's name.
pub(super) fn dn(directory: &Directory) -> String {
    directory
        .naming()
        .map(|naming| format!("CN=Aggregate,{}", naming.schema_dn))
        .unwrap_or_default()
}

/// Whether a search's base is this entry.
pub(super) fn is_named_by(conversation: &Conversation, base: &str) -> bool {
    // Nearly every search goes elsewhere: look at the first letters before names are taken apart.
    let looks_so = base
        .get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    looks_so && base.eq_ignore_ascii_case(&dn(&conversation.shared.directory))
}

/// Answers a search there.
pub(super) fn answer(
    conversation: &Conversation,
    id: u32,
    search: &ldap::SearchRequest,
    out: &mut Vec<u8>,
) {
    let shared = &conversation.shared;
    let entry = shared
        .subschema
        .get_or_init(|| Subschema::new(shared.directory.schema()));
    search::answer_made_up(id, &dn(&shared.directory), &entry.0, search, out);
}

/// The entry, once made.
#[derive(Debug, Default)]
pub(super) struct Subschema(MadeUp);

/// Where the server keeps it.
pub(super) type Cell = OnceLock<Subschema>;

impl Subschema {
    fn new(schema: &Schema) -> Self {
        let words = |words: &[&'static str]| -> Vec<Cow<'static, [u8]>> {
            words
                .iter()
                .map(|word| Cow::Borrowed(word.as_bytes()))
                .collect()
        };
        let attributes = schema.attributes().map(attribute_type);
        let classes = schema.classes().map(|class| object_class(schema, class));
        let rules = schema
            .classes()
            .filter(|class| class.category == ClassCategory::Structural)
            .filter_map(|class| content_rule(schema, class));
        Self(vec![
            ("objectClass", words(&["top", "subSchema"])),
            ("cn", words(&["Aggregate"])),
            ("name", words(&["Aggregate"])),
            ("attributeTypes", attributes.map(text).collect()),
            ("objectClasses", classes.map(text).collect()),
            ("dITContentRules", rules.map(text).collect()),
        ])
    }
}

fn text(value: String) -> Cow<'static, [u8]> {
    Cow::Owned(value.into_bytes())
}

/// AttributeTypeDescription. AD puts the syntax in quotes, and clients that know AD expect it.
fn attribute_type(attribute: &Attribute) -> String {
    let mut text = format!(
        "( {} NAME '{}' SYNTAX '{}'",
        attribute.oid,
        attribute.name,
        attribute.syntax.ldap_oid()
    );
    if attribute.single_valued {
        text.push_str(" SINGLE-VALUE");
    }
    if attribute.system_only || attribute.is_constructed() {
        text.push_str(" NO-USER-MODIFICATION");
    }
    text.push_str(" )");
    text
}

/// ObjectClassDescription.
fn object_class(schema: &Schema, class: &Class) -> String {
    let mut text = format!("( {} NAME '{}'", class.oid, class.name);
    // `top` is its own parent in AD, and has none in RFC 4512.
    if class.parent != class.id {
        let _infallible = write!(text, " SUP {}", schema.class_by_id(class.parent).name);
    }
    text.push_str(match class.category {
        ClassCategory::Abstract => " ABSTRACT",
        ClassCategory::Auxiliary => " AUXILIARY",
        ClassCategory::Structural | ClassCategory::Any => " STRUCTURAL",
    });
    list(&mut text, "MUST", attribute_names(schema, &class.must));
    list(&mut text, "MAY", attribute_names(schema, &class.may));
    text.push_str(" )");
    text
}

/// DITContentRuleDescription: what the auxiliary classes of a structural one bring in; `None` where it has none.
fn content_rule(schema: &Schema, class: &Class) -> Option<String> {
    let mut auxiliary: Vec<ClassId> = Vec::new();
    for base in schema.chain_with_auxiliary(class.id) {
        auxiliary.extend(&schema.class_by_id(*base).auxiliary);
    }
    auxiliary.sort_unstable();
    auxiliary.dedup();
    if auxiliary.is_empty() {
        return None;
    }
    let mut must: Vec<AttributeId> = Vec::new();
    let mut may: Vec<AttributeId> = Vec::new();
    for id in &auxiliary {
        must.extend(&schema.class_by_id(*id).must);
        may.extend(&schema.class_by_id(*id).may);
    }
    for ids in [&mut must, &mut may] {
        ids.sort_unstable();
        ids.dedup();
    }
    let mut text = format!("( {} NAME '{}'", class.oid, class.name);
    list(
        &mut text,
        "AUX",
        auxiliary.iter().map(|id| schema.class_by_id(*id).name),
    );
    list(&mut text, "MUST", attribute_names(schema, &must));
    list(&mut text, "MAY", attribute_names(schema, &may));
    text.push_str(" )");
    Some(text)
}

fn attribute_names<'a>(
    schema: &'a Schema,
    ids: &'a [AttributeId],
) -> impl Iterator<Item = &'a str> {
    ids.iter().map(|id| schema.attribute_by_id(*id).name)
}

/// ` KEYWORD (a $ b )`, as AD spaces it; nothing where there is nothing to list.
fn list<'a>(text: &mut String, keyword: &str, names: impl Iterator<Item = &'a str>) {
    let mut separator = "";
    for name in names {
        if separator.is_empty() {
            let _infallible = write!(text, " {keyword} (");
        }
        let _infallible = write!(text, "{separator}{name} ");
        separator = "$ ";
    }
    if !separator.is_empty() {
        text.push(')');
    }
}

const PREFIX: &str = "CN=Aggregate,";
