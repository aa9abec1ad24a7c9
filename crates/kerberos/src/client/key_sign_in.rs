//! Signing in with a private key: PKINIT with Diffie-Hellman (RFC 4556 3.2), as Windows Hello for Business does it.

use types::{Entropy, Secret, Timestamp};

use super::{ClientError, Credentials, Principal, accept, microseconds};
use crate::crypto::{Key, KeyUsage};
use crate::messages::{
    Der, ErrorCode, KdcReply, KdcReqBody, KdcRequest, KerberosTime, PaData, PaType, PrincipalName,
    RequestKind,
};
use crate::pkinit::{
    AuthPack, DhRepInfo, Digest, Group, KdcDhKeyInfo, Kdf, KdfInput, KeyPair, PaPkAsRep, PaPkAsReq,
    PkAuthenticator, PkinitError, Policy, PublicValue, RsaPublicKey, Sign, SignedData, reply_key,
    sign_data,
};

/// A sign-in that waits for its answer.
#[derive(Debug)]
pub struct KeySignIn {
    body: KdcReqBody,
    request: Vec<u8>,
    pair: KeyPair,
}

impl KeySignIn {
    /// A request that proves nothing, to be refused: the refusal may bring a freshness token (RFC 8070 2.1).
    pub fn ask_freshness(
        client: &Principal,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, ClientError> {
        let body = super::sign_in_body(client, now, entropy);
        let padata = vec![PaData::new(PaType::PA_AS_FRESHNESS, Vec::new())];
        Ok(KdcRequest::new(RequestKind::As, padata, body)?.to_der()?)
    }

    /// The token of such a refusal. A KDC that knows none of it gives none.
    pub fn freshness_token(answer: &[u8]) -> Result<Option<Vec<u8>>, ClientError> {
        let error = match super::reply(answer) {
            Err(ClientError::Refused(error)) => error,
            Err(error) => return Err(error),
            Ok(_) => return Err(ClientError::Mismatch("a ticket for no proof at all")),
        };
        if error.error_code != ErrorCode::KDC_ERR_PREAUTH_REQUIRED {
            return Err(ClientError::Refused(error));
        }
        let method_data = error.method_data().transpose()?.unwrap_or_default();
        let token = PaData::find(&method_data, PaType::PA_AS_FRESHNESS);
        Ok(token.filter(|token| !token.is_empty()).map(<[u8]>::to_vec))
    }

    /// The request, signed by the client's key. `freshness` is the token of an earlier answer (RFC 8070), if there is one.
    pub fn begin(
        client: &Principal,
        signer: &dyn Sign,
        freshness: Option<&[u8]>,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Vec<u8>), ClientError> {
        let body = super::sign_in_body(client, now, entropy);
        let pair = KeyPair::generate(Group::Modp14, entropy)?;
        let pack = AuthPack {
            pk_authenticator: PkAuthenticator {
                cusec: microseconds(now),
                ctime: KerberosTime::new(now),
                nonce: body.nonce,
                pa_checksum: Some(Digest::Sha1.hash(&body.to_der()?).into()),
                freshness_token: freshness.map(|token| token.to_vec().into()),
                pa_checksum2: None,
            },
            client_public_value: Some(Der::from_der(&pair.spki())?),
            supported_cms_types: None,
            client_dh_nonce: None,
            supported_kdfs: Kdf::Sha256.id().map(|id| vec![id]),
        };
        let message = sign_data(SignedData::AUTH_DATA, &pack.to_der()?, signer)?;
        let value = PaPkAsReq {
            signed_auth_pack: message.into(),
            trusted_certifiers: None,
            kdc_pk_id: None,
        };
        let padata = vec![PaData::new(PaType::PA_PK_AS_REQ, value.to_der()?)];
        let request = KdcRequest::new(RequestKind::As, padata, body.clone())?.to_der()?;
        let sign_in = Self {
            body,
            request: request.clone(),
            pair,
        };
        Ok((sign_in, request))
    }

    /// Takes the KDC's answer. `trusts` judges the KDC's certificate (DER): its chain, its name and its key purpose.
    pub fn finish(
        self,
        answer: &[u8],
        trusts: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Credentials, ClientError> {
        let reply = super::reply(answer)?;
        let value = PaData::find(&reply.padata, PaType::PA_PK_AS_REP);
        let value = value.ok_or(ClientError::Mismatch(
            "the KDC's half of the key is missing",
        ))?;
        let PaPkAsRep::DhInfo(info) = PaPkAsRep::from_der(value)? else {
            return Err(ClientError::Mismatch("no key was agreed on"));
        };
        let shared = self.shared(&info, trusts)?;
        let key = self.reply_key(&reply, &info, value, &shared)?;
        let part = reply.open(&key, KeyUsage::AS_REP_ENC_PART)?;
        accept(reply, part, &self.body)
    }

    /// The shared secret, if it is the KDC that signed its half.
    fn shared(
        &self,
        info: &DhRepInfo,
        trusts: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Secret<Vec<u8>>, ClientError> {
        let signed = SignedData::decode(&info.dh_signed_data)?;
        let certificate = signed
            .signer_certificate()
            .filter(|certificate| trusts(&certificate.der))
            .ok_or(PkinitError::NotAccepted("the KDC's certificate"))?;
        let key = RsaPublicKey::from_spki(&certificate.spki)?;
        let content = signed.verify(SignedData::DH_KEY_DATA, &key, Policy::default())?;
        let public = KdcDhKeyInfo::from_der(content.content())?;
        // MS-PKCA and RFC 4556 3.2.3.1 have the authenticator's nonce here; it is the body's as well.
        if public.nonce != self.body.nonce {
            return Err(ClientError::Mismatch(
                "the KDC's half is of another request",
            ));
        }
        let bits = public.subject_public_key.as_raw_slice();
        let peer = PublicValue::from_bits(self.pair.group(), bits)?;
        Ok(self.pair.agree(&peer)?)
    }

    fn reply_key(
        &self,
        reply: &KdcReply,
        info: &DhRepInfo,
        value: &[u8],
        shared: &Secret<Vec<u8>>,
    ) -> Result<Key, ClientError> {
        let kdf = match &info.kdf {
            Some(id) => Kdf::from_id(id).ok_or(PkinitError::NotAccepted("the KDC's KDF"))?,
            None => Kdf::OctetStringToKey,
        };
        let nobody = PrincipalName::krbtgt("");
        let input = KdfInput {
            etype: reply.enc_part.etype,
            client_nonce: &[],
            server_nonce: info.server_dh_nonce.as_deref().unwrap_or_default(),
            client: (
                self.body.cname.as_ref().unwrap_or(&nobody),
                &self.body.realm,
            ),
            server: (
                self.body.sname.as_ref().unwrap_or(&nobody),
                &self.body.realm,
            ),
            as_req: &self.request,
            pk_as_rep: value,
        };
        Ok(reply_key(kdf, shared, &input)?)
    }
}
