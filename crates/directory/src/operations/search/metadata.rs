//! Replication stamps as clients may read them: `msDS-ReplAttributeMetaData` and `msDS-ReplValueMetaData`
//! (MS-ADTS 3.1.1.4.5.17 and following: one XML text per attribute or value).

use std::ops::ControlFlow;

use data_encoding::BASE64;
use types::{Guid, Timestamp};

use crate::Error;
use crate::model::{Object, Reader, Stamp};
use crate::schema::{Attribute, AttributeId};
use crate::store::{Table, keys};

/// The values; `None` where the attribute is not one of these.
pub(super) fn values(
    reader: &Reader<'_>,
    object: &Object,
    attribute: &Attribute,
    invocation: Guid,
) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let known = reader.schema.known();
    if attribute.id == known.repl_attribute_metadata {
        return of_attributes(reader, object, invocation).map(Some);
    }
    if attribute.id == known.repl_value_metadata {
        return of_values(reader, object, invocation).map(Some);
    }
    Ok(None)
}

fn time(moment: Timestamp) -> String {
    let seconds = moment.ticks().div_euclid(Timestamp::TICKS_PER_SECOND);
    let whole = Timestamp::from_ticks(seconds.saturating_mul(Timestamp::TICKS_PER_SECOND));
    whole.to_rfc3339().unwrap_or_default()
}

/// Every stamped attribute: those changed since the object's creation, and those that came with it.
fn of_attributes(
    reader: &Reader<'_>,
    object: &Object,
    invocation: Guid,
) -> Result<Vec<Vec<u8>>, Error> {
    let row = reader
        .view
        .get(Table::Stamp, &keys::dnt(object.dnt))?
        .unwrap_or_default();
    let mut stamps = Stamp::decode_all(&row);
    let known = reader.schema.known();
    let head: [AttributeId; 7] = [
        known.object_class,
        known.instance_type,
        known.when_created,
        known.security_descriptor,
        known.name,
        object.header.rdn_attribute,
        known.object_category,
    ];
    let sid = object.sid().map(|_| known.object_sid);
    let stored = object.attributes().map(|(id, _)| id);
    for id in head.into_iter().chain(sid).chain(stored) {
        if !stamps.iter().any(|stamp| stamp.attribute == id)
            && reader.schema.attribute_by_id(id).is_replicated()
        {
            stamps.push(Stamp {
                attribute: id,
                version: 1,
                usn: object.header.usn_created,
                time: object.header.when_created,
            });
        }
    }
    stamps.sort_by_key(|stamp| reader.schema.attribute_by_id(stamp.attribute).name);
    let server = &reader.naming.ntds_settings;
    Ok(stamps
        .iter()
        .map(|stamp| {
            let name = reader.schema.attribute_by_id(stamp.attribute).name;
            format!(
                "<DS_REPL_ATTR_META_DATA>\n\t<pszAttributeName>{name}</pszAttributeName>\n\
                 \t<dwVersion>{}</dwVersion>\n\
                 \t<ftimeLastOriginatingChange>{}</ftimeLastOriginatingChange>\n\
                 \t<uuidLastOriginatingDsaInvocationID>{invocation}</uuidLastOriginatingDsaInvocationID>\n\
                 \t<usnOriginatingChange>{}</usnOriginatingChange>\n\
                 \t<usnLocalChange>{}</usnLocalChange>\n\
                 \t<pszLastOriginatingDsaDN>{server}</pszLastOriginatingDsaDN>\n\
                 </DS_REPL_ATTR_META_DATA>\n",
                stamp.version,
                time(stamp.time),
                stamp.usn,
                stamp.usn,
            )
            .into_bytes()
        })
        .collect())
}

/// Every link value that is or was there.
fn of_values(
    reader: &Reader<'_>,
    object: &Object,
    invocation: Guid,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut rows = Vec::new();
    reader.link_rows(object.dnt, None, &mut |link, row| {
        rows.push((link, row));
        ControlFlow::Continue(())
    })?;
    let server = &reader.naming.ntds_settings;
    let mut values = Vec::with_capacity(rows.len());
    for (link, row) in rows {
        let name = reader.schema.attribute_by_id(link.attribute).name;
        let target = escaped(&reader.shown_dn(link.target, None)?.unwrap_or_default());
        let deleted = if row.is_present {
            Timestamp::from_ticks(0)
        } else {
            row.changed
        };
        let data = BASE64.encode(&row.payload);
        let value = format!(
            "<DS_REPL_VALUE_META_DATA>\n\t<pszAttributeName>{name}</pszAttributeName>\n\
             \t<pszObjectDn>{target}</pszObjectDn>\n\t<cbData>{}</cbData>\n\t<pbData>{data}</pbData>\n\
             \t<ftimeDeleted>{}</ftimeDeleted>\n\t<ftimeCreated>{}</ftimeCreated>\n\
             \t<dwVersion>{}</dwVersion>\n\
             \t<ftimeLastOriginatingChange>{}</ftimeLastOriginatingChange>\n\
             \t<uuidLastOriginatingDsaInvocationID>{invocation}</uuidLastOriginatingDsaInvocationID>\n\
             \t<usnOriginatingChange>{}</usnOriginatingChange>\n\t<usnLocalChange>{}</usnLocalChange>\n\
             \t<pszLastOriginatingDsaDN>{server}</pszLastOriginatingDsaDN>\n\
             </DS_REPL_VALUE_META_DATA>\n",
            row.payload.len(),
            time(deleted),
            time(row.created),
            row.version,
            time(row.changed),
            row.usn,
            row.usn,
        );
        values.push(value.into_bytes());
    }
    Ok(values)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
