//! A user registers a security key: the key answers over its socket, the cloud over HTTPS.
//!
//! This is what a browser does between the two: it fetches the options, has the key make a credential, and posts
//! the attestation.

use std::io::{Read, Write};

use cloud_api::base64::Base64Url;
use cloud_api::fido2::{
    AttestationResponse, CreationOptions, CreationOptionsReply, Fido2Method, NewFido2Method,
    PublicKeyCredential,
};
use cloud_api::paths;
use ctap::command::{CredProtect, RelyingParty, User};
use ctap::webauthn::{Registration, RegistrationOptions, register};
use ctap::{Algorithm, Client, Pin};
use data_encoding::BASE64URL_NOPAD;
use types::Guid;

use crate::Error;
use crate::cloud_client::CloudClient;

/// Registers a key for `user`, on the administrator's behalf as Graph's provisioning API does.
pub fn register_key<S: Read + Write>(
    cloud: &CloudClient,
    key: &mut Client<S>,
    pin: &Pin,
    origin: &str,
    user: Guid,
    display_name: &str,
) -> Result<Fido2Method, Error> {
    let (options, methods) = (paths::creation_options(user), paths::fido2_methods(user));
    register_at(cloud, key, pin, origin, [&options, &methods], display_name)
}

/// Registers a key for whoever `cloud` speaks for, such as a session that a temporary access pass bought.
pub fn register_own_key<S: Read + Write>(
    cloud: &CloudClient,
    key: &mut Client<S>,
    pin: &Pin,
    origin: &str,
    display_name: &str,
) -> Result<Fido2Method, Error> {
    let (options, methods) = (paths::my_creation_options(), paths::my_fido2_methods());
    register_at(cloud, key, pin, origin, [&options, &methods], display_name)
}

fn register_at<S: Read + Write>(
    cloud: &CloudClient,
    key: &mut Client<S>,
    pin: &Pin,
    origin: &str,
    [options, methods]: [&str; 2],
    display_name: &str,
) -> Result<Fido2Method, Error> {
    let options: CreationOptionsReply = cloud.get(options)?;
    let mut options = ceremony(&options.public_key, origin);
    // An extension that a key does not know is left out, as browsers do; the cloud sees that it is missing.
    options.hmac_secret &= key.info().has_extension("hmac-secret");
    let registration = register(key, &options, Some(pin))?;
    cloud.post(
        methods,
        &NewFido2Method {
            display_name: display_name.to_owned(),
            public_key_credential: credential(registration),
        },
    )
}

fn ceremony(options: &CreationOptions, origin: &str) -> RegistrationOptions {
    let extensions = &options.extensions;
    RegistrationOptions {
        rp: RelyingParty {
            id: options.rp.id.clone(),
            name: Some(options.rp.name.clone()),
        },
        user: User {
            id: options.user.id.as_bytes().to_vec(),
            name: Some(options.user.name.clone()),
            display_name: Some(options.user.display_name.clone()),
        },
        challenge: options.challenge.as_bytes().to_vec(),
        origin: origin.to_owned(),
        algorithms: options
            .pub_key_cred_params
            .iter()
            .map(|params| Algorithm(params.alg))
            .collect(),
        exclude: options
            .exclude_credentials
            .iter()
            .map(|known| known.id.as_bytes().to_vec())
            .collect(),
        resident_key: options.authenticator_selection.require_resident_key,
        user_verification: options.authenticator_selection.user_verification == "required",
        hmac_secret: extensions.hmac_create_secret.unwrap_or(false),
        cred_protect: match extensions.credential_protection_policy.as_deref() {
            Some("userVerificationOptional") => Some(CredProtect::Optional),
            Some("userVerificationOptionalWithCredentialIDList") => {
                Some(CredProtect::OptionalWithList)
            }
            Some("userVerificationRequired") => Some(CredProtect::Required),
            _ => None,
        },
    }
}

fn credential(registration: Registration) -> PublicKeyCredential {
    PublicKeyCredential {
        id: BASE64URL_NOPAD.encode(&registration.credential_id),
        response: AttestationResponse {
            client_data_json: Base64Url(registration.client_data_json),
            attestation_object: Base64Url(registration.attestation_object),
            transports: registration.transports,
        },
        client_extension_results: None,
    }
}
