//! Requests and their replies: makeCredential, getAssertion, reset and selection (CTAP 2.1, section 6).

use ciborium::Value;

use crate::auth_data::AuthData;
use crate::cbor::{self, Fields};
use crate::error::Malformed;
use crate::hmac_secret::SealedSalts;
use crate::pin::{PinProof, PinProtocol};

types::open_enum! {
    /// The first byte of each request (CTAP 2.1, section 6).
    pub struct CommandCode(u8) {
        MAKE_CREDENTIAL = 0x01,
        GET_ASSERTION = 0x02,
        GET_INFO = 0x04,
        CLIENT_PIN = 0x06,
        RESET = 0x07,
        GET_NEXT_ASSERTION = 0x08,
        CREDENTIAL_MANAGEMENT = 0x0A,
        SELECTION = 0x0B,
        CREDENTIAL_MANAGEMENT_PREVIEW = 0x41,
    }
}

/// COSE algorithm identifiers (RFC 9053). An open number: what a relying party names is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm(pub i64);

impl Algorithm {
    /// ECDSA with P-256 and SHA-256, which every key has.
    pub const ES256: Self = Self(-7);
    /// EdDSA.
    pub const EDDSA: Self = Self(-8);
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub const RS256: Self = Self(-257);
}

/// Something that can be asked, and how to read the answer.
pub trait Request {
    /// What a good answer holds.
    type Reply;

    /// The command byte.
    fn code(&self) -> CommandCode;

    /// The parameters, where the command has some.
    fn parameters(&self) -> Option<Value>;

    /// Reads the answer after its status byte.
    fn decode_reply(&self, body: &[u8]) -> Result<Self::Reply, Malformed>;

    /// The whole request as it travels.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.code().0];
        if let Some(parameters) = self.parameters() {
            bytes.extend(cbor::encode(parameters));
        }
        bytes
    }
}

/// A relying party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// Its id, a domain name.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
}

/// An account at a relying party.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The user handle: up to 64 bytes that say nothing about the person.
    pub id: Vec<u8>,
    /// The account's name.
    pub name: Option<String>,
    /// The person's name.
    pub display_name: Option<String>,
}

impl std::fmt::Display for User {
    /// The best name that the key told: account, person, or the handle.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name.as_ref().or(self.display_name.as_ref()) {
            Some(name) => f.write_str(name),
            None if self.id.is_empty() => f.write_str("an account without a name"),
            None => f.write_str(&data_encoding::HEXLOWER.encode(&self.id)),
        }
    }
}

/// What the key tells of a credential's owner to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredProtect {
    /// Found and used without verification.
    Optional,
    /// Used without verification by whoever knows its id.
    OptionalWithList,
    /// Never used without verification.
    Required,
}

/// authenticatorMakeCredential (CTAP 2.1, section 6.1).
#[derive(Debug, Clone)]
pub struct MakeCredential {
    /// SHA-256 of the client data.
    pub client_data_hash: [u8; 32],
    /// Who asks.
    pub rp: RelyingParty,
    /// For whom.
    pub user: User,
    /// Wanted algorithms, best first.
    pub algorithms: Vec<Algorithm>,
    /// Credentials of which the key must hold none.
    pub exclude: Vec<Vec<u8>>,
    /// Whether the credential is found without its id.
    pub resident_key: bool,
    /// Whether it can compute secrets from salts.
    pub hmac_secret: bool,
    /// Salts whose secrets come with the registration; only for keys with hmac-secret-mc.
    pub salts: Option<SealedSalts>,
    /// Its protection level.
    pub cred_protect: Option<CredProtect>,
    /// Proof of the PIN token over `client_data_hash`.
    pub proof: Option<PinProof>,
}

impl MakeCredential {
    /// A request that asks for a touch and can register nothing: its proof is empty.
    pub(crate) fn touch_alone() -> Self {
        const NAME: &str = "touch.invalid";
        Self {
            client_data_hash: [0; 32],
            rp: RelyingParty {
                id: NAME.to_owned(),
                name: None,
            },
            user: User {
                id: vec![1],
                name: Some(NAME.to_owned()),
                display_name: None,
            },
            algorithms: vec![Algorithm::ES256],
            exclude: Vec::new(),
            resident_key: false,
            hmac_secret: false,
            salts: None,
            cred_protect: None,
            proof: Some(PinProof {
                protocol: PinProtocol::One,
                tag: Vec::new(),
            }),
        }
    }
}

impl Request for MakeCredential {
    type Reply = Attestation;

    fn code(&self) -> CommandCode {
        CommandCode::MAKE_CREDENTIAL
    }

    fn parameters(&self) -> Option<Value> {
        let algorithms = self.algorithms.iter().map(|algorithm| {
            cbor::map([
                ("alg", Some(Value::from(algorithm.0))),
                ("type", Some(Value::from("public-key"))),
            ])
        });
        let level = self.cred_protect.map(|level| match level {
            CredProtect::Optional => 1,
            CredProtect::OptionalWithList => 2,
            CredProtect::Required => 3,
        });
        let extensions = cbor::map([
            ("hmac-secret", self.hmac_secret.then_some(Value::Bool(true))),
            ("credProtect", level.map(Value::from)),
            (
                "hmac-secret-mc",
                self.salts.as_ref().map(SealedSalts::to_cbor),
            ),
        ]);
        let rp = cbor::map([
            ("id", Some(Value::from(self.rp.id.as_str()))),
            ("name", self.rp.name.as_deref().map(Value::from)),
        ]);
        // No `uv` option: with a PIN proof CTAP 2.1 ignores it, and without one it asks for built-in
        // verification.
        let options = cbor::map([("rk", self.resident_key.then_some(Value::Bool(true)))]);
        Some(cbor::map([
            (1, Some(Value::from(self.client_data_hash.to_vec()))),
            (2, Some(rp)),
            (3, Some(user_to_cbor(&self.user))),
            (4, Some(Value::Array(algorithms.collect()))),
            (5, descriptors(&self.exclude)),
            (6, unless_empty(extensions)),
            (7, unless_empty(options)),
            (
                8,
                self.proof
                    .as_ref()
                    .map(|proof| Value::from(proof.tag.clone())),
            ),
            (
                9,
                self.proof
                    .as_ref()
                    .map(|proof| Value::from(proof.protocol.number())),
            ),
        ]))
    }

    fn decode_reply(&self, body: &[u8]) -> Result<Attestation, Malformed> {
        let mut fields = Fields::decode(body, "the makeCredential reply")?;
        let format = fields.require(1, "text", |value| value.into_text().ok())?;
        let auth_data = fields.require(2, "a byte string", |value| value.into_bytes().ok())?;
        let statement = fields.require(3, "a map", |value| value.is_map().then_some(value))?;
        let auth_data = AuthData::decode(&auth_data)?;
        if auth_data.credential.is_none() {
            return Err(Malformed::Form {
                what: "the authenticator data of a registration",
                wanted: "with a credential",
            });
        }
        Ok(Attestation {
            format,
            auth_data,
            statement,
        })
    }
}

/// The answer to [`MakeCredential`].
#[derive(Debug, Clone, PartialEq)]
pub struct Attestation {
    /// The attestation format, such as `packed`.
    pub format: String,
    /// The authenticator data; it always holds a credential.
    pub auth_data: AuthData,
    statement: Value,
}

impl Attestation {
    /// The credential id.
    pub fn credential_id(&self) -> &[u8] {
        self.auth_data
            .credential
            .as_ref()
            .map_or(&[], |credential| &credential.id)
    }

    /// The attestation certificates, leaf first; none for self attestation.
    pub fn certificates(&self) -> Vec<Vec<u8>> {
        let statement = self.statement.as_map().map_or(&[][..], Vec::as_slice);
        let x5c = statement
            .iter()
            .find(|(key, _)| key.as_text() == Some("x5c"));
        let chain = x5c.and_then(|(_, value)| value.as_array());
        chain
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_bytes().cloned())
            .collect()
    }

    /// The attestation object that WebAuthn wants (level 3, section 6.5): the same content under names
    /// instead of numbers. The authenticator data is copied byte for byte, because it is signed.
    pub fn to_attestation_object(&self) -> Vec<u8> {
        cbor::encode(cbor::map([
            ("fmt", Some(Value::from(self.format.as_str()))),
            ("attStmt", Some(self.statement.clone())),
            ("authData", Some(Value::from(self.auth_data.raw.clone()))),
        ]))
    }
}

/// authenticatorGetAssertion (CTAP 2.1, section 6.2).
#[derive(Debug, Clone)]
pub struct GetAssertion {
    /// Who asks.
    pub rp_id: String,
    /// SHA-256 of the client data.
    pub client_data_hash: [u8; 32],
    /// Credentials that may answer; none: any discoverable one.
    pub allow: Vec<Vec<u8>>,
    /// Whether a touch is wanted.
    pub user_presence: bool,
    /// Salts for the secrets.
    pub salts: Option<SealedSalts>,
    /// Proof of the PIN token over `client_data_hash`.
    pub proof: Option<PinProof>,
}

impl Request for GetAssertion {
    type Reply = Assertion;

    fn code(&self) -> CommandCode {
        CommandCode::GET_ASSERTION
    }

    fn parameters(&self) -> Option<Value> {
        let extensions =
            cbor::map([("hmac-secret", self.salts.as_ref().map(SealedSalts::to_cbor))]);
        let options = cbor::map([("up", (!self.user_presence).then_some(Value::Bool(false)))]);
        Some(cbor::map([
            (1, Some(Value::from(self.rp_id.as_str()))),
            (2, Some(Value::from(self.client_data_hash.to_vec()))),
            (3, descriptors(&self.allow)),
            (4, unless_empty(extensions)),
            (5, unless_empty(options)),
            (
                6,
                self.proof
                    .as_ref()
                    .map(|proof| Value::from(proof.tag.clone())),
            ),
            (
                7,
                self.proof
                    .as_ref()
                    .map(|proof| Value::from(proof.protocol.number())),
            ),
        ]))
    }

    fn decode_reply(&self, body: &[u8]) -> Result<Assertion, Malformed> {
        let only = match self.allow.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        };
        Assertion::decode(body, only)
    }
}

/// authenticatorGetNextAssertion (CTAP 2.1, section 6.3).
#[derive(Debug, Clone, Copy)]
pub struct GetNextAssertion;

impl Request for GetNextAssertion {
    type Reply = Assertion;

    fn code(&self) -> CommandCode {
        CommandCode::GET_NEXT_ASSERTION
    }

    fn parameters(&self) -> Option<Value> {
        None
    }

    fn decode_reply(&self, body: &[u8]) -> Result<Assertion, Malformed> {
        Assertion::decode(body, None)
    }
}

/// The answer to [`GetAssertion`] and [`GetNextAssertion`].
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// The credential that answered.
    pub credential_id: Vec<u8>,
    /// The authenticator data.
    pub auth_data: AuthData,
    /// The signature over authenticator data and client data hash.
    pub signature: Vec<u8>,
    /// The account, where the key tells it.
    pub user: Option<User>,
    /// How many credentials can answer; only in the first answer.
    pub credentials: Option<u32>,
}

impl Assertion {
    /// A key may leave the credential out when just one was allowed; then it is that one.
    fn decode(body: &[u8], only: Option<Vec<u8>>) -> Result<Self, Malformed> {
        const WHAT: &str = "the getAssertion reply";
        let mut fields = Fields::decode(body, WHAT)?;
        let credential_id = match fields.take(1) {
            Some(descriptor) => credential_id_of(descriptor)?,
            None => only.ok_or_else(|| Malformed::Missing {
                what: WHAT,
                field: "1".to_owned(),
            })?,
        };
        let auth_data = fields.require(2, "a byte string", |value| value.into_bytes().ok())?;
        Ok(Self {
            credential_id,
            auth_data: AuthData::decode(&auth_data)?,
            signature: fields.require(3, "a byte string", |value| value.into_bytes().ok())?,
            user: fields.take(4).map(user_from_cbor).transpose()?,
            credentials: fields.number(5)?,
        })
    }
}

/// A request without parameters and without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// authenticatorReset (CTAP 2.1, section 6.6): everything is forgotten.
    Reset,
    /// authenticatorSelection (CTAP 2.1, section 6.9): a touch, to tell one key from another.
    Selection,
}

impl Request for Bare {
    type Reply = ();

    fn code(&self) -> CommandCode {
        match self {
            Self::Reset => CommandCode::RESET,
            Self::Selection => CommandCode::SELECTION,
        }
    }

    fn parameters(&self) -> Option<Value> {
        None
    }

    fn decode_reply(&self, _body: &[u8]) -> Result<(), Malformed> {
        Ok(())
    }
}

pub use crate::get_info::GetInfo;

pub(crate) fn descriptor(id: &[u8]) -> Value {
    cbor::map([
        ("id", Some(Value::from(id.to_vec()))),
        ("type", Some(Value::from("public-key"))),
    ])
}

/// CTAP refuses empty lists, so an empty one is left out.
fn descriptors(ids: &[Vec<u8>]) -> Option<Value> {
    let list: Vec<Value> = ids.iter().map(|id| descriptor(id)).collect();
    (!list.is_empty()).then_some(Value::Array(list))
}

fn unless_empty(map: Value) -> Option<Value> {
    (!map.as_map().is_some_and(Vec::is_empty)).then_some(map)
}

pub(crate) fn credential_id_of(descriptor: Value) -> Result<Vec<u8>, Malformed> {
    let mut fields = Fields::of(descriptor, "a credential descriptor")?;
    fields.require("id", "a byte string", |value| value.into_bytes().ok())
}

pub(crate) fn user_to_cbor(user: &User) -> Value {
    cbor::map([
        ("id", Some(Value::from(user.id.clone()))),
        ("name", user.name.as_deref().map(Value::from)),
        ("displayName", user.display_name.as_deref().map(Value::from)),
    ])
}

pub(crate) fn user_from_cbor(value: Value) -> Result<User, Malformed> {
    let mut fields = Fields::of(value, "a user")?;
    Ok(User {
        id: fields.require("id", "a byte string", |value| value.into_bytes().ok())?,
        name: fields.text("name")?,
        display_name: fields.text("displayName")?,
    })
}
