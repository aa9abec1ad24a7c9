use cloud_api::prt::{IdClaims, TokenError};
use kerberos::client::{ClientError, Principal};
use kerberos::crypto::{EncryptionType, Key};
use kerberos::messages::{
    Der, EncKdcRepPart, EncryptedData, EncryptionKey, ErrorCode, KerberosTime, KrbError,
    PrincipalName, Ticket, TicketFlags,
};
use types::{Guid, SeededEntropy};

use super::*;
use crate::cloud::{CloudError, Unreachable};
use crate::connection::CacheFate;
use crate::domain::{DomainError, NoAnswer};
use crate::offline::{OfflineCache, Salt};
use crate::policy::NtHashPolicy;
use crate::sign_in::{NoPartialTicket, SignInError};
use crate::tickets::FullTicket;

const HOUR_S: i64 = 3600;
const REALM: &str = "CORP.CONTOSO.COM";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_780_000_000 + seconds)
}

/// A ticket granting ticket from `from` for ten hours, renewable for a week.
fn granting(from: i64) -> Credentials {
    let key = Key::generate(
        EncryptionType::AES256_CTS_HMAC_SHA1_96,
        &mut SeededEntropy::new(3),
    );
    let key = key.unwrap();
    let sname = PrincipalName::krbtgt(REALM);
    Credentials {
        client: Principal::user("testuser", REALM),
        ticket: Ticket {
            tkt_vno: 5,
            realm: REALM.into(),
            sname: sname.clone(),
            enc_part: EncryptedData {
                etype: EncryptionType::AES256_CTS_HMAC_SHA1_96,
                kvno: None,
                cipher: vec![0; 64].into(),
            },
        },
        part: EncKdcRepPart {
            key: EncryptionKey::from_key(&key),
            last_req: Vec::new(),
            nonce: 0,
            key_expiration: None,
            flags: TicketFlags::RENEWABLE,
            authtime: KerberosTime::new(at(from)),
            starttime: Some(KerberosTime::new(at(from))),
            endtime: KerberosTime::new(at(from + 10 * HOUR_S)),
            renew_till: Some(KerberosTime::new(at(7 * 24 * HOUR_S))),
            srealm: REALM.into(),
            sname,
            caddr: None,
            encrypted_pa_data: None,
        },
        session: std::sync::Arc::new(key),
    }
}

fn signed(from: i64) -> SignIn {
    SignIn {
        prt: PrimaryRefreshToken {
            token: Secret::new("1.token".to_owned()),
            session_key: Secret::new([4; 32]),
            expires: at(from + 14 * 24 * HOUR_S),
        },
        who: IdClaims {
            name: "Test User".to_owned(),
            oid: Guid::from_bytes_be([1; 16]),
            tid: Guid::from_bytes_be([2; 16]),
            preferred_username: "testuser@corp.contoso.com".to_owned(),
            upn: "testuser@corp.contoso.com".to_owned(),
        },
        credential_public_key: None,
        ticket: Ok(PartialTicket::held(granting(from))),
    }
}

fn key() -> TouchedKey {
    TouchedKey {
        rp_id_hash: [1; 32],
        credential_id: b"credential".to_vec(),
        public_key: Vec::new(),
        display_name: "Test User".to_owned(),
        salt: Salt::random(&mut SeededEntropy::new(5)),
        output: Secret::new([6; 32]),
    }
}

fn session() -> Session {
    Session::signed_in(signed(0), Some(key()), OfflinePolicy::default(), at(0))
}

fn exchanged(from: i64) -> Done {
    Done::Exchanged(Box::new(Ok(FullTicket {
        credentials: granting(from),
        nt_hash: Some(Secret::new([7; 16])),
    })))
}

/// Signed in, and exchanged.
fn whole() -> Session {
    let mut session = session();
    let happened = session.apply(exchanged(0), at(0));
    assert!(matches!(
        happened,
        Happened::Exchanged { nt_hash: true, .. }
    ));
    session
}

fn name(job: Option<Job>) -> &'static str {
    match job {
        None => "nothing",
        Some(Job::Refresh { .. }) => "refresh",
        Some(Job::Exchange { .. }) => "exchange",
        Some(Job::Renew { .. }) => "renew",
    }
}

fn no_cloud() -> Done {
    let gone = CloudError::Unreachable(Unreachable("no route".to_owned()));
    Done::Refreshed(Box::new(Err(SignInError::Cloud(gone))))
}

fn cloud_says(error: &str, suberror: Option<&str>) -> Done {
    let no = TokenError {
        error: error.to_owned(),
        error_description: "no".to_owned(),
        suberror: suberror.map(str::to_owned),
        claims: None,
    };
    Done::Refreshed(Box::new(Err(SignInError::Cloud(CloudError::Refused(
        Box::new(no),
    )))))
}

fn no_domain<T>() -> Box<Result<T, DomainError>> {
    Box::new(Err(NoAnswer("no route".to_owned()).into()))
}

fn domain_says<T>(code: ErrorCode) -> Box<Result<T, DomainError>> {
    let realm = REALM.into();
    let error = KrbError::new(
        code,
        KerberosTime::new(at(0)),
        realm,
        PrincipalName::krbtgt(REALM),
    );
    Box::new(Err(ClientError::Refused(Box::new(error)).into()))
}

#[test]
fn a_day_with_both_wires_up() {
    let mut session = session();
    assert_eq!(name(session.due(at(0))), "exchange");
    session.apply(exchanged(0), at(0));
    assert_eq!(name(session.due(at(0))), "nothing");
    assert_eq!(name(session.due(at(4 * HOUR_S - 1))), "nothing");
    assert_eq!(name(session.due(at(4 * HOUR_S))), "refresh");
    session.apply(
        Done::Refreshed(Box::new(Ok(signed(4 * HOUR_S)))),
        at(4 * HOUR_S),
    );
    assert_eq!(name(session.due(at(4 * HOUR_S))), "exchange");
}

#[test]
fn without_the_cloud_the_domain_renews_its_ticket() {
    let mut session = whole();
    let mut now = 4 * HOUR_S;
    assert_eq!(name(session.due(at(now))), "refresh");
    let happened = session.apply(no_cloud(), at(now));
    assert_eq!(happened.cache_fate(), CacheFate::Kept);
    assert_eq!(name(session.due(at(now))), "nothing");
    now = 5 * HOUR_S;
    assert_eq!(name(session.due(at(now))), "renew");
    let renewed = Done::Renewed(Box::new(Ok(granting(now))));
    session.apply(renewed, at(now));
    let ends = session.granting(at(now)).unwrap().part.endtime.timestamp();
    assert_eq!(ends, at(15 * HOUR_S));
}

#[test]
fn without_the_domain_the_cloud_ticket_waits() {
    let mut session = session();
    session.apply(Done::Exchanged(no_domain()), at(0));
    assert!(session.has_partial());
    assert_eq!(name(session.due(at(1))), "nothing");
    assert_eq!(session.next_look(at(1)), at(15));
    assert_eq!(name(session.due(at(15))), "exchange");
}

#[test]
fn a_no_of_the_domain_is_not_asked_for_twice_and_ends_nothing() {
    let mut session = session();
    let code = ErrorCode::KDC_ERR_TGT_REVOKED;
    let happened = session.apply(Done::Exchanged(domain_says(code)), at(0));
    assert!(matches!(happened, Happened::DomainRefused(_)));
    assert_eq!(happened.cache_fate(), CacheFate::Kept);
    assert_eq!(name(session.due(at(1))), "nothing");
    assert_eq!(name(session.due(at(15 * 60))), "refresh");

    let mut session = whole();
    session.apply(Done::Renewed(domain_says(code)), at(5 * HOUR_S));
    assert_ne!(name(session.due(at(5 * HOUR_S))), "renew");
}

#[test]
fn only_the_clouds_no_ends_a_session() {
    for (suberror, standing) in [
        (Some("userDisabled"), Some(Refusal::User)),
        (Some("keyRemoved"), Some(Refusal::Key)),
        (Some("deviceDisabled"), Some(Refusal::Device)),
        (Some("policy"), None),
    ] {
        let mut session = whole();
        let happened = session.apply(cloud_says("invalid_grant", suberror), at(HOUR_S));
        let device = Device::new(
            Guid::from_bytes_be([9; 16]),
            at(0),
            &mut SeededEntropy::new(1),
        );
        let can_be_kept = session.seal(&device, &mut SeededEntropy::new(2)).is_some();
        match (session.standing(), standing) {
            (Standing::Ended(refusal, _), Some(wanted)) => {
                assert_eq!(*refusal, wanted);
                assert_eq!(happened.cache_fate(), CacheFate::Destroyed);
                assert!(session.nt_hash().is_none() && session.renewable_until().is_none());
                assert!(!can_be_kept);
                assert_eq!(name(session.due(at(9 * HOUR_S))), "nothing");
            }
            (Standing::TouchWanted(_), None) => {
                assert_eq!(happened.cache_fate(), CacheFate::Kept);
                assert!(session.nt_hash().is_some() && can_be_kept);
                assert_eq!(name(session.due(at(6 * HOUR_S))), "renew");
            }
            (found, wanted) => panic!("{suberror:?}: {found:?} where {wanted:?} was wanted"),
        }
    }
}

#[test]
fn pauses_grow_while_a_wire_is_silent_and_the_first_answer_ends_them() {
    let mut session = whole();
    let mut now = 4 * HOUR_S;
    for wait in [15, 30, 60, 120, 240, 300, 300] {
        assert_eq!(name(session.due(at(now))), "refresh", "{wait}");
        session.apply(no_cloud(), at(now));
        now += wait;
        assert_ne!(name(session.due(at(now - 1))), "refresh", "{wait}");
    }
    session.apply(Done::Refreshed(Box::new(Ok(signed(now)))), at(now));
    assert_eq!(session.cloud(), Connection::Online);
    assert_eq!(name(session.due(at(now))), "exchange");
}

#[test]
fn a_cloud_without_a_ticket_is_not_asked_without_end() {
    let mut session = whole();
    let late = 9 * HOUR_S;
    assert_eq!(name(session.due(at(late))), "renew");
    session.apply(
        Done::Renewed(domain_says(ErrorCode::KDC_ERR_BADOPTION)),
        at(late),
    );
    assert_eq!(name(session.due(at(late))), "refresh");
    let without = SignIn {
        ticket: Err(NoPartialTicket::Cloud("no trust".to_owned())),
        ..signed(late)
    };
    session.apply(Done::Refreshed(Box::new(Ok(without))), at(late));
    assert_eq!(name(session.due(at(late + 1))), "nothing");
    assert_eq!(
        session.no_partial(),
        Some("the cloud gave no ticket: no trust")
    );
    assert_eq!(name(session.due(at(late + 15 * 60))), "refresh");
}

#[test]
fn a_session_is_the_same_on_the_other_side() {
    for session in [session(), whole()] {
        let carried = Session::of_bytes(&session.to_bytes()).unwrap();
        assert_eq!(carried.tickets(), session.tickets());
        assert_eq!(carried.nt_hash(), session.nt_hash());
        assert_eq!(carried.usable_until(), session.usable_until());
        for hour in 0..12 {
            let now = at(hour * HOUR_S);
            assert_eq!(name(carried.due(now)), name(session.due(now)), "{hour}");
        }
        let bytes = session.to_bytes();
        for length in 0..bytes.len() {
            assert!(Session::of_bytes(&bytes[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn what_is_kept_follows_the_policy_and_ends_when_it_would_have_ended() {
    for (nt_hash, is_kept) in [(NtHashPolicy::Session, false), (NtHashPolicy::Sealed, true)] {
        let policy = OfflinePolicy {
            nt_hash,
            ..OfflinePolicy::default()
        };
        let mut session = Session::signed_in(signed(0), Some(key()), policy, at(0));
        session.apply(exchanged(0), at(0));
        let id = Guid::from_bytes_be([9; 16]);
        let mut device = Device::new(id, at(0), &mut SeededEntropy::new(1));
        let sealed = session.seal(&device, &mut SeededEntropy::new(2));
        let sealed = sealed.unwrap().unwrap();
        device.wrote(sealed.credential, sealed.number);

        let cache = OfflineCache::read(&sealed.bytes).unwrap();
        let unlocked = cache.unlock(&key().output, &device, at(HOUR_S)).unwrap();
        let key = TouchedKey::of(cache.header(), Secret::new([6; 32]));
        let again = Session::unlocked(unlocked, key, policy, at(HOUR_S));
        assert_eq!(again.nt_hash().is_some(), is_kept, "{nt_hash:?}");
        assert_eq!(again.usable_until(), session.usable_until());
        assert_eq!(again.tickets(), session.tickets());
        // An unlock is no contact: written anew, the cache ends when it would have ended.
        let sealed = again.seal(&device, &mut SeededEntropy::new(3));
        let cache = OfflineCache::read(&sealed.unwrap().unwrap().bytes).unwrap();
        assert_eq!(Some(cache.header().usable_until), session.usable_until());
    }
}

#[test]
fn after_the_clouds_no_no_copy_of_the_cache_opens() {
    let session = whole();
    let id = Guid::from_bytes_be([9; 16]);
    let mut device = Device::new(id, at(0), &mut SeededEntropy::new(1));
    let write = |device: &mut Device, seed| {
        let sealed = session.seal(device, &mut SeededEntropy::new(seed));
        let sealed = sealed.unwrap().unwrap();
        device.wrote(sealed.credential, sealed.number);
        OfflineCache::read(&sealed.bytes).unwrap()
    };
    let old = write(&mut device, 2);
    assert!(old.unlock(&key().output, &device, at(1)).is_ok());
    device.destroyed(old.header().credential());
    assert!(old.unlock(&key().output, &device, at(1)).is_err());
    // The same key may come back later: what is written then opens, and only that.
    let new = write(&mut device, 3);
    assert!(new.unlock(&key().output, &device, at(1)).is_ok());
    assert!(old.unlock(&key().output, &device, at(1)).is_err());
}

#[test]
fn tickets_of_other_programs_are_taken_in() {
    let mut session = whole();
    let service = |name: &str, from| {
        let mut ticket = granting(from).to_credential().unwrap();
        ticket.server = Principal::service(name, REALM);
        ticket
    };
    let mut other = session.tickets().unwrap().clone();
    other.put(service("cifs/files", 0));
    other.put(service("cifs/old", -20 * HOUR_S));
    session.take_in(&other, at(1));
    let names = |session: &Session| {
        let tickets = session.tickets().unwrap().tickets();
        tickets
            .map(|t| t.server.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&session).len(), 2);
    // Somebody else's cache says nothing about this session.
    let mut foreign = CredentialCache::new(Principal::user("eve", REALM));
    foreign.put(service("cifs/eve", 0));
    session.take_in(&foreign, at(1));
    assert_eq!(names(&session).len(), 2);
    assert!(granting(0).ticket.to_der().is_ok());
}

/// A cloud that answers each request with the next of these.
struct Answers(Vec<(u16, Vec<u8>)>);

impl crate::cloud::Cloud for Answers {
    fn post(
        &mut self,
        _: crate::cloud::Post<'_>,
    ) -> Result<crate::cloud::Reply, crate::cloud::Unreachable> {
        let (status, body) = self.0.remove(0);
        Ok(crate::cloud::Reply { status, body })
    }
}

struct NoDomain;

impl crate::domain::DomainController for NoDomain {
    fn ask(&mut self, _: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        Err(NoAnswer("no route".to_owned()))
    }
}

#[test]
fn garbage_of_a_cloud_ends_nothing() {
    let nonce = || (200, br#"{"Nonce":"n"}"#.to_vec());
    let page = || {
        (
            200,
            b"<html>please sign in to the wireless network</html>".to_vec(),
        )
    };
    for answers in [
        vec![page()],
        vec![(302, Vec::new())],
        vec![(502, b"Bad Gateway".to_vec())],
        vec![(200, vec![0xff; 64 * 1024])],
        vec![nonce(), page()],
        vec![nonce(), (500, b"{}".to_vec())],
        vec![nonce(), (200, b"a.b.c.d.e".to_vec())],
        vec![nonce(), (200, br#"{"refresh_token":"x"}"#.to_vec())],
        vec![
            nonce(),
            (
                400,
                br#"{"error":"server_error","error_description":""}"#.to_vec(),
            ),
        ],
    ] {
        let mut session = whole();
        let now = at(4 * HOUR_S);
        let job = session.due(now).unwrap();
        let words = format!("{answers:?}").chars().take(80).collect::<String>();
        let mut entropy = SeededEntropy::new(7);
        let done = job.run(&mut Answers(answers), &mut NoDomain, now, &mut entropy);
        let happened = session.apply(done, now);
        assert!(
            matches!(happened, Happened::CloudSilent(_)),
            "{words}: {happened}"
        );
        assert_eq!(happened.cache_fate(), CacheFate::Kept, "{words}");
        assert!(session.nt_hash().is_some() && session.renewable_until().is_some());
        assert_eq!(session.standing(), &Standing::Good);
    }
}
