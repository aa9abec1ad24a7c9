//! Which accesses the SACL of an object wants recorded.

use security_descriptor::{AccessMask, Outcome, Token};

use super::{Target, path_of};
use crate::schema::{AttributeId, Schema};

/// Whether the SACL wants a record of this access. `attribute` `None` means the object as a whole.
pub fn audits(
    schema: &Schema,
    token: &Token,
    target: &Target<'_>,
    right: u32,
    attribute: Option<AttributeId>,
    outcome: Outcome,
) -> bool {
    let path = match attribute {
        Some(id) => path_of(schema, target.class, schema.attribute_by_id(id)),
        None => [schema.class_by_id(target.class).guid; 3],
    };
    let descriptor = target.descriptor.security();
    security_descriptor::audits(
        descriptor,
        token,
        target.sid,
        AccessMask(right),
        &path,
        outcome,
    )
}
