//! Spans of time as people write them, and moments as people read them.

use std::fmt;

use types::Timestamp;

/// Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) i64);

/// `90m`, `10h`, `8d`: at most a year.
pub(super) fn span(text: &str) -> Result<Span, String> {
    let wrong = || "write it as 90m, 10h or 8d, and at most 365d".to_owned();
    let (number, unit) = match text.strip_suffix(['m', 'h', 'd']) {
        Some(number) => (number, text.strip_prefix(number)),
        None => return Err(wrong()),
    };
    let unit_s = match unit {
        Some("m") => 60,
        Some("h") => 3600,
        _ => 24 * 3600,
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(unit_s) {
        Some(seconds @ 60..=YEAR_S) => Ok(Span(seconds)),
        _ => Err(wrong()),
    }
}

const YEAR_S: i64 = 365 * 24 * 3600;

impl fmt::Display for Span {
    /// In the largest unit that says it whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.0 {
            s if s % 86400 == 0 => (s / 86400, "day"),
            s if s % 3600 == 0 => (s / 3600, "hour"),
            s => (s / 60, "minute"),
        };
        let plural = if number == 1 { "" } else { "s" };
        write!(f, "{number} {unit}{plural}")
    }
}

/// `Wed 10 Jun 18:00`, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    let Some(at) = at.to_date_time() else {
        return String::new();
    };
    let name = |text: String| text.chars().take(3).collect::<String>();
    format!(
        "{} {} {} {:02}:{:02}",
        name(at.weekday().to_string()),
        at.day(),
        name(at.month().to_string()),
        at.hour(),
        at.minute()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_they_are_written() {
        for (text, seconds, shown) in [
            ("90m", 5400, "90 minutes"),
            ("10h", 36_000, "10 hours"),
            ("1d", 86_400, "1 day"),
            ("48h", 172_800, "2 days"),
        ] {
            let read = span(text).unwrap();
            assert_eq!((read.0, read.to_string().as_str()), (seconds, shown));
        }
        for wrong in [
            "",
            "d",
            "8",
            "8w",
            "-1d",
            "0h",
            "366d",
            "1.5h",
            "99999999999999999999d",
            "ü",
            "hd",
        ] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_name_their_day() {
        let at = Timestamp::from_unix_seconds(1_781_114_400);
        assert_eq!(moment(at), "Wed 10 Jun 18:00");
    }
}
