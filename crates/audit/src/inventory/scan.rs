//! The scanner: every `B:<n>:<hex>:<DN>` in a text, whatever surrounds it.
//!
//! The count says how many hex digits to gather, so line breaks and indentation inside them are stepped over.
//! Where the DN ends is a matter of what stands before the value: a quote ends at its quote, a brace at its brace,
//! anything else at the end of the (folded) line or where the next value starts.

use std::borrow::Cow;

use data_encoding::HEXLOWER_PERMISSIVE;
use keycred::{BLOB_BYTES_MAX, DnBinary};
use memchr::memmem;

use super::ldif;
use super::{Broken, Content, Item, Notice, Place, Value};

/// Longest DN that is looked for. Directories stop at far less.
const DN_BYTES_MAX: usize = 16 * 1024;

/// What Windows PowerShell writes into a CSV instead of values.
const TYPE_NAMES: [&str; 4] = [
    "Microsoft.ActiveDirectory.Management.ADPropertyValueCollection",
    "System.DirectoryServices.ResultPropertyValueCollection",
    "System.DirectoryServices.PropertyValueCollection",
    "System.Object[]",
];

pub(super) struct Scanner<'t> {
    source: &'t str,
    text: &'t [u8],
    /// Lines are counted from here on.
    counted_to: usize,
    line: u64,
    has_lines: bool,
    /// The entry that the last `dn:` line before `counted_to` named.
    object: Option<String>,
}

/// A value's bytes and how they were written.
struct Hex {
    bytes: Vec<u8>,
    is_lower: bool,
    /// Where the DN starts.
    end: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(source: &'t str, text: &'t [u8]) -> Self {
        Self {
            source,
            text,
            counted_to: 0,
            line: 1,
            has_lines: true,
            object: None,
        }
    }

    /// For a text that is a single value: places without a line.
    pub(super) fn without_lines(mut self) -> Self {
        self.has_lines = false;
        self
    }

    /// Names the entry that the text belongs to.
    pub(super) fn of_object(mut self, object: Option<String>) -> Self {
        self.object = object;
        self
    }

    pub(super) fn run(mut self, sink: &mut dyn FnMut(Item)) {
        let starts = memmem::Finder::new(b"B:");
        let encoded = ldif::Encoded::new(self.text);
        let mut encoded = encoded.peekable();
        let mut at = 0;
        while let Some(found) = self.text.get(at..).and_then(|rest| starts.find(rest)) {
            let start = at.saturating_add(found);
            while let Some(value) = encoded.next_if(|value| value.start < start) {
                self.encoded(&value, sink);
            }
            at = match self.count(start) {
                Some((count, hex_start)) => self.value(start, count, hex_start, sink),
                None => start.saturating_add(2),
            };
        }
        for value in encoded {
            self.encoded(&value, sink);
        }
        self.type_names(sink);
    }

    /// The `<n>` after `B:`, if this is the start of a value at all.
    fn count(&self, start: usize) -> Option<(usize, usize)> {
        let before = start
            .checked_sub(1)
            .and_then(|before| self.text.get(before));
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let digits_start = start.checked_add(2)?;
        let rest = self.text.get(digits_start..)?;
        let length = rest
            .iter()
            .take(9)
            .take_while(|b| b.is_ascii_digit())
            .count();
        let (digits, rest) = rest.split_at_checked(length)?;
        let count: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
        rest.starts_with(b":")
            .then(|| Some((count, digits_start.checked_add(length)?.checked_add(1)?)))?
    }

    /// Reads one value and returns where to go on.
    fn value(
        &mut self,
        start: usize,
        count: usize,
        hex_start: usize,
        sink: &mut dyn FnMut(Item),
    ) -> usize {
        let (place, object) = self.place(start);
        let hex = match self.hex(count, hex_start) {
            Ok(hex) => hex,
            Err(reason) => {
                sink(Item::Broken(Broken {
                    place,
                    object,
                    reason,
                }));
                return hex_start;
            }
        };
        let (dn, end) = self.dn(start, hex.end);
        sink(Item::Value(Value {
            place,
            object,
            content: Content::Directory {
                value: DnBinary::new(hex.bytes, dn),
                lower_case_hex: hex.is_lower,
            },
        }));
        end
    }

    /// Gathers exactly `count` hex digits, over line breaks, and the colon after them.
    fn hex(&self, count: usize, start: usize) -> Result<Hex, String> {
        if count > 2 * BLOB_BYTES_MAX {
            return Err(format!(
                "the value claims {count} hex digits; no directory holds such values"
            ));
        }
        let rest = self.text.get(start..).unwrap_or_default();
        if rest.starts_with(b"%%14672:") || rest.starts_with(b"<Binary>") {
            return Err(format!(
                "this is an event's record of a value of {count} hex digits, without its bytes; read the value itself from the directory"
            ));
        }
        let mut digits = Cow::Borrowed(rest.get(..count).unwrap_or(rest));
        let mut used = digits.len();
        if digits.len() < count || !digits.iter().all(u8::is_ascii_hexdigit) {
            (digits, used) = unfolded(rest, count);
        }
        if digits.len() < count {
            let next = rest.get(used..).unwrap_or_default();
            let has = digits.len();
            return Err(match next {
                [b'.', b'.', b'.', ..] | [0xE2, 0x80, 0xA6, ..] => format!(
                    "the value is cut with '...' after {has} of {count} hex digits, as a default PowerShell view does; export it whole, for example with ConvertTo-Json"
                ),
                [] => format!("the value ends after {has} of {count} hex digits; export it whole"),
                _ => format!("after {has} of {count} hex digits comes something that is not hex"),
            });
        }
        let after = rest.get(used..).unwrap_or_default();
        let fold = ldif::fold_bytes(after, false).unwrap_or_default();
        match after.get(fold) {
            Some(b':') => {}
            Some(byte) if byte.is_ascii_hexdigit() => {
                return Err(format!(
                    "the value has more hex digits than the {count} it says"
                ));
            }
            _ => return Err("there is no colon after the hex digits".to_owned()),
        }
        let is_lower = digits.iter().any(|digit| matches!(digit, b'a'..=b'f'));
        let bytes = HEXLOWER_PERMISSIVE
            .decode(&digits)
            .map_err(|_| format!("{count} hex digits do not make whole bytes"))?;
        Ok(Hex {
            bytes,
            is_lower,
            end: start
                .saturating_add(used)
                .saturating_add(fold)
                .saturating_add(1),
        })
    }

    /// The DN of the value that starts at `start`, and where the text goes on.
    fn dn(&self, start: usize, from: usize) -> (String, usize) {
        let opened_by = start
            .checked_sub(1)
            .and_then(|before| self.text.get(before))
            .copied();
        let is_braced = opened_by == Some(b'{') || self.is_in_braces(start);
        let limit = from.saturating_add(DN_BYTES_MAX).min(self.text.len());
        let mut dn = Vec::new();
        let mut at = from;
        while at < limit {
            let rest = self.text.get(at..limit).unwrap_or_default();
            let Some(&byte) = rest.first() else { break };
            let is_escaped = dn.last() == Some(&b'\\');
            match byte {
                b'"' | b'\'' if opened_by == Some(byte) && !is_escaped => break,
                b'}' if is_braced && !is_escaped => break,
                b'\r' | b'\n' => match ldif::fold_bytes(rest, is_braced) {
                    Some(fold) if !starts_value(rest.get(fold..).unwrap_or_default()) => {
                        at = at.saturating_add(fold);
                        continue;
                    }
                    _ => break,
                },
                b' ' | b',' | b';' | b'|' | b'\t' if next_value(rest) => break,
                _ => dn.push(byte),
            }
            at = at.saturating_add(1);
        }
        let dn = String::from_utf8_lossy(&dn);
        (dn.trim_end().to_owned(), at)
    }

    /// PowerShell's list view: `name : {B:..., B:...}` over many lines.
    fn is_in_braces(&self, start: usize) -> bool {
        let before = self.text.get(start.saturating_sub(2)..start);
        before.is_some_and(|before| before == b", ") && {
            let line = self.text.get(..start).unwrap_or_default();
            let window = line
                .get(line.len().saturating_sub(64 * 1024)..)
                .unwrap_or(line);
            memchr::memrchr2(b'{', b'}', window).and_then(|at| window.get(at)) == Some(&b'{')
        }
    }

    /// A base64 value of LDIF.
    fn encoded(&mut self, value: &ldif::EncodedValue, sink: &mut dyn FnMut(Item)) {
        let (place, object) = self.place(value.start);
        let item = match value.decoded() {
            Ok(decoded) => {
                let is_lower = decoded.is_lower;
                Item::Value(Value {
                    place,
                    object,
                    content: Content::Directory {
                        value: decoded.value,
                        lower_case_hex: is_lower,
                    },
                })
            }
            Err(reason) => Item::Broken(Broken {
                place,
                object,
                reason,
            }),
        };
        sink(item);
    }

    fn type_names(&mut self, sink: &mut dyn FnMut(Item)) {
        for name in TYPE_NAMES {
            if let Some(at) = memmem::find(self.text, name.as_bytes()) {
                let place = Place {
                    source: self.source.to_owned(),
                    line: self.has_lines.then(|| count_lines(self.text.get(..at))),
                    path: None,
                };
                sink(Item::Notice(Notice {
                    place,
                    sentence: format!(
                        "the export holds PowerShell's type name {name} where values belong; export with ConvertTo-Json, or join the values into a string first"
                    ),
                }));
            }
        }
    }

    /// Counts lines up to `at`, and takes note of `dn:` lines on the way.
    fn place(&mut self, at: usize) -> (Place, Option<String>) {
        let passed = self.text.get(self.counted_to..at).unwrap_or_default();
        let newlines = memchr::memchr_iter(b'\n', passed).count();
        self.line = self
            .line
            .saturating_add(u64::try_from(newlines).unwrap_or_default());
        if let Some(object) = ldif::last_dn(self.text, self.counted_to, at) {
            self.object = Some(object);
        }
        self.counted_to = self.counted_to.max(at);
        let place = Place {
            source: self.source.to_owned(),
            line: self.has_lines.then_some(self.line),
            path: None,
        };
        (place, self.object.clone())
    }
}

/// Hex digits over folded lines: the digits, and how far they reach.
fn unfolded(rest: &[u8], count: usize) -> (Cow<'_, [u8]>, usize) {
    let mut digits = Vec::with_capacity(count.min(4096));
    let mut used = 0;
    while digits.len() < count {
        let rest = rest.get(used..).unwrap_or_default();
        let run = rest
            .iter()
            .take(count.saturating_sub(digits.len()))
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        digits.extend_from_slice(rest.get(..run).unwrap_or_default());
        used = used.saturating_add(run);
        let after = rest.get(run..).unwrap_or_default();
        match ldif::fold_bytes(after, true) {
            Some(fold) if digits.len() < count => used = used.saturating_add(fold),
            _ => break,
        }
    }
    (Cow::Owned(digits), used)
}

/// Whether a value starts here.
fn starts_value(text: &[u8]) -> bool {
    text.strip_prefix(b"B:").is_some_and(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && rest.get(digits) == Some(&b':')
    })
}

/// Whether only separators stand between here and the next value.
fn next_value(text: &[u8]) -> bool {
    let separators =
        |byte: &&u8| matches!(**byte, b' ' | b',' | b';' | b'|' | b'\t' | b'"' | b'\'');
    let skipped = text.iter().take(8).take_while(separators).count();
    starts_value(text.get(skipped..).unwrap_or_default())
}

fn count_lines(text: Option<&[u8]>) -> u64 {
    let newlines = memchr::memchr_iter(b'\n', text.unwrap_or_default()).count();
    u64::try_from(newlines)
        .unwrap_or_default()
        .saturating_add(1)
}
