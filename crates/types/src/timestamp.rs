//! One moment in time, and the clocks that write it: FILETIME, .NET ticks, generalised time, RFC 3339.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{OffsetDateTime, PrimitiveDateTime};

/// A moment in UTC, counted in steps of 100 ns since 1601-01-01, as FILETIME does (MS-DTYP 2.3.3).
///
/// Moments before 1601 are negative, so every .NET tick of the years 1 to 9999 fits as well.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not a moment in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time; write it as 2026-06-10T05:06:07Z")]
pub struct InvalidTimestamp(String);

const EPOCH: OffsetDateTime = datetime!(1601-01-01 00:00 UTC);

impl Timestamp {
    /// Steps of 100 ns in a second.
    pub const TICKS_PER_SECOND: i64 = 10_000_000;
    /// Ticks from 0001-01-01, where .NET starts, to 1601-01-01.
    pub const DOTNET_EPOCH_TICKS: i64 = 504_911_232_000_000_000;
    /// Ticks from 1601-01-01 to 1970-01-01.
    pub const UNIX_EPOCH_TICKS: i64 = 116_444_736_000_000_000;

    /// From FILETIME ticks.
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// FILETIME ticks; negative before 1601.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// From .NET ticks since year 1 (without the Kind bits); `None` past the range of 64 bits.
    pub fn from_dotnet_ticks(ticks: u64) -> Option<Self> {
        i64::try_from(ticks)
            .ok()?
            .checked_sub(Self::DOTNET_EPOCH_TICKS)
            .map(Self)
    }

    /// .NET ticks since year 1; `None` before year 1.
    pub fn dotnet_ticks(self) -> Option<u64> {
        u64::try_from(self.0.checked_add(Self::DOTNET_EPOCH_TICKS)?).ok()
    }

    /// From whole seconds since 1970-01-01.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(
            seconds
                .saturating_mul(Self::TICKS_PER_SECOND)
                .saturating_add(Self::UNIX_EPOCH_TICKS),
        )
    }

    /// Whole seconds since 1970-01-01.
    pub const fn unix_seconds(self) -> i64 {
        self.0
            .saturating_sub(Self::UNIX_EPOCH_TICKS)
            .div_euclid(Self::TICKS_PER_SECOND)
    }

    /// This moment and `seconds` more.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(
            self.0
                .saturating_add(seconds.saturating_mul(Self::TICKS_PER_SECOND)),
        )
    }

    /// Whole seconds from `earlier` to this moment.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0) / Self::TICKS_PER_SECOND
    }

    /// The calendar date; `None` outside the years 1 to 9999.
    pub fn to_date_time(self) -> Option<OffsetDateTime> {
        let seconds = self.0.div_euclid(Self::TICKS_PER_SECOND);
        let nanoseconds = self.0.rem_euclid(Self::TICKS_PER_SECOND).checked_mul(100)?;
        let moment = EPOCH
            .checked_add(time::Duration::seconds(seconds))?
            .checked_add(time::Duration::nanoseconds(nanoseconds))?;
        (1..=9999).contains(&moment.year()).then_some(moment)
    }

    /// From a calendar date, rounded down to 100 ns.
    pub fn from_date_time(moment: OffsetDateTime) -> Self {
        let ticks = (moment - EPOCH).whole_nanoseconds().div_euclid(100);
        Self(i64::try_from(ticks).unwrap_or(i64::MAX))
    }

    /// Reads RFC 3339 (`2026-06-10T05:06:07.1234567Z`).
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTimestamp> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map(Self::from_date_time)
            .map_err(|_| InvalidTimestamp(text.chars().take(64).collect()))
    }

    /// RFC 3339 in UTC, fraction only where there is one; `None` outside the years 1 to 9999.
    pub fn to_rfc3339(self) -> Option<String> {
        self.to_date_time()?.format(&Rfc3339).ok()
    }

    /// LDAP generalised time as AD writes it, `20260610050607.0Z` (RFC 4517 3.3.13).
    pub fn to_generalized_time(self) -> Option<String> {
        let format =
            time::macros::format_description!("[year][month][day][hour][minute][second].0Z");
        self.to_date_time()?.format(format).ok()
    }

    /// Reads `YYYYMMDDHHMMSS[.f]Z`.
    pub fn parse_generalized_time(text: &str) -> Result<Self, InvalidTimestamp> {
        let invalid = || InvalidTimestamp(text.chars().take(64).collect());
        let format = time::macros::format_description!("[year][month][day][hour][minute][second]");
        let digits = text.strip_suffix('Z').ok_or_else(invalid)?;
        let digits = digits.split_once('.').map_or(digits, |(whole, _)| whole);
        PrimitiveDateTime::parse(digits, format)
            .map(|moment| Self::from_date_time(moment.assume_utc()))
            .map_err(|_| invalid())
    }
}

/// RFC 3339 where the calendar reaches, the bare FILETIME number elsewhere.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_rfc3339() {
            Some(text) => f.write_str(&text),
            None => write!(f, "FILETIME {}", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_clocks_agree() {
        let moment = Timestamp::parse_rfc3339("2021-03-04T05:06:07.1234567Z").unwrap();
        assert_eq!(moment.unix_seconds(), 1_614_834_367);
        assert_eq!(
            Timestamp::from_dotnet_ticks(moment.dotnet_ticks().unwrap()),
            Some(moment)
        );
        assert_eq!(moment.to_string(), "2021-03-04T05:06:07.1234567Z");
        assert_eq!(moment.to_generalized_time().unwrap(), "20210304050607.0Z");
        assert_eq!(
            Timestamp::from_dotnet_ticks(0).unwrap().to_string(),
            "0001-01-01T00:00:00Z"
        );
        assert_eq!(
            Timestamp::from_unix_seconds(0).to_string(),
            "1970-01-01T00:00:00Z"
        );
        assert_eq!(
            Timestamp::from_ticks(i64::MAX).to_string(),
            "FILETIME 9223372036854775807"
        );
    }

    proptest! {
        #[test]
        fn every_tick_prints(ticks in any::<i64>()) {
            let moment = Timestamp::from_ticks(ticks);
            match moment.to_rfc3339() {
                Some(text) => prop_assert_eq!(Timestamp::parse_rfc3339(&text), Ok(moment)),
                None => prop_assert!(moment.to_string().starts_with("FILETIME ")),
            }
        }
    }
}
