//! authenticatorCredentialManagement (CTAP 2.1, section 6.8): listing, renaming and deleting what
//! a key holds.

use ciborium::Value;

use crate::cbor::{self, Fields};
use crate::command::{self, CommandCode, Request, User};
use crate::error::Malformed;
use crate::pin::{PinProof, PinToken};

const WHAT: &str = "the credentialManagement reply";

types::open_enum! {
    /// Subcommands (CTAP 2.1, section 6.8).
    pub struct SubCommand(u8) {
        GET_CREDS_METADATA = 0x01,
        ENUMERATE_RPS_BEGIN = 0x02,
        ENUMERATE_RPS_GET_NEXT = 0x03,
        ENUMERATE_CREDENTIALS_BEGIN = 0x04,
        ENUMERATE_CREDENTIALS_GET_NEXT = 0x05,
        DELETE_CREDENTIAL = 0x06,
        UPDATE_USER_INFORMATION = 0x07,
    }
}

/// The common shape of the subcommands.
#[derive(Debug, Clone)]
struct Call {
    sub_command: SubCommand,
    parameters: Option<Value>,
    proof: Option<PinProof>,
}

impl Call {
    /// The "next" subcommands go on with a list that was opened under a proof, and need none.
    fn next(sub_command: SubCommand) -> Self {
        Self {
            sub_command,
            parameters: None,
            proof: None,
        }
    }

    fn proven(sub_command: SubCommand, parameters: Option<Value>, token: &PinToken) -> Self {
        // The proof covers the subcommand byte and the parameters as they are encoded.
        let mut message = vec![sub_command.0];
        message.extend(parameters.clone().map(cbor::encode).unwrap_or_default());
        Self {
            sub_command,
            parameters,
            proof: Some(token.prove(&message)),
        }
    }

    fn to_cbor(&self) -> Value {
        let proof = self.proof.as_ref();
        cbor::map([
            (1, Some(Value::from(self.sub_command.0))),
            (2, self.parameters.clone()),
            (3, proof.map(|proof| Value::from(proof.protocol.number()))),
            (4, proof.map(|proof| Value::from(proof.tag.clone()))),
        ])
    }
}

/// How much room is used and left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Discoverable credentials on the key.
    pub stored: u32,
    /// Room left, as the key guesses.
    pub room: u32,
}

/// A relying party known to the key; `total` comes with the first only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRelyingParty {
    /// Its id; a key may cut it to 32 bytes.
    pub id: String,
    /// SHA-256 of its whole id.
    pub id_hash: [u8; 32],
    /// How many there are.
    pub total: Option<u32>,
}

/// A discoverable credential on the key; `total` comes with the first only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// The credential id.
    pub id: Vec<u8>,
    /// Its account.
    pub user: User,
    /// Its protection level.
    pub cred_protect: Option<u32>,
    /// How many there are for this relying party.
    pub total: Option<u32>,
}

macro_rules! management_request {
    ($(#[$doc:meta])* $name:ident -> $reply:ty, $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(Call);

        impl Request for $name {
            type Reply = $reply;

            fn code(&self) -> CommandCode {
                CommandCode::CREDENTIAL_MANAGEMENT
            }

            fn parameters(&self) -> Option<Value> {
                Some(self.0.to_cbor())
            }

            fn decode_reply(&self, body: &[u8]) -> Result<$reply, Malformed> {
                $read(body)
            }
        }
    };
}

management_request!(
    /// Asks how much room is used.
    GetMetadata -> Metadata, |body: &[u8]| {
        let mut fields = Fields::decode(body, WHAT)?;
        Ok(Metadata {
            stored: fields.require(1, "a small number", cbor::number)?,
            room: fields.require(2, "a small number", cbor::number)?,
        })
    }
);

management_request!(
    /// Asks for the first relying party, or the next.
    EnumerateRelyingParties -> StoredRelyingParty, |body: &[u8]| {
        let mut fields = Fields::decode(body, WHAT)?;
        let rp = fields.require(3, "a map", |value| value.is_map().then_some(value))?;
        let mut rp = Fields::of(rp, "a relying party")?;
        Ok(StoredRelyingParty {
            id: rp.require("id", "text", |value| value.into_text().ok())?,
            id_hash: fields.require(4, "32 bytes", cbor::bytes_of)?,
            total: fields.number(5)?,
        })
    }
);

management_request!(
    /// Asks for the first credential of a relying party, or the next.
    EnumerateCredentials -> StoredCredential, |body: &[u8]| {
        let mut fields = Fields::decode(body, WHAT)?;
        let user = fields.require(6, "a map", |value| value.is_map().then_some(value))?;
        let id = fields.require(7, "a map", |value| value.is_map().then_some(value))?;
        Ok(StoredCredential {
            id: command::credential_id_of(id)?,
            user: command::user_from_cbor(user)?,
            cred_protect: fields.number(0x0A)?,
            total: fields.number(9)?,
        })
    }
);

management_request!(
    /// Deletes one credential.
    DeleteCredential -> (), |_body: &[u8]| Ok(())
);

management_request!(
    /// Writes other names to a credential.
    UpdateUser -> (), |_body: &[u8]| Ok(())
);

impl GetMetadata {
    /// With the proof that it needs.
    pub fn new(token: &PinToken) -> Self {
        Self(Call::proven(SubCommand::GET_CREDS_METADATA, None, token))
    }
}

impl EnumerateRelyingParties {
    /// Opens the list.
    pub fn begin(token: &PinToken) -> Self {
        Self(Call::proven(SubCommand::ENUMERATE_RPS_BEGIN, None, token))
    }

    /// Goes on with it.
    pub fn next() -> Self {
        Self(Call::next(SubCommand::ENUMERATE_RPS_GET_NEXT))
    }
}

impl EnumerateCredentials {
    /// Opens the list of one relying party.
    pub fn begin(token: &PinToken, rp_id_hash: &[u8; 32]) -> Self {
        let parameters = cbor::map([(1, Some(Value::from(rp_id_hash.to_vec())))]);
        let begin = SubCommand::ENUMERATE_CREDENTIALS_BEGIN;
        Self(Call::proven(begin, Some(parameters), token))
    }

    /// Goes on with it.
    pub fn next() -> Self {
        Self(Call::next(SubCommand::ENUMERATE_CREDENTIALS_GET_NEXT))
    }
}

impl DeleteCredential {
    /// With the proof that it needs.
    pub fn new(token: &PinToken, credential_id: &[u8]) -> Self {
        let parameters = cbor::map([(2, Some(command::descriptor(credential_id)))]);
        Self(Call::proven(
            SubCommand::DELETE_CREDENTIAL,
            Some(parameters),
            token,
        ))
    }
}

impl UpdateUser {
    /// With the proof that it needs. The key refuses another user handle than the credential's own.
    pub fn new(token: &PinToken, credential_id: &[u8], user: &User) -> Self {
        let parameters = cbor::map([
            (2, Some(command::descriptor(credential_id))),
            (3, Some(command::user_to_cbor(user))),
        ]);
        Self(Call::proven(
            SubCommand::UPDATE_USER_INFORMATION,
            Some(parameters),
            token,
        ))
    }
}
