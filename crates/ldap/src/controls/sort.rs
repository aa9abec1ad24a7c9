//! Server side sorting (RFC 2891).

use super::{Control, SORT_REQUEST, SORT_RESPONSE};
use crate::ber::{BOOLEAN, ENUMERATED, OCTET_STRING, Reader, SEQUENCE, Writer};
use crate::{DecodeError, ResultCode};

/// Most keys of one request. AD takes one.
const KEYS_MAX: usize = 16;
const ORDERING_RULE: u8 = 0x80;
const REVERSE_ORDER: u8 = 0x81;
const RESPONSE_ATTRIBUTE: u8 = 0x80;

/// An attribute to sort by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SortKey {
    /// The attribute.
    pub attribute: String,
    /// The matching rule, if not the attribute's own.
    pub rule: Option<String>,
    /// Largest first.
    pub reverse: bool,
}

impl SortKey {
    /// Reads the request's value.
    pub fn decode_list(value: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut list = Reader::new(value).expect(SEQUENCE, "sort keys")?;
        let mut keys = Vec::new();
        while !list.is_empty() {
            if keys.len() == KEYS_MAX {
                return Err(DecodeError::Limit {
                    what: "sort keys",
                    limit: KEYS_MAX,
                });
            }
            let mut key = list.expect(SEQUENCE, "sort key")?;
            let attribute = key.string(OCTET_STRING, "sort attribute")?;
            let rule = match key.optional(ORDERING_RULE, "ordering rule")? {
                Some(rule) => Some(rule.text("ordering rule")?),
                None => None,
            };
            let reverse = match key.peek() {
                Some(REVERSE_ORDER) => key.boolean(REVERSE_ORDER, "reverse order")?,
                // Some clients write a universal BOOLEAN.
                Some(BOOLEAN) => key.boolean(BOOLEAN, "reverse order")?,
                _ => false,
            };
            keys.push(Self {
                attribute,
                rule,
                reverse,
            });
        }
        Ok(keys)
    }

    /// The request's control.
    pub fn to_control(keys: &[Self]) -> Control {
        let mut value = Vec::new();
        Writer(&mut value).constructed(SEQUENCE, |writer| {
            for key in keys {
                writer.constructed(SEQUENCE, |writer| {
                    writer.octets(OCTET_STRING, key.attribute.as_bytes());
                    if let Some(rule) = &key.rule {
                        writer.octets(ORDERING_RULE, rule.as_bytes());
                    }
                    if key.reverse {
                        writer.boolean(REVERSE_ORDER, true);
                    }
                });
            }
        });
        Control::new(SORT_REQUEST).with_value(value)
    }

    /// The response's control: sorted, or why not and which attribute is to blame.
    pub fn response(code: ResultCode, attribute: Option<&str>) -> Control {
        let mut value = Vec::new();
        Writer(&mut value).constructed(SEQUENCE, |writer| {
            writer.integer(ENUMERATED, code.0.into());
            if let Some(attribute) = attribute {
                writer.octets(RESPONSE_ATTRIBUTE, attribute.as_bytes());
            }
        });
        Control::new(SORT_RESPONSE).with_value(value)
    }
}
