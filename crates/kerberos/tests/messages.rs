//! Messages against MIT krb5's reference encodings (`src/tests/asn.1/reference_encode.out`), and at their edges.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

use data_encoding::HEXLOWER_PERMISSIVE;
use kerberos::messages::*;
use proptest::prelude::*;
use types::Timestamp;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).unwrap()
}

#[test]
fn reference_encodings_are_read_and_written_again() {
    type Again = fn(&[u8]) -> Result<Vec<u8>, Malformed>;
    fn der<T: Der>(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        T::from_der(bytes)?.to_der()
    }
    let request: Again = |bytes| KdcRequest::from_der(bytes)?.to_der();
    let reply: Again = |bytes| KdcReply::from_der(bytes)?.to_der();
    let tgs_part: Again = |bytes| EncKdcRepPart::from_reply(bytes)?.to_tgs_reply();
    let table: &[(&str, Again)] = &[
        ("authenticator", der::<Authenticator>),
        ("ticket", der::<Ticket>),
        ("keyblock", der::<EncryptionKey>),
        ("enc_tkt_part", der::<EncTicketPart>),
        ("enc_kdc_rep_part", tgs_part),
        ("as_rep", reply),
        ("tgs_rep", reply),
        ("ap_req", der::<ApReq>),
        ("ap_rep", der::<ApRep>),
        ("ap_rep_enc_part", der::<EncApRepPart>),
        ("as_req", request),
        ("tgs_req", request),
        ("kdc_req_body", der::<KdcReqBody>),
        ("safe", der::<KrbSafe>),
        ("priv", der::<KrbPriv>),
        ("enc_priv_part", der::<EncKrbPrivPart>),
        ("cred", der::<KrbCred>),
        ("enc_cred_part", der::<EncKrbCredPart>),
        ("error", der::<KrbError>),
        ("authorization_data", der::<Vec<AuthorizationData>>),
        ("padata_sequence", der::<Vec<PaData>>),
        ("typed_data", der::<Vec<TypedData>>),
        ("etype_info2", der::<Vec<EtypeInfo2Entry>>),
        ("pa_enc_ts", der::<PaEncTsEnc>),
        ("pa_for_user", der::<PaForUser>),
        ("pa_s4u_x509_user", der::<PaS4uX509User>),
        ("enc_data", der::<EncryptedData>),
        ("fast_response", der::<KrbFastResponse>),
        ("pa_fx_fast_reply", der::<PaFxFastReply>),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for line in include_str!("vectors/mit_reference_encode.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (name, bytes) = line.split_once(": ").unwrap();
        let name = name
            .split('(')
            .next()
            .unwrap()
            .trim_start_matches("encode_krb5_");
        let Some((name, again)) = table.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        let bytes = hex(bytes);
        assert_eq!(again(&bytes).as_deref(), Ok(bytes.as_slice()), "{line}");
        seen.insert(name);
        // Cut anywhere, it is refused.
        for cut in 0..bytes.len() {
            assert!(again(&bytes[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
    let missing: Vec<_> = table
        .iter()
        .filter(|(name, _)| !seen.contains(name))
        .map(|(name, _)| name)
        .collect();
    assert!(missing.is_empty(), "no reference for {missing:?}");
}

#[test]
fn the_key_version_of_a_read_only_domain_controller_is_negative() {
    let check = |wire: &str, rodc: u16, version: u16| {
        let data = EncryptedData::from_der(&hex(wire)).unwrap();
        assert_eq!(data.key_version(), Some(Kvno { rodc, version }));
        assert_eq!(data.to_der().unwrap(), hex(wire));
    };
    check("3010a003020112a1050203010002a2020400", 1, 2);
    check("3011a003020112a106020480010002a2020400", 0x8001, 2);
    check("3010a003020112a1050203ff0002a2020400", 0xFFFF, 2);
    check("300ea003020112a103020102a2020400", 0, 2);
    // Unsigned, as some clients write it: read as the same key.
    let unsigned =
        EncryptedData::from_der(&hex("3012a003020112a107020500ffff0002a2020400")).unwrap();
    assert_eq!(
        unsigned.key_version(),
        Some(Kvno {
            rodc: 0xFFFF,
            version: 2
        })
    );
    assert_eq!(
        Kvno {
            rodc: 0x8000,
            version: 3
        }
        .to_wire(),
        -2_147_483_645
    );
    assert_eq!(Kvno::from_wire(1 << 40), None);
}

#[test]
fn key_list_requests_are_as_documented() {
    let asked: KerbKeyListReq = Vec::from_der(&hex("3003020117")).unwrap();
    assert_eq!(asked, [kerberos::crypto::EncryptionType::RC4_HMAC]);
    assert_eq!(asked.to_der().unwrap(), hex("3003020117"));
}

#[test]
fn names_keep_their_bytes_and_print_safely() {
    let name = KerberosString::new(b"t\xC3\xA9st\x07\xFF".to_vec());
    let der = name.to_der().unwrap();
    assert_eq!(KerberosString::from_der(&der).unwrap(), name);
    assert_eq!(name.to_string(), "tést\\u{7}\\xff");
    assert_eq!(
        PrincipalName::krbtgt("CORP.CONTOSO.COM").to_string(),
        "krbtgt/CORP.CONTOSO.COM"
    );
}

#[test]
fn times_have_no_fraction() {
    let moment = KerberosTime::from(Timestamp::parse_rfc3339("2026-06-10T05:06:07.9Z").unwrap());
    assert_eq!(moment.to_der().unwrap(), b"\x18\x0f20260610050607Z");
    for bad in [
        "20260610050607.0Z",
        "202606100506Z",
        "20261310050607Z",
        "2026061005060+Z",
        "00000610050607Z",
    ] {
        let mut der = vec![0x18, u8::try_from(bad.len()).unwrap()];
        der.extend_from_slice(bad.as_bytes());
        assert!(KerberosTime::from_der(&der).is_err(), "{bad}");
    }
    assert_eq!(KerberosTime::never().to_string(), "2037-09-13T02:48:05Z");
}

#[test]
fn deep_and_long_messages_are_refused() {
    let mut deep = hex("0500");
    for _ in 0..5000 {
        let mut outer = vec![0xA0, 0x84];
        outer.extend(u32::try_from(deep.len()).unwrap().to_be_bytes());
        outer.append(&mut deep);
        deep = outer;
    }
    assert!(KdcRequest::from_der(&deep).is_err());
    assert!(Ticket::from_der(&deep).is_err());
    let long = vec![0x30; MESSAGE_BYTES_MAX + 1];
    assert!(matches!(
        Ticket::from_der(&long),
        Err(Malformed::TooLarge { .. })
    ));
}

#[test]
fn secrets_do_not_print() {
    let key = EncryptionKey::from_der(&hex("3011a003020101a10a04083132333435363738")).unwrap();
    assert!(!format!("{key:?}").contains("49"), "{key:?}");
}

proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = KdcRequest::from_der(&bytes);
        let _ = KdcReply::from_der(&bytes);
        let _ = KrbError::from_der(&bytes);
        let _ = ApReq::from_der(&bytes);
        let _ = EncTicketPart::from_der(&bytes);
        let _ = EncKdcRepPart::from_reply(&bytes);
        let _ = KrbCred::from_der(&bytes);
        let _ = PaFxFastRequest::from_der(&bytes);
    }

    #[test]
    fn kvno_round_trips(rodc in any::<u16>(), version in any::<u16>()) {
        let kvno = Kvno { rodc, version };
        prop_assert_eq!(Kvno::from_wire(kvno.to_wire()), Some(kvno));
    }

    #[test]
    fn a_changed_message_is_refused_or_written_again(
        line in 0usize..50,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let text = include_str!("vectors/mit_reference_encode.txt");
        let mut bytes = hex(text.lines().nth(line + 1).unwrap().split_once(": ").unwrap().1);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(request) = KdcRequest::from_der(&bytes) {
            prop_assert_eq!(KdcRequest::from_der(&request.to_der().unwrap()).unwrap(), request);
        }
        if let Ok(reply) = KdcReply::from_der(&bytes) {
            prop_assert_eq!(KdcReply::from_der(&reply.to_der().unwrap()).unwrap(), reply);
        }
        if let Ok(part) = EncKdcRepPart::from_reply(&bytes) {
            prop_assert_eq!(EncKdcRepPart::from_reply(&part.to_as_reply().unwrap()).unwrap(), part);
        }
        again::<Ticket>(&bytes);
        again::<EncTicketPart>(&bytes);
        again::<ApReq>(&bytes);
        again::<Authenticator>(&bytes);
        again::<ApRep>(&bytes);
        again::<KrbSafe>(&bytes);
        again::<KrbCred>(&bytes);
        again::<EncKrbCredPart>(&bytes);
        again::<KrbError>(&bytes);
        again::<Vec<PaData>>(&bytes);
        again::<Vec<TypedData>>(&bytes);
        again::<Vec<EtypeInfo2Entry>>(&bytes);
        again::<PaForUser>(&bytes);
        again::<PaS4uX509User>(&bytes);
        again::<PaFxFastReply>(&bytes);
    }
}

fn again<T: Der + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(value) = T::from_der(bytes) {
        assert_eq!(T::from_der(&value.to_der().unwrap()).unwrap(), value);
    }
}
