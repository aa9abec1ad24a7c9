//! The partial ticket granting ticket of Cloud Kerberos Trust: an AS-REP that the cloud writes itself.
//!
//! The ticket is sealed and its PAC signed with the key of the Kerberos server object, so that to a domain controller it is
//! a ticket of a read-only domain controller with that object's number (MS-KILE 3.1.5.8, MS-PAC 2.8). Its PAC says who the
//! user is and nothing else: logon information without groups, the name, the attributes, the requester's SID, and both
//! signatures. The reply is sealed with a client key that is new each time (RFC 4120 5.4.2, key usage 3).

use kerberos::crypto::{CryptoError, EncryptionType, Key, KeyUsage};
use kerberos::messages::{
    EncKdcRepPart, EncTicketPart, EncryptionKey, KdcReply, KerberosTime, Kvno, LastReqEntry,
    Malformed, NameType, PrincipalName, Realm, RequestKind, Ticket, TicketFlags, TransitedEncoding,
};
use kerberos::pac::{
    Buffer, BufferType, ClientInfo, LogonInfo, PacAttributes, PacError, Signing, TicketKind,
    requestor,
};
use kerberos::ticket::SealError;
use types::{Entropy, Secret, Sid, Timestamp};

/// The key that mints for a domain.
pub(crate) struct MintingKey {
    pub(crate) realm: String,
    pub(crate) netbios: String,
    pub(crate) number: u16,
    pub(crate) version: u16,
    pub(crate) key: Secret<[u8; 32]>,
}

/// For whom.
pub(crate) struct Subject<'a> {
    pub(crate) account: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) sid: &'a Sid,
}

/// How long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) ticket_s: i64,
    pub(crate) renewable_s: i64,
}

impl Default for Lifetime {
    /// Ten hours, seven days: what a domain gives too.
    fn default() -> Self {
        Self {
            ticket_s: 10 * 3600,
            renewable_s: 7 * 24 * 3600,
        }
    }
}

/// A partial ticket and the key that opens its message.
pub(crate) struct PartialTicket {
    pub(crate) message: Vec<u8>,
    pub(crate) client_key: Secret<[u8; 32]>,
}

/// Why no ticket could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoTicket {
    #[error("the SID {0} is not of a domain")]
    Sid(Sid),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Pac(#[from] PacError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

const ETYPE: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;
const DOMAIN_USERS: u32 = 513;

/// Mints.
pub(crate) fn mint(
    minting: &MintingKey,
    subject: &Subject<'_>,
    lifetime: Lifetime,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<PartialTicket, NoTicket> {
    let sealing = Key::new(ETYPE, minting.key.expose())?;
    let session = Key::generate(ETYPE, entropy)?;
    let client_key = Secret::filled_by(|octets: &mut [u8; 32]| entropy.fill(octets));
    let realm = Realm::from(minting.realm.as_str());
    let cname = PrincipalName::new(NameType::NT_PRINCIPAL, [subject.account]);
    let sname = PrincipalName::krbtgt(&minting.realm);
    let start = KerberosTime::new(now);
    let flags = TicketFlags::INITIAL
        | TicketFlags::PRE_AUTHENT
        | TicketFlags::FORWARDABLE
        | TicketFlags::RENEWABLE
        | TicketFlags::ENC_PA_REP;
    let mut part = EncTicketPart {
        flags,
        key: EncryptionKey::from_key(&session),
        crealm: realm.clone(),
        cname: cname.clone(),
        transited: TransitedEncoding {
            tr_type: 0,
            contents: Vec::new().into(),
        },
        authtime: start,
        starttime: Some(start),
        endtime: KerberosTime::new(now.plus_seconds(lifetime.ticket_s)),
        renew_till: Some(KerberosTime::new(now.plus_seconds(lifetime.renewable_s))),
        caddr: None,
        authorization_data: None,
    };
    let signing = Signing {
        server_key: &sealing,
        kdc_key: &sealing,
        rodc: Some(minting.number),
        kind: TicketKind::Tgt,
    };
    signing.sign_into(&mut part, buffers(minting, subject, start.timestamp())?)?;
    let kvno = Kvno {
        rodc: minting.number,
        version: minting.version,
    };
    let ticket = Ticket::seal(
        realm.clone(),
        sname.clone(),
        &part,
        &sealing,
        Some(kvno),
        entropy,
    )?;
    let reply_key = Key::new(ETYPE, client_key.expose())?;
    let enc_part = EncKdcRepPart {
        key: part.key.clone(),
        last_req: vec![LastReqEntry {
            lr_type: 0,
            lr_value: start,
        }],
        // There was no request.
        nonce: 0,
        key_expiration: None,
        flags,
        authtime: part.authtime,
        starttime: part.starttime,
        endtime: part.endtime,
        renew_till: part.renew_till,
        srealm: realm.clone(),
        sname,
        caddr: None,
        encrypted_pa_data: None,
    };
    let reply = KdcReply {
        kind: RequestKind::As,
        padata: Vec::new(),
        crealm: realm,
        cname,
        ticket,
        enc_part: enc_part.seal(
            RequestKind::As,
            &reply_key,
            None,
            KeyUsage::AS_REP_ENC_PART,
            entropy,
        )?,
    };
    Ok(PartialTicket {
        message: reply.to_der()?,
        client_key,
    })
}

/// Identity, and nothing else.
fn buffers(
    minting: &MintingKey,
    subject: &Subject<'_>,
    authtime: Timestamp,
) -> Result<Vec<Buffer>, NoTicket> {
    let not_of_domain = || NoTicket::Sid(subject.sid.clone());
    let domain = subject.sid.domain().ok_or_else(not_of_domain)?;
    let rid = subject.sid.rid().ok_or_else(not_of_domain)?;
    let mut logon = LogonInfo::new(subject.account, &domain, rid, DOMAIN_USERS);
    logon.logon_time = authtime;
    subject.display_name.clone_into(&mut logon.full_name);
    logon.logon_domain_name.clone_from(&minting.netbios);
    let named = ClientInfo {
        client_id: authtime,
        name: subject.account.to_owned(),
    };
    let buffer = |kind, data| Buffer { kind, data };
    Ok(vec![
        buffer(BufferType::LOGON_INFO, logon.encode()),
        buffer(BufferType::CLIENT_INFO, named.encode()),
        buffer(
            BufferType::ATTRIBUTES_INFO,
            PacAttributes::REQUESTED.to_bytes(),
        ),
        requestor(subject.sid),
    ])
}

#[cfg(test)]
mod tests {
    use kerberos::pac::VerifiedPac;
    use types::SeededEntropy;

    use super::*;

    #[test]
    fn the_ticket_is_of_a_read_only_server_and_says_who() {
        let minting = MintingKey {
            realm: "CORP.CONTOSO.COM".to_owned(),
            netbios: "CORP".to_owned(),
            number: 0x9ABC,
            version: 3,
            key: Secret::new([7; 32]),
        };
        let sid = Sid::nt(&[21, 1, 2, 3, 1104]);
        let subject = Subject {
            account: "testuser",
            display_name: "Test User",
            sid: &sid,
        };
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let mut entropy = SeededEntropy::new(1);
        let minted = mint(&minting, &subject, Lifetime::default(), now, &mut entropy).unwrap();

        let reply = KdcReply::from_der(&minted.message).unwrap();
        let client_key = Key::new(ETYPE, minted.client_key.expose()).unwrap();
        let told = reply.open(&client_key, KeyUsage::AS_REP_ENC_PART).unwrap();
        let kvno = reply.ticket.enc_part.key_version().unwrap();
        assert_eq!((kvno.rodc, kvno.version), (0x9ABC, 3));
        assert!(
            reply.ticket.enc_part.kvno.unwrap() < 0,
            "signed on the wire"
        );
        let krbtgt = Key::new(ETYPE, &[7; 32]).unwrap();
        let part = reply.ticket.open(&krbtgt).unwrap();
        assert_eq!(told.key, part.key);
        let pac = VerifiedPac::for_tgt(&part, &krbtgt, 0x9ABC)
            .unwrap()
            .unwrap();
        let kinds: Vec<_> = pac.pac().to_buffers().iter().map(|b| b.kind).collect();
        assert_eq!(
            kinds,
            [
                BufferType::LOGON_INFO,
                BufferType::CLIENT_INFO,
                BufferType::ATTRIBUTES_INFO,
                BufferType::REQUESTOR,
                BufferType::SERVER_CHECKSUM,
                BufferType::KDC_CHECKSUM,
            ]
        );
        let logon = LogonInfo::decode(pac.pac().buffer(BufferType::LOGON_INFO).unwrap()).unwrap();
        assert_eq!(logon.user_sid(), Some(sid));
        assert!(logon.extra_sids.is_empty());
        assert!(VerifiedPac::for_tgt(&part, &krbtgt, 1).is_err());
    }
}
