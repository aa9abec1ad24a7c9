//! How long records of the audit log are kept: which of them may go, decided without a clock or a store.

use cloud_api::audit::AuditRetention;
use types::Timestamp;

use crate::error::Error;

const DAYS_MAX: u32 = 36_500;
/// Fewer would let whoever makes noise push out what happened an hour ago.
const RECORDS_MIN: u64 = 1_000;

/// Checks a setting that somebody wishes.
pub(crate) fn check(retention: &AuditRetention) -> Result<(), Error> {
    if retention
        .days
        .is_some_and(|days| days == 0 || days > DAYS_MAX)
    {
        return Err(Error::invalid(format!("days must be 1 to {DAYS_MAX}")));
    }
    if retention
        .records
        .is_some_and(|records| records < RECORDS_MIN || i64::try_from(records).is_err())
    {
        return Err(Error::invalid(format!(
            "records must be {RECORDS_MIN} or more"
        )));
    }
    Ok(())
}

/// Records from before this moment may go.
pub(crate) fn oldest_kept(retention: &AuditRetention, now: Timestamp) -> Option<Timestamp> {
    let days = retention.days?;
    Some(now.plus_seconds(-i64::from(days) * 24 * 3600))
}

/// The first record that stays. `newest` is the newest record's number, `young` that of the oldest which is young enough.
/// Numbers rise by one, so a count of records is a distance.
pub(crate) fn kept_from(retention: &AuditRetention, newest: u64, young: Option<u64>) -> u64 {
    let by_number = retention.records.map_or(0, |records| {
        newest.saturating_add(1).saturating_sub(records)
    });
    let by_time = match retention.days {
        // Where nothing is young enough, all may go but the newest, which says that the log was alive.
        Some(_) => young.unwrap_or(newest),
        None => 0,
    };
    by_number.max(by_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(days: Option<u32>, records: Option<u64>) -> AuditRetention {
        AuditRetention { days, records }
    }

    #[test]
    fn settings_have_bounds() {
        let check = |days, records, good: bool| {
            assert_eq!(
                check(&keep(days, records)).is_ok(),
                good,
                "{days:?} {records:?}"
            );
        };
        check(None, None, true);
        check(Some(1), Some(1_000), true);
        check(Some(0), None, false);
        check(Some(36_501), None, false);
        check(None, Some(999), false);
        check(None, Some(u64::MAX), false);
    }

    #[test]
    fn the_stricter_limit_holds() {
        let check = |days, records, young, first: u64| {
            assert_eq!(kept_from(&keep(days, records), 5_000, young), first);
        };
        check(None, None, None, 0);
        check(None, Some(1_000), None, 4_001);
        check(None, Some(9_000), None, 0);
        check(Some(30), None, Some(1_200), 1_200);
        check(Some(30), Some(1_000), Some(1_200), 4_001);
        check(Some(30), Some(1_000), Some(4_500), 4_500);
        check(Some(30), None, None, 5_000);
    }

    #[test]
    fn days_are_counted_back_from_now() {
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let then = Timestamp::parse_rfc3339("2026-05-11T05:06:07Z").unwrap();
        assert_eq!(oldest_kept(&keep(Some(30), None), now), Some(then));
        assert_eq!(oldest_kept(&keep(None, Some(1_000)), now), None);
    }
}
