//! Filters as text, both ways (RFC 4515).
//!
//! More is read than RFC 4515 writes: blanks around parts, a filter without its outer parentheses, and bytes
//! above 0x7F unescaped. What is written is strict, and reads back as the same filter.

use std::fmt;
use std::str::FromStr;

use crate::{AttributeAssertion, ExtensibleMatch, Filter, InvalidFilter, Substrings};

/// Longest accepted text.
const TEXT_LENGTH_MAX: usize = 1 << 20;
/// Deepest accepted nesting; the same as on the wire.
const DEPTH_MAX: usize = 128;

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        match self {
            Self::And(parts) => list(f, "&", parts)?,
            Self::Or(parts) => list(f, "|", parts)?,
            Self::Not(part) => write!(f, "!{part}")?,
            Self::Equality(pair) => assertion(f, "=", pair)?,
            Self::GreaterOrEqual(pair) => assertion(f, ">=", pair)?,
            Self::LessOrEqual(pair) => assertion(f, "<=", pair)?,
            Self::Approximate(pair) => assertion(f, "~=", pair)?,
            Self::Present(attribute) => write!(f, "{attribute}=*")?,
            Self::Substrings(parts) => {
                write!(f, "{}=", parts.attribute)?;
                escaped(f, parts.initial.as_deref().unwrap_or_default())?;
                for part in &parts.any {
                    f.write_str("*")?;
                    escaped(f, part)?;
                }
                f.write_str("*")?;
                escaped(f, parts.last.as_deref().unwrap_or_default())?;
            }
            Self::Extensible(rule) => {
                f.write_str(rule.attribute.as_deref().unwrap_or_default())?;
                if rule.dn_attributes {
                    f.write_str(":dn")?;
                }
                if let Some(rule) = &rule.rule {
                    write!(f, ":{rule}")?;
                }
                f.write_str(":=")?;
                escaped(f, &rule.value)?;
            }
        }
        f.write_str(")")
    }
}

fn list(f: &mut fmt::Formatter<'_>, sign: &str, parts: &[Filter]) -> fmt::Result {
    f.write_str(sign)?;
    parts.iter().try_for_each(|part| write!(f, "{part}"))
}

fn assertion(f: &mut fmt::Formatter<'_>, sign: &str, pair: &AttributeAssertion) -> fmt::Result {
    write!(f, "{}{sign}", pair.attribute)?;
    escaped(f, &pair.value)
}

/// Text stays text; what is not UTF-8, and the five characters of RFC 4515 3, become `\xx`.
fn escaped(f: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '*' | '(' | ')' | '\\' | '\0'..='\x1F' | '\x7F' => {
                    write!(f, "\\{:02x}", u32::from(c))?;
                }
                c => write!(f, "{c}")?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\{byte:02x}")?;
        }
    }
    Ok(())
}

impl FromStr for Filter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parser = Parser {
            bytes: text.as_bytes(),
            at: 0,
        };
        if text.len() > TEXT_LENGTH_MAX {
            return Err(parser.error("longer than 1 MiB"));
        }
        parser.skip_blanks();
        let filter = match parser.peek() {
            Some(b'(') => parser.filter(DEPTH_MAX)?,
            _ => parser.item()?,
        };
        parser.skip_blanks();
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.error("text after the filter")),
        }
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn error(&self, why: &'static str) -> InvalidFilter {
        InvalidFilter {
            offset: self.at,
            why,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes over `byte` if it comes next.
    fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, why: &'static str) -> Result<(), InvalidFilter> {
        if self.takes(byte) {
            Ok(())
        } else {
            Err(self.error(why))
        }
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn filter(&mut self, depth_left: usize) -> Result<Filter, InvalidFilter> {
        let depth_left = depth_left
            .checked_sub(1)
            .ok_or_else(|| self.error("nested too deeply"))?;
        self.expect(b'(', "'(' expected")?;
        self.skip_blanks();
        let filter = match self.peek() {
            Some(b'&') => Filter::And(self.filters(depth_left)?),
            Some(b'|') => Filter::Or(self.filters(depth_left)?),
            Some(b'!') => {
                self.at += 1;
                self.skip_blanks();
                let part = self.filter(depth_left)?;
                self.skip_blanks();
                Filter::Not(Box::new(part))
            }
            _ => self.item()?,
        };
        self.expect(b')', "')' expected")?;
        Ok(filter)
    }

    fn filters(&mut self, depth_left: usize) -> Result<Vec<Filter>, InvalidFilter> {
        self.at += 1;
        let mut filters = Vec::new();
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'(') {
                return Ok(filters);
            }
            filters.push(self.filter(depth_left)?);
        }
    }

    /// `attribute=value` in its six shapes.
    fn item(&mut self) -> Result<Filter, InvalidFilter> {
        let attribute = self.description()?;
        match self.peek() {
            Some(b':') => return self.extensible(attribute),
            _ if attribute.is_empty() => return Err(self.error("attribute expected")),
            _ => {}
        }
        let make = match self.peek() {
            Some(b'>') => Filter::GreaterOrEqual,
            Some(b'<') => Filter::LessOrEqual,
            Some(b'~') => Filter::Approximate,
            _ => {
                self.expect(b'=', "'=', '>=', '<=', '~=' or ':=' expected")?;
                return self.equality_or_substrings(attribute);
            }
        };
        self.at += 1;
        self.expect(b'=', "'=' expected")?;
        let value = self.value()?;
        if self.peek() == Some(b'*') {
            return Err(self.error("'*' belongs to '=' alone"));
        }
        Ok(make(AttributeAssertion { attribute, value }))
    }

    /// An attribute description or a rule: letters, digits, hyphen, dot, options by semicolon and equals
    /// in `;range=0-9`, which no filter needs, so `=` ends it.
    fn description(&mut self) -> Result<String, InvalidFilter> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b';' | b'_'))
        {
            self.at += 1;
        }
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        // Blanks before the sign are a habit of some writers.
        self.skip_blanks();
        Ok(text)
    }

    fn extensible(&mut self, attribute: String) -> Result<Filter, InvalidFilter> {
        let mut parts = Vec::new();
        while self.takes(b':') {
            if self.takes(b'=') {
                return self.extensible_value(attribute, &parts);
            }
            parts.push(self.description()?);
        }
        Err(self.error("':=' expected"))
    }

    fn extensible_value(
        &mut self,
        attribute: String,
        parts: &[String],
    ) -> Result<Filter, InvalidFilter> {
        let (dn_attributes, rule) = match parts {
            [] => (false, None),
            [dn] if dn.eq_ignore_ascii_case("dn") => (true, None),
            [rule] => (false, Some(rule)),
            [dn, rule] if dn.eq_ignore_ascii_case("dn") => (true, Some(rule)),
            _ => return Err(self.error("only ':dn' and one rule may stand before ':='")),
        };
        if rule.is_some_and(String::is_empty) {
            return Err(self.error("rule expected"));
        }
        let attribute = Some(attribute).filter(|name| !name.is_empty());
        if rule.is_none() && attribute.is_none() {
            return Err(self.error("attribute or rule expected"));
        }
        let value = self.value()?;
        if self.peek() == Some(b'*') {
            return Err(self.error("'*' belongs to '=' alone"));
        }
        let rule = rule.cloned();
        Ok(Filter::Extensible(ExtensibleMatch {
            rule,
            attribute,
            value,
            dn_attributes,
        }))
    }

    fn equality_or_substrings(&mut self, attribute: String) -> Result<Filter, InvalidFilter> {
        let value = self.value()?;
        if !self.takes(b'*') {
            return Ok(Filter::Equality(AttributeAssertion { attribute, value }));
        }
        let mut substrings = Substrings {
            attribute,
            initial: Some(value),
            ..Substrings::default()
        };
        let mut part = self.value()?;
        while self.takes(b'*') {
            substrings
                .any
                .push(std::mem::replace(&mut part, self.value()?));
        }
        substrings.last = Some(part);
        Ok(substrings.into_filter())
    }

    /// A value, up to `*`, `)` or the end.
    fn value(&mut self) -> Result<Vec<u8>, InvalidFilter> {
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'*' | b')' => break,
                b'(' => return Err(self.error("'(' in a value is written \\28")),
                b'\\' => {
                    self.at += 1;
                    value.push(self.hex_pair()?);
                }
                _ => {
                    self.at += 1;
                    value.push(byte);
                }
            }
        }
        Ok(value)
    }

    fn hex_pair(&mut self) -> Result<u8, InvalidFilter> {
        let digits = self.bytes.get(self.at..).unwrap_or_default();
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let pair = match digits {
            [high, low, ..] => digit(high).zip(digit(low)),
            _ => None,
        };
        let value = pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        let value = value.ok_or_else(|| self.error("two hex digits expected after '\\'"))?;
        self.at += 2;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, canonical: &str) {
        let filter: Filter = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.to_string(), canonical, "{text}");
        assert_eq!(canonical.parse::<Filter>().unwrap(), filter, "{text}");
    }

    #[test]
    fn spellings() {
        check("(cn=Test User)", "(cn=Test User)");
        check("cn=Test User", "(cn=Test User)");
        check(" ( & (a=1) (|(b=2)(!(c=3))) ) ", "(&(a=1)(|(b=2)(!(c=3))))");
        check("(&)", "(&)");
        check("(|)", "(|)");
        check("(objectClass=*)", "(objectClass=*)");
        check("(cn=**)", "(cn=*)");
        check("(cn=a*)", "(cn=a*)");
        check("(cn=*b)", "(cn=*b)");
        check("(cn=a*b*c*d)", "(cn=a*b*c*d)");
        check("(cn=)", "(cn=)");
        check("(uSNChanged>=100)", "(uSNChanged>=100)");
        check(
            "(whenChanged<=20260101000000.0Z)",
            "(whenChanged<=20260101000000.0Z)",
        );
        check("(cn~=x)", "(cn~=x)");
        check(r"(cn=a\2a\28\29\5cb)", r"(cn=a\2a\28\29\5cb)");
        check(r"(objectSid=\01\05\00\FF)", r"(objectSid=\01\05\00\ff)");
        check("(cn=été)", "(cn=été)");
        check(
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
        );
        check("(cn:dn:2.4.6.8.10:=x)", "(cn:dn:2.4.6.8.10:=x)");
        check("(cn:DN:=x)", "(cn:dn:=x)");
        check("(:1.2.3:=x)", "(:1.2.3:=x)");
        check("(cn:=x)", "(cn:=x)");
    }

    #[test]
    fn broken_filters_are_refused() {
        let deep = format!("{}(a=b){}", "(!".repeat(200), ")".repeat(200));
        for text in [
            "",
            "(",
            "()",
            "(cn)",
            "(=x)",
            "(cn=x",
            "(cn=x))",
            "(&(a=b)",
            "(!)",
            r"(cn=\zz)",
            r"(cn=\1)",
            "(cn=(x))",
            "(:=x)",
            "(cn:a:b:=x)",
            "(cn::=x)",
            "(cn>=a*)",
            "(cn=x)(cn=y)",
            &deep,
        ] {
            assert!(text.parse::<Filter>().is_err(), "{text}");
        }
    }
}
