//! Tickets of a read-only server at the domain's KDC: the whole table of what such a ticket is worth, in both directions,
//! and the keys that it may bring.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its realm has failed"
)]

mod client;

use std::sync::Arc;

use client::{AES256, Held, PASSWORD, REALM, Realm, WEB};
use kdc::{Account, Event, KeyListPolicy, ReadOnlyServer};
use kerberos::crypto::{EncryptionType, Key};
use kerberos::messages::{
    Checksum, Der, EncTicketPart, ErrorCode, KdcOptions, KerbKeyListRep, Kvno, NameType, PaData,
    PaForUser, PaType, PrincipalName,
};
use kerberos::pac::{
    Buffer, BufferType, ClientInfo, LogonInfo, PacAttributes, Signing, TicketKind, VerifiedPac,
    requestor,
};
use types::{Secret, Sid, Timestamp};

/// Numbers from 0x8000 on are negative on the wire.
const NUMBER: u16 = 0x9ABC;
const NT_HASH: [u8; 16] = [0xA5; 16];
const KRBTGT: &str = "krbtgt/CORP.CONTOSO.COM";

/// A realm with the cloud as read-only server: `testuser` may use it, `admin` may not, `dave` is in no list.
fn realm(shape: impl FnOnce(&mut kdc::Settings)) -> Realm {
    let mut realm = Realm::with(shape);
    let domain = realm.account("testuser").sid.domain().unwrap();
    let (allowed, denied) = (domain.with_rid(571), domain.with_rid(572));
    let add = |name: &str, groups: &[&Sid], shape: &dyn Fn(&mut Account)| {
        let added = realm.accounts.add(name, PASSWORD, &[], |account| {
            account.groups = groups.iter().map(|group| (*group).clone()).collect();
            shape(account);
            for keys in &mut account.keys {
                keys.nt_hash = Some(Secret::new(NT_HASH));
            }
        });
        added.unwrap();
    };
    add("testuser", &[&allowed], &|_| {});
    add("both", &[&allowed, &denied], &|_| {});
    add("dave", &[], &|_| {});
    let admins = domain.with_rid(512);
    add("admin", &[&allowed, &admins], &|_| {});
    add("gone", &[&allowed], &|account| {
        account.policy.disabled = true;
    });
    add("over", &[&allowed], &|account| {
        account.policy.expires = Some(Timestamp::from_unix_seconds(0));
    });
    add("stale", &[&allowed], &|account| {
        account.policy.must_change_password = true;
    });
    add("card", &[&allowed], &|account| {
        account.policy.smartcard_required = true;
        account.policy.must_change_password = true;
    });
    let entropy = &mut realm.entropy;
    realm.accounts.add_krbtgt(NUMBER, 7, entropy).unwrap();
    realm.accounts.set_read_only_server(ReadOnlyServer {
        number: NUMBER,
        sid: domain.with_rid(1200),
        name: "AzureADKerberos$".to_owned(),
        disabled: false,
        partial_secrets: true,
        allowed: vec![allowed],
        denied: vec![denied],
        revealed: None,
    });
    realm
}

fn cloud_key(realm: &Realm) -> Arc<Key> {
    let krbtgt = realm.krbtgt(NUMBER);
    Arc::clone(krbtgt.current().unwrap().of_type(AES256).unwrap())
}

/// How a partial ticket may be bent before it is sealed.
struct Bent<'a> {
    buffers: &'a mut Vec<Buffer>,
    part: &'a mut EncTicketPart,
}

/// The ticket that a cloud writes for an account: a PAC of identity, sealed and signed with the read-only server's key.
fn partial(realm: &mut Realm, name: &str, bend: impl FnOnce(Bent<'_>)) -> Held {
    let key = cloud_key(realm);
    let sid = realm.account(name).sid.clone();
    let mut held = realm.sign_in("testuser");
    let mut part = held.ticket.open(&realm.krbtgt_key()).unwrap();
    part.authorization_data = None;
    part.cname = PrincipalName::new(NameType::NT_PRINCIPAL, [name]);
    let domain = sid.domain().unwrap();
    let logon = LogonInfo::new(name, &domain, sid.rid().unwrap(), 513);
    let named = ClientInfo {
        client_id: part.authtime.timestamp(),
        name: name.to_owned(),
    };
    let buffer = |kind, data| Buffer { kind, data };
    let mut buffers = vec![
        buffer(BufferType::LOGON_INFO, logon.encode()),
        buffer(BufferType::CLIENT_INFO, named.encode()),
        buffer(
            BufferType::ATTRIBUTES_INFO,
            PacAttributes::REQUESTED.to_bytes().to_vec(),
        ),
        requestor(&sid),
    ];
    bend(Bent {
        buffers: &mut buffers,
        part: &mut part,
    });
    if !buffers.is_empty() {
        let signing = Signing {
            server_key: &key,
            kdc_key: &key,
            rodc: Some(NUMBER),
            kind: TicketKind::Tgt,
        };
        signing.sign_into(&mut part, buffers).unwrap();
    }
    held.cname = part.cname.clone();
    let kvno = Kvno {
        rodc: NUMBER,
        version: 7,
    };
    realm.sealed(&held, &part, &key, Some(kvno))
}

fn exchanged(realm: &mut Realm, name: &str) -> Result<Held, ErrorCode> {
    let partial = partial(realm, name, |_| {});
    realm.ticket(&partial, KRBTGT)
}

#[test]
fn an_allowed_user_gets_a_full_ticket_made_from_the_directory() {
    let mut realm = realm(|_| {});
    // The cloud claims a group, which nobody believes.
    let claimed = partial(&mut realm, "testuser", |bent| {
        let logon = bent
            .buffers
            .iter_mut()
            .find(|buffer| buffer.kind == BufferType::LOGON_INFO)
            .unwrap();
        let mut info = LogonInfo::decode(&logon.data).unwrap();
        info.user_id = 500;
        logon.data = info.encode();
        bent.buffers.push(Buffer {
            kind: BufferType(77),
            data: vec![1; 8],
        });
    });
    let full = realm.ticket(&claimed, KRBTGT).unwrap();
    assert_eq!(full.ticket.enc_part.key_version(), Some(Kvno::domain(2)));
    let krbtgt = realm.krbtgt_key();
    let part = full.ticket.open(&krbtgt).unwrap();
    let pac = VerifiedPac::for_tgt(&part, &krbtgt, 0).unwrap().unwrap();
    let pac = pac.pac();
    let logon = LogonInfo::decode(pac.buffer(BufferType::LOGON_INFO).unwrap()).unwrap();
    let testuser = realm.account("testuser");
    assert_eq!(Some(logon.user_id), testuser.sid.rid());
    assert_eq!(logon.groups.len(), 1 + testuser.groups.len());
    assert!(pac.buffer(BufferType::REQUESTOR).is_some());
    assert!(pac.buffer(BufferType::ATTRIBUTES_INFO).is_none());
    assert!(pac.buffer(BufferType(77)).is_none(), "unknown buffers stay");
    assert!(realm.ticket(&full, WEB).is_ok());
    // A service ticket for the partial one directly, after the same checks.
    assert!(realm.ticket(&claimed, WEB).is_ok());
}

#[test]
fn lists_and_standing_decide() {
    let revoked = ErrorCode::KDC_ERR_TGT_REVOKED;
    for (name, expected) in [
        ("testuser", Ok(())),
        ("card", Ok(())),
        ("dave", Err(revoked)),
        ("both", Err(revoked)),
        ("gone", Err(ErrorCode::KDC_ERR_CLIENT_REVOKED)),
        ("over", Err(ErrorCode::KDC_ERR_CLIENT_REVOKED)),
        ("stale", Err(ErrorCode::KDC_ERR_KEY_EXPIRED)),
        // An administrator who was put into the allowed group and into no denied one: the directory's word.
        ("admin", Ok(())),
    ] {
        let mut realm = realm(|_| {});
        assert_eq!(exchanged(&mut realm, name).map(drop), expected, "{name}");
    }
}

#[test]
fn cve_2021_42287_the_requester_is_the_account_of_the_name() {
    let mut realm = realm(|_| {});
    let other = realm.account("dave").sid.clone();
    for (what, bend) in [("no requester", None), ("another requester", Some(other))] {
        let ticket = partial(&mut realm, "testuser", |bent| {
            bent.buffers
                .retain(|buffer| buffer.kind != BufferType::REQUESTOR);
            bent.buffers.extend(bend.iter().map(requestor));
        });
        let error = realm.ticket(&ticket, KRBTGT).unwrap_err();
        assert_eq!(error, ErrorCode::KDC_ERR_TGT_REVOKED, "{what}");
    }
    let stolen = partial(&mut realm, "testuser", |_| {});
    realm.accounts.remove("testuser");
    let error = realm.ticket(&stolen, KRBTGT).unwrap_err();
    assert_eq!(error, ErrorCode::KDC_ERR_TGT_REVOKED, "the account is gone");
}

#[test]
fn a_pac_less_ticket_is_nothing() {
    let mut realm = realm(|_| {});
    let bare = partial(&mut realm, "testuser", |bent| bent.buffers.clear());
    let error = realm.ticket(&bare, KRBTGT).unwrap_err();
    assert_eq!(error, ErrorCode::KDC_ERR_TGT_REVOKED);
}

#[test]
fn rodc_keys_are_told_apart_by_number_and_version() {
    let mut realm = realm(|_| {});
    let key = cloud_key(&realm);
    let good = partial(&mut realm, "testuser", |_| {});
    let part = good.ticket.open(&key).unwrap();
    let entropy = &mut realm.entropy;
    realm.accounts.add_krbtgt(5, 7, entropy).unwrap();
    for (rodc, version, expected) in [
        (NUMBER, 7, None),
        (NUMBER, 6, Some(ErrorCode::KRB_AP_ERR_BADKEYVER)),
        (NUMBER - 1, 7, Some(ErrorCode::KRB_AP_ERR_NOKEY)),
        // The number of an account that no read-only server links to.
        (5, 7, Some(ErrorCode::KDC_ERR_POLICY)),
        // The domain's own number does not make it the domain's ticket.
        (0, 2, Some(ErrorCode::KRB_AP_ERR_BAD_INTEGRITY)),
    ] {
        let ticket = realm.sealed(&good, &part, &key, Some(Kvno { rodc, version }));
        let answer = realm.ticket(&ticket, KRBTGT).map(drop);
        assert_eq!(answer.err(), expected, "{rodc}/{version}");
    }
}

#[test]
fn a_ticket_signed_for_another_number_is_not_believed() {
    let mut realm = realm(|_| {});
    let key = cloud_key(&realm);
    for (rodc, expected) in [
        // The identifier may be missing; a wrong one is never right.
        (None, Ok(())),
        (Some(NUMBER), Ok(())),
        (Some(3), Err(ErrorCode::KDC_ERR_TGT_REVOKED)),
    ] {
        let ticket = partial(&mut realm, "testuser", |bent| {
            let signing = Signing {
                server_key: &key,
                kdc_key: &key,
                rodc,
                kind: TicketKind::Tgt,
            };
            let buffers = std::mem::take(bent.buffers);
            signing.sign_into(bent.part, buffers).unwrap();
        });
        let answer = realm.ticket(&ticket, KRBTGT).map(drop);
        assert_eq!(answer, expected, "{rodc:?}");
    }
}

#[test]
fn a_server_without_the_bit_speaks_for_nobody() {
    let mut realm = realm(|_| {});
    let sid = realm.account("testuser").sid.domain().unwrap();
    realm.accounts.set_read_only_server(ReadOnlyServer {
        number: NUMBER,
        sid: sid.with_rid(1200),
        name: "AzureADKerberos$".to_owned(),
        disabled: false,
        partial_secrets: false,
        allowed: vec![sid.with_rid(571)],
        denied: Vec::new(),
        revealed: None,
    });
    let error = exchanged(&mut realm, "testuser").unwrap_err();
    assert_eq!(error, ErrorCode::KDC_ERR_POLICY);
}

#[test]
fn s4u_needs_a_ticket_of_the_domain() {
    let mut realm = realm(|_| {});
    let web = realm.account("WEB$").sid.clone();
    let domain = web.domain().unwrap();
    realm.accounts.set_read_only_server(ReadOnlyServer {
        number: NUMBER,
        sid: domain.with_rid(1200),
        name: "AzureADKerberos$".to_owned(),
        disabled: false,
        partial_secrets: true,
        allowed: vec![web],
        denied: Vec::new(),
        revealed: None,
    });
    let own = partial(&mut realm, "WEB$", |_| {});
    assert!(realm.ticket(&own, WEB).is_ok(), "the account itself may");
    let session = Arc::clone(&own.session);
    let error = realm.ticket_with(&own, WEB, |draft| {
        let name = PrincipalName::new(NameType::NT_PRINCIPAL, ["testuser"]);
        let mut user = PaForUser {
            user_name: name,
            user_realm: REALM.into(),
            cksum: Checksum {
                cksumtype: kerberos::crypto::ChecksumType::HMAC_MD5,
                checksum: Vec::new().into(),
            },
            auth_package: "Kerberos".into(),
        };
        user.cksum.checksum = user.checksum(&session).to_vec().into();
        draft
            .padata
            .push(PaData::new(PaType::PA_FOR_USER, user.to_der().unwrap()));
    });
    assert_eq!(error.unwrap_err(), ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN);
}

#[test]
fn user_to_user_takes_no_partial_ticket_from_the_other_side() {
    let mut realm = realm(|_| {});
    let tgt = realm.sign_in("testuser");
    let full = realm.sign_in("WEB$");
    let lent_partial = partial(&mut realm, "testuser", |_| {});
    for (lent, expected) in [
        (&full, Ok(())),
        (&lent_partial, Err(ErrorCode::KRB_AP_ERR_NOKEY)),
    ] {
        let ticket = lent.ticket.clone();
        let answer = realm.ticket_with(&tgt, WEB, |draft| {
            draft.body.kdc_options = KdcOptions::ENC_TKT_IN_SKEY;
            draft.body.additional_tickets = Some(vec![ticket]);
        });
        // The reply is for the client; what it is sealed with does not matter here.
        assert_eq!(answer.map(drop), expected);
    }
}

fn with_key_list(realm: &mut Realm, tgt: &Held, service: &str) -> Option<KerbKeyListRep> {
    let wanted = vec![EncryptionType::RC4_HMAC, AES256];
    let held = realm
        .ticket_with(tgt, service, |draft| {
            let value = wanted.to_der().unwrap();
            draft
                .padata
                .push(PaData::new(PaType::KERB_KEY_LIST_REQ, value));
        })
        .unwrap();
    let padata = held.part.encrypted_pa_data.unwrap_or_default();
    // Some clients read the first entry and look no further.
    let first = padata.first()?;
    assert_eq!(first.padata_type, PaType::KERB_KEY_LIST_REP);
    Some(KerbKeyListRep::from_der(&first.padata_value).unwrap())
}

#[test]
fn keys_are_released_by_policy_to_partial_tickets_of_ordinary_users_only() {
    let on: fn(&mut kdc::Settings) = |settings| settings.key_list = KeyListPolicy::nt_hash();
    let off: fn(&mut kdc::Settings) = |_| {};
    for (shape, name, expected) in [
        (on, "testuser", Some(NT_HASH)),
        (off, "testuser", None),
        (on, "admin", None),
    ] {
        let mut realm = realm(shape);
        let tgt = partial(&mut realm, name, |_| {});
        let keys = with_key_list(&mut realm, &tgt, KRBTGT);
        let hash = keys.map(|keys| {
            assert_eq!(keys.len(), 1, "only the types of the policy");
            assert_eq!(keys[0].keytype, EncryptionType::RC4_HMAC);
            keys[0].keyvalue.expose().to_vec()
        });
        assert_eq!(hash, expected.map(|hash| hash.to_vec()), "{name}");
        let told = realm.events.iter().any(|event| match event {
            Event::KeysReleased { server, .. } => {
                expected.is_some() && server == "AzureADKerberos$"
            }
            Event::KeysWithheld { .. } => expected.is_none(),
            _ => false,
        });
        assert!(told, "{name}: the audit log is told");
    }
    let mut realm = realm(on);
    let full = realm.sign_in("testuser");
    assert!(
        with_key_list(&mut realm, &full, KRBTGT).is_none(),
        "a ticket of the domain"
    );
    let tgt = partial(&mut realm, "testuser", |_| {});
    assert!(
        with_key_list(&mut realm, &tgt, WEB).is_none(),
        "for another service"
    );
}
