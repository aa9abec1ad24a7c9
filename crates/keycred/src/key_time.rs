//! The two times of a key credential, and the three clocks that wrote them.
//!
//! MS-ADTS 2.2.20.6 says FILETIME. In practice the source decides: AD writes FILETIME, the cloud writes .NET
//! `DateTime.ToBinary` (ticks since year 1 in the low 62 bits, the kind in the top two, 01 being UTC). Version 0
//! has bare .NET ticks, version 1 `ToBinary`. A time is therefore read after all entries have been.
//!
//! "Never used" has been written in three ways over the years, all of which read [`Reading::Never`].

use types::Timestamp;

use crate::numbers::{KeySource, Version};

/// The clock that a raw time is read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyClock {
    /// 100 ns steps since 1601: version 2 from AD, and version 2 without a source.
    FileTime,
    /// .NET `DateTime.ToBinary`: version 2 from the cloud, and version 1.
    DotnetBinary,
    /// Bare .NET ticks since year 1: version 0.
    DotnetTicks,
}

/// What a raw time says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// One of the three values that mean "never".
    Never,
    /// A moment.
    At(Timestamp),
    /// A moment that no calendar holds.
    OutOfRange,
}

/// A time entry: its raw value and its reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyTime {
    /// The eight bytes as a little-endian number.
    pub raw: u64,
    /// The clock that version and source call for.
    pub clock: KeyClock,
    /// What it says on that clock.
    pub reading: Reading,
}

/// .NET's `DateTimeKind.Utc` in the top two bits.
const KIND_UTC: u64 = 0x4000_0000_0000_0000;
const TICKS_MASK: u64 = 0x3FFF_FFFF_FFFF_FFFF;

/// Zero (since December 2020), UTC year 1 (2019 to 2020), and year 1 shifted by eight hours (2017 to 2019).
const NEVER: [u64; 3] = [0, KIND_UTC, 0x4000_0043_0E23_4000];

impl KeyTime {
    /// What today's sync writes as "last logon" of a key that AD has never seen in use.
    pub const NEVER: u64 = 0;

    /// Reads a raw time as `version` and `source` call for.
    pub fn read(raw: u64, version: Version, source: Option<KeySource>) -> Self {
        let clock = match (version, source) {
            (Version::V0, _) => KeyClock::DotnetTicks,
            (Version::V1, _) => KeyClock::DotnetBinary,
            (_, None | Some(KeySource::AD)) => KeyClock::FileTime,
            (_, Some(_)) => KeyClock::DotnetBinary,
        };
        Self {
            raw,
            clock,
            reading: reading(raw, clock),
        }
    }

    /// The moment, where it is one.
    pub fn moment(self) -> Option<Timestamp> {
        match self.reading {
            Reading::At(moment) => Some(moment),
            Reading::Never | Reading::OutOfRange => None,
        }
    }

    /// Whether this is one of the "never" values.
    pub fn is_never(self) -> bool {
        self.reading == Reading::Never
    }

    /// The same raw value on another clock, where that gives a year in which keys were made (2015 to 2099): a
    /// sign that the writer took the wrong clock.
    pub fn plausible_on_other_clock(self) -> Option<(KeyClock, Timestamp)> {
        if self.is_never() || self.moment().is_some_and(is_plausible) {
            return None;
        }
        [
            KeyClock::FileTime,
            KeyClock::DotnetBinary,
            KeyClock::DotnetTicks,
        ]
        .into_iter()
        .filter(|clock| *clock != self.clock)
        .find_map(|clock| match reading(self.raw, clock) {
            Reading::At(moment) if is_plausible(moment) => Some((clock, moment)),
            _ => None,
        })
    }

    /// A moment as FILETIME, for entries from AD; `None` before 1601.
    pub fn filetime(moment: Timestamp) -> Option<u64> {
        u64::try_from(moment.ticks()).ok()
    }

    /// A moment as .NET `DateTime.ToBinary` in UTC, for entries from the cloud; `None` outside the years 1 to 9999.
    pub fn dotnet_utc(moment: Timestamp) -> Option<u64> {
        moment.to_date_time()?;
        moment.dotnet_ticks().map(|ticks| ticks | KIND_UTC)
    }
}

/// Key credentials exist since 2015.
pub(crate) fn is_plausible(moment: Timestamp) -> bool {
    moment
        .to_date_time()
        .is_some_and(|date| (2015..=2099).contains(&date.year()))
}

fn reading(raw: u64, clock: KeyClock) -> Reading {
    if NEVER.contains(&raw) {
        return Reading::Never;
    }
    let moment = match clock {
        KeyClock::FileTime => i64::try_from(raw).ok().map(Timestamp::from_ticks),
        KeyClock::DotnetBinary => Timestamp::from_dotnet_ticks(raw & TICKS_MASK),
        KeyClock::DotnetTicks => Timestamp::from_dotnet_ticks(raw),
    };
    match moment {
        Some(moment) => Reading::At(moment),
        None => Reading::OutOfRange,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: u64, version: Version, source: Option<KeySource>, expect: &str) {
        let time = KeyTime::read(raw, version, source);
        let got = match time.reading {
            Reading::Never => "never".to_owned(),
            Reading::At(moment) => moment.to_string(),
            Reading::OutOfRange => "out of range".to_owned(),
        };
        assert_eq!(got, expect, "{raw:#x} {version} {source:?}");
    }

    #[test]
    fn clocks() {
        let moment = Timestamp::parse_rfc3339("2026-03-04T05:06:07.1234567Z").unwrap();
        let filetime = KeyTime::filetime(moment).unwrap();
        let dotnet = KeyTime::dotnet_utc(moment).unwrap();
        let text = "2026-03-04T05:06:07.1234567Z";
        check(filetime, Version::V2, Some(KeySource::AD), text);
        check(filetime, Version::V2, None, text);
        check(dotnet, Version::V2, Some(KeySource::AZURE_AD), text);
        check(dotnet, Version::V1, Some(KeySource::AD), text);
        check(dotnet & TICKS_MASK, Version::V0, None, text);
        check(
            dotnet,
            Version::V2,
            Some(KeySource::AD),
            &format!("FILETIME {dotnet}"),
        );
    }

    #[test]
    fn the_wrong_clock_is_noticed() {
        let moment = Timestamp::parse_rfc3339("2026-03-04T05:06:07Z").unwrap();
        let filetime = KeyTime::filetime(moment).unwrap();
        let dotnet = KeyTime::dotnet_utc(moment).unwrap();
        let other =
            |raw, source| KeyTime::read(raw, Version::V2, Some(source)).plausible_on_other_clock();
        assert_eq!(other(filetime, KeySource::AD), None);
        assert_eq!(other(dotnet, KeySource::AZURE_AD), None);
        assert_eq!(
            other(filetime, KeySource::AZURE_AD),
            Some((KeyClock::FileTime, moment))
        );
        assert_eq!(
            other(dotnet, KeySource::AD),
            Some((KeyClock::DotnetBinary, moment))
        );
        assert_eq!(
            other(dotnet & TICKS_MASK, KeySource::AD),
            Some((KeyClock::DotnetBinary, moment))
        );
    }

    #[test]
    fn no_raw_value_panics() {
        for raw in [1, u64::MAX, TICKS_MASK, KIND_UTC | 1, 1 << 63] {
            for version in [Version::V0, Version::V1, Version::V2] {
                for source in [None, Some(KeySource::AD), Some(KeySource(9))] {
                    let time = KeyTime::read(raw, version, source);
                    let _ = (time.moment(), time.plausible_on_other_clock());
                }
            }
        }
    }
}
