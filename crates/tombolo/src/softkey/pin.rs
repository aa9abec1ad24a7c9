//! Where PINs come from: a file, the environment, or the terminal. Never the command line.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use ctap::Pin;

use crate::io::{Failure, Shell, Tell, environment, read_file};

/// The PIN of the key.
#[derive(Debug, clap::Args)]
pub(crate) struct ShownPin {
    /// Read the PIN from the first line of this file instead of TOMBOLO_PIN or the terminal
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

/// A new PIN, and the old one where there is one.
#[derive(Debug, clap::Args)]
pub(crate) struct NewPin {
    /// Read the new PIN from the first line of this file instead of TOMBOLO_PIN or the terminal
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// Read the old PIN from the first line of this file instead of TOMBOLO_OLD_PIN or the terminal
    #[arg(long, value_name = "FILE")]
    old_pin_file: Option<PathBuf>,
}

impl ShownPin {
    pub(crate) fn read(&self, shell: &Shell) -> Result<Pin, Failure> {
        pin(shell, "PIN", self.pin_file.as_deref(), "TOMBOLO_PIN")
    }
}

impl NewPin {
    pub(crate) fn new_pin(&self, shell: &Shell) -> Result<Pin, Failure> {
        pin(shell, "new PIN", self.pin_file.as_deref(), "TOMBOLO_PIN")
    }

    pub(crate) fn old(&self, shell: &Shell) -> Result<Pin, Failure> {
        pin(
            shell,
            "old PIN",
            self.old_pin_file.as_deref(),
            "TOMBOLO_OLD_PIN",
        )
    }
}

fn pin(shell: &Shell, name: &str, file: Option<&Path>, variable: &str) -> Result<Pin, Failure> {
    let text = match (file, environment(variable)) {
        (Some(file), _) => first_line(&read_file(file)?),
        (None, Some(text)) => text,
        (None, None) => ask(shell, name)?,
    };
    Pin::new(text).map_err(|error| {
        Failure::new(format!("the {name} cannot be used"))
            .why(error)
            .next(format!(
                "set {variable}, name a file, or type it when asked"
            ))
    })
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or_default().to_owned()
}

/// One line from stdin, not shown where stdin is a terminal.
fn ask(shell: &Shell, name: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let _hidden = stdin.is_terminal().then(|| {
        shell.note(format!("{name} (not shown):"));
        Hidden::new()
    });
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .tell(format!("could not read the {name} from stdin"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// As long as this lives, the terminal does not show what is typed.
struct Hidden;

impl Hidden {
    fn new() -> Self {
        echo("-echo");
        Self
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        echo("echo");
    }
}

/// Asks the system's own `stty`, which needs no foreign-function call here. Where there is none, typing is
/// shown and still works.
fn echo(mode: &str) {
    drop(std::process::Command::new("stty").arg(mode).status());
}
