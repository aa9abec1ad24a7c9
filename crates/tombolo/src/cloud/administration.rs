//! What an administrator does, one method each, at the cloud's own machine or over HTTPS.

use ::cloud::{AuditQuery, SignInLog};
use cloud_api::access::{NewTemporaryAccessPass, TemporaryAccessPass};
use cloud_api::audit::{AuditRecord, AuditRetention, SignInRecord};
use cloud_api::conditional_access::{AccessPolicy, Group, MemberRef, WhatIf, WhatIfReply};
use cloud_api::devicekeys::UserDeviceKeys;
use cloud_api::devices::Device;
use cloud_api::fido2::Fido2Method;
use cloud_api::paths;
use cloud_api::policy::Fido2Policy;
use cloud_api::users::{NewUser, User, UserChange};
use serde_json::json;
use types::Guid;

use super::reach::{Reached, Remote, operator};
use crate::io::{Failure, Tell};

/// Members of a page.
const PAGE: u16 = 999;

impl Reached {
    pub(super) fn users(&self) -> Result<Vec<User>, Failure> {
        let what = "could not list the users";
        match self {
            Self::Here(cloud) => {
                let mut users: Vec<User> = Vec::new();
                loop {
                    let after = users.last().map(|user| user.id);
                    let page = cloud.users(&operator(), after, PAGE).tell(what)?;
                    let is_last = page.len() < usize::from(PAGE);
                    users.extend(page);
                    if is_last {
                        return Ok(users);
                    }
                }
            }
            Self::There(there) => there
                .list(&format!("{}?$top={PAGE}", paths::USERS))
                .map_err(|error| there.failed(what, &error)),
        }
    }

    /// A user by sign-in name or id.
    pub(super) fn user(&self, name: &str) -> Result<User, Failure> {
        let what = || format!("could not find user {name}");
        let next = "see `tombolo cloud user list`";
        let missing = || Failure::new(what()).why("there is no such user").next(next);
        match (self, name.parse::<Guid>()) {
            (Self::Here(cloud), id) => {
                let found = match id {
                    Ok(id) => cloud.user(&operator(), id),
                    Err(_) => cloud.user_by_name(&operator(), name),
                };
                found.map_err(|error| Failure::new(what()).why(error).next(next))
            }
            (Self::There(there), Ok(id)) => there.client.get(&paths::user(id)).map_err(|error| {
                match Remote::is_missing(&error) {
                    true => missing(),
                    false => there.failed(what(), &error),
                }
            }),
            (Self::There(there), Err(_)) => {
                let filter = format!("userPrincipalName eq '{}'", name.replace('\'', "''"));
                let path = format!("{}?$filter={}", paths::USERS, escaped(&filter));
                let found: Vec<User> = there
                    .list(&path)
                    .map_err(|error| there.failed(what(), &error))?;
                found.into_iter().next().ok_or_else(missing)
            }
        }
    }

    pub(super) fn add_user(&self, new: &NewUser) -> Result<User, Failure> {
        let what = format!("could not add user {}", new.user_principal_name);
        match self {
            Self::Here(cloud) => cloud.create_user(&operator(), new).tell(what),
            Self::There(there) => there
                .client
                .post(paths::USERS, new)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn change_user(&self, user: &User, change: &UserChange) -> Result<(), Failure> {
        let what = format!("could not change user {}", user.user_principal_name);
        match self {
            Self::Here(cloud) => cloud
                .change_user(&operator(), user.id, change)
                .map(|_| ())
                .tell(what),
            Self::There(there) => there
                .client
                .patch(&paths::user(user.id), change)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn remove_user(&self, user: &User) -> Result<(), Failure> {
        let what = format!("could not remove user {}", user.user_principal_name);
        match self {
            Self::Here(cloud) => cloud.delete_user(&operator(), user.id).tell(what),
            Self::There(there) => there
                .client
                .delete(&paths::user(user.id))
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn make_pass(
        &self,
        user: &User,
        request: &NewTemporaryAccessPass,
    ) -> Result<TemporaryAccessPass, Failure> {
        let what = format!("could not make a pass for {}", user.user_principal_name);
        match self {
            Self::Here(cloud) => cloud
                .issue_temporary_access_pass(&operator(), user.id, request)
                .tell(what),
            Self::There(there) => there
                .client
                .post(&paths::temporary_access_passes(user.id), request)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    /// A user's keys as the feed has them, and what is known of the security keys among them.
    pub(super) fn keys(&self, user: &User) -> Result<(UserDeviceKeys, Vec<Fido2Method>), Failure> {
        let what = || format!("could not list the keys of {}", user.user_principal_name);
        match self {
            Self::Here(cloud) => Ok((
                cloud.device_keys(&operator(), user.id).tell(what())?,
                cloud.security_keys(&operator(), user.id).tell(what())?,
            )),
            Self::There(there) => {
                let failed = |error| there.failed(what(), &error);
                let keys = there
                    .client
                    .get(&paths::device_keys(user.id))
                    .map_err(failed)?;
                let methods = there.list(&paths::fido2_methods(user.id)).map_err(failed)?;
                Ok((keys, methods))
            }
        }
    }

    pub(super) fn remove_key(&self, user: &User, id: &str, is_fido: bool) -> Result<(), Failure> {
        let what = format!("could not remove key {id} of {}", user.user_principal_name);
        match self {
            Self::Here(cloud) => match is_fido {
                true => cloud.remove_security_key(&operator(), user.id, id),
                false => cloud.remove_ngc_key(&operator(), user.id, id),
            }
            .tell(what),
            Self::There(there) => {
                let path = match is_fido {
                    true => paths::fido2_method(user.id, id),
                    false => format!("{}/{id}", paths::ngc_keys(user.id)),
                };
                there
                    .client
                    .delete(&path)
                    .map_err(|error| there.failed(what, &error))
            }
        }
    }

    pub(super) fn groups(&self) -> Result<Vec<Group>, Failure> {
        let what = "could not list the groups";
        match self {
            Self::Here(cloud) => cloud.groups(&operator()).tell(what),
            Self::There(there) => there
                .list(paths::GROUPS)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn add_group(&self, group: &Group) -> Result<Group, Failure> {
        let what = format!("could not add group {}", group.display_name);
        match self {
            Self::Here(cloud) => cloud.put_group(&operator(), None, group).tell(what),
            Self::There(there) => there
                .client
                .post(paths::GROUPS, group)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn change_member(
        &self,
        group: &Group,
        user: Guid,
        is_member: bool,
    ) -> Result<(), Failure> {
        let what = match is_member {
            true => format!(
                "could not put user {user} into group {}",
                group.display_name
            ),
            false => format!(
                "could not take user {user} out of group {}",
                group.display_name
            ),
        };
        match self {
            Self::Here(cloud) => cloud
                .change_member(&operator(), group.id, user, is_member)
                .map(|_| ())
                .tell(what),
            Self::There(there) => match is_member {
                true => there
                    .client
                    .add(&paths::group_members(group.id), &MemberRef::new(user)),
                false => there.client.delete(&paths::group_member(group.id, user)),
            }
            .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn remove_group(&self, group: &Group) -> Result<(), Failure> {
        let what = format!("could not remove group {}", group.display_name);
        match self {
            Self::Here(cloud) => cloud.remove_group(&operator(), group.id).tell(what),
            Self::There(there) => there
                .client
                .delete(&paths::group(group.id))
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn devices(&self) -> Result<Vec<Device>, Failure> {
        let what = "could not list the devices";
        match self {
            Self::Here(cloud) => cloud.devices(&operator()).tell(what),
            Self::There(there) => there
                .list(paths::DEVICES)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn enable_device(&self, device: &Device, enabled: bool) -> Result<(), Failure> {
        let what = format!("could not change device {}", device.display_name);
        match self {
            Self::Here(cloud) => cloud
                .enable_device(&operator(), device.id, enabled)
                .tell(what),
            Self::There(there) => {
                let change = json!({ "accountEnabled": enabled });
                there
                    .client
                    .patch(&paths::device(device.id), &change)
                    .map_err(|error| there.failed(what, &error))
            }
        }
    }

    pub(super) fn mark_device(&self, device: &Device, compliant: bool) -> Result<(), Failure> {
        let what = format!("could not mark device {}", device.display_name);
        match self {
            Self::Here(cloud) => cloud
                .mark_device(&operator(), device.id, compliant)
                .tell(what),
            Self::There(there) => {
                let change = json!({ "isCompliant": compliant });
                there
                    .client
                    .patch(&paths::device(device.id), &change)
                    .map_err(|error| there.failed(what, &error))
            }
        }
    }

    pub(super) fn remove_device(&self, device: &Device) -> Result<(), Failure> {
        let what = format!("could not remove device {}", device.display_name);
        match self {
            Self::Here(cloud) => cloud.remove_device(&operator(), device.id).tell(what),
            Self::There(there) => there
                .client
                .delete(&paths::device(device.id))
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn policies(&self) -> Result<Vec<AccessPolicy>, Failure> {
        let what = "could not list the policies";
        match self {
            Self::Here(cloud) => cloud.access_policies(&operator()).tell(what),
            Self::There(there) => there
                .list(paths::ACCESS_POLICIES)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    /// Whether the cloud would take a policy.
    pub(super) fn check_policy(&self, policy: &AccessPolicy) -> Result<(), Failure> {
        let what = format!("policy '{}' would be refused", policy.display_name);
        match self {
            Self::Here(cloud) => cloud.check_access_policy(&operator(), policy).tell(what),
            Self::There(there) => {
                let path = format!("{}?validateOnly=true", paths::ACCESS_POLICIES);
                there
                    .client
                    .add(&path, policy)
                    .map_err(|error| there.failed(what, &error))
            }
        }
    }

    /// Adds a policy, or replaces the one with its id.
    pub(super) fn put_policy(
        &self,
        policy: &AccessPolicy,
        is_new: bool,
    ) -> Result<AccessPolicy, Failure> {
        let what = format!("policy '{}' was not written", policy.display_name);
        match (self, is_new) {
            (Self::Here(cloud), true) => cloud.add_access_policy(&operator(), policy).tell(what),
            (Self::Here(cloud), false) => cloud
                .change_access_policy(&operator(), policy.id, policy)
                .tell(what),
            (Self::There(there), true) => there
                .client
                .post(paths::ACCESS_POLICIES, policy)
                .map_err(|error| there.failed(what, &error)),
            (Self::There(there), false) => there
                .client
                .put(&paths::access_policy(policy.id), policy)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn remove_policy(&self, policy: &AccessPolicy) -> Result<(), Failure> {
        let what = format!("could not remove policy '{}'", policy.display_name);
        match self {
            Self::Here(cloud) => cloud
                .remove_access_policy(&operator(), policy.id)
                .tell(what),
            Self::There(there) => there
                .client
                .delete(&paths::access_policy(policy.id))
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn what_if(&self, question: &WhatIf) -> Result<WhatIfReply, Failure> {
        let what = "the policies could not be asked";
        match self {
            Self::Here(cloud) => cloud.what_if(&operator(), question).tell(what),
            Self::There(there) => there
                .client
                .post(paths::WHAT_IF, question)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    /// Up to `count` audit records, newest first.
    pub(super) fn audit(
        &self,
        query: &AuditQuery,
        count: usize,
    ) -> Result<Vec<AuditRecord>, Failure> {
        let what = "could not read the audit log";
        match self {
            Self::Here(cloud) => here(
                *query,
                count,
                |record: &AuditRecord| record.id,
                |query, top| cloud.audit_records(&operator(), query, top),
            )
            .tell(what),
            Self::There(there) => there
                .list_up_to(&log_path(paths::DIRECTORY_AUDITS, query, count), count)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    /// Up to `count` sign-ins or tickets, newest first.
    pub(super) fn sign_ins(
        &self,
        log: SignInLog,
        query: &AuditQuery,
        count: usize,
    ) -> Result<Vec<SignInRecord>, Failure> {
        let (what, path) = match log {
            SignInLog::SignIns => ("could not read the sign-ins", paths::SIGN_INS),
            SignInLog::Tickets => ("could not read the tickets", paths::ISSUED_TICKETS),
        };
        match self {
            Self::Here(cloud) => here(
                *query,
                count,
                |record: &SignInRecord| record.id,
                |query, top| cloud.sign_in_records(&operator(), log, query, top),
            )
            .tell(what),
            Self::There(there) => there
                .list_up_to(&log_path(path, query, count), count)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn retention(&self) -> Result<AuditRetention, Failure> {
        let what = "could not read how long the audit log is kept";
        match self {
            Self::Here(cloud) => cloud.audit_retention(&operator()).tell(what),
            Self::There(there) => there
                .client
                .get(paths::AUDIT_RETENTION)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn set_retention(&self, retention: &AuditRetention) -> Result<(), Failure> {
        let what = "could not change how long the audit log is kept";
        match self {
            Self::Here(cloud) => cloud.set_audit_retention(&operator(), retention).tell(what),
            Self::There(there) => there
                .client
                .replace(paths::AUDIT_RETENTION, retention)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn fido2_policy(&self) -> Result<Fido2Policy, Failure> {
        let what = "could not read the policy";
        match self {
            Self::Here(cloud) => cloud.policy(&operator()).tell(what),
            Self::There(there) => there
                .client
                .get(paths::FIDO2_POLICY)
                .map_err(|error| there.failed(what, &error)),
        }
    }

    pub(super) fn change_fido2_policy(&self, change: &Fido2Policy) -> Result<(), Failure> {
        let what = "could not change the policy";
        match self {
            Self::Here(cloud) => cloud
                .change_policy(&operator(), change)
                .map(|_| ())
                .tell(what),
            Self::There(there) => there
                .client
                .patch(paths::FIDO2_POLICY, change)
                .map_err(|error| there.failed(what, &error)),
        }
    }
}

/// Reads a log page by page.
fn here<T, E>(
    mut query: AuditQuery,
    count: usize,
    id: impl Fn(&T) -> u64,
    page: impl Fn(&AuditQuery, u16) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let mut all = Vec::new();
    while all.len() < count {
        let top = u16::try_from(count - all.len()).unwrap_or(PAGE).min(PAGE);
        let mut found = page(&query, top)?;
        let is_last = found.len() < usize::from(top);
        query.before = found.last().map(&id);
        all.append(&mut found);
        if is_last {
            break;
        }
    }
    Ok(all)
}

fn log_path(path: &str, query: &AuditQuery, count: usize) -> String {
    let top = u16::try_from(count).unwrap_or(PAGE).clamp(1, PAGE);
    let mut terms = Vec::new();
    if let Some(user) = query.user {
        terms.push(format!("userId eq '{user}'"));
    }
    if let Some(device) = query.device {
        terms.push(format!("deviceId eq '{device}'"));
    }
    if let Some(since) = query.since {
        terms.push(format!("createdDateTime ge {since}"));
    }
    if let Some(after) = query.after {
        terms.push(format!("id gt {after}"));
    }
    if query.refused {
        terms.push("status/errorCode ne 0".to_owned());
    }
    match terms.is_empty() {
        true => format!("{path}?$top={top}"),
        false => format!(
            "{path}?$top={top}&$filter={}",
            escaped(&terms.join(" and "))
        ),
    }
}

/// For a query (RFC 3986 section 3.4): everything but letters, digits and a few signs as octets.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                safe.push(char::from(octet));
            }
            other => safe.push_str(&format!("%{other:02X}")),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;

    #[test]
    fn a_query_is_written_as_the_api_reads_it() {
        let query = AuditQuery {
            user: Some("6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap()),
            since: Some(Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap()),
            refused: true,
            ..AuditQuery::default()
        };
        let path = log_path("/log", &query, 5_000);
        assert_eq!(
            path,
            "/log?$top=999&$filter=userId%20eq%20%276ba7b810-9dad-11d1-80b4-00c04fd430c8%27%20and%20\
             createdDateTime%20ge%202026-06-10T05%3A06%3A07Z%20and%20status%2FerrorCode%20ne%200"
        );
        assert_eq!(log_path("/log", &AuditQuery::default(), 0), "/log?$top=1");
    }

    #[test]
    fn logs_are_read_page_by_page() {
        let all: Vec<u64> = (1..=2_500).rev().collect();
        let page = |query: &AuditQuery, top: u16| {
            let before = query.before.unwrap_or(u64::MAX);
            let older = all.iter().copied().filter(|id| *id < before);
            Ok::<_, std::fmt::Error>(older.take(usize::from(top)).collect::<Vec<u64>>())
        };
        let read = |count| here(AuditQuery::default(), count, |id| *id, page).unwrap();
        assert_eq!(read(10), all[..10]);
        assert_eq!(read(2_000), all[..2_000]);
        assert_eq!(read(9_999), all);
    }
}
