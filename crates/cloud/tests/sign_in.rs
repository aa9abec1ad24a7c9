//! Signing in at a device: join, nonce, primary refresh token, the ticket in the answer, renewal; and each wrong way
//! refused for its own reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use axum::http::StatusCode;
use cloud::{Caller, Compatibility, TicketForm};
use cloud_api::base64::Base64Url;
use cloud_api::jose::{self, Header, Jws, SessionCipher};
use cloud_api::prt::{GRANT_JWT, HS256, RS256, TicketField, TokenAnswer, TokenRequest};
use cloud_api::session::SessionKey;
use cloud_api::users::{User, UserChange};
use common::device::{Device, Prt, Renewal, SecurityKey, Touch, by_key};
use common::ground::{NUMBER, REALM};
use common::{House, Reply};
use data_encoding::BASE64;
use kerberos::crypto::{EncryptionType, Key, KeyUsage};
use kerberos::messages::KdcReply;
use kerberos::pac::{BufferType, LogonInfo, VerifiedPac};
use serde_json::json;

/// A user of the ground with a security key at a joined device.
struct Desk {
    house: House,
    user: User,
    key: SecurityKey,
    device: Device,
}

impl Desk {
    async fn new() -> Self {
        Self::with(Compatibility::default()).await
    }

    async fn with(compatibility: Compatibility) -> Self {
        let house = House::with_compatibility(compatibility);
        let user = house.ground_user("testuser", 1);
        let key = SecurityKey::register(&house, &user, 0xC1);
        let device = Device::join(&house, &user).await;
        Self {
            house,
            user,
            key,
            device,
        }
    }

    async fn sign_in(&self) -> Prt {
        self.device.sign_in(&self.house, &self.key, 2).await
    }

    async fn touched(&self, touch: Touch) -> Reply {
        self.device
            .try_sign_in(&self.house, &self.key, &touch)
            .await
    }

    async fn renewed(&self, prt: &Prt, manner: Renewal) -> Reply {
        self.house.renew(&prt.token, &prt.session, &manner).await
    }
}

#[track_caller]
fn refused(reply: &Reply, error: &str, suberror: &str) {
    assert_ne!(reply.status, StatusCode::OK, "{}", reply.text);
    let seen = (
        reply.json["error"].as_str().unwrap_or_default(),
        reply.json["suberror"].as_str().unwrap_or_default(),
    );
    assert_eq!(seen, (error, suberror), "{}", reply.text);
}

#[track_caller]
fn opened(reply: &Reply, session: &SessionKey) -> TokenAnswer {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let plain = jose::open(&reply.text, session).unwrap();
    serde_json::from_slice(plain.expose()).unwrap()
}

/// Opens the AS-REP, its ticket and its PAC, and checks whom they name.
fn check_ticket(field: &TicketField, client_key: &[u8], rid: u32) {
    let aes = EncryptionType::AES256_CTS_HMAC_SHA1_96;
    assert_eq!((field.key_type, field.session_key_type), (18, 18));
    assert_eq!(field.realm.as_deref(), Some(REALM));
    assert_eq!(field.sn.as_deref(), Some("krbtgt/CORP.CONTOSO.COM"));
    let message = BASE64
        .decode(field.message_buffer.as_deref().unwrap().as_bytes())
        .unwrap();
    let reply = KdcReply::from_der(&message).unwrap();
    let client_key = Key::new(aes, client_key).unwrap();
    let told = reply.open(&client_key, KeyUsage::AS_REP_ENC_PART).unwrap();
    let krbtgt = Key::new(aes, &[7; 32]).unwrap();
    let part = reply.ticket.open(&krbtgt).unwrap();
    assert_eq!(told.key, part.key);
    let pac = VerifiedPac::for_tgt(&part, &krbtgt, NUMBER)
        .unwrap()
        .unwrap();
    let logon = pac.pac().buffer(BufferType::LOGON_INFO).unwrap();
    let logon = LogonInfo::decode(logon).unwrap();
    let sid = format!("S-1-5-21-1-2-3-{rid}").parse().unwrap();
    assert_eq!(logon.user_sid(), Some(sid));
}

#[tokio::test]
async fn one_touch_gives_a_token_and_a_ticket_and_both_are_renewed() {
    let desk = Desk::new().await;
    desk.house.publish(3, 7);
    let prt = desk.sign_in().await;
    assert_eq!(prt.answer.token_type, "Bearer");
    assert!(prt.token.contains('.'));
    let told = prt.answer.credential_public_key.as_ref().unwrap();
    let known = desk.key.pair.public_key_raw();
    // COSE_Key: the two halves of the point stand behind their labels.
    let (x, y) = known[1..].split_at(32);
    let has = |half: &[u8]| told.0.windows(32).any(|window| window == half);
    assert!(has(x) && has(y), "the key that signed");
    let ticket = prt.ticket();
    let client_key = jose::open(ticket.client_key.as_deref().unwrap(), &prt.session).unwrap();
    check_ticket(&ticket, client_key.expose(), 1101);

    let reply = desk.renewed(&prt, Renewal::default()).await;
    assert_eq!(reply.headers["content-type"], "application/jose");
    let answer = opened(&reply, &prt.session);
    assert_ne!(answer.refresh_token, prt.token);
    assert!(answer.session_key_jwe.is_none(), "the session key stays");
    assert!(answer.credential_public_key.is_none(), "no key signed now");
    let ticket: TicketField = serde_json::from_str(answer.tgt_ad.as_deref().unwrap()).unwrap();
    let plain = BASE64
        .decode(ticket.client_key.as_deref().unwrap().as_bytes())
        .unwrap();
    check_ticket(&ticket, &plain, 1101);
    let again = desk
        .house
        .renew(&answer.refresh_token, &prt.session, &Renewal::default())
        .await;
    opened(&again, &prt.session);
    let told = desk.house.activities();
    for activity in ["joinDevice", "signIn", "renew", "issueTicket"] {
        assert!(told.iter().any(|told| told == activity), "{activity}");
    }
}

#[tokio::test]
async fn a_sign_in_without_tgt_brings_no_ticket() {
    let desk = Desk::new().await;
    desk.house.publish(3, 7);
    let nonce = desk.house.nonce().await;
    let request = by_key(&nonce, desk.key.touch(&nonce, &Touch::default()));
    let request = desk.device.signed(&request);
    let reply = desk
        .house
        .form(&[("grant_type", GRANT_JWT), ("request", &request)])
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.json.get("tgt_ad").is_none());
    assert!(!desk.house.activities().contains(&"issueTicket".to_owned()));
}

#[tokio::test]
async fn a_ticket_needs_an_account_on_the_ground_and_its_server() {
    let desk = Desk::new().await;
    let why = |prt: &Prt| {
        let field = prt.ticket();
        assert_eq!(field.key_type, 0);
        assert!(field.client_key.is_none() && field.message_buffer.is_none());
        field.error.unwrap()
    };
    assert!(why(&desk.sign_in().await).contains("no Kerberos server object"));
    desk.house.publish(3, 7);
    assert_eq!(
        desk.device
            .sign_in(&desk.house, &desk.key, 3)
            .await
            .ticket()
            .key_type,
        18
    );

    let cloud_only = desk.house.user("clouduser");
    let key = SecurityKey::register(&desk.house, &cloud_only, 0xC2);
    let prt = desk.device.sign_in(&desk.house, &key, 2).await;
    assert!(why(&prt).contains("no account on the ground"));
}

#[tokio::test]
async fn a_device_is_one_of_ours_and_signs_itself() {
    let desk = Desk::new().await;
    let other = Device::join(&desk.house, &desk.user).await;
    let check = |alg: &'static str, x5c: String, device: &'static str, error: &'static str| {
        let desk = &desk;
        let other = &other;
        async move {
            let nonce = desk.house.nonce().await;
            let request = by_key(&nonce, desk.key.touch(&nonce, &Touch::default()));
            let signer = if device == "own" { &desk.device } else { other };
            let reply = desk
                .house
                .token(&signer.signed_as(alg, &x5c, &request))
                .await;
            refused(&reply, error, "");
        }
    };
    let own = || desk.device.x5c.clone();
    // RFC 8725 section 3.1: what is not wanted is not taken.
    check("none", own(), "own", "invalid_request").await;
    check("", own(), "own", "invalid_request").await;
    check("RS512", own(), "own", "invalid_request").await;
    check("PS256", own(), "own", "invalid_request").await;
    check("ES256", own(), "own", "invalid_request").await;
    // With the certificate of another device.
    check(RS256, own(), "other", "invalid_client").await;
    check(RS256, other.x5c.clone(), "own", "invalid_client").await;
    check(RS256, String::new(), "own", "invalid_client").await;
    check(RS256, "AAAA".into(), "own", "invalid_client").await;
    check(RS256, "?".repeat(5000), "own", "invalid_client").await;
}

#[tokio::test]
async fn a_public_key_is_no_hmac_secret() {
    // The classic confusion: HS256 over what everybody can read.
    let desk = Desk::new().await;
    let nonce = desk.house.nonce().await;
    let request = by_key(&nonce, desk.key.touch(&nonce, &Touch::default()));
    let text = desk.device.signed_as(HS256, &desk.device.x5c, &request);
    refused(&desk.house.token(&text).await, "unsupported_grant_type", "");
}

#[tokio::test]
async fn a_certificate_that_names_our_device_with_another_key_proves_nothing() {
    let desk = Desk::new().await;
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, desk.device.id.to_string());
    let forged = common::device::RsaKey::generate();
    let der = params.self_signed(&forged.rcgen()).unwrap().der().to_vec();
    let device = Device {
        id: desk.device.id,
        x5c: BASE64.encode(&der),
        key: forged,
    };
    let reply = device
        .try_sign_in(&desk.house, &desk.key, &Touch::default())
        .await;
    refused(&reply, "invalid_client", "");
}

#[tokio::test]
async fn an_unsigned_or_changed_request_is_refused() {
    let desk = Desk::new().await;
    let nonce = desk.house.nonce().await;
    let request = by_key(&nonce, desk.key.touch(&nonce, &Touch::default()));
    let good = desk.device.signed(&request);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = by_key(&nonce, "e30.e30.".into());
    let other = Base64Url(serde_json::to_vec(&other).unwrap());
    refused(
        &desk.house.token(&format!("{signed}.")).await,
        "invalid_client",
        "",
    );
    let changed = format!("{header}.{other}.{signature}");
    refused(&desk.house.token(&changed).await, "invalid_client", "");
    assert_eq!(desk.house.token(&good).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_nonce_works_once_and_for_five_minutes() {
    let desk = Desk::new().await;
    let nonce = desk.house.nonce().await;
    let send = async |counter| {
        let touch = Touch {
            counter,
            ..Touch::default()
        };
        let request = by_key(&nonce, desk.key.touch(&nonce, &touch));
        desk.house.token(&desk.device.signed(&request)).await
    };
    assert_eq!(send(2).await.status, StatusCode::OK);
    refused(&send(3).await, "invalid_grant", "nonce");

    let late = desk.house.nonce().await;
    desk.house.clock.advance_seconds(301);
    let request = by_key(&late, desk.key.touch(&late, &Touch::default()));
    let reply = desk.house.token(&desk.device.signed(&request)).await;
    refused(&reply, "invalid_grant", "nonce");
    for strange in [
        "",
        "AAAA",
        &"A".repeat(54),
        &Base64Url(vec![0; 40]).to_string(),
    ] {
        let request = by_key(strange, desk.key.touch(strange, &Touch::default()));
        let reply = desk.house.token(&desk.device.signed(&request)).await;
        refused(&reply, "invalid_grant", "nonce");
    }
}

#[tokio::test]
async fn a_request_that_was_seen_is_not_answered_again() {
    let desk = Desk::new().await;
    let prt = desk.sign_in().await;
    let nonce = desk.house.nonce().await;
    let once = || Renewal {
        nonce: Some(nonce.clone()),
        ..Renewal::default()
    };
    opened(&desk.renewed(&prt, once()).await, &prt.session);
    refused(&desk.renewed(&prt, once()).await, "invalid_grant", "nonce");
    desk.house.clock.advance_seconds(301);
    let stale = desk.house.nonce().await;
    desk.house.clock.advance_seconds(301);
    let manner = Renewal {
        nonce: Some(stale),
        ..Renewal::default()
    };
    refused(&desk.renewed(&prt, manner).await, "invalid_grant", "nonce");
}

#[tokio::test]
async fn assertions_are_checked_as_webauthn_says() {
    let desk = Desk::new().await;
    let check = async |what: &str, touch: Touch| {
        let reply = desk.touched(touch).await;
        assert_eq!(
            reply.json["suberror"], "assertion",
            "{what}: {}",
            reply.text
        );
    };
    let usual = Touch::default;
    let origin = |origin: &str| Touch {
        origin: origin.into(),
        ..usual()
    };
    check("origin", origin("https://evil.example")).await;
    check("origin's scheme", origin("http://login.contoso.example")).await;
    check("origin's port", origin("https://login.contoso.example:444")).await;
    let kind = "webauthn.create";
    check("type", Touch { kind, ..usual() }).await;
    let cross_origin = true;
    check(
        "cross origin",
        Touch {
            cross_origin,
            ..usual()
        },
    )
    .await;
    let rp_id = "evil.example".to_owned();
    check(
        "rpIdHash",
        Touch {
            rp_id: rp_id.clone(),
            ..usual()
        },
    )
    .await;
    check(
        "rpId",
        Touch {
            stated_rp_id: rp_id,
            ..usual()
        },
    )
    .await;
    check(
        "no presence",
        Touch {
            flags: 0x04,
            ..usual()
        },
    )
    .await;
    check(
        "no verification",
        Touch {
            flags: 0x01,
            ..usual()
        },
    )
    .await;
    let challenge = Some(desk.house.nonce().await);
    check(
        "another nonce",
        Touch {
            challenge,
            ..usual()
        },
    )
    .await;
    assert!(desk.house.activities().contains(&"refuseSignIn".to_owned()));
    assert_eq!(desk.touched(usual()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_counter_that_goes_back_is_a_copied_key() {
    let desk = Desk::new().await;
    let counter = |counter| Touch {
        counter,
        ..Touch::default()
    };
    assert_eq!(desk.touched(counter(7)).await.status, StatusCode::OK);
    for back in [7, 6, 0] {
        refused(
            &desk.touched(counter(back)).await,
            "invalid_grant",
            "assertion",
        );
    }
    assert_eq!(desk.touched(counter(8)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_does_not_count_says_zero_each_time() {
    let desk = Desk::new().await;
    let zero = || Touch {
        counter: 0,
        ..Touch::default()
    };
    assert_eq!(desk.touched(zero()).await.status, StatusCode::OK);
    assert_eq!(desk.touched(zero()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_signs_in_its_own_user_only() {
    let desk = Desk::new().await;
    let other = desk.house.ground_user("other", 2);
    let other_key = SecurityKey::register(&desk.house, &other, 0xC2);
    let with = |id: Option<Vec<u8>>, handle: Option<Vec<u8>>| Touch {
        id,
        handle,
        ..Touch::default()
    };
    let unknown = desk.touched(with(Some(vec![0xEE; 32]), None)).await;
    refused(&unknown, "invalid_grant", "keyUnknown");
    let unknown = desk.touched(with(Some(Vec::new()), None)).await;
    refused(&unknown, "invalid_grant", "keyUnknown");
    let handle = Some(other_key.handle.clone());
    refused(
        &desk.touched(with(None, handle)).await,
        "invalid_grant",
        "keyUnknown",
    );
    // Another user's credential id over the own key's signature.
    let stolen = with(Some(other_key.id.clone()), Some(other_key.handle.clone()));
    refused(&desk.touched(stolen).await, "invalid_grant", "assertion");
}

#[tokio::test]
async fn a_session_key_is_its_devices_own() {
    let desk = Desk::new().await;
    let second = Device::join(&desk.house, &desk.user).await;
    let (one, two) = (
        desk.sign_in().await,
        second.sign_in(&desk.house, &desk.key, 3).await,
    );
    let swapped = desk
        .house
        .renew(&one.token, &two.session, &Renewal::default())
        .await;
    refused(&swapped, "invalid_grant", "token");
    let jwe = one.answer.session_key_jwe.as_deref().unwrap();
    assert!(
        second.key.open_session_key(jwe).is_none(),
        "not for this device"
    );
    opened(&desk.renewed(&one, Renewal::default()).await, &one.session);
    let reply = desk.renewed(&one, Renewal::default()).await;
    assert!(jose::open(&reply.text, &two.session).is_err());
}

#[tokio::test]
async fn renewals_are_signed_as_they_must_be() {
    let desk = Desk::new().await;
    let prt = desk.sign_in().await;
    let usual = Renewal::default;
    for alg in ["none", "", "HS512", "RS256"] {
        let reply = desk.renewed(&prt, Renewal { alg, ..usual() }).await;
        assert_ne!(reply.status, StatusCode::OK, "{alg}");
    }
    let context = |context: Option<&str>| Renewal {
        context: context.map(str::to_owned),
        ..usual()
    };
    for other in [None, Some("?"), Some("")] {
        let reply = desk.renewed(&prt, context(other)).await;
        assert_ne!(reply.status, StatusCode::OK, "{other:?}");
    }
    let grant_type = "password";
    let reply = desk
        .renewed(
            &prt,
            Renewal {
                grant_type,
                ..usual()
            },
        )
        .await;
    refused(&reply, "unsupported_grant_type", "");
    for token in ["", "1.", "1.AAAA", desk.house.admin.as_str()] {
        let reply = desk.house.renew(token, &prt.session, &usual()).await;
        refused(&reply, "invalid_grant", "token");
    }
}

#[tokio::test]
async fn cve_2021_33781_the_first_derivation_is_refused_unless_switched_on() {
    for kdf_ver in [None, Some(1), Some(3)] {
        let desk = Desk::new().await;
        let prt = desk.sign_in().await;
        let manner = Renewal {
            kdf_ver,
            ..Renewal::default()
        };
        refused(&desk.renewed(&prt, manner).await, "invalid_request", "");
    }
    let desk = Desk::with(Compatibility {
        first_key_derivation: true,
        ..Compatibility::default()
    })
    .await;
    let prt = desk.sign_in().await;
    for kdf_ver in [None, Some(1), Some(2)] {
        let manner = Renewal {
            kdf_ver,
            ..Renewal::default()
        };
        opened(&desk.renewed(&prt, manner).await, &prt.session);
    }
    let manner = Renewal {
        kdf_ver: Some(3),
        ..Renewal::default()
    };
    refused(&desk.renewed(&prt, manner).await, "invalid_request", "");
}

#[tokio::test]
async fn the_legacy_cipher_is_written_where_it_is_switched_on() {
    let desk = Desk::with(Compatibility {
        response_cipher: SessionCipher::LegacyCbc,
        ..Compatibility::default()
    })
    .await;
    let prt = desk.sign_in().await;
    let reply = desk.renewed(&prt, Renewal::default()).await;
    assert!(jose::open(&reply.text, &prt.session).is_err());
    assert!(jose::open_legacy(&reply.text, &prt.session).is_ok());
}

/// Some readers take both forms in one answer for an error.
#[tokio::test]
async fn the_ticket_has_one_form_in_first_answers_and_renewals() {
    for form in [TicketForm::Field, TicketForm::ThreeFields] {
        let desk = Desk::with(Compatibility {
            ticket_form: form,
            empty_cloud_ticket: true,
            ..Compatibility::default()
        })
        .await;
        // Without a ticket the older form says nothing.
        let none = desk.sign_in().await.answer;
        assert_eq!(none.tgt_ad.is_some(), form == TicketForm::Field);
        assert!(none.tgt_key_type.is_none());
        desk.house.publish(3, 7);
        let prt = desk.device.sign_in(&desk.house, &desk.key, 3).await;
        let renewed = opened(&desk.renewed(&prt, Renewal::default()).await, &prt.session);
        for answer in [&prt.answer, &renewed] {
            let three = (
                answer.tgt_client_key.as_ref(),
                answer.tgt_key_type,
                answer.tgt_message_buffer.as_ref(),
            );
            let field = match (form, three) {
                (TicketForm::Field, (None, None, None)) => {
                    serde_json::from_str(answer.tgt_ad.as_deref().unwrap()).unwrap()
                }
                (TicketForm::ThreeFields, (Some(key), Some(kind), Some(message))) => {
                    assert!(answer.tgt_ad.is_none());
                    TicketField {
                        client_key: Some(key.clone()),
                        key_type: kind,
                        message_buffer: Some(message.clone()),
                        realm: Some(REALM.into()),
                        sn: Some(format!("krbtgt/{REALM}")),
                        session_key_type: 18,
                        ..TicketField::default()
                    }
                }
                other => panic!("{other:?}"),
            };
            let shown = field.client_key.as_deref().unwrap();
            let client_key = match jose::open(shown, &prt.session) {
                Ok(key) => key.expose().clone(),
                Err(_) => BASE64.decode(shown.as_bytes()).unwrap(),
            };
            check_ticket(&field, &client_key, 1101);
            let cloud: TicketField =
                serde_json::from_str(answer.tgt_cloud.as_deref().unwrap()).unwrap();
            assert!(cloud.key_type == 0 && cloud.error.is_some() && cloud.client_key.is_none());
        }
    }
    let plain = Desk::new().await.sign_in().await;
    assert!(plain.answer.tgt_cloud.is_none());
}

#[tokio::test]
async fn a_token_ends_when_nobody_renews_it() {
    let desk = Desk::new().await;
    let prt = desk.sign_in().await;
    desk.house.clock.advance_seconds(14 * 24 * 3600 - 1);
    let renewed = opened(&desk.renewed(&prt, Renewal::default()).await, &prt.session);
    desk.house.clock.advance_seconds(2);
    refused(
        &desk.renewed(&prt, Renewal::default()).await,
        "invalid_grant",
        "token",
    );
    let again = desk
        .house
        .renew(&renewed.refresh_token, &prt.session, &Renewal::default())
        .await;
    opened(&again, &prt.session);
}

#[tokio::test]
async fn what_is_disabled_or_removed_signs_nobody_in_and_renews_nothing() {
    enum Happens {
        UserDisabled,
        UserDeleted,
        DeviceDisabled,
        DeviceRemoved,
        KeyRemoved,
    }
    let check = async |what: Happens, first: (&str, &str), later: (&str, &str)| {
        let desk = Desk::new().await;
        let prt = desk.sign_in().await;
        let (cloud, operator) = (&desk.house.cloud, &Caller::operator());
        match what {
            Happens::UserDisabled => {
                let change = UserChange {
                    account_enabled: Some(false),
                    ..UserChange::default()
                };
                cloud.change_user(operator, desk.user.id, &change).unwrap();
            }
            Happens::UserDeleted => cloud.delete_user(operator, desk.user.id).unwrap(),
            Happens::DeviceDisabled => {
                cloud
                    .enable_device(operator, desk.device.id, false)
                    .unwrap();
            }
            Happens::DeviceRemoved => cloud.remove_device(operator, desk.device.id).unwrap(),
            Happens::KeyRemoved => {
                let id = Base64Url(desk.key.id.clone()).to_string();
                cloud
                    .remove_security_key(operator, desk.user.id, &id)
                    .unwrap();
            }
        }
        let touch = Touch {
            counter: 9,
            ..Touch::default()
        };
        refused(&desk.touched(touch).await, first.0, first.1);
        refused(
            &desk.renewed(&prt, Renewal::default()).await,
            later.0,
            later.1,
        );
    };
    let user = ("invalid_grant", "userDisabled");
    let device = ("invalid_grant", "deviceDisabled");
    check(Happens::UserDisabled, user, user).await;
    // Its devices go with a user, so they are strangers then.
    check(Happens::UserDeleted, ("invalid_client", ""), device).await;
    check(Happens::DeviceDisabled, device, device).await;
    check(Happens::DeviceRemoved, ("invalid_client", ""), device).await;
    let unknown = ("invalid_grant", "keyUnknown");
    check(
        Happens::KeyRemoved,
        unknown,
        ("invalid_grant", "keyRemoved"),
    )
    .await;
}

#[tokio::test]
async fn hostile_forms_are_refused_and_counted() {
    let desk = Desk::new().await;
    let check = async |fields: &[(&str, &str)], error: &str| {
        refused(&desk.house.form(fields).await, error, "");
    };
    check(&[], "unsupported_grant_type").await;
    check(&[("grant_type", "password")], "unsupported_grant_type").await;
    check(&[("grant_type", GRANT_JWT)], "invalid_request").await;
    let many = "A.".repeat(200);
    for request in [
        "",
        ".",
        "..",
        "a.b.c",
        "e30.e30.",
        "e30.e30.AA",
        &many,
        "\0",
        "\u{fffd}..",
    ] {
        check(
            &[("grant_type", GRANT_JWT), ("request", request)],
            "invalid_request",
        )
        .await;
    }
    let claims = Jws::text(
        &Jws::signing_input(
            &Header {
                alg: HS256.into(),
                ..Header::default()
            },
            &json!(["not", "claims"]),
        )
        .unwrap(),
        b"",
    );
    check(
        &[("grant_type", GRANT_JWT), ("request", &claims)],
        "invalid_request",
    )
    .await;
}

#[tokio::test]
async fn an_oversize_form_is_not_read() {
    let desk = Desk::new().await;
    let long = format!("e30.{}.AA", "A".repeat(49 * 1024));
    let reply = desk
        .house
        .form(&[("grant_type", GRANT_JWT), ("request", &long)])
        .await;
    refused(&reply, "invalid_request", "");
    let longer = "A".repeat(65 * 1024);
    let reply = desk
        .house
        .form(&[("grant_type", GRANT_JWT), ("request", &longer)])
        .await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn whoever_fails_often_must_wait() {
    let desk = Desk::new().await;
    let mut last = StatusCode::OK;
    for _ in 0..40 {
        let reply = desk
            .house
            .form(&[("grant_type", GRANT_JWT), ("request", "a.b.c")])
            .await;
        last = reply.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    desk.house.clock.advance_seconds(60);
    desk.sign_in().await;
}

/// It has no signature, so it opens nothing: not as a session, not as a token, not as an assertion, not as a request.
#[tokio::test]
async fn the_id_token_is_for_display_only() {
    let desk = Desk::new().await;
    let prt = desk.sign_in().await;
    let id_token = prt.answer.id_token.as_str();
    for path in [cloud_api::paths::ME, cloud_api::paths::DEVICES] {
        let reply = desk.house.get(path, id_token).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    refused(&desk.house.token(id_token).await, "invalid_request", "");
    let as_token = desk
        .house
        .renew(id_token, &prt.session, &Renewal::default())
        .await;
    refused(&as_token, "invalid_grant", "token");
    let nonce = desk.house.nonce().await;
    let request = by_key(&nonce, id_token.to_owned());
    let reply = desk.house.token(&desk.device.signed(&request)).await;
    refused(&reply, "invalid_request", "");
    // Nor does a primary refresh token open the API.
    let reply = desk.house.get(cloud_api::paths::ME, &prt.token).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn other_proofs_are_not_taken() {
    let desk = Desk::new().await;
    for grant_type in ["password", "device_token", ""] {
        let request = TokenRequest {
            request_nonce: desk.house.nonce().await,
            grant_type: grant_type.into(),
            username: Some("testuser@corp.contoso.com".into()),
            ..TokenRequest::default()
        };
        let reply = desk.house.token(&desk.device.signed(&request)).await;
        refused(&reply, "unsupported_grant_type", "");
    }
}

#[tokio::test]
async fn secrets_are_not_in_what_is_logged() {
    let desk = Desk::new().await;
    desk.house.publish(3, 7);
    let prt = desk.sign_in().await;
    let records = desk
        .house
        .cloud
        .audit(&Caller::operator(), None, 999)
        .unwrap();
    let log = format!("{records:?}");
    assert!(!log.contains(&prt.token));
    let session = Base64Url(prt.session.expose().to_vec()).to_string();
    assert!(!log.contains(&session));
    assert!(!format!("{:?}", prt.session).contains(&session));
}
