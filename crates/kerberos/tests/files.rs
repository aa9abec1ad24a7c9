//! Ticket files and keytabs against MIT's own bytes, and at their edges.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

use data_encoding::HEXLOWER_PERMISSIVE;
use kerberos::crypto::{EncryptionType, Key};
use kerberos::files::*;
use kerberos::messages::*;
use proptest::prelude::*;
use types::{SeededEntropy, Timestamp};

fn mit_cache() -> Vec<u8> {
    let line = include_str!("vectors/mit_ccache_v4.txt")
        .lines()
        .nth(1)
        .unwrap();
    HEXLOWER_PERMISSIVE.decode(line.as_bytes()).unwrap()
}

fn principal(parts: &[&str]) -> Principal {
    Principal {
        name: PrincipalName::new(NameType::NT_PRINCIPAL, parts.iter().copied()),
        realm: "CORP.CONTOSO.COM".into(),
    }
}

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::from_key(
        &Key::new(EncryptionType::AES256_CTS_HMAC_SHA1_96, &[byte; 32]).unwrap(),
    )
}

#[test]
fn the_cache_of_mit_is_read_and_written_again() {
    let bytes = mit_cache();
    let cache = CredentialCache::decode(&bytes).unwrap();
    assert_eq!(cache.encode().unwrap(), bytes);
    assert_eq!(
        cache.default_principal.to_string(),
        "testclient@KRBTEST.COM"
    );
    assert_eq!(cache.header, [(1, vec![0, 0, 1, 0x2C, 0, 0, 0xD4, 0x31])]);
    let [first, second] = cache.credentials.as_slice() else {
        panic!("two credentials");
    };
    assert_eq!(first.server.to_string(), "test/host@EXAMPLE.COM");
    assert_eq!(first.authtime.unix_seconds(), 11);
    assert_eq!(first.endtime.unix_seconds(), 3333);
    assert_eq!(first.addresses[0].address.as_ref(), [10, 0, 0, 1]);
    assert_eq!(first.authdata[0].ad_type, AdType(512));
    assert_eq!(first.authdata[1].ad_type, AdType(-100));
    assert_eq!(
        first.flags,
        TicketFlags::FORWARDABLE | TicketFlags::RENEWABLE
    );
    assert!(second.is_session_key);
    assert_eq!(second.second_ticket, b"2ticket");
    for cut in [0, 1, 2, 3, 15, 16, 30, 54, 100, bytes.len() - 1] {
        assert!(
            matches!(
                CredentialCache::decode(&bytes[..cut]),
                Err(FileError::Truncated { .. })
            ),
            "{cut}"
        );
    }
    let mut old = bytes;
    old[1] = 3;
    assert!(matches!(
        CredentialCache::decode(&old),
        Err(FileError::Version { have: [5, 3], .. })
    ));
}

#[test]
fn keytabs_keep_wide_versions_and_skip_holes() {
    let entry = |kvno, byte| KeytabEntry {
        principal: principal(&["HTTP", "web.corp.contoso.com"]),
        timestamp: Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap(),
        kvno,
        key: key(byte),
    };
    let keytab = Keytab {
        entries: vec![entry(2, 1), entry(65538, 2)],
    };
    let bytes = keytab.encode().unwrap();
    assert_eq!(Keytab::decode(&bytes).unwrap(), keytab);
    let found = keytab.find(
        &entry(0, 0).principal,
        EncryptionType::AES256_CTS_HMAC_SHA1_96,
        None,
    );
    assert_eq!(found.unwrap().kvno, 65538);
    assert!(
        keytab
            .find(
                &principal(&["HTTP"]),
                EncryptionType::AES256_CTS_HMAC_SHA1_96,
                None
            )
            .is_none()
    );

    // A hole of four bytes before everything else.
    let mut holed = bytes[..2].to_vec();
    holed.extend((-4i32).to_be_bytes());
    holed.extend([9; 4]);
    holed.extend(&bytes[2..]);
    assert_eq!(Keytab::decode(&holed).unwrap(), keytab);
    // The largest hole there is does not overflow.
    let huge = [&bytes[..2], &i32::MIN.to_be_bytes()].concat();
    assert!(matches!(
        Keytab::decode(&huge),
        Err(FileError::Truncated { .. })
    ));

    // Without the wide version, as old writers left it.
    let narrow = [&bytes[..2], &short_entry(&bytes[2..])].concat();
    assert_eq!(Keytab::decode(&narrow).unwrap().entries, [entry(2, 1)]);
}

/// The first entry without its last four bytes.
fn short_entry(entries: &[u8]) -> Vec<u8> {
    let size = i32::from_be_bytes(entries[..4].try_into().unwrap()) - 4;
    let length = usize::try_from(size).unwrap();
    [&size.to_be_bytes()[..], &entries[4..4 + length]].concat()
}

#[test]
fn kirbi_and_cache_hold_the_same_ticket() {
    let mut entropy = SeededEntropy::new(3);
    let moment = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
    let sealing = Key::new(EncryptionType::AES256_CTS_HMAC_SHA1_96, &[1; 32]).unwrap();
    let server = Principal {
        name: PrincipalName::krbtgt("CORP.CONTOSO.COM"),
        realm: "CORP.CONTOSO.COM".into(),
    };
    let part = EncTicketPart {
        flags: TicketFlags::INITIAL,
        key: key(9),
        crealm: "CORP.CONTOSO.COM".into(),
        cname: principal(&["testuser"]).name,
        transited: TransitedEncoding {
            tr_type: 1,
            contents: Vec::new().into(),
        },
        authtime: moment.into(),
        starttime: None,
        endtime: moment.into(),
        renew_till: None,
        caddr: None,
        authorization_data: None,
    };
    let ticket = Ticket::seal(
        server.realm.clone(),
        server.name.clone(),
        &part,
        &sealing,
        None,
        &mut entropy,
    )
    .unwrap();
    let credential = Credential {
        client: principal(&["testuser"]),
        server,
        key: key(9),
        authtime: moment,
        starttime: moment,
        endtime: moment.plus_seconds(36000),
        renew_till: Timestamp::from_unix_seconds(0),
        is_session_key: false,
        flags: TicketFlags::INITIAL,
        addresses: vec![],
        authdata: vec![],
        ticket: ticket.to_der().unwrap(),
        second_ticket: vec![],
    };
    let file = kirbi_from_credentials(&[&credential]).unwrap();
    assert_eq!(file[0], 0x76, "application 22");
    assert_eq!(
        credentials_from_kirbi(&file).unwrap(),
        std::slice::from_ref(&credential)
    );
    let mut cache = CredentialCache::new(principal(&["testuser"]));
    cache.credentials.push(credential);
    assert_eq!(
        CredentialCache::decode(&cache.encode().unwrap()).unwrap(),
        cache
    );
    assert_eq!(cache.tickets().count(), 1);

    // Encrypted, it needs a key.
    let cred = KrbCred::from_der(&file).unwrap();
    let sealed = KrbCred::seal(
        cred.tickets.clone(),
        &cred.open(None).unwrap(),
        Some(&sealing),
        &mut entropy,
    )
    .unwrap();
    assert!(credentials_from_kirbi(&sealed.to_der().unwrap()).is_err());
    assert_eq!(
        sealed.open(Some(&sealing)).unwrap(),
        cred.open(None).unwrap()
    );
}

proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = CredentialCache::decode(&[&[5, 4], &bytes[..]].concat());
        let _ = Keytab::decode(&[&[5, 2], &bytes[..]].concat());
        let _ = credentials_from_kirbi(&bytes);
    }

    #[test]
    fn a_changed_cache_is_refused_or_survives(place in 0usize..347, byte in any::<u8>()) {
        let mut bytes = mit_cache();
        bytes[place] = byte;
        if let Ok(cache) = CredentialCache::decode(&bytes) {
            prop_assert_eq!(CredentialCache::decode(&cache.encode().unwrap()).unwrap(), cache);
        }
    }
}

/// Against Heimdal's manager, November 2026: what was sent, and what came back.
#[test]
fn managers_are_asked_as_heimdal_understands() {
    let cache = CredentialCache::decode(&mit_cache()).unwrap();
    let principal = &cache.default_principal;
    let name_of_principal =
        "00000001 00000001 0000000b 4b5242544553542e434f4d 0000000a 74657374636c69656e74";
    let check = |request: kcm::Request<'_>, expected: &str| {
        let expected = HEXLOWER_PERMISSIVE
            .decode(expected.replace(' ', "").as_bytes())
            .unwrap();
        assert_eq!(request.encode().unwrap(), expected, "{request:?}");
    };
    check(kcm::Request::DefaultCache, "00000004 02000014");
    check(kcm::Request::NewName, "00000004 02000003");
    check(kcm::Request::PrincipalOf("0"), "00000006 02000008 3000");
    check(
        kcm::Request::Initialize {
            cache: "0",
            principal,
        },
        &format!("0000002b 02000004 3000 {name_of_principal}"),
    );
    check(
        kcm::Request::Move {
            from: "0:1",
            to: "0",
        },
        "0000000a 02000011 303a3100 3000",
    );
    let handle = kcm::Handle([7; 16]);
    check(
        kcm::Request::Credential { cache: "0", handle },
        "00000016 0200000a 3000 07070707070707070707070707070707",
    );
    assert!(kcm::Request::Destroy("a\0b").encode().is_err());

    let stored = kcm::Request::Store {
        cache: "0",
        credential: &cache.credentials[0],
    };
    let stored = stored.encode().unwrap();
    assert_eq!(stored.len(), 4 + 4 + 2 + 173);
    assert_eq!(
        Credential::from_bytes(&stored[10..]),
        Ok(cache.credentials[0].clone())
    );
}

#[test]
fn answers_of_managers_are_read_and_broken_ones_are_not() {
    let answer = |bytes: &[u8]| kcm::Answer::decode(bytes).map(|answer| answer.code);
    assert_eq!(kcm::answer_length([0, 0, 0, 6, 0, 0, 0, 0]), Ok(6));
    assert_eq!(
        kcm::answer_length([0, 0, 0, 6, 0, 0, 0, 13]),
        Err(kcm::AnswerError::Status(13))
    );
    assert!(matches!(
        kcm::answer_length([0xFF, 0, 0, 0, 0, 0, 0, 0]),
        Err(kcm::AnswerError::TooLarge { .. })
    ));
    assert_eq!(answer(&[0, 0, 0, 0]), Ok(kcm::Code::OK));
    assert_eq!(answer(&[0x96, 0xC7, 0x3A, 0xC3]), Ok(kcm::Code::NO_CACHE));
    assert_eq!(answer(&[0, 0, 0]), Err(kcm::AnswerError::Cut("code")));
    fn of(value: &[u8]) -> kcm::Answer<'_> {
        let code = kcm::Code::OK;
        kcm::Answer { code, value }
    }
    assert_eq!(of(b"0:1\0").cache_name().unwrap(), "0:1");
    assert_eq!(of(b"0:1").cache_name(), Err(kcm::AnswerError::Cut("name")));
    assert_eq!(of(b"\xFF\0").cache_name(), Err(kcm::AnswerError::NoText));
    assert_eq!(of(b"").principal(), Ok(None));
    assert!(of(b"\0").principal().is_err());
    assert_eq!(of(&[7; 32]).handles().unwrap().len(), 2);
    assert_eq!(of(&[7; 33]).handles(), Err(kcm::AnswerError::Cut("handle")));
    let mut twice = principal(&["a"]).to_bytes().unwrap();
    assert_eq!(of(&twice).principal(), Ok(Some(principal(&["a"]))));
    twice.push(0);
    assert!(matches!(
        of(&twice).principal(),
        Err(kcm::AnswerError::Value(FileError::Surplus { left: 1, .. }))
    ));
}

#[test]
fn a_renewed_ticket_takes_the_place_of_the_old_one() {
    let mut cache = CredentialCache::decode(&mit_cache()).unwrap();
    let before = cache.credentials.len();
    let mut renewed = cache.credentials[0].clone();
    renewed.endtime = Timestamp::from_unix_seconds(7777);
    cache.put(renewed.clone());
    assert_eq!(cache.credentials.len(), before);
    assert_eq!(cache.credentials[0], renewed);
    assert_eq!(cache.ends(), Some(Timestamp::from_unix_seconds(7777)));
    // For another service, or in another client's name, it is another ticket.
    let mut other = renewed.clone();
    other.client = principal(&["somebody"]);
    cache.put(other);
    let mut other = renewed;
    other.server = principal(&["cifs", "files"]);
    cache.put(other);
    assert_eq!(cache.credentials.len(), before + 2);
}

#[test]
fn configuration_goes_with_its_principal() {
    let mut entry = CredentialCache::decode(&mit_cache()).unwrap().credentials[0].clone();
    entry.client = principal(&["testuser"]);
    entry.server = principal(&["krb5_ccache_conf_data", "pa_type"]);
    entry.server.realm = "X-CACHECONF:".into();
    entry.ticket = b"2".to_vec();
    let mut older = CredentialCache::new(principal(&["testuser"]));
    older.put(entry.clone());
    let check = |of: &[&str], own: Option<&Credential>, expected: &[&[u8]]| {
        let mut newer = CredentialCache::new(principal(of));
        newer.credentials.extend(own.cloned());
        newer.keep_configuration(&older);
        let values: Vec<&[u8]> = newer.credentials.iter().map(|c| &*c.ticket).collect();
        assert_eq!(values, expected);
    };
    let mut newer = entry.clone();
    newer.ticket = b"16".to_vec();
    check(&["testuser"], None, &[b"2"]);
    check(&["testuser"], Some(&newer), &[b"16"]);
    check(&["somebody"], None, &[]);
}
