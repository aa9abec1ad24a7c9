//! What a request does: each operation decides on a consistent view and leaves its changes in the transaction.

mod account;
mod add;
pub(crate) mod audit;
mod bind;
mod compare;
mod delete;
mod descriptor;
mod modify;
mod password;
mod place;
mod principal;
mod promotion;
mod rename;
mod search;
mod values;

use std::sync::Arc;

use events::Record;

pub(crate) use bind::{session_by_ticket, session_of, simple_bind};
pub(crate) use compare::compare;
pub(crate) use password::{NewPassword, PasswordPolicy, Random};
pub use principal::{
    KeyHolder, KeyHolders, Principal, PrincipalName, Principals, ReadOnlyController,
};
pub(crate) use search::search;

use crate::access::{Denied, Readable, Target};
use crate::model::{Descriptor, Object, Reader, Snapshot, Transaction};
use crate::{Applied, Entry, Error, Operation, Session};

/// Takes found objects; a break ends the search.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(Entry<'_>) -> std::ops::ControlFlow<()>;

/// An operation with the slow part, the hashing of a password, behind it.
#[derive(Debug)]
pub(crate) struct Prepared {
    operation: Operation,
    password: Option<NewPassword>,
}

impl Prepared {
    pub(crate) fn new(
        mut operation: Operation,
        session: &Session,
        snapshot: &Snapshot,
        policy: &PasswordPolicy,
        random: &Random,
    ) -> Result<Self, Error> {
        let password = NewPassword::take(&mut operation, session, snapshot, policy, random)?;
        Ok(Self {
            operation,
            password,
        })
    }
}

/// Whether a password has to be hashed.
pub(crate) fn writes_password(operation: &Operation) -> bool {
    match operation {
        Operation::Add(add) => add
            .attributes
            .iter()
            .any(|(name, _)| password::is_password(name)),
        Operation::Modify(modify) => modify
            .modifications
            .iter()
            .any(|m| password::is_password(&m.attribute)),
        Operation::Delete(_) | Operation::Rename(_) => false,
    }
}

/// A refused operation, and what the audit log should say of the attempt.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: Error,
    pub(crate) audit: Vec<Record>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            error,
            audit: Vec::new(),
        }
    }
}

impl Refused {
    /// The access check said no to `object`.
    pub(crate) fn denied(
        transaction: &Transaction<'_>,
        session: &Session,
        object: &Object,
        denied: Denied,
    ) -> Self {
        let audit = audit::denied(transaction, session, object, &denied);
        match audit {
            Ok(record) => Self {
                error: denied.into(),
                audit: record.into_iter().collect(),
            },
            Err(error) => error.into(),
        }
    }
}

/// Carries out operations one after the other; an error names the first that failed.
pub(crate) fn run(
    transaction: &mut Transaction<'_>,
    session: &Session,
    operations: &[Prepared],
) -> Result<Vec<Applied>, (usize, Refused)> {
    let mut applied = Vec::with_capacity(operations.len());
    for (index, prepared) in operations.iter().enumerate() {
        if session.is_anonymous() {
            return Err((index, Error::NotBound.into()));
        }
        let password = prepared.password.as_ref();
        let done = match &prepared.operation {
            Operation::Add(request) => add::add(transaction, session, request, password),
            Operation::Modify(request) => modify::modify(transaction, session, request, password),
            Operation::Delete(request) => delete::delete(transaction, session, request),
            Operation::Rename(request) => rename::rename(transaction, session, request),
        };
        applied.push(done.map_err(|refused| (index, refused))?);
    }
    Ok(applied)
}

/// The object that a write names, if the caller may know of it.
fn visible(
    transaction: &Transaction<'_>,
    session: &Session,
    name: &crate::Name,
    show_deleted: bool,
) -> Result<Object, Error> {
    let reader = transaction.reader();
    let object = reader.find(name, show_deleted)?;
    if session.is_system() || object.dnt.is_virtual() || is_visible(&reader, session, &object)? {
        return Ok(object);
    }
    Err(Error::no_object(name, types::Dn::ROOT))
}

/// An object beside its descriptor: what the access check is asked about.
struct Guarded<'o> {
    object: &'o Object,
    descriptor: Arc<Descriptor>,
}

impl<'o> Guarded<'o> {
    fn of(reader: &Reader<'_>, object: &'o Object) -> Result<Self, Error> {
        let descriptor = reader.descriptor(object.descriptor_id())?;
        Ok(Self { object, descriptor })
    }

    fn target(&self) -> Target<'_> {
        Reader::target(self.object, &self.descriptor)
    }

    fn readable(&self, reader: &Reader<'_>, session: &Session) -> Arc<Readable> {
        readable(reader, session, self.object, &self.descriptor)
    }
}

/// The parent that has a say about an object. That of a naming context's head is of another naming context.
fn parent_in_context(reader: &Reader<'_>, object: &Object) -> Result<Option<Object>, Error> {
    if object.is_naming_context_head() {
        return Ok(None);
    }
    reader.object(object.parent())
}

/// Whether the caller may know of an object (MS-ADTS 5.1.3.3.6).
fn is_visible(reader: &Reader<'_>, session: &Session, object: &Object) -> Result<bool, Error> {
    let own = Guarded::of(reader, object)?.readable(reader, session);
    let parent = parent_in_context(reader, object)?;
    let parent = parent
        .as_ref()
        .map(|parent| Ok::<_, Error>(Guarded::of(reader, parent)?.readable(reader, session)))
        .transpose()?;
    let policy = crate::model::policy(reader);
    Ok(crate::access::may_see(policy, parent.as_deref(), &own))
}

/// What the caller may read of an object.
fn readable(
    reader: &Reader<'_>,
    session: &Session,
    object: &Object,
    descriptor: &Descriptor,
) -> Arc<Readable> {
    let is_self = descriptor.compiled().depends_on_self()
        && object
            .sid()
            .is_some_and(|sid| session.token().contains(sid));
    let make = || {
        let target = Reader::target(object, descriptor);
        Readable::new(reader.schema, session.token(), &target)
    };
    if !reader.is_committed {
        // A number given out in this transaction may be given again when it fails.
        return Arc::new(make());
    }
    session.readable((object.descriptor_id(), object.class(), is_self), make)
}
