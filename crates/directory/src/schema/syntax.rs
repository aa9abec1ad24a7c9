//! Attribute syntaxes (MS-ADTS 3.1.1.2.2.2): which bytes are a value, and how values compare.
//!
//! Values are kept as LDAP shows them, so that a search needs no conversion; what is compared is a key.

use types::{Guid, Sid, Timestamp};

/// The syntax of an attribute: the pair of `attributeSyntax` and `oMSyntax` of MS-ADTS 3.1.1.2.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// 2.5.5.1 Object(DS-DN).
    Dn,
    /// 2.5.5.2 String(Object-Identifier).
    ObjectIdentifier,
    /// 2.5.5.3 String(Case).
    CaseExact,
    /// 2.5.5.4 String(Teletex).
    Teletex,
    /// 2.5.5.5 String(IA5).
    Ia5,
    /// 2.5.5.5 String(Printable).
    Printable,
    /// 2.5.5.6 String(Numeric).
    Numeric,
    /// 2.5.5.7 Object(DN-Binary).
    DnBinary,
    /// 2.5.5.8 Boolean.
    Boolean,
    /// 2.5.5.9 Integer.
    Integer,
    /// 2.5.5.9 Enumeration.
    Enumeration,
    /// 2.5.5.10 String(Octet).
    Octets,
    /// 2.5.5.10 Object(Replica-Link).
    ReplicaLink,
    /// 2.5.5.11 String(Generalized-Time).
    GeneralizedTime,
    /// 2.5.5.11 String(UTC-Time).
    UtcTime,
    /// 2.5.5.12 String(Unicode).
    Unicode,
    /// 2.5.5.13 Object(Presentation-Address).
    PresentationAddress,
    /// 2.5.5.14 Object(DN-String).
    DnString,
    /// 2.5.5.15 String(NT-Sec-Desc).
    SecurityDescriptor,
    /// 2.5.5.16 LargeInteger.
    LargeInteger,
    /// 2.5.5.17 String(Sid).
    Sid,
}

/// `attributeSyntax` (last number), `oMSyntax`, `oMObjectClass` in BER, and the OID that the subschema names
/// (MS-ADTS 3.1.1.3.1.1.1).
type Row = (Syntax, u8, u8, &'static [u8], &'static str);

const ROWS: &[Row] = &[
    (
        Syntax::Dn,
        1,
        127,
        &[0x2B, 0x0C, 0x02, 0x87, 0x73, 0x1C, 0x00, 0x85, 0x4A],
        "1.3.6.1.4.1.1466.115.121.1.12",
    ),
    (
        Syntax::ObjectIdentifier,
        2,
        6,
        &[],
        "1.3.6.1.4.1.1466.115.121.1.38",
    ),
    (Syntax::CaseExact, 3, 27, &[], "1.2.840.113556.1.4.1362"),
    (Syntax::Teletex, 4, 20, &[], "1.2.840.113556.1.4.905"),
    (
        Syntax::Printable,
        5,
        19,
        &[],
        "1.3.6.1.4.1.1466.115.121.1.44",
    ),
    (Syntax::Ia5, 5, 22, &[], "1.3.6.1.4.1.1466.115.121.1.26"),
    (Syntax::Numeric, 6, 18, &[], "1.3.6.1.4.1.1466.115.121.1.36"),
    (
        Syntax::DnBinary,
        7,
        127,
        &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x14, 0x01, 0x01, 0x01, 0x0B],
        "1.2.840.113556.1.4.903",
    ),
    (Syntax::Boolean, 8, 1, &[], "1.3.6.1.4.1.1466.115.121.1.7"),
    (Syntax::Integer, 9, 2, &[], "1.3.6.1.4.1.1466.115.121.1.27"),
    (
        Syntax::Enumeration,
        9,
        10,
        &[],
        "1.3.6.1.4.1.1466.115.121.1.27",
    ),
    (Syntax::Octets, 10, 4, &[], "1.3.6.1.4.1.1466.115.121.1.40"),
    (
        Syntax::ReplicaLink,
        10,
        127,
        &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x14, 0x01, 0x01, 0x01, 0x06],
        "1.3.6.1.4.1.1466.115.121.1.40",
    ),
    (
        Syntax::UtcTime,
        11,
        23,
        &[],
        "1.3.6.1.4.1.1466.115.121.1.53",
    ),
    (
        Syntax::GeneralizedTime,
        11,
        24,
        &[],
        "1.3.6.1.4.1.1466.115.121.1.24",
    ),
    (
        Syntax::Unicode,
        12,
        64,
        &[],
        "1.3.6.1.4.1.1466.115.121.1.15",
    ),
    (
        Syntax::PresentationAddress,
        13,
        127,
        &[0x2B, 0x0C, 0x02, 0x87, 0x73, 0x1C, 0x00, 0x85, 0x5C],
        "1.3.6.1.4.1.1466.115.121.1.43",
    ),
    (
        Syntax::DnString,
        14,
        127,
        &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x14, 0x01, 0x01, 0x01, 0x0C],
        "1.2.840.113556.1.4.904",
    ),
    (
        Syntax::SecurityDescriptor,
        15,
        66,
        &[],
        "1.2.840.113556.1.4.907",
    ),
    (Syntax::LargeInteger, 16, 65, &[], "1.2.840.113556.1.4.906"),
    (Syntax::Sid, 17, 4, &[], "1.3.6.1.4.1.1466.115.121.1.40"),
];

impl Syntax {
    /// From the last number of `attributeSyntax`, `oMSyntax`, and the last byte of `oMObjectClass`.
    pub(super) fn from_numbers(
        attribute_syntax: u8,
        om_syntax: u8,
        om_class_end: Option<u8>,
    ) -> Option<Self> {
        ROWS.iter()
            .find(|row| {
                (row.1, row.2) == (attribute_syntax, om_syntax)
                    && row.3.last().copied() == om_class_end
            })
            .map(|row| row.0)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.0 == self)
    }

    /// `attributeSyntax`, such as `2.5.5.7`.
    pub fn attribute_syntax(self) -> String {
        format!("2.5.5.{}", self.row().map_or(0, |row| row.1))
    }

    /// `oMSyntax`.
    pub fn om_syntax(self) -> u8 {
        self.row().map_or(0, |row| row.2)
    }

    /// `oMObjectClass` in BER; empty where the syntax has none.
    pub fn om_object_class(self) -> &'static [u8] {
        self.row().map_or(&[], |row| row.3)
    }

    /// The syntax OID that the subschema entry gives.
    pub fn ldap_oid(self) -> &'static str {
        self.row().map_or("", |row| row.4)
    }

    /// Whether values name other objects.
    pub fn is_reference(self) -> bool {
        matches!(self, Self::Dn | Self::DnBinary | Self::DnString)
    }

    /// Whether values are octets that LDAP does not show as text.
    pub fn is_binary(self) -> bool {
        matches!(
            self,
            Self::Octets
                | Self::ReplicaLink
                | Self::SecurityDescriptor
                | Self::Sid
                | Self::PresentationAddress
        )
    }

    fn is_case_folded(self) -> bool {
        matches!(self, Self::Unicode | Self::Teletex | Self::ObjectIdentifier)
    }

    /// Whether values have an order that `>=` and `<=` mean.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Enumeration | Self::LargeInteger)
    }

    /// Turns what a client wrote into the stored form; `None` where it is not a value of this syntax.
    ///
    /// Values that name other objects are not handled here: they need the directory to resolve the name.
    pub fn stored(self, value: &[u8]) -> Option<Vec<u8>> {
        let text = || std::str::from_utf8(value).ok();
        match self {
            Self::Boolean => match text()? {
                t if t.eq_ignore_ascii_case("true") => Some(b"TRUE".to_vec()),
                t if t.eq_ignore_ascii_case("false") => Some(b"FALSE".to_vec()),
                _ => None,
            },
            Self::Integer | Self::Enumeration => {
                // Unsigned 32-bit forms are accepted as AD does for flag words such as groupType.
                let number = text()?.trim().parse::<i64>().ok()?;
                let number = i32::try_from(number)
                    .ok()
                    .or_else(|| u32::try_from(number).ok().map(u32::cast_signed))?;
                Some(number.to_string().into_bytes())
            }
            Self::LargeInteger => {
                Some(text()?.trim().parse::<i64>().ok()?.to_string().into_bytes())
            }
            Self::GeneralizedTime | Self::UtcTime => {
                let moment = Timestamp::parse_generalized_time(text()?).ok()?;
                Some(moment.to_generalized_time()?.into_bytes())
            }
            Self::Sid => sid_octets(value),
            Self::Printable | Self::Ia5 | Self::Numeric => {
                let text = text()?;
                (text.is_ascii()
                    && (self != Self::Numeric
                        || text.bytes().all(|b| b.is_ascii_digit() || b == b' ')))
                .then(|| value.to_vec())
            }
            Self::Unicode | Self::Teletex | Self::CaseExact | Self::ObjectIdentifier => {
                let text = text()?;
                (!text.is_empty()).then(|| value.to_vec())
            }
            Self::Octets
            | Self::ReplicaLink
            | Self::SecurityDescriptor
            | Self::PresentationAddress => Some(value.to_vec()),
            Self::Dn | Self::DnBinary | Self::DnString => Some(value.to_vec()),
        }
    }

    /// The form by which stored values are compared: equal keys are equal values, and keys of numbers order
    /// as the numbers do.
    pub fn key(self, stored: &[u8]) -> Vec<u8> {
        if self.is_number() {
            return number_key(stored).unwrap_or_else(|| stored.to_vec());
        }
        if self.is_case_folded() {
            return folded(stored);
        }
        stored.to_vec()
    }

    /// The key of a value in a filter, where SIDs and GUIDs may come as text (MS-ADTS 3.1.1.3.1.3.1).
    /// `None` where the value cannot be one of this syntax.
    pub fn assertion_key(self, value: &[u8], is_guid: bool) -> Option<Vec<u8>> {
        if is_guid {
            return guid_octets(value);
        }
        self.stored(value).map(|stored| self.key(&stored))
    }
}

/// Case folding of AD's default comparison, near enough: Unicode lower case, outer spaces dropped and inner
/// ones kept.
pub fn folded(value: &[u8]) -> Vec<u8> {
    if value.is_ascii() {
        return value.trim_ascii().to_ascii_lowercase();
    }
    match std::str::from_utf8(value) {
        Ok(text) => text.trim().to_lowercase().into_bytes(),
        Err(_) => value.to_vec(),
    }
}

/// Big-endian with the sign flipped, so that byte order is number order.
pub fn number_key(text: &[u8]) -> Option<Vec<u8>> {
    let number = std::str::from_utf8(text).ok()?.trim().parse::<i64>().ok()?;
    Some((number ^ i64::MIN).to_be_bytes().to_vec())
}

fn sid_octets(value: &[u8]) -> Option<Vec<u8>> {
    if Sid::from_bytes(value).is_ok() {
        return Some(value.to_vec());
    }
    let sid: Sid = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some(sid.to_bytes())
}

fn guid_octets(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() == 16 {
        return Some(value.to_vec());
    }
    let guid: Guid = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some(guid.to_bytes_le().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(syntax: Syntax, written: &str, stored: Option<&str>) {
        let got = syntax.stored(written.as_bytes());
        assert_eq!(
            got.as_deref(),
            stored.map(str::as_bytes),
            "{syntax:?} {written}"
        );
    }

    #[test]
    fn values_are_checked_and_spelt_one_way() {
        check(Syntax::Boolean, "true", Some("TRUE"));
        check(Syntax::Boolean, "yes", None);
        check(Syntax::Integer, "2147483650", Some("-2147483646"));
        check(Syntax::Integer, "-5", Some("-5"));
        check(Syntax::Integer, "99999999999", None);
        check(
            Syntax::LargeInteger,
            "133500000000000000",
            Some("133500000000000000"),
        );
        check(
            Syntax::GeneralizedTime,
            "20260610050607.5Z",
            Some("20260610050607.0Z"),
        );
        check(Syntax::Ia5, "é", None);
        check(Syntax::Unicode, "", None);
    }

    #[test]
    fn keys_order_numbers_and_fold_case() {
        let key = |text: &str| number_key(text.as_bytes()).unwrap();
        assert!(key("-5") < key("3") && key("3") < key("20"));
        assert_eq!(folded("Straße ".as_bytes()), "straße".as_bytes());
        assert_eq!(
            Syntax::Sid.assertion_key(b"S-1-5-18", false),
            Syntax::Sid.assertion_key(&Sid::nt(&[18]).to_bytes(), false)
        );
    }
}
