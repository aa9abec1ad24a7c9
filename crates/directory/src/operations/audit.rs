//! The audit log: one record per value, in the transaction of the change, where a SACL asks for it.

use std::ops::ControlFlow;

use events::{Change, ChangedValue, DeniedWrite, ObjectName, Origin, Record};
use types::Guid;

use crate::access::{Denied, Outcome, audits};
use crate::model::{Link, Object, Reader, Reference, Snapshot, Transaction};
use crate::schema::{Attribute, Syntax};
use crate::store::{Table, View, keys};
use crate::{Error, Session};

/// A changed value, before it has a record.
#[derive(Debug)]
pub(super) struct ValueChange {
    pub(super) attribute: crate::schema::AttributeId,
    pub(super) operation: events::Operation,
    pub(super) value: ChangedValue,
}

/// The right that a write of the descriptor needs: WRITE_DAC.
pub(super) const WRITE_DAC: u32 = 0x4_0000;
/// WRITE_PROPERTY.
const WRITE_PROPERTY: u32 = 0x20;

/// Who did what to which object in one operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deed<'a> {
    pub(super) session: &'a Session,
    pub(super) operation_id: Guid,
    pub(super) usn: u64,
}

/// Records those changes of `object` that its SACL wants recorded.
pub(super) fn changes(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    object: &Object,
    changes: Vec<ValueChange>,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let schema = transaction.schema;
    let descriptor = transaction.reader().descriptor(object.descriptor_id())?;
    if descriptor.security().effective_sacl().is_none() {
        return Ok(());
    }
    let mut name = None;
    let mut last = None;
    for change in changes {
        let attribute = schema.attribute_by_id(change.attribute);
        let wanted = match last {
            Some((id, wanted)) if id == change.attribute => wanted,
            _ => {
                let right = match attribute.syntax {
                    Syntax::SecurityDescriptor => WRITE_DAC,
                    _ => WRITE_PROPERTY,
                };
                let on = (right == WRITE_PROPERTY).then_some(change.attribute);
                let target = Reader::target(object, &descriptor);
                !attribute.is_never_audited()
                    && audits(
                        schema,
                        deed.session.token(),
                        &target,
                        right,
                        on,
                        Outcome::Success,
                    )
            }
        };
        last = Some((change.attribute, wanted));
        if !wanted {
            continue;
        }
        if name.is_none() {
            name = Some(object_name(&transaction.reader(), object)?);
        }
        let Some(object) = name.clone() else { continue };
        let record = Record::Change(Change {
            origin: origin(transaction, deed),
            object,
            attribute: attribute.name.to_owned(),
            syntax: attribute.syntax.attribute_syntax(),
            operation: change.operation,
            value: change.value,
        });
        transaction.audit(record)?;
    }
    Ok(())
}

/// The record of a refused write, where the SACL asks for it.
pub(super) fn denied(
    transaction: &Transaction<'_>,
    session: &Session,
    object: &Object,
    denied: &Denied,
) -> Result<Option<Record>, Error> {
    let schema = transaction.schema;
    let reader = transaction.reader();
    let descriptor = reader.descriptor(object.descriptor_id())?;
    let target = Reader::target(object, &descriptor);
    if !audits(
        schema,
        session.token(),
        &target,
        denied.right,
        denied.attribute,
        Outcome::Failure,
    ) {
        return Ok(None);
    }
    let deed = Deed {
        session,
        operation_id: transaction.new_guid(),
        usn: 0,
    };
    let attribute = denied.attribute.map(|id| schema.attribute_by_id(id));
    Ok(Some(Record::DeniedWrite(DeniedWrite {
        origin: origin(transaction, deed),
        object: object_name(&reader, object)?,
        class_guid: schema.class_by_id(object.class()).guid,
        attribute: attribute.map(|attribute| attribute.name.to_owned()),
        attribute_guid: attribute.map(|attribute| attribute.guid),
        access_mask: denied.right,
    })))
}

fn origin(transaction: &Transaction<'_>, deed: Deed<'_>) -> Origin {
    let naming = &transaction.naming;
    Origin {
        format: events::ChangeFormat,
        record_id: 0,
        time: transaction.now,
        computer: naming.dns_host_name.clone(),
        domain: naming.dns_domain.clone(),
        operation_id: deed.operation_id,
        usn: deed.usn,
        subject: deed.session.subject().clone(),
        remote: deed.session.remote().map(str::to_owned),
    }
}

fn object_name(reader: &Reader<'_>, object: &Object) -> Result<ObjectName, Error> {
    Ok(ObjectName {
        guid: object.guid(),
        dn: reader.dn(object)?,
        class: reader.schema.class_by_id(object.class()).name.to_owned(),
        sid: object.sid().cloned(),
    })
}

/// A stored value, as a record tells it.
pub(super) fn told(
    reader: &Reader<'_>,
    attribute: &Attribute,
    stored: &[u8],
) -> Result<ChangedValue, Error> {
    let text = |bytes: &[u8]| ChangedValue::Text {
        text: String::from_utf8_lossy(bytes).into_owned(),
    };
    if attribute.syntax.is_reference() {
        let Some(reference) = Reference::decode(stored) else {
            return Ok(ChangedValue::Binary {
                data: stored.to_vec(),
            });
        };
        return told_reference(reader, attribute, &reference);
    }
    Ok(match attribute.syntax {
        Syntax::Sid => match types::Sid::from_bytes(stored) {
            Ok(sid) => ChangedValue::Text {
                text: sid.to_string(),
            },
            Err(_) => ChangedValue::Binary {
                data: stored.to_vec(),
            },
        },
        syntax if syntax.is_binary() => ChangedValue::Binary {
            data: stored.to_vec(),
        },
        _ => text(stored),
    })
}

/// A link value, as a record tells it.
pub(super) fn told_link(
    reader: &Reader<'_>,
    attribute: &Attribute,
    link: &Link,
) -> Result<ChangedValue, Error> {
    let reference = Reference::Object(link.target, link.payload.clone());
    told_reference(reader, attribute, &reference)
}

fn told_reference(
    reader: &Reader<'_>,
    attribute: &Attribute,
    reference: &Reference,
) -> Result<ChangedValue, Error> {
    if attribute.syntax == Syntax::DnBinary {
        let (name, payload) = match reference {
            Reference::Object(dnt, payload) => {
                (reader.shown_dn(*dnt, None)?.unwrap_or_default(), payload)
            }
            Reference::Elsewhere(name, payload) => (name.clone(), payload),
        };
        return Ok(ChangedValue::DnBinary {
            data: payload.clone(),
            dn: name,
        });
    }
    let text = reference
        .render(reader, attribute.syntax, None)?
        .unwrap_or_default();
    Ok(ChangedValue::Text { text })
}

/// At most `limit` records after `cursor`.
pub(crate) fn records_since(
    snapshot: &Snapshot,
    cursor: u64,
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    let mut failed = None;
    if limit == 0 {
        return Ok(records);
    }
    let start = keys::number(cursor.saturating_add(1));
    snapshot
        .view
        .scan(Table::Audit, &start, None, &mut |key, value| {
            match serde_json::from_slice(value) {
                Ok(record) => records.push(record),
                Err(_) => failed = keys::number_at(key, 0),
            }
            if failed.is_some() || records.len() >= limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
    match failed {
        Some(number) => Err(Error::damaged(format!("audit record {number}"))),
        None => Ok(records),
    }
}
