//! Verdicts for people: a row each, and the whole reasoning of one.

use ::detect::{Act, Report, Side, Verdict};
use comfy_table::Table;

use crate::io::{self, Failure, Shell, counted};

/// One row for each verdict, the heaviest reason last.
pub(super) fn table<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Table {
    let mut table = io::table([
        "Time", "Verdict", "Sure", "Object", "Change", "By", "Because",
    ]);
    for verdict in verdicts {
        let change = &verdict.change;
        table.add_row([
            change
                .time
                .map_or_else(|| "?".to_owned(), |time| time.to_string()),
            verdict.verdict.to_string(),
            format!("{} {}", verdict.confidence, verdict.tier),
            first_name(&change.object.dn),
            act(change.act).to_owned(),
            writer(verdict),
            leading_reason(verdict).to_owned(),
        ]);
    }
    table
}

/// Everything about one verdict.
pub(super) fn verdict(verdict: &Verdict, shell: &mut Shell) -> Result<(), Failure> {
    let change = &verdict.change;
    shell.line(format!(
        "{} (confidence {}, evidence {}, score {})",
        verdict.verdict, verdict.confidence, verdict.tier, verdict.score
    ))?;
    shell.line(format!("  object   {}", change.object.dn))?;
    let time = change.time.map_or_else(
        || "at an unknown time".to_owned(),
        |time| format!("at {time}"),
    );
    shell.line(format!(
        "  change   key {} by {} {time}",
        act(change.act),
        writer(verdict)
    ))?;
    if let Some(key) = &verdict.key {
        let or_unknown =
            |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        shell.line(format!(
            "  key      {} from {}, {}, id {}",
            or_unknown(&key.usage),
            or_unknown(&key.source),
            or_unknown(&key.material),
            key.key_id.get(..16).unwrap_or(&key.key_id)
        ))?;
    } else if let Some(digits) = change.value.hex_digits {
        shell.line(format!(
            "  value    {digits} hex digits, hidden by the event"
        ))?;
    }
    let origin = &change.origin;
    let record = origin
        .record_id
        .map_or_else(String::new, |id| format!(", record {id}"));
    shell.line(format!(
        "  read in  {}:{}{record}",
        origin.source, origin.line
    ))?;
    for (side, heading) in [
        (Side::Against, "for a planted key"),
        (Side::For, "for an honest write"),
        (Side::Note, "worth knowing"),
    ] {
        let mut reasons = verdict.reasons_on(side).peekable();
        if reasons.peek().is_some() {
            shell.line(format!("  {heading}:"))?;
        }
        for reason in reasons {
            let decides = if reason.decides.is_some() {
                ", decides"
            } else {
                ""
            };
            let (weight, id) = (reason.weight, reason.id);
            shell.line(format!(
                "    {weight:+4}  {} [{id}{decides}]",
                reason.sentence
            ))?;
        }
    }
    if !verdict.not_available.is_empty() {
        shell.line("  not available:")?;
    }
    for missing in &verdict.not_available {
        shell.line(format!("          {missing}"))?;
    }
    if let Some(command) = &verdict.settle {
        shell.line(format!("  next:   {command}"))?;
    }
    Ok(())
}

/// The counts in one line.
pub(super) fn summary(report: &Report) -> String {
    let summary = &report.summary;
    let mut line = format!(
        "{} of key credentials: {} planted, {} suspicious, {} unknown, {} legitimate",
        counted(summary.changes, "change"),
        summary.planted,
        summary.suspicious,
        summary.unknown,
        summary.legitimate
    );
    if summary.rewrites > 0 {
        line.push_str(&format!(", {} rewritten unchanged", summary.rewrites));
    }
    line
}

/// What could not be read, on stderr.
pub(super) fn broken(report: &Report, shell: &Shell) {
    for broken in &report.broken {
        shell.note(broken);
    }
    let all = report.summary.broken_records;
    if all > 0 {
        let named = report.broken.len();
        shell.note(format!(
            "{} could not be read ({named} named above), the others were judged",
            counted(all, "record")
        ));
    }
}

fn act(act: Act) -> &'static str {
    match act {
        Act::Added => "added",
        Act::Deleted => "deleted",
        Act::Refused => "refused",
    }
}

fn writer(verdict: &Verdict) -> String {
    let writer = &verdict.change.writer;
    match (&writer.domain, &writer.name, &writer.sid) {
        (Some(domain), Some(name), _) => format!("{domain}\\{name}"),
        (None, Some(name), _) => name.clone(),
        (_, None, Some(sid)) => sid.to_string(),
        (_, None, None) => "?".to_owned(),
    }
}

/// The heaviest reason on the verdict's own side.
fn leading_reason(verdict: &Verdict) -> &str {
    let side = if verdict.score > 0 {
        Side::Against
    } else {
        Side::For
    };
    let decided = verdict
        .reasons
        .iter()
        .find(|reason| reason.decides == Some(verdict.verdict));
    let heaviest = || verdict.reasons_on(side).next();
    decided
        .or_else(heaviest)
        .map_or("", |reason| reason.sentence.as_str())
}

/// `Test User` of `CN=Test User,OU=Users,...`.
fn first_name(dn: &str) -> String {
    let parsed = dn.parse::<types::Dn>().ok();
    let rdn = parsed.as_ref().and_then(types::Dn::rdn);
    rdn.map_or_else(|| dn.to_owned(), |rdn| rdn.value().to_owned())
}
