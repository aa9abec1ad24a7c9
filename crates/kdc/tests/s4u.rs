//! S4U2Self and S4U2Proxy (MS-SFU): who may ask in whose name, each rule in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

mod client;

use client::{AES256, Draft, Held, PASSWORD, REALM, Realm, WEB};
use kdc::{Account, Event};
use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    Checksum, Der, EncTicketPart, ErrorCode, KdcOptions, KerberosTime, NameType, PaData, PaForUser,
    PaPacOptions, PaS4uX509User, PaType, PacOptions, PrincipalName, S4uOptions, S4uUserId,
    TicketFlags,
};
use kerberos::pac::{
    Buffer, BufferType, DelegationInfo, LogonInfo, Signing, TicketKind, UpnDnsInfo, VerifiedPac,
    requestor,
};
use security_descriptor::{Domains, SecurityDescriptor};
use types::Sid;

/// How an account differs from an ordinary one.
type Shape = fn(&mut Account);

const DATA: &str = "CIFS/data.corp.contoso.com";

/// `WEB$` may delegate to `DATA$`, which has a file service.
fn realm(shape: impl FnOnce(&mut Account)) -> Realm {
    let realm = Realm::new();
    let add = |name, services: &[&str], shape: &mut dyn FnMut(&mut Account)| {
        realm
            .accounts
            .add(name, PASSWORD, services, |account| shape(account))
            .unwrap();
    };
    let mut shape = Some(shape);
    add("WEB$", &[WEB], &mut |account| {
        account.allowed_to_delegate_to = vec![DATA.to_owned()];
        if let Some(shape) = shape.take() {
            shape(account);
        }
    });
    add("DATA$", &[DATA], &mut |_| {});
    add("admin", &[], &mut |account| {
        account.policy.not_delegated = true
    });
    add("guarded", &[], &mut |account| {
        let group = account.sid.domain().unwrap().with_rid(525);
        account.groups.push(group);
    });
    add("leaver", &[], &mut |account| account.policy.disabled = true);
    realm
}

fn forwardable(realm: &mut Realm, name: &str) -> Held {
    let ask = |body: &mut kerberos::messages::KdcReqBody| {
        body.kdc_options = KdcOptions::FORWARDABLE;
    };
    realm
        .sign_in_as(name, PASSWORD, |body, _| ask(body))
        .unwrap()
}

/// PA-FOR-USER under a key.
fn for_user(name: PrincipalName, key: &Key) -> PaData {
    let mut user = PaForUser {
        user_name: name,
        user_realm: REALM.into(),
        cksum: Checksum {
            cksumtype: kerberos::crypto::ChecksumType::HMAC_MD5,
            checksum: Vec::new().into(),
        },
        auth_package: "Kerberos".into(),
    };
    user.cksum.checksum = user.checksum(key).to_vec().into();
    PaData::new(PaType::PA_FOR_USER, user.to_der().unwrap())
}

/// PA-S4U-X509-USER under a key.
fn x509_user(name: PrincipalName, nonce: i64, key: &Key) -> PaData {
    let user_id = S4uUserId {
        nonce,
        cname: Some(name),
        crealm: REALM.into(),
        subject_certificate: None,
        options: Some(S4uOptions::USE_REPLY_KEY_USAGE),
    };
    let covered = user_id.to_der().unwrap();
    let checksum = Checksum::compute(key, KeyUsage::S4U_X509_REQUEST, &[&covered]).unwrap();
    let user = PaS4uX509User { user_id, checksum };
    PaData::new(PaType::PA_S4U_X509_USER, user.to_der().unwrap())
}

fn person(name: &str) -> PrincipalName {
    PrincipalName::new(NameType::NT_PRINCIPAL, [name])
}

/// S4U2Self in the older form.
fn to_self(realm: &mut Realm, web: &Held, name: &str) -> Result<Held, ErrorCode> {
    let padata = for_user(person(name), &web.session);
    realm.ticket_with(web, WEB, |draft| {
        draft.body.kdc_options = KdcOptions::FORWARDABLE;
        draft.padata.push(padata);
    })
}

fn proxied(evidence: &Held) -> impl FnOnce(&mut Draft) + use<> {
    let ticket = evidence.ticket.clone();
    move |draft| {
        draft.body.kdc_options = KdcOptions::FORWARDABLE | KdcOptions::CNAME_IN_ADDL_TKT;
        draft.body.additional_tickets = Some(vec![ticket]);
    }
}

fn resource_based(draft: &mut Draft) {
    let flags = PacOptions::RESOURCE_BASED_DELEGATION;
    let value = PaPacOptions { flags }.to_der().unwrap();
    draft
        .padata
        .push(PaData::new(PaType::PA_PAC_OPTIONS, value));
}

fn key_of(realm: &Realm, name: &str) -> std::sync::Arc<Key> {
    let account = realm.account(name);
    std::sync::Arc::clone(account.current().unwrap().of_type(AES256).unwrap())
}

/// The ticket's inside and the PAC that the KDC itself would take as evidence.
fn opened(realm: &Realm, held: &Held, service: &str) -> (EncTicketPart, VerifiedPac) {
    let key = key_of(realm, service);
    let part = held.ticket.open(&key).unwrap();
    let pac = VerifiedPac::for_evidence(&part, &key, &realm.krbtgt_key(), 0);
    (part, pac.unwrap().unwrap())
}

#[test]
fn a_service_gets_a_ticket_to_itself_in_a_users_name() {
    let mut realm = realm(|_| {});
    let web = forwardable(&mut realm, "WEB$");
    let held = to_self(&mut realm, &web, "testuser").unwrap();
    assert_eq!(held.cname, person("testuser"));
    let (part, pac) = opened(&realm, &held, "WEB$");
    assert_eq!(part.cname, person("testuser"));
    assert!(!part.flags.contains(TicketFlags::INITIAL));
    let logon = LogonInfo::decode(pac.pac().buffer(BufferType::LOGON_INFO).unwrap()).unwrap();
    assert_eq!(logon.effective_name, "testuser");
    // A service's word is not a sign-in: S-1-18-2, and not S-1-18-1.
    let has = |n| {
        let sid = Sid::new(18, &[n]).unwrap();
        logon.extra_sids.iter().any(|extra| extra.sid == sid)
    };
    assert!(has(2) && !has(1));
    let upn = UpnDnsInfo::decode(pac.pac().buffer(BufferType::UPN_DNS_INFO).unwrap()).unwrap();
    assert_eq!(upn.sam.unwrap().1, realm.account("testuser").sid);
    assert!(realm.events.iter().any(|event| matches!(
        event,
        Event::ServiceTicketGranted { client, through: Some(by), .. }
            if client == "testuser" && by == "WEB$"
    )));
}

#[test]
fn the_newer_form_is_answered_in_kind() {
    let mut realm = realm(|_| {});
    let web = forwardable(&mut realm, "WEB$");
    let enterprise = PrincipalName::new(NameType::NT_ENTERPRISE, ["TestUser@corp.contoso.com"]);
    let session = web.session.clone();
    let mut draft = realm.draft(&web, WEB);
    draft
        .padata
        .push(x509_user(enterprise, draft.body.nonce, &session));
    let nonce = draft.body.nonce;
    let request = realm.seal(&web, draft).to_der().unwrap();
    let reply = realm.ask(&request).unwrap();
    let reply = kerberos::messages::KdcReply::from_der(&reply).unwrap();
    assert_eq!(reply.cname, person("testuser"));
    let answer = PaData::find(&reply.padata, PaType::PA_S4U_X509_USER).unwrap();
    let answer = PaS4uX509User::from_der(answer).unwrap();
    assert_eq!(answer.user_id.nonce, nonce);
    assert_eq!(answer.user_id.cname, Some(person("testuser")));
    let covered = answer.user_id.to_der().unwrap();
    let checks = |usage| answer.checksum.verify(&session, usage, &[&covered]).is_ok();
    assert!(checks(KeyUsage::S4U_X509_REPLY));
    assert!(!checks(KeyUsage::S4U_X509_REQUEST));
}

#[test]
fn s4u2self_needs_a_checksum_that_only_the_holder_of_the_ticket_can_make() {
    let mut realm = realm(|_| {});
    let web = forwardable(&mut realm, "WEB$");
    let foreign = Key::new(AES256, &[7; 32]).unwrap();
    let mut check = |padata: fn(&Held, &Key, i64) -> PaData, expect: Option<ErrorCode>| {
        let (held, foreign) = (web.clone(), &foreign);
        let got = realm.ticket_with(&web, WEB, |draft| {
            draft.padata.push(padata(&held, foreign, draft.body.nonce));
        });
        assert_eq!(got.err(), expect);
    };
    check(|web, _, _| for_user(person("testuser"), &web.session), None);
    check(
        |web, _, nonce| x509_user(person("testuser"), nonce, &web.session),
        None,
    );
    check(
        |_, foreign, _| for_user(person("testuser"), foreign),
        Some(ErrorCode::KRB_AP_ERR_MODIFIED),
    );
    check(
        |_, foreign, nonce| x509_user(person("testuser"), nonce, foreign),
        Some(ErrorCode::KRB_AP_ERR_MODIFIED),
    );
    check(
        |web, _, nonce| x509_user(person("testuser"), nonce + 1, &web.session),
        Some(ErrorCode::KRB_AP_ERR_MODIFIED),
    );
    // An unkeyed checksum, and a name that was changed under a good one.
    check(
        |web, _, _| {
            let value = for_user(person("testuser"), &web.session);
            let mut user = PaForUser::from_der(&value.padata_value).unwrap();
            user.cksum.cksumtype = kerberos::crypto::ChecksumType::RSA_MD5;
            PaData::new(PaType::PA_FOR_USER, user.to_der().unwrap())
        },
        Some(ErrorCode::KRB_AP_ERR_INAPP_CKSUM),
    );
    check(
        |web, _, _| {
            let value = for_user(person("testuser"), &web.session);
            let mut other = PaForUser::from_der(&value.padata_value).unwrap();
            other.user_name = person("admin");
            PaData::new(PaType::PA_FOR_USER, other.to_der().unwrap())
        },
        Some(ErrorCode::KRB_AP_ERR_MODIFIED),
    );
    let empty = |kind| move |draft: &mut Draft| draft.padata.push(PaData::new(kind, Vec::new()));
    for kind in [PaType::PA_FOR_USER, PaType::PA_S4U_X509_USER] {
        let got = realm.ticket_with(&web, WEB, empty(kind));
        assert_eq!(got.unwrap_err(), ErrorCode::KRB_ERR_GENERIC);
    }
}

#[test]
fn s4u2self_is_to_oneself_and_for_people_who_may_sign_in() {
    let mut realm = realm(|_| {});
    let web = forwardable(&mut realm, "WEB$");
    let padata = for_user(person("testuser"), &web.session);
    let krbtgt = format!("krbtgt/{REALM}");
    for (service, expect) in [
        (DATA, ErrorCode::KRB_AP_ERR_BADMATCH),
        // It would be a ticket granting ticket of the user.
        (&krbtgt, ErrorCode::KDC_ERR_BADOPTION),
    ] {
        let got = realm.ticket_with(&web, service, |draft| draft.padata.push(padata.clone()));
        assert_eq!(got.unwrap_err(), expect, "{service}");
    }
    for (name, expect) in [
        ("testuser", None),
        ("admin", None),
        ("leaver", Some(ErrorCode::KDC_ERR_CLIENT_REVOKED)),
        ("nobody", Some(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN)),
        ("krbtgt", Some(ErrorCode::KDC_ERR_CLIENT_REVOKED)),
    ] {
        assert_eq!(to_self(&mut realm, &web, name).err(), expect, "{name}");
    }
    // A user without a service name is nobody's partner but by user-to-user.
    let user = forwardable(&mut realm, "testuser");
    let padata = for_user(person("admin"), &user.session);
    let got = realm.ticket_with(&user, "testuser", |draft| draft.padata.push(padata));
    assert_eq!(got.unwrap_err(), ErrorCode::KDC_ERR_MUST_USE_USER2USER);
}

#[test]
fn trusted_to_authenticate_decides_whether_the_ticket_goes_further() {
    let trusted = |account: &mut Account| {
        account.policy.trusted_to_authenticate_for_delegation = true;
    };
    let no_partners = |account: &mut Account| account.allowed_to_delegate_to.clear();
    let none = |_: &mut Account| {};
    let table: [(Shape, &str, bool); 6] = [
        (none, "testuser", false),
        (trusted, "testuser", true),
        (no_partners, "testuser", true),
        (trusted, "admin", false),
        (trusted, "guarded", false),
        (no_partners, "admin", false),
    ];
    for (shape, user, expect) in table {
        let mut realm = realm(shape);
        let web = forwardable(&mut realm, "WEB$");
        let held = to_self(&mut realm, &web, user).unwrap();
        let is = held.part.flags.contains(TicketFlags::FORWARDABLE);
        assert_eq!(is, expect, "{user}");
    }
    // And only where the asker's own ticket is.
    let mut realm = realm(trusted);
    let web = realm.sign_in("WEB$");
    let held = to_self(&mut realm, &web, "testuser").unwrap();
    assert!(!held.part.flags.contains(TicketFlags::FORWARDABLE));
}

#[test]
fn a_name_is_carried_on_to_listed_services_and_the_pac_tells_by_whom() {
    let mut realm = realm(|_| {});
    let user = forwardable(&mut realm, "testuser");
    let web = forwardable(&mut realm, "WEB$");
    let evidence = realm
        .ticket_with(&user, WEB, |draft| {
            draft.body.kdc_options = KdcOptions::FORWARDABLE
        })
        .unwrap();
    let held = realm.ticket_with(&web, DATA, proxied(&evidence)).unwrap();
    assert_eq!(held.cname, person("testuser"));
    let (part, pac) = opened(&realm, &held, "DATA$");
    assert_eq!(part.cname, person("testuser"));
    assert!(part.endtime <= evidence.part.endtime);
    let info = DelegationInfo::decode(pac.pac().buffer(BufferType::DELEGATION_INFO).unwrap());
    let info = info.unwrap();
    assert_eq!(info.proxy_target, DATA);
    assert_eq!(info.transited_services, ["WEB$@CORP.CONTOSO.COM"]);
    // Not in the list; no evidence; nobody's list.
    let own = realm.ticket_with(&web, WEB, proxied(&evidence));
    assert_eq!(own.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    let none = realm.ticket_with(&web, DATA, |draft| {
        draft.body.kdc_options = KdcOptions::CNAME_IN_ADDL_TKT;
    });
    assert_eq!(none.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    let krbtgt = realm.ticket_with(&web, &format!("krbtgt/{REALM}"), proxied(&evidence));
    assert_eq!(krbtgt.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    let both = realm.ticket_with(&web, DATA, |draft| {
        proxied(&evidence)(draft);
        draft.body.kdc_options = draft.body.kdc_options | KdcOptions::ENC_TKT_IN_SKEY;
    });
    assert_eq!(both.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    // On the third leg the PAC names both.
    let data = realm.account("DATA$");
    realm
        .accounts
        .add("DATA$", PASSWORD, &[DATA], |account| {
            account.sid = data.sid.clone();
            account.allowed_to_delegate_to = vec![WEB.to_owned()];
        })
        .unwrap();
    let data = forwardable(&mut realm, "DATA$");
    let third = realm.ticket_with(&data, WEB, proxied(&held)).unwrap();
    let (_, pac) = opened(&realm, &third, "WEB$");
    let info = DelegationInfo::decode(pac.pac().buffer(BufferType::DELEGATION_INFO).unwrap());
    let info = info.unwrap();
    assert_eq!(info.proxy_target, WEB);
    assert_eq!(
        info.transited_services,
        ["WEB$@CORP.CONTOSO.COM", "DATA$@CORP.CONTOSO.COM"]
    );
}

#[test]
fn evidence_is_a_ticket_to_the_asker_that_is_good_now() {
    let mut realm = realm(|_| {});
    let user = forwardable(&mut realm, "testuser");
    let web = forwardable(&mut realm, "WEB$");
    let forward = |draft: &mut Draft| draft.body.kdc_options = KdcOptions::FORWARDABLE;
    let evidence = realm.ticket_with(&user, WEB, forward).unwrap();
    assert!(realm.ticket_with(&web, DATA, proxied(&evidence)).is_ok());
    let to_data = realm.ticket_with(&user, DATA, forward).unwrap();
    let elsewhere = realm.ticket_with(&web, DATA, proxied(&to_data));
    assert_eq!(elsewhere.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    // The name outside is not protected.
    let mut renamed = to_data.clone();
    renamed.ticket.sname = evidence.ticket.sname.clone();
    let renamed = realm.ticket_with(&web, DATA, proxied(&renamed));
    assert_eq!(renamed.unwrap_err(), ErrorCode::KRB_AP_ERR_MODIFIED);
    let tgt = realm.ticket_with(&web, DATA, proxied(&user));
    assert_eq!(tgt.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    // Its user is disabled meanwhile.
    let account = realm.account("testuser");
    let disable = |realm: &Realm, is: bool| {
        realm
            .accounts
            .add("testuser", PASSWORD, &[], |new| {
                new.sid = account.sid.clone();
                new.policy.disabled = is;
            })
            .unwrap();
    };
    disable(&realm, true);
    let gone = realm.ticket_with(&web, DATA, proxied(&evidence));
    assert_eq!(gone.unwrap_err(), ErrorCode::KDC_ERR_CLIENT_REVOKED);
    disable(&realm, false);
    assert!(realm.ticket_with(&web, DATA, proxied(&evidence)).is_ok());
    // The name is somebody else's now.
    realm.accounts.remove("testuser");
    realm
        .accounts
        .add("testuser", PASSWORD, &[], |_| {})
        .unwrap();
    let other = realm.ticket_with(&web, DATA, proxied(&evidence));
    assert_eq!(other.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
}

/// The evidence as its service would bend it: with its own key it seals anew and makes the server signature anew.
fn bent(
    realm: &mut Realm,
    evidence: &Held,
    change: impl FnOnce(&mut EncTicketPart),
    buffers: impl FnOnce(&mut Vec<Buffer>),
    kdc_key: &Key,
) -> Held {
    let key = key_of(realm, "WEB$");
    let mut part = evidence.ticket.open(&key).unwrap();
    let pac = VerifiedPac::for_service(&part, &key).unwrap().unwrap();
    let mut list = pac.pac().to_buffers();
    change(&mut part);
    buffers(&mut list);
    let signing = Signing {
        server_key: &key,
        kdc_key,
        rodc: None,
        kind: TicketKind::Service,
    };
    signing.sign_into(&mut part, list).unwrap();
    let kvno = evidence.ticket.enc_part.key_version();
    realm.sealed(evidence, &part, &key, kvno)
}

/// Sealed anew with the PAC as it was.
fn resealed(realm: &mut Realm, evidence: &Held, change: impl FnOnce(&mut EncTicketPart)) -> Held {
    let key = key_of(realm, "WEB$");
    let mut part = evidence.ticket.open(&key).unwrap();
    change(&mut part);
    let kvno = evidence.ticket.enc_part.key_version();
    realm.sealed(evidence, &part, &key, kvno)
}

#[test]
fn cve_2020_17049_the_bronze_bit_is_seen() {
    let mut realm = realm(|_| {});
    let web = forwardable(&mut realm, "WEB$");
    // Not trusted to authenticate: the ticket is not forwardable, and goes nowhere.
    let evidence = to_self(&mut realm, &web, "testuser").unwrap();
    let refused = realm.ticket_with(&web, DATA, proxied(&evidence));
    assert_eq!(refused.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    let bronze = |part: &mut EncTicketPart| part.flags = part.flags | TicketFlags::FORWARDABLE;
    let flipped = resealed(&mut realm, &evidence, bronze);
    let got = realm.ticket_with(&web, DATA, proxied(&flipped));
    assert_eq!(got.unwrap_err(), ErrorCode::KRB_AP_ERR_MODIFIED);
    // With signatures of its own in the place of the KDC's.
    let key = key_of(&realm, "WEB$");
    let signed = bent(&mut realm, &evidence, bronze, |_| {}, &key);
    let got = realm.ticket_with(&web, DATA, proxied(&signed));
    assert_eq!(got.unwrap_err(), ErrorCode::KRB_AP_ERR_MODIFIED);
    // The other direction: with the KDC's own key it would pass, so it is the signature that counts.
    let krbtgt = realm.krbtgt_key();
    let real = bent(&mut realm, &evidence, bronze, |_| {}, &krbtgt);
    assert!(realm.ticket_with(&web, DATA, proxied(&real)).is_ok());
}

#[test]
fn cve_2022_37967_the_pac_of_evidence_is_covered_as_a_whole() {
    let mut realm = realm(|_| {});
    let user = forwardable(&mut realm, "testuser");
    let web = forwardable(&mut realm, "WEB$");
    let forward = |draft: &mut Draft| draft.body.kdc_options = KdcOptions::FORWARDABLE;
    let evidence = realm.ticket_with(&user, WEB, forward).unwrap();
    let key = key_of(&realm, "WEB$");
    let krbtgt = realm.krbtgt_key();
    let same = bent(&mut realm, &evidence, |_| {}, |_| {}, &krbtgt);
    assert!(realm.ticket_with(&web, DATA, proxied(&same)).is_ok());
    let more = |list: &mut Vec<Buffer>| list.push(requestor(&Sid::nt(&[21, 1, 2, 3, 500])));
    let grown = bent(&mut realm, &evidence, |_| {}, more, &key);
    let got = realm.ticket_with(&web, DATA, proxied(&grown));
    assert_eq!(got.unwrap_err(), ErrorCode::KRB_AP_ERR_MODIFIED);
    // Without the ticket and full signatures: what an old KDC wrote, or an attacker left out.
    let part = evidence.ticket.open(&key).unwrap();
    let pac = VerifiedPac::for_service(&part, &key).unwrap().unwrap();
    let mut old = part.clone();
    let signing = Signing {
        server_key: &key,
        kdc_key: &krbtgt,
        rodc: None,
        kind: TicketKind::Tgt,
    };
    signing.sign_into(&mut old, pac.pac().to_buffers()).unwrap();
    let kvno = evidence.ticket.enc_part.key_version();
    let old = realm.sealed(&evidence, &old, &key, kvno);
    let got = realm.ticket_with(&web, DATA, proxied(&old));
    assert_eq!(got.unwrap_err(), ErrorCode::KRB_AP_ERR_MODIFIED);
    // And without any PAC.
    let bare = resealed(&mut realm, &evidence, |part| part.authorization_data = None);
    let got = realm.ticket_with(&web, DATA, proxied(&bare));
    assert_eq!(got.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    // In another time: CLIENT_INFO binds the PAC to its ticket, with all signatures good.
    let later = |part: &mut EncTicketPart| {
        part.authtime = KerberosTime::new(part.authtime.timestamp().plus_seconds(1));
    };
    let later = bent(&mut realm, &evidence, later, |_| {}, &krbtgt);
    let got = realm.ticket_with(&web, DATA, proxied(&later));
    assert_eq!(got.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
}

#[test]
fn sensitive_accounts_and_protected_users_are_nobodys_to_carry_on() {
    let trusted = |account: &mut Account| {
        account.policy.trusted_to_authenticate_for_delegation = true;
    };
    for (user, expect) in [
        ("testuser", None),
        ("admin", Some(ErrorCode::KDC_ERR_BADOPTION)),
        ("guarded", Some(ErrorCode::KDC_ERR_BADOPTION)),
    ] {
        let mut realm = realm(trusted);
        let account = realm.account("DATA$");
        let sid = realm.account("WEB$").sid.clone();
        let shape = |new: &mut Account| {
            new.sid = account.sid.clone();
            new.allowed_to_act = Some(descriptor(&format!("O:BAD:(A;;CR;;;{sid})")));
        };
        realm
            .accounts
            .add("DATA$", PASSWORD, &[DATA], shape)
            .unwrap();
        let web = forwardable(&mut realm, "WEB$");
        let evidence = to_self(&mut realm, &web, user).unwrap();
        let krbtgt = realm.krbtgt_key();
        // Even with the flag, which only a flaw elsewhere could have set.
        let flag = |part: &mut EncTicketPart| part.flags = part.flags | TicketFlags::FORWARDABLE;
        let flagged = bent(&mut realm, &evidence, flag, |_| {}, &krbtgt);
        for evidence in [&evidence, &flagged] {
            let listed = realm.ticket_with(&web, DATA, proxied(evidence));
            assert_eq!(listed.err(), expect, "{user}");
            let let_in = realm.ticket_with(&web, DATA, |draft| {
                proxied(evidence)(draft);
                resource_based(draft);
            });
            assert_eq!(let_in.err(), expect, "{user}");
        }
    }
}

fn descriptor(sddl: &str) -> Vec<u8> {
    let domain = Sid::nt(&[21, 1_004_336_348, 1_177_238_915, 682_003_330]);
    SecurityDescriptor::from_sddl(sddl, Domains::single(&domain))
        .unwrap()
        .to_bytes()
        .unwrap()
}

#[test]
fn the_target_may_let_a_service_in_that_asks_for_it() {
    let mut realm = realm(|account| account.allowed_to_delegate_to.clear());
    let data = realm.account("DATA$");
    let web_sid = realm.account("WEB$").sid.clone();
    let let_in = |realm: &Realm, sddl: Option<String>| {
        realm
            .accounts
            .add("DATA$", PASSWORD, &[DATA], |new| {
                new.sid = data.sid.clone();
                new.allowed_to_act = sddl.as_deref().map(descriptor);
            })
            .unwrap();
    };
    let web = realm.sign_in("WEB$");
    // The evidence needs not be forwardable here.
    let evidence = to_self(&mut realm, &web, "testuser").unwrap();
    assert!(!evidence.part.flags.contains(TicketFlags::FORWARDABLE));
    let ask = |draft: &mut Draft| {
        proxied(&evidence)(draft);
        resource_based(draft);
    };
    let refused = Some(ErrorCode::KDC_ERR_BADOPTION);
    assert_eq!(
        realm.ticket_with(&web, DATA, ask).err(),
        refused,
        "no descriptor"
    );
    let_in(&realm, Some(format!("O:BAD:(A;;CR;;;{})", data.sid)));
    assert_eq!(
        realm.ticket_with(&web, DATA, ask).err(),
        refused,
        "somebody else"
    );
    let_in(&realm, Some(format!("O:BAD:(A;;CR;;;{web_sid})")));
    let held = realm.ticket_with(&web, DATA, ask).unwrap();
    assert_eq!(held.cname, person("testuser"));
    assert!(!held.part.flags.contains(TicketFlags::FORWARDABLE));
    // Only who knows of the newer way is let in by it.
    let unasked = realm.ticket_with(&web, DATA, proxied(&evidence));
    assert_eq!(unasked.err(), refused);
}
