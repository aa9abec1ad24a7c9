//! authenticatorGetInfo (CTAP 2.1, section 6.4): what a key is and can.

use ciborium::Value;

use crate::cbor::{self, Fields};
use crate::command::{Algorithm, CommandCode, Request};
use crate::error::Malformed;
use crate::pin::PinProtocol;

const WHAT: &str = "the getInfo reply";

/// Asks a key what it is.
#[derive(Debug, Clone, Copy)]
pub struct GetInfo;

/// What a key says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Protocol versions, such as `FIDO_2_1`.
    pub versions: Vec<String>,
    /// Extensions, such as `hmac-secret`.
    pub extensions: Vec<String>,
    /// The key's model.
    pub aaguid: [u8; 16],
    /// Options and whether each is on.
    pub options: Vec<(String, bool)>,
    /// Longest message that the key takes; CTAP's own default where it is silent.
    pub message_length_max: u32,
    /// Most credentials that one list may hold, where the key says so.
    pub credentials_in_list_max: Option<u32>,
    /// Longest credential id that the key takes, where it says so.
    pub credential_id_length_max: Option<u32>,
    /// How the key can be reached, such as `usb` and `nfc`; empty where it does not say.
    pub transports: Vec<String>,
    /// The PIN protocols that both sides know, in the key's order of preference.
    pub pin_protocols: Vec<PinProtocol>,
    /// Signature algorithms, in the key's order of preference.
    pub algorithms: Vec<Algorithm>,
    /// Shortest PIN that the key takes, in characters.
    pub pin_length_min: u32,
    /// Whether the PIN must be changed first.
    pub must_change_pin: bool,
    /// Room left for discoverable credentials.
    pub remaining_credentials: Option<u32>,
}

impl Info {
    /// Before the key was asked.
    pub(crate) fn unknown() -> Self {
        Self {
            versions: Vec::new(),
            extensions: Vec::new(),
            aaguid: [0; 16],
            options: Vec::new(),
            message_length_max: 1024,
            credentials_in_list_max: None,
            credential_id_length_max: None,
            transports: Vec::new(),
            pin_protocols: Vec::new(),
            algorithms: Vec::new(),
            pin_length_min: 4,
            must_change_pin: false,
            remaining_credentials: None,
        }
    }

    /// An option's value; `None` where the key does not know it.
    pub fn option(&self, name: &str) -> Option<bool> {
        self.options
            .iter()
            .find(|(option, _)| option == name)
            .map(|(_, on)| *on)
    }

    /// Whether the key lists an extension.
    pub fn has_extension(&self, name: &str) -> bool {
        self.extensions.iter().any(|extension| extension == name)
    }

    /// Whether the key knows authenticatorSelection, which came with CTAP 2.1.
    pub fn knows_selection(&self) -> bool {
        let is_later = |version: &String| {
            version.starts_with("FIDO_2_") && !["FIDO_2_0", "FIDO_2_1_PRE"].contains(&&**version)
        };
        self.versions.iter().any(is_later)
    }

    /// Whether a PIN is set; `None` where the key cannot have one.
    pub fn has_pin(&self) -> Option<bool> {
        self.option("clientPin")
    }
}

impl Request for GetInfo {
    type Reply = Info;

    fn code(&self) -> CommandCode {
        CommandCode::GET_INFO
    }

    fn parameters(&self) -> Option<Value> {
        None
    }

    fn decode_reply(&self, body: &[u8]) -> Result<Info, Malformed> {
        let mut fields = Fields::decode(body, WHAT)?;
        let info = Info {
            versions: fields.require(1, "a list of texts", texts)?,
            extensions: fields
                .read(2, "a list of texts", texts)?
                .unwrap_or_default(),
            aaguid: fields.require(3, "16 bytes", cbor::bytes_of)?,
            options: fields
                .read(4, "a map of options", options)?
                .unwrap_or_default(),
            // CTAP 2.1, section 6.4: 1024 where the key does not say.
            message_length_max: fields.number(5)?.unwrap_or(1024),
            pin_protocols: fields
                .read(6, "a list of numbers", protocols)?
                .unwrap_or_default(),
            credentials_in_list_max: fields.number(7)?,
            credential_id_length_max: fields.number(8)?,
            transports: fields
                .read(9, "a list of texts", texts)?
                .unwrap_or_default(),
            algorithms: fields
                .read(0x0A, "a list of algorithms", algorithms)?
                .unwrap_or_default(),
            must_change_pin: fields.flag(0x0C)?.unwrap_or(false),
            pin_length_min: fields.number(0x0D)?.unwrap_or(4),
            remaining_credentials: fields.number(0x14)?,
        };
        Ok(info)
    }
}

fn texts(value: Value) -> Option<Vec<String>> {
    let items = value.into_array().ok()?.into_iter();
    items.map(|item| item.into_text().ok()).collect()
}

fn options(value: Value) -> Option<Vec<(String, bool)>> {
    let entries = value.into_map().ok()?.into_iter();
    entries
        .map(|(name, on)| Some((name.into_text().ok()?, on.into_bool().ok()?)))
        .collect()
}

/// Protocols of the future are passed over.
fn protocols(value: Value) -> Option<Vec<PinProtocol>> {
    let numbers: Option<Vec<u32>> = value
        .into_array()
        .ok()?
        .into_iter()
        .map(cbor::number)
        .collect();
    Some(
        numbers?
            .into_iter()
            .filter_map(PinProtocol::from_number)
            .collect(),
    )
}

/// Credential types of the future are passed over.
fn algorithms(value: Value) -> Option<Vec<Algorithm>> {
    let entries = value.into_array().ok()?.into_iter();
    let entries = entries.map(|entry| Fields::of(entry, WHAT).ok()?.take("alg"));
    let numbers: Option<Vec<i64>> = entries
        .map(|number| i64::try_from(number?.as_integer()?).ok())
        .collect();
    Some(numbers?.into_iter().map(Algorithm).collect())
}
