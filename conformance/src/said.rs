//! What a foreign program said.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// How a program ended, and all that it wrote.
#[derive(Debug, Clone)]
pub struct Said {
    /// It ended with 0.
    pub good: bool,
    /// What it wrote to standard output, then what it wrote to standard error.
    pub text: String,
}

impl Said {
    /// Runs a program to its end, with this input.
    ///
    /// # Panics
    /// When it cannot be started.
    #[expect(
        clippy::expect_used,
        reason = "a judge that cannot be started has failed"
    )]
    pub fn of(command: &mut Command, input: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input has its reasons.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().expect("the program ends");
        let text = [output.stdout, output.stderr].concat();
        Self {
            good: output.status.success(),
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }

    /// The text of a program that succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn well(self) -> String {
        assert!(self.good, "{}", self.text);
        self.text
    }

    /// A program that failed with these words.
    ///
    /// # Panics
    /// When it succeeded, or failed with other words.
    #[track_caller]
    pub fn refused(self, words: &str) {
        assert!(!self.good, "it was not refused: {}", self.text);
        assert!(
            self.text.contains(words),
            "'{words}' is missing in: {}",
            self.text
        );
    }
}
