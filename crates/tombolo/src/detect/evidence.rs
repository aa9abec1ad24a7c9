//! Reads the files that a verdict is made from.

use std::path::{Path, PathBuf};

use ::detect::{Baseline, CloudKeys, Inventory, Report, read};
use types::Sid;

use crate::io::{Failure, Shell, Tell, read_input};

/// Where the evidence is.
#[derive(Debug, clap::Args)]
pub(super) struct Evidence {
    /// Accounts that synchronise or register keys: {"connectors": [{"sid": ..., "addresses": [...]}], "registrars": [...]}
    #[arg(long, value_name = "FILE", help_heading = "Baseline")]
    baseline: Vec<PathBuf>,

    /// The sync's receipts, JSON Lines
    #[arg(long, value_name = "FILE", help_heading = "Baseline")]
    receipts: Vec<PathBuf>,

    /// The cloud's users with searchableDeviceKey: delta pages, an array, or one user a line
    #[arg(long, value_name = "FILE", help_heading = "Baseline")]
    device_keys: Option<PathBuf>,

    /// An account that synchronises, by SID (repeatable)
    #[arg(long, value_name = "SID", help_heading = "Baseline")]
    connector: Vec<Sid>,

    /// An account that registers keys on the ground, such as AD FS, by SID (repeatable)
    #[arg(long, value_name = "SID", help_heading = "Baseline")]
    registrar: Vec<Sid>,

    /// Any text with values read from the directory later: brings back what Windows events hide
    #[arg(long, value_name = "FILE", help_heading = "Baseline")]
    inventory: Vec<PathBuf>,
}

impl Evidence {
    /// Reads the change logs and everything beside them, and judges.
    pub(super) fn judge(&self, files: &[PathBuf], shell: &Shell) -> Result<Report, Failure> {
        let baseline = self.baseline()?;
        let mut inventory = Inventory::default();
        for file in &self.inventory {
            inventory.add(&text(file)?);
        }
        if inventory.broken() > 0 {
            shell.note(format!(
                "{} values of the inventory could not be read",
                inventory.broken()
            ));
        }
        let progress = shell.progress("reading changes", u64::try_from(files.len()).ok());
        let mut reads = Vec::new();
        for file in files {
            reads.push(read::changes(&file.to_string_lossy(), &read_input(file)?));
            progress.advance(1);
        }
        Ok(Report::new(reads, &inventory, &baseline))
    }

    fn baseline(&self) -> Result<Baseline, Failure> {
        let mut baseline = Baseline::default();
        for file in &self.baseline {
            baseline.read_accounts(&text(file)?).tell(unusable(file))?;
        }
        for file in &self.receipts {
            baseline.read_receipts(&text(file)?).tell(unusable(file))?;
        }
        if let Some(file) = &self.device_keys {
            baseline.set_cloud(CloudKeys::read(&text(file)?).tell(unusable(file))?);
        }
        self.connector
            .iter()
            .cloned()
            .for_each(|sid| baseline.add_connector(sid));
        baseline.registrars.extend(self.registrar.iter().cloned());
        Ok(baseline)
    }
}

fn unusable(file: &Path) -> String {
    format!("{} cannot be used as a baseline", file.display())
}

fn text(file: &Path) -> Result<String, Failure> {
    Ok(String::from_utf8_lossy(&read_input(file)?).into_owned())
}
