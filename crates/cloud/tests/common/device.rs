//! A device with a security key in it: joins, signs requests, reads answers; every field is open to mischief.
//!
//! Made apart from `workstation`, so that the cloud is not judged by its own client alone.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use cloud_api::base64::Base64Url;
use cloud_api::devices::{CertificateRequest, JoinDevice, JoinType};
use cloud_api::jose::{Header, Jws};
use cloud_api::prt::{
    FidoAssertion, GRANT_CHALLENGE, GRANT_JWT, GRANT_REFRESH, HS256, RS256, TicketField,
    TokenAnswer, TokenRequest,
};
use cloud_api::session::{SessionKey, hs256};
use cloud_api::users::User;
use cloud_api::{fido2::NewFido2Method, paths};
use data_encoding::BASE64;
use kerberos::pkinit::RsaPublicKey;
use keycred::material;
use rcgen::{KeyPair, SigningKey};
use serde_json::json;
use sha2::{Digest, Sha256};
use types::{Guid, Secret};

use super::key::{Maker, Manner};
use super::{House, Reply};

/// A security key whose credential is registered.
pub struct SecurityKey {
    pub pair: KeyPair,
    pub id: Vec<u8>,
    pub handle: Vec<u8>,
}

/// How one touch is done; the defaults are right.
pub struct Touch {
    pub origin: String,
    pub kind: &'static str,
    pub cross_origin: bool,
    /// In the authenticator data.
    pub rp_id: String,
    /// Stated beside it.
    pub stated_rp_id: String,
    pub flags: u8,
    pub counter: u32,
    /// Another nonce than the request's.
    pub challenge: Option<String>,
    /// Another user's handle.
    pub handle: Option<Vec<u8>>,
    /// Another credential's id.
    pub id: Option<Vec<u8>>,
}

impl Default for Touch {
    fn default() -> Self {
        Self {
            origin: super::ORIGIN.into(),
            kind: "webauthn.get",
            cross_origin: false,
            rp_id: super::RP_ID.into(),
            stated_rp_id: super::RP_ID.into(),
            flags: 0x05,
            counter: 2,
            challenge: None,
            handle: None,
            id: None,
        }
    }
}

impl SecurityKey {
    /// Registers a new credential for a user.
    pub fn register(house: &House, user: &User, id: u8) -> Self {
        let options = house
            .cloud
            .begin_registration(&cloud::Caller::operator(), user.id)
            .unwrap();
        let pair = KeyPair::generate().unwrap();
        let manner = Manner {
            credential_id: vec![id; 32],
            display_name: format!("key {id}"),
            ..Manner::default()
        };
        let maker = Maker::new("Feather");
        let policy = cloud_api::policy::Fido2Policy {
            attestation_roots: Some(vec![maker.root_pem.clone()]),
            ..cloud_api::policy::Fido2Policy::default()
        };
        let operator = cloud::Caller::operator();
        house.cloud.change_policy(&operator, &policy).unwrap();
        let request: NewFido2Method = maker.register_pair(&options, &manner, &pair);
        house
            .cloud
            .finish_registration(&operator, user.id, &request)
            .unwrap();
        Self {
            pair,
            id: manner.credential_id,
            handle: options.public_key.user.id.0,
        }
    }

    /// The text of an assertion.
    pub fn touch(&self, nonce: &str, touch: &Touch) -> String {
        let challenge = touch.challenge.as_deref().unwrap_or(nonce);
        let client_data = json!({
            "type": touch.kind,
            "challenge": Base64Url(challenge.as_bytes().to_vec()).to_string(),
            "origin": touch.origin,
            "crossOrigin": touch.cross_origin,
        })
        .to_string()
        .into_bytes();
        let mut data = Sha256::digest(touch.rp_id.as_bytes()).to_vec();
        data.push(touch.flags);
        data.extend(touch.counter.to_be_bytes());
        let signed = [&data[..], &Sha256::digest(&client_data)].concat();
        let assertion = FidoAssertion {
            rp_id: touch.stated_rp_id.clone(),
            client_data_json: Base64Url(client_data),
            authenticator_data: Base64Url(data),
            signature: Base64Url(self.pair.sign(&signed).unwrap()),
            user_handle: Some(Base64Url(
                touch.handle.clone().unwrap_or_else(|| self.handle.clone()),
            )),
        };
        assertion
            .to_text(touch.id.as_ref().unwrap_or(&self.id))
            .unwrap()
    }
}

/// A device that has joined. Its device key is its transport key, as in one common client.
pub struct Device {
    pub id: Guid,
    pub x5c: String,
    pub key: RsaKey,
}

/// An RSA key pair of a device.
pub struct RsaKey {
    pkcs8: Vec<u8>,
    signing: aws_lc_rs::rsa::KeyPair,
}

impl RsaKey {
    pub fn generate() -> Self {
        Self::of_size(KeySize::Rsa2048)
    }

    pub fn of_size(size: KeySize) -> Self {
        let key = PrivateDecryptingKey::generate(size).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let pkcs8 = der.as_ref().to_vec();
        let signing = aws_lc_rs::rsa::KeyPair::from_pkcs8(&pkcs8).unwrap();
        Self { pkcs8, signing }
    }

    fn private(&self) -> PrivateDecryptingKey {
        PrivateDecryptingKey::from_pkcs8(&self.pkcs8).unwrap()
    }

    /// BCRYPT_RSAKEY_BLOB.
    pub fn blob(&self) -> Vec<u8> {
        let public = self.private().public_key();
        let spki: PublicKeyX509Der<'_> = public.as_der().unwrap();
        let public = RsaPublicKey::from_spki(spki.as_ref()).unwrap();
        material::RsaPublicKey::new(public.modulus(), public.exponent())
            .to_bcrypt_blob()
            .unwrap()
    }

    /// JSON Web Key in plain base64, as one client sends it.
    pub fn jwk(&self) -> serde_json::Value {
        let public = self.private().public_key();
        let spki: PublicKeyX509Der<'_> = public.as_der().unwrap();
        let public = RsaPublicKey::from_spki(spki.as_ref()).unwrap();
        json!({
            "kty": "RSA", "alg": "RS256", "kid": "A",
            "n": BASE64.encode(public.modulus()), "e": BASE64.encode(public.exponent()),
        })
    }

    /// As another library signs with it.
    pub fn rcgen(&self) -> KeyPair {
        KeyPair::from_pkcs8_der_and_sign_algo(
            &self.pkcs8.as_slice().into(),
            &rcgen::PKCS_RSA_SHA256,
        )
        .unwrap()
    }

    pub fn certificate_request(&self) -> Vec<u8> {
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let request = params.serialize_request(&self.rcgen()).unwrap();
        request.der().to_vec()
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.signing.public_modulus_len()];
        self.signing
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .unwrap();
        signature
    }

    /// The session key of a first answer.
    pub fn open_session_key(&self, jwe: &str) -> Option<SessionKey> {
        let wrapped = Base64Url::parse(jwe.split('.').nth(1)?).ok()?;
        let key = OaepPrivateDecryptingKey::new(self.private()).unwrap();
        let mut room = vec![0; key.min_output_size()];
        let plain = key
            .decrypt(&OAEP_SHA1_MGF1SHA1, &wrapped.0, &mut room, None)
            .ok()?;
        Some(SessionKey::new(Secret::new((&*plain).try_into().ok()?)))
    }
}

/// The request of a join.
pub fn join_request(key: &RsaKey, name: &str) -> JoinDevice {
    JoinDevice {
        certificate_request: CertificateRequest {
            kind: "pkcs10".into(),
            data: Base64Url(key.certificate_request()),
        },
        transport_key: Base64Url(key.blob()),
        target_domain: None,
        device_type: Some("Linux".into()),
        os_version: None,
        device_display_name: name.into(),
        join_type: JoinType::JOIN,
    }
}

/// A primary refresh token in the hands of its device.
pub struct Prt {
    pub token: String,
    pub session: SessionKey,
    pub answer: TokenAnswer,
}

impl Prt {
    /// The ticket field of the first answer.
    pub fn ticket(&self) -> TicketField {
        serde_json::from_str(self.answer.tgt_ad.as_deref().unwrap()).unwrap()
    }
}

/// How a renewal is signed; the defaults are right.
pub struct Renewal {
    pub alg: &'static str,
    pub kdf_ver: Option<u8>,
    pub nonce: Option<String>,
    pub grant_type: &'static str,
    pub context: Option<String>,
    /// For an access token.
    pub resource: Option<String>,
}

impl Default for Renewal {
    fn default() -> Self {
        Self {
            alg: HS256,
            kdf_ver: Some(2),
            nonce: None,
            grant_type: GRANT_REFRESH,
            context: Some(BASE64.encode(&[9; 24])),
            resource: None,
        }
    }
}

impl Device {
    pub async fn join(house: &House, user: &User) -> Self {
        let key = RsaKey::generate();
        let session = house.session(user).await;
        let body = serde_json::to_value(join_request(&key, "desk")).unwrap();
        let reply = house.post(paths::JOIN_DEVICE, &session, body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let x5c = reply.json["Certificate"]["RawBody"].as_str().unwrap();
        let der = BASE64.decode(x5c.as_bytes()).unwrap();
        let certificate: x509_cert::Certificate = x509_cert::der::Decode::from_der(&der).unwrap();
        let subject = certificate.tbs_certificate().subject().to_string();
        Self {
            id: subject.strip_prefix("CN=").unwrap().parse().unwrap(),
            x5c: x5c.to_owned(),
            key,
        }
    }

    /// A first request with a good header.
    pub fn signed(&self, request: &TokenRequest) -> String {
        self.signed_as(RS256, &self.x5c, request)
    }

    pub fn signed_as(&self, alg: &str, x5c: &str, request: &TokenRequest) -> String {
        let header = Header {
            alg: alg.into(),
            typ: Some("JWT".into()),
            x5c: vec![x5c.into()],
            ..Header::default()
        };
        let input = Jws::signing_input(&header, request).unwrap();
        let signature = self.key.sign(input.as_bytes());
        Jws::text(&input, &signature)
    }

    /// Signs in with a touch.
    pub async fn try_sign_in(&self, house: &House, key: &SecurityKey, touch: &Touch) -> Reply {
        let nonce = house.nonce().await;
        let request = by_key(&nonce, key.touch(&nonce, touch));
        house.token(&self.signed(&request)).await
    }

    /// Signs in with a touch that is right but for its counter.
    pub async fn sign_in(&self, house: &House, key: &SecurityKey, counter: u32) -> Prt {
        let touch = Touch {
            counter,
            ..Touch::default()
        };
        let reply = self.try_sign_in(house, key, &touch).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let answer: TokenAnswer = serde_json::from_value(reply.json).unwrap();
        let jwe = answer.session_key_jwe.as_deref().unwrap();
        Prt {
            token: answer.refresh_token.clone(),
            session: self.key.open_session_key(jwe).unwrap(),
            answer,
        }
    }
}

/// The payload of a sign-in by security key.
pub fn by_key(nonce: &str, assertion: String) -> TokenRequest {
    TokenRequest {
        client_id: "test".into(),
        request_nonce: nonce.into(),
        scope: "openid aza".into(),
        grant_type: GRANT_JWT.into(),
        assertion: Some(assertion),
        ..TokenRequest::default()
    }
}

impl House {
    pub async fn form(&self, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post(paths::TOKEN)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    pub async fn nonce(&self) -> String {
        let reply = self.form(&[("grant_type", GRANT_CHALLENGE)]).await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.json["Nonce"].as_str().unwrap().to_owned()
    }

    /// Sends a signed request and asks for a ticket with it.
    pub async fn token(&self, request: &str) -> Reply {
        self.form(&[
            ("windows_api_version", "2.2"),
            ("grant_type", GRANT_JWT),
            ("request", request),
            ("client_info", "1"),
            ("tgt", "True"),
        ])
        .await
    }

    /// Renews with a session key, in some manner.
    pub async fn renew(&self, token: &str, session: &SessionKey, manner: &Renewal) -> Reply {
        let nonce = match &manner.nonce {
            Some(nonce) => nonce.clone(),
            None => self.nonce().await,
        };
        let request = TokenRequest {
            request_nonce: nonce,
            scope: match manner.resource {
                Some(_) => "openid".into(),
                None => "openid aza".into(),
            },
            resource: manner.resource.clone(),
            grant_type: manner.grant_type.into(),
            refresh_token: Some(token.into()),
            ..TokenRequest::default()
        };
        let header = Header {
            alg: manner.alg.into(),
            ctx: manner.context.clone(),
            kdf_ver: manner.kdf_ver,
            ..Header::default()
        };
        let input = Jws::signing_input(&header, &request).unwrap();
        let payload = Base64Url::parse(input.split('.').nth(1).unwrap()).unwrap();
        let context = [9; 24];
        let key = match manner.kdf_ver {
            Some(2) => session.derive_for(&context, &payload.0),
            _ => session.derive(&context),
        };
        self.token(&Jws::text(&input, &hs256(&key, input.as_bytes())))
            .await
    }
}
