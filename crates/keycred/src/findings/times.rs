//! Both times: on the right clock, in this century, in the right order.

use super::{Findings, section};
use crate::credential::KeyCredential;
use crate::key_time::{KeyClock, KeyTime, Reading, is_plausible};
use crate::numbers::Version;

pub(super) fn look(key: &KeyCredential<'_>, findings: &mut Findings) {
    let (created, last_logon) = (key.created(), key.last_logon());
    for (what, time) in [("Created", created), ("LastLogon", last_logon)] {
        if let Some(time) = time {
            one(what, time, findings);
        }
    }
    if created.is_some_and(KeyTime::is_never) {
        findings.warning(
            "created-never",
            None,
            "there is no creation time in the creation time entry",
        );
    }
    let is_cloud_clock = |time: KeyTime| time.clock == KeyClock::DotnetBinary;
    if key.blob().version() == Version::V2 && created.is_some_and(is_cloud_clock) {
        findings.note(
            "dotnet-time",
            section::ENTRY,
            "the times are .NET times, as the cloud writes them; the specification knows only FILETIME",
        );
    }
    if let (Some(created), Some(last_logon)) = (
        created.and_then(KeyTime::moment),
        last_logon.and_then(KeyTime::moment),
    ) && last_logon < created
    {
        findings.warning(
            "last-logon-before-created",
            None,
            format!("last logon {last_logon} lies before creation {created}"),
        );
    }
}

fn one(what: &str, time: KeyTime, findings: &mut Findings) {
    let reading = match time.reading {
        Reading::Never => return,
        Reading::At(moment) if is_plausible(moment) => return,
        Reading::At(moment) => moment.to_string(),
        Reading::OutOfRange => "a time outside every calendar".to_owned(),
    };
    match time.plausible_on_other_clock() {
        Some((clock, moment)) => {
            let clock = match clock {
                KeyClock::FileTime => "FILETIME",
                KeyClock::DotnetBinary | KeyClock::DotnetTicks => ".NET time",
            };
            findings.alarm(
                "time-on-wrong-clock",
                section::ENTRY,
                format!(
                    "{what} reads {reading}; as a {clock} it is {moment}, so the writer took the wrong clock for this source"
                ),
            );
        }
        None => findings.warning(
            "time-implausible",
            None,
            format!("{what} reads {reading}, which no clock makes a time of key credentials"),
        ),
    }
}
