//! `cloud signin`, `ticket`, `audit`, `retention`: what the cloud wrote down, and how long it keeps it.

use std::time::Duration;

use ::cloud::{AuditQuery, SignInLog};
use cloud_api::audit::{AuditRecord, AuditRetention, SignInRecord};
use comfy_table::Table;
use serde::Serialize;
use serde_json::json;
use types::{Clock, Timestamp};

use super::reach::{Reach, Reached};
use super::state::FORMAT;
use crate::io::{Exit, Failure, Shell, SystemClock, table};

/// How often `--follow` asks for more.
const INTERVAL: Duration = Duration::from_secs(2);

/// Which records to read.
#[derive(Debug, clap::Args)]
pub(super) struct Read {
    /// Only about this user, by sign-in name or id
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only about this device, by name or id
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Only from this moment on: 30m, 12h, 7d, 2026-06-10 or 2026-06-10T05:06:07Z
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Only what was refused
    #[arg(long)]
    failed: bool,
    /// At most so many records
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Go on with new records until it is interrupted; oldest first
    #[arg(long)]
    follow: bool,
    /// Print JSON; with --follow one record a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// A moment, or so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Moment(Timestamp),
    Ago(i64),
}

impl Since {
    fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Moment(moment) => moment,
            Self::Ago(seconds) => now.plus_seconds(-seconds),
        }
    }
}

fn since(text: &str) -> Result<Since, String> {
    if let Some(seconds) = seconds(text) {
        return Ok(Since::Ago(seconds));
    }
    let moment = Timestamp::parse_rfc3339(text)
        .or_else(|_| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")));
    moment
        .map(Since::Moment)
        .map_err(|_| "write 30m, 12h, 7d, 2026-06-10 or 2026-06-10T05:06:07Z".to_owned())
}

/// `90s`, `30m`, `12h`, `7d` in seconds.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    i64::from(number).checked_mul(unit)
}

pub(super) fn sign_ins(read: &Read, shell: &mut Shell) -> Result<Exit, Failure> {
    of(read, shell, |cloud, query, count| {
        cloud.sign_ins(SignInLog::SignIns, query, count)
    })
}

pub(super) fn tickets(read: &Read, shell: &mut Shell) -> Result<Exit, Failure> {
    of(read, shell, |cloud, query, count| {
        cloud.sign_ins(SignInLog::Tickets, query, count)
    })
}

pub(super) fn audit(read: &Read, shell: &mut Shell) -> Result<Exit, Failure> {
    of(read, shell, Reached::audit)
}

/// What a log holds, and how it is shown.
trait Record: Serialize {
    const HEADERS: &'static [&'static str];
    fn id(&self) -> u64;
    fn row(&self) -> Vec<String>;
}

fn of<R: Record>(
    read: &Read,
    shell: &mut Shell,
    ask: impl Fn(&Reached, &AuditQuery, usize) -> Result<Vec<R>, Failure>,
) -> Result<Exit, Failure> {
    let cloud = read.reach.open()?;
    let user = read.user.as_ref();
    let device = read.device.as_ref();
    let mut query = AuditQuery {
        since: read.since.map(|since| since.moment(SystemClock.now())),
        // Whoever is gone has still left records: an id needs not be found.
        user: user
            .map(|name| match name.parse() {
                Ok(id) => Ok(id),
                Err(_) => cloud.user(name).map(|user| user.id),
            })
            .transpose()?,
        device: device
            .map(|name| match name.parse() {
                Ok(id) => Ok(id),
                Err(_) => cloud.device(name).map(|device| device.id),
            })
            .transpose()?,
        refused: read.failed,
        ..AuditQuery::default()
    };
    let count = usize::try_from(read.top).unwrap_or(usize::MAX);
    let records = ask(&cloud, &query, count)?;
    if !read.follow {
        if read.json {
            shell.json(&json!({ "format": FORMAT, "records": records }))?;
        } else {
            shell.line(of_records(&records))?;
        }
        return Ok(Exit::Good);
    }
    let mut news = records;
    loop {
        // As it happened, so that the newest stands where the reader looks.
        news.reverse();
        if let Some(newest) = news.last() {
            query.after = Some(newest.id());
        }
        for record in &news {
            match read.json {
                true => shell.json_line(record)?,
                false => shell.line(record.row().join("  "))?,
            }
        }
        shell.flush()?;
        if shell.is_closed() {
            return Ok(Exit::Good);
        }
        std::thread::sleep(INTERVAL);
        news = ask(&cloud, &query, usize::MAX)?;
    }
}

fn of_records<R: Record>(records: &[R]) -> Table {
    let mut table = table(R::HEADERS.iter().copied());
    for record in records {
        table.add_row(record.row());
    }
    table
}

impl Record for SignInRecord {
    const HEADERS: &'static [&'static str] =
        &["When", "User", "What", "How", "At", "From", "Result"];

    fn id(&self) -> u64 {
        self.id
    }

    fn row(&self) -> Vec<String> {
        let some = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
        let id = |id: Option<types::Guid>| id.map(|id| id.to_string());
        let user = self
            .user_principal_name
            .clone()
            .or_else(|| id(self.user_id));
        let device = self
            .device_display_name
            .clone()
            .or_else(|| id(self.device_id));
        let result = match self.status.error_code {
            0 => some(self.status.additional_details.as_ref()),
            _ => format!("refused: {}", some(self.status.failure_reason.as_ref())),
        };
        vec![
            self.created_date_time.to_string(),
            some(user.as_ref()),
            self.activity.clone(),
            some(self.authentication_method.as_ref()),
            some(device.or_else(|| self.app_id.clone()).as_ref()),
            some(self.ip_address.as_ref()),
            result,
        ]
    }
}

impl Record for AuditRecord {
    const HEADERS: &'static [&'static str] = &["When", "What", "By", "From", "On", "Detail"];

    fn id(&self) -> u64 {
        self.id
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.activity_date_time.to_string(),
            self.activity.clone(),
            self.initiated_by.clone(),
            self.ip_address.clone().unwrap_or_else(|| "-".to_owned()),
            self.target.clone(),
            self.detail.clone(),
        ]
    }
}

/// How long audit records are kept.
#[derive(Debug, clap::Args)]
pub(super) struct Retention {
    /// Keep records for so many days
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Keep so many of the newest records; one takes about 300 bytes
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..))]
    records: Option<u64>,
    /// Keep everything
    #[arg(long, conflicts_with_all = ["days", "records"])]
    forever: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn retention(asked: &Retention, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = asked.reach.open()?;
    if asked.forever || asked.days.is_some() || asked.records.is_some() {
        cloud.set_retention(&AuditRetention {
            days: asked.days,
            records: asked.records,
        })?;
    }
    let kept = cloud.retention()?;
    if asked.json {
        shell.json(&json!({ "format": FORMAT, "retention": kept }))?;
        return Ok(Exit::Good);
    }
    let text = match (kept.days, kept.records) {
        (None, None) => "everything is kept".to_owned(),
        (Some(days), None) => format!("{days} days are kept"),
        (None, Some(records)) => format!("the newest {records} records are kept"),
        (Some(days), Some(records)) => {
            format!("{days} days are kept, and no more than the newest {records} records")
        }
    };
    shell.line(text)?;
    Ok(Exit::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_any_usual_form() {
        let moment = |text| Timestamp::parse_rfc3339(text).map(Since::Moment).ok();
        let check =
            |text: &str, wanted: Option<Since>| assert_eq!(since(text).ok(), wanted, "{text}");
        check("90s", Some(Since::Ago(90)));
        check("30m", Some(Since::Ago(1_800)));
        check("12h", Some(Since::Ago(43_200)));
        check("7d", Some(Since::Ago(604_800)));
        check("2026-06-10", moment("2026-06-10T00:00:00Z"));
        check("2026-06-10T05:06:07Z", moment("2026-06-10T05:06:07Z"));
        for bad in [
            "",
            "d",
            "-1d",
            "7w",
            "yesterday",
            "12h30m",
            "2026-13-01",
            "ü",
        ] {
            check(bad, None);
        }
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        assert_eq!(
            Since::Ago(7).moment(now).to_string(),
            "2026-06-10T05:06:00Z"
        );
    }
}
