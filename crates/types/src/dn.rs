//! Distinguished names in string form (RFC 4514), compared as Active Directory does: without regard to case.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A distinguished name, most specific part first; the empty name is the root.
#[derive(Clone, Default)]
pub struct Dn(Vec<Rdn>);

/// One part of a name: `attribute=value`. AD has no multi-valued parts (MS-ADTS 3.1.1.1.4).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Rdn {
    attribute: String,
    value: String,
}

/// The text is not a distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a distinguished name: {why} at byte {offset}")]
pub struct InvalidDn {
    text: String,
    why: &'static str,
    offset: usize,
}

/// Longest accepted text: far above what AD stores (255 characters per part).
const TEXT_LENGTH_MAX: usize = 64 * 1024;
/// Deepest accepted name.
const DEPTH_MAX: usize = 256;

impl Dn {
    /// The empty name.
    pub const ROOT: Self = Self(Vec::new());

    /// The parts, most specific first.
    pub fn rdns(&self) -> &[Rdn] {
        &self.0
    }

    /// The most specific part.
    pub fn rdn(&self) -> Option<&Rdn> {
        self.0.first()
    }

    /// The name above; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_first()?;
        Some(Self(rest.to_vec()))
    }

    /// The name of a child.
    pub fn child(&self, rdn: Rdn) -> Self {
        let mut parts = Vec::with_capacity(self.0.len() + 1);
        parts.push(rdn);
        parts.extend_from_slice(&self.0);
        Self(parts)
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `self` is `ancestor` or lies below it.
    pub fn is_within(&self, ancestor: &Self) -> bool {
        self.0
            .len()
            .checked_sub(ancestor.0.len())
            .and_then(|skip| self.0.get(skip..))
            .is_some_and(|tail| tail.iter().zip(&ancestor.0).all(|(a, b)| a.matches(b)))
    }

    /// The form by which names are compared and indexed: case folded, one spelling of each escape.
    pub fn key(&self) -> String {
        self.to_string().to_lowercase()
    }

    /// `corp.contoso.com` for `DC=corp,DC=contoso,DC=com`: the trailing DC parts as a DNS name.
    pub fn dns_domain(&self) -> String {
        let mut labels: Vec<&str> = self
            .0
            .iter()
            .rev()
            .take_while(|rdn| rdn.attribute.eq_ignore_ascii_case("DC"))
            .map(|rdn| rdn.value.as_str())
            .collect();
        labels.reverse();
        labels.join(".")
    }

    /// `DC=corp,DC=contoso,DC=com` for `corp.contoso.com`.
    pub fn from_dns_domain(domain: &str) -> Self {
        Self(
            domain
                .split('.')
                .filter(|l| !l.is_empty())
                .map(|l| Rdn::new("DC", l))
                .collect(),
        )
    }
}

impl Rdn {
    /// A part from an attribute name and an unescaped value.
    pub fn new(attribute: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            attribute: attribute.into(),
            value: value.into(),
        }
    }

    /// The naming attribute, as spelt by the writer.
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    /// The value without escapes.
    pub fn value(&self) -> &str {
        &self.value
    }

    fn matches(&self, other: &Self) -> bool {
        self.attribute.eq_ignore_ascii_case(&other.attribute)
            && (self.value == other.value
                || self.value.to_lowercase() == other.value.to_lowercase())
    }
}

impl PartialEq for Dn {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.matches(b))
    }
}

impl Eq for Dn {}

impl Hash for Dn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rdn) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            fmt::Display::fmt(rdn, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Rdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.attribute)?;
        let last = self.value.chars().count().saturating_sub(1);
        for (index, c) in self.value.chars().enumerate() {
            match c {
                ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => write!(f, "\\{c}")?,
                '#' | ' ' if index == 0 => write!(f, "\\{c}")?,
                ' ' if index == last => f.write_str("\\ ")?,
                // Control characters: AD writes the mangled names of deleted objects as `\0ADEL:`.
                c if c < ' ' => write!(f, "\\{:02X}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Rdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Dn {
    type Err = InvalidDn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parser = Parser {
            text,
            bytes: text.as_bytes(),
            at: 0,
        };
        if text.len() > TEXT_LENGTH_MAX {
            return Err(parser.error("longer than 64 KiB"));
        }
        if text.trim().is_empty() {
            return Ok(Self::ROOT);
        }
        let mut rdns = Vec::new();
        loop {
            rdns.push(parser.rdn()?);
            if rdns.len() > DEPTH_MAX {
                return Err(parser.error("more than 256 parts"));
            }
            match parser.next() {
                None => return Ok(Self(rdns)),
                Some(b',' | b';') => {}
                Some(_) => return Err(parser.error("unexpected character")),
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn error(&self, why: &'static str) -> InvalidDn {
        InvalidDn {
            text: self.text.chars().take(200).collect(),
            why,
            offset: self.at,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn rdn(&mut self) -> Result<Rdn, InvalidDn> {
        self.skip_spaces();
        let mut attribute = String::new();
        while let Some(byte) = self
            .peek()
            .filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        {
            attribute.push(char::from(byte));
            self.at += 1;
        }
        self.skip_spaces();
        if attribute.is_empty() {
            return Err(self.error("attribute name expected"));
        }
        if self.next() != Some(b'=') {
            return Err(self.error("'=' expected"));
        }
        self.skip_spaces();
        let value = if self.peek() == Some(b'"') {
            self.quoted()?
        } else {
            self.plain()?
        };
        if value.is_empty() {
            return Err(self.error("empty value"));
        }
        Ok(Rdn { attribute, value })
    }

    /// RFC 2253's old quoting, which Windows tools still accept.
    fn quoted(&mut self) -> Result<String, InvalidDn> {
        self.at += 1;
        let mut value = Vec::new();
        loop {
            match self.next() {
                None => return Err(self.error("quote not closed")),
                Some(b'"') => break,
                Some(b'\\') => value.push(self.escaped()?),
                Some(byte) => value.push(byte),
            }
        }
        self.skip_spaces();
        String::from_utf8(value).map_err(|_| self.error("value is not UTF-8"))
    }

    fn plain(&mut self) -> Result<String, InvalidDn> {
        if self.peek() == Some(b'#') {
            return Err(self.error("a BER value ('#...') is not supported"));
        }
        let mut value = Vec::new();
        // Unescaped spaces at the end do not belong to the value, escaped ones do.
        let mut length_kept = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b',' | b';' => break,
                b'+' => return Err(self.error("multi-valued parts are not supported")),
                b'"' => return Err(self.error("unescaped quote")),
                b'\\' => {
                    self.at += 1;
                    value.push(self.escaped()?);
                    length_kept = value.len();
                }
                _ => {
                    self.at += 1;
                    value.push(byte);
                    if byte != b' ' {
                        length_kept = value.len();
                    }
                }
            }
        }
        value.truncate(length_kept);
        String::from_utf8(value).map_err(|_| self.error("value is not UTF-8"))
    }

    /// What follows a backslash: two hex digits, or the character itself.
    fn escaped(&mut self) -> Result<u8, InvalidDn> {
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
        let first = self
            .next()
            .ok_or_else(|| self.error("backslash at the end"))?;
        match (digit(Some(first)), digit(self.peek())) {
            (Some(high), Some(low)) => {
                self.at += 1;
                u8::try_from(high * 16 + low).map_err(|_| self.error("bad escape"))
            }
            _ if first.is_ascii_alphanumeric() => Err(self.error("bad escape")),
            _ => Ok(first),
        }
    }
}

impl Serialize for Dn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, canonical: &str) {
        assert_eq!(text.parse::<Dn>().unwrap().to_string(), canonical, "{text}");
    }

    #[test]
    fn spellings() {
        check("", "");
        check(
            "CN=Test User,OU=Users,DC=corp",
            "CN=Test User,OU=Users,DC=corp",
        );
        check("cn = a , ou=b", "cn=a,ou=b");
        check(r"CN=Ada\2C Countess,DC=x", r"CN=Ada\, Countess,DC=x");
        check(r#"CN="a,b",DC=x"#, r"CN=a\,b,DC=x");
        check(r"CN=a\ ,DC=x", r"CN=a\ ,DC=x");
        check(r"CN=k\0ADEL:1,DC=x", r"CN=k\0ADEL:1,DC=x");
        check("CN=d:e:f,DC=x", "CN=d:e:f,DC=x");
        check(r"CN=\C3\A9t\C3\A9", "CN=été");
    }

    #[test]
    fn broken_names_are_refused() {
        for text in [
            "CN",
            "=x",
            "CN=",
            "CN=a,",
            "CN=a+OU=b",
            r"CN=a\",
            r"CN=a\zz",
            "CN=#04",
            "CN=\"a",
            r"CN=\FF",
        ] {
            assert!(text.parse::<Dn>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_compare_without_case_and_know_their_place() {
        let domain: Dn = "DC=corp,DC=contoso,DC=com".parse().unwrap();
        let user: Dn = "cn=Ada,OU=Users,dc=CORP,dc=contoso,dc=com".parse().unwrap();
        assert!(user.is_within(&domain) && domain.is_within(&domain) && !domain.is_within(&user));
        assert_eq!(user.parent().unwrap().parent().unwrap(), domain);
        assert_eq!(domain.dns_domain(), "corp.contoso.com");
        assert_eq!(Dn::from_dns_domain("corp.contoso.com"), domain);
        assert_eq!(
            domain
                .child(Rdn::new("OU", "Users"))
                .child(Rdn::new("CN", "ada")),
            user
        );
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(values in proptest::collection::vec(".{1,12}", 1..4)) {
            let dn = Dn(values.iter().map(|v| Rdn::new("CN", v.as_str())).collect());
            let again: Dn = dn.to_string().parse().unwrap();
            prop_assert_eq!(again.rdns(), dn.rdns());
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            if let Ok(dn) = text.parse::<Dn>() {
                prop_assert_eq!(dn.to_string().parse::<Dn>().unwrap().to_string(), dn.to_string());
            }
        }
    }
}
