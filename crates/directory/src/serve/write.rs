//! Add, modify, delete and modify DN: from messages to the directory's operations.

use ldap::diagnostic::{Dsid, win32};
use ldap::{Control, LdapResult, Message, ModifyOperation, Operation as Request, ResultCode};
use types::{Dn, Sid};

use super::controls::Asked;
use super::conversation::{Conversation, Step};
use super::reply;
use super::work::Work;
use crate::{
    AddRequest, DeleteRequest, Error, Modification, ModificationKind, ModifyRequest, Name,
    Operation, RenameRequest,
};

/// Which response belongs to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    Modify,
    Delete,
    ModifyDn,
}

/// What a write asks for.
enum Asks {
    /// A change to an object.
    Change(Operation),
    /// A modify of the rootDSE that the server itself carries out.
    ProtectAdminGroups,
    /// One that is done already.
    Nothing,
}

/// Answers a write, or makes work of it.
pub(super) fn take(
    conversation: &Conversation,
    id: u32,
    request: Request,
    controls: &[Control],
    out: &mut Vec<u8>,
) -> Step {
    let kind = match &request {
        Request::AddRequest(_) => Kind::Add,
        Request::DelRequest(_) => Kind::Delete,
        Request::ModifyDnRequest(_) => Kind::ModifyDn,
        _ => Kind::Modify,
    };
    let asks = Asked::read(controls)
        .and_then(|asked| conversation.signed_in().map(|()| asked))
        .and_then(|asked| understand(conversation, request, &asked));
    match asks {
        Ok(Asks::Change(operation)) => Step::Work(Work::Write {
            id,
            kind,
            operation,
        }),
        Ok(Asks::ProtectAdminGroups) => Step::Work(Work::ProtectAdminGroups { id }),
        Ok(Asks::Nothing) => {
            out.extend(self::reply(id, kind, LdapResult::success()));
            Step::Done
        }
        Err(result) => {
            out.extend(self::reply(id, kind, result));
            Step::Done
        }
    }
}

/// The response that belongs to the request.
pub(super) fn reply(id: u32, kind: Kind, result: LdapResult) -> Vec<u8> {
    let response = match kind {
        Kind::Add => Request::AddResponse(result),
        Kind::Modify => Request::ModifyResponse(result),
        Kind::Delete => Request::DelResponse(result),
        Kind::ModifyDn => Request::ModifyDnResponse(result),
    };
    Message::new(id, response).encode()
}

fn understand(
    conversation: &Conversation,
    request: Request,
    asked: &Asked,
) -> Result<Asks, LdapResult> {
    Ok(match request {
        Request::AddRequest(add) => Asks::Change(Operation::Add(AddRequest {
            dn: dn(&add.dn)?,
            attributes: add
                .attributes
                .into_iter()
                .map(|item| (item.name, item.values))
                .collect(),
            descriptor_flags: asked.descriptor_flags,
            makes_read_only_krbtgt: asked.rodc_promotion,
        })),
        Request::ModifyRequest(modify) if modify.dn.is_empty() => {
            root_dse_modify(conversation, &modify)?
        }
        Request::ModifyRequest(modify) => Asks::Change(Operation::Modify(ModifyRequest {
            name: name(&modify.dn)?,
            modifications: modify
                .changes
                .into_iter()
                .map(modification)
                .collect::<Result<_, _>>()?,
            permissive: asked.permissive,
            descriptor_flags: asked.descriptor_flags,
            show_deleted: asked.show_deleted,
        })),
        Request::DelRequest(target) => Asks::Change(Operation::Delete(DeleteRequest {
            name: name(&target)?,
            tree: asked.tree_delete,
        })),
        Request::ModifyDnRequest(rename) => {
            let new_parent = match rename.new_superior.as_deref().filter(|dn| !dn.is_empty()) {
                Some(parent) => Some(name(parent)?),
                None => None,
            };
            let new_name = dn(&rename.new_rdn)?;
            let [new_rdn] = new_name.rdns() else {
                return Err(reply::refusal(&Error::BadName {
                    name: rename.new_rdn,
                }));
            };
            Asks::Change(Operation::Rename(RenameRequest {
                name: name(&rename.dn)?,
                new_rdn: new_rdn.clone(),
                delete_old_rdn: rename.delete_old_rdn,
                new_parent,
            }))
        }
        _ => Asks::Nothing,
    })
}

fn modification(change: ldap::Modification) -> Result<Modification, LdapResult> {
    let kind = match change.operation {
        ModifyOperation::ADD => ModificationKind::Add,
        ModifyOperation::DELETE => ModificationKind::Delete,
        ModifyOperation::REPLACE => ModificationKind::Replace,
        ModifyOperation::INCREMENT => ModificationKind::Increment,
        _ => {
            return Err(reply::head_refusal(
                ResultCode::PROTOCOL_ERROR,
                win32::ERROR_INVALID_PARAMETER,
                Dsid::DECODE,
                "Unknown modification",
            ));
        }
    };
    Ok(Modification {
        kind,
        attribute: change.attribute.name,
        values: change.attribute.values,
    })
}

/// Operational attributes of the rootDSE (MS-ADTS 3.1.1.3.3).
fn root_dse_modify(
    conversation: &Conversation,
    modify: &ldap::ModifyRequest,
) -> Result<Asks, LdapResult> {
    let [change] = modify.changes.as_slice() else {
        return Err(reply::refusal(&Error::Unwilling {
            why: "the rootDSE takes one attribute at a time".to_owned(),
            win32: win32::ERROR_DS_UNWILLING_TO_PERFORM,
        }));
    };
    let name = change.attribute.name.as_str();
    if name.eq_ignore_ascii_case("schemaUpdateNow") {
        // The schema in memory is the schema.
        return Ok(Asks::Nothing);
    }
    let starts_sd_propagation = ["runProtectAdminGroupsTask", "fixupInheritance"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known));
    if !starts_sd_propagation {
        return Err(reply::refusal(&Error::Unwilling {
            why: format!("the rootDSE has no operation {name}"),
            win32: win32::ERROR_DS_UNWILLING_TO_PERFORM,
        }));
    }
    // AD asks for a control access right on the domain head that only Administrators hold by default.
    let token = conversation.session.token();
    if !token.contains(&Sid::builtin(ADMINISTRATORS)) && !conversation.session.is_system() {
        return Err(
            LdapResult::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS).with_message(
                ldap::diagnostic::access_denied(win32::ERROR_DS_INSUFF_ACCESS_RIGHTS),
            ),
        );
    }
    Ok(if name.eq_ignore_ascii_case("fixupInheritance") {
        // Inherited entries are kept up to date with each write.
        Asks::Nothing
    } else {
        Asks::ProtectAdminGroups
    })
}

fn name(text: &str) -> Result<Name, LdapResult> {
    text.parse().map_err(|error| reply::refusal(&error))
}

fn dn(text: &str) -> Result<Dn, LdapResult> {
    text.parse().map_err(|_| {
        let name = text.chars().take(200).collect();
        reply::refusal(&Error::BadName { name })
    })
}

/// RID of BUILTIN\Administrators.
const ADMINISTRATORS: u32 = 544;
