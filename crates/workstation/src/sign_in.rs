//! Signing in: one touch signs the cloud's nonce and yields the secret of the offline cache.
//!
//! ```text
//! nonce ← cloud;  assertion + hmac-secret output ← key;  request, signed by the device → cloud
//! cloud → primary refresh token, session key for the transport key, partial ticket for the ground
//! ```

use std::io::{Read, Write};

use cloud_api::Base64Url;
use cloud_api::jose::{self, Header, JoseError, Jws};
use cloud_api::prt::{
    FidoAssertion, GRANT_JWT, GRANT_REFRESH, HS256, IdClaims, RS256, TicketField, TokenAnswer,
    TokenRequest,
};
use cloud_api::session::{SessionKey, hs256};
use ctap::hmac_secret::{Outputs, Salts};
use ctap::webauthn::{self, Authentication, AuthenticationOptions};
use ctap::{Pin, Status};
use data_encoding::BASE64;
use kerberos::crypto::{EncryptionType, Key};
use sha2::{Digest, Sha256};
use types::{Entropy, Secret, Timestamp};

use crate::cloud::{self, Cloud, CloudError};
use crate::connection::Attempt;
use crate::joined::Joined;
use crate::offline::PrimaryRefreshToken;
use crate::signature;
use crate::tickets::{PartialTicket, PartialTicketError};

/// This program's name towards the cloud.
const CLIENT_ID: &str = "tombolo-workstation";
const SCOPE: &str = "openid aza";

/// What a sign-in gives.
#[derive(Debug)]
pub struct SignIn {
    /// The primary refresh token.
    pub prt: PrimaryRefreshToken,
    /// Who it is, as the cloud tells it.
    pub who: IdClaims,
    /// The public key of the security key, as the cloud knows it (COSE key); only from a sign-in by one.
    pub credential_public_key: Option<Vec<u8>>,
    /// The ticket for the ground, or why there is none.
    pub ticket: Result<PartialTicket, NoPartialTicket>,
}

/// What the touch gave besides.
#[derive(Debug)]
pub struct Touch {
    /// The credential that signed.
    pub credential_id: Vec<u8>,
    /// The outputs for the salts, where the key has hmac-secret.
    pub secrets: Option<Outputs>,
    /// Authenticator data and client data hash, which the key signed.
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Touch {
    /// Takes an assertion apart.
    fn of(signed: Authentication) -> Self {
        let assertion = signed.assertion;
        let hash = Sha256::digest(&signed.client_data_json);
        Self {
            credential_id: assertion.credential_id,
            secrets: signed.secrets,
            signed: [&assertion.auth_data.raw[..], &hash].concat(),
            signature: assertion.signature,
        }
    }

    /// Whether the key that was touched is the one of a public key (COSE key), and signed this touch.
    pub fn is_signed_by(&self, public_key: &[u8]) -> bool {
        signature::is_signed_by(public_key, &self.signed, &self.signature)
    }
}

/// Why there is no ticket for the ground. The sign-in itself is good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPartialTicket {
    /// The cloud says why.
    #[error("the cloud gave no ticket: {0}")]
    Cloud(String),
    /// It cannot be opened.
    #[error(transparent)]
    Ticket(#[from] PartialTicketError),
    /// The field is not what it must be.
    #[error("the cloud's ticket field is not what it must be: {0}")]
    Field(String),
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The cloud.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The cloud, after the key had signed.
    #[error("{error}")]
    AfterTouch {
        /// What the key gave: it may still open what this device kept.
        touch: Box<Touch>,
        /// What the cloud said.
        error: CloudError,
    },
    /// The security key.
    #[error("security key: {0}")]
    Key(#[from] ctap::Error),
    /// No credential of this cloud on the key.
    #[error(
        "this security key has no credential for {0}, or none that signed in here; register it first"
    )]
    NoCredential(String),
    /// A text of the cloud does not open.
    #[error("the cloud's answer does not open: {0}")]
    Jose(#[from] JoseError),
}

impl SignInError {
    /// What it says about the connection, and about whoever signs in.
    pub fn attempt(&self) -> Attempt {
        match self {
            Self::Cloud(error) | Self::AfterTouch { error, .. } => error.attempt(),
            // A text that does not open is not of the cloud that gave the session key.
            Self::Key(_) | Self::NoCredential(_) | Self::Jose(_) => Attempt::Unreachable,
        }
    }
}

/// Signs in with a security key. `salts` are those of the offline cache; a key without hmac-secret signs in all the same.
pub fn sign_in<S: Read + Write>(
    joined: &Joined,
    cloud: &mut dyn Cloud,
    key: &mut ctap::Client<S>,
    pin: &Pin,
    salts: Option<Salts>,
) -> Result<(SignIn, Touch), SignInError> {
    let nonce = cloud::nonce(cloud)?;
    let salts = salts.filter(|_| key.info().has_extension("hmac-secret"));
    let signed = sign(joined, key, pin, nonce.as_bytes(), Vec::new(), salts)?;
    let assertion = FidoAssertion {
        rp_id: joined.rp_id.clone(),
        client_data_json: Base64Url(signed.client_data_json.clone()),
        authenticator_data: Base64Url(signed.assertion.auth_data.raw.clone()),
        signature: Base64Url(signed.assertion.signature.clone()),
        user_handle: signed
            .assertion
            .user
            .as_ref()
            .map(|user| Base64Url(user.id.clone())),
    };
    let touch = Touch::of(signed);
    let request = TokenRequest {
        client_id: CLIENT_ID.to_owned(),
        request_nonce: nonce,
        scope: SCOPE.to_owned(),
        grant_type: GRANT_JWT.to_owned(),
        assertion: Some(assertion.to_text(&touch.credential_id)?),
        ..TokenRequest::default()
    };
    let header = Header {
        alg: RS256.to_owned(),
        typ: Some("JWT".to_owned()),
        x5c: vec![joined.x5c()],
        ..Header::default()
    };
    let signing_input = Jws::signing_input(&header, &request)?;
    let signature = joined
        .keys
        .sign(signing_input.as_bytes())
        .map_err(CloudError::from)?;
    let text = Jws::text(&signing_input, &signature);
    let answer = cloud::token_endpoint(cloud, form(&text));
    let answer = answer.and_then(|answer| cloud::json::<TokenAnswer>(&answer));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let touch = Box::new(touch);
            return Err(SignInError::AfterTouch { touch, error });
        }
    };
    let wrapped = answer.session_key_jwe.as_deref().unwrap_or_default();
    let session = joined
        .keys
        .open_session_key(wrapped)
        .map_err(CloudError::from)?;
    Ok((signed_in(answer, session)?, touch))
}

/// The touch of a sign-in without the cloud: the key computes the secrets of a cache again, and signs `challenge`, which is
/// random and of this device, so that its holder is there now. A key without hmac-secret cannot do it.
pub fn touch<S: Read + Write>(
    joined: &Joined,
    key: &mut ctap::Client<S>,
    pin: &Pin,
    challenge: &[u8; 32],
    allow: Vec<Vec<u8>>,
    salts: Salts,
) -> Result<Touch, SignInError> {
    sign(joined, key, pin, challenge, allow, Some(salts)).map(Touch::of)
}

fn sign<S: Read + Write>(
    joined: &Joined,
    key: &mut ctap::Client<S>,
    pin: &Pin,
    challenge: &[u8],
    allow: Vec<Vec<u8>>,
    salts: Option<Salts>,
) -> Result<Authentication, SignInError> {
    let options = AuthenticationOptions {
        rp_id: joined.rp_id.clone(),
        challenge: challenge.to_vec(),
        origin: joined.origin.clone(),
        allow,
        // Always: the secret with user verification is another one than that without.
        user_verification: true,
        salts,
    };
    webauthn::authenticate_one(key, &options, Some(pin)).map_err(|error| match error {
        ctap::Error::Status(Status::NO_CREDENTIALS) => {
            SignInError::NoCredential(joined.rp_id.clone())
        }
        error => SignInError::Key(error),
    })
}

/// Renews a primary refresh token, and brings a new ticket with it. Nobody is needed for it.
pub fn renew(
    prt: &PrimaryRefreshToken,
    cloud: &mut dyn Cloud,
    entropy: &mut dyn Entropy,
) -> Result<SignIn, SignInError> {
    let session = || SessionKey::new(Secret::new(*prt.session_key.expose()));
    let request = TokenRequest {
        client_id: CLIENT_ID.to_owned(),
        request_nonce: cloud::nonce(cloud)?,
        scope: SCOPE.to_owned(),
        grant_type: GRANT_REFRESH.to_owned(),
        refresh_token: Some(prt.token.expose().clone()),
        ..TokenRequest::default()
    };
    let mut context = [0; 24];
    entropy.fill(&mut context);
    let header = Header {
        alg: HS256.to_owned(),
        typ: Some("JWT".to_owned()),
        ctx: Some(BASE64.encode(&context)),
        kdf_ver: Some(2),
        ..Header::default()
    };
    let signing_input = Jws::signing_input(&header, &request)?;
    let payload = signing_input.split('.').nth(1).unwrap_or_default();
    let payload = Base64Url::parse(payload).unwrap_or_default();
    let key = session().derive_for(&context, payload.as_bytes());
    let text = Jws::text(&signing_input, &hs256(&key, signing_input.as_bytes()));
    let sealed = cloud::token_endpoint(cloud, form(&text))?;
    let sealed = String::from_utf8(sealed)
        .map_err(|_| CloudError::Nonsense("an answer that is no text".to_owned()))?;
    let plain = jose::open(&sealed, &session())?;
    signed_in(cloud::json(plain.expose())?, session())
}

fn form(request: &str) -> Vec<u8> {
    // A compact JWS has no character that a form would quote.
    format!(
        "windows_api_version=2.2&grant_type={}&client_info=1&tgt=true&request={request}",
        GRANT_JWT.replace(':', "%3A")
    )
    .into_bytes()
}

fn signed_in(answer: TokenAnswer, session: SessionKey) -> Result<SignIn, SignInError> {
    let who: IdClaims = Jws::parse(&answer.id_token)?.claims()?;
    let expires = answer.expires_on.parse().unwrap_or_default();
    Ok(SignIn {
        ticket: partial_ticket(answer.tgt_ad.as_deref(), &session),
        prt: PrimaryRefreshToken {
            token: Secret::new(answer.refresh_token),
            session_key: Secret::new(*session.expose()),
            expires: Timestamp::from_unix_seconds(expires),
        },
        who,
        credential_public_key: answer.credential_public_key.map(|key| key.0),
    })
}

/// The client key is sealed in a first answer, and bare in a renewal, which is sealed as a whole.
fn partial_ticket(
    field: Option<&str>,
    session: &SessionKey,
) -> Result<PartialTicket, NoPartialTicket> {
    let bad = |why: &dyn ToString| NoPartialTicket::Field(why.to_string());
    let text = field.ok_or_else(|| NoPartialTicket::Cloud("it sent none".to_owned()))?;
    let field: TicketField = serde_json::from_str(text).map_err(|error| bad(&error))?;
    let (Some(key), Some(message)) = (&field.client_key, &field.message_buffer) else {
        return Err(NoPartialTicket::Cloud(field.error.unwrap_or_default()));
    };
    let octets = if key.contains('.') {
        jose::open(key, session).map_err(|error| bad(&error))?
    } else {
        Secret::new(BASE64.decode(key.as_bytes()).map_err(|error| bad(&error))?)
    };
    let etype = EncryptionType(i32::try_from(field.key_type).unwrap_or_default());
    let key = Key::new(etype, octets.expose()).map_err(|error| bad(&error))?;
    let message = BASE64
        .decode(message.as_bytes())
        .map_err(|error| bad(&error))?;
    Ok(PartialTicket::open(&message, &key)?)
}
