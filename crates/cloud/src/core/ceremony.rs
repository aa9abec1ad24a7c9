//! The registration ceremony (WebAuthn Level 3, section 7.1): options out, a verified credential in.
//!
//! `webauthn-rs-core` checks the signatures and most of the steps; this module binds it to our challenge and our
//! clock, limits the formats to those that hybrid sign-in knows (packed and none), keeps the bytes that must survive,
//! and judges the certificate chain by the tenant's roots.

use std::time::{Duration, SystemTime};

use cloud_api::Base64Url;
use cloud_api::fido2::{
    AuthenticatorSelection, CreationExtensions, CreationOptions, CreationOptionsReply,
    CredentialDescriptor, CredentialParameters, CredentialUser, PublicKeyCredential,
    RelyingParty as WireRelyingParty,
};
use keycred::material::{AuthenticatorData, CertificateFacts};
use types::{Entropy, Guid, Timestamp};
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::attestation::verify_attestation_ca_chain;
use webauthn_rs_core::error::WebauthnError;
use webauthn_rs_core::proto::{
    AttestationCaList, COSEAlgorithm, Credential, ParsedAttestationData, RegistrationState,
};
use webauthn_rs_proto::{
    AttestationConveyancePreference, AuthenticatorAttestationResponseRaw, CredProtect,
    CredentialProtectionPolicy, RegisterPublicKeyCredential, RegistrationExtensionsClientOutputs,
    RequestRegistrationExtensions, UserVerificationPolicy,
};
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};

use super::attestation::{AttestationObject, MalformedAttestation, is_certificate};
use super::policy::Policy;
use crate::config::{RelyingParty, parse_origin};
use crate::error::Error;

/// How long a challenge works.
pub(crate) const CHALLENGE_LIFETIME_SECONDS: i64 = 5 * 60;
/// How long a client waits for the key, in milliseconds.
const CLIENT_TIMEOUT_MS: u32 = 60_000;
/// WebAuthn Level 3, section 5.8.4: longer ids are refused.
const CREDENTIAL_ID_BYTES_MAX: usize = 1023;
const CHALLENGE_BYTES: usize = 32;
/// ES256, RS256 as in real options, then EdDSA.
const ALGORITHMS: [(COSEAlgorithm, i64); 3] = [
    (COSEAlgorithm::ES256, -7),
    (COSEAlgorithm::RS256, -257),
    (COSEAlgorithm::EDDSA, -8),
];

/// Why a key's answer does not verify.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerificationFailure {
    /// The client data is not JSON with a challenge.
    #[error("clientDataJSON cannot be read: {0}")]
    ClientData(String),
    /// An assertion, or something else that is no registration.
    #[error("clientDataJSON is of type '{0}', not webauthn.create")]
    Kind(String),
    /// Another web page asked the key.
    #[error("the key was asked by origin '{found}'; this tenant registers keys at {accepted}")]
    Origin {
        /// The page that asked.
        found: String,
        /// The pages that may.
        accepted: String,
    },
    /// The attestation object cannot be read.
    #[error(transparent)]
    Malformed(#[from] MalformedAttestation),
    /// The authenticator data cannot be read.
    #[error("{0}")]
    AuthenticatorData(String),
    /// Another attestation format.
    #[error("attestation format '{0}' is not supported; packed and none are")]
    Format(String),
    /// `id` is not the credential's.
    #[error("id differs from the credential id in the attestation object")]
    IdMismatch,
    /// The credential id is empty or too long.
    #[error("a credential id of {0} bytes; 1 to 1023 are allowed")]
    IdLength(usize),
    /// The verifier's word.
    #[error("{0}")]
    Refused(#[from] WebauthnError),
    /// What verifier and our own reading see differs.
    #[error("the attestation object reads in two ways")]
    Ambiguous,
}

/// A credential that passed the ceremony and the policy. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifiedCredential {
    pub(super) credential_id: Vec<u8>,
    pub(super) auth_data: Vec<u8>,
    pub(super) x5c: Vec<Vec<u8>>,
    pub(super) aaguid: Guid,
    /// The tenant's root that vouches for the key, where one does.
    pub(super) root_thumbprint: Option<String>,
    pub(super) has_hmac_secret: bool,
}

impl VerifiedCredential {
    pub(crate) fn credential_id(&self) -> &[u8] {
        &self.credential_id
    }

    pub(crate) fn aaguid(&self) -> Guid {
        self.aaguid
    }

    pub(crate) fn is_attested(&self) -> bool {
        self.root_thumbprint.is_some()
    }

    pub(crate) fn has_hmac_secret(&self) -> bool {
        self.has_hmac_secret
    }
}

/// For whom a ceremony is.
pub(crate) struct Candidate<'a> {
    pub(crate) user_principal_name: &'a str,
    pub(crate) display_name: &'a str,
    /// The user's part of the handle.
    pub(crate) handle: [u8; 32],
    /// Credential ids of the user's keys.
    pub(crate) registered: &'a [Vec<u8>],
}

/// A challenge that was handed out, to be stored.
pub(crate) struct Challenge {
    pub(crate) bytes: [u8; CHALLENGE_BYTES],
    pub(crate) expires: Timestamp,
}

/// Makes the options of a registration.
pub(crate) fn begin(
    tenant: Guid,
    rp: &RelyingParty,
    candidate: &Candidate<'_>,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> (CreationOptionsReply, Challenge) {
    let mut bytes = [0; CHALLENGE_BYTES];
    entropy.fill(&mut bytes);
    let expires = now.plus_seconds(CHALLENGE_LIFETIME_SECONDS);
    let public_key = CreationOptions {
        rp: WireRelyingParty {
            id: rp.id.clone(),
            name: rp.name.clone(),
        },
        user: CredentialUser {
            id: Base64Url(user_handle(tenant, candidate.handle)),
            name: candidate.user_principal_name.to_owned(),
            display_name: candidate.display_name.to_owned(),
        },
        challenge: Base64Url(bytes.to_vec()),
        pub_key_cred_params: ALGORITHMS
            .iter()
            .map(|(_, alg)| CredentialParameters {
                kind: PUBLIC_KEY.to_owned(),
                alg: *alg,
            })
            .collect(),
        timeout: CLIENT_TIMEOUT_MS,
        exclude_credentials: candidate
            .registered
            .iter()
            .map(|id| CredentialDescriptor {
                kind: PUBLIC_KEY.to_owned(),
                id: Base64Url(id.clone()),
                transports: Vec::new(),
            })
            .collect(),
        authenticator_selection: AuthenticatorSelection {
            authenticator_attachment: Some("cross-platform".to_owned()),
            require_resident_key: true,
            resident_key: Some("required".to_owned()),
            user_verification: "required".to_owned(),
        },
        attestation: "direct".to_owned(),
        extensions: CreationExtensions {
            hmac_create_secret: Some(true),
            enforce_credential_protection_policy: Some(true),
            credential_protection_policy: Some("userVerificationOptional".to_owned()),
        },
    };
    let reply = CreationOptionsReply {
        challenge_timeout_date_time: expires,
        public_key,
    };
    (reply, Challenge { bytes, expires })
}

/// The user handle of a security key: `OF:`, the tenant in the order of the Windows wire, 32 bytes of user.
fn user_handle(tenant: Guid, handle: [u8; 32]) -> Vec<u8> {
    [&b"OF:"[..], &tenant.to_bytes_le(), &handle].concat()
}

/// What the client says it asked the key (WebAuthn Level 3, section 5.8.1), as far as it is looked at here.
#[derive(serde::Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: Base64Url,
    origin: String,
}

fn client_data(credential: &PublicKeyCredential) -> Result<ClientData, VerificationFailure> {
    serde_json::from_slice(credential.response.client_data_json.as_bytes())
        .map_err(|error| VerificationFailure::ClientData(error.to_string()))
}

/// The challenge that a client says it answered. It finds the ceremony in the store and proves nothing yet.
pub(crate) fn answered_challenge(
    credential: &PublicKeyCredential,
) -> Result<Vec<u8>, VerificationFailure> {
    Ok(client_data(credential)?.challenge.0)
}

/// The verifier checks type and origin as well, but cannot say which it found.
fn check_client_data(
    credential: &PublicKeyCredential,
    rp: &RelyingParty,
) -> Result<(), VerificationFailure> {
    let data = client_data(credential)?;
    if data.kind != "webauthn.create" {
        return Err(VerificationFailure::Kind(
            data.kind.chars().take(40).collect(),
        ));
    }
    let found = url::Url::parse(&data.origin).map(|origin| origin.origin());
    let is_accepted = rp.origins.iter().any(|accepted| {
        url::Url::parse(accepted)
            .map(|accepted| accepted.origin())
            .ok()
            == found.clone().ok()
    });
    if found.is_err() || !is_accepted {
        return Err(VerificationFailure::Origin {
            found: data.origin.chars().take(200).collect(),
            accepted: rp.origins.join(", "),
        });
    }
    Ok(())
}

/// Verifies a key's answer to `challenge`, which the store has just given up for this user, and asks the policy.
pub(crate) fn verify(
    credential: &PublicKeyCredential,
    challenge: &[u8],
    rp: &RelyingParty,
    policy: &Policy,
    now: Timestamp,
) -> Result<VerifiedCredential, Error> {
    let object = AttestationObject::decode(credential.response.attestation_object.as_bytes())
        .map_err(VerificationFailure::from)?;
    if !FORMATS.contains(&object.format.as_str()) {
        return Err(VerificationFailure::Format(object.format).into());
    }
    check_client_data(credential, rp)?;
    let own = own_reading(credential, &object)?;
    let theirs = cryptographic_check(credential, &object, challenge, rp)?;
    if theirs.cred_id.as_slice() != own.credential_id {
        return Err(VerificationFailure::Ambiguous.into());
    }
    let root_thumbprint = root_of(&theirs.attestation.data, policy, now)?;
    policy.accepts(own.aaguid, root_thumbprint.is_some())?;
    Ok(VerifiedCredential {
        root_thumbprint,
        ..own
    })
}

/// Our own reading of what must survive byte for byte.
fn own_reading(
    credential: &PublicKeyCredential,
    object: &AttestationObject,
) -> Result<VerifiedCredential, VerificationFailure> {
    let data = AuthenticatorData::decode(&object.auth_data)
        .map_err(|error| VerificationFailure::AuthenticatorData(error.to_string()))?;
    let has_hmac_secret = data
        .extension("hmac-secret")
        .and_then(ciborium::Value::as_bool)
        .unwrap_or(false);
    let attested = data.attested.ok_or_else(|| {
        VerificationFailure::AuthenticatorData("the authenticator data holds no credential".into())
    })?;
    let length = attested.credential_id.len();
    if !(1..=CREDENTIAL_ID_BYTES_MAX).contains(&length) {
        return Err(VerificationFailure::IdLength(length));
    }
    let stated = Base64Url::parse_credential_id(&credential.id)
        .map_err(|_| VerificationFailure::IdMismatch)?;
    if stated.as_bytes() != attested.credential_id {
        return Err(VerificationFailure::IdMismatch);
    }
    // The leaf signs the statement, so it cannot be one of the strays that `for_verifier` leaves out.
    if object.x5c.first().is_some_and(|leaf| !is_certificate(leaf)) {
        return Err(MalformedAttestation::Member("x5c").into());
    }
    Ok(VerifiedCredential {
        credential_id: attested.credential_id,
        auth_data: object.auth_data.clone(),
        x5c: object.x5c.clone(),
        aaguid: attested.aaguid,
        root_thumbprint: None,
        has_hmac_secret,
    })
}

fn cryptographic_check(
    credential: &PublicKeyCredential,
    object: &AttestationObject,
    challenge: &[u8],
    rp: &RelyingParty,
) -> Result<Credential, Error> {
    let verifier = verifier(rp)?;
    let state = registration_state(&verifier, challenge)?;
    let request = RegisterPublicKeyCredential {
        id: credential.id.clone(),
        raw_id: Vec::new(),
        response: AuthenticatorAttestationResponseRaw {
            attestation_object: object.for_verifier().map_err(VerificationFailure::from)?,
            client_data_json: credential.response.client_data_json.0.clone(),
            transports: None,
        },
        type_: PUBLIC_KEY.to_owned(),
        // What the client says of extensions is not signed; only the authenticator data counts.
        extensions: RegistrationExtensionsClientOutputs::default(),
    };
    // No roots here: they are judged afterwards by our clock, and their absence is the policy's matter.
    let verified = verifier
        .register_credential(&request, &state, None)
        .map_err(VerificationFailure::from)?;
    Ok(verified)
}

fn verifier(rp: &RelyingParty) -> Result<WebauthnCore, Error> {
    let origins = rp
        .origins
        .iter()
        .map(|origin| parse_origin(origin, &rp.id))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(WebauthnCore::new_unsafe_experts_only(
        &rp.name,
        &rp.id,
        origins,
        Duration::from_millis(u64::from(CLIENT_TIMEOUT_MS)),
        Some(false),
        Some(false),
    ))
}

/// The verifier makes its own challenges; ours goes into its state by way of the state's serial form.
fn registration_state(
    verifier: &WebauthnCore,
    challenge: &[u8],
) -> Result<RegistrationState, Error> {
    let broken = |_| Error::Internal("the WebAuthn verifier does not take our challenge");
    let builder = verifier
        .new_challenge_register_builder(b"user", "user", "user")
        .map_err(VerificationFailure::from)?
        .attestation(AttestationConveyancePreference::Direct)
        .user_verification_policy(UserVerificationPolicy::Required)
        .require_resident_key(true)
        .credential_algorithms(ALGORITHMS.iter().map(|(name, _)| *name).collect())
        .extensions(Some(RequestRegistrationExtensions {
            cred_protect: Some(CredProtect {
                credential_protection_policy: CredentialProtectionPolicy::UserVerificationOptional,
                enforce_credential_protection_policy: Some(true),
            }),
            uvm: None,
            cred_props: None,
            min_pin_length: None,
            hmac_create_secret: Some(true),
        }));
    let (_, state) = verifier
        .generate_challenge_register(builder)
        .map_err(VerificationFailure::from)?;
    let mut state = serde_json::to_value(&state).map_err(broken)?;
    if let Some(slot) = state.get_mut("challenge") {
        *slot = serde_json::Value::String(Base64Url(challenge.to_vec()).to_string());
    }
    serde_json::from_value(state).map_err(broken)
}

/// The SHA-1 thumbprint of the tenant's root that the chain leads to. A chain that leads to none is as good as no
/// chain: what that means is the policy's matter.
///
/// Each root is tried alone, because the verifier takes the first of several roots with the same name for the only
/// one.
fn root_of(
    attestation: &ParsedAttestationData,
    policy: &Policy,
    now: Timestamp,
) -> Result<Option<String>, Error> {
    let unreadable = || Error::Internal("a stored attestation root cannot be read");
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    for pem in &policy.attestation_roots {
        let root = AttestationCaList::try_from(pem.as_bytes()).map_err(|_| unreadable())?;
        match verify_attestation_ca_chain(attestation, &root, moment) {
            Ok(Some(_)) => {
                let der = Certificate::from_pem(pem)
                    .and_then(|root| root.to_der())
                    .map_err(|_| unreadable())?;
                let facts = CertificateFacts::decode(&der).ok_or_else(unreadable)?;
                return Ok(Some(facts.thumbprint_hex()));
            }
            Ok(None) => return Ok(None),
            Err(error) => tracing::debug!(%error, "Attestation chain does not lead to this root"),
        }
    }
    Ok(None)
}

const PUBLIC_KEY: &str = "public-key";
const FORMATS: [&str; 2] = ["packed", "none"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_have_the_real_length() {
        let tenant: Guid = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
        let handle = user_handle(tenant, [9; 32]);
        assert_eq!(handle.len(), 51);
        assert_eq!(handle[..7], *b"OF:\x33\x22\x11\x00");
    }

    #[test]
    fn the_verifier_takes_our_challenge() {
        let rp = RelyingParty {
            id: "login.contoso.example".into(),
            name: "Contoso".into(),
            origins: vec!["https://login.contoso.example".into()],
        };
        let verifier = verifier(&rp).unwrap();
        let state = registration_state(&verifier, &[5; 32]).unwrap();
        let state = serde_json::to_value(&state).unwrap();
        assert_eq!(state["challenge"], Base64Url(vec![5; 32]).to_string());
        assert_eq!(state["policy"], "required");
    }
}
