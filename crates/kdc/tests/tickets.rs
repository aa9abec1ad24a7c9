//! Known attacks with tickets and their PACs, each in both directions: what is right
//! passes, what is wrong does not.

mod client;

use client::{AES128, AES256, PASSWORD, REALM, Realm, WEB, signing};
use kerberos::crypto::Key;
use kerberos::messages::{
    ErrorCode, KdcOptions, KerberosTime, Kvno, NameType, PrincipalName, TicketFlags,
};
use kerberos::pac::{BufferType, VerifiedPac, requestor};
use types::Entropy as _;

#[test]
fn cve_2021_42287_a_renamed_account_loses_its_ticket() {
    let mut realm = Realm::new();
    realm.accounts.add("dc1", PASSWORD, &[], |_| {}).unwrap();
    realm
        .accounts
        .add("DC1$", PASSWORD, &["HOST/dc1"], |_| {})
        .unwrap();
    let tgt = realm.sign_in("dc1");
    assert!(realm.ticket(&tgt, WEB).is_ok());
    // The name is gone: nobody adds a `$` and lends the controller's identity.
    realm.accounts.remove("dc1");
    assert_eq!(
        realm.ticket(&tgt, WEB).unwrap_err(),
        ErrorCode::KDC_ERR_TGT_REVOKED
    );
    // The name belongs to another account now.
    realm.accounts.add("dc1", PASSWORD, &[], |_| {}).unwrap();
    assert_eq!(
        realm.ticket(&tgt, WEB).unwrap_err(),
        ErrorCode::KDC_ERR_TGT_REVOKED
    );
}

#[test]
fn a_ticket_needs_its_pac_and_the_requester_in_it() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    // Sealed anew without a change it still works, so what follows fails for its own reason.
    let same = realm.forged(&tgt, |_| {});
    assert!(realm.ticket(&same, WEB).is_ok());
    let bare = realm.forged(&tgt, |part| part.authorization_data = None);
    assert_eq!(
        realm.ticket(&bare, WEB).unwrap_err(),
        ErrorCode::KDC_ERR_TGT_REVOKED
    );
    for kind in [
        BufferType::REQUESTOR,
        BufferType::LOGON_INFO,
        BufferType::CLIENT_INFO,
    ] {
        let cut = realm.with_pac(&tgt, |buffers| buffers.retain(|b| b.kind != kind));
        assert_eq!(
            realm.ticket(&cut, WEB).unwrap_err(),
            ErrorCode::KDC_ERR_TGT_REVOKED,
            "{kind}"
        );
    }
    let other = realm.account("WEB$").sid.clone();
    let stolen = realm.with_pac(&tgt, |buffers| {
        buffers.retain(|b| b.kind != BufferType::REQUESTOR);
        buffers.push(requestor(&other));
    });
    assert_eq!(
        realm.ticket(&stolen, WEB).unwrap_err(),
        ErrorCode::KDC_ERR_TGT_REVOKED
    );
}

#[test]
fn a_pac_of_another_ticket_is_not_believed() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let later = realm.forged(&tgt, |part| {
        part.authtime = KerberosTime::new(part.authtime.timestamp().plus_seconds(1));
    });
    assert_eq!(
        realm.ticket(&later, WEB).unwrap_err(),
        ErrorCode::KDC_ERR_TGT_REVOKED
    );
}

#[test]
fn pac_signatures_hold_under_the_krbtgt_key_and_its_own_type() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let right = realm.krbtgt_key();
    let mut foreign = vec![0; 32];
    realm.entropy.fill(&mut foreign);
    let foreign = Key::new(AES256, &foreign).unwrap();
    // The same domain's key of another type: keyed, and yet not the type of the key that sealed the ticket.
    let krbtgt = realm.krbtgt(0);
    let short = krbtgt.current().unwrap().of_type(AES128).unwrap();
    for (server, kdc, good) in [
        (&*right, &*right, true),
        (&foreign, &*right, false),
        (&*right, &foreign, false),
        (&foreign, &foreign, false),
        (&**short, &*right, false),
        (&*right, &**short, false),
    ] {
        let ticket = realm.forged(&tgt, |part| {
            let pac = VerifiedPac::for_tgt(part, &right, 0).unwrap().unwrap();
            signing(server, kdc)
                .sign_into(part, pac.pac().to_buffers())
                .unwrap();
        });
        match realm.ticket(&ticket, WEB) {
            Ok(_) => assert!(good),
            Err(code) => {
                assert!(!good);
                assert_eq!(code, ErrorCode::KRB_AP_ERR_MODIFIED);
            }
        }
    }
}

#[test]
fn cve_2020_17049_and_cve_2022_37967_service_tickets_carry_all_signatures() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let held = realm.ticket(&tgt, WEB).unwrap();
    let web = realm.account("WEB$");
    let (service, krbtgt) = (
        web.current().unwrap().of_type(AES256).unwrap(),
        realm.krbtgt_key(),
    );
    let part = held.ticket.open(service).unwrap();
    let evidence = VerifiedPac::for_evidence(&part, service, &krbtgt, 0)
        .unwrap()
        .unwrap();
    // The requester and the attributes are for the KDC alone.
    assert!(evidence.pac().buffer(BufferType::REQUESTOR).is_none());
    assert!(evidence.pac().buffer(BufferType::ATTRIBUTES_INFO).is_none());
    // The service sets the forwardable bit in its own ticket: the ticket signature tells.
    let mut bronze = part.clone();
    bronze.flags = bronze.flags | TicketFlags::FORWARDABLE;
    assert!(VerifiedPac::for_evidence(&bronze, service, &krbtgt, 0).is_err());
    // A ticket granting ticket carries neither of the two.
    let part = tgt.ticket.open(&krbtgt).unwrap();
    let pac = VerifiedPac::for_tgt(&part, &krbtgt, 0).unwrap().unwrap();
    assert!(pac.pac().buffer(BufferType::TICKET_CHECKSUM).is_none());
    assert!(pac.pac().buffer(BufferType::REQUESTOR).is_some());
}

#[test]
fn cve_2022_2031_a_password_changing_ticket_grants_nothing() {
    let mut realm = Realm::new();
    let changepw = PrincipalName::new(NameType::NT_PRINCIPAL, ["kadmin", "changepw"]);
    let mut held = realm
        .sign_in_as("testuser", PASSWORD, |body, _| body.sname = Some(changepw))
        .unwrap();
    assert_eq!(
        realm.ticket(&held, WEB).unwrap_err(),
        ErrorCode::KRB_AP_ERR_NOT_US
    );
    // The name outside is not protected; the key is the same. The short life gives it away.
    held.ticket.sname = PrincipalName::krbtgt(REALM);
    assert_eq!(
        realm.ticket(&held, WEB).unwrap_err(),
        ErrorCode::KRB_AP_ERR_TKT_EXPIRED
    );
    let tgt = realm.sign_in("testuser");
    assert_eq!(
        realm.ticket(&tgt, "kadmin/changepw").unwrap_err(),
        ErrorCode::KDC_ERR_POLICY
    );
}

#[test]
fn a_service_ticket_is_no_ticket_granting_ticket() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let mut held = realm.ticket(&tgt, WEB).unwrap();
    assert_eq!(
        realm.ticket(&held, WEB).unwrap_err(),
        ErrorCode::KRB_AP_ERR_NOT_US
    );
    held.ticket.sname = PrincipalName::krbtgt(REALM);
    // The service's key version is not one of krbtgt's.
    assert_eq!(
        realm.ticket(&held, WEB).unwrap_err(),
        ErrorCode::KRB_AP_ERR_BADKEYVER
    );
    held.ticket.enc_part.kvno = tgt.ticket.enc_part.kvno;
    assert_eq!(
        realm.ticket(&held, WEB).unwrap_err(),
        ErrorCode::KRB_AP_ERR_BAD_INTEGRITY
    );
}

#[test]
fn an_rodc_key_without_its_server_opens_nothing() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    realm
        .accounts
        .add_krbtgt(0x9ABC, 2, &mut realm.entropy)
        .unwrap();
    let main = realm.krbtgt_key();
    let rodc = realm.krbtgt(0x9ABC);
    let rodc = rodc.current().unwrap().of_type(AES256).unwrap();
    let part = tgt.ticket.open(&main).unwrap();
    let domain = Kvno::domain(2);
    let number = Kvno {
        rodc: 0x9ABC,
        version: 2,
    };
    for (key, kvno, expect) in [
        (&*main, Some(domain), None),
        // No version means the current key of the domain.
        (&*main, None, None),
        (&**rodc, Some(number), Some(ErrorCode::KDC_ERR_POLICY)),
        (
            &**rodc,
            Some(domain),
            Some(ErrorCode::KRB_AP_ERR_BAD_INTEGRITY),
        ),
        (&**rodc, None, Some(ErrorCode::KRB_AP_ERR_BAD_INTEGRITY)),
        (&*main, Some(number), Some(ErrorCode::KDC_ERR_POLICY)),
        (
            &*main,
            Some(Kvno::domain(3)),
            Some(ErrorCode::KRB_AP_ERR_BADKEYVER),
        ),
    ] {
        let held = realm.sealed(&tgt, &part, key, kvno);
        assert_eq!(realm.ticket(&held, WEB).err(), expect, "{kvno:?}");
    }
    let mut wide = tgt.clone();
    wide.ticket.enc_part.kvno = Some(i64::MAX);
    assert_eq!(
        realm.ticket(&wide, WEB).unwrap_err(),
        ErrorCode::KRB_AP_ERR_BADKEYVER
    );
}

#[test]
fn delegation_follows_the_account() {
    let mut realm = Realm::new();
    realm
        .accounts
        .add("admin", PASSWORD, &[], |a| a.policy.not_delegated = true)
        .unwrap();
    let ask = KdcOptions::FORWARDABLE | KdcOptions::PROXIABLE;
    let both = TicketFlags::FORWARDABLE | TicketFlags::PROXIABLE;
    let user = realm
        .sign_in_as("testuser", PASSWORD, |b, _| b.kdc_options = ask)
        .unwrap();
    assert!(user.part.flags.contains(both));
    let admin = realm
        .sign_in_as("admin", PASSWORD, |b, _| b.kdc_options = ask)
        .unwrap();
    assert_eq!(admin.part.flags.0 & both.0, 0);
    let forwarded = |draft: &mut client::Draft| draft.body.kdc_options = KdcOptions::FORWARDED;
    let krbtgt = format!("krbtgt/{REALM}");
    assert!(realm.ticket_with(&user, &krbtgt, forwarded).is_ok());
    let refused = realm.ticket_with(&admin, &krbtgt, forwarded);
    assert_eq!(refused.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
}

#[test]
fn user_to_user_needs_the_other_sides_own_ticket() {
    let mut realm = Realm::new();
    realm.accounts.add("peer", PASSWORD, &[], |_| {}).unwrap();
    let (tgt, peer) = (realm.sign_in("testuser"), realm.sign_in("peer"));
    let lend = |ticket: &client::Held| {
        let lent = ticket.ticket.clone();
        move |draft: &mut client::Draft| {
            draft.body.kdc_options = KdcOptions::ENC_TKT_IN_SKEY;
            draft.body.additional_tickets = Some(vec![lent]);
        }
    };
    let held = realm.ticket_with(&tgt, "peer", lend(&peer)).unwrap();
    assert!(held.ticket.open(&peer.session).is_ok());
    let mine = realm.ticket_with(&tgt, "peer", lend(&tgt));
    assert_eq!(mine.unwrap_err(), ErrorCode::KDC_ERR_SERVER_NOMATCH);
    let none = realm.ticket_with(&tgt, "peer", |draft| {
        draft.body.kdc_options = KdcOptions::ENC_TKT_IN_SKEY;
    });
    assert_eq!(none.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    let plain = realm.ticket(&tgt, "peer");
    assert_eq!(plain.unwrap_err(), ErrorCode::KDC_ERR_MUST_USE_USER2USER);
}

#[test]
fn nothing_outlives_what_it_was_granted_for() {
    let mut realm = Realm::new();
    realm
        .accounts
        .add("protected", PASSWORD, &[], |a| {
            a.policy.ticket_lifetime_s_max = Some(4 * 3600)
        })
        .unwrap();
    let tgt = realm.sign_in("protected");
    let end = tgt.part.endtime.timestamp();
    assert_eq!(end.seconds_since(realm.now), 4 * 3600);
    realm.now = realm.now.plus_seconds(3600);
    let held = realm.ticket(&tgt, WEB).unwrap();
    assert_eq!(held.part.endtime.timestamp(), end);
    realm.now = end;
    assert_eq!(
        realm.ticket(&tgt, WEB).unwrap_err(),
        ErrorCode::KRB_AP_ERR_TKT_EXPIRED
    );
    let now = realm.now;
    let late = realm.sign_in_as("testuser", PASSWORD, |b, _| b.till = KerberosTime::new(now));
    assert_eq!(late.unwrap_err(), ErrorCode::KDC_ERR_NEVER_VALID);
    let later = realm.sign_in_as("testuser", PASSWORD, |b, _| {
        b.from = Some(KerberosTime::new(now.plus_seconds(3600)));
    });
    assert_eq!(later.unwrap_err(), ErrorCode::KDC_ERR_CANNOT_POSTDATE);
}
