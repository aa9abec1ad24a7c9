//! Whether an object has a value (RFC 4511 4.10).

use ldap::Filter;

use crate::error::AttributeProblem;
use crate::model::Snapshot;
use crate::{Error, Name, Session};

pub(crate) fn compare(
    snapshot: &Snapshot,
    session: &Session,
    name: &Name,
    attribute: &str,
    filter: Filter,
) -> Result<bool, Error> {
    if session.is_anonymous() {
        return Err(Error::NotBound);
    }
    let known = snapshot
        .schema
        .attribute(attribute)
        .ok_or_else(|| Error::undefined(attribute))?;
    let object = snapshot.find(name, false)?;
    let visible = super::search::Visible::of(snapshot, session, &object)?;
    let Some(visible) = visible else {
        return Err(Error::no_object(name, types::Dn::ROOT));
    };
    let compiled = super::search::Test::compile(&snapshot.reader(), &filter)?;
    match compiled.holds(&snapshot.reader(), &object, visible.readable())? {
        Some(holds) => Ok(holds),
        // Not readable or not comparable: as if there were no value.
        None => Err(Error::attribute(known, AttributeProblem::NoSuchValue)),
    }
}
