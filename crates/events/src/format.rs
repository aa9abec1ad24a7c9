//! The name and version that each line carries, so that a reader knows what it has before it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! format {
    ($(#[$doc:meta])* $name:ident = $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name;

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let found = String::deserialize(deserializer)?;
                match found.as_str() {
                    $text => Ok(Self),
                    other => Err(serde::de::Error::custom(format_args!(
                        "its format is '{other}', and this version reads '{}'",
                        $text
                    ))),
                }
            }
        }
    };
}

format! {
    /// `tombolo-change/1`: a line of the directory's change log.
    ChangeFormat = "tombolo-change/1"
}

format! {
    /// `tombolo-receipt/1`: a line of the sync's receipts.
    ReceiptFormat = "tombolo-receipt/1"
}
