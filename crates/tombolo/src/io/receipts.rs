//! A file of receipts: what an administrator's command wrote, so that detection knows it later.

use std::io::Write;
use std::path::{Path, PathBuf};

use events::{Lines, Receipt, to_line};

use super::{Failure, Tell};

/// JSON Lines that are only ever appended to.
#[derive(Debug)]
pub(crate) struct ReceiptFile {
    path: PathBuf,
    file: std::fs::File,
    sequence: u64,
}

impl ReceiptFile {
    /// Opens the file, or makes it, before anything is written that needs a receipt.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let what = || format!("could not open the receipts {}", path.display());
        let mut options = std::fs::OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).tell(what())?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file, &mut text).tell(what())?;
        let mut sequence = 0;
        for receipt in Lines::<Receipt>::new(&text) {
            let receipt = receipt.map_err(|error| {
                Failure::new(what())
                    .why(error)
                    .next("name another file with --receipts; this one is left as it is")
            })?;
            sequence = sequence.max(receipt.sequence);
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            sequence,
        })
    }

    /// Appends a receipt with the next number, and waits until it is on the disk.
    pub(crate) fn append(&mut self, mut receipt: Receipt) -> Result<(), Failure> {
        let what = || format!("could not write a receipt to {}", self.path.display());
        self.sequence = self.sequence.saturating_add(1);
        receipt.sequence = self.sequence;
        let line = to_line(&receipt).tell(what())?;
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .tell(what())
    }
}
