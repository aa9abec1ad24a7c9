//! From what a client writes to what is stored: schema checks on single values.

use crate::error::AttributeProblem;
use crate::model::{Dnt, Reader, Reference, Resolved};
use crate::schema::{Attribute, Schema, Syntax};
use crate::{Error, Session};

/// The attribute of a write. Options such as `;binary` are refused, as AD does.
pub(super) fn writable<'s>(
    schema: &'s Schema,
    session: &Session,
    name: &str,
) -> Result<&'s Attribute, Error> {
    let attribute = schema
        .attribute(name)
        .ok_or_else(|| Error::undefined(name))?;
    if attribute.is_constructed() || attribute.is_back_link() {
        return Err(Error::attribute(attribute, AttributeProblem::SystemOnly));
    }
    if attribute.system_only && !session.is_system() {
        return Err(Error::attribute(attribute, AttributeProblem::SystemOnly));
    }
    Ok(attribute)
}

/// The stored form of plain values.
pub(super) fn stored(
    reader: &Reader<'_>,
    session: &Session,
    attribute: &Attribute,
    values: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, Error> {
    values
        .iter()
        .map(|value| stored_one(reader, session, attribute, value))
        .collect()
}

fn stored_one(
    reader: &Reader<'_>,
    session: &Session,
    attribute: &Attribute,
    value: &[u8],
) -> Result<Vec<u8>, Error> {
    let invalid = |problem| Error::attribute(attribute, problem);
    if attribute.syntax.is_reference() {
        return match reader.reference(attribute.syntax, value)? {
            Some(Resolved::Known(reference)) => Ok(reference.encode()),
            Some(Resolved::Unknown) => Err(invalid(AttributeProblem::UnknownReference)),
            None => Err(invalid(AttributeProblem::InvalidSyntax)),
        };
    }
    let stored = attribute
        .syntax
        .stored(value)
        .ok_or_else(|| invalid(AttributeProblem::InvalidSyntax))?;
    if !session.is_system() && !is_in_range(attribute, &stored) {
        return Err(invalid(AttributeProblem::OutOfRange));
    }
    if attribute.id == reader.schema.known().sam_account_name
        && !super::account::is_account_name(&stored)
    {
        return Err(invalid(AttributeProblem::Constraint));
    }
    Ok(stored)
}

/// A value of a link attribute: the object it names and what stands beside the name.
pub(super) fn link_target(
    reader: &Reader<'_>,
    attribute: &Attribute,
    value: &[u8],
) -> Result<Option<(Dnt, Vec<u8>)>, Error> {
    match reader.reference(attribute.syntax, value)? {
        Some(Resolved::Known(Reference::Object(target, payload))) if !target.is_virtual() => {
            Ok(Some((target, payload)))
        }
        Some(_) => Ok(None),
        None => Err(Error::attribute(attribute, AttributeProblem::InvalidSyntax)),
    }
}

/// `rangeLower` and `rangeUpper`: numbers by value, text by characters, octets by length.
fn is_in_range(attribute: &Attribute, stored: &[u8]) -> bool {
    let (lower, upper) = (attribute.range_lower, attribute.range_upper);
    match attribute.syntax {
        Syntax::Integer | Syntax::Enumeration => {
            let Some(number) = std::str::from_utf8(stored)
                .ok()
                .and_then(|text| text.parse::<i32>().ok())
            else {
                return false;
            };
            let (lower, upper) = (lower.map(u32::cast_signed), upper.map(u32::cast_signed));
            // Some published ranges are unsigned; as signed numbers they make no sense and bind nothing.
            let is_sane = lower.zip(upper).is_none_or(|(lower, upper)| lower <= upper);
            !is_sane || (lower.is_none_or(|l| number >= l) && upper.is_none_or(|u| number <= u))
        }
        Syntax::Unicode | Syntax::Teletex | Syntax::Ia5 | Syntax::Printable | Syntax::Numeric => {
            let count = String::from_utf8_lossy(stored).encode_utf16().count();
            length_fits(count, lower, upper)
        }
        Syntax::Octets | Syntax::Sid => length_fits(stored.len(), lower, upper),
        _ => true,
    }
}

fn length_fits(length: usize, lower: Option<u32>, upper: Option<u32>) -> bool {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    lower.is_none_or(|lower| length >= lower) && upper.is_none_or(|upper| length <= upper)
}
