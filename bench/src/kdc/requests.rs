//! The requests: prepared once, and varied by what no KDC looks at or by what every client must vary.
//!
//! An AS request has one more pre-authentication datum of an unassigned type with a counter. It lies outside the body, so
//! the checksum of PKINIT still holds, and it makes the request another one for caches of answers. A TGS request needs a
//! fresh authenticator each time; the checksum in it is over the body, which stays.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use conformance::pki::Signer;
use kerberos::crypto::{EncryptionType, Key, KeyUsage, string_to_key};
use kerberos::messages::{
    ApOptions, ApReq, Authenticator, Checksum, Der as _, EtypeInfo2Entry, KdcOptions, KdcReply,
    KdcReqBody, KdcRequest, KerberosTime, KrbError, NameType, PaData, PaEncTsEnc, PaType,
    PrincipalName, Realm, RequestKind, Ticket,
};
use kerberos::pkinit::{
    AuthPack, Digest, Group, Kdf, KeyPair, PaPkAsReq, PkAuthenticator, SignedData, sign_data,
};
use types::{Entropy as _, SeededEntropy, Sid, Timestamp};

use super::Failure;
use super::load::{Line, Requests, error_code};

const AES256: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;
/// No registry has it.
const COUNTER: PaType = PaType(999);
const MARK: &[u8; 16] = b"tombolo-counter!";

/// Who asks.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) realm: String,
    pub(crate) name: String,
    /// `objectSid`, which a partial ticket names.
    pub(crate) sid: Option<Sid>,
}

/// A ticket granting ticket.
pub(crate) struct Tgt {
    ticket: Ticket,
    session: Arc<Key>,
}

impl Tgt {
    pub(crate) fn new(ticket: Ticket, session: Key) -> Self {
        Self {
            ticket,
            session: Arc::new(session),
        }
    }
}

/// A request with a counter in it.
#[derive(Clone)]
pub(crate) struct Counted {
    bytes: Vec<u8>,
    at: usize,
    count: u64,
}

impl Counted {
    fn new(request: &KdcRequest) -> Result<Self, Failure> {
        let bytes = request.to_der()?;
        let at = find(&bytes, MARK).ok_or("the counter is not in the request")?;
        Ok(Self {
            bytes,
            at,
            count: 0,
        })
    }

    /// The same request for another thread; no two runs count from the same number.
    pub(crate) fn for_thread(&self, thread: usize) -> Result<Box<dyn Requests>, Failure> {
        let mut other = self.clone();
        other.count = nanoseconds()? ^ (u64::try_from(thread)? << 56);
        Ok(Box::new(other))
    }
}

impl Requests for Counted {
    fn next(&mut self) -> Result<&[u8], Failure> {
        self.count += 1;
        let place = self
            .bytes
            .get_mut(self.at..)
            .and_then(|rest| rest.first_chunk_mut());
        *place.ok_or("the request is too short")? = self.count.to_be_bytes();
        Ok(&self.bytes)
    }
}

impl Client {
    /// The long-term key of a password, with the salt that the KDC tells.
    pub(crate) fn key_of_password(&self, line: &mut Line, password: &str) -> Result<Key, Failure> {
        let request = KdcRequest::new(RequestKind::As, Vec::new(), self.as_body()?)?;
        let answer = line.exchange(&request.to_der()?)?;
        let error = KrbError::from_der(answer)?;
        let hints = error.method_data().transpose()?.unwrap_or_default();
        let info = PaData::find(&hints, PaType::PA_ETYPE_INFO2);
        let info = info.ok_or_else(|| {
            format!(
                "the KDC asks '{}' for no password: error {}",
                self.name, error.error_code
            )
        })?;
        let entries = Vec::<EtypeInfo2Entry>::from_der(info)?;
        let entry = entries
            .iter()
            .find(|entry| entry.etype == AES256)
            .ok_or("the account has no AES-256 key")?;
        let salt = entry
            .salt
            .as_ref()
            .and_then(|salt| salt.as_str())
            .unwrap_or_default();
        Ok(string_to_key(
            AES256,
            password.as_bytes(),
            salt.as_bytes(),
            None,
        )?)
    }

    /// A sign-in with an encrypted timestamp.
    pub(crate) fn timestamp(&self, key: &Key) -> Result<Counted, Failure> {
        let inside = PaEncTsEnc {
            patimestamp: KerberosTime::new(now()?),
            pausec: Some(1),
        };
        let sealed = kerberos::ticket::seal(
            &inside,
            key,
            None,
            KeyUsage::AS_REQ_TIMESTAMP,
            &mut entropy()?,
        )?;
        let padata = vec![
            PaData::new(PaType::PA_ENC_TIMESTAMP, sealed.to_der()?),
            PaData::new(COUNTER, MARK.to_vec()),
        ];
        Counted::new(&KdcRequest::new(RequestKind::As, padata, self.as_body()?)?)
    }

    /// A sign-in by PKINIT with DH in the 2048-bit group; `bare` leaves the certificate out, as MIT's `kinit` does with
    /// one that is self-signed.
    pub(crate) fn pkinit(&self, signer: &Signer, bare: bool) -> Result<Counted, Failure> {
        let body = self.as_body()?;
        let pair = KeyPair::generate(Group::Modp14, &mut entropy()?)?;
        let pack = AuthPack {
            pk_authenticator: PkAuthenticator {
                cusec: 1,
                ctime: KerberosTime::new(now()?),
                nonce: body.nonce,
                pa_checksum: Some(Digest::Sha1.hash(&body.to_der()?).into()),
                freshness_token: None,
                pa_checksum2: None,
            },
            client_public_value: Some(rasn::types::Any::new(pair.spki())),
            supported_cms_types: None,
            client_dh_nonce: None,
            supported_kdfs: Kdf::Sha256.id().map(|id| vec![id]),
        };
        let mut signed = sign_data(SignedData::AUTH_DATA, &pack.to_der()?, signer)?;
        if bare {
            signed =
                crate::der::without_certificates(&signed).ok_or("no certificates to leave out")?;
        }
        let value = PaPkAsReq {
            signed_auth_pack: signed.into(),
            trusted_certifiers: None,
            kdc_pk_id: None,
        };
        let padata = vec![
            PaData::new(PaType::PA_PK_AS_REQ, value.to_der()?),
            PaData::new(COUNTER, MARK.to_vec()),
        ];
        Counted::new(&KdcRequest::new(RequestKind::As, padata, body)?)
    }

    /// Signs in, and opens the answer: what the load then repeats is known to be right.
    pub(crate) fn sign_in(&self, line: &mut Line, key: &Key) -> Result<Tgt, Failure> {
        let mut request = self.timestamp(key)?;
        let answer = line.exchange(request.next()?)?;
        let reply = KdcReply::from_der(answer).map_err(|_| {
            format!(
                "'{}' gets no ticket: error {}",
                self.name,
                error_code(answer)
            )
        })?;
        let part = reply.open(key, KeyUsage::AS_REP_ENC_PART)?;
        Ok(Tgt::new(reply.ticket, part.key.to_key(None)?))
    }

    /// Requests for a ticket to a service.
    pub(crate) fn service(
        &self,
        tgt: &Tgt,
        service: &str,
        thread: usize,
    ) -> Result<Box<dyn Requests>, Failure> {
        let mut body = self.as_body()?;
        body.cname = None;
        body.sname = Some(PrincipalName::new(
            NameType::NT_SRV_INST,
            service.split('/'),
        ));
        let checksum =
            Checksum::compute(&tgt.session, KeyUsage::TGS_REQ_CHECKSUM, &[&body.to_der()?])?;
        let authenticator = Authenticator {
            authenticator_vno: 5,
            crealm: Realm::from(self.realm.as_str()),
            cname: self.principal(),
            cksum: Some(checksum),
            cusec: CUSEC_FIRST,
            ctime: KerberosTime::new(now()?),
            subkey: None,
            seq_number: None,
            authorization_data: None,
        };
        let mut entropy = SeededEntropy::new(nanoseconds()? ^ (u64::try_from(thread)? << 56));
        let ap_req = ApReq::seal(
            ApOptions::default(),
            tgt.ticket.clone(),
            &authenticator,
            &tgt.session,
            KeyUsage::TGS_REQ_AUTHENTICATOR,
            &mut entropy,
        )?;
        let sealed = ap_req.authenticator.cipher.clone();
        let padata = vec![PaData::new(PaType::PA_TGS_REQ, ap_req.to_der()?)];
        let bytes = KdcRequest::new(RequestKind::Tgs, padata, body)?.to_der()?;
        let at = find(&bytes, &sealed).ok_or("the authenticator is not in the request")?;
        Ok(Box::new(Authenticated {
            bytes,
            at,
            authenticator,
            session: Arc::clone(&tgt.session),
            entropy,
            // Threads start apart, so that two of them do not meet at one time.
            count: i32::try_from(thread)?.wrapping_mul(7919),
        }))
    }

    fn principal(&self) -> PrincipalName {
        PrincipalName::new(NameType::NT_PRINCIPAL, self.name.split('/'))
    }

    fn as_body(&self) -> Result<KdcReqBody, Failure> {
        Ok(KdcReqBody {
            kdc_options: KdcOptions::default(),
            cname: Some(self.principal()),
            realm: Realm::from(self.realm.as_str()),
            sname: Some(PrincipalName::krbtgt(&self.realm)),
            from: None,
            till: KerberosTime::new(now()?.plus_seconds(24 * 3600)),
            rtime: None,
            nonce: 1_234_567,
            etype: vec![AES256],
            addresses: None,
            enc_authorization_data: None,
            additional_tickets: None,
        })
    }
}

/// TGS requests, each with an authenticator of its own.
struct Authenticated {
    bytes: Vec<u8>,
    at: usize,
    authenticator: Authenticator,
    session: Arc<Key>,
    entropy: SeededEntropy,
    count: i32,
}

impl Requests for Authenticated {
    fn next(&mut self) -> Result<&[u8], Failure> {
        self.count = self.count.wrapping_add(1);
        // Numbers that all take three bytes, so that nothing moves.
        self.authenticator.cusec = CUSEC_FIRST + self.count.rem_euclid(CUSECS);
        self.authenticator.ctime = KerberosTime::new(now()?);
        let plain = self.authenticator.to_der()?;
        let sealed =
            self.session
                .encrypt(KeyUsage::TGS_REQ_AUTHENTICATOR, &plain, &mut self.entropy)?;
        let place = self.bytes.get_mut(self.at..self.at + sealed.len());
        place
            .ok_or("the authenticator grew")?
            .copy_from_slice(&sealed);
        Ok(&self.bytes)
    }
}

const CUSEC_FIRST: i32 = 100_000;
const CUSECS: i32 = 800_000;

pub(crate) fn now() -> Result<Timestamp, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_unix_seconds(i64::try_from(
        since.as_secs(),
    )?))
}

fn nanoseconds() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_nanos() & u128::from(u64::MAX))? & (u64::MAX >> 8))
}

/// A benchmark's keys need to differ, not to be secret.
fn entropy() -> Result<SeededEntropy, Failure> {
    let mut seeded = SeededEntropy::new(nanoseconds()?);
    seeded.fill(&mut [0; 8]);
    Ok(seeded)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
