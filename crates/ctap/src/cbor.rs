//! CTAP2 canonical CBOR (CTAP 2.1, section 8): written in one order only, read with bounds.

use ciborium::Value;

use crate::error::Malformed;

/// Deepest accepted nesting. CTAP allows four levels in a message; certificates never nest.
const DEPTH_MAX: usize = 12;

/// Encodes with every map in canonical order.
pub(crate) fn encode(value: Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // INVARIANT: writing a `Value` to a `Vec` cannot fail.
    ciborium::into_writer(&canonical(value), &mut bytes).unwrap_or_default();
    bytes
}

/// A map of the entries that are there.
pub(crate) fn map<K: Into<Value>, const N: usize>(entries: [(K, Option<Value>); N]) -> Value {
    let entries = entries.into_iter();
    Value::Map(
        entries
            .filter_map(|(key, value)| Some((key.into(), value?)))
            .collect(),
    )
}

/// Reads one value that fills `bytes`.
pub(crate) fn decode(bytes: &[u8], what: &'static str) -> Result<Value, Malformed> {
    let (value, length) = decode_prefix(bytes, what)?;
    match bytes.len() == length {
        true => Ok(value),
        false => Err(Malformed::Trailing {
            what,
            offset: length,
        }),
    }
}

/// Reads one value from the front of `bytes`, and says how long it was.
pub(crate) fn decode_prefix(bytes: &[u8], what: &'static str) -> Result<(Value, usize), Malformed> {
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH_MAX)
        .map_err(|_| Malformed::Cbor { what })?;
    Ok((value, bytes.len().saturating_sub(rest.len())))
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries
                .into_iter()
                .map(|(key, value)| (order_of(&key), key, canonical(value)))
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Map(
                entries
                    .into_iter()
                    .map(|(_, key, value)| (key, value))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        other => other,
    }
}

/// Lower major type first, then the shorter encoding, then byte order.
fn order_of(key: &Value) -> (u8, usize, Vec<u8>) {
    let mut bytes = Vec::new();
    // INVARIANT: writing a `Value` to a `Vec` cannot fail.
    ciborium::into_writer(key, &mut bytes).unwrap_or_default();
    (
        bytes.first().map_or(0, |byte| byte >> 5),
        bytes.len(),
        bytes,
    )
}

/// The entries of a map, taken out one by one under their names.
pub(crate) struct Fields {
    what: &'static str,
    entries: Vec<(Value, Value)>,
}

impl Fields {
    pub(crate) fn decode(bytes: &[u8], what: &'static str) -> Result<Self, Malformed> {
        Self::of(decode(bytes, what)?, what)
    }

    pub(crate) fn of(value: Value, what: &'static str) -> Result<Self, Malformed> {
        match value {
            Value::Map(entries) => Ok(Self { what, entries }),
            _ => Err(Malformed::Form {
                what,
                wanted: "a map",
            }),
        }
    }

    pub(crate) fn take(&mut self, key: impl Into<Value>) -> Option<Value> {
        let key = key.into();
        let at = self.entries.iter().position(|(name, _)| *name == key)?;
        Some(self.entries.swap_remove(at).1)
    }

    /// Takes a field and reads it, where it is there.
    pub(crate) fn read<T>(
        &mut self,
        key: impl Into<Value>,
        wanted: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let key = key.into();
        let Some(value) = self.take(key.clone()) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or_else(|| Malformed::Field {
            what: self.what,
            field: name_of(&key),
            wanted,
        })
    }

    /// Takes a field that must be there.
    pub(crate) fn require<T>(
        &mut self,
        key: impl Into<Value>,
        wanted: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<T, Malformed> {
        let key = key.into();
        let what = self.what;
        self.read(key.clone(), wanted, read)?
            .ok_or_else(|| Malformed::Missing {
                what,
                field: name_of(&key),
            })
    }

    pub(crate) fn bytes(&mut self, key: impl Into<Value>) -> Result<Option<Vec<u8>>, Malformed> {
        self.read(key, "a byte string", |value| value.into_bytes().ok())
    }

    pub(crate) fn text(&mut self, key: impl Into<Value>) -> Result<Option<String>, Malformed> {
        self.read(key, "text", |value| value.into_text().ok())
    }

    pub(crate) fn number(&mut self, key: impl Into<Value>) -> Result<Option<u32>, Malformed> {
        self.read(key, "a small number", number)
    }

    pub(crate) fn flag(&mut self, key: impl Into<Value>) -> Result<Option<bool>, Malformed> {
        self.read(key, "true or false", |value| value.into_bool().ok())
    }
}

pub(crate) fn number(value: Value) -> Option<u32> {
    u32::try_from(value.as_integer()?).ok()
}

pub(crate) fn bytes_of<const N: usize>(value: Value) -> Option<[u8; N]> {
    value.into_bytes().ok()?.try_into().ok()
}

fn name_of(key: &Value) -> String {
    match key {
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Text(text) => text.clone(),
        _ => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_written_in_canonical_order() {
        let check = |keys: &[Value], expect: &str| {
            let entries = keys
                .iter()
                .map(|key| (key.clone(), Value::Bool(true)))
                .collect();
            let hex = data_encoding::HEXLOWER.encode(&encode(Value::Map(entries)));
            assert_eq!(hex, expect);
        };
        let n = |number: i64| Value::from(number);
        let t = |text: &str| Value::from(text);
        check(&[n(-3), n(3), n(-1), n(1), n(-2)], "a501f503f520f521f522f5");
        check(&[n(10), n(1), n(255)], "a301f50af518fff5");
        check(
            &[t("uv"), t("rk"), t("a"), n(-300)],
            "a439012bf56161f562726bf5627576f5",
        );
    }

    #[test]
    fn bombs_are_refused() {
        let check = |bytes: Vec<u8>| assert!(decode(&bytes, "test").is_err());
        check(vec![0x81; 7000]);
        check(vec![0xC1; 7000]);
        check([vec![0x9B], vec![0xFF; 8]].concat());
        check([vec![0x5B], vec![0x7F; 8]].concat());
        check([vec![0xBB], vec![0xFF; 8]].concat());
        check(vec![0xF6, 0xF6]);
        check(vec![]);
    }
}
