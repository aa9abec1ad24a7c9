//! A tenant with many users, each with one security key and one joined device, and what they need to sign in.
//!
//! It is made as an administrator would make it, by the cloud's own operations; only on a file system in memory, because
//! some seventy thousand commits to a disk say nothing that is asked here.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use cloud::{Caller, Cloud, NewTenant, Surroundings};
use cloud_api::access::{NewTemporaryAccessPass, SignIn};
use cloud_api::base64::Base64Url;
use cloud_api::devices::{CertificateRequest, JoinDevice, JoinType};
use cloud_api::jose::{Header, Jws};
use cloud_api::prt::{FidoAssertion, GRANT_JWT, GRANT_REFRESH, HS256, RS256, TokenRequest};
use cloud_api::session::{SessionKey, hs256};
use cloud_api::users::{SyncUser, source_anchor};
use data_encoding::BASE64;
use kerberos::pkinit::RsaPublicKey;
use keycred::material;
use lab::{OsEntropy, SystemClock};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use types::{Entropy as _, Guid, Secret, Sid};

use super::ground::{self, DOMAIN};
use super::key::{Maker, ORIGIN, RP_ID};
use super::rsa::Primes;
use crate::Failure;

/// Somebody with a key and a device.
pub(crate) struct Person {
    handle: Vec<u8>,
    credential: Vec<u8>,
    key: KeyPair,
    counter: u32,
    /// The device's certificate, base64.
    certificate: String,
    device: rsa::KeyPair,
    transport: PrivateDecryptingKey,
}

/// Makes the tenant in a new file, and its people.
pub(crate) fn tenant(path: &Path, users: usize) -> Result<Vec<Person>, Failure> {
    let around = Surroundings::new(Arc::new(SystemClock), Box::new(OsEntropy));
    let tenant = NewTenant::new("contoso.example", RP_ID);
    let (cloud, _) = Cloud::create(path, &tenant, around)?;
    let maker = Maker::new()?;
    cloud.change_policy(&Caller::operator(), &maker.policy())?;
    ground::publish(&cloud)?;
    let primes = Primes::for_keys(users)?;
    let mut people = Vec::with_capacity(users);
    let mut ids = Vec::with_capacity(users);
    for number in 0..users {
        let (id, person) = person(&cloud, &maker, &primes, number)?;
        ids.push(id);
        people.push(person);
    }
    ground::rules(&cloud, &ids)?;
    Ok(people)
}

fn person(
    cloud: &Cloud,
    maker: &Maker,
    primes: &Primes,
    number: usize,
) -> Result<(Guid, Person), Failure> {
    let operator = Caller::operator();
    let account = format!("user{number:06}");
    let mut guid = [0; 16];
    OsEntropy.fill(&mut guid);
    let user = cloud.create_synced_user(
        &operator,
        &SyncUser {
            user_principal_name: Some(format!("{account}@{DOMAIN}")),
            display_name: Some(format!("User {number}")),
            account_enabled: Some(true),
            on_premises_immutable_id: Some(source_anchor(Guid::from_bytes_le(guid))),
            on_premises_security_identifier: Some(sid(number)?),
            on_premises_distinguished_name: Some(format!(
                "CN={account},OU=Users,DC=corp,DC=contoso,DC=com"
            )),
            on_premises_domain_name: Some(DOMAIN.to_owned()),
            on_premises_sam_account_name: Some(account.clone()),
        },
    )?;
    let options = cloud.begin_registration(&operator, user.id)?;
    let mut credential = vec![0; 32];
    OsEntropy.fill(&mut credential);
    let key = KeyPair::generate()?;
    let made = maker.register(&options, &credential, &key)?;
    cloud.finish_registration(&operator, user.id, &made)?;

    let pass = cloud.issue_temporary_access_pass(
        &operator,
        user.id,
        &NewTemporaryAccessPass::default(),
    )?;
    let session = cloud.sign_in(&SignIn {
        user_principal_name: user.user_principal_name.clone(),
        temporary_access_pass: pass.temporary_access_pass,
    })?;
    let pkcs8 = primes.key(number).ok_or("too few primes")?;
    let request = join_request(&pkcs8)?;
    let joined = cloud.join_device(&cloud.authenticate(&session.access_token)?, &request)?;
    let person = Person {
        handle: options.public_key.user.id.0,
        credential,
        key,
        counter: 1,
        certificate: joined.certificate.raw_body,
        device: rsa::KeyPair::from_pkcs8(&pkcs8).map_err(|error| error.to_string())?,
        transport: PrivateDecryptingKey::from_pkcs8(&pkcs8).map_err(|error| error.to_string())?,
    };
    Ok((user.id, person))
}

/// `objectSid` of somebody's account on the ground.
fn sid(number: usize) -> Result<Sid, Failure> {
    Ok(ground::domain_sid().with_rid(10_000 + u32::try_from(number)?))
}

/// The device key is the transport key too, as one common client has it.
fn join_request(pkcs8: &[u8]) -> Result<JoinDevice, Failure> {
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &rcgen::PKCS_RSA_SHA256)?;
    let request = CertificateParams::new(Vec::new())?.serialize_request(&pair)?;
    let public = RsaPublicKey::from_spki(&pair.subject_public_key_info())?;
    let blob = material::RsaPublicKey::new(public.modulus(), public.exponent()).to_bcrypt_blob();
    Ok(JoinDevice {
        certificate_request: CertificateRequest {
            kind: "pkcs10".to_owned(),
            data: Base64Url(request.der().to_vec()),
        },
        transport_key: Base64Url(blob.ok_or("an RSA key that is none")?),
        target_domain: None,
        device_type: Some("Linux".to_owned()),
        os_version: None,
        device_display_name: "desk".to_owned(),
        join_type: JoinType::JOIN,
    })
}

impl Person {
    /// A request of the token endpoint: the security key and the device have signed.
    pub(crate) fn signs_in(&mut self, nonce: &str) -> Result<Vec<u8>, Failure> {
        self.counter += 1;
        let request = TokenRequest {
            client_id: "bench".to_owned(),
            request_nonce: nonce.to_owned(),
            scope: "openid aza".to_owned(),
            grant_type: GRANT_JWT.to_owned(),
            assertion: Some(self.touched(nonce)?),
            ..TokenRequest::default()
        };
        let header = Header {
            alg: RS256.to_owned(),
            typ: Some("JWT".to_owned()),
            x5c: vec![self.certificate.clone()],
            ..Header::default()
        };
        let input = Jws::signing_input(&header, &request)?;
        let mut signature = vec![0; self.device.public_modulus_len()];
        self.device
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .map_err(|_| "a device key that does not sign")?;
        Ok(form(&Jws::text(&input, &signature)))
    }

    fn touched(&self, nonce: &str) -> Result<String, Failure> {
        let client_data = json!({
            "type": "webauthn.get",
            "challenge": Base64Url(nonce.as_bytes().to_vec()).to_string(),
            "origin": ORIGIN,
            "crossOrigin": false,
        });
        let client_data = client_data.to_string().into_bytes();
        let mut data = Sha256::digest(RP_ID.as_bytes()).to_vec();
        // User present, user verified.
        data.push(0x05);
        data.extend(self.counter.to_be_bytes());
        let signed = [&data[..], &Sha256::digest(&client_data)].concat();
        let assertion = FidoAssertion {
            rp_id: RP_ID.to_owned(),
            client_data_json: Base64Url(client_data),
            authenticator_data: Base64Url(data),
            signature: Base64Url(self.key.sign(&signed)?),
            user_handle: Some(Base64Url(self.handle.clone())),
        };
        Ok(assertion.to_text(&self.credential)?)
    }

    /// The session key of a first answer.
    pub(crate) fn session_key(&self, jwe: &str) -> Result<SessionKey, Failure> {
        let wrapped = jwe
            .split('.')
            .nth(1)
            .and_then(|part| Base64Url::parse(part).ok());
        let wrapped = wrapped.ok_or("a session key that is no JWE")?;
        let key = OaepPrivateDecryptingKey::new(self.transport.clone())
            .map_err(|error| error.to_string())?;
        let mut room = vec![0; key.min_output_size()];
        let plain = key
            .decrypt(&OAEP_SHA1_MGF1SHA1, wrapped.as_bytes(), &mut room, None)
            .map_err(|_| "a session key that does not open")?;
        Ok(SessionKey::new(Secret::new((&*plain).try_into()?)))
    }
}

/// A renewal, signed with a key of the session.
pub(crate) fn renewal(token: &str, session: &SessionKey, nonce: &str) -> Result<Vec<u8>, Failure> {
    let request = TokenRequest {
        client_id: "bench".to_owned(),
        request_nonce: nonce.to_owned(),
        scope: "openid aza".to_owned(),
        grant_type: GRANT_REFRESH.to_owned(),
        refresh_token: Some(token.to_owned()),
        ..TokenRequest::default()
    };
    let context = [9; 24];
    let header = Header {
        alg: HS256.to_owned(),
        ctx: Some(BASE64.encode(&context)),
        kdf_ver: Some(2),
        ..Header::default()
    };
    let input = Jws::signing_input(&header, &request)?;
    let payload = input.split('.').nth(1).unwrap_or_default();
    let key = session.derive_for(&context, &Base64Url::parse(payload)?.0);
    Ok(form(&Jws::text(&input, &hs256(&key, input.as_bytes()))))
}

fn form(request: &str) -> Vec<u8> {
    // A compact JWS has no character that a form would quote.
    let grant = GRANT_JWT.replace(':', "%3A");
    format!("windows_api_version=2.2&grant_type={grant}&client_info=1&tgt=true&request={request}")
        .into_bytes()
}
