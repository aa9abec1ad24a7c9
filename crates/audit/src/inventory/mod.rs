//! Finds key credentials in text of any kind, and says where each one was.
//!
//! JSON is read as JSON, everything else by one scanner for `B:<n>:<hex>:` that knows how LDIF, ldapsearch and
//! PowerShell fold lines. One broken value never costs the others: it becomes an [`Item::Broken`] with its place.

mod json;
mod ldif;
mod scan;
mod text;

use std::fmt;

use keycred::{DnBinary, SearchableDeviceKey};

/// What a reader hands out, in the order of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A value with all its bytes. Whether they are a readable blob is the next question.
    Value(Value),
    /// Something that was meant to be a value.
    Broken(Broken),
    /// Something about the input that the user should know.
    Notice(Notice),
}

/// A value that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Where it stood.
    pub place: Place,
    /// The entry that it stood in, where the input names one.
    pub object: Option<String>,
    /// The value.
    pub content: Content,
}

/// The forms that a value comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A value of `msDS-KeyCredentialLink`.
    Directory {
        /// Bytes and the object they are linked to.
        value: DnBinary,
        /// Whether its hex was in lower case, which no directory writes.
        lower_case_hex: bool,
    },
    /// A member of the cloud's `searchableDeviceKey`.
    Cloud(Box<SearchableDeviceKey>),
}

/// A value that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where it stood.
    pub place: Place,
    /// The entry that it stood in, where the input names one.
    pub object: Option<String>,
    /// What is wrong, and what to do about it.
    pub reason: String,
}

/// Something about the input as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Where.
    pub place: Place,
    /// What, and what to do about it.
    pub sentence: String,
}

/// Where in the input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The file as the user named it, `stdin`, or `argument 1` for a value on the command line.
    pub source: String,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The way to it in a JSON document, `[0].searchableDeviceKey[2]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(path) = &self.path {
            write!(f, " at {path}")?;
        }
        Ok(())
    }
}

/// Reads a whole input. `source` is its name for the user.
pub fn read(source: &str, bytes: &[u8], sink: &mut dyn FnMut(Item)) {
    let text = text::decoded(bytes);
    if json::read(source, &text, sink) {
        return;
    }
    scan::Scanner::new(source, &text).run(sink);
}

/// Reads one value that was given as such, for instance on a command line.
pub fn read_value(source: &str, text: &str, sink: &mut dyn FnMut(Item)) {
    scan::Scanner::new(source, text.as_bytes())
        .without_lines()
        .run(sink);
}
