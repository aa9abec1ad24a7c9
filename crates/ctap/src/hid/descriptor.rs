//! Report descriptors (HID 1.11, section 6.2.2), as far as a security key is told by one.
//!
//! A key is a top-level collection of the FIDO usage page with usage 1 (CTAP 2.1, section 11.2.8). Everything else in
//! a descriptor is passed over. Reading is total: any bytes are a key or are none.
//!
//! Deliberately absent: what the reports of other devices mean.

/// The FIDO alliance's usage page.
const FIDO_PAGE: u32 = 0xF1D0;
/// Usage of a FIDO device on that page.
const CTAPHID_USAGE: u32 = 0x01;
/// Collection type: application.
const APPLICATION: u32 = 0x01;
/// Deepest stack of global items; HID itself sets no limit.
const STACK_MAX: usize = 16;

/// What a descriptor says of its CTAPHID interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interface {
    /// Bytes of a report from the key.
    pub input_length: u32,
    /// Bytes of a report to the key.
    pub output_length: u32,
    /// The number of its reports, where reports are numbered.
    pub report_number: Option<u8>,
}

/// Global items (HID 1.11, section 6.2.2.7) that matter here.
#[derive(Debug, Clone, Copy, Default)]
struct Globals {
    page: u32,
    report_size: u32,
    report_count: u32,
    report_number: Option<u8>,
}

/// The security key that a descriptor tells of, if it does.
pub fn fido_interface(descriptor: &[u8]) -> Option<Interface> {
    let mut reader = Reader::default();
    for (prefix, data) in (Items { bytes: descriptor }) {
        reader.take(prefix, data);
    }
    reader.found
}

#[derive(Default)]
struct Reader {
    globals: Globals,
    stack: Vec<Globals>,
    /// The last usage before a collection, with its page.
    usage: Option<(u32, u32)>,
    depth: u32,
    is_inside: bool,
    found: Option<Interface>,
}

impl Reader {
    fn take(&mut self, prefix: u8, data: &[u8]) {
        let number = number(data);
        // Tag and type; the two low bits are the size.
        match prefix & 0xFC {
            0x04 => self.globals.page = number,
            0x74 => self.globals.report_size = number,
            0x94 => self.globals.report_count = number,
            0x84 => self.globals.report_number = u8::try_from(number).ok(),
            0xA4 if self.stack.len() < STACK_MAX => self.stack.push(self.globals),
            0xB4 => self.globals = self.stack.pop().unwrap_or_default(),
            // A usage of four bytes brings its own page.
            0x08 if data.len() == 4 => self.usage = Some((number >> 16, number & 0xFFFF)),
            0x08 => self.usage = Some((self.globals.page, number)),
            0xA0 => self.open(number),
            0xC0 => self.close(),
            0x80 => self.report(|interface| &mut interface.input_length),
            0x90 => self.report(|interface| &mut interface.output_length),
            0xB0 => self.usage = None,
            _ => (),
        }
    }

    fn open(&mut self, kind: u32) {
        let usage = self.usage.take();
        let is_key = usage == Some((FIDO_PAGE, CTAPHID_USAGE)) && kind == APPLICATION;
        if self.depth == 0 && is_key && self.found.is_none() {
            self.is_inside = true;
            self.found = Some(Interface::default());
        }
        self.depth = self.depth.saturating_add(1);
    }

    fn close(&mut self) {
        self.usage = None;
        self.depth = self.depth.saturating_sub(1);
        self.is_inside &= self.depth > 0;
    }

    fn report(&mut self, length: impl FnOnce(&mut Interface) -> &mut u32) {
        self.usage = None;
        if let Some(interface) = self.found.as_mut().filter(|_| self.is_inside) {
            let bits = self
                .globals
                .report_size
                .saturating_mul(self.globals.report_count);
            let length = length(interface);
            *length = length.saturating_add(bits.div_ceil(8));
            interface.report_number = self.globals.report_number;
        }
    }
}

/// The items of a descriptor: prefix and data (HID 1.11, sections 6.2.2.2 and 6.2.2.3). A cut item ends the list.
struct Items<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        const LONG: u8 = 0xFE;
        let (&prefix, rest) = self.bytes.split_first()?;
        let (length, rest) = match (prefix, prefix & 0x03) {
            (LONG, _) => {
                let (&[length, _tag], rest) = rest.split_first_chunk::<2>()?;
                (usize::from(length), rest)
            }
            (_, 3) => (4, rest),
            (_, size) => (usize::from(size), rest),
        };
        let (data, rest) = rest.split_at_checked(length)?;
        self.bytes = rest;
        Some((prefix, data))
    }
}

/// Little-endian, of up to four bytes.
fn number(data: &[u8]) -> u32 {
    data.iter()
        .take(4)
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    const KEY: Option<Interface> = Some(Interface {
        input_length: 64,
        output_length: 64,
        report_number: None,
    });

    #[track_caller]
    fn check(hex: &str, expect: Option<Interface>) {
        let bytes = HEXLOWER.decode(hex.replace(' ', "").as_bytes()).unwrap();
        assert_eq!(fido_interface(&bytes), expect, "{hex}");
    }

    /// The descriptor of the specification, which YubiKey 5, Solo 1, Feitian, Token2 and Trezor have byte for byte.
    const COMMON: &str = "06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0";

    #[test]
    fn real_keys_are_keys() {
        check(COMMON, KEY);
        // Solo 2 and Nitrokey 3, whose firmware numbers the usages in its own way.
        check(
            "06d0f10901a1010903150026ff007508954081080904150026ff00750895409108c0",
            KEY,
        );
        // A gadget of Linux, with ranges of usages where the others have ranges of values.
        check(
            "06d0f10901a1010901190029ff1500750895408102098119002aff001500750895409102c0",
            KEY,
        );
        // The usage with its page in four bytes; and a logical collection around the reports.
        check("0b0100d0f1a101c0", Some(Interface::default()));
        check("06d0f10901a101a1020920750895408102c0092195409102c0", KEY);
        // One descriptor for two devices: a keyboard, then a key.
        let keyboard = "05010906a101050715002501750195088102c0";
        check(&format!("{keyboard} {COMMON}"), KEY);
        // Numbered reports.
        let numbered = Interface {
            input_length: 64,
            report_number: Some(5),
            ..Interface::default()
        };
        check("06d0f10901a1018505750895408102c0", Some(numbered));
    }

    #[test]
    fn other_devices_are_none() {
        // The one-time-password interface of a key, two keyboards, a mouse, and vendors' own pages.
        check(
            "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395067508150025650507190029658100090375089540b102c0",
            None,
        );
        check(
            "05010906a101050719e029e71500250175019508810295017508810195037501050819012903910295057501910195067508150026ff00050719002aff008100c0",
            None,
        );
        check(
            "05010902a1010901a100050919012908150025019508750181020600ff0940950275081581257f810205010938950181060930093116018026ff7f751095028106c0c0",
            None,
        );
        check("0600ff0901a1010920750895408102c0", None);
        // The page alone, another usage, a physical collection, and a FIDO collection inside another device.
        check("06d0f1a101c0", None);
        check("06d0f10902a101c0", None);
        check("06d0f10901a100c0", None);
        check("05010906a10106d0f10901a101c0c0", None);
    }

    #[test]
    fn cuts_and_oddities_are_none() {
        for hex in [
            "",
            "01",
            "0201",
            "02010203",
            "fe",
            "fe02",
            "0701020304",
            "06d0f10901",
            "b4b4b4",
        ] {
            check(hex, None);
        }
        // A long item is passed over as a whole, whatever is inside.
        check("fe0306d0f109", None);
        check(&format!("fe02001122 {COMMON}"), KEY);
        // The stack of global items is bounded, and the page comes back from it.
        check(&("a4".repeat(1000) + COMMON), KEY);
        check("06d0f1a40501b40901a10175089540810295409102c0", KEY);
        // Lengths that would overflow end at the largest number.
        let huge = Interface {
            input_length: u32::MAX.div_ceil(8),
            ..Interface::default()
        };
        check("06d0f10901a10177ffffffff97ffffffff8102c0", Some(huge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            fido_interface(&bytes);
        }

        #[test]
        fn a_key_is_found_behind_any_whole_items(
            items in proptest::collection::vec((0_u8..4, 0_u8..16, any::<[u8; 4]>()), 0..20)
        ) {
            // Any number of local items (type 2) does not hide the collection that follows.
            let mut bytes = Vec::new();
            for (size, tag, data) in items {
                let prefix = tag << 4 | 0x08 | size;
                if prefix == 0xFE {
                    continue;
                }
                bytes.push(prefix);
                let length = if size == 3 { 4 } else { usize::from(size) };
                bytes.extend(&data[..length]);
            }
            bytes.extend(HEXLOWER.decode(COMMON.as_bytes()).unwrap());
            prop_assert_eq!(fido_interface(&bytes), KEY);
        }
    }
}
