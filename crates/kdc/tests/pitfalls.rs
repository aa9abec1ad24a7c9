//! Known attacks and defects of KDCs, each in both directions: what is right passes, what is wrong does not.

mod client;

use client::{AES128, AES256, PASSWORD, REALM, Realm, WEB, signing};
use kdc::{Event, Lockout as _};
use kerberos::crypto::{ChecksumType, EncryptionType, Key};
use kerberos::messages::{
    Checksum, Der, ErrorCode, KdcOptions, KdcReply, KdcRequest, KerberosTime, Kvno, NameType,
    PaData, PaType, PrincipalName, RequestKind, TicketFlags,
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
fn a_replayed_authenticator_is_refused_and_a_retransmit_answered() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let draft = realm.draft(&tgt, WEB);
    let request = realm.seal(&tgt, draft);
    let bytes = request.to_der().unwrap();
    let first = realm.ask(&bytes).unwrap();
    assert_eq!(
        realm.ask(&bytes).unwrap(),
        first,
        "a retransmit gets the same answer"
    );
    // The same authenticator around the same body, but not the same message.
    let mut padata = request.padata.clone();
    padata.push(PaData::new(PaType(999), vec![1]));
    let again = KdcRequest::new(RequestKind::Tgs, padata, request.body().clone()).unwrap();
    let error = realm.ask(&again.to_der().unwrap()).unwrap_err();
    assert_eq!(error.error_code, ErrorCode::KRB_AP_ERR_REPEAT);
    // And the message itself, when the answer is forgotten.
    realm.now = realm.now.plus_seconds(120);
    assert_eq!(
        realm.ask(&bytes).unwrap_err().error_code,
        ErrorCode::KRB_AP_ERR_REPEAT
    );
}

#[test]
fn the_request_is_covered_by_a_keyed_checksum() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let naked = realm.ticket_with(&tgt, WEB, |draft| draft.with_checksum = false);
    assert_eq!(naked.unwrap_err(), ErrorCode::KRB_AP_ERR_INAPP_CKSUM);
    for (kind, length) in [
        (ChecksumType::RSA_MD5, 16),
        (ChecksumType::SHA1, 20),
        (ChecksumType::CRC32, 4),
        (ChecksumType::HMAC_MD5, 16),
        (ChecksumType::HMAC_SHA1_96_AES128, 12),
    ] {
        let unkeyed = realm.ticket_with(&tgt, WEB, |draft| {
            draft.authenticator.cksum = Some(Checksum {
                cksumtype: kind,
                checksum: vec![0; length].into(),
            });
        });
        assert_eq!(
            unkeyed.unwrap_err(),
            ErrorCode::KRB_AP_ERR_INAPP_CKSUM,
            "{kind}"
        );
    }
    // Somebody on the way asks for another service.
    let draft = realm.draft(&tgt, WEB);
    let sealed = realm.seal(&tgt, draft);
    let mut body = sealed.body().clone();
    body.sname = Some(PrincipalName::krbtgt(REALM));
    let bent = KdcRequest::new(RequestKind::Tgs, sealed.padata.clone(), body).unwrap();
    let error = realm.ask(&bent.to_der().unwrap()).unwrap_err();
    assert_eq!(error.error_code, ErrorCode::KRB_AP_ERR_MODIFIED);
}

#[test]
fn a_missing_checksum_passes_only_by_the_switch_and_is_told() {
    let mut realm = Realm::with(|settings| settings.allow_missing_authenticator_checksum = true);
    let tgt = realm.sign_in("testuser");
    assert!(realm.ticket(&tgt, WEB).is_ok());
    assert!(
        !realm
            .events
            .iter()
            .any(|e| matches!(e, Event::Tolerated { .. }))
    );
    assert!(
        realm
            .ticket_with(&tgt, WEB, |draft| draft.with_checksum = false)
            .is_ok()
    );
    assert!(
        realm
            .events
            .iter()
            .any(|e| matches!(e, Event::Tolerated { .. }))
    );
}

#[test]
fn clocks_may_be_five_minutes_apart() {
    let mut realm = Realm::new();
    let key = realm.key_of("testuser", PASSWORD);
    for (apart_s, expect) in [
        (0, None),
        (300, None),
        (-300, None),
        (301, Some(ErrorCode::KRB_AP_ERR_SKEW)),
        (-301, Some(ErrorCode::KRB_AP_ERR_SKEW)),
    ] {
        let timestamp = realm.timestamp(&key, apart_s);
        let signed_in =
            realm.sign_in_as("testuser", PASSWORD, |_, padata| *padata = vec![timestamp]);
        assert_eq!(signed_in.err(), expect, "{apart_s}");
        let tgt = realm.sign_in("testuser");
        let ctime = KerberosTime::new(realm.now.plus_seconds(apart_s));
        let asked = realm.ticket_with(&tgt, WEB, |draft| draft.authenticator.ctime = ctime);
        assert_eq!(asked.err(), expect, "{apart_s}");
    }
}

#[test]
fn cve_2022_37966_rc4_and_older_types_are_off() {
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

#[test]
fn names_and_realms_must_agree() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let web = realm.sign_in("WEB$");
    let lent = realm.ticket_with(&tgt, WEB, |draft| {
        draft.authenticator.cname = web.cname.clone()
    });
    assert_eq!(lent.unwrap_err(), ErrorCode::KRB_AP_ERR_BADMATCH);
    let abroad = realm.ticket_with(&tgt, WEB, |draft| draft.body.realm = "OTHER".into());
    assert_eq!(abroad.unwrap_err(), ErrorCode::KDC_ERR_WRONG_REALM);
    let abroad = realm.sign_in_as("testuser", PASSWORD, |b, _| b.realm = "OTHER".into());
    assert_eq!(abroad.unwrap_err(), ErrorCode::KDC_ERR_WRONG_REALM);
    // And nobody is sent here, or anywhere.
    let key = realm.key_of("testuser", PASSWORD);
    let request = realm.as_req("testuser", &key, |b, _| b.realm = "OTHER".into());
    assert_eq!(realm.ask(&request).unwrap_err().crealm, None);
    let netbios = realm.sign_in_as("testuser", PASSWORD, |b, _| b.realm = "corp".into());
    assert!(netbios.is_ok());
    let unknown = realm.ticket(&tgt, "krbtgt/OTHER.EXAMPLE");
    assert_eq!(unknown.unwrap_err(), ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN);
    // The realm's own service under its short name, and the name that it has, where the client takes another one.
    let short = realm.ticket(&tgt, "krbtgt/CORP").unwrap();
    assert_eq!(
        short.part.sname,
        PrincipalName::new(NameType::NT_SRV_INST, ["krbtgt", "CORP"])
    );
    let canonical = realm.ticket_with(&tgt, "krbtgt/CORP", |draft| {
        draft.body.kdc_options = KdcOptions::CANONICALIZE;
    });
    assert_eq!(canonical.unwrap().part.sname, PrincipalName::krbtgt(REALM));
    let validate = realm.ticket_with(&tgt, &format!("krbtgt/{REALM}"), |draft| {
        draft.body.kdc_options = KdcOptions::VALIDATE;
    });
    assert_eq!(validate.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    // By its account name krbtgt is no service: that would hand out tickets under its key.
    let by_name = realm.ticket(&tgt, "krbtgt");
    assert_eq!(by_name.unwrap_err(), ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN);
}

#[test]
fn a_disabled_service_gets_no_tickets() {
    let mut realm = Realm::new();
    realm
        .accounts
        .add("OLD$", PASSWORD, &["HTTP/old"], |a| {
            a.policy.disabled = true
        })
        .unwrap();
    let tgt = realm.sign_in("testuser");
    assert_eq!(
        realm.ticket(&tgt, "HTTP/old").unwrap_err(),
        ErrorCode::KDC_ERR_SERVICE_REVOKED
    );
}

#[test]
fn long_deep_and_foreign_messages_are_refused_without_a_panic() {
    let realm = &mut Realm::new();
    let mut long = vec![0x6A, 0x84, 0, 4, 0, 0];
    long.resize(256 * 1024, 0);
    let error = realm.ask(&long).unwrap_err();
    assert_eq!(error.error_code, ErrorCode::KRB_ERR_FIELD_TOOLONG);
    // A hundred thousand SEQUENCEs without an end, inside an AS-REQ.
    let mut deep = vec![0x6A, 0x80];
    deep.extend([0x30, 0x80].repeat(50_000));
    assert_eq!(
        realm.ask(&deep).unwrap_err().error_code,
        ErrorCode::KRB_ERR_GENERIC
    );
    for nothing in [
        &b""[..],
        b"GET / HTTP/1.1",
        &[0x6B, 0],
        &[0x6E, 0],
        &[0xFF; 64],
    ] {
        let answer = realm.kdc.answer(nothing, realm.now, &mut realm.entropy);
        assert_eq!(answer.reply, None, "no answer to what is no request");
    }
}

#[test]
fn no_changed_byte_of_a_good_request_panics() {
    let mut realm = Realm::new();
    let key = realm.key_of("testuser", PASSWORD);
    let as_req = realm.as_req("testuser", &key, |_, _| {});
    let tgt = realm.sign_in("testuser");
    let draft = realm.draft(&tgt, WEB);
    let tgs_req = realm.seal(&tgt, draft).to_der().unwrap();
    for good in [as_req, tgs_req] {
        for place in 0..good.len() {
            let mut bent = good.clone();
            bent[place] ^= 1 << (place % 8);
            let _ = realm.kdc.answer(&bent, realm.now, &mut realm.entropy);
            let _ = realm
                .kdc
                .answer(&good[..place], realm.now, &mut realm.entropy);
        }
    }
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
