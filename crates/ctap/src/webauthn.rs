//! What a relying party sees (WebAuthn level 3): client data, attestation objects, ceremonies.
//!
//! Deliberately absent: JSON of the relying party's own API, and any checking of its answers.

use std::io::{Read, Write};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use crate::auth_data::AuthData;
use crate::client::Client;
use crate::command::{
    Algorithm, Assertion, CredProtect, GetAssertion, MakeCredential, RelyingParty, User,
};
use crate::error::Error;
use crate::hmac_secret::{self, Outputs, Salts};
use crate::pin::Pin;

/// What a relying party asks of a registration.
#[derive(Debug, Clone)]
pub struct RegistrationOptions {
    /// Who asks.
    pub rp: RelyingParty,
    /// For whom.
    pub user: User,
    /// The relying party's challenge, not encoded.
    pub challenge: Vec<u8>,
    /// The page's origin, such as `https://login.contoso.com`; it must belong to the relying party.
    pub origin: String,
    /// Wanted algorithms, best first.
    pub algorithms: Vec<Algorithm>,
    /// Credentials of which the key must hold none.
    pub exclude: Vec<Vec<u8>>,
    /// Whether the credential is found without its id.
    pub resident_key: bool,
    /// Whether the user must be verified; needs a PIN.
    pub user_verification: bool,
    /// Whether the credential should compute secrets from salts, where the key can.
    pub hmac_secret: bool,
    /// Its protection level.
    pub cred_protect: Option<CredProtect>,
}

/// A new credential as the relying party receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The credential id.
    pub credential_id: Vec<u8>,
    /// The attestation object (CBOR).
    pub attestation_object: Vec<u8>,
    /// The client data (JSON), byte for byte as its hash was signed.
    pub client_data_json: Vec<u8>,
    /// How the key can be reached again.
    pub transports: Vec<String>,
}

/// Runs a registration ceremony on the key at the other end of `client`.
pub fn register<S: Read + Write>(
    client: &mut Client<S>,
    options: &RegistrationOptions,
    pin: Option<&Pin>,
) -> Result<Registration, Error> {
    let (registration, _) = register_with_secrets(client, options, None, pin)?;
    Ok(registration)
}

/// The same, and the secrets of `salts` with the same touch where the key has hmac-secret-mc.
pub fn register_with_secrets<S: Read + Write>(
    client: &mut Client<S>,
    options: &RegistrationOptions,
    salts: Option<Salts>,
    pin: Option<&Pin>,
) -> Result<(Registration, Option<Outputs>), Error> {
    check_origin(&options.origin, &options.rp.id)?;
    let pin = verification(options.user_verification, pin)?;
    let client_data_json = client_data("webauthn.create", &options.challenge, &options.origin);
    let request = MakeCredential {
        client_data_hash: Sha256::digest(&client_data_json).into(),
        rp: options.rp.clone(),
        user: options.user.clone(),
        algorithms: options.algorithms.clone(),
        exclude: options.exclude.clone(),
        resident_key: options.resident_key,
        // A page asks for it in vain where the key does not know it; the attestation says what came of it.
        hmac_secret: options.hmac_secret && client.info().has_extension(hmac_secret::NAME),
        salts: None,
        cred_protect: options.cred_protect,
        proof: None,
    };
    let (attestation, secrets) = client.make_credential_with_secrets(request, salts, pin)?;
    check_answer(
        &attestation.auth_data,
        &options.rp.id,
        options.user_verification,
    )?;
    let transports = match client.info().transports.as_slice() {
        [] => vec!["usb".to_owned()],
        told => told.to_vec(),
    };
    let registration = Registration {
        credential_id: attestation.credential_id().to_vec(),
        attestation_object: attestation.to_attestation_object(),
        client_data_json,
        transports,
    };
    Ok((registration, secrets))
}

/// What a relying party asks of a sign-in.
#[derive(Debug, Clone)]
pub struct AuthenticationOptions {
    /// The relying party's id.
    pub rp_id: String,
    /// Its challenge, not encoded.
    pub challenge: Vec<u8>,
    /// The page's origin; it must belong to the relying party.
    pub origin: String,
    /// Credentials that may answer; none: any discoverable one.
    pub allow: Vec<Vec<u8>>,
    /// Whether the user must be verified; needs a PIN.
    pub user_verification: bool,
    /// Salts for the secrets.
    pub salts: Option<Salts>,
}

/// An assertion as the relying party receives it, and the secrets that stay here.
#[derive(Debug)]
pub struct Authentication {
    /// The assertion.
    pub assertion: Assertion,
    /// The client data (JSON).
    pub client_data_json: Vec<u8>,
    /// The outputs for the salts.
    pub secrets: Option<Outputs>,
}

/// Runs a sign-in ceremony; gives one assertion for each credential that fits, newest first.
pub fn authenticate<S: Read + Write>(
    client: &mut Client<S>,
    options: &AuthenticationOptions,
    pin: Option<&Pin>,
) -> Result<Vec<Authentication>, Error> {
    check_origin(&options.origin, &options.rp_id)?;
    let pin = verification(options.user_verification, pin)?;
    let client_data_json = client_data("webauthn.get", &options.challenge, &options.origin);
    let request = GetAssertion {
        rp_id: options.rp_id.clone(),
        client_data_hash: Sha256::digest(&client_data_json).into(),
        allow: options.allow.clone(),
        user_presence: true,
        salts: None,
        proof: None,
    };
    let assertions = client.get_assertions(request, options.salts, pin)?;
    for (assertion, _) in &assertions {
        check_answer(
            &assertion.auth_data,
            &options.rp_id,
            options.user_verification,
        )?;
    }
    Ok(assertions
        .into_iter()
        .map(|(assertion, secrets)| Authentication {
            assertion,
            client_data_json: client_data_json.clone(),
            secrets,
        })
        .collect())
}

/// Runs a sign-in ceremony for one account. Where the key holds several, the client's attendant says which.
pub fn authenticate_one<S: Read + Write>(
    client: &mut Client<S>,
    options: &AuthenticationOptions,
    pin: Option<&Pin>,
) -> Result<Authentication, Error> {
    let mut signed = authenticate(client, options, pin)?;
    let accounts: Vec<User> = signed
        .iter()
        .map(|one| one.assertion.user.clone().unwrap_or_default())
        .collect();
    let chosen = client.choose(&accounts);
    match chosen.filter(|number| *number < signed.len()) {
        Some(number) => Ok(signed.swap_remove(number)),
        None => Err(Error::NotChosen(
            accounts.iter().map(ToString::to_string).collect(),
        )),
    }
}

/// The client data of WebAuthn level 3, section 5.8.1.1, in the order of its limited verification.
pub fn client_data(ceremony: &str, challenge: &[u8], origin: &str) -> Vec<u8> {
    let challenge = BASE64URL_NOPAD.encode(challenge);
    let mut json = String::from("{\"type\":");
    quote(&mut json, ceremony);
    json.push_str(",\"challenge\":");
    quote(&mut json, &challenge);
    json.push_str(",\"origin\":");
    quote(&mut json, origin);
    json.push_str(",\"crossOrigin\":false}");
    json.into_bytes()
}

/// CCDToString of WebAuthn level 3, section 5.8.1.2.
fn quote(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\0'..'\u{20}' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
}

fn verification(wanted: bool, pin: Option<&Pin>) -> Result<Option<&Pin>, Error> {
    match (wanted, pin) {
        (true, None) => Err(Error::Caller(
            "user verification needs the security key's PIN",
        )),
        (true, Some(pin)) => Ok(Some(pin)),
        (false, _) => Ok(None),
    }
}

/// What was asked for is never inferred: a credential has one secret with user verification and another one without,
/// so an answer that lacks the flag must not pass for one that has it.
fn check_answer(data: &AuthData, rp_id: &str, user_verification: bool) -> Result<(), Error> {
    if data.rp_id_hash != <[u8; 32]>::from(Sha256::digest(rp_id)) {
        return Err(Error::Unproven("it is for another relying party"));
    }
    if !data.is_user_present() {
        return Err(Error::Unproven("nobody touched the key"));
    }
    if user_verification && !data.is_user_verified() {
        return Err(Error::Unproven("the user was not verified"));
    }
    Ok(())
}

/// A client must not sign for a relying party that the page does not belong to (WebAuthn level 3,
/// section 5.1.3, step 8). The list of public suffixes is left out: origins come from configuration here.
fn check_origin(origin: &str, rp_id: &str) -> Result<(), Error> {
    let host = origin.strip_prefix("https://").unwrap_or_default();
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let belongs = host == rp_id
        || host
            .strip_suffix(rp_id)
            .is_some_and(|front| front.ends_with('.'));
    match belongs && !rp_id.is_empty() {
        true => Ok(()),
        false => Err(Error::Caller(
            "the origin does not belong to the relying party; it must be https and end in its id",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_data_is_written_as_browsers_do() {
        let json = client_data("webauthn.create", &[0xFB, 0xFF], "https://a.example");
        let expect = r#"{"type":"webauthn.create","challenge":"-_8","origin":"https://a.example","crossOrigin":false}"#;
        assert_eq!(String::from_utf8(json).unwrap(), expect);
        let odd = client_data("t", b"", "\"\\\u{1}ä");
        assert!(String::from_utf8(odd).unwrap().contains(r#""\"\\\u0001ä""#));
    }

    #[test]
    fn origins_belong_or_are_refused() {
        let check = |origin, rp_id, expect| {
            assert_eq!(
                check_origin(origin, rp_id).is_ok(),
                expect,
                "{origin} {rp_id}"
            );
        };
        check("https://contoso.com", "contoso.com", true);
        check("https://login.contoso.com:8443", "contoso.com", true);
        check("https://evilcontoso.com", "contoso.com", false);
        check("https://contoso.com.evil.example", "contoso.com", false);
        check("http://contoso.com", "contoso.com", false);
        check("https://contoso.com", "", false);
    }
}
