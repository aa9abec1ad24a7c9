//! The answer to a sign-in by key: PA-PK-AS-REP by key agreement (RFC 4556 3.2.3.1), or by RSA key transport (3.2.3.2).

use std::sync::Arc;

use kerberos::crypto::{EncryptionType, Key, KeyUsage};
use kerberos::messages::{
    Checksum, Der, EncryptionKey, ErrorCode, KerberosTime, PaData, PaType, PrincipalName,
};
use kerberos::pkinit::{
    AuthPack, Certificate, ContentCipher, DhRepInfo, Group, KdcDhKeyInfo, Kdf, KdfInput, KeyPair,
    PaPkAsRep, PublicValue, ReplyKeyPack, SignedData, envelop, reply_key, sign_data,
};

use crate::event::Proof;
use crate::kdc::Asked;
use crate::key_trust_login::{KeyTrust, refused};
use crate::password_login::Proved;
use crate::refusal::Refusal;
use crate::tickets::SealingKey;

/// What one of the account's keys signed.
pub(crate) struct Signed<'a> {
    pub(crate) pack: AuthPack,
    /// The signer's, where it came along.
    pub(crate) certificate: Option<&'a Certificate>,
    pub(crate) proof: Proof,
}

/// The reply key and how the client learns it.
pub(crate) fn make(
    asked: &mut Asked<'_>,
    trust: &KeyTrust,
    signed: Signed<'_>,
) -> Result<Proved, Refusal> {
    let (key, reply) = match &signed.pack.client_public_value {
        Some(value) => agree(asked, trust, &signed.pack, value.as_bytes())?,
        None => transport(asked, trust, &signed)?,
    };
    Ok(Proved {
        key: SealingKey {
            key: Arc::new(key),
            kvno: None,
        },
        padata: vec![PaData::new(PaType::PA_PK_AS_REP, reply)],
        proof: signed.proof,
    })
}

/// The KDC's half of the key agreement, signed.
fn agree(
    asked: &mut Asked<'_>,
    trust: &KeyTrust,
    pack: &AuthPack,
    value: &[u8],
) -> Result<(Key, Vec<u8>), Refusal> {
    let body = asked.request.body();
    let peer = PublicValue::from_spki(value, trust.policy).map_err(|error| {
        let code = ErrorCode::KDC_ERR_DH_KEY_PARAMETERS_NOT_ACCEPTED;
        let groups = Group::td_dh_parameters(&GROUPS);
        Refusal::new(code, error.to_string())
            .with_typed_data(PaData::new(PaType::TD_DH_PARAMETERS, groups))
    })?;
    let etype = reply_type(asked)?;
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
    let signed = sign_data(SignedData::DH_KEY_DATA, &info.to_der()?, &*trust.signer);
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
    Ok((key, reply))
}

/// A fresh reply key, signed by the KDC and encrypted to the certificate that came along.
fn transport(
    asked: &mut Asked<'_>,
    trust: &KeyTrust,
    signed: &Signed<'_>,
) -> Result<(Key, Vec<u8>), Refusal> {
    let certificate = signed.certificate.ok_or_else(|| {
        let code = ErrorCode::KDC_ERR_PUBLIC_KEY_ENCRYPTION_NOT_SUPPORTED;
        Refusal::new(code, "key transport without a certificate to send it to")
    })?;
    let key = Key::generate(reply_type(asked)?, asked.entropy)?;
    let pack = ReplyKeyPack {
        reply_key: EncryptionKey::from_key(&key),
        as_checksum: Checksum::compute(&key, KeyUsage::TGS_REQ_CHECKSUM, &[asked.raw])?,
    };
    let enveloped = envelop(
        SignedData::REPLY_KEY_DATA,
        &pack.to_der()?,
        &*trust.signer,
        certificate,
        cipher(&signed.pack),
        asked.entropy,
    );
    let enveloped = enveloped.map_err(|error| refused(&error))?;
    let reply = PaPkAsRep::EncKeyPack(enveloped.into()).to_der()?;
    Ok((key, reply))
}

/// Triple DES is what every client must take (RFC 4556 3.2.3.2), AES where it says so.
fn cipher(pack: &AuthPack) -> ContentCipher {
    let mut offered = pack.supported_cms_types.iter().flatten();
    let has_aes = offered.any(|kind| kind.algorithm.iter().copied().eq(AES256_CBC));
    if has_aes {
        ContentCipher::Aes256
    } else {
        ContentCipher::TripleDes
    }
}

/// The type of the reply key: it is nobody's long-term key, so only the realm and the client have a say.
fn reply_type(asked: &Asked<'_>) -> Result<EncryptionType, Refusal> {
    let offered = &asked.request.body().etype;
    let mut types = asked.kdc.settings.encryption_types.iter().copied();
    types
        .find(|etype| offered.contains(etype) && *etype != EncryptionType::RC4_HMAC)
        .ok_or_else(|| {
            let why = format!("none of the offered encryption types {offered:?} is allowed here");
            Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
        })
}

/// What a client is told to use instead; the first one is what every client has.
const GROUPS: [Group; 4] = [Group::Modp14, Group::Modp16, Group::P256, Group::P384];
/// id-aes256-CBC
const AES256_CBC: [u32; 9] = [2, 16, 840, 1, 101, 3, 4, 1, 42];
