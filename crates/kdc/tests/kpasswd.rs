//! The password service (RFC 3244), each rule in both directions, in bytes and without sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

mod client;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, mpsc};

use client::{AES256, Held, PASSWORD, REALM, Realm};
use kdc::{
    Ends, Event, Kdc, LockoutPolicy, MemoryLockout, MemoryPasswords, PasswordRefused,
    PasswordRules, Passwords, Settings,
};
use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    ApOptions, ApRep, ApReq, Authenticator, ChangePasswdData, Der, EncKrbPrivPart, EncryptionKey,
    ErrorCode, HostAddress, KerberosTime, KrbError, KrbPriv, NameType, PrincipalName, SecretBytes,
    TicketFlags,
};
use types::{Secret, SeededEntropy, Sid, Timestamp};

const NEW: &str = "Better-Horse-2026";
const RULES: PasswordRules = PasswordRules {
    length_min: 7,
    history: 2,
    must_be_complex: true,
    age_s_max: 42 * 86_400,
    age_s_min: 86_400,
};
const SUCCESS: u16 = 0;
const MALFORMED: u16 = 1;
const AUTHENTICATION_ERROR: u16 = 3;
const SOFT_ERROR: u16 = 4;
const ACCESS_DENIED: u16 = 5;
const BAD_VERSION: u16 = 6;
const INITIAL_FLAG_NEEDED: u16 = 7;

/// A realm whose `testadmin` may set passwords.
fn realm() -> Realm {
    let mut realm = Realm::new();
    let admin = realm
        .accounts
        .add("testadmin", PASSWORD, &[], |_| {})
        .unwrap();
    let writers = vec![admin.sid.clone()];
    let passwords = MemoryPasswords::new(realm.accounts.clone(), RULES, writers);
    let settings = Settings::new(REALM, "CORP", "DC1");
    let lockout = Arc::new(MemoryLockout::new(LockoutPolicy::default()));
    realm.kdc =
        Kdc::new(settings, realm.accounts.clone(), lockout).with_passwords(Arc::new(passwords));
    realm
}

fn changepw() -> PrincipalName {
    PrincipalName::new(NameType::NT_PRINCIPAL, ["kadmin", "changepw"])
}

fn ticket(realm: &mut Realm, name: &str, password: &str) -> Held {
    realm
        .sign_in_as(name, password, |body, _| body.sname = Some(changepw()))
        .unwrap()
}

/// A request before it is sealed, to be bent.
struct Draft {
    version: u16,
    data: Vec<u8>,
    ticket: kerberos::messages::Ticket,
    authenticator: Authenticator,
    /// What the KRB-PRIV is sealed with in the place of the subkey.
    key: Option<Key>,
    seq_number: Option<i64>,
    timestamp: Option<KerberosTime>,
}

/// What somebody does to a request.
type Bend = Box<dyn FnOnce(&mut Draft)>;

struct Asked {
    bytes: Vec<u8>,
    subkey: Key,
}

fn draft(realm: &mut Realm, held: &Held) -> (Draft, Key) {
    let subkey = Key::generate(AES256, &mut realm.entropy).unwrap();
    let authenticator = Authenticator {
        authenticator_vno: 5,
        crealm: REALM.into(),
        cname: held.cname.clone(),
        cksum: None,
        cusec: 1,
        ctime: KerberosTime::new(realm.now),
        subkey: Some(EncryptionKey::from_key(&subkey)),
        seq_number: Some(77),
        authorization_data: None,
    };
    let draft = Draft {
        version: 1,
        data: NEW.as_bytes().to_vec(),
        ticket: held.ticket.clone(),
        authenticator,
        key: None,
        seq_number: Some(77),
        timestamp: None,
    };
    (draft, subkey)
}

fn request(realm: &mut Realm, held: &Held, bend: impl FnOnce(&mut Draft)) -> Asked {
    let (mut draft, subkey) = draft(realm, held);
    bend(&mut draft);
    let ap_req = ApReq::seal(
        ApOptions::default(),
        draft.ticket,
        &draft.authenticator,
        &held.session,
        KeyUsage::AP_REQ_AUTHENTICATOR,
        &mut realm.entropy,
    )
    .unwrap();
    let part = EncKrbPrivPart {
        user_data: SecretBytes::new(draft.data),
        timestamp: draft.timestamp,
        usec: None,
        seq_number: draft.seq_number,
        s_address: HostAddress {
            addr_type: 2,
            address: vec![192, 0, 2, 9].into(),
        },
        r_address: None,
    };
    let key = draft.key.as_ref().unwrap_or(&subkey);
    let krb_priv = KrbPriv::seal(&part, key, &mut realm.entropy).unwrap();
    let (ap_req, krb_priv) = (ap_req.to_der().unwrap(), krb_priv.to_der().unwrap());
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    let bytes = [
        &length(6 + ap_req.len() + krb_priv.len())[..],
        &draft.version.to_be_bytes(),
        &length(ap_req.len()),
        &ap_req,
        &krb_priv,
    ]
    .concat();
    Asked { bytes, subkey }
}

fn ends() -> Ends {
    Ends {
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        server: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 88)),
    }
}

/// The result code, and the text or the error code of an answer that could not be sealed.
fn ask(realm: &mut Realm, held: &Held, asked: &Asked) -> (u16, Result<Vec<u8>, ErrorCode>) {
    let answer = realm
        .kdc
        .answer_password(&asked.bytes, ends(), realm.now, &mut realm.entropy);
    realm.events.extend(answer.events);
    let reply = answer.reply.expect("an answer");
    let ap_rep_length = usize::from(u16::from_be_bytes([reply[4], reply[5]]));
    assert_eq!(
        usize::from(u16::from_be_bytes([reply[0], reply[1]])),
        reply.len()
    );
    assert_eq!(reply[2..4], [0, 1]);
    let (ap_rep, last) = reply[6..].split_at(ap_rep_length);
    let code = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
    if ap_rep.is_empty() {
        let error = KrbError::from_der(last).unwrap();
        return (code(&error.e_data.unwrap()), Err(error.error_code));
    }
    let ap_rep = ApRep::from_der(ap_rep).unwrap();
    let ap_rep = ap_rep.open(&held.session).unwrap();
    assert_eq!(ap_rep.ctime, KerberosTime::new(realm.now));
    let part = KrbPriv::from_der(last)
        .unwrap()
        .open(&asked.subkey)
        .unwrap();
    // Clients compare both.
    assert_eq!(part.seq_number, ap_rep.seq_number);
    assert_eq!(part.s_address.address.as_ref(), [192, 0, 2, 88]);
    let data = part.user_data.expose();
    (code(data), Ok(data[2..].to_vec()))
}

fn code(realm: &mut Realm, held: &Held, bend: impl FnOnce(&mut Draft)) -> u16 {
    let asked = request(realm, held, bend);
    ask(realm, held, &asked).0
}

fn set(target: &str, password: &str) -> impl FnOnce(&mut Draft) + use<> {
    let data = ChangePasswdData {
        newpasswd: SecretBytes::new(password.as_bytes().to_vec()),
        targname: Some(PrincipalName::new(NameType::NT_PRINCIPAL, [target])),
        targrealm: Some(REALM.into()),
    };
    let data = data.to_der().unwrap();
    move |draft| {
        draft.version = 0xFF80;
        draft.data = data;
    }
}

#[test]
fn ones_own_password_is_changed() {
    let mut realm = realm();
    let held = ticket(&mut realm, "testuser", PASSWORD);
    assert_eq!(code(&mut realm, &held, |_| {}), SUCCESS);
    assert!(realm.sign_in_as("testuser", NEW, |_, _| {}).is_ok());
    assert!(realm.sign_in_as("testuser", PASSWORD, |_, _| {}).is_err());
    let sid = realm.account("testuser").sid.clone();
    assert!(realm.events.contains(&Event::PasswordChanged {
        account: sid.clone(),
        by: sid
    }));
    assert_eq!(realm.account("testuser").current().unwrap().version, 2);
}

#[test]
fn rules_are_told_in_thirty_bytes() {
    let mut realm = realm();
    let held = ticket(&mut realm, "testuser", PASSWORD);
    for (password, why) in [
        ("Sh0rt!", "too short"),
        ("lowercaseletters", "not complex"),
        (PASSWORD, "used before"),
    ] {
        let asked = request(&mut realm, &held, |draft| draft.data = password.into());
        let (code, text) = ask(&mut realm, &held, &asked);
        assert_eq!(code, SOFT_ERROR, "{password}");
        assert_eq!(text.unwrap().len(), 30);
        let last = realm.events.last().unwrap().to_string();
        assert!(last.contains(why), "{last}");
    }
    assert_eq!(code(&mut realm, &held, |_| {}), SUCCESS);
    // The next day it may be changed again, and not before.
    let held = ticket(&mut realm, "testuser", NEW);
    let again = |draft: &mut Draft| draft.data = b"Third-Horse-2026".to_vec();
    assert_eq!(code(&mut realm, &held, again), SOFT_ERROR);
    realm.now = realm.now.plus_seconds(86_400);
    let held = ticket(&mut realm, "testuser", NEW);
    assert_eq!(code(&mut realm, &held, again), SUCCESS);
}

#[test]
fn others_passwords_are_set_by_who_may() {
    let mut realm = realm();
    let user = ticket(&mut realm, "testuser", PASSWORD);
    let admin = ticket(&mut realm, "testadmin", PASSWORD);
    assert_eq!(
        code(&mut realm, &user, set("testadmin", NEW)),
        ACCESS_DENIED
    );
    // The same answer for a name that is nobody's.
    assert_eq!(code(&mut realm, &user, set("nobody", NEW)), ACCESS_DENIED);
    assert_eq!(code(&mut realm, &admin, set("krbtgt", NEW)), 2);
    assert_eq!(
        code(&mut realm, &admin, set("testuser", "Sh0rt!")),
        SOFT_ERROR
    );
    // By an administrator the old password may come back.
    assert_eq!(code(&mut realm, &admin, set("testuser", PASSWORD)), SUCCESS);
    assert_eq!(code(&mut realm, &admin, set("testuser", NEW)), SUCCESS);
    assert!(realm.sign_in_as("testuser", NEW, |_, _| {}).is_ok());
    // One's own name is a change, with the rules for changes.
    let user = ticket(&mut realm, "testuser", NEW);
    assert_eq!(
        code(&mut realm, &user, set("testuser", "Third-Horse-2026")),
        SOFT_ERROR
    );
    let abroad = |draft: &mut Draft| {
        set("testuser", "Third-Horse-2026")(draft);
        let mut data = ChangePasswdData::from_der(&draft.data).unwrap();
        data.targrealm = Some("OTHER.EXAMPLE".into());
        draft.data = data.to_der().unwrap();
    };
    assert_eq!(code(&mut realm, &admin, abroad), ACCESS_DENIED);
}

#[test]
fn cve_2022_2031_a_ticket_granting_ticket_changes_no_password() {
    let mut realm = realm();
    let mut tgt = realm.sign_in("testuser");
    let asked = request(&mut realm, &tgt, |_| {});
    let refused = (AUTHENTICATION_ERROR, Err(ErrorCode::KRB_AP_ERR_NOT_US));
    assert_eq!(ask(&mut realm, &tgt, &asked), refused);
    // The name outside is not protected, and the key is the same.
    tgt.ticket.sname = changepw();
    let asked = request(&mut realm, &tgt, |_| {});
    assert_eq!(ask(&mut realm, &tgt, &asked), refused);
    assert!(realm.sign_in_as("testuser", PASSWORD, |_, _| {}).is_ok());
}

#[test]
fn the_ticket_must_come_from_a_sign_in() {
    let mut realm = realm();
    let held = ticket(&mut realm, "testuser", PASSWORD);
    let forged = |realm: &mut Realm, change: fn(&mut kerberos::messages::EncTicketPart)| {
        let key = realm.krbtgt_key();
        let mut part = held.ticket.open(&key).unwrap();
        let pac = kerberos::pac::VerifiedPac::for_tgt(&part, &key, 0);
        let buffers = pac.unwrap().unwrap().pac().to_buffers();
        change(&mut part);
        if part.authorization_data.is_some() {
            client::signing(&key, &key)
                .sign_into(&mut part, buffers)
                .unwrap();
        }
        realm.sealed(&held, &part, &key, held.ticket.enc_part.key_version())
    };
    let check = |realm: &mut Realm, change, expect: u16| {
        let bent = forged(realm, change);
        assert_eq!(code(realm, &bent, |_| {}), expect);
    };
    check(
        &mut realm,
        |part| part.flags = part.flags.without(TicketFlags::INITIAL),
        INITIAL_FLAG_NEEDED,
    );
    check(
        &mut realm,
        |part| part.authorization_data = None,
        AUTHENTICATION_ERROR,
    );
    // Good from another address; from this one; and bound to a NetBIOS name, which is none.
    fn bound(part: &mut kerberos::messages::EncTicketPart, addr_type: i32, address: &[u8]) {
        let address = address.to_vec().into();
        part.caddr = Some(vec![HostAddress { addr_type, address }]);
    }
    check(
        &mut realm,
        |part| bound(part, 2, &[192, 0, 2, 2]),
        AUTHENTICATION_ERROR,
    );
    check(&mut realm, |part| bound(part, 2, &[192, 0, 2, 1]), SUCCESS);
    check(
        &mut realm,
        |part| bound(part, 20, b"CLIENT1         "),
        SOFT_ERROR,
    );
}

#[test]
fn authenticator_and_message_belong_together_and_come_once() {
    let mut realm = realm();
    let held = ticket(&mut realm, "testuser", PASSWORD);
    let foreign = || Some(Key::new(AES256, &[7; 32]).unwrap());
    let session = held.session.duplicate();
    let now = realm.now;
    let table: [(&str, Bend); 7] = [
        ("no subkey", Box::new(|d| d.authenticator.subkey = None)),
        ("another key", Box::new(move |d| d.key = foreign())),
        ("the session key", Box::new(move |d| d.key = Some(session))),
        ("another number", Box::new(|d| d.seq_number = Some(78))),
        ("no number, no time", Box::new(|d| d.seq_number = None)),
        (
            "an old time",
            Box::new(move |d| d.timestamp = Some(KerberosTime::new(now.plus_seconds(-301)))),
        ),
        (
            "an old authenticator",
            Box::new(move |d| d.authenticator.ctime = KerberosTime::new(now.plus_seconds(-301))),
        ),
    ];
    for (what, bend) in table {
        assert_eq!(
            code(&mut realm, &held, bend),
            AUTHENTICATION_ERROR,
            "{what}"
        );
    }
    let other = ticket(&mut realm, "testadmin", PASSWORD);
    let lent = code(&mut realm, &held, |d| {
        d.authenticator.cname = other.cname.clone()
    });
    assert_eq!(lent, AUTHENTICATION_ERROR);
    // By time instead of a number, and with a number that a client took for negative.
    let by_time = |d: &mut Draft| {
        d.seq_number = None;
        d.timestamp = Some(KerberosTime::new(now));
        d.data = b"Sh0rt!".to_vec();
    };
    assert_eq!(code(&mut realm, &held, by_time), SOFT_ERROR);
    let negative = |d: &mut Draft| {
        d.authenticator.seq_number = Some(0xFFFF_FFFE);
        d.seq_number = Some(-2);
        d.data = b"Sh0rt!".to_vec();
    };
    assert_eq!(code(&mut realm, &held, negative), SOFT_ERROR);
    // A retransmit gets the same answer; the same authenticator in another message does not pass.
    let asked = request(&mut realm, &held, |_| {});
    assert_eq!(ask(&mut realm, &held, &asked).0, SUCCESS);
    assert_eq!(ask(&mut realm, &held, &asked).0, SUCCESS);
    assert_eq!(realm.account("testuser").current().unwrap().version, 2);
    realm.now = realm.now.plus_seconds(100);
    let (code, error) = ask(&mut realm, &held, &asked);
    assert_eq!(
        (code, error.unwrap_err()),
        (AUTHENTICATION_ERROR, ErrorCode::KRB_AP_ERR_REPEAT)
    );
}

/// A directory that writes slowly: it says when it begins, and ends when it is told to.
struct Slow {
    began: mpsc::SyncSender<()>,
    end: Mutex<mpsc::Receiver<()>>,
}

impl Passwords for Slow {
    fn change(&self, _: &Sid, _: &Secret<String>, _: Timestamp) -> Result<(), PasswordRefused> {
        self.began.send(()).unwrap();
        self.end.lock().unwrap().recv().unwrap();
        Ok(())
    }

    fn set(
        &self,
        _: &Sid,
        account: &Sid,
        new: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), PasswordRefused> {
        self.change(account, new, now)
    }
}

#[test]
fn who_asks_again_before_the_answer_is_there_is_not_told_of_a_replay() {
    let mut realm = Realm::new();
    let (began, has_begun) = mpsc::sync_channel(1);
    let (let_end, end) = mpsc::sync_channel(1);
    let slow = Slow {
        began,
        end: Mutex::new(end),
    };
    let settings = Settings::new(REALM, "CORP", "DC1");
    let lockout = Arc::new(MemoryLockout::new(LockoutPolicy::default()));
    realm.kdc = Kdc::new(settings, realm.accounts.clone(), lockout).with_passwords(Arc::new(slow));
    let held = ticket(&mut realm, "testuser", PASSWORD);
    let asked = request(&mut realm, &held, |_| {});
    // The same AP-REQ with something else behind it, as by another connection.
    let mut by_tcp = asked.bytes.clone();
    *by_tcp.last_mut().unwrap() ^= 1;
    let now = realm.now;
    let answer = |kdc: &Kdc, bytes: &[u8]| {
        let mut entropy = SeededEntropy::new(5);
        kdc.answer_password(bytes, ends(), now, &mut entropy).reply
    };
    let first = std::thread::scope(|scope| {
        let first = scope.spawn(|| answer(&realm.kdc, &asked.bytes));
        has_begun.recv().unwrap();
        let again = [&asked.bytes, &by_tcp].map(|bytes| answer(&realm.kdc, bytes));
        let_end.send(()).unwrap();
        assert_eq!(again, [None, None]);
        first.join().unwrap()
    });
    assert!(first.is_some());
    // Afterwards a retransmit gets the same answer, and the other one is a replay.
    assert_eq!(answer(&realm.kdc, &asked.bytes), first);
    assert_ne!(answer(&realm.kdc, &by_tcp), first);
    assert_eq!(ask(&mut realm, &held, &asked).0, SUCCESS);
}

/// The AP-REQ of a request with another KRB-PRIV behind it.
fn resealed(realm: &mut Realm, asked: &Asked, data: &[u8], seq_number: i64) -> Asked {
    let part = EncKrbPrivPart {
        user_data: SecretBytes::new(data.to_vec()),
        timestamp: None,
        usec: None,
        seq_number: Some(seq_number),
        s_address: HostAddress {
            addr_type: 2,
            address: vec![192, 0, 2, 9].into(),
        },
        r_address: None,
    };
    let krb_priv = KrbPriv::seal(&part, &asked.subkey, &mut realm.entropy).unwrap();
    let length = usize::from(u16::from_be_bytes([asked.bytes[4], asked.bytes[5]]));
    let mut bytes = asked.bytes[..6 + length].to_vec();
    bytes.extend(krb_priv.to_der().unwrap());
    let total = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[..2].copy_from_slice(&total);
    Asked {
        bytes,
        subkey: Key::new(AES256, asked.subkey.value().expose()).unwrap(),
    }
}

#[test]
fn the_same_wish_in_another_krb_priv_gets_the_first_answer() {
    // MIT's client keeps its AP-REQ for its second try, by TCP, and numbers the new KRB-PRIV one higher. It was told of a
    // replay, although its password had been changed.
    let mut realm = realm();
    let held = ticket(&mut realm, "testuser", PASSWORD);
    let asked = request(&mut realm, &held, |_| {});
    assert_eq!(ask(&mut realm, &held, &asked).0, SUCCESS);
    let again = resealed(&mut realm, &asked, NEW.as_bytes(), 78);
    assert_ne!(again.bytes, asked.bytes);
    assert_eq!(ask(&mut realm, &held, &again).0, SUCCESS);
    assert_eq!(realm.account("testuser").current().unwrap().version, 2);
    // Another wish behind a used AP-REQ is a replay, and so is the same one when everybody has forgotten it.
    let other = resealed(&mut realm, &asked, b"Third-Horse-2026", 77);
    let repeat = |(code, error): (u16, Result<Vec<u8>, ErrorCode>)| {
        assert_eq!(
            (code, error.unwrap_err()),
            (AUTHENTICATION_ERROR, ErrorCode::KRB_AP_ERR_REPEAT)
        );
    };
    repeat(ask(&mut realm, &held, &other));
    realm.now = realm.now.plus_seconds(100);
    let late = resealed(&mut realm, &asked, NEW.as_bytes(), 79);
    repeat(ask(&mut realm, &held, &late));
    assert_eq!(realm.account("testuser").current().unwrap().version, 2);
}

#[test]
fn what_is_not_understood_changes_nothing() {
    let mut realm = realm();
    let held = ticket(&mut realm, "testuser", PASSWORD);
    assert_eq!(code(&mut realm, &held, |d| d.version = 2), BAD_VERSION);
    assert_eq!(code(&mut realm, &held, |d| d.version = 0xFF80), MALFORMED);
    assert_eq!(
        code(&mut realm, &held, |d| d.data = vec![0xFF, 0xFE]),
        MALFORMED
    );
    assert_eq!(
        code(&mut realm, &held, |d| d.data = vec![b'a'; 1025]),
        MALFORMED
    );
    assert!(realm.sign_in_as("testuser", PASSWORD, |_, _| {}).is_ok());
    let good = request(&mut realm, &held, |_| {}).bytes;
    let changes = |realm: &mut Realm, bytes: &[u8]| {
        let answer = realm
            .kdc
            .answer_password(bytes, ends(), realm.now, &mut realm.entropy);
        let changed = |event: &Event| matches!(event, Event::PasswordChanged { .. });
        answer.events.iter().any(changed)
    };
    for place in 0..good.len() {
        assert!(!changes(&mut realm, &good[..place]), "{place} bytes");
        let mut bent = good.clone();
        bent[place] ^= 1 << (place % 8);
        // Options and name types outside are not protected, so some of these are as good as the good one.
        changes(&mut realm, &bent);
    }
    let set =
        [PASSWORD, NEW].map(|password| realm.sign_in_as("testuser", password, |_, _| {}).is_ok());
    assert!(set[0] != set[1], "the old or the new one, and nothing else");
}

#[test]
fn disabled_accounts_and_kdcs_without_the_service_change_nothing() {
    let mut realm = realm();
    let held = ticket(&mut realm, "testuser", PASSWORD);
    let sid = realm.account("testuser").sid.clone();
    realm.accounts.change(&sid, |a| a.policy.disabled = true);
    assert_eq!(code(&mut realm, &held, |_| {}), AUTHENTICATION_ERROR);
    realm.accounts.change(&sid, |a| a.policy.disabled = false);
    let asked = request(&mut realm, &held, |_| {});
    let bare = Realm::new();
    let answer = bare
        .kdc
        .answer_password(&asked.bytes, ends(), realm.now, &mut realm.entropy);
    assert_eq!(answer.reply, None);
    assert_eq!(ask(&mut realm, &held, &asked).0, SUCCESS);
}
