//! Events 5136 and 4662 from their fields.

use std::str::FromStr;

use time::PrimitiveDateTime;
use time::macros::format_description;
use types::{Guid, Sid, Timestamp};

use super::fields::Fields;
use crate::{ATTRIBUTE, ATTRIBUTE_GUID, Act, Form, Object, Origin, SeenValue, Sighting, Writer};

/// A sighting, where the event is about a key credential; `None` where it is about something else.
pub(super) fn sighting(
    source: &str,
    line: usize,
    form: Form,
    fields: &Fields,
) -> Result<Option<Sighting>, String> {
    let event_id = fields
        .any(&["eventid", "event_id", "code"])
        .unwrap_or_default();
    let (act, value, dn) = match event_id {
        // 5169 is 5136 for values with an end.
        "5136" | "5169" => match change(fields)? {
            Some(change) => change,
            None => return Ok(None),
        },
        "4662" if is_refused_key_write(fields) => {
            let name = fields.one("objectname").unwrap_or_default();
            (
                Act::Refused,
                SeenValue::default(),
                name.trim_start_matches('%').to_owned(),
            )
        }
        _ => return Ok(None),
    };
    let guid = fields.one("objectguid").and_then(parse::<Guid>);
    Ok(Some(Sighting {
        origin: Origin {
            source: source.to_owned(),
            line,
            record_id: fields
                .any(&["eventrecordid", "record_id", "recordnumber"])
                .and_then(|text| text.parse().ok()),
            form,
        },
        time: fields
            .any(&[
                "systemtime",
                "eventtime",
                "timecreated",
                "timegenerated",
                "@timestamp",
            ])
            .and_then(moment),
        computer: fields
            .any(&["computer", "computer_name", "hostname"])
            .map(str::to_owned),
        operation_id: fields.one("opcorrelationid").and_then(parse::<Guid>),
        writer: writer(fields),
        object: Object {
            guid: guid.or_else(|| parse::<Guid>(&dn)),
            dn,
            class: fields.one("objectclass").map(str::to_owned),
            sid: None,
        },
        act,
        value,
    }))
}

fn change(fields: &Fields) -> Result<Option<(Act, SeenValue, String)>, String> {
    let attribute = fields.one("attributeldapdisplayname").unwrap_or_default();
    if !attribute.eq_ignore_ascii_case(ATTRIBUTE) {
        return Ok(None);
    }
    let operation = fields.one("operationtype").unwrap_or_default();
    let act = match operation {
        "%%14674" | "14674" | "Value Added" => Act::Added,
        "%%14675" | "14675" | "Value Deleted" => Act::Deleted,
        other => {
            return Err(format!(
                "OperationType '{other}' is neither %%14674 (added) nor %%14675 (deleted); \
                 export the event without rendering its messages"
            ));
        }
    };
    let dn = fields.one("objectdn").ok_or("the event has no ObjectDN")?;
    let text = fields
        .one("attributevalue")
        .ok_or("the event has no AttributeValue")?;
    let value = super::value(text).map_err(|error| error.to_string())?;
    Ok(Some((act, value, dn.to_owned())))
}

/// An audit failure (keyword 0x10000000000000) that names the attribute among its properties.
fn is_refused_key_write(fields: &Fields) -> bool {
    let keywords = fields.one("keywords").unwrap_or_default();
    let is_failure =
        keywords.eq_ignore_ascii_case("0x8010000000000000") || keywords.contains("Failure");
    let properties = fields
        .one("properties")
        .unwrap_or_default()
        .to_ascii_lowercase();
    is_failure && properties.contains(ATTRIBUTE_GUID)
}

fn writer(fields: &Fields) -> Writer {
    let text = |name| fields.one(name).map(str::to_owned);
    Writer {
        sid: fields.one("subjectusersid").and_then(parse::<Sid>),
        name: text("subjectusername"),
        domain: text("subjectdomainname"),
        logon_id: fields.one("subjectlogonid").and_then(number),
        remote: None,
    }
}

fn parse<T: FromStr>(text: &str) -> Option<T> {
    text.trim_start_matches('%').parse().ok()
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// RFC 3339, or the same without a zone as some shippers write it; that is UTC in all that were seen.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = Timestamp::parse_rfc3339(text) {
        return Some(moment);
    }
    let bare = text.trim_end_matches(" UTC").replacen('T', " ", 1);
    let (whole, fraction) = bare.split_once('.').unwrap_or((&bare, ""));
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let seconds =
        Timestamp::from_date_time(PrimitiveDateTime::parse(whole, format).ok()?.assume_utc());
    let digits: String = fraction
        .chars()
        .take_while(char::is_ascii_digit)
        .take(7)
        .collect();
    let ticks: i64 = format!("{digits:0<7}").parse().ok()?;
    seconds
        .ticks()
        .checked_add(ticks)
        .map(Timestamp::from_ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_many_shippers() {
        let expect = Some(Timestamp::parse_rfc3339("2026-03-04T05:06:07.5Z").unwrap());
        for text in [
            "2026-03-04T05:06:07.5Z",
            "2026-03-04T06:06:07.500+01:00",
            "2026-03-04 05:06:07.5",
            "2026-03-04 05:06:07.500000 UTC",
            "2026-03-04T05:06:07.500000",
        ] {
            assert_eq!(moment(text), expect, "{text}");
        }
        assert_eq!(moment("yesterday"), None);
        assert_eq!(
            moment("2026-03-04 05:06:07"),
            Timestamp::parse_rfc3339("2026-03-04T05:06:07Z").ok()
        );
    }
}
