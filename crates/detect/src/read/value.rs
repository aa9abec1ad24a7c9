//! The value of the attribute as event logs spell it.
//!
//! `B:<hex digits>:<octets>:<DN>`, where the octets are real hex (Samba, our own directory), the message number
//! `%%14672` (EVTX and XML), or that message rendered: `<Binary>`, in the language of the domain controller.

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::SeenValue;

/// The text is no value of this attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidValue {
    /// Not `B:<digits>:<octets>:<DN>`.
    #[error("'{0}' is not a value of the form B:<hex digits>:<octets>:<DN>")]
    Form(String),
    /// The number is no number, or is larger than any value.
    #[error("'{0}' is not a number of hex digits")]
    Count(String),
}

/// No value of the attribute is larger: one entry has at most 64 KiB.
const HEX_DIGITS_MAX: usize = 2 << 20;

/// Reads a value. Octets that are hidden or cut short leave the length alone.
pub fn value(text: &str) -> Result<SeenValue, InvalidValue> {
    // The DN may hold colons, so the split ends after three.
    let mut parts = text.trim().splitn(4, ':');
    let (Some("B" | "b"), Some(count), Some(octets), Some(dn)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(InvalidValue::Form(text.chars().take(80).collect()));
    };
    let hex_digits: usize = count
        .parse()
        .ok()
        .filter(|digits| *digits <= HEX_DIGITS_MAX)
        .ok_or_else(|| InvalidValue::Count(count.chars().take(20).collect()))?;
    let dn = Some(dn.to_owned()).filter(|dn| !dn.is_empty());
    let whole = (octets.len() == hex_digits)
        .then(|| HEXLOWER_PERMISSIVE.decode(octets.as_bytes()).ok())
        .flatten();
    Ok(match whole {
        Some(octets) => SeenValue::whole(octets, dn),
        None => SeenValue::hidden(hex_digits, dn),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<(usize, bool, Option<&str>)>) {
        let seen = value(text).ok().map(|seen| {
            (
                seen.hex_digits.unwrap_or_default(),
                seen.octets.is_some(),
                seen.dn,
            )
        });
        let seen = seen
            .as_ref()
            .map(|(digits, whole, dn)| (*digits, *whole, dn.as_deref()));
        assert_eq!(seen, expect, "{text}");
    }

    #[test]
    fn every_spelling() {
        let dn = Some("CN=Test User,DC=corp");
        check("B:854:%%14672:CN=Test User,DC=corp", Some((854, false, dn)));
        check(
            "B:806:<Binary>:CN=Test User,DC=corp",
            Some((806, false, dn)),
        );
        check("B:806:<Binär>:CN=Test User,DC=corp", Some((806, false, dn)));
        check("B:4:00Ff:CN=Test User,DC=corp", Some((4, true, dn)));
        // Cut at 1024 characters by an audit log.
        check("B:2048:00ff:CN=Test User,DC=corp", Some((2048, false, dn)));
        check(
            "B:4:00ff:CN=a:b\\, c,DC=corp",
            Some((4, true, Some("CN=a:b\\, c,DC=corp"))),
        );
        check(
            "B:4:00ff:<GUID=1>;<SID=2>;CN=x",
            Some((4, true, Some("<GUID=1>;<SID=2>;CN=x"))),
        );
        check("B:4:00ff:", Some((4, true, None)));
        check("B:99999999999:00:CN=x", None);
        check("B:-4:00:CN=x", None);
        check("S:4:00ff:CN=x", None);
        check("", None);
    }
}
