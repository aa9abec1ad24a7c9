//! Signing in by key trust: a client proves by PKINIT (RFC 4556) that it has the private half of one of its account's
//! NGC keys (MS-PKCA 3.1.5.2.1.4).
//!
//! What the client's certificate says is not looked at, and it may be missing: MIT's kinit sends none when it is
//! self-signed. The key alone decides, among the keys of the account that the client names. There is no way from here to
//! name mapping or to trust chains (CVE-2025-26647).

use std::sync::Arc;

use kerberos::messages::{Der, ErrorCode, PaType};
use kerberos::pkinit::{
    AuthPack, Certificate, Digest, PaPkAsReq, PkAuthenticator, PkinitError, Policy, RsaPublicKey,
    Sign, SignedData,
};

use crate::accounts::Account;
use crate::event::{Event, Proof};
use crate::freshness;
use crate::kdc::Asked;
use crate::key_trust::{PkinitCandidate, candidates};
use crate::password_login::Proved;
use crate::pkinit_reply::{self, Signed};
use crate::refusal::Refusal;

/// What a KDC needs to take key trust.
#[derive(Clone)]
pub struct KeyTrust {
    /// The KDC's certificate and key, which clients want signed answers from.
    pub signer: Arc<dyn Sign + Send + Sync>,
    /// What is tolerated although it is weak.
    pub policy: Policy,
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
    let token = claimed.pk_authenticator.freshness_token.as_deref();
    let is_fresh = freshness::check(asked, token)?;
    check_rate(asked)?;
    let (keys, skipped) = candidates(&client.key_credentials);
    asked
        .events
        .extend(skipped.into_iter().map(|skipped| Event::KeySkipped {
            account: client.sid.clone(),
            key_id: skipped.key_id,
            why: skipped.why.to_string(),
        }));
    let (content, key_id) = match verified(&signed, &keys, trust.policy) {
        Err(Failure::NoneOfThem(named)) => {
            return Err(stranger(
                asked,
                client,
                &signed,
                named.as_ref(),
                trust.policy,
            ));
        }
        Err(Failure::Refused(refusal)) => return Err(refusal),
        Ok(verified) => verified,
    };
    let proved = Signed {
        pack: AuthPack::from_der(&content)?,
        certificate: signed.signer_certificate(),
        proof: Proof::KeyTrust { key_id, is_fresh },
    };
    pkinit_reply::make(asked, trust, proved)
}

fn check_rate(asked: &Asked<'_>) -> Result<(), Refusal> {
    let limit = asked.kdc.settings.pkinit_per_source_per_s;
    if let (Some(source), Some(per_second)) = (asked.source, limit)
        && !asked.kdc.sources.may(source, per_second, asked.now)
    {
        let why = format!("more than {per_second} sign-ins by key in a second from {source}");
        return Err(Refusal::new(ErrorCode::KDC_ERR_SVC_UNAVAILABLE, why));
    }
    Ok(())
}

/// The request is meant now, and it is this request.
fn check_authenticator(asked: &Asked<'_>, authenticator: &PkAuthenticator) -> Result<(), Refusal> {
    let apart_s = authenticator.ctime.timestamp().seconds_since(asked.now);
    if apart_s.unsigned_abs() > asked.kdc.settings.clock_skew_s.unsigned_abs() {
        let why = format!("the client's clock is {apart_s} s away");
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, why));
    }
    if authenticator.pa_checksum.is_none() && authenticator.pa_checksum2.is_none() {
        let why = "the client's authenticator has no checksum over the request";
        let code = ErrorCode::KDC_ERR_PA_CHECKSUM_MUST_BE_INCLUDED;
        return Err(Refusal::new(code, why));
    }
    authenticator
        .check_body(asked.request.raw_body())
        .map_err(|_| {
            let why = "the client's checksum is not over this request";
            Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why)
        })
}

enum Failure {
    /// No key of the account is the signer's; which one is, where a certificate said so.
    NoneOfThem(Option<RsaPublicKey>),
    Refused(Refusal),
}

/// What was signed, by exactly one of the account's keys. A certificate that came along only says which of them to try.
fn verified(
    signed: &SignedData,
    keys: &[PkinitCandidate],
    policy: Policy,
) -> Result<(Vec<u8>, String), Failure> {
    if signed.digest() == Digest::Sha1 && !policy.allow_sha1 {
        let code = ErrorCode::KDC_ERR_DIGEST_IN_SIGNED_DATA_NOT_ACCEPTED;
        let refusal = Refusal::new(code, "a signature with SHA-1");
        return Err(Failure::Refused(refusal));
    }
    let key_of = |certificate: &Certificate| RsaPublicKey::from_spki(&certificate.spki);
    let named = signed.signer_certificate().map(key_of).transpose();
    let named = named.map_err(|error| Failure::Refused(refused(&error)))?;
    let mut failure = None;
    for candidate in keys.iter().take(KEYS_TRIED_MAX) {
        let Some(key) = candidate.rsa() else { continue };
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
        Some(error) => Failure::Refused(refused(&error)),
        None => Failure::NoneOfThem(named),
    })
}

/// Somebody who has a key, but not one of this account. MS-PKCA 3.1.5.2.1.4: where another account trusts the key, the
/// client gave a wrong name. Who cannot sign with the key learns nothing about whose it is.
fn stranger(
    asked: &Asked<'_>,
    client: &Account,
    signed: &SignedData,
    named: Option<&RsaPublicKey>,
    policy: Policy,
) -> Refusal {
    let unknown = || {
        let why = "the client's key is none of the account's NGC keys";
        Refusal::new(ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED, why)
    };
    let Some(key) = named else { return unknown() };
    if let Err(error) = signed.verify(SignedData::AUTH_DATA, key, policy) {
        return refused(&error);
    }
    let holder = match asked.kdc.accounts.holder_of_key(key.spki()) {
        Ok(Some(holder)) if holder.sid != client.sid => holder,
        Ok(_) => return unknown(),
        Err(error) => return error.into(),
    };
    // The index only says where to look: what counts is a value that could sign in.
    let (keys, _) = candidates(&holder.key_credentials);
    if !keys.iter().any(|one| one.rsa().as_ref() == Some(key)) {
        return unknown();
    }
    let why = format!("the client's key is an NGC key of '{}'", holder.name);
    Refusal::new(ErrorCode::KDC_ERR_CLIENT_NAME_MISMATCH, why)
}

pub(crate) fn refused(error: &PkinitError) -> Refusal {
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
