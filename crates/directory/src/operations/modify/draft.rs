//! What a modify asks of the access check: every attribute that is written, with the values that come and go.

use types::Dn;

use super::work::{Changed, difference};
use crate::access::{AttributeWrite, Authorized, ModifyDraft, WriteContext, authorize_modify};
use crate::model::{Dnt, Link, Object, Reader, Reference, Transaction, shown};
use crate::operations::{NewPassword, Refused};
use crate::schema::{Attribute, AttributeId};
use crate::{Error, ModifyRequest, Session};

pub(super) fn authorize(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &ModifyRequest,
    object: &Object,
    changed: &Changed,
    password: Option<&NewPassword>,
) -> Result<Authorized<ModifyDraft>, Refused> {
    let reader = transaction.reader();
    let descriptor = reader.descriptor(object.descriptor_id())?;
    let target = Reader::target(object, &descriptor);
    let draft = draft(transaction, session, request, object, changed, password)?;
    let policy = crate::model::policy(&reader);
    authorize_modify(transaction.schema, session.token(), policy, &target, draft)
        .map_err(|denied| Refused::denied(transaction, session, object, denied))
}

fn draft(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &ModifyRequest,
    object: &Object,
    changed: &Changed,
    password: Option<&NewPassword>,
) -> Result<ModifyDraft, Error> {
    let schema = transaction.schema;
    let reader = transaction.reader();
    let mut writes = Vec::new();
    for (id, work) in &changed.plain {
        let attribute = schema.attribute_by_id(*id);
        let (added, removed) = difference(work);
        let shown = |values: Vec<&Vec<u8>>| -> Result<Vec<Vec<u8>>, Error> {
            values
                .into_iter()
                .map(|value| ldap_form(&reader, attribute, value))
                .collect()
        };
        writes.push(AttributeWrite {
            attribute: *id,
            existing: work.before.len(),
            added: shown(added)?,
            removed: shown(removed)?,
            replaced: work.replaced,
        });
    }
    for change in &changed.links {
        let attribute = schema.attribute_by_id(change.attribute);
        let form = |links: &[Link]| -> Result<Vec<Vec<u8>>, Error> {
            links
                .iter()
                .map(|link| {
                    let name = reader.shown_dn(link.target, None)?.unwrap_or_default();
                    Ok(shown(attribute.syntax, &link.payload, &name).into_bytes())
                })
                .collect()
        };
        writes.push(AttributeWrite {
            attribute: change.attribute,
            existing: count_links(&reader, object.dnt, change.attribute)?,
            added: form(&change.added)?,
            removed: form(&change.removed)?,
            replaced: change.replaced,
        });
    }
    let flags = request.descriptor_flags.unwrap_or(0xF);
    Ok(ModifyDraft {
        writes,
        descriptor: changed
            .descriptor
            .clone()
            .map(|descriptor| (flags, descriptor)),
        password: password.map(|password| password.kind),
        context: context(transaction, session, object, changed)?,
    })
}

/// How many values there are; for large groups "many" is enough.
fn count_links(reader: &Reader<'_>, source: Dnt, attribute: AttributeId) -> Result<usize, Error> {
    const MANY: usize = 16;
    let mut count = 0_usize;
    reader.link_rows(source, Some(attribute), &mut |_, row| {
        count = count.saturating_add(usize::from(row.is_present));
        if count >= MANY {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    })?;
    Ok(count)
}

fn context(
    transaction: &Transaction<'_>,
    session: &Session,
    object: &Object,
    changed: &Changed,
) -> Result<WriteContext, Error> {
    let schema = transaction.schema;
    let reader = transaction.reader();
    let host = schema
        .attribute("dNSHostName")
        .map(|attribute| attribute.id);
    let new_host = host.and_then(|id| {
        let (_, work) = changed.plain.iter().find(|(changed, _)| *changed == id)?;
        String::from_utf8(work.after.first()?.clone()).ok()
    });
    let old_host = || host.and_then(|id| object.text(id)).map(str::to_owned);
    let caller = session
        .account_guid()
        .map(|guid| reader.by_guid(guid))
        .transpose()?
        .flatten();
    let caller_dn = caller.map(|caller| reader.dn(&caller)).transpose()?;
    Ok(WriteContext {
        caller_dn: caller_dn.and_then(|dn| dn.parse::<Dn>().ok()),
        sam_account_name: object
            .text(schema.known().sam_account_name)
            .map(str::to_owned),
        dns_host_name: new_host.or_else(old_host),
        dns_domain: transaction.naming.dns_domain.clone(),
        netbios_domain: transaction.naming.netbios_domain.clone(),
    })
}

fn ldap_form(reader: &Reader<'_>, attribute: &Attribute, stored: &[u8]) -> Result<Vec<u8>, Error> {
    if !attribute.syntax.is_reference() {
        return Ok(stored.to_vec());
    }
    let reference = Reference::decode(stored);
    let text = reference
        .map(|r| r.render(reader, attribute.syntax, None))
        .transpose()?
        .flatten();
    Ok(text.unwrap_or_default().into_bytes())
}
