//! Finds the account behind a name, checks its password, and gathers its groups (MS-ADTS 5.1.1.1.1).

use ldap::diagnostic::LogonError;
use types::{Guid, Sid};

use super::{account, password};
use crate::model::{Dnt, Object, Reader, Snapshot};
use crate::schema::AttributeId;
use crate::store::{Table, View, keys};
use crate::{Directory, Error, Name, Session, SignIns};

/// Longest accepted name.
const NAME_LENGTH_MAX: usize = 1024;

/// Checks a name and password. Whatever is wrong, hashing takes its time, so that answers do not tell names.
pub(crate) fn simple_bind(
    directory: &Directory,
    name: &str,
    given: &[u8],
    sign_ins: Option<&dyn SignIns>,
) -> Result<Session, Error> {
    let snapshot = directory.snapshot();
    let now = directory.now();
    let refused = |data| Error::Credentials(data);
    let account = find_account(&snapshot, name)?;
    let stored = match &account {
        Some(account) => snapshot.view.get(Table::Secret, &keys::dnt(account.dnt))?,
        None => None,
    };
    // A verifier of nothing takes as long as a real one.
    let decoy = || {
        password::verifier(
            b"",
            &[0; password::SALT_LENGTH],
            directory.password_rounds(),
        )
    };
    let is_right = match &stored {
        Some(stored) => password::verify(stored, given),
        None => {
            let _time_spent = decoy();
            false
        }
    };
    let Some(account) = account else {
        return Err(refused(LogonError::NO_SUCH_USER));
    };
    // A locked account is refused whatever the password is: the answer must not tell whether it was right.
    let counted = sign_ins.zip(account.sid());
    if counted.is_some_and(|(sign_ins, sid)| sign_ins.is_locked(sid, now)) {
        return Err(refused(LogonError::ACCOUNT_LOCKED_OUT));
    }
    if !is_right {
        if let Some((sign_ins, sid)) = counted {
            sign_ins.failed(sid, now);
        }
        return Err(refused(LogonError::LOGON_FAILURE));
    }
    check_account(&snapshot, directory, &account)?;
    if let Some((sign_ins, sid)) = counted {
        sign_ins.succeeded(sid);
    }
    session(directory, &snapshot, &account)
}

/// A session of the account with this SID.
pub(crate) fn session_of(directory: &Directory, sid: &Sid) -> Result<Session, Error> {
    let snapshot = directory.snapshot();
    let name = Name::Sid(sid.clone());
    let account = snapshot.find(&name, false)?;
    session(directory, &snapshot, &account)
}

/// A session of the account that a Kerberos ticket proves. What a password must do is the KDC's business.
pub(crate) fn session_by_ticket(directory: &Directory, sid: &Sid) -> Result<Session, Error> {
    let snapshot = directory.snapshot();
    let account = match snapshot.find(&Name::Sid(sid.clone()), false) {
        Err(Error::NoSuchObject { .. }) => {
            return Err(Error::Credentials(LogonError::NO_SUCH_USER));
        }
        found => found?,
    };
    if account::kind(snapshot.schema, account.class()).is_none() {
        return Err(Error::Credentials(LogonError::NO_SUCH_USER));
    }
    check_standing(&snapshot, directory, &account)?;
    session(directory, &snapshot, &account)
}

/// Rules that are told only to those who know the password.
fn check_account(
    snapshot: &Snapshot,
    directory: &Directory,
    account: &Object,
) -> Result<(), Error> {
    check_standing(snapshot, directory, account)?;
    let known = snapshot.schema.known();
    let control = account.number(known.user_account_control).unwrap_or(0);
    let must_change = account.number(known.pwd_last_set) == Some(0);
    if must_change && control & account::PASSWORD_DOES_NOT_EXPIRE == 0 {
        return Err(Error::Credentials(LogonError::PASSWORD_MUST_CHANGE));
    }
    Ok(())
}

/// Whether the account may sign in at all.
fn check_standing(
    snapshot: &Snapshot,
    directory: &Directory,
    account: &Object,
) -> Result<(), Error> {
    let known = snapshot.schema.known();
    let number = |id: AttributeId| account.number(id);
    let control = number(known.user_account_control).unwrap_or(0);
    if control & account::DISABLED != 0 {
        return Err(Error::Credentials(LogonError::ACCOUNT_DISABLED));
    }
    let expires =
        number(known.account_expires).filter(|ticks| !matches!(*ticks, 0 | account::NEVER));
    if expires.is_some_and(|ticks| ticks <= directory.now().ticks()) {
        return Err(Error::Credentials(LogonError::ACCOUNT_EXPIRED));
    }
    Ok(())
}

/// The forms of a name, in the order of the specification. A form that leads to two accounts leads to none.
fn find_account(snapshot: &Snapshot, name: &str) -> Result<Option<Object>, Error> {
    let known = snapshot.schema.known();
    if name.is_empty() || name.len() > NAME_LENGTH_MAX {
        return Ok(None);
    }
    let by_name = |text: &str| -> Result<Option<Object>, Error> {
        match text.parse::<Name>().map(|name| snapshot.find(&name, false)) {
            Ok(Ok(object)) => Ok(Some(object)),
            Ok(Err(Error::NoSuchObject { .. })) | Err(_) => Ok(None),
            Ok(Err(error)) => Err(error),
        }
    };
    let by_value = |id: AttributeId, value: &str| single(snapshot, id, value);
    if name.contains('=')
        && let Some(found) = by_name(name)?
    {
        return Ok(Some(found));
    }
    if let Some(found) = by_value(known.user_principal_name, name)? {
        return Ok(Some(found));
    }
    // The generated principal name, `account@domain`.
    if let Some((account, domain)) = name.rsplit_once('@')
        && is_our_domain(snapshot, domain)
        && let Some(found) = by_value(known.sam_account_name, account)?
    {
        return Ok(Some(found));
    }
    if let Some((domain, account)) = name.split_once('\\')
        && (is_our_domain(snapshot, domain) || domain.is_empty())
        && let Some(found) = by_value(known.sam_account_name, account)?
    {
        return Ok(Some(found));
    }
    if let Some(found) = by_canonical_name(snapshot, name)? {
        return Ok(Some(found));
    }
    if name.parse::<Guid>().is_ok()
        && let Some(found) = by_name(&format!("<GUID={name}>"))?
    {
        return Ok(Some(found));
    }
    for id in [known.display_name, known.service_principal_name] {
        if let Some(found) = by_value(id, name)? {
            return Ok(Some(found));
        }
    }
    if name.parse::<Sid>().is_ok() {
        return by_name(&format!("<SID={name}>"));
    }
    Ok(None)
}

fn is_our_domain(snapshot: &Snapshot, domain: &str) -> bool {
    let naming = &snapshot.naming;
    domain.eq_ignore_ascii_case(&naming.netbios_domain)
        || domain.eq_ignore_ascii_case(&naming.dns_domain)
}

/// The one living object with this value.
fn single(snapshot: &Snapshot, id: AttributeId, value: &str) -> Result<Option<Object>, Error> {
    let found = snapshot.lookup(snapshot.schema.attribute_by_id(id), value.as_bytes())?;
    let mut found = found.into_iter();
    Ok(found.next().filter(|_| found.next().is_none()))
}

/// `corp.contoso.com/Users/Test User`
fn by_canonical_name(snapshot: &Snapshot, name: &str) -> Result<Option<Object>, Error> {
    let Some((domain, path)) = name.split_once('/') else {
        return Ok(None);
    };
    if !domain.eq_ignore_ascii_case(&snapshot.naming.dns_domain) {
        return Ok(None);
    }
    let reader = snapshot.reader();
    // A part does not tell its attribute: CN=Users and OU=Users are both looked at.
    let mut found: Vec<Dnt> = snapshot.naming.domain_head.into_iter().collect();
    for part in path.split('/') {
        let mut next = Vec::new();
        for parent in found {
            for attribute in ["CN", "OU"] {
                next.extend(reader.child(parent, &types::Rdn::new(attribute, part))?);
            }
        }
        found = next;
    }
    match found.as_slice() {
        [only] => reader.object(*only),
        _ => Ok(None),
    }
}

fn session(directory: &Directory, snapshot: &Snapshot, account: &Object) -> Result<Session, Error> {
    let reader = snapshot.reader();
    let known = snapshot.schema.known();
    let sid = account
        .sid()
        .cloned()
        .ok_or(Error::Credentials(LogonError::NO_SUCH_USER))?;
    let token = token(&reader, account, sid.clone())?;
    let subject = events::Subject {
        sid,
        name: account
            .text(known.sam_account_name)
            .unwrap_or(account.rdn())
            .to_owned(),
        domain: snapshot.naming.netbios_domain.clone(),
        logon_id: directory.new_logon_id(),
    };
    Ok(Session::account(token, account.guid(), subject))
}

/// The SIDs of an account, its groups and everybody's.
fn token(
    reader: &Reader<'_>,
    account: &Object,
    sid: Sid,
) -> Result<security_descriptor::Token, Error> {
    let known = reader.schema.known();
    let primary_rid = account
        .number(known.primary_group_id)
        .and_then(|rid| u32::try_from(rid).ok());
    let primary = primary_rid.and_then(|rid| Some(sid.domain()?.with_rid(rid)));
    let mut first = vec![account.dnt];
    // Everyone, Authenticated Users and This Organization may be members of groups themselves.
    let everybody = [Sid::everyone(), Sid::nt(&[11]), Sid::nt(&[15])];
    for sid in primary.iter().chain(&everybody) {
        first.extend(
            reader
                .by_sid(sid)?
                .filter(|object| !object.is_deleted())
                .map(|object| object.dnt),
        );
    }
    let mut failed = None;
    let token = crate::access::token(sid, primary, first, |member| {
        match groups_of(reader, member) {
            Ok(groups) => groups,
            Err(error) => {
                failed = Some(error);
                Vec::new()
            }
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(token),
    }
}

/// The security groups of which `member` is a direct member.
pub(super) fn groups_of(reader: &Reader<'_>, member: Dnt) -> Result<Vec<(Dnt, Sid)>, Error> {
    let known = reader.schema.known();
    let mut groups = Vec::new();
    for back in reader.back_links(member, Some(known.member))? {
        let Some(group) = reader.object(back.source)? else {
            continue;
        };
        let is_security = group
            .number(known.group_type)
            .is_some_and(|bits| bits & account::SECURITY_ENABLED != 0);
        if let Some(sid) = group.sid().filter(|_| is_security) {
            groups.push((group.dnt, sid.clone()));
        }
    }
    Ok(groups)
}
