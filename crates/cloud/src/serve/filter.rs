//! `$filter` of the logs: a few comparisons with `and` between them (OData 4.01 URL conventions, section 5.1.1.1).
//!
//! Deliberately absent: `or`, `not`, parentheses, functions. What is not known here is refused, so that nobody believes in
//! a filter that is not there.

use types::{Guid, Timestamp};

use super::problem::Problem;
use crate::store::AuditQuery;

const KNOWN: &str = "userId eq '...', deviceId eq '...', createdDateTime ge <time>, activityDateTime ge <time>, \
                     status/errorCode ne 0, id gt <number>";

/// Reads a filter of a log.
pub(super) fn of_log(text: &str) -> Result<AuditQuery, Problem> {
    let mut query = AuditQuery::default();
    for term in text.split(" and ") {
        let mut words = term.split_whitespace();
        let known = match (words.next(), words.next(), words.next(), words.next()) {
            (Some(name), Some(operator), Some(value), None) => {
                take(&mut query, name, operator, value)
            }
            _ => None,
        };
        known.ok_or_else(|| {
            let term: String = term.chars().take(80).collect();
            Problem::invalid(format!(
                "$filter does not know '{term}', or names it twice; known, with 'and' between them: {KNOWN}"
            ))
        })?;
    }
    Ok(query)
}

fn take(query: &mut AuditQuery, name: &str, operator: &str, value: &str) -> Option<()> {
    match (name, operator) {
        ("userId", "eq") => once(&mut query.user, guid(value)?),
        ("deviceId", "eq") => once(&mut query.device, guid(value)?),
        ("createdDateTime" | "activityDateTime", "ge") => {
            once(&mut query.since, Timestamp::parse_rfc3339(value).ok()?)
        }
        ("id", "gt") => once(&mut query.after, value.parse().ok()?),
        ("status/errorCode", "ne") if value == "0" && !query.refused => {
            query.refused = true;
            Some(())
        }
        _ => None,
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// Graph takes ids with and without quotation marks.
fn guid(value: &str) -> Option<Guid> {
    value.trim_matches('\'').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_or_refused() {
        let check = |text: &str, wanted: Option<AuditQuery>| {
            assert_eq!(of_log(text).ok(), wanted, "{text}");
        };
        let user = "6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap();
        let all = AuditQuery {
            before: None,
            after: Some(7),
            since: Some(Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap()),
            user: Some(user),
            device: None,
            refused: true,
        };
        check(
            "userId eq '6ba7b810-9dad-11d1-80b4-00c04fd430c8' and createdDateTime ge 2026-06-10T05:06:07Z and \
             status/errorCode ne 0 and id gt 7",
            Some(all),
        );
        check(
            "id gt 7",
            Some(AuditQuery {
                after: Some(7),
                ..AuditQuery::default()
            }),
        );
        for bad in [
            "",
            "id gt",
            "id lt 7",
            "id gt 7 or id gt 8",
            "id gt 7 and id gt 8",
            "userId eq 'x'",
            "status/errorCode ne 1",
            "createdDateTime ge yesterday",
            "ipAddress eq '192.0.2.7'",
        ] {
            check(bad, None);
        }
    }
}
