//! One entry of a search, read without trusting it.

use std::collections::BTreeMap;

use keycred::DnBinary;
use ldap3::ResultEntry;

use crate::connector::Value;

/// A distinguished name and its attributes, by lower-case name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its distinguished name.
    pub dn: String,
    attributes: BTreeMap<String, Vec<Value>>,
}

impl Entry {
    /// Reads a SearchResultEntry (RFC 4511 section 4.5.2). The client's own reader panics on a malformed one.
    pub(super) fn decode(found: ResultEntry) -> Option<Self> {
        let mut parts = found.0.match_id(4)?.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let mut attributes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
            let values = parts.next()?.expect_constructed()?;
            let values: Option<Vec<Value>> = values
                .into_iter()
                .map(|value| value.expect_primitive())
                .collect();
            attributes
                .entry(name.to_lowercase())
                .or_default()
                .extend(values?);
        }
        Some(Self { dn, attributes })
    }

    /// The values of an attribute as they came.
    pub fn values(&self, name: &str) -> &[Value] {
        self.attributes
            .get(&name.to_lowercase())
            .map_or(&[], Vec::as_slice)
    }

    /// The first value as text.
    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.values(name).first()?;
        String::from_utf8(value.clone()).ok()
    }

    /// A part of the values where there are too many for one answer: `member;range=0-1499` (MS-ADTS 3.1.1.3.1.3.3).
    /// Gives the number of the first value that is missing.
    pub(super) fn next_range(&self, name: &str) -> Option<u32> {
        let prefix = format!("{};range=", name.to_lowercase());
        let range = self
            .attributes
            .keys()
            .find_map(|key| key.strip_prefix(&prefix))?;
        let (_, last) = range.split_once('-')?;
        last.parse::<u32>().ok()?.checked_add(1)
    }

    /// Moves a part of the values to where the whole belongs.
    pub(super) fn fold_range(&mut self, name: &str) {
        let name = name.to_lowercase();
        let prefix = format!("{name};range=");
        let keys: Vec<String> = self
            .attributes
            .keys()
            .filter(|key| key.starts_with(&prefix))
            .cloned()
            .collect();
        for key in keys {
            let values = self.attributes.remove(&key).unwrap_or_default();
            self.attributes
                .entry(name.clone())
                .or_default()
                .extend(values);
        }
    }

    /// Adds the values of a later part.
    pub(super) fn extend(&mut self, name: &str, values: &[Value]) {
        self.attributes
            .entry(name.to_lowercase())
            .or_default()
            .extend_from_slice(values);
    }
}

/// What the engine keeps of a value: of DN-Binary the binary part (MS-ADTS 3.1.1.3.1.1.2.3: its name follows the
/// object it points to and is the directory's to keep), of anything else all of it.
pub(super) fn kept(value: &Value) -> Value {
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|text| text.starts_with("B:"));
    let parsed = text.and_then(|text| text.parse::<DnBinary>().ok());
    parsed.map_or_else(|| value.clone(), |parsed| parsed.binary)
}

/// A value as the directory takes it for the object of this name.
pub(super) fn sent(attribute: &str, value: &Value, dn: &str) -> Value {
    if is_dn_binary(attribute) {
        DnBinary::new(value.clone(), dn).to_string().into_bytes()
    } else {
        value.clone()
    }
}

/// Attributes of syntax 2.5.5.7 that rules fill.
pub(super) fn is_dn_binary(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case("msDS-KeyCredentialLink")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_binary_part_is_kept() {
        let check = |value: &[u8], expect: &[u8]| assert_eq!(kept(&value.to_vec()), expect);
        check(
            b"B:8:00020000:CN=Ada,DC=corp,DC=contoso,DC=com",
            b"\x00\x02\x00\x00",
        );
        check(b"B:7:0002000:CN=Ada", b"B:7:0002000:CN=Ada");
        check(b"Ada", b"Ada");
        check(b"\xff\x00", b"\xff\x00");
    }

    #[test]
    fn what_is_kept_is_sent_with_the_name_of_now() {
        let value = sent("msDS-KeyCredentialLink", &vec![0xAB, 0], "CN=Ada,DC=corp");
        assert_eq!(value, b"B:4:AB00:CN=Ada,DC=corp");
        assert_eq!(kept(&value), vec![0xAB, 0]);
        assert_eq!(sent("department", &b"Sales".to_vec(), "CN=Ada"), b"Sales");
    }

    #[test]
    fn ranges_are_put_together() {
        let mut entry = Entry {
            dn: String::new(),
            attributes: [("member;range=0-1".to_owned(), vec![vec![1], vec![2]])].into(),
        };
        assert_eq!(entry.next_range("Member"), Some(2));
        entry.fold_range("Member");
        entry.extend("member", &[vec![3]]);
        assert_eq!(entry.values("MEMBER"), [vec![1], vec![2], vec![3]]);
        let last = Entry {
            dn: String::new(),
            attributes: [("member;range=2-*".to_owned(), vec![])].into(),
        };
        assert_eq!(last.next_range("member"), None);
    }
}
