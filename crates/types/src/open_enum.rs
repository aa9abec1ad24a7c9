/// Makes a newtype over a wire integer with named constants.
///
/// Values without a name survive decoding and encoding; `Debug` and `Display` print them in hex, and
/// `name()` tells the known from the unknown.
///
/// ```
/// types::open_enum! {
///     /// KeyUsage of a key credential.
///     pub struct KeyUsage(u8) { NGC = 0x01, FIDO = 0x07 }
/// }
/// assert_eq!(KeyUsage::FIDO.to_string(), "FIDO");
/// assert_eq!(KeyUsage(0x42).to_string(), "0x42");
/// assert_eq!(KeyUsage(0x42).name(), None);
/// ```
#[macro_export]
macro_rules! open_enum {
    (
        $(#[$outer:meta])*
        $vis:vis struct $name:ident($inner:ty) {
            $( $(#[$inner_meta:meta])* $variant:ident = $value:expr ),* $(,)?
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(pub $inner);

        #[allow(missing_docs, reason = "the constants are the names of the specification")]
        impl $name {
            $( $(#[$inner_meta])* pub const $variant: Self = Self($value); )*

            /// The specification's name of this value, or `None` where it has no name here.
            pub fn name(self) -> Option<&'static str> {
                $( if self.0 == $value { return Some(stringify!($variant)); } )*
                None
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#04x}", self.0),
                }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}
