//! LDIF (RFC 2849): folded lines, `dn:` lines, base64 values, `;range=` options.

use data_encoding::BASE64;
use keycred::{BLOB_BYTES_MAX, DnBinary};
use memchr::memmem;

/// How many bytes a line break with indentation takes, when the text goes on after it. LDIF and ldapsearch indent
/// by one space; other tools by many, which `any_indentation` admits.
pub(super) fn fold_bytes(text: &[u8], any_indentation: bool) -> Option<usize> {
    let newline = match text {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => return None,
    };
    let after = text.get(newline..)?;
    let spaces = after
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let spaces = match (spaces, any_indentation) {
        (0, _) => return None,
        (_, true) => spaces,
        (_, false) => 1,
    };
    // A line of nothing but spaces is no continuation.
    match after.get(spaces) {
        None | Some(b'\r' | b'\n') => None,
        Some(_) => newline.checked_add(spaces),
    }
}

/// The entry named by the last `dn:` line that starts between `from` and `to`.
pub(super) fn last_dn(text: &[u8], from: usize, to: usize) -> Option<String> {
    let window = text.get(from..to)?;
    let starts_line = |at: usize| at == 0 || text.get(at.saturating_sub(1)) == Some(&b'\n');
    let mut found = memmem::rfind_iter(window, b"dn:")
        .map(|at| from.saturating_add(at))
        .filter(|at| starts_line(*at));
    let at = found.next()?;
    let (line, _) = unfolded_line(text.get(at..)?);
    let value = line.get(3..)?;
    let value = match value.strip_prefix(b":") {
        Some(encoded) => BASE64.decode(encoded.trim_ascii()).ok()?,
        None => value.trim_ascii().to_vec(),
    };
    Some(String::from_utf8_lossy(&value).into_owned())
}

/// A line with its continuations, from the start of `text`, and how many bytes it took.
fn unfolded_line(text: &[u8]) -> (Vec<u8>, usize) {
    let mut line = Vec::new();
    let text = text
        .get(..text.len().min(4 * BLOB_BYTES_MAX))
        .unwrap_or(text);
    let mut rest = text;
    loop {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        line.extend_from_slice(piece.strip_suffix(b"\r").unwrap_or(piece));
        match fold_bytes(tail, false).and_then(|fold| tail.get(fold..)) {
            Some(next) => rest = next,
            None => return (line, text.len().saturating_sub(tail.len())),
        }
    }
}

/// Values of `msDS-KeyCredentialLink` in base64, as LDIF writes those whose DN is not ASCII.
pub(super) struct Encoded<'t> {
    text: &'t [u8],
    at: usize,
}

/// Such a value, still encoded.
pub(super) struct EncodedValue {
    pub(super) start: usize,
    base64: Vec<u8>,
}

/// What came out of it.
pub(super) struct Decoded {
    pub(super) value: DnBinary,
    pub(super) is_lower: bool,
}

const ATTRIBUTE: &[u8] = b"KeyCredentialLink";

impl<'t> Encoded<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }
}

impl Iterator for Encoded<'_> {
    type Item = EncodedValue;

    fn next(&mut self) -> Option<EncodedValue> {
        loop {
            let rest = self.text.get(self.at..)?;
            let start = self.at.checked_add(memmem::find(rest, ATTRIBUTE)?)?;
            self.at = start.checked_add(ATTRIBUTE.len())?;
            let rest = self.text.get(self.at..)?;
            // An option such as `;range=0-1499` may stand before the colons.
            let options = rest
                .iter()
                .take(64)
                .take_while(|byte| !matches!(byte, b':' | b'\n' | b' '))
                .count();
            let is_option = options == 0 || rest.first() == Some(&b';');
            let Some(encoded) = rest
                .get(options..)
                .and_then(|rest| rest.strip_prefix(b":: "))
            else {
                continue;
            };
            if is_option {
                let (base64, used) = unfolded_line(encoded);
                // Nothing else stands on this line; looking at it again would make long lines slow.
                self.at = self.at.checked_add(options)?.checked_add(used)?;
                return Some(EncodedValue { start, base64 });
            }
        }
    }
}

impl EncodedValue {
    pub(super) fn decoded(&self) -> Result<Decoded, String> {
        let bytes = BASE64
            .decode(self.base64.trim_ascii())
            .map_err(|_| "the base64 of this value is broken or cut; export it whole".to_owned())?;
        let text = String::from_utf8_lossy(&bytes);
        let value: DnBinary = text.parse().map_err(|error| format!("{error}"))?;
        let hex = text.split(':').nth(2).unwrap_or_default();
        Ok(Decoded {
            value,
            is_lower: hex.bytes().any(|digit| matches!(digit, b'a'..=b'f')),
        })
    }
}
