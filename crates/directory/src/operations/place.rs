//! Where a new object may stand, and what class it is of (MS-ADTS 3.1.1.5.2.2).

use ldap::diagnostic::win32;
use types::{Dn, Rdn};

use crate::error::AttributeProblem;
use crate::model::{Object, Transaction};
use crate::schema::{ClassCategory, ClassId, Schema};
use crate::{AddRequest, Error, Session};

/// `instanceType`: the head of a naming context.
const HEAD: i64 = 1;

/// The structural class that the request means: the one whose bases are all the others.
pub(super) fn class_of(
    schema: &Schema,
    session: &Session,
    request: &AddRequest,
) -> Result<ClassId, Error> {
    let violation = |win32, why: String| Error::ObjectClass { why, win32 };
    let mut names = request
        .attributes
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("objectClass"));
    let values = names
        .next()
        .map(|(_, values)| values.as_slice())
        .unwrap_or_default();
    let mut found: Option<ClassId> = None;
    for value in values {
        let name = String::from_utf8_lossy(value);
        let class = schema
            .class(name.trim())
            .ok_or_else(|| Error::undefined(&name))?;
        if matches!(
            class.category,
            ClassCategory::Auxiliary | ClassCategory::Abstract
        ) {
            continue;
        }
        found = match found {
            Some(known) if schema.is_subclass(known, class.id) => Some(known),
            Some(known) if !schema.is_subclass(class.id, known) => {
                let why = format!(
                    "{} and {} are not of one line",
                    schema.class_by_id(known).name,
                    class.name
                );
                return Err(violation(win32::ERROR_DS_OBJ_CLASS_VIOLATION, why));
            }
            _ => Some(class.id),
        };
    }
    let class = found.ok_or_else(|| {
        violation(
            win32::ERROR_DS_OBJ_CLASS_VIOLATION,
            "no structural class is given".to_owned(),
        )
    })?;
    if schema.class_by_id(class).system_only && !session.is_system() {
        let why = format!(
            "only the directory itself makes objects of class {}",
            schema.class_by_id(class).name
        );
        return Err(Error::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM, why));
    }
    Ok(class)
}

pub(super) fn is_head(session: &Session, request: &AddRequest) -> bool {
    let instance_type = request
        .attributes
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("instanceType"))
        .and_then(|(_, values)| {
            std::str::from_utf8(values.first()?)
                .ok()?
                .parse::<i64>()
                .ok()
        });
    session.is_system() && instance_type.is_some_and(|bits| bits & HEAD != 0)
}

pub(super) fn parent_of(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &AddRequest,
    is_head: bool,
) -> Result<Option<Object>, Error> {
    let parent = request.dn.parent().unwrap_or(Dn::ROOT);
    match super::visible(transaction, session, &parent.into(), false) {
        Ok(parent) => Ok(Some(parent)),
        // The head of the domain has nothing above it.
        Err(Error::NoSuchObject { .. }) if is_head => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an object of this class and name may stand there; its relative name.
pub(super) fn check_place(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &AddRequest,
    class: ClassId,
    parent: Option<&Object>,
    is_head: bool,
) -> Result<Rdn, Error> {
    let schema = transaction.schema;
    let definition = schema.class_by_id(class);
    let rdn = request.dn.rdn().cloned().ok_or_else(|| Error::BadName {
        name: request.dn.to_string(),
    })?;
    let naming = schema.attribute_by_id(definition.rdn_attribute);
    if schema
        .attribute(rdn.attribute())
        .is_none_or(|attribute| attribute.id != naming.id)
    {
        let why = format!(
            "a {} is named by {}, not by {}",
            definition.name,
            naming.name,
            rdn.attribute()
        );
        return Err(Error::Naming { why });
    }
    if rdn.value().encode_utf16().count() > 255 {
        return Err(Error::attribute(naming, AttributeProblem::OutOfRange));
    }
    if let Some(parent) = parent {
        let reader = transaction.reader();
        if parent.dnt.is_virtual() || transaction.naming.schema_head == Some(parent.dnt) {
            return Err(Error::unwilling(
                win32::ERROR_DS_UNWILLING_TO_PERFORM,
                "the schema cannot be extended",
            ));
        }
        if !is_head && !session.is_system() && !schema.may_contain(parent.class(), class) {
            let parent_class = schema.class_by_id(parent.class()).name;
            let why = format!("a {} cannot stand under a {parent_class}", definition.name);
            return Err(Error::Naming { why });
        }
        if reader.child(parent.dnt, &rdn)?.is_some() {
            return Err(Error::AlreadyExists {
                name: request.dn.to_string(),
            });
        }
    } else if transaction
        .naming
        .heads
        .iter()
        .any(|(head, _)| *head == request.dn)
    {
        return Err(Error::AlreadyExists {
            name: request.dn.to_string(),
        });
    }
    Ok(rdn)
}
