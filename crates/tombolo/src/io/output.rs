//! Stdout that survives a closed pipe, tables, JSON, and progress on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::{Failure, Tell};

/// Where a command writes its results, and how it shows that it is alive.
///
/// When the reader of stdout goes away (`tombolo … | head`), further output is dropped and the command
/// still ends with its own exit code.
pub(crate) struct Shell {
    out: Box<dyn Write>,
    is_closed: bool,
    shows_progress: bool,
}

impl Shell {
    /// The process's own stdout and stderr.
    pub(crate) fn new(shows_progress: bool) -> Self {
        Self {
            out: Box::new(io::BufWriter::new(io::stdout())),
            is_closed: false,
            shows_progress: shows_progress && io::stderr().is_terminal(),
        }
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        self.write(|out| writeln!(out, "{text}"))
    }

    /// A value as indented JSON, and a line end.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text =
            serde_json::to_string_pretty(value).tell("could not write the result as JSON")?;
        self.line(text)
    }

    /// A value as one line of JSON.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).tell("could not write the result as JSON")?;
        self.line(text)
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.write(|out| out.write_all(bytes))
    }

    /// Hands everything written so far to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.write(|out| out.flush())
    }

    /// Whether the reader of stdout went away.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// One line for the person at the terminal, on stderr, apart from the results.
    pub(crate) fn note(&self, text: impl Display) {
        // A closed stderr is no reason to stop.
        drop(writeln!(io::stderr(), "{text}"));
    }

    /// A bar for work of a known length, a spinner otherwise; silent where stderr is no terminal.
    pub(crate) fn progress(&self, label: &str, total: Option<u64>) -> Progress {
        Progress::new(self.shows_progress, label, total)
    }

    fn write(&mut self, act: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        if self.is_closed {
            return Ok(());
        }
        match act(self.out.as_mut()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            other => other.tell("could not write to stdout"),
        }
    }
}

/// Progress on stderr. It vanishes when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    fn new(is_visible: bool, label: &str, total: Option<u64>) -> Self {
        let target = if is_visible {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = match total {
            Some(_) => "{msg} [{bar:30}] {pos}/{len} {eta}",
            None => "{spinner} {msg} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(label.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// `count` more units are done.
    pub(crate) fn advance(&self, count: u64) {
        self.0.inc(count);
    }

    /// Says what is being done now.
    pub(crate) fn label(&self, label: impl Into<String>) {
        self.0.set_message(label.into());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// One line under the header and none elsewhere: rows stay easy to copy and to grep.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// An empty table in the style of all commands, as wide as the terminal allows.
pub(crate) fn table<'a>(headers: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headers);
    table
}

/// `1 record`, `2 records`.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(number: N, what: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct ClosedPipe;

    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let mut shell = Shell {
            out: Box::new(ClosedPipe),
            is_closed: false,
            shows_progress: false,
        };
        shell.line("lost").unwrap();
        shell.line("lost too").unwrap();
        assert!(shell.is_closed);
    }
}
