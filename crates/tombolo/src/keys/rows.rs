//! The table for people: one row for each key, and under it what is unusual about some of them.

use audit::report::{Key, Time};
use comfy_table::{LineStyle, presets};

use crate::io::{Failure, Shell, table};

/// What is kept of each key until the table is printed.
pub(super) struct Rows {
    shows_all: bool,
    cells: Vec<[String; 6]>,
    remarks: String,
}

impl Rows {
    pub(super) fn new(shows_all: bool) -> Self {
        Self {
            shows_all,
            cells: Vec::new(),
            remarks: String::new(),
        }
    }

    /// Adds a key.
    pub(super) fn add(&mut self, key: &Key) {
        let dash = || "-".to_owned();
        let name = |usage: &audit::report::Usage| usage.name.clone();
        let owner = key.owner.clone().unwrap_or_else(dash);
        self.cells.push([
            key.usage.as_ref().map_or_else(dash, name),
            key.source.as_ref().map_or_else(dash, name),
            key.created.as_ref().map_or_else(dash, shown),
            printable(&owner),
            short_id(key),
            printable(&kind(key)),
        ]);
        self.remark(key, &owner);
    }

    /// Prints table and remarks.
    pub(super) fn print(self, shell: &mut Shell) -> Result<(), Failure> {
        if self.cells.is_empty() {
            return Ok(());
        }
        let mut table = table(["Usage", "Source", "Created", "Owner", "Key", "Model"]);
        // An inventory is long: no lines between its rows.
        table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
        for row in self.cells {
            table.add_row(row);
        }
        shell.line(table)?;
        match self.remarks.is_empty() {
            true => Ok(()),
            false => shell.bytes(self.remarks.as_bytes()),
        }
    }

    fn remark(&mut self, key: &Key, owner: &str) {
        let findings = key
            .findings
            .iter()
            .filter(|finding| self.shows_all || finding.severity != "note");
        let mut lines: Vec<_> = findings
            .map(|finding| {
                format!(
                    "  {:<8} {} [{}]",
                    finding.severity, finding.sentence, finding.id
                )
            })
            .collect();
        if lines.is_empty() && !self.shows_all {
            return;
        }
        for writer in &key.writers {
            let reasons = writer.reasons.join("; ");
            lines.push(format!(
                "  {:<8} {} ({}): {reasons}",
                "shape", writer.name, writer.kind
            ));
        }
        if self.shows_all {
            if let Some(last) = key.last_logon.as_ref() {
                lines.push(format!("  {:<8} {}", "used", shown(last)));
            }
            if let Some(device) = key.device_id.as_ref() {
                lines.push(format!("  {:<8} {}", "device", device.id));
            }
        }
        let id = short_id(key);
        let lines: Vec<_> = lines.iter().map(|line| printable(line)).collect();
        self.remarks.push_str(&format!(
            "\n{id} of {} ({})\n{}\n",
            printable(owner),
            key.place,
            lines.join("\n")
        ));
    }
}

/// Enough of the key id to tell the keys of one person apart.
fn short_id(key: &Key) -> String {
    let hex = key.key_id.as_ref().map_or("-", |id| id.hex.as_str());
    hex.get(..8).unwrap_or(hex).to_owned()
}

/// To the second: fractions are for `--json`.
fn shown(time: &Time) -> String {
    match (&time.time, time.never) {
        (_, true) => "never".to_owned(),
        (Some(text), _) => {
            let whole = text.split(['.', 'Z']).next().unwrap_or(text);
            format!("{}Z", whole.replace('T', " "))
        }
        (None, _) => format!("? {}", time.raw),
    }
}

/// The model of a security key; format and algorithm of other keys.
fn kind(key: &Key) -> String {
    let Some(material) = &key.material else {
        return "-".to_owned();
    };
    if let Some(fido) = &material.fido {
        let aaguid = fido
            .authenticator_data
            .as_ref()
            .and_then(|data| data.aaguid);
        return match (&key.model, aaguid) {
            (Some(model), _) => model.clone(),
            (None, Some(aaguid)) => format!("unknown model {aaguid}"),
            (None, None) => "FIDO key without a model".to_owned(),
        };
    }
    match (&material.algorithm, material.format) {
        (Some(algorithm), Some(format))
            if algorithm.starts_with("RSA") && format == "BCRYPT RSA" =>
        {
            algorithm.clone()
        }
        (Some(algorithm), Some(format)) => format!("{algorithm}, {format}"),
        (None, Some(format)) => format.to_owned(),
        _ => "unreadable key".to_owned(),
    }
}

/// Names in a directory may hold control characters; a terminal must not obey them.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}
