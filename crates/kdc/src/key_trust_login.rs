//! Signing in by key trust: a client proves by PKINIT (RFC 4556) that it has the private half of one of its account's
//! NGC keys (MS-PKCA 3.1.5.2.1.4).
//!
//! What the client's certificate says is not looked at, and it may be missing: MIT's kinit sends none when it is
//! self-signed. The key alone decides, among the keys of the account that the client names. There is no way from here to
//! name mapping or to trust chains (CVE-2025-26647).
//!
//! Deliberately absent so far: freshness tokens (RFC 8070), RSA key transport, and the NT hash in the PAC.

use std::sync::Arc;

use kerberos::messages::{Der, ErrorCode, KerberosTime, PaData, PaType, PrincipalName};
use kerberos::pkinit::{
    AuthPack, DhRepInfo, Digest, KdcDhKeyInfo, Kdf, KdfInput, KeyPair, PaPkAsRep, PaPkAsReq,
    PkAuthenticator, PkinitError, Policy, PublicValue, RsaPublicKey, Sign, SignedData, reply_key,
};
use keycred::PublicKey;

use crate::accounts::Account;
use crate::event::{Event, Proof};
use crate::kdc::Asked;
use crate::key_trust::{PkinitCandidate, candidates};
use crate::refusal::Refusal;
use crate::tickets::SealingKey;

/// What a KDC needs to take key trust.
#[derive(Clone)]
pub struct KeyTrust {
    /// The KDC's certificate and key, which clients want signed answers from.
    pub signer: Arc<dyn Sign + Send + Sync>,
    /// What is tolerated although it is weak.
    pub policy: Policy,
}

/// The reply key, the padata of the reply, and which key of the account it was.
pub(crate) struct Proved {
    pub(crate) key: SealingKey,
    pub(crate) padata: PaData,
    pub(crate) proof: Proof,
}

/// Judges PA-PK-AS-REQ. Everything cheap is checked before any public-key operation.
pub(crate) fn prove(
    asked: &mut Asked<'_>,
    trust: &KeyTrust,
    client: &Account,
    value: &[u8],
) -> Result<Proved, Refusal> {
    let request = asked.request;
    // MS-PKCA 3.1.5.2.
    if request.padata(PaType::PA_PK_AS_REQ_OLD).is_some() {
        let why = "both the old and the new form of PKINIT in one request";
        return Err(Refusal::new(ErrorCode::KRB_ERR_GENERIC, why));
    }
    let signed = SignedData::decode(&PaPkAsReq::from_der(value)?.signed_auth_pack)
        .map_err(|error| refused(&error))?;
    let claimed = AuthPack::from_der(signed.unverified_content())?;
    check_authenticator(asked, &claimed.pk_authenticator)?;
    let (keys, skipped) = candidates(&client.key_credentials);
    asked
        .events
        .extend(skipped.into_iter().map(|skipped| Event::KeySkipped {
            account: client.sid.clone(),
            key_id: skipped.key_id,
            why: skipped.why.to_string(),
        }));
    let (content, key_id) = verified(&signed, &keys, trust.policy)?;
    agree(asked, trust, &AuthPack::from_der(&content)?, key_id)
}

/// The request is meant now, and it is this request.
fn check_authenticator(asked: &Asked<'_>, authenticator: &PkAuthenticator) -> Result<(), Refusal> {
    let apart_s = authenticator.ctime.timestamp().seconds_since(asked.now);
    if apart_s.unsigned_abs() > asked.kdc.settings.clock_skew_s.unsigned_abs() {
        let why = format!("the client's clock is {apart_s} s away");
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, why));
    }
    let body = asked.request.raw_body();
    let is_right = match (&authenticator.pa_checksum2, &authenticator.pa_checksum) {
        (Some(second), _) => {
            let digest = digest_of(second.algorithm_identifier.algorithm.iter().copied());
            digest.map(|digest| second.checksum == digest.hash(body))
        }
        // SHA-1 is what the field is; nothing rests on it but the signature's cover of the body.
        (None, Some(first)) => Some(*first == Digest::Sha1.hash(body)),
        (None, None) => {
            let why = "the client's authenticator has no checksum over the request";
            let code = ErrorCode::KDC_ERR_PA_CHECKSUM_MUST_BE_INCLUDED;
            return Err(Refusal::new(code, why));
        }
    };
    if is_right == Some(true) {
        return Ok(());
    }
    let why = "the client's checksum is not over this request";
    Err(Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why))
}

fn digest_of(oid: impl Iterator<Item = u32>) -> Option<Digest> {
    let oid: Vec<u32> = oid.collect();
    match *oid.as_slice() {
        [1, 3, 14, 3, 2, 26] => Some(Digest::Sha1),
        [2, 16, 840, 1, 101, 3, 4, 2, 1] => Some(Digest::Sha256),
        [2, 16, 840, 1, 101, 3, 4, 2, 2] => Some(Digest::Sha384),
        [2, 16, 840, 1, 101, 3, 4, 2, 3] => Some(Digest::Sha512),
        _ => None,
    }
}

/// What was signed, by exactly one of the account's keys. A certificate that came along only says which of them to try.
fn verified(
    signed: &SignedData,
    keys: &[PkinitCandidate],
    policy: Policy,
) -> Result<(Vec<u8>, String), Refusal> {
    if signed.digest() == Digest::Sha1 && !policy.allow_sha1 {
        let code = ErrorCode::KDC_ERR_DIGEST_IN_SIGNED_DATA_NOT_ACCEPTED;
        return Err(Refusal::new(code, "a signature with SHA-1"));
    }
    let named = match signed.signer_certificate() {
        Some(certificate) => {
            let key = RsaPublicKey::from_spki(&certificate.spki);
            Some(key.map_err(|error| refused(&error))?)
        }
        None => None,
    };
    let mut failure = None;
    for candidate in keys.iter().take(KEYS_TRIED_MAX) {
        let PublicKey::Rsa(rsa) = candidate.key() else {
            continue;
        };
        let Ok(key) = RsaPublicKey::new(&rsa.modulus, &rsa.exponent) else {
            continue;
        };
        if named.as_ref().is_some_and(|named| *named != key) {
            continue;
        }
        match signed.verify(SignedData::AUTH_DATA, &key, policy) {
            Ok(content) => {
                return Ok((content.content().to_vec(), candidate.key_id().to_owned()));
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(match failure {
        Some(error) => refused(&error),
        None => {
            let why = "the client's key is none of the account's NGC keys";
            Refusal::new(ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED, why)
        }
    })
}

/// The KDC's half of the key agreement, signed.
fn agree(
    asked: &mut Asked<'_>,
    trust: &KeyTrust,
    pack: &AuthPack,
    key_id: String,
) -> Result<Proved, Refusal> {
    let request = asked.request;
    let body = request.body();
    let value = pack.client_public_value.as_ref().ok_or_else(|| {
        let code = ErrorCode::KDC_ERR_PUBLIC_KEY_ENCRYPTION_NOT_SUPPORTED;
        Refusal::new(code, "key transport by RSA is not supported")
    })?;
    let peer = PublicValue::from_spki(value.as_bytes(), trust.policy).map_err(|error| {
        let code = ErrorCode::KDC_ERR_DH_KEY_PARAMETERS_NOT_ACCEPTED;
        Refusal::new(code, error.to_string())
    })?;
    let mut types = asked.kdc.settings.encryption_types.iter().copied();
    let etype = types
        .find(|etype| body.etype.contains(etype))
        .ok_or_else(|| {
            let why = format!(
                "none of the offered encryption types {:?} is allowed here",
                body.etype
            );
            Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
        })?;
    let (pair, shared) = KeyPair::answer(&peer, asked.entropy).map_err(|error| refused(&error))?;
    // A client that sends a nonce may keep its key pair; it gets both fields, which Windows and the tools in Python need.
    let client_nonce = pack.client_dh_nonce.as_deref();
    let server_nonce = client_nonce.map(|_| {
        let mut nonce = vec![0; 32];
        asked.entropy.fill(&mut nonce);
        nonce
    });
    let public = pair.public_bits().try_into();
    let info = KdcDhKeyInfo {
        subject_public_key: public.map_err(|_| {
            Refusal::new(ErrorCode::KRB_ERR_GENERIC, "the public value is too long")
        })?,
        nonce: pack.pk_authenticator.nonce,
        dh_key_expiration: client_nonce.map(|_| {
            KerberosTime::new(asked.now.plus_seconds(asked.kdc.settings.ticket_lifetime_s))
        }),
    };
    let kdf = Kdf::choose(pack.supported_kdfs.as_deref());
    let signed =
        kerberos::pkinit::sign_data(SignedData::DH_KEY_DATA, &info.to_der()?, &*trust.signer);
    let reply = PaPkAsRep::DhInfo(DhRepInfo {
        dh_signed_data: signed.map_err(|error| refused(&error))?.into(),
        server_dh_nonce: server_nonce.clone().map(Into::into),
        kdf: kdf.id(),
    })
    .to_der()?;
    let nobody = PrincipalName::krbtgt(&asked.kdc.settings.realm);
    let input = KdfInput {
        etype,
        client_nonce: client_nonce.unwrap_or_default(),
        server_nonce: server_nonce.as_deref().unwrap_or_default(),
        client: (body.cname.as_ref().unwrap_or(&nobody), &body.realm),
        server: (body.sname.as_ref().unwrap_or(&nobody), &body.realm),
        as_req: asked.raw,
        pk_as_rep: &reply,
    };
    let key = reply_key(kdf, &shared, &input).map_err(|error| refused(&error))?;
    Ok(Proved {
        key: SealingKey {
            key: Arc::new(key),
            kvno: None,
        },
        padata: PaData::new(PaType::PA_PK_AS_REP, reply),
        proof: Proof::KeyTrust { key_id },
    })
}

fn refused(error: &PkinitError) -> Refusal {
    let code = match error {
        PkinitError::Signature => ErrorCode::KDC_ERR_INVALID_SIG,
        PkinitError::NotAccepted(_) | PkinitError::KeySize(_) => {
            ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED
        }
        _ => ErrorCode::KDC_ERR_PREAUTH_FAILED,
    };
    Refusal::new(code, error.to_string())
}

/// A message without a certificate is tried with each key of the account, at 0.1 ms each.
const KEYS_TRIED_MAX: usize = 100;
