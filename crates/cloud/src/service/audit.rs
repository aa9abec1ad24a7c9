//! The audit log: reading it, and letting its oldest records go.

use cloud_api::audit::{AuditRecord, AuditRetention, SignInRecord};
use types::Timestamp;

use super::Cloud;
use crate::caller::Caller;
use crate::core::retention;
use crate::error::Error;
use crate::store::{About, AuditQuery, Entry, SignInLog, Store};

/// Records that go in one transaction: a sign-in waits no longer than for these.
const TRIMMED_AT_ONCE: u32 = 2_000;

/// What a trim did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// How many records went.
    pub records: u64,
    /// Whether more may go: trim again, and let others write meanwhile.
    pub has_more: bool,
}

impl Cloud {
    /// Up to `count` audit records, newest first, older than `before`.
    pub fn audit(
        &self,
        caller: &Caller,
        before: Option<u64>,
        count: u16,
    ) -> Result<Vec<AuditRecord>, Error> {
        let query = AuditQuery {
            before,
            ..AuditQuery::default()
        };
        self.audit_records(caller, &query, count)
    }

    /// Up to `count` audit records that a query wants, newest first.
    pub fn audit_records(
        &self,
        caller: &Caller,
        query: &AuditQuery,
        count: u16,
    ) -> Result<Vec<AuditRecord>, Error> {
        caller.must_administer()?;
        self.store().read(|db| Store::audit(db, query, count))
    }

    /// Up to `count` sign-ins or tickets that a query wants, newest first.
    pub fn sign_in_records(
        &self,
        caller: &Caller,
        log: SignInLog,
        query: &AuditQuery,
        count: u16,
    ) -> Result<Vec<SignInRecord>, Error> {
        caller.must_administer()?;
        self.store()
            .read(|db| Store::sign_ins(db, log, query, count))
    }

    /// How long audit records are kept.
    pub fn audit_retention(&self, caller: &Caller) -> Result<AuditRetention, Error> {
        caller.must_administer()?;
        self.store().read(|db| Store::audit_retention(db))
    }

    /// Changes how long audit records are kept. Nothing goes before the next [`Cloud::trim_audit`].
    pub fn set_audit_retention(
        &self,
        caller: &Caller,
        retention: &AuditRetention,
    ) -> Result<(), Error> {
        caller.must_administer()?;
        retention::check(retention)?;
        let now = self.now();
        self.store().write(|db| {
            Store::put_audit_retention(db, retention)?;
            let word = |limit: Option<String>| limit.unwrap_or_else(|| "for ever".to_owned());
            let detail = format!(
                "days: {}, records: {}",
                word(retention.days.map(|days| days.to_string())),
                word(retention.records.map(|records| records.to_string()))
            );
            let target = self.0.tenant_id.to_string();
            self.tell(db, now, "setAuditRetention", caller, &target, &detail)
        })
    }

    /// Removes audit records that the retention no longer keeps at this moment, the oldest first and a limited number.
    /// The log itself says that they went.
    pub fn trim_audit(&self, now: Timestamp) -> Result<Trimmed, Error> {
        // A look first, so that an idle hour writes nothing.
        let (first, kept_from) = self.store().read(|db| {
            let setting = Store::audit_retention(db)?;
            let Some((first, newest)) = Store::audit_ends(db)? else {
                return Ok((0, 0));
            };
            let young = match retention::oldest_kept(&setting, now) {
                Some(moment) => Store::first_audit_since(db, moment)?,
                None => None,
            };
            Ok((first, retention::kept_from(&setting, newest, young)))
        })?;
        if first >= kept_from {
            return Ok(Trimmed::default());
        }
        self.store().write(|db| {
            Store::keep_audit_from(db, kept_from)?;
            let gone = Store::trim_audit(db, TRIMMED_AT_ONCE)?;
            let records = u64::try_from(gone).unwrap_or(u64::MAX);
            let has_more = records == u64::from(TRIMMED_AT_ONCE);
            let entry = Entry {
                at: now,
                activity: "trimAudit",
                initiated_by: "retention",
                target: &self.0.tenant_id.to_string(),
                detail: &format!(
                    "removed {records} records, the last of them {}",
                    first + records.saturating_sub(1)
                ),
                address: None,
                about: About::default(),
            };
            Store::append_audit(db, &entry)?;
            Ok(Trimmed { records, has_more })
        })
    }
}
