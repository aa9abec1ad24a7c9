//! The words after `pam_tombolo.so` in a PAM configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What an administrator set for one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `helper=`: the program that does the work.
    pub helper: PathBuf,
    /// `config=`: its configuration.
    pub config: PathBuf,
    /// `state=`: the device's state.
    pub state: PathBuf,
    /// `timeout=`: so long the helper may say nothing.
    pub patience: Duration,
    /// `debug`: each step goes to the system's log.
    pub is_debug: bool,
    /// Words that mean nothing here; they are logged, and change nothing.
    pub unknown: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            helper: PathBuf::from("/usr/bin/tombolo"),
            config: PathBuf::from("/etc/tombolo/login.toml"),
            state: PathBuf::from("/var/lib/tombolo/workstation"),
            patience: Duration::from_secs(90),
            is_debug: false,
            unknown: Vec::new(),
        }
    }
}

/// A person needs some seconds to touch a key, and nobody waits for longer than ten minutes.
const PATIENCE_S: std::ops::RangeInclusive<u64> = 1..=600;

impl Options {
    /// Reads the words.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut options = Self::default();
        for word in words {
            let is_known = match word.split_once('=') {
                Some(("helper", path)) => put(&mut options.helper, path),
                Some(("config", path)) => put(&mut options.config, path),
                Some(("state", path)) => put(&mut options.state, path),
                Some(("timeout", seconds)) => match seconds.parse() {
                    Ok(seconds) if PATIENCE_S.contains(&seconds) => {
                        options.patience = Duration::from_secs(seconds);
                        true
                    }
                    _ => false,
                },
                None if word == "debug" => {
                    options.is_debug = true;
                    true
                }
                _ => false,
            };
            if !is_known {
                options.unknown.push(word.chars().take(WORD_MAX).collect());
            }
        }
        options
    }
}

const WORD_MAX: usize = 100;

/// Whoever logs in must not choose what a relative path means.
fn put(place: &mut PathBuf, path: &str) -> bool {
    let is_good = Path::new(path).is_absolute();
    if is_good {
        *place = PathBuf::from(path);
    }
    is_good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_nonsense_changes_nothing() {
        let read = Options::parse([
            "helper=/opt/tombolo",
            "config=/etc/other.toml",
            "state=/var/lib/other",
            "timeout=7",
            "debug",
        ]);
        let wanted = Options {
            helper: PathBuf::from("/opt/tombolo"),
            config: PathBuf::from("/etc/other.toml"),
            state: PathBuf::from("/var/lib/other"),
            patience: Duration::from_secs(7),
            is_debug: true,
            unknown: Vec::new(),
        };
        assert_eq!(read, wanted);
        for word in [
            "nullok",
            "helper=tombolo",
            "helper=",
            "state=../x",
            "timeout=0",
            "timeout=601",
            "timeout=-1",
            "timeout=soon",
            "debug=1",
            "=",
            "",
        ] {
            let wanted = Options {
                unknown: vec![word.to_owned()],
                ..Options::default()
            };
            assert_eq!(Options::parse([word]), wanted, "{word}");
        }
    }
}
