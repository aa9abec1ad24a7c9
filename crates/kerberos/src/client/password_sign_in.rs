//! Signing in with a password: an encrypted timestamp (RFC 4120 5.2.7.2) under the key that the KDC's ETYPE-INFO2 leads
//! to.
//!
//! The first request proves nothing: the salt is the KDC's to tell, since a renamed account keeps its old one.

use types::{Entropy, Secret, Timestamp};

use super::{ClientError, Credentials, ENCRYPTION_TYPES, Principal, accept, microseconds};
use crate::crypto::{EncryptionType, Key, KeyUsage, string_to_key};
use crate::messages::{
    Der, ErrorCode, EtypeInfo2Entry, KdcReqBody, KdcRequest, KerberosTime, KrbError, PaData,
    PaEncTsEnc, PaType, RequestKind,
};
use crate::ticket::seal;

/// A sign-in on its way.
#[derive(Debug)]
pub struct PasswordSignIn {
    password: Secret<String>,
    body: KdcReqBody,
    /// The key of the password, once the salt is known.
    key: Option<Key>,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Send this, and come back with the answer.
    Send(Box<PasswordSignIn>, Vec<u8>),
    /// Signed in.
    Done(Box<Credentials>),
}

impl PasswordSignIn {
    /// The first request.
    pub fn begin(
        client: &Principal,
        password: Secret<String>,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Vec<u8>), ClientError> {
        let body = super::sign_in_body(client, now, entropy);
        let request = KdcRequest::new(RequestKind::As, Vec::new(), body.clone())?.to_der()?;
        let sign_in = Self {
            password,
            body,
            key: None,
        };
        Ok((sign_in, request))
    }

    /// Takes the KDC's answer.
    pub fn step(
        self,
        answer: &[u8],
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Step, ClientError> {
        let reply = match super::reply(answer) {
            Ok(reply) => reply,
            Err(ClientError::Refused(error)) => return self.prove(error, now, entropy),
            Err(error) => return Err(error),
        };
        let key = match self.key {
            Some(key) => key,
            // An account without pre-authentication: the reply itself says how its key is made.
            None => self.key_of(&reply.padata)?,
        };
        let part = reply.open(&key, KeyUsage::AS_REP_ENC_PART)?;
        Ok(Step::Done(Box::new(accept(reply, part, &self.body)?)))
    }

    fn prove(
        mut self,
        error: Box<KrbError>,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Step, ClientError> {
        // Asked for a second time, the KDC has refused the proof.
        if error.error_code != ErrorCode::KDC_ERR_PREAUTH_REQUIRED || self.key.is_some() {
            return Err(ClientError::Refused(error));
        }
        let method_data = error.method_data().transpose()?.unwrap_or_default();
        let key = self.key_of(&method_data)?;
        let stamp = PaEncTsEnc {
            patimestamp: KerberosTime::new(now),
            pausec: Some(microseconds(now)),
        };
        let sealed = seal(&stamp, &key, None, KeyUsage::AS_REQ_TIMESTAMP, entropy)?;
        let mut padata = vec![PaData::new(PaType::PA_ENC_TIMESTAMP, sealed.to_der()?)];
        // RFC 6113 5.2: what the KDC gave to be shown again.
        if let Some(cookie) = PaData::find(&method_data, PaType::PA_FX_COOKIE) {
            padata.push(PaData::new(PaType::PA_FX_COOKIE, cookie.to_vec()));
        }
        let request = KdcRequest::new(RequestKind::As, padata, self.body.clone())?.to_der()?;
        self.key = Some(key);
        Ok(Step::Send(Box::new(self), request))
    }

    fn key_of(&self, padata: &[PaData]) -> Result<Key, ClientError> {
        let entries = PaData::find(padata, PaType::PA_ETYPE_INFO2).ok_or(ClientError::NoWay)?;
        let entries: Vec<EtypeInfo2Entry> = Vec::from_der(entries)?;
        let known = |etype: &EncryptionType| ENCRYPTION_TYPES.contains(etype);
        let entry = entries.iter().find(|entry| known(&entry.etype));
        let entry = entry.ok_or(ClientError::NoWay)?;
        let salt = entry.salt.as_ref().map(|salt| salt.as_bytes());
        let iterations = entry.s2kparams.as_deref().map(|count| {
            let count: Result<[u8; 4], _> = count.try_into();
            count.map(u32::from_be_bytes)
        });
        let iterations = iterations.transpose().map_err(|_| ClientError::NoWay)?;
        Ok(string_to_key(
            entry.etype,
            self.password.expose().as_bytes(),
            salt.unwrap_or_default(),
            iterations,
        )?)
    }
}
