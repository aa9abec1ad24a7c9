//! Reads change events from text: JSON in any nesting, JSON Lines, XML. Every record is recognised by itself,
//! so a file may mix them; a broken record is named and the others are still read.
//!
//! Lines without the attribute's name are passed over unread: that is nearly all of a security log, and is what
//! makes reading fast.

mod fields;
mod json;
mod value;
mod windows;
mod xml;

use memchr::memmem;

use crate::{ATTRIBUTE, ATTRIBUTE_GUID, Sighting};

pub use value::{InvalidValue, value};

/// What was read from one file.
#[derive(Debug, Default)]
pub struct Read {
    /// Changes of key credentials, in the order of the file.
    pub sightings: Vec<Sighting>,
    /// Records that could not be read, the first of each file up to a limit.
    pub broken: Vec<Broken>,
    /// How many records could not be read.
    pub broken_count: usize,
    /// Records about something else.
    pub passed_over: usize,
}

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{source_name}:{line}: {reason}")]
pub struct Broken {
    /// The file.
    #[serde(rename = "source")]
    pub source_name: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Only so many broken records are named; all are counted.
const BROKEN_NAMED_MAX: usize = 50;
/// One record of an event log is far smaller; what is larger is no record.
const RECORD_BYTES_MAX: usize = 4 << 20;

/// Reads all changes of key credentials in `bytes`. `source` names the file in results.
pub fn changes(source: &str, bytes: &[u8]) -> Read {
    let mut reader = Reader {
        source,
        read: Read::default(),
        names: [
            ATTRIBUTE.to_owned(),
            ATTRIBUTE_GUID.to_owned(),
            ATTRIBUTE_GUID.to_uppercase(),
        ]
        .map(|name| memmem::Finder::new(&name).into_owned()),
        next_event_end: None,
        is_recognised: false,
    };
    if bytes.starts_with(b"ElfFile\0") {
        reader.break_at(
            1,
            "this is a binary event log; convert it first: evtx_dump -o jsonl FILE",
        );
        return reader.read;
    }
    match text_of(bytes) {
        Ok(text) => {
            reader.read_text(&text);
            // A file of another kind must not look like a log in which nothing happened.
            if !reader.is_recognised && !text.trim().is_empty() && reader.read.broken_count == 0 {
                reader.break_at(
                    1,
                    "no record was found: the directory's own records are read, and Windows events as JSON or XML",
                );
            }
        }
        Err(reason) => reader.break_at(1, reason),
    }
    reader.read
}

/// UTF-8 as it is, UTF-16 (what PowerShell's `>` writes) converted.
fn text_of(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, &'static str> {
    let wide = |units: &[u8], read: fn([u8; 2]) -> u16| {
        let units = units.as_chunks::<2>().0.iter().map(|pair| read(*pair));
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => Ok(std::borrow::Cow::Owned(wide(rest, u16::from_le_bytes))),
        [0xFE, 0xFF, rest @ ..] => Ok(std::borrow::Cow::Owned(wide(rest, u16::from_be_bytes))),
        [0xEF, 0xBB, 0xBF, rest @ ..] => Ok(String::from_utf8_lossy(rest)),
        [0x1F, 0x8B, ..] => Err("this is compressed; unpack it first: gunzip -c FILE | ... -"),
        _ => Ok(String::from_utf8_lossy(bytes)),
    }
}

struct Reader<'a> {
    source: &'a str,
    read: Read,
    /// What makes a record worth parsing: event 4662 has the attribute's GUID instead of its name.
    names: [memmem::Finder<'static>; 3],
    /// How much of the text is left behind the next `</Event>`, `None` before the first search. Remembering it
    /// keeps a file of broken events from being searched again and again.
    next_event_end: Option<EventEnd>,
    /// Whether anything looked like a record.
    is_recognised: bool,
}

/// Where the next end of an event is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EventEnd {
    /// This many bytes of the text come after it.
    Before(usize),
    /// There is none any more.
    Nowhere,
}

impl Reader<'_> {
    fn read_text(&mut self, text: &str) {
        let mut rest = text;
        let mut line = 1;
        while !rest.is_empty() {
            let taken = self.read_record(rest, line).clamp(1, rest.len());
            // A cut inside a character cannot happen: records end at ASCII.
            let Some((record, tail)) = rest.split_at_checked(taken) else {
                return;
            };
            line += memchr::memchr_iter(b'\n', record.as_bytes()).count();
            rest = tail;
        }
    }

    /// Reads the record at the front of `rest`, and says how many bytes it took.
    fn read_record(&mut self, rest: &str, line: usize) -> usize {
        let line_end = memchr::memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
        let first_line = rest.get(..line_end).unwrap_or(rest);
        let first = first_line.trim_start().as_bytes().first();
        self.is_recognised |= matches!(first, Some(b'{' | b'[' | b'<'));
        match first {
            Some(b'{') if first_line.trim_end().ends_with('}') => {
                self.read_json_line(first_line.trim(), line);
                line_end
            }
            Some(b'{' | b'[') => self.read_json_document(rest, line, line_end),
            Some(b'<') => self.read_xml(rest, line, line_end),
            // Headings between records ("Record 17") and empty lines.
            _ => {
                if self.is_wanted(first_line) {
                    self.break_at(line, "it names the attribute, but is neither JSON nor XML");
                }
                line_end
            }
        }
    }

    fn read_json_line(&mut self, text: &str, line: usize) {
        if !self.is_wanted(text) {
            self.read.passed_over += 1;
            return;
        }
        if text.len() > RECORD_BYTES_MAX {
            return self.break_at(line, "a record larger than 4 MiB");
        }
        match json::sightings(self.source, line, text) {
            Ok(found) => self.keep(found),
            Err(reason) => self.break_at(line, reason),
        }
    }

    /// JSON over several lines, or an array of records.
    fn read_json_document(&mut self, rest: &str, line: usize, line_end: usize) -> usize {
        match json::document(self.source, line, rest) {
            Ok((found, taken)) => {
                for record in found {
                    match record {
                        Ok(sightings) => self.keep(sightings),
                        Err(reason) => self.break_at(line, reason),
                    }
                }
                taken
            }
            Err(reason) => {
                self.break_at(line, reason);
                line_end
            }
        }
    }

    fn read_xml(&mut self, rest: &str, line: usize, line_end: usize) -> usize {
        let first_line = rest.get(..line_end).unwrap_or(rest);
        let Some(start) = xml::event_start(first_line) else {
            return line_end;
        };
        let end = self.event_end(rest).filter(|end| *end > start);
        let event = end.and_then(|end| rest.get(start..end));
        match event.filter(|event| event.len() <= RECORD_BYTES_MAX) {
            None => {
                if self.is_wanted(first_line) {
                    self.break_at(line, "an <Event> without its end, or larger than 4 MiB");
                }
                return line_end;
            }
            // The next event begins before this one ends: this one was cut.
            Some(event) if let Some(inner) = inner_start(event) => {
                if self.is_wanted(event.get(..inner).unwrap_or_default()) {
                    self.break_at(line, "an <Event> without its end");
                }
                return start + inner;
            }
            Some(event) if !self.is_wanted(event) => self.read.passed_over += 1,
            Some(event) => {
                let fields = xml::fields(event);
                match windows::sighting(self.source, line, crate::Form::WindowsXml, &fields) {
                    Ok(found) => self.keep(found.into_iter().collect()),
                    Err(reason) => self.break_at(line, reason),
                }
            }
        }
        end.unwrap_or(line_end)
    }

    /// Where the next event ends in `rest`.
    fn event_end(&mut self, rest: &str) -> Option<usize> {
        if let Some(EventEnd::Before(after)) = self.next_event_end
            && after >= rest.len()
        {
            self.next_event_end = None;
        }
        let known = *self
            .next_event_end
            .get_or_insert_with(|| match rest.find(xml::EVENT_END) {
                Some(at) => EventEnd::Before(rest.len().saturating_sub(at + xml::EVENT_END.len())),
                None => EventEnd::Nowhere,
            });
        match known {
            EventEnd::Before(after) => rest.len().checked_sub(after),
            EventEnd::Nowhere => None,
        }
    }

    fn is_wanted(&self, record: &str) -> bool {
        self.names
            .iter()
            .any(|name| name.find(record.as_bytes()).is_some())
    }

    fn keep(&mut self, found: Vec<Sighting>) {
        if found.is_empty() {
            self.read.passed_over += 1;
        }
        self.read.sightings.extend(found);
    }

    fn break_at(&mut self, line: usize, reason: impl Into<String>) {
        self.read.broken_count += 1;
        if self.read.broken.len() < BROKEN_NAMED_MAX {
            let source_name = self.source.to_owned();
            self.read.broken.push(Broken {
                source_name,
                line,
                reason: reason.into(),
            });
        }
    }
}

/// Where a second event begins inside an event.
fn inner_start(event: &str) -> Option<usize> {
    let at = xml::event_start(event.get(1..)?)?;
    at.checked_add(1)
}
