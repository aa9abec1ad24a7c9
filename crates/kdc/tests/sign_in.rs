//! Known attacks on signing in with a password, each in both directions: what is right
//! passes, what is wrong does not.

mod client;

use client::{AES128, AES256, PASSWORD, Realm, WEB};
use kdc::Lockout as _;
use kerberos::crypto::EncryptionType;
use kerberos::messages::{Checksum, Der, ErrorCode, KdcReply, PaData, PaType, TicketFlags};

#[test]
fn cve_2021_42278_no_dollar_is_added_to_a_name() {
    let mut realm = Realm::new();
    let key = realm.key_of("WEB$", PASSWORD);
    let request = realm.as_req("WEB", &key, |_, _| {});
    let error = realm.ask(&request).unwrap_err();
    assert_eq!(error.error_code, ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN);
    let request = realm.as_req("WEB$", &key, |_, _| {});
    assert!(realm.ask(&request).is_ok());
}

#[test]
fn cve_2022_37966_and_cve_2022_33679_rc4_and_older_types_are_off() {
    let mut realm = Realm::new();
    let old = [
        EncryptionType::RC4_HMAC,
        EncryptionType::RC4_HMAC_EXP,
        EncryptionType::DES_CBC_MD5,
        EncryptionType::DES_CBC_CRC,
        EncryptionType(-128),
        EncryptionType(-133),
    ];
    let only_old = realm.sign_in_as("testuser", PASSWORD, |body, _| body.etype = old.to_vec());
    assert_eq!(only_old.unwrap_err(), ErrorCode::KDC_ERR_ETYPE_NOSUPP);
    // Old types in front of a good one change nothing.
    let mixed = realm.sign_in_as("testuser", PASSWORD, |body, _| {
        body.etype = [&old[..], &[AES128, AES256]].concat();
    });
    let tgt = mixed.unwrap();
    assert_eq!(tgt.session.etype(), AES256);
    let only_old = realm.ticket_with(&tgt, WEB, |draft| draft.body.etype = old.to_vec());
    assert_eq!(only_old.unwrap_err(), ErrorCode::KDC_ERR_ETYPE_NOSUPP);
}

#[test]
fn brute_force_locks_and_a_locked_account_answers_everybody_alike() {
    let mut realm = Realm::new();
    let sid = realm.account("testuser").sid.clone();
    // An attempt that is sent again, as UDP clients do, counts once.
    let key = realm.key_of("testuser", "wrong");
    let request = realm.as_req("testuser", &key, |_, _| {});
    for _ in 0..5 {
        let error = realm.ask(&request).unwrap_err();
        assert_eq!(error.error_code, ErrorCode::KDC_ERR_PREAUTH_FAILED);
    }
    assert!(!realm.lockout.is_locked(&sid, realm.now));
    for _ in 0..2 {
        let wrong = realm.sign_in_as("testuser", "wrong", |_, _| {});
        assert_eq!(wrong.unwrap_err(), ErrorCode::KDC_ERR_PREAUTH_FAILED);
    }
    assert!(realm.lockout.is_locked(&sid, realm.now));
    for password in [PASSWORD, "wrong"] {
        let locked = realm.sign_in_as("testuser", password, |_, _| {});
        assert_eq!(locked.unwrap_err(), ErrorCode::KDC_ERR_CLIENT_REVOKED);
    }
    realm.now = realm.now.plus_seconds(600);
    assert!(realm.sign_in_as("testuser", PASSWORD, |_, _| {}).is_ok());
}

#[test]
fn the_lock_of_another_door_holds_here() {
    let mut realm = Realm::new();
    let sid = realm.account("testuser").sid.clone();
    let tgt = realm.sign_in("testuser");
    for _ in 0..3 {
        realm.lockout.failed(&sid, realm.now);
    }
    let locked = realm.sign_in_as("testuser", PASSWORD, |_, _| {});
    assert_eq!(locked.unwrap_err(), ErrorCode::KDC_ERR_CLIENT_REVOKED);
    assert_eq!(
        realm.ticket(&tgt, WEB).unwrap_err(),
        ErrorCode::KDC_ERR_CLIENT_REVOKED
    );
}

#[test]
fn the_previous_password_is_refused_but_does_not_lock() {
    let mut realm = Realm::new();
    let kind = kdc::AccountKind::User;
    let old = realm
        .accounts
        .keys_of("testuser", kind, 1, "Old-Horse-2025")
        .unwrap();
    let new = realm
        .accounts
        .keys_of("testuser", kind, 2, PASSWORD)
        .unwrap();
    let mut account = realm.accounts.draft("testuser", kind, 1104);
    account.keys = vec![new, old];
    let account = realm.accounts.insert(account, &[]);
    for _ in 0..10 {
        let stale = realm.sign_in_as("testuser", "Old-Horse-2025", |_, _| {});
        assert_eq!(stale.unwrap_err(), ErrorCode::KDC_ERR_PREAUTH_FAILED);
    }
    assert!(!realm.lockout.is_locked(&account.sid, realm.now));
    assert!(realm.sign_in_as("testuser", PASSWORD, |_, _| {}).is_ok());
}

#[test]
fn preauthentication_is_required_unless_the_account_says_otherwise() {
    let mut realm = Realm::new();
    realm
        .accounts
        .add("open", PASSWORD, &[], |a| {
            a.policy.no_preauthentication = true
        })
        .unwrap();
    let bare = realm.sign_in_as("testuser", PASSWORD, |_, padata| padata.clear());
    assert_eq!(bare.unwrap_err(), ErrorCode::KDC_ERR_PREAUTH_REQUIRED);
    assert!(
        realm.events.is_empty(),
        "the first step of every sign-in is no event"
    );
    let open = realm
        .sign_in_as("open", PASSWORD, |_, padata| padata.clear())
        .unwrap();
    assert!(!open.part.flags.contains(TicketFlags::PRE_AUTHENT));
    let tgt = realm.sign_in("testuser");
    assert!(
        tgt.part
            .flags
            .contains(TicketFlags::PRE_AUTHENT | TicketFlags::INITIAL)
    );
}

#[test]
fn replies_have_the_form_that_every_client_takes() {
    let mut realm = Realm::new();
    let key = realm.key_of("testuser", PASSWORD);
    let request = realm.as_req("testuser", &key, |_, padata| {
        padata.push(PaData::new(PaType::PA_REQ_ENC_PA_REP, Vec::new()));
    });
    let reply = KdcReply::from_der(&realm.ask(&request).unwrap()).unwrap();
    let usage = kerberos::crypto::KeyUsage::AS_REP_ENC_PART;
    let plain = reply.enc_part.open(&key, usage).unwrap();
    // EncASRepPart under application tag 25, with a start time: impacket takes nothing else.
    assert_eq!(plain.first(), Some(&0x79));
    let part = reply.open(&key, usage).unwrap();
    assert!(part.starttime.is_some());
    // RFC 6806 11: the checksum over the request as it was sent.
    assert!(part.flags.contains(TicketFlags::ENC_PA_REP));
    let padata = part.encrypted_pa_data.unwrap();
    let checksum = PaData::find(&padata, PaType::PA_REQ_ENC_PA_REP).unwrap();
    let checksum = Checksum::from_der(checksum).unwrap();
    let usage = kerberos::crypto::KeyUsage::AS_REQ;
    assert!(checksum.verify(&key, usage, &[&request]).is_ok());
}
