//! JSON Lines: one value a line, and a broken line does not hide the others.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A line that is not a value of the wanted kind.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not a {what}: {reason}")]
pub struct BrokenLine {
    /// Its number, from 1.
    pub line: usize,
    /// What was expected.
    pub what: &'static str,
    /// What the JSON reader says.
    pub reason: String,
}

/// Reads the values of a text, line by line. Empty lines are passed over.
pub struct Lines<'a, T> {
    rest: std::iter::Enumerate<std::str::Lines<'a>>,
    what: PhantomData<T>,
}

impl<'a, T: DeserializeOwned> Lines<'a, T> {
    /// Over the lines of `text`.
    pub fn new(text: &'a str) -> Self {
        Self {
            rest: text.lines().enumerate(),
            what: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Iterator for Lines<'_, T> {
    type Item = Result<T, BrokenLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let (index, line) = self.rest.find(|(_, line)| !line.trim().is_empty())?;
        Some(serde_json::from_str(line).map_err(|error| {
            BrokenLine {
                line: index.saturating_add(1),
                what: std::any::type_name::<T>()
                    .rsplit("::")
                    .next()
                    .unwrap_or("record"),
                reason: error.to_string(),
            }
        }))
    }
}

/// Writes one value as a line, with its end.
pub fn to_line<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    Ok(line)
}
