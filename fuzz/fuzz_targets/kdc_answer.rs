//! Anything into a KDC: bytes as they are, and real requests with some of their bytes changed. No panic, and no ticket
//! for anybody who did not prove anything.
#![no_main]

use std::sync::{Arc, OnceLock};

use kdc::{Kdc, KeyTrust, LockoutPolicy, MemoryAccounts, MemoryLockout, Settings};
use kerberos::crypto::{EncryptionType, Key, KeyUsage, combine, string_to_key};
use kerberos::messages::{
    ApOptions, ApReq, Authenticator, Checksum, Der, EncKdcRepPart, EncryptedData, EncryptionKey,
    KdcOptions, KdcReply, KdcReqBody, KdcRequest, KerberosTime, KrbFastArmor, KrbFastArmoredReq,
    KrbFastReq, MessageType, NameType, PaData, PaEncTsEnc, PaFxFastRequest, PaType, PrincipalName,
    Realm, RequestKind,
};
use kerberos::pkinit::{
    AuthPack, Digest, Group, KeyPair, PaPkAsReq, PkAuthenticator, Policy, Sign, SignedData,
    sign_data,
};
use libfuzzer_sys::fuzz_target;
use types::{SeededEntropy, Sid, Timestamp};

const REALM: &str = "CORP.CONTOSO.COM";
const AES256: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;

/// Signs nothing that anybody would believe.
struct Nobody(Vec<u8>);

impl Sign for Nobody {
    fn certificate(&self) -> &[u8] {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Option<Vec<u8>> {
        Some(vec![7; 256])
    }
}

/// A certificate's outline: names, a serial number, a key; the signature is never looked at.
fn certificate() -> Vec<u8> {
    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let head = match u8::try_from(content.len()) {
            Ok(short) if short < 0x80 => vec![tag, short],
            _ => {
                let length = u16::try_from(content.len()).unwrap_or(0).to_be_bytes();
                vec![tag, 0x82, length[0], length[1]]
            }
        };
        [head, content].concat()
    }
    let oid = [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, 1, 5, 0];
    let algorithm = tlv(0x30, &[&oid]);
    let modulus = tlv(2, &[&[0], &[0xC5; 256]]);
    let key = tlv(0x30, &[&modulus, &[2, 3, 1, 0, 1]]);
    let spki = tlv(0x30, &[&algorithm, &tlv(3, &[&[0], &key])]);
    let empty = tlv(0x30, &[]);
    let tbs = tlv(
        0x30,
        &[&[2, 1, 1], &algorithm, &empty, &empty, &empty, &spki],
    );
    tlv(0x30, &[&tbs, &algorithm, &tlv(3, &[&[0, 1]])])
}

struct World {
    kdc: Kdc,
    now: Timestamp,
    seeds: Vec<Vec<u8>>,
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_780_000_000)
}

fn kdc() -> Kdc {
    let mut entropy = SeededEntropy::new(1);
    let domain = Sid::nt(&[21, 1, 2, 3]);
    let accounts = MemoryAccounts::new(REALM, domain, &mut entropy).unwrap();
    accounts.add("testuser", "password", &[], |_| {}).unwrap();
    accounts
        .add("WEB$", "password", &["HTTP/web"], |_| {})
        .unwrap();
    let lockout = LockoutPolicy {
        threshold: 0,
        ..LockoutPolicy::default()
    };
    let settings = Settings::new(REALM, "CORP", "DC1");
    let kdc = Kdc::new(
        settings,
        Arc::new(accounts),
        Arc::new(MemoryLockout::new(lockout)),
    );
    kdc.with_key_trust(KeyTrust {
        signer: Arc::new(Nobody(certificate())),
        policy: Policy {
            allow_sha1: true,
            allow_modp_2: true,
        },
    })
}

fn body(service: &[&str], client: Option<&str>) -> KdcReqBody {
    KdcReqBody {
        kdc_options: KdcOptions::CANONICALIZE,
        cname: client.map(|name| PrincipalName::new(NameType::NT_PRINCIPAL, [name])),
        realm: Realm::from(REALM),
        sname: Some(PrincipalName::new(
            NameType::NT_SRV_INST,
            service.iter().copied(),
        )),
        from: None,
        till: KerberosTime::new(now().plus_seconds(36_000)),
        rtime: None,
        nonce: 7,
        etype: vec![AES256],
        addresses: None,
        enc_authorization_data: None,
        additional_tickets: None,
    }
}

fn timestamp(key: &Key, entropy: &mut SeededEntropy) -> PaData {
    let inside = PaEncTsEnc {
        patimestamp: KerberosTime::new(now()),
        pausec: None,
    };
    let usage = KeyUsage::AS_REQ_TIMESTAMP;
    let sealed = kerberos::ticket::seal(&inside, key, None, usage, entropy).unwrap();
    PaData::new(PaType::PA_ENC_TIMESTAMP, sealed.to_der().unwrap())
}

/// The AP-REQ and the armour's key.
fn ap_req(
    reply: &KdcReply,
    part: &EncKdcRepPart,
    covered: &[u8],
    usage: KeyUsage,
    entropy: &mut SeededEntropy,
) -> (Vec<u8>, Key) {
    let session = part.key.to_key(None).unwrap();
    let subkey = Key::generate(AES256, entropy).unwrap();
    let checksum = Checksum::compute(&session, KeyUsage::TGS_REQ_CHECKSUM, &[covered]);
    let authenticator = Authenticator {
        authenticator_vno: 5,
        crealm: Realm::from(REALM),
        cname: reply.cname.clone(),
        cksum: Some(checksum.unwrap()),
        cusec: 0,
        ctime: KerberosTime::new(now()),
        subkey: Some(EncryptionKey::from_key(&subkey)),
        seq_number: None,
        authorization_data: None,
    };
    let options = ApOptions::default();
    let ticket = reply.ticket.clone();
    let ap_req = ApReq::seal(options, ticket, &authenticator, &session, usage, entropy);
    let armour = combine(&subkey, b"subkeyarmor", &session, b"ticketarmor").unwrap();
    (ap_req.unwrap().to_der().unwrap(), armour)
}

fn fast(
    armour: Option<Vec<u8>>,
    key: &Key,
    covered: &[u8],
    padata: Vec<PaData>,
    inner: &KdcReqBody,
    entropy: &mut SeededEntropy,
) -> PaData {
    let inner = KrbFastReq {
        fast_options: KdcOptions(0),
        padata,
        req_body: Der::from_der(&inner.to_der().unwrap()).unwrap(),
    };
    let plain = inner.to_der().unwrap();
    let request = PaFxFastRequest(KrbFastArmoredReq {
        armor: armour.map(|value| KrbFastArmor {
            armor_type: 1,
            armor_value: value.into(),
        }),
        req_checksum: Checksum::compute(key, KeyUsage::FAST_REQ_CHECKSUM, &[covered]).unwrap(),
        enc_fast_req: EncryptedData::seal(key, None, KeyUsage::FAST_ENC, &plain, entropy).unwrap(),
    });
    PaData::new(PaType::PA_FX_FAST, request.to_der().unwrap())
}

fn pkinit(body: &KdcReqBody, entropy: &mut SeededEntropy) -> PaData {
    let pair = KeyPair::generate(Group::P256, entropy).unwrap();
    let raw = body.to_der().unwrap();
    let pack = AuthPack {
        pk_authenticator: PkAuthenticator {
            cusec: 0,
            ctime: KerberosTime::new(now()),
            nonce: 7,
            pa_checksum: Some(Digest::Sha1.hash(&raw).into()),
            freshness_token: None,
            pa_checksum2: None,
        },
        client_public_value: Some(Der::from_der(&pair.spki()).unwrap()),
        supported_cms_types: None,
        client_dh_nonce: Some(vec![1; 32].into()),
        supported_kdfs: None,
    };
    let signer = Nobody(certificate());
    let signed = sign_data(SignedData::AUTH_DATA, &pack.to_der().unwrap(), &signer);
    let value = PaPkAsReq {
        signed_auth_pack: signed.unwrap().into(),
        trusted_certifiers: None,
        kdc_pk_id: None,
    };
    PaData::new(PaType::PA_PK_AS_REQ, value.to_der().unwrap())
}

/// Real requests, and a KDC that has not seen them.
fn world() -> World {
    let before = kdc();
    let mut entropy = SeededEntropy::new(2);
    let salt = format!("{REALM}testuser");
    let key = string_to_key(AES256, b"password", salt.as_bytes(), None).unwrap();
    let request = |kind, padata, body: &KdcReqBody| {
        let request = KdcRequest::new(kind, padata, body.clone()).unwrap();
        request.to_der().unwrap()
    };
    let sign_in = body(&["krbtgt", REALM], Some("testuser"));
    let padata = vec![timestamp(&key, &mut entropy)];
    let as_req = request(RequestKind::As, padata, &sign_in);
    let reply = before.answer(&as_req, now(), &mut entropy).reply.unwrap();
    let reply = KdcReply::from_der(&reply).unwrap();
    let part = reply.open(&key, KeyUsage::AS_REP_ENC_PART).unwrap();
    let web = body(&["HTTP", "web"], None);
    let raw = web.to_der().unwrap();
    let usage = KeyUsage::TGS_REQ_AUTHENTICATOR;
    let (own, own_armour) = ap_req(&reply, &part, &raw, usage, &mut entropy);
    let own = || PaData::new(PaType::PA_TGS_REQ, own.clone());
    let implicit = fast(
        None,
        &own_armour,
        &own().padata_value,
        Vec::new(),
        &web,
        &mut entropy,
    );
    let usage = KeyUsage::AP_REQ_AUTHENTICATOR;
    let (armour, armour_key) = ap_req(&reply, &part, &raw, usage, &mut entropy);
    let outer = sign_in.to_der().unwrap();
    let explicit = fast(
        Some(armour),
        &armour_key,
        &outer,
        Vec::new(),
        &sign_in,
        &mut entropy,
    );
    let by_key = pkinit(&sign_in, &mut entropy);
    let seeds = vec![
        as_req,
        request(RequestKind::As, Vec::new(), &sign_in),
        request(RequestKind::Tgs, vec![own()], &web),
        request(RequestKind::Tgs, vec![own(), implicit], &web),
        request(RequestKind::As, vec![explicit], &sign_in),
        request(RequestKind::As, vec![by_key], &sign_in),
    ];
    World {
        kdc: kdc(),
        now: now(),
        seeds,
    }
}

static WORLD: OnceLock<World> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let world = WORLD.get_or_init(world);
    let Some((how, rest)) = data.split_first() else {
        return;
    };
    let mut entropy = SeededEntropy::new(3);
    let seed = world.seeds.get(usize::from(*how) % (world.seeds.len() + 1));
    let message = match seed {
        // The bytes as they are, under the tag of a request.
        None => [&[0x6A], rest].concat(),
        // Triples of where and what.
        Some(seed) => {
            let mut message = seed.clone();
            for change in rest.chunks_exact(3) {
                let place = usize::from(u16::from_be_bytes([change[0], change[1]]));
                let place = place % message.len();
                message[place] = change[2];
            }
            message
        }
    };
    let answer = world.kdc.answer(&message, world.now, &mut entropy);
    // Half of the seeds prove nothing, whatever becomes of them.
    let proves_nothing = seed.is_none() || matches!(how % 7, 1 | 4 | 5);
    if proves_nothing && let Some(reply) = answer.reply {
        assert_eq!(MessageType::of(&reply), Some(MessageType::KRB_ERROR));
    }
});
