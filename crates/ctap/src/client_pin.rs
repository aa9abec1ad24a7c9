//! authenticatorClientPIN (CTAP 2.1, section 6.5): from a PIN to a token.

use ciborium::Value;
use types::Entropy;

use crate::cbor::{self, Fields};
use crate::command::{CommandCode, Request};
use crate::error::{Error, Malformed};
use crate::pin::{Pin, PinProtocol, PinToken, PublicPoint, SharedSecret};

const WHAT: &str = "the clientPIN reply";

types::open_enum! {
    /// Subcommands (CTAP 2.1, section 6.5.5).
    pub struct SubCommand(u8) {
        GET_PIN_RETRIES = 0x01,
        GET_KEY_AGREEMENT = 0x02,
        SET_PIN = 0x03,
        CHANGE_PIN = 0x04,
        GET_PIN_TOKEN = 0x05,
        GET_TOKEN_USING_PIN_WITH_PERMISSIONS = 0x09,
    }
}

/// What a PIN token may be used for (CTAP 2.1, section 6.5.5.7); the bits are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions(pub u8);

impl Permissions {
    /// Registering a credential.
    pub const MAKE_CREDENTIAL: Self = Self(0x01);
    /// Signing an assertion.
    pub const GET_ASSERTION: Self = Self(0x02);
    /// Listing and deleting credentials.
    pub const CREDENTIAL_MANAGEMENT: Self = Self(0x04);
}

/// How many wrong PINs are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Tries left before the PIN is blocked for good.
    pub left: u32,
    /// Whether the key must be unplugged before the next try.
    pub needs_power_cycle: bool,
}

/// Asks for the tries that are left. CTAP does not ask for a protocol here, but some keys do.
#[derive(Debug, Clone, Copy)]
pub struct GetRetries(pub PinProtocol);

impl Request for GetRetries {
    type Reply = Retries;

    fn code(&self) -> CommandCode {
        CommandCode::CLIENT_PIN
    }

    fn parameters(&self) -> Option<Value> {
        Some(cbor::map([
            (1, Some(Value::from(self.0.number()))),
            (2, Some(Value::from(SubCommand::GET_PIN_RETRIES.0))),
        ]))
    }

    fn decode_reply(&self, body: &[u8]) -> Result<Retries, Malformed> {
        let mut fields = Fields::decode(body, WHAT)?;
        Ok(Retries {
            left: fields.require(3, "a small number", cbor::number)?,
            needs_power_cycle: fields.flag(4)?.unwrap_or(false),
        })
    }
}

/// Asks for the key's half of a key agreement; works without a PIN.
#[derive(Debug, Clone, Copy)]
pub struct GetKeyAgreement(pub PinProtocol);

impl Request for GetKeyAgreement {
    type Reply = PublicPoint;

    fn code(&self) -> CommandCode {
        CommandCode::CLIENT_PIN
    }

    fn parameters(&self) -> Option<Value> {
        Some(cbor::map([
            (1, Some(Value::from(self.0.number()))),
            (2, Some(Value::from(SubCommand::GET_KEY_AGREEMENT.0))),
        ]))
    }

    fn decode_reply(&self, body: &[u8]) -> Result<PublicPoint, Malformed> {
        let mut fields = Fields::decode(body, WHAT)?;
        let point = fields.take(1);
        PublicPoint::from_cose(point.ok_or_else(|| Malformed::Missing {
            what: WHAT,
            field: "1".to_owned(),
        })?)
    }
}

/// Sets the first PIN, or another one when the old one is shown.
#[derive(Debug, Clone)]
pub struct SetPin {
    protocol: PinProtocol,
    key_agreement: PublicPoint,
    new_pin: Vec<u8>,
    old_pin_hash: Option<Vec<u8>>,
    proof: Vec<u8>,
}

impl SetPin {
    /// Seals both PINs for the key at the other end of `shared`.
    pub fn new(
        shared: &SharedSecret,
        old: Option<&Pin>,
        new: &Pin,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Error> {
        let new_pin = shared.encrypt(new.padded().expose(), entropy)?;
        let old_pin_hash = match old {
            Some(old) => Some(shared.encrypt(old.hash().expose(), entropy)?),
            None => None,
        };
        let message = [&new_pin[..], old_pin_hash.as_deref().unwrap_or_default()].concat();
        Ok(Self {
            protocol: shared.protocol(),
            key_agreement: shared.platform_key(),
            proof: shared.authenticate(&message),
            new_pin,
            old_pin_hash,
        })
    }
}

impl Request for SetPin {
    type Reply = ();

    fn code(&self) -> CommandCode {
        CommandCode::CLIENT_PIN
    }

    fn parameters(&self) -> Option<Value> {
        let sub_command = match self.old_pin_hash {
            Some(_) => SubCommand::CHANGE_PIN,
            None => SubCommand::SET_PIN,
        };
        Some(cbor::map([
            (1, Some(Value::from(self.protocol.number()))),
            (2, Some(Value::from(sub_command.0))),
            (3, Some(self.key_agreement.to_cose())),
            (4, Some(Value::from(self.proof.clone()))),
            (5, Some(Value::from(self.new_pin.clone()))),
            (6, self.old_pin_hash.clone().map(Value::from)),
        ]))
    }

    fn decode_reply(&self, _body: &[u8]) -> Result<(), Malformed> {
        Ok(())
    }
}

/// Shows the PIN and asks for a token.
#[derive(Debug)]
pub struct GetToken<'a> {
    shared: &'a SharedSecret,
    pin_hash: Vec<u8>,
    scope: Option<(Permissions, Option<String>)>,
}

impl<'a> GetToken<'a> {
    /// A token as CTAP 2.0 knows it, good for everything.
    pub fn unlimited(
        shared: &'a SharedSecret,
        pin: &Pin,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Error> {
        let pin_hash = shared.encrypt(pin.hash().expose(), entropy)?;
        Ok(Self {
            shared,
            pin_hash,
            scope: None,
        })
    }

    /// A token of CTAP 2.1, good for `permissions` at one relying party.
    pub fn limited(
        shared: &'a SharedSecret,
        pin: &Pin,
        permissions: Permissions,
        rp_id: Option<&str>,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Error> {
        let scope = Some((permissions, rp_id.map(str::to_owned)));
        Ok(Self {
            scope,
            ..Self::unlimited(shared, pin, entropy)?
        })
    }
}

impl Request for GetToken<'_> {
    type Reply = PinToken;

    fn code(&self) -> CommandCode {
        CommandCode::CLIENT_PIN
    }

    fn parameters(&self) -> Option<Value> {
        let sub_command = match self.scope {
            Some(_) => SubCommand::GET_TOKEN_USING_PIN_WITH_PERMISSIONS,
            None => SubCommand::GET_PIN_TOKEN,
        };
        let scope = self.scope.as_ref();
        Some(cbor::map([
            (1, Some(Value::from(self.shared.protocol().number()))),
            (2, Some(Value::from(sub_command.0))),
            (3, Some(self.shared.platform_key().to_cose())),
            (6, Some(Value::from(self.pin_hash.clone()))),
            (9, scope.map(|(permissions, _)| Value::from(permissions.0))),
            (
                0x0A,
                scope
                    .and_then(|(_, rp_id)| rp_id.as_deref())
                    .map(Value::from),
            ),
        ]))
    }

    fn decode_reply(&self, body: &[u8]) -> Result<PinToken, Malformed> {
        let mut fields = Fields::decode(body, WHAT)?;
        let sealed = fields.require(2, "a byte string", |value| value.into_bytes().ok())?;
        PinToken::unseal(self.shared, &sealed)
    }
}
