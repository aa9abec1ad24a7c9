//! The tenant itself: origins, policy, epoch.

use cloud_api::policy::Fido2Policy;

use super::Cloud;
use crate::caller::Caller;
use crate::config::{Tenant, parse_origin};
use crate::error::Error;
use crate::store::Store;

impl Cloud {
    /// The tenant.
    pub fn tenant(&self) -> Result<Tenant, Error> {
        self.store().read(|db| Store::tenant(db))
    }

    /// Replaces the origins that may run a registration.
    pub fn set_origins(&self, caller: &Caller, origins: &[String]) -> Result<(), Error> {
        caller.must_administer()?;
        let now = self.now();
        self.store().write(|db| {
            let tenant = Store::tenant(db)?;
            if origins.is_empty() {
                return Err(Error::invalid("the tenant needs at least one origin"));
            }
            for origin in origins {
                parse_origin(origin, &tenant.rp.id)?;
            }
            Store::put_origins(db, origins)?;
            let target = tenant.id.to_string();
            self.tell(db, now, "setOrigins", caller, &target, &origins.join(" "))
        })
    }

    /// The policy in force.
    pub fn policy(&self, caller: &Caller) -> Result<Fido2Policy, Error> {
        caller.must_administer()?;
        Ok(self.store().read(|db| Store::policy(db))?.to_wire())
    }

    /// Changes the members of the policy that are present, and gives the whole.
    pub fn change_policy(
        &self,
        caller: &Caller,
        change: &Fido2Policy,
    ) -> Result<Fido2Policy, Error> {
        caller.must_administer()?;
        let now = self.now();
        self.store().write(|db| {
            let policy = Store::policy(db)?.changed_by(change)?;
            Store::put_policy(db, &policy)?;
            let detail = format!(
                "attestation enforced: {}, self-service: {}, models: {} ({}), roots: {}",
                policy.is_attestation_enforced,
                policy.is_self_service_registration_allowed,
                policy.key_restrictions.aa_guids.len(),
                if policy.key_restrictions.is_enforced {
                    "enforced"
                } else {
                    "not enforced"
                },
                policy.attestation_roots.len()
            );
            let target = self.0.tenant_id.to_string();
            self.tell(db, now, "changePolicy", caller, &target, &detail)?;
            Ok(policy.to_wire())
        })
    }

    /// Makes every delta token stale, so that each sync reads the feed from its beginning. For use after the store was
    /// put back from a backup, or when a sync is to be made anew.
    pub fn reset_feed(&self, caller: &Caller) -> Result<(), Error> {
        caller.must_administer()?;
        let (now, epoch) = (self.now(), self.random());
        self.store().write(|db| {
            Store::put_epoch(db, epoch)?;
            let target = self.0.tenant_id.to_string();
            self.tell(db, now, "resetFeed", caller, &target, "")
        })
    }
}
