//! The constructed attributes that tell a caller what it may write (MS-ADTS 3.1.1.4.5.18 to 3.1.1.4.5.21).

use security_descriptor::{AccessMask, Token};

use super::{Target, path_of, rights_on};
use crate::schema::{AttributeId, ClassId, Schema};

/// `allowedAttributesEffective`: the attributes that the caller may write by WP. Validated writes do not count.
pub fn effective_attributes(
    schema: &Schema,
    token: &Token,
    target: &Target<'_>,
) -> Vec<AttributeId> {
    let rights = rights_on(token, target);
    let may_write = |id: &AttributeId| {
        let attribute = schema.attribute_by_id(*id);
        let path = path_of(schema, target.class, attribute);
        !attribute.system_only
            && !attribute.is_constructed()
            && !attribute.is_back_link()
            && rights.allows(AccessMask::WRITE_PROPERTY, &path)
    };
    let allowed = schema.attributes_allowed(target.class).iter().copied();
    allowed.filter(may_write).collect()
}

/// `allowedChildClassesEffective`: the classes of which the caller may create children.
pub fn effective_child_classes(
    schema: &Schema,
    token: &Token,
    target: &Target<'_>,
) -> Vec<ClassId> {
    let rights = rights_on(token, target);
    let may_create = |id: &ClassId| {
        let class = schema.class_by_id(*id);
        !class.system_only && rights.allows(AccessMask::CREATE_CHILD, &[class.guid])
    };
    let allowed = schema.children_allowed(target.class);
    allowed.into_iter().filter(may_create).collect()
}

/// `sDRightsEffective`: which parts of the descriptor the caller may write, as SD flags.
pub fn effective_descriptor_rights(token: &Token, target: &Target<'_>) -> u32 {
    let granted = rights_on(token, target).granted(&[]);
    // Owner means both owner and group (MS-ADTS 3.1.1.4.5.21).
    [
        (AccessMask::WRITE_OWNER, 3),
        (AccessMask::WRITE_DAC, 4),
        (AccessMask::ACCESS_SYSTEM_SECURITY, 8),
    ]
    .iter()
    .filter(|(right, _)| granted.contains(*right))
    .map(|(_, flags)| flags)
    .sum()
}
