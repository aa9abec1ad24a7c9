//! Conditional Access: policies and groups, what-if, and the word that every issue of a token waits for.

use cloud_api::conditional_access::{AccessPolicy, Group, Method, WhatIf, WhatIfReply};
use rusqlite::Connection;
use types::Guid;

use super::{Cloud, check_name};
use crate::caller::{Caller, Role};
use crate::core::conditional_access::{self, Attempt, DeviceState};
use crate::core::primary_token::{PrimaryToken, Strength};
use crate::error::Error;
use crate::store::{DeviceRow, Store};
use types::Timestamp;

/// Policies of a tenant.
const POLICIES_MAX: usize = 200;

impl Cloud {
    /// All policies.
    pub fn access_policies(&self, caller: &Caller) -> Result<Vec<AccessPolicy>, Error> {
        caller.must_administer()?;
        self.store().read(|db| Store::access_policies(db))
    }

    /// Adds a policy.
    pub fn add_access_policy(
        &self,
        caller: &Caller,
        policy: &AccessPolicy,
    ) -> Result<AccessPolicy, Error> {
        let id = Guid::v4(self.random());
        self.put_access_policy(caller, id, policy, "addAccessPolicy", true)
    }

    /// Replaces a policy as a whole.
    pub fn change_access_policy(
        &self,
        caller: &Caller,
        id: Guid,
        policy: &AccessPolicy,
    ) -> Result<AccessPolicy, Error> {
        self.put_access_policy(caller, id, policy, "changeAccessPolicy", false)
    }

    fn put_access_policy(
        &self,
        caller: &Caller,
        id: Guid,
        policy: &AccessPolicy,
        activity: &str,
        is_new: bool,
    ) -> Result<AccessPolicy, Error> {
        caller.must_administer()?;
        check_name("displayName", &policy.display_name, 256)?;
        conditional_access::check(policy)?;
        let policy = AccessPolicy {
            id,
            ..policy.clone()
        };
        let now = self.now();
        self.store().write(|db| {
            let policies = Store::access_policies(db)?;
            let is_there = policies.iter().any(|policy| policy.id == id);
            if !is_new && !is_there {
                return Err(none("policy", id));
            }
            if is_new && policies.len() >= POLICIES_MAX {
                return Err(Error::invalid(format!(
                    "a tenant has at most {POLICIES_MAX} policies"
                )));
            }
            Store::put_access_policy(db, &policy)?;
            // The whole of it: who reads the log can tell what was in force when.
            let detail = serde_json::to_string(&policy).unwrap_or_default();
            Store::append_audit(
                db,
                now,
                activity,
                &caller.to_string(),
                &id.to_string(),
                &detail,
            )
        })?;
        Ok(policy)
    }

    /// Removes a policy.
    pub fn remove_access_policy(&self, caller: &Caller, id: Guid) -> Result<(), Error> {
        caller.must_administer()?;
        let now = self.now();
        self.store().write(|db| {
            if !Store::remove_access_policy(db, id)? {
                return Err(none("policy", id));
            }
            let (who, id) = (caller.to_string(), id.to_string());
            Store::append_audit(db, now, "removeAccessPolicy", &who, &id, "")
        })
    }

    /// All groups.
    pub fn groups(&self, caller: &Caller) -> Result<Vec<Group>, Error> {
        caller.must_administer()?;
        self.store().read(|db| Store::groups(db))
    }

    /// Adds a group, or replaces the one with this id and its members.
    pub fn put_group(
        &self,
        caller: &Caller,
        id: Option<Guid>,
        group: &Group,
    ) -> Result<Group, Error> {
        caller.must_administer()?;
        check_name("displayName", &group.display_name, 256)?;
        let group = Group {
            id: id.unwrap_or_else(|| Guid::v4(self.random())),
            ..group.clone()
        };
        let now = self.now();
        self.store().write(|db| {
            if id.is_some() && !Store::groups(db)?.iter().any(|old| old.id == group.id) {
                return Err(none("group", group.id));
            }
            Store::put_group(db, &group)?;
            let (who, id) = (caller.to_string(), group.id.to_string());
            let detail = format!("'{}', members {:?}", group.display_name, group.members);
            Store::append_audit(db, now, "putGroup", &who, &id, &detail)
        })?;
        Ok(group)
    }

    /// Removes a group. A policy that names it applies to none of its members any more.
    pub fn remove_group(&self, caller: &Caller, id: Guid) -> Result<(), Error> {
        caller.must_administer()?;
        let now = self.now();
        self.store().write(|db| {
            let text = id.to_string();
            let names = |policy: &AccessPolicy| {
                let users = &policy.conditions.users;
                users.include_groups.contains(&text) || users.exclude_groups.contains(&text)
            };
            if let Some(policy) = Store::access_policies(db)?
                .iter()
                .find(|policy| names(policy))
            {
                return Err(Error::invalid(format!(
                    "policy '{}' names group {id}; change the policy first",
                    policy.display_name
                )));
            }
            if !Store::remove_group(db, id)? {
                return Err(none("group", id));
            }
            let who = caller.to_string();
            Store::append_audit(db, now, "removeGroup", &who, &text, "")
        })
    }

    /// Marks a device as compliant or not, in the place of a system that manages devices.
    pub fn mark_device(&self, caller: &Caller, id: Guid, compliant: bool) -> Result<(), Error> {
        caller.must_administer()?;
        let now = self.now();
        self.store().write(|db| {
            if !Store::mark_device(db, id, compliant)? {
                return Err(none("device", id));
            }
            let (who, id) = (caller.to_string(), id.to_string());
            let detail = format!("compliant: {compliant}");
            Store::append_audit(db, now, "markDevice", &who, &id, &detail)
        })
    }

    /// What the policies would say.
    pub fn what_if(&self, caller: &Caller, question: &WhatIf) -> Result<WhatIfReply, Error> {
        caller.must_administer()?;
        let value = self.store().read(|db| {
            let user = Store::user(db, question.user)?;
            let device = match question.device {
                Some(id) => Some(Store::device(db, id)?.ok_or_else(|| none("device", id))?),
                None => None,
            };
            let groups = Store::groups_of(db, user.id)?;
            let attempt = Attempt {
                user: user.id,
                groups: &groups,
                target: &question.target,
                strength: match question.method {
                    Method::Fido2 => Strength::Fido2,
                    Method::WindowsHelloForBusiness => Strength::WindowsHello,
                    Method::TemporaryAccessPassOneTime => Strength::TemporaryAccessPass,
                },
                device: device.as_ref().map(state),
                proof_age_s: question.proof_age_seconds.into(),
            };
            Ok(conditional_access::evaluate(
                &Store::access_policies(db)?,
                &attempt,
            ))
        })?;
        Ok(WhatIfReply {
            granted: conditional_access::refusal(&value).is_none(),
            value,
        })
    }

    /// What the policies say of a token's user at its device; `Err` holds the refusal. Policies that only report are told.
    pub(super) fn policies_allow(
        &self,
        token: &PrimaryToken,
        device: &DeviceRow,
        target: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, PolicyRefusal> {
        let verdicts = self
            .store()
            .read(|db| {
                let groups = Store::groups_of(db, token.user)?;
                let attempt = Attempt {
                    user: token.user,
                    groups: &groups,
                    target,
                    strength: token.strength,
                    device: Some(state(device)),
                    proof_age_s: now.seconds_since(token.signed_in),
                };
                Ok(conditional_access::evaluate(
                    &Store::access_policies(db)?,
                    &attempt,
                ))
            })
            .map_err(PolicyRefusal::Inside)?;
        if let Some(verdict) = conditional_access::refusal(&verdicts) {
            return Err(PolicyRefusal::Policy {
                name: verdict.display_name.clone(),
                why: verdict.reasons.join("; "),
                is_blocked: verdict.is_blocked,
            });
        }
        let told = conditional_access::reports(&verdicts);
        Ok(told
            .map(|verdict| {
                let why = verdict.reasons.join("; ");
                format!(
                    "policy '{}' would refuse {target}: {why}",
                    verdict.display_name
                )
            })
            .collect())
    }
}

/// Why policies refuse.
pub(super) enum PolicyRefusal {
    /// One of them does.
    Policy {
        name: String,
        why: String,
        is_blocked: bool,
    },
    /// They could not be asked.
    Inside(Error),
}

/// How a user proved itself who does something for itself.
pub(super) struct Proof {
    pub(super) strength: Strength,
    pub(super) device: Option<DeviceState>,
    pub(super) age_s: i64,
}

impl Proof {
    /// A session, which a temporary access pass bought.
    pub(super) const SESSION: Self = Self {
        strength: Strength::TemporaryAccessPass,
        device: None,
        age_s: 0,
    };
}

/// Whether the policies let a user do this for itself.
pub(super) fn check_action(
    db: &Connection,
    caller: &Caller,
    action: &str,
    proof: &Proof,
) -> Result<(), Error> {
    let Role::User(user) = caller.role() else {
        return Ok(());
    };
    let groups = Store::groups_of(db, user)?;
    let attempt = Attempt {
        user,
        groups: &groups,
        target: action,
        strength: proof.strength,
        device: proof.device.clone(),
        proof_age_s: proof.age_s,
    };
    let verdicts = conditional_access::evaluate(&Store::access_policies(db)?, &attempt);
    match conditional_access::refusal(&verdicts) {
        None => Ok(()),
        Some(verdict) => Err(Error::ConditionalAccess {
            policy: verdict.display_name.clone(),
            why: verdict.reasons.join("; "),
        }),
    }
}

pub(super) fn state(device: &DeviceRow) -> DeviceState {
    DeviceState {
        trust_type: device.device.trust_type.clone(),
        is_compliant: device.device.is_compliant,
    }
}

fn none(what: &'static str, id: Guid) -> Error {
    Error::NotFound {
        what,
        id: id.to_string(),
    }
}
