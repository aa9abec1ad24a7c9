//! What a password is hashed for in advance: the account as the last commit shows it.

use super::{Salted, chosen_length_min, is_computer};
use crate::access::{self, ModifyDraft, PasswordWrite, WriteContext};
use crate::model::{Object, Reader, Snapshot};
use crate::operations::place::class_of;
use crate::store::{Table, View, keys};
use crate::{AddRequest, ModifyRequest, Name, Operation, Session};

/// The account as the last commit shows it.
pub(super) struct Forecast {
    pub(super) salt: Option<String>,
    pub(super) verifier: Option<Vec<u8>>,
    /// How long a password of this account must be for its keys to be the writer's choice.
    pub(super) chosen_length_min: usize,
}

/// The account whose password is written, where the caller may write it. What is not foreseen here is refused, or
/// hashed, by the write itself.
pub(super) fn forecast(
    operation: &Operation,
    session: &Session,
    snapshot: &Snapshot,
    kind: PasswordWrite,
) -> Option<Forecast> {
    if session.is_anonymous() {
        return None;
    }
    match operation {
        Operation::Add(request) => forecast_of_add(request, session, snapshot),
        Operation::Modify(request) => forecast_of_modify(request, session, snapshot, kind),
        Operation::Delete(_) | Operation::Rename(_) => None,
    }
}

fn forecast_of_add(
    request: &AddRequest,
    session: &Session,
    snapshot: &Snapshot,
) -> Option<Forecast> {
    let schema = snapshot.schema;
    let class = class_of(schema, session, request).ok()?;
    if !session.is_system() {
        let parent = Name::Dn(request.dn.parent()?);
        let parent = snapshot.find(&parent, false).ok()?;
        let descriptor = snapshot.descriptor(&parent).ok()?;
        let target = Reader::target(&parent, &descriptor);
        access::authorize_add_attempt(schema, session.token(), &target, class).ok()?;
    }
    let name = request
        .attributes
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("sAMAccountName"))
        .and_then(|(_, values)| std::str::from_utf8(values.first()?).ok());
    let salt = name.map(|account| {
        Salted {
            dns_domain: &request.dn.dns_domain(),
            account,
            is_computer: is_computer(schema, class),
        }
        .salt()
    });
    Some(Forecast {
        salt,
        verifier: None,
        chosen_length_min: chosen_length_min(name, false),
    })
}

fn forecast_of_modify(
    request: &ModifyRequest,
    session: &Session,
    snapshot: &Snapshot,
    kind: PasswordWrite,
) -> Option<Forecast> {
    let object = snapshot.find(&request.name, request.show_deleted).ok()?;
    if !session.is_system() && !may_write(&object, session, snapshot, kind)? {
        return None;
    }
    let known = snapshot.schema.known();
    let name = object.text(known.sam_account_name);
    let salt = name.map(|account| {
        Salted {
            dns_domain: &snapshot.naming.dns_domain,
            account,
            is_computer: is_computer(snapshot.schema, object.class()),
        }
        .salt()
    });
    let row = keys::dnt(object.dnt);
    Some(Forecast {
        salt,
        verifier: snapshot.view.get(Table::Secret, &row).ok()?,
        chosen_length_min: chosen_length_min(
            name,
            object.number(known.secondary_krbtgt_number).is_some(),
        ),
    })
}

fn may_write(
    object: &Object,
    session: &Session,
    snapshot: &Snapshot,
    kind: PasswordWrite,
) -> Option<bool> {
    let descriptor = snapshot.descriptor(object).ok()?;
    let draft = ModifyDraft {
        writes: Vec::new(),
        descriptor: None,
        password: Some(kind),
        context: WriteContext {
            caller_dn: None,
            sam_account_name: None,
            dns_host_name: None,
            dns_domain: String::new(),
            netbios_domain: String::new(),
        },
    };
    let target = Reader::target(object, &descriptor);
    let policy = snapshot.policy();
    let allowed =
        access::authorize_modify(snapshot.schema, session.token(), policy, &target, draft);
    Some(allowed.is_ok())
}
