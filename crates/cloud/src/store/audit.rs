//! Who did what. Sign-ins, refusals and tickets stand in the same log as everything else; their records say more.

use std::net::IpAddr;

use cloud_api::audit::{AuditRecord, AuditRetention, SignInRecord, SignInStatus};
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Row, params};
use types::{Guid, Timestamp};

use super::{Store, Text, Ticks};
use crate::error::Error;

/// A record to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) at: Timestamp,
    pub(crate) activity: &'a str,
    pub(crate) initiated_by: &'a str,
    pub(crate) target: &'a str,
    pub(crate) detail: &'a str,
    /// Where the request came from.
    pub(crate) address: Option<IpAddr>,
    pub(crate) about: About<'a>,
}

/// Whom and what a sign-in or a ticket is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub(crate) user: Option<Guid>,
    pub(crate) device: Option<Guid>,
    pub(crate) application: Option<&'a str>,
    pub(crate) method: Option<&'static str>,
}

/// Which records are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Older than this record.
    pub before: Option<u64>,
    /// Newer than this record.
    pub after: Option<u64>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// About this user.
    pub user: Option<Guid>,
    /// About this device.
    pub device: Option<Guid>,
    /// Only what was refused.
    pub refused: bool,
}

/// A part of the audit log that has a reader of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInLog {
    /// Sign-ins and renewals, granted and refused, and what policies that only report said of them.
    SignIns,
    /// Tickets for the ground and access tokens, issued and refused.
    Tickets,
}

impl SignInLog {
    fn activities(self) -> &'static str {
        match self {
            Self::SignIns => {
                "'signIn', 'renew', 'signInToApplication', 'refuseSignIn', 'endApplicationTokens', 'reportPolicy'"
            }
            Self::Tickets => {
                "'issueTicket', 'refuseTicket', 'issueAccessToken', 'issueApplicationToken', 'refuseToken'"
            }
        }
    }
}

/// What was refused. The words are those of the callers of [`Store::append_audit`].
const REFUSALS: &str = "activity LIKE 'refuse%' OR activity = 'endApplicationTokens'";

impl Store {
    /// Appends a record.
    pub(crate) fn append_audit(db: &Connection, entry: &Entry<'_>) -> Result<(), Error> {
        let About {
            user,
            device,
            application,
            method,
        } = entry.about;
        db.prepare_cached(
            "INSERT INTO audit
             (at, activity, initiated_by, target, detail, address, user, device, application, method)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            entry.at.ticks(),
            entry.activity,
            entry.initiated_by,
            entry.target,
            entry.detail,
            entry.address.map(|address| address.to_canonical().to_string()),
            super::guid_text(user),
            super::guid_text(device),
            application,
            method,
        ])?;
        Ok(())
    }

    /// Up to `count` records, newest first.
    pub(crate) fn audit(
        db: &Connection,
        query: &AuditQuery,
        count: u16,
    ) -> Result<Vec<AuditRecord>, Error> {
        let sql = format!(
            "SELECT id, at, activity, initiated_by, target, detail, address FROM audit
             WHERE id < ?1 AND id > ?2 AND (?3 IS NULL OR user = ?3 OR target = ?3)
             AND (?4 IS NULL OR device = ?4 OR target = ?4) AND (NOT ?5 OR {REFUSALS})
             ORDER BY id DESC LIMIT ?6"
        );
        Self::select(db, &sql, query, count, |row| {
            Ok(AuditRecord {
                id: number(row)?,
                activity_date_time: row.get::<_, Ticks>(1)?.0,
                activity: row.get(2)?,
                initiated_by: row.get(3)?,
                target: row.get(4)?,
                detail: row.get(5)?,
                ip_address: row.get(6)?,
            })
        })
    }

    /// Up to `count` records of sign-ins or tickets, newest first.
    pub(crate) fn sign_ins(
        db: &Connection,
        log: SignInLog,
        query: &AuditQuery,
        count: u16,
    ) -> Result<Vec<SignInRecord>, Error> {
        // Without the wish for a user there must be no word of one, or SQLite does not use the index where there is.
        let of_user = match query.user {
            Some(_) => "audit.user = ?3",
            None => "?3 IS NULL",
        };
        let sql = format!(
            "SELECT audit.id, at, activity, audit.user, user.upn, audit.device, device.display_name, application,
             method, address, detail, {REFUSALS}
             FROM audit
             LEFT JOIN user ON user.id = audit.user AND user.deleted IS NULL
             LEFT JOIN device ON device.id = audit.device
             WHERE audit.id < ?1 AND audit.id > ?2 AND {of_user}
             AND (?4 IS NULL OR audit.device = ?4) AND (NOT ?5 OR {REFUSALS}) AND activity IN ({})
             ORDER BY audit.id DESC LIMIT ?6",
            log.activities()
        );
        Self::select(db, &sql, query, count, |row| {
            let detail: String = row.get(10)?;
            let detail = Some(detail).filter(|detail| !detail.is_empty());
            let is_refusal: bool = row.get(11)?;
            let (failure_reason, additional_details) = match is_refusal {
                true => (detail, None),
                false => (None, detail),
            };
            Ok(SignInRecord {
                id: number(row)?,
                created_date_time: row.get::<_, Ticks>(1)?.0,
                activity: row.get(2)?,
                user_id: row.get::<_, Option<Text<Guid>>>(3)?.map(|id| id.0),
                user_principal_name: row.get(4)?,
                device_id: row.get::<_, Option<Text<Guid>>>(5)?.map(|id| id.0),
                device_display_name: row.get(6)?,
                app_id: row.get(7)?,
                authentication_method: row.get(8)?,
                ip_address: row.get(9)?,
                status: SignInStatus {
                    error_code: is_refusal.into(),
                    failure_reason,
                    additional_details,
                },
            })
        })
    }

    fn select<T>(
        db: &Connection,
        sql: &str,
        query: &AuditQuery,
        count: u16,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let text = |id: Option<Guid>| id.map(|id| id.to_string());
        let (user, device) = (text(query.user), text(query.device));
        let before = query.before.and_then(|id| i64::try_from(id).ok());
        let mut after = query
            .after
            .map_or(0, |id| i64::try_from(id).unwrap_or(i64::MAX));
        if let Some(since) = query.since {
            after = after.max(Self::last_audit_before(db, since)?);
        }
        let before = before.unwrap_or(i64::MAX);
        let parameters: [&dyn ToSql; 6] = [&before, &after, &user, &device, &query.refused, &count];
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map(parameters.as_slice(), read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest record from before a moment; 0 where there is none. Walks from the newest, so a wish for the last hour
    /// reads the last hour.
    fn last_audit_before(db: &Connection, moment: Timestamp) -> Result<i64, Error> {
        let found = db
            .prepare_cached("SELECT id FROM audit WHERE at < ?1 ORDER BY id DESC LIMIT 1")?
            .query_row([moment.ticks()], |row| row.get(0))
            .optional()?;
        Ok(found.unwrap_or(0))
    }

    /// How long records are kept.
    pub(crate) fn audit_retention(db: &Connection) -> Result<AuditRetention, Error> {
        let found = db
            .prepare_cached("SELECT days, records FROM audit_retention")?
            .query_row([], |row| {
                Ok(AuditRetention {
                    days: row.get(0)?,
                    records: row
                        .get::<_, Option<i64>>(1)?
                        .and_then(|records| records.try_into().ok()),
                })
            })?;
        Ok(found)
    }

    /// Changes how long records are kept.
    pub(crate) fn put_audit_retention(
        db: &Connection,
        retention: &AuditRetention,
    ) -> Result<(), Error> {
        let records = retention
            .records
            .and_then(|records| i64::try_from(records).ok());
        db.prepare_cached("UPDATE audit_retention SET days = ?1, records = ?2")?
            .execute(params![retention.days, records])?;
        Ok(())
    }

    /// The oldest and the newest record.
    pub(crate) fn audit_ends(db: &Connection) -> Result<Option<(u64, u64)>, Error> {
        let ends = db
            .prepare_cached("SELECT min(id), max(id) FROM audit")?
            .query_row([], |row| {
                Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
            })?;
        let number = |id: Option<i64>| id.and_then(|id| u64::try_from(id).ok());
        Ok(number(ends.0).zip(number(ends.1)))
    }

    /// The oldest record that is not from before a moment. Walks from the oldest, over those that will go.
    pub(crate) fn first_audit_since(
        db: &Connection,
        moment: Timestamp,
    ) -> Result<Option<u64>, Error> {
        let found: Option<i64> = db
            .prepare_cached("SELECT id FROM audit WHERE at >= ?1 ORDER BY id LIMIT 1")?
            .query_row([moment.ticks()], |row| row.get(0))
            .optional()?;
        Ok(found.and_then(|id| u64::try_from(id).ok()))
    }

    /// Lets records before this one go. It never moves back.
    pub(crate) fn keep_audit_from(db: &Connection, first: u64) -> Result<(), Error> {
        let first = i64::try_from(first).unwrap_or(i64::MAX);
        db.prepare_cached("UPDATE audit_retention SET kept_from = max(kept_from, ?1)")?
            .execute([first])?;
        Ok(())
    }

    /// Removes up to `count` records that may go; how many went.
    pub(crate) fn trim_audit(db: &Connection, count: u32) -> Result<usize, Error> {
        let gone = db
            .prepare_cached(
                "DELETE FROM audit WHERE id IN (SELECT id FROM audit
                 WHERE id < (SELECT kept_from FROM audit_retention) ORDER BY id LIMIT ?1)",
            )?
            .execute([count])?;
        Ok(gone)
    }
}

fn number(row: &Row<'_>) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(0)?.try_into().unwrap_or(0))
}
