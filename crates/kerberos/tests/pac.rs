//! PACs of Windows read and believed, and our own in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

use data_encoding::HEXLOWER_PERMISSIVE;
use kerberos::crypto::{AllowRc4, CryptoError, EncryptionType, Key};
use kerberos::messages::{
    AdType, AuthorizationData, EncTicketPart, EncryptionKey, KerberosTime, PrincipalName,
    TicketFlags, TransitedEncoding,
};
use kerberos::pac::*;
use kerberos::ticket::{pac_of, put_pac};
use proptest::prelude::*;
use types::{Secret, SeededEntropy, Sid, Timestamp};

fn vector(name: &str) -> Vec<u8> {
    let text = include_str!("vectors/windows_pacs.txt");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    HEXLOWER_PERMISSIVE
        .decode(line.trim_start_matches(": ").as_bytes())
        .unwrap()
}

fn aes(byte: u8) -> Key {
    Key::new(EncryptionType::AES256_CTS_HMAC_SHA1_96, &[byte; 32]).unwrap()
}

fn rc4(hex: &str) -> Key {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap();
    Key::with_rc4(EncryptionType::RC4_HMAC, &bytes, AllowRc4::by_policy()).unwrap()
}

fn ticket() -> EncTicketPart {
    let moment = KerberosTime::from(Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap());
    EncTicketPart {
        flags: TicketFlags::FORWARDABLE | TicketFlags::PRE_AUTHENT,
        key: EncryptionKey::from_key(&aes(9)),
        crealm: "CORP.CONTOSO.COM".into(),
        cname: PrincipalName::new(kerberos::messages::NameType::NT_PRINCIPAL, ["testuser"]),
        transited: TransitedEncoding {
            tr_type: 1,
            contents: Vec::new().into(),
        },
        authtime: moment,
        starttime: Some(moment),
        endtime: moment,
        renew_till: None,
        caddr: None,
        authorization_data: None,
    }
}

fn logon_info() -> LogonInfo {
    let domain: Sid = "S-1-5-21-1004336348-1177238915-682003330".parse().unwrap();
    let mut info = LogonInfo::new("testuser", &domain, 1105, 513);
    info.full_name = "Test User".to_owned();
    info.logon_server = "DC1".to_owned();
    info.logon_domain_name = "CORP".to_owned();
    info.user_flags = UserFlags::EXTRA_SIDS;
    info.extra_sids.push(ExtraSid {
        sid: "S-1-18-1".parse().unwrap(),
        attributes: GroupAttributes::ORDINARY,
    });
    info.resource_group_domain_sid = Some(domain);
    info.resource_groups.push(GroupMembership {
        rid: 1200,
        attributes: GroupAttributes::RESOURCE,
    });
    info
}

fn buffers() -> Vec<Buffer> {
    let info = logon_info();
    let client = ClientInfo {
        client_id: ticket().authtime.timestamp(),
        name: "testuser".to_owned(),
    };
    vec![
        Buffer {
            kind: BufferType::LOGON_INFO,
            data: info.encode(),
        },
        Buffer {
            kind: BufferType::CLIENT_INFO,
            data: client.encode(),
        },
        requestor(&info.user_sid().unwrap()),
    ]
}

#[test]
fn the_pac_of_windows_2003_is_read_and_believed() {
    let bytes = vector("saved_pac");
    let pac = Pac::decode(&bytes).unwrap();
    assert_eq!(pac.as_bytes(), bytes);
    let info = LogonInfo::decode(pac.need(BufferType::LOGON_INFO).unwrap()).unwrap();
    assert_eq!(info.effective_name, "W2003FINAL$");
    assert_eq!(
        (info.logon_server.as_str(), info.logon_domain_name.as_str()),
        ("W2003FINAL", "WIN2K3THINK")
    );
    assert_eq!((info.user_id, info.primary_group_id), (1005, 516));
    assert_eq!(
        info.groups,
        [GroupMembership {
            rid: 516,
            attributes: GroupAttributes::ORDINARY
        }]
    );
    assert_eq!(info.extra_sids[0].sid.to_string(), "S-1-5-9");
    assert_eq!(LogonInfo::decode(&info.encode()).unwrap(), info);
    let client = ClientInfo::decode(pac.need(BufferType::CLIENT_INFO).unwrap()).unwrap();
    assert_eq!(client.name, "w2003final$");
    assert_eq!(client.client_id.unix_seconds(), 1_120_440_609);

    let (kdc, member) = (
        rc4("b286757148af7fd252c53603a150b7e7"),
        rc4("d217faeae5e6b5f95ccc94077ab8a5fc"),
    );
    let mut around = ticket();
    put_pac(&mut around, &bytes).unwrap();
    let believed = VerifiedPac::for_service(&around, &member).unwrap().unwrap();
    assert_eq!(believed.evidence(), Evidence::Server);
    assert_eq!(
        VerifiedPac::for_service(&around, &kdc),
        Err(PacError::Signature {
            which: BufferType::SERVER_CHECKSUM,
            why: CryptoError::Integrity
        })
    );
    // CVE-2022-37967: as evidence it lacks the ticket and the full signature.
    assert_eq!(
        VerifiedPac::for_evidence(&around, &member, &kdc, 0),
        Err(PacError::Missing(BufferType::TICKET_CHECKSUM))
    );
    for place in 72..bytes.len() - 24 {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        put_pac(&mut around, &changed).unwrap();
        assert!(
            VerifiedPac::for_service(&around, &member).is_err(),
            "byte {place}"
        );
    }
}

#[test]
fn the_pac_of_windows_2008_is_read() {
    let pac = Pac::decode(&vector("s4u_pac_regular")).unwrap();
    let info = LogonInfo::decode(pac.need(BufferType::LOGON_INFO).unwrap()).unwrap();
    assert_eq!(
        (
            info.effective_name.as_str(),
            info.logon_domain_name.as_str()
        ),
        ("w2k8u", "ACME")
    );
    let upn = UpnDnsInfo::decode(pac.need(BufferType::UPN_DNS_INFO).unwrap()).unwrap();
    assert_eq!(
        (upn.upn.as_str(), upn.dns_domain.as_str(), upn.flags),
        ("w2k8u@abc", "ACME.COM", 0)
    );
    assert_eq!(UpnDnsInfo::decode(&upn.encode()).unwrap(), upn);
    assert_eq!(
        Pac::from_buffers(&pac.to_buffers()).unwrap(),
        pac,
        "our layout is that of Windows"
    );
}

#[test]
fn what_we_sign_we_believe_and_nothing_else() {
    let (server, krbtgt) = (aes(1), aes(2));
    let sign = |kind, rodc, server_key: &Key, kdc_key: &Key| {
        let mut part = ticket();
        part.authorization_data = Some(vec![AuthorizationData::new(AdType::AD_AND_OR, [1])]);
        Signing {
            server_key,
            kdc_key,
            rodc,
            kind,
        }
        .sign_into(&mut part, buffers())
        .unwrap();
        part
    };
    // A service ticket.
    let part = sign(TicketKind::Service, None, &server, &krbtgt);
    let believed = VerifiedPac::for_evidence(&part, &server, &krbtgt, 0)
        .unwrap()
        .unwrap();
    assert_eq!(believed.evidence(), Evidence::Ticket);
    let who = requestor_from(believed.pac().need(BufferType::REQUESTOR).unwrap()).unwrap();
    assert_eq!(Some(who), logon_info().user_sid());
    assert!(VerifiedPac::for_evidence(&part, &krbtgt, &krbtgt, 0).is_err());
    assert!(VerifiedPac::for_evidence(&part, &server, &server, 0).is_err());

    // CVE-2020-17049: a flag of the ticket is set by someone with the service's key.
    let mut forged = part.clone();
    forged.flags = forged.flags | TicketFlags::OK_AS_DELEGATE;
    assert_eq!(
        VerifiedPac::for_evidence(&forged, &server, &krbtgt, 0),
        Err(PacError::Signature {
            which: BufferType::TICKET_CHECKSUM,
            why: CryptoError::Integrity
        })
    );
    assert!(
        VerifiedPac::for_service(&forged, &server)
            .unwrap()
            .is_some(),
        "the server signature cannot tell"
    );

    // A ticket-granting ticket has neither of the two.
    let tgt = sign(TicketKind::Tgt, None, &krbtgt, &krbtgt);
    let believed = VerifiedPac::for_tgt(&tgt, &krbtgt, 0).unwrap().unwrap();
    assert_eq!(believed.pac().buffer(BufferType::TICKET_CHECKSUM), None);
    assert_eq!(believed.pac().buffer(BufferType::FULL_CHECKSUM), None);

    // Of a read-only domain controller: the identifier is there, and only the right one passes.
    let rodc_key = aes(3);
    let partial = sign(TicketKind::Tgt, Some(0x8001), &rodc_key, &rodc_key);
    let believed = VerifiedPac::for_tgt(&partial, &rodc_key, 0x8001)
        .unwrap()
        .unwrap();
    let signature = believed.pac().need(BufferType::KDC_CHECKSUM).unwrap();
    assert_eq!((signature.len(), &signature[16..]), (18, &[0x01, 0x80][..]));
    assert!(matches!(
        VerifiedPac::for_tgt(&partial, &rodc_key, 7),
        Err(PacError::WrongRodc {
            need: 7,
            have: 0x8001,
            ..
        })
    ));
    assert!(VerifiedPac::for_tgt(&partial, &krbtgt, 0x8001).is_err());
    // Left out, as some writers do, it passes.
    let without = sign(TicketKind::Tgt, None, &rodc_key, &rodc_key);
    assert!(
        VerifiedPac::for_tgt(&without, &rodc_key, 0x8001)
            .unwrap()
            .is_some()
    );
    let service = sign(TicketKind::Service, Some(5), &server, &rodc_key);
    assert!(
        VerifiedPac::for_evidence(&service, &server, &rodc_key, 5)
            .unwrap()
            .is_some()
    );

    // No PAC is no error here; the KDC decides.
    assert_eq!(VerifiedPac::for_tgt(&ticket(), &krbtgt, 0), Ok(None));
}

#[test]
fn every_bit_of_a_service_tickets_pac_is_covered() {
    let (server, krbtgt) = (aes(1), aes(2));
    let mut part = ticket();
    Signing {
        server_key: &server,
        kdc_key: &krbtgt,
        rodc: None,
        kind: TicketKind::Service,
    }
    .sign_into(&mut part, buffers())
    .unwrap();
    let bytes = pac_of(&part).unwrap().unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 0x10;
        put_pac(&mut part, &changed).unwrap();
        assert!(
            VerifiedPac::for_evidence(&part, &server, &krbtgt, 0).is_err(),
            "byte {place}"
        );
    }
}

#[test]
fn the_checksum_type_must_be_the_keys_own() {
    let key = aes(2);
    let mut part = ticket();
    Signing {
        server_key: &key,
        kdc_key: &key,
        rodc: None,
        kind: TicketKind::Tgt,
    }
    .sign_into(&mut part, buffers())
    .unwrap();
    let mut list = Pac::decode(&pac_of(&part).unwrap().unwrap())
        .unwrap()
        .to_buffers();
    for buffer in &mut list {
        if buffer.kind == BufferType::SERVER_CHECKSUM {
            buffer.data = [&(-138i32).to_le_bytes()[..], &[0; 16]].concat();
        }
    }
    put_pac(&mut part, Pac::from_buffers(&list).unwrap().as_bytes()).unwrap();
    assert!(matches!(
        VerifiedPac::for_tgt(&part, &key, 0),
        Err(PacError::Signature {
            why: CryptoError::ChecksumType { .. },
            ..
        })
    ));
}

#[test]
fn containers_that_two_readers_could_read_differently_are_refused() {
    let pac = vector("saved_pac");
    let change = |place: usize, byte: u8| {
        let mut changed = pac.clone();
        changed[place] = byte;
        Pac::decode(&changed)
    };
    assert_eq!(
        change(24, 1),
        Err(PacError::Duplicate(BufferType::LOGON_INFO))
    );
    assert!(change(4, 1).is_err(), "version");
    assert!(change(0, 65).is_err(), "too many buffers");
    assert!(change(16, 0x44).is_err(), "not aligned");
    assert!(change(16, 0x08).is_err(), "in the table");
    assert!(change(33, 0x01).is_err(), "overlap");
    assert!(change(23, 0xFF).is_err(), "offset beyond everything");
    assert!(change(15, 0xFF).is_err(), "size beyond everything");
    let mut twice = ticket();
    let one =
        AuthorizationData::if_relevant(&vec![AuthorizationData::new(AdType::AD_WIN2K_PAC, [0])])
            .unwrap();
    twice.authorization_data = Some(vec![one.clone(), one]);
    assert!(pac_of(&twice).is_err());
}

#[test]
fn credentials_open_with_the_reply_key_alone() {
    let (key, mut entropy) = (aes(4), SeededEntropy::new(1));
    let hash = NtlmCredential {
        nt_hash: Some(Secret::new([7; 16])),
    };
    let sealed = CredentialInfo::seal(&[hash.to_supplemental()], &key, &mut entropy).unwrap();
    let read = CredentialInfo::decode(&sealed.encode()).unwrap();
    let opened = read.open(&key).unwrap();
    assert_eq!(opened[0].package, "NTLM");
    assert_eq!(
        NtlmCredential::decode(opened[0].credentials.expose()).unwrap(),
        hash
    );
    assert!(read.open(&aes(5)).is_err());
}

#[test]
fn small_buffers_go_there_and_back() {
    let info = logon_info();
    assert_eq!(LogonInfo::decode(&info.encode()).unwrap(), info);
    assert_eq!(info.sids().len(), 4);
    let upn = UpnDnsInfo {
        upn: "testuser@corp.contoso.com".to_owned(),
        dns_domain: "CORP.CONTOSO.COM".to_owned(),
        flags: 2,
        sam: Some(("testuser".to_owned(), info.user_sid().unwrap())),
    };
    assert_eq!(UpnDnsInfo::decode(&upn.encode()).unwrap(), upn);
    let delegation = DelegationInfo {
        proxy_target: "cifs/files".to_owned(),
        transited_services: vec!["http/web@CORP.CONTOSO.COM".to_owned(), "x".to_owned()],
    };
    assert_eq!(
        DelegationInfo::decode(&delegation.encode()).unwrap(),
        delegation
    );
    let attributes = PacAttributes::REQUESTED;
    assert_eq!(attributes.to_bytes(), [2, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(
        PacAttributes::from_bytes(&attributes.to_bytes()),
        Ok(attributes)
    );
}

proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Pac::decode(&bytes);
        let _ = LogonInfo::decode(&bytes);
        let _ = ClientInfo::decode(&bytes);
        let _ = UpnDnsInfo::decode(&bytes);
        let _ = DelegationInfo::decode(&bytes);
        let _ = CredentialInfo::decode(&bytes);
    }

    #[test]
    fn no_change_of_a_real_pac_panics(place in 0usize..472, byte in any::<u8>()) {
        let pac = vector("saved_pac");
        let mut logon = Pac::decode(&pac).unwrap().buffer(BufferType::LOGON_INFO).unwrap().to_vec();
        logon[place] = byte;
        if let Ok(info) = LogonInfo::decode(&logon) {
            prop_assert_eq!(LogonInfo::decode(&info.encode()).unwrap(), info);
        }
    }
}
