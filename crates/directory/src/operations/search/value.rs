//! Values that follow from the head of a record.

use std::borrow::Cow;

use crate::Error;
use crate::model::{Object, Reader};
use crate::schema::AttributeId;

type Values<'o> = Vec<Cow<'o, [u8]>>;

fn one<'o>(value: impl Into<Cow<'o, [u8]>>) -> Values<'o> {
    vec![value.into()]
}

fn text<'o>(value: impl ToString) -> Values<'o> {
    one(value.to_string().into_bytes())
}

/// The attributes that are not stored as such, in the order in which entries show them.
pub(super) fn head_attributes(reader: &Reader<'_>, object: &Object) -> Vec<AttributeId> {
    let known = reader.schema.known();
    let mut ids = vec![
        known.object_class,
        object.header.rdn_attribute,
        known.distinguished_name,
        known.when_created,
        known.when_changed,
        known.usn_created,
        known.usn_changed,
        known.name,
        known.object_guid,
    ];
    if object.sid().is_some() {
        ids.push(known.object_sid);
    }
    if object.is_deleted() {
        ids.push(known.is_deleted);
    }
    ids
}

/// The values of one of them; `None` where the attribute is stored.
pub(super) fn head_values<'o>(
    reader: &Reader<'_>,
    object: &'o Object,
    id: AttributeId,
) -> Result<Option<Values<'o>>, Error> {
    let known = reader.schema.known();
    let header = &object.header;
    let values = if id == known.object_class {
        let chain = reader.schema.chain(object.class());
        chain
            .iter()
            .map(|class| reader.schema.class_by_id(*class).name.as_bytes().into())
            .collect()
    } else if id == header.rdn_attribute || id == known.name {
        one(object.short_name().as_bytes())
    } else if id == known.distinguished_name {
        text(reader.dn(object)?)
    } else if id == known.object_guid {
        one(header.guid.to_bytes_le().to_vec())
    } else if id == known.object_sid {
        header
            .sid
            .as_ref()
            .map(|sid| one(sid.to_bytes()))
            .unwrap_or_default()
    } else if id == known.when_created {
        text(
            header
                .when_created
                .to_generalized_time()
                .unwrap_or_default(),
        )
    } else if id == known.when_changed {
        text(
            header
                .when_changed
                .to_generalized_time()
                .unwrap_or_default(),
        )
    } else if id == known.usn_created {
        text(header.usn_created)
    } else if id == known.usn_changed {
        text(header.usn_changed)
    } else if id == known.is_deleted {
        if header.is_deleted {
            one(&b"TRUE"[..])
        } else {
            Vec::new()
        }
    } else {
        return Ok(None);
    };
    Ok(Some(values))
}
