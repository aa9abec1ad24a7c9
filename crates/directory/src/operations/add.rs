//! Adds an object (MS-ADTS 3.1.1.5.2).

use ldap::diagnostic::win32;
use types::{Guid, Rdn, Sid};

use super::audit::{self, Deed, ValueChange};
use super::place::{check_place, class_of, is_head, parent_of};
use super::{Guarded, NewPassword, Refused, account, promotion, values};
use crate::access::{
    self, AddDraft, AttributeWrite, Authorized, WriteContext, authorize_add, new_descriptor,
};
use crate::error::AttributeProblem;
use crate::model::{
    Descriptor, Dnt, Header, Link, Object, ObjectBuilder, Reader, Reference, Transaction,
};
use crate::schema::{Attribute, AttributeId, ClassId, Schema};
use crate::{AddRequest, Applied, Error, Session};

/// Sorts the values of a request by what becomes of them.
#[derive(Default)]
struct Given {
    plain: Vec<(AttributeId, Vec<Vec<u8>>)>,
    links: Vec<Link>,
    guid: Option<Guid>,
    sid: Option<Sid>,
    descriptor: Option<Descriptor>,
    writes: Vec<AttributeWrite>,
}

pub(super) fn add(
    transaction: &mut Transaction<'_>,
    session: &Session,
    request: &AddRequest,
    password: Option<&NewPassword>,
) -> Result<Applied, Refused> {
    let schema = transaction.schema;
    let class = class_of(schema, session, request)?;
    let is_head = is_head(session, request);
    let parent = parent_of(transaction, session, request, is_head)?;
    authorize_attempt(transaction, session, class, parent.as_ref())?;
    let rdn = check_place(
        transaction,
        session,
        request,
        class,
        parent.as_ref(),
        is_head,
    )?;
    let dnt = transaction.next_dnt();
    let given = sort_values(transaction, session, request, class, dnt)?;
    let kind = account::kind(schema, class);
    let sid = match (&given.sid, kind) {
        (Some(sid), _) => Some(sid.clone()),
        (None, Some(account::Kind::Other) | None) => None,
        (None, Some(_)) => transaction.next_sid()?,
    };
    let header = header(
        transaction,
        class,
        parent.as_ref(),
        is_head,
        dnt,
        &rdn,
        request,
        &given,
        sid,
    );
    let mut builder = ObjectBuilder::new(dnt, header);
    for (attribute, values) in &given.plain {
        builder.set(*attribute, values.clone());
    }
    if request.makes_read_only_krbtgt {
        promotion::check(transaction, session, kind, parent.as_ref(), password)?;
        promotion::number(transaction, &mut builder)?;
    }
    complete(transaction, session, class, kind, &mut builder, is_head)?;
    check_required(schema, class, &builder, &given)?;

    let (proof, descriptor) = authorize(
        transaction,
        session,
        class,
        parent.as_ref(),
        &given,
        password,
        &builder,
    )?;
    builder.header.descriptor = transaction.intern(&descriptor)?;
    let usn = transaction.next_usn();
    (builder.header.usn_created, builder.header.usn_changed) = (usn, usn);
    builder.header.has_links = !given.links.is_empty();
    if let Some(password) = password {
        password.keep(transaction, &mut builder)?;
    }
    let object = transaction.insert(proof, builder)?;
    for link in &given.links {
        transaction.link(link, usn)?;
    }
    if transaction.is_named_in_naming(&object) {
        transaction.renew_naming()?;
    }
    let operation_id = transaction.new_guid();
    let changes = told(transaction, &given)?;
    audit::changes(
        transaction,
        Deed {
            session,
            operation_id,
            usn,
        },
        &object,
        changes,
    )?;
    Ok(Applied {
        guid: object.guid(),
        usn,
        operation_id,
    })
}

/// Before names and values are looked at, so that no answer tells them to whoever may not create anything there.
fn authorize_attempt(
    transaction: &Transaction<'_>,
    session: &Session,
    class: ClassId,
    parent: Option<&Object>,
) -> Result<(), Refused> {
    let Some(parent) = parent else {
        return Ok(());
    };
    let descriptor = transaction.reader().descriptor(parent.descriptor_id())?;
    let target = Reader::target(parent, &descriptor);
    access::authorize_add_attempt(transaction.schema, session.token(), &target, class)
        .map_err(|denied| Refused::denied(transaction, session, parent, denied))
}

fn sort_values(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &AddRequest,
    class: ClassId,
    dnt: Dnt,
) -> Result<Given, Error> {
    let schema = transaction.schema;
    let known = schema.known();
    let reader = transaction.reader();
    let mut given = Given::default();
    for (name, written) in &request.attributes {
        let attribute = schema
            .attribute(name)
            .ok_or_else(|| Error::undefined(name))?;
        let id = attribute.id;
        if id == known.object_class || id == known.distinguished_name || id == known.name {
            continue;
        }
        // The naming attribute follows from the name; a client may repeat it.
        if id == schema.class_by_id(class).rdn_attribute {
            continue;
        }
        if written.is_empty() {
            return Err(Error::attribute(attribute, AttributeProblem::Constraint));
        }
        if session.is_system() && take_identity(&mut given, known, id, written) {
            continue;
        }
        if id == known.security_descriptor {
            let bytes = written.first().map(Vec::as_slice).unwrap_or_default();
            let invalid = |_| Error::attribute(attribute, AttributeProblem::InvalidSyntax);
            given.descriptor = Some(Descriptor::parse(bytes).map_err(invalid)?);
            continue;
        }
        let attribute = values::writable(schema, session, name)?;
        if !schema.allows(class, id) {
            return Err(Error::attribute(attribute, AttributeProblem::NotForClass));
        }
        if attribute.single_valued && written.len() > 1 {
            return Err(Error::attribute(attribute, AttributeProblem::SingleValued));
        }
        given.writes.push(AttributeWrite {
            attribute: id,
            existing: 0,
            added: written.clone(),
            removed: Vec::new(),
            replaced: false,
        });
        if attribute.is_forward_link() {
            add_links(&reader, attribute, written, dnt, &mut given.links)?;
        } else {
            let stored = values::stored(&reader, session, attribute, written)?;
            check_distinct(attribute, &stored)?;
            given.plain.push((id, stored));
        }
    }
    Ok(given)
}

/// What the directory itself may give: who the object is.
fn take_identity(
    given: &mut Given,
    known: &crate::schema::Known,
    id: AttributeId,
    written: &[Vec<u8>],
) -> bool {
    let value = written.first().map(Vec::as_slice).unwrap_or_default();
    if id == known.object_guid {
        given.guid = value.try_into().ok().map(Guid::from_bytes_le);
    } else if id == known.object_sid {
        given.sid = Sid::from_bytes(value).ok().or_else(|| {
            std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok())
        });
    } else {
        return false;
    }
    true
}

fn add_links(
    reader: &Reader<'_>,
    attribute: &Attribute,
    written: &[Vec<u8>],
    source: Dnt,
    links: &mut Vec<Link>,
) -> Result<(), Error> {
    for value in written {
        let (target, payload) = values::link_target(reader, attribute, value)?
            .ok_or_else(|| Error::attribute(attribute, AttributeProblem::UnknownReference))?;
        let link = Link {
            source,
            attribute: attribute.id,
            target,
            payload,
        };
        if links.contains(&link) {
            return Err(Error::attribute(attribute, AttributeProblem::ValueExists));
        }
        links.push(link);
    }
    Ok(())
}

/// No value twice.
pub(super) fn check_distinct(attribute: &Attribute, stored: &[Vec<u8>]) -> Result<(), Error> {
    let mut seen = std::collections::HashSet::with_capacity(stored.len());
    let is_distinct = stored.len() < 2
        || stored
            .iter()
            .all(|value| seen.insert(crate::model::value_key(attribute, value)));
    if is_distinct {
        Ok(())
    } else {
        Err(Error::attribute(attribute, AttributeProblem::ValueExists))
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a new record, each from another step"
)]
fn header(
    transaction: &Transaction<'_>,
    class: ClassId,
    parent: Option<&Object>,
    is_head: bool,
    dnt: Dnt,
    rdn: &Rdn,
    request: &AddRequest,
    given: &Given,
    sid: Option<Sid>,
) -> Header {
    // The head of a domain has no parent here, so that its record holds its whole name.
    let name = if parent.is_none() {
        request.dn.to_string()
    } else {
        rdn.value().to_owned()
    };
    Header {
        guid: given.guid.unwrap_or_else(|| transaction.new_guid()),
        class,
        descriptor: crate::model::DescriptorId(0),
        parent: parent.map_or(Dnt::NONE, |parent| parent.dnt),
        naming_context: match parent {
            Some(parent) if !is_head => parent.header.naming_context,
            _ => dnt,
        },
        is_deleted: false,
        is_head,
        has_links: false,
        usn_created: 0,
        usn_changed: 0,
        when_created: transaction.now,
        when_changed: transaction.now,
        sid,
        rdn_attribute: transaction.schema.class_by_id(class).rdn_attribute,
        rdn: name,
    }
}

fn complete(
    transaction: &Transaction<'_>,
    session: &Session,
    class: ClassId,
    kind: Option<account::Kind>,
    builder: &mut ObjectBuilder,
    is_head: bool,
) -> Result<(), Error> {
    let schema = transaction.schema;
    let known = schema.known();
    if !builder.has(known.object_category) {
        let cn = &schema.class_by_id(class).default_category_cn;
        if let Some(category) = schema.class_by_cn(cn) {
            let reference = Reference::Object(Dnt::of_class(category.id), Vec::new());
            builder.set(known.object_category, vec![reference.encode()]);
        }
    }
    if !builder.has(known.instance_type) {
        builder.set_text(known.instance_type, if is_head { 5 } else { 4 });
    }
    if let Some(kind) = kind {
        account::complete(transaction, kind, builder);
        account::check_unique(transaction, builder)?;
    }
    if session.is_system()
        || builder
            .values(known.pwd_last_set)
            .first()
            .is_none_or(|v| v != b"-1")
    {
        return Ok(());
    }
    builder.set_text(known.pwd_last_set, transaction.now.ticks());
    Ok(())
}

/// Attributes that the class demands, apart from those that every object gets.
fn check_required(
    schema: &Schema,
    class: ClassId,
    builder: &ObjectBuilder,
    given: &Given,
) -> Result<(), Error> {
    let known = schema.known();
    let always = [
        known.object_class,
        known.security_descriptor,
        known.object_category,
        known.instance_type,
        known.object_sid,
        builder.header.rdn_attribute,
    ];
    for id in schema.attributes_required(class) {
        let is_there = always.contains(id)
            || builder.has(*id)
            || given.links.iter().any(|link| link.attribute == *id);
        // The head of the schema and of the configuration have no cn beside their name; nor need they.
        if !is_there && *id != known.cn {
            let why = format!("{} is missing", schema.attribute_by_id(*id).name);
            return Err(Error::ObjectClass {
                why,
                win32: win32::ERROR_DS_OBJ_CLASS_VIOLATION,
            });
        }
    }
    Ok(())
}

/// The access check; gives the descriptor that the object will have.
fn authorize(
    transaction: &Transaction<'_>,
    session: &Session,
    class: ClassId,
    parent: Option<&Object>,
    given: &Given,
    password: Option<&NewPassword>,
    builder: &ObjectBuilder,
) -> Result<(Authorized<AddDraft>, Descriptor), Refused> {
    let schema = transaction.schema;
    let reader = transaction.reader();
    let parent = parent
        .map(|parent| Guarded::of(&reader, parent))
        .transpose()?;
    let target = parent.as_ref().map(Guarded::target);
    let domain = transaction
        .naming
        .domain_sid
        .as_ref()
        .or(builder.header.sid.as_ref());
    let made = new_descriptor(
        schema,
        session.token(),
        domain,
        target.as_ref(),
        class,
        given.descriptor.as_ref(),
    )
    .map_err(|error| Error::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM, error.to_string()))?;
    let text = |id| {
        let value = builder.values(id).first()?;
        String::from_utf8(value.clone()).ok()
    };
    let host = schema
        .attribute("dNSHostName")
        .map(|attribute| attribute.id);
    let draft = AddDraft {
        class,
        sid: builder.header.sid.clone(),
        writes: given.writes.clone(),
        gives_descriptor: given.descriptor.is_some(),
        sets_password: password.is_some(),
        context: WriteContext {
            caller_dn: None,
            sam_account_name: text(schema.known().sam_account_name),
            dns_host_name: host.and_then(text),
            dns_domain: transaction.naming.dns_domain.clone(),
            netbios_domain: transaction.naming.netbios_domain.clone(),
        },
    };
    let policy = crate::model::policy(&reader);
    match authorize_add(
        schema,
        session.token(),
        policy,
        target.as_ref(),
        &made,
        draft,
    ) {
        Ok(proof) => Ok((proof, made)),
        Err(denied) => match parent {
            Some(parent) => Err(Refused::denied(transaction, session, parent.object, denied)),
            None => Err(Error::from(denied).into()),
        },
    }
}

/// The values of the new object, as records tell them.
fn told(transaction: &Transaction<'_>, given: &Given) -> Result<Vec<ValueChange>, Error> {
    let reader = transaction.reader();
    let operation = events::Operation::ValueAdded;
    let mut changes = Vec::new();
    for (id, values) in &given.plain {
        let attribute = transaction.schema.attribute_by_id(*id);
        for value in values {
            let value = audit::told(&reader, attribute, value)?;
            changes.push(ValueChange {
                attribute: *id,
                operation,
                value,
            });
        }
    }
    for link in &given.links {
        let attribute = transaction.schema.attribute_by_id(link.attribute);
        let value = audit::told_link(&reader, attribute, link)?;
        changes.push(ValueChange {
            attribute: link.attribute,
            operation,
            value,
        });
    }
    Ok(changes)
}
