//! A client that can do everything wrong: requests by hand against a KDC in memory.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot set up its realm has failed"
)]

use std::sync::Arc;

use kdc::{
    Account, Accounts, Event, Kdc, LockoutPolicy, Lookup, MemoryAccounts, MemoryLockout, Settings,
};
use kerberos::crypto::{EncryptionType, Key, KeyUsage, string_to_key};
use kerberos::messages::{
    ApOptions, ApReq, Authenticator, Checksum, Der, EncKdcRepPart, EncTicketPart, ErrorCode,
    KdcOptions, KdcReply, KdcReqBody, KdcRequest, KerberosTime, KrbError, Kvno, NameType, PaData,
    PaEncTsEnc, PaType, PrincipalName, Realm as RealmName, RequestKind, Ticket,
};
use kerberos::pac::{Buffer, Signing, TicketKind, VerifiedPac};
use types::{SeededEntropy, Sid, Timestamp};

pub(crate) const REALM: &str = "CORP.CONTOSO.COM";
pub(crate) const PASSWORD: &str = "Correct-Horse-2026";
pub(crate) const WEB: &str = "HTTP/web.corp.contoso.com";
pub(crate) const AES256: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;
pub(crate) const AES128: EncryptionType = EncryptionType::AES128_CTS_HMAC_SHA1_96;

pub(crate) struct Realm {
    pub(crate) kdc: Kdc,
    pub(crate) accounts: Arc<MemoryAccounts>,
    pub(crate) lockout: Arc<MemoryLockout>,
    pub(crate) now: Timestamp,
    pub(crate) entropy: SeededEntropy,
    pub(crate) events: Vec<Event>,
    pub(crate) source: Option<std::net::IpAddr>,
    nonce: i64,
}

/// A ticket and what its holder knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) ticket: Ticket,
    pub(crate) session: Arc<Key>,
    pub(crate) cname: PrincipalName,
    pub(crate) part: EncKdcRepPart,
}

/// A TGS request before it is sealed, to be bent.
pub(crate) struct Draft {
    pub(crate) body: KdcReqBody,
    pub(crate) padata: Vec<PaData>,
    pub(crate) authenticator: Authenticator,
    pub(crate) ticket: Ticket,
    pub(crate) with_checksum: bool,
}

impl Realm {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(shape: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(REALM, "CORP", "DC1");
        shape(&mut settings);
        let mut entropy = SeededEntropy::new(42);
        let domain = Sid::nt(&[21, 1_004_336_348, 1_177_238_915, 682_003_330]);
        let accounts = MemoryAccounts::new(REALM, domain, &mut entropy).unwrap();
        accounts.add("testuser", PASSWORD, &[], |_| {}).unwrap();
        accounts.add("WEB$", PASSWORD, &[WEB], |_| {}).unwrap();
        let accounts = Arc::new(accounts);
        let lockout = Arc::new(MemoryLockout::new(LockoutPolicy {
            threshold: 3,
            ..LockoutPolicy::default()
        }));
        Self {
            kdc: Kdc::new(settings, accounts.clone(), lockout.clone()),
            accounts,
            lockout,
            now: Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap(),
            entropy,
            events: Vec::new(),
            source: None,
            nonce: 1,
        }
    }

    /// The same realm with a KDC that takes NGC keys.
    pub(crate) fn take_key_trust(&mut self, trust: kdc::KeyTrust) {
        let settings = self.kdc.settings().clone();
        let kdc = Kdc::new(settings, self.accounts.clone(), self.lockout.clone());
        self.kdc = kdc.with_key_trust(trust);
    }

    pub(crate) fn account(&self, name: &str) -> Arc<Account> {
        self.accounts.account(Lookup::Name(name)).unwrap().unwrap()
    }

    pub(crate) fn krbtgt(&self, number: u16) -> Arc<Account> {
        self.accounts
            .account(Lookup::Krbtgt(number))
            .unwrap()
            .unwrap()
    }

    /// The key that seals this realm's ticket granting tickets.
    pub(crate) fn krbtgt_key(&self) -> Arc<Key> {
        Arc::clone(self.krbtgt(0).current().unwrap().of_type(AES256).unwrap())
    }

    /// The reply's bytes or the error.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, Box<KrbError>> {
        let answer = self
            .kdc
            .answer_from(self.source, request, self.now, &mut self.entropy);
        self.events.extend(answer.events);
        let reply = answer.reply.expect("an answer");
        match KrbError::from_der(&reply) {
            Ok(error) => Err(Box::new(error)),
            Err(_) => Ok(reply),
        }
    }

    pub(crate) fn body(&mut self, sname: PrincipalName) -> KdcReqBody {
        self.nonce += 1;
        KdcReqBody {
            kdc_options: KdcOptions::default(),
            cname: None,
            realm: RealmName::from(REALM),
            sname: Some(sname),
            from: None,
            till: KerberosTime::new(self.now.plus_seconds(24 * 3600)),
            rtime: None,
            nonce: self.nonce,
            etype: vec![AES256, AES128],
            addresses: None,
            enc_authorization_data: None,
            additional_tickets: None,
        }
    }

    /// The bytes of an AS request with an encrypted timestamp under the key.
    pub(crate) fn as_req(
        &mut self,
        name: &str,
        key: &Key,
        shape: impl FnOnce(&mut KdcReqBody, &mut Vec<PaData>),
    ) -> Vec<u8> {
        let mut body = self.body(PrincipalName::krbtgt(REALM));
        body.cname = Some(PrincipalName::new(NameType::NT_PRINCIPAL, [name]));
        let mut padata = vec![self.timestamp(key, 0)];
        shape(&mut body, &mut padata);
        let request = KdcRequest::new(RequestKind::As, padata, body).unwrap();
        request.to_der().unwrap()
    }

    pub(crate) fn timestamp(&mut self, key: &Key, apart_s: i64) -> PaData {
        let inside = PaEncTsEnc {
            patimestamp: KerberosTime::new(self.now.plus_seconds(apart_s)),
            pausec: None,
        };
        let usage = KeyUsage::AS_REQ_TIMESTAMP;
        let sealed = kerberos::ticket::seal(&inside, key, None, usage, &mut self.entropy).unwrap();
        PaData::new(PaType::PA_ENC_TIMESTAMP, sealed.to_der().unwrap())
    }

    pub(crate) fn key_of(&self, name: &str, password: &str) -> Key {
        let account = self.account(name);
        let salt = account.current().unwrap().salt.clone();
        string_to_key(AES256, password.as_bytes(), salt.as_bytes(), None).unwrap()
    }

    pub(crate) fn sign_in_as(
        &mut self,
        name: &str,
        password: &str,
        shape: impl FnOnce(&mut KdcReqBody, &mut Vec<PaData>),
    ) -> Result<Held, ErrorCode> {
        let key = self.key_of(name, password);
        let request = self.as_req(name, &key, shape);
        let reply = self.ask(&request).map_err(|error| error.error_code)?;
        let reply = KdcReply::from_der(&reply).unwrap();
        let part = reply.open(&key, KeyUsage::AS_REP_ENC_PART).unwrap();
        Ok(held(reply, part))
    }

    pub(crate) fn sign_in(&mut self, name: &str) -> Held {
        self.sign_in_as(name, PASSWORD, |_, _| {}).unwrap()
    }

    /// A correct TGS request for a service, not yet sealed.
    pub(crate) fn draft(&mut self, tgt: &Held, service: &str) -> Draft {
        let parts = service.split('/');
        let sname = PrincipalName::new(NameType::NT_SRV_INST, parts);
        let body = self.body(sname);
        Draft {
            authenticator: Authenticator {
                authenticator_vno: 5,
                crealm: RealmName::from(REALM),
                cname: tgt.cname.clone(),
                cksum: None,
                cusec: i32::try_from(body.nonce).unwrap(),
                ctime: KerberosTime::new(self.now),
                subkey: None,
                seq_number: None,
                authorization_data: None,
            },
            body,
            padata: Vec::new(),
            ticket: tgt.ticket.clone(),
            with_checksum: true,
        }
    }

    pub(crate) fn seal(&mut self, tgt: &Held, draft: Draft) -> KdcRequest {
        let mut authenticator = draft.authenticator;
        let raw = draft.body.to_der().unwrap();
        if draft.with_checksum && authenticator.cksum.is_none() {
            let usage = KeyUsage::TGS_REQ_CHECKSUM;
            authenticator.cksum = Some(Checksum::compute(&tgt.session, usage, &[&raw]).unwrap());
        }
        let ap_req = ApReq::seal(
            ApOptions::default(),
            draft.ticket,
            &authenticator,
            &tgt.session,
            KeyUsage::TGS_REQ_AUTHENTICATOR,
            &mut self.entropy,
        )
        .unwrap();
        let mut padata = vec![PaData::new(PaType::PA_TGS_REQ, ap_req.to_der().unwrap())];
        padata.extend(draft.padata);
        KdcRequest::new(RequestKind::Tgs, padata, draft.body).unwrap()
    }

    /// Asks for a service ticket after `bend` did its worst.
    pub(crate) fn ticket_with(
        &mut self,
        tgt: &Held,
        service: &str,
        bend: impl FnOnce(&mut Draft),
    ) -> Result<Held, ErrorCode> {
        let mut draft = self.draft(tgt, service);
        bend(&mut draft);
        let subkey = draft.authenticator.subkey.clone();
        let request = self.seal(tgt, draft).to_der().unwrap();
        let reply = self.ask(&request).map_err(|error| error.error_code)?;
        let reply = KdcReply::from_der(&reply).unwrap();
        let part = match subkey {
            Some(subkey) => {
                let key = subkey.to_key(None).unwrap();
                reply.open(&key, KeyUsage::TGS_REP_SUBKEY)
            }
            None => reply.open(&tgt.session, KeyUsage::TGS_REP_SESSION),
        };
        Ok(held(reply, part.unwrap()))
    }

    pub(crate) fn ticket(&mut self, tgt: &Held, service: &str) -> Result<Held, ErrorCode> {
        self.ticket_with(tgt, service, |_| {})
    }

    /// The ticket with its inside changed and sealed again with the realm's own key: what somebody does who has that
    /// key, or what a flaw elsewhere would lead to.
    pub(crate) fn forged(&mut self, tgt: &Held, change: impl FnOnce(&mut EncTicketPart)) -> Held {
        let key = self.krbtgt_key();
        let mut part = tgt.ticket.open(&key).unwrap();
        change(&mut part);
        let kvno = tgt.ticket.enc_part.key_version();
        self.sealed(tgt, &part, &key, kvno)
    }

    pub(crate) fn sealed(
        &mut self,
        tgt: &Held,
        part: &EncTicketPart,
        key: &Key,
        kvno: Option<Kvno>,
    ) -> Held {
        let (realm, sname) = (tgt.ticket.realm.clone(), tgt.ticket.sname.clone());
        let ticket = Ticket::seal(realm, sname, part, key, kvno, &mut self.entropy).unwrap();
        Held {
            ticket,
            ..tgt.clone()
        }
    }

    /// The ticket with other buffers in its PAC, all signatures made anew with the realm's own key.
    pub(crate) fn with_pac(&mut self, tgt: &Held, change: impl FnOnce(&mut Vec<Buffer>)) -> Held {
        let key = self.krbtgt_key();
        self.forged(tgt, |part| {
            let pac = VerifiedPac::for_tgt(part, &key, 0).unwrap().unwrap();
            let mut buffers = pac.pac().to_buffers();
            change(&mut buffers);
            signing(&key, &key).sign_into(part, buffers).unwrap();
        })
    }
}

pub(crate) fn signing<'k>(server_key: &'k Key, kdc_key: &'k Key) -> Signing<'k> {
    Signing {
        server_key,
        kdc_key,
        rodc: None,
        kind: TicketKind::Tgt,
    }
}

fn held(reply: KdcReply, part: EncKdcRepPart) -> Held {
    Held {
        session: Arc::new(part.key.to_key(None).unwrap()),
        ticket: reply.ticket,
        cname: reply.cname,
        part,
    }
}
