//! KerberosTime (RFC 4120 5.2.3): `YYYYMMDDHHMMSSZ`, never a fraction.

use std::fmt;

use rasn::types::{Constraints, Identifier, OctetString, Tag};
use rasn::{AsnType, Decode, Decoder, Encode, Encoder, de::Error as _, enc::Error as _};
use types::Timestamp;

/// A moment in whole seconds of the years 1 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KerberosTime(Timestamp);

impl KerberosTime {
    /// The second in which the moment lies. Moments outside the years 1 to 9999 cannot be written.
    pub fn new(moment: Timestamp) -> Self {
        Self(Timestamp::from_unix_seconds(moment.unix_seconds()))
    }

    /// The last moment that Windows writes for "never", 2037-09-13 02:48:05.
    pub fn never() -> Self {
        Self(Timestamp::from_unix_seconds(2_136_422_885))
    }

    /// The moment.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if text.len() != 15 {
            return None;
        }
        // The year 0 is read but cannot be written.
        let moment = Timestamp::parse_generalized_time(text).ok()?;
        moment.to_date_time().map(|_| Self(moment))
    }

    /// Digit by digit, as each ticket has ten of them.
    fn write(self) -> Option<[u8; 15]> {
        let moment = self.0.to_date_time()?;
        let (hour, minute, second) = moment.to_hms();
        let year = u16::try_from(moment.year())
            .ok()
            .filter(|year| (1..=9999).contains(year))?;
        let mut text = *b"00000000000000Z";
        let mut put = |at: usize, number: u16| {
            let digits = [number / 10 % 10, number % 10];
            for (place, digit) in text.iter_mut().skip(at).zip(digits) {
                *place += u8::try_from(digit).unwrap_or_default();
            }
        };
        put(0, year / 100);
        put(2, year % 100);
        put(4, u16::from(u8::from(moment.month())));
        for (at, number) in [(6, moment.day()), (8, hour), (10, minute), (12, second)] {
            put(at, u16::from(number));
        }
        Some(text)
    }
}

impl From<Timestamp> for KerberosTime {
    fn from(moment: Timestamp) -> Self {
        Self::new(moment)
    }
}

impl fmt::Display for KerberosTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for KerberosTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl AsnType for KerberosTime {
    const TAG: Tag = Tag::GENERALIZED_TIME;
}

impl Decode for KerberosTime {
    fn decode_with_tag_and_constraints<D: Decoder>(
        decoder: &mut D,
        tag: Tag,
        constraints: &Constraints,
    ) -> Result<Self, D::Error> {
        let codec = decoder.codec();
        let bytes = OctetString::decode_with_tag_and_constraints(decoder, tag, constraints)?;
        Self::read(&bytes).ok_or_else(|| D::Error::custom("time is not YYYYMMDDHHMMSSZ", codec))
    }
}

impl Encode for KerberosTime {
    fn encode_with_tag_and_constraints<'b, E: Encoder<'b>>(
        &self,
        encoder: &mut E,
        tag: Tag,
        constraints: &Constraints,
        identifier: Identifier,
    ) -> Result<(), E::Error> {
        let codec = encoder.codec();
        let text = self
            .write()
            .ok_or_else(|| E::Error::custom("time outside the years 1 to 9999", codec))?;
        encoder
            .encode_octet_string(tag, constraints, &text, identifier)
            .map(drop)
    }
}
