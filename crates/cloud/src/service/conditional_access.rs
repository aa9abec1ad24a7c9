//! Conditional Access: policies, what-if, and the word that every issue of a token waits for.

use cloud_api::conditional_access::{AccessPolicy, Method, WhatIf, WhatIfReply};
use rusqlite::Connection;
use types::Guid;

use super::{Cloud, check_name};
use crate::caller::{Caller, Role};
use crate::core::conditional_access::{self, Attempt, DeviceState};
use crate::core::primary_token::{PrimaryToken, Strength};
use crate::core::refusal::SignInError;
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

    /// Whether a policy could be added.
    pub fn check_access_policy(&self, caller: &Caller, policy: &AccessPolicy) -> Result<(), Error> {
        caller.must_administer()?;
        check_name("displayName", &policy.display_name, 256)?;
        conditional_access::check(policy)
    }

    fn put_access_policy(
        &self,
        caller: &Caller,
        id: Guid,
        policy: &AccessPolicy,
        activity: &str,
        is_new: bool,
    ) -> Result<AccessPolicy, Error> {
        self.check_access_policy(caller, policy)?;
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
            self.tell(db, now, activity, caller, &id.to_string(), &detail)
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
            let id = id.to_string();
            self.tell(db, now, "removeAccessPolicy", caller, &id, "")
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
            let id = id.to_string();
            let detail = format!("compliant: {compliant}");
            self.tell(db, now, "markDevice", caller, &id, &detail)
        })
    }

    /// What the policies would say.
    pub fn what_if(&self, caller: &Caller, question: &WhatIf) -> Result<WhatIfReply, Error> {
        caller.must_administer()?;
        if let Some(candidate) = &question.candidate {
            self.check_access_policy(caller, candidate)?;
        }
        let value = self.store().read(|db| {
            let user = Store::user(db, question.user)?;
            let mut policies = Store::access_policies(db)?;
            if let Some(candidate) = &question.candidate {
                policies.retain(|policy| policy.id != candidate.id);
                policies.push(candidate.clone());
            }
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
            Ok(conditional_access::evaluate(&policies, &attempt))
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
    ) -> Result<Vec<String>, SignInError> {
        let (groups, policies) = self.store().read(|db| {
            Ok((
                Store::groups_of(db, token.user)?,
                Store::access_policies(db)?,
            ))
        })?;
        let attempt = Attempt {
            user: token.user,
            groups: &groups,
            target,
            strength: token.strength,
            device: Some(state(device)),
            proof_age_s: now.seconds_since(token.signed_in),
        };
        let verdicts =
            conditional_access::allow(&policies, &attempt).map_err(SignInError::Policy)?;
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

pub(super) fn none(what: &'static str, id: Guid) -> Error {
    Error::NotFound {
        what,
        id: id.to_string(),
    }
}
