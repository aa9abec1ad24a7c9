//! Asks the KDC whether a key is the one it has, without signing anybody in.
//!
//! A ticket granting ticket is sealed with the key and shown to the KDC. It says nothing of its holder (no PAC), so a domain
//! controller takes it for nobody; but the way in which it refuses tells whether it could open it. The account that the
//! ticket names is the server object's own.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use kerberos::client::{ClientError, Credentials, Principal, TgsRequest};
use kerberos::crypto::Key;
use kerberos::messages::{
    EncKdcRepPart, EncTicketPart, EncryptionKey, ErrorCode, KerberosTime, Kvno, PrincipalName,
    Ticket, TicketFlags, TransitedEncoding,
};
use serde::Serialize;
use types::{Clock, Timestamp};

use super::key::{ETYPE, ServerKey};
use crate::io::{OsEntropy, SystemClock};

/// What the KDC's answer says of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Verdict {
    /// It opened the ticket.
    Right,
    /// It has another key of this number and version.
    Wrong,
    /// It has no key of this number, or none of this version.
    Unknown,
    /// It says something else, or nothing.
    Unclear(String),
}

const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u32 = 1 << 20;
/// The ticket's life. KDCs take no ticket that ends within two minutes.
const LIFETIME_S: i64 = 600;

/// Asks one KDC, by TCP.
pub(super) fn probe(kdc: &str, realm: &str, account: &str, key: &ServerKey) -> Verdict {
    ask(kdc, realm, account, key).unwrap_or_else(|why| Verdict::Unclear(why.to_string()))
}

fn ask(
    kdc: &str,
    realm: &str,
    account: &str,
    key: &ServerKey,
) -> Result<Verdict, Box<dyn std::error::Error>> {
    let now = SystemClock.now();
    let ticket = ticket(realm, account, key, now)?;
    let service = Principal::service(&format!("krbtgt/{realm}"), realm);
    let (pending, request) = TgsRequest::new(service).seal(&ticket, now, &mut OsEntropy)?;
    let answer = exchange(kdc, &request).map_err(|error| format!("{kdc}: {error}"))?;
    Ok(match pending.open(&answer) {
        Ok(_) => Verdict::Right,
        Err(ClientError::Refused(error)) => verdict(error.error_code),
        Err(other) => Verdict::Unclear(other.to_string()),
    })
}

fn verdict(code: ErrorCode) -> Verdict {
    match code {
        // It was opened, and what is in it did not do.
        ErrorCode::KDC_ERR_TGT_REVOKED
        | ErrorCode::KDC_ERR_POLICY
        | ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN
        | ErrorCode::KDC_ERR_CLIENT_REVOKED => Verdict::Right,
        ErrorCode::KRB_AP_ERR_BAD_INTEGRITY | ErrorCode::KRB_AP_ERR_MODIFIED => Verdict::Wrong,
        ErrorCode::KRB_AP_ERR_BADKEYVER
        | ErrorCode::KRB_AP_ERR_NOKEY
        | ErrorCode::KRB_AP_ERR_NOT_US => Verdict::Unknown,
        other => Verdict::Unclear(format!("the KDC answers {other}")),
    }
}

fn ticket(
    realm: &str,
    account: &str,
    key: &ServerKey,
    now: Timestamp,
) -> Result<Credentials, Box<dyn std::error::Error>> {
    let session = Key::generate(ETYPE, &mut OsEntropy)?;
    let client = Principal::user(account, realm);
    let sname = PrincipalName::krbtgt(realm);
    let ends = KerberosTime::new(now.plus_seconds(LIFETIME_S));
    let begins = KerberosTime::new(now.plus_seconds(-60));
    let part = EncTicketPart {
        flags: TicketFlags::INITIAL,
        key: EncryptionKey::from_key(&session),
        crealm: realm.into(),
        cname: client.name.clone(),
        transited: TransitedEncoding {
            tr_type: 0,
            contents: Vec::new().into(),
        },
        authtime: begins,
        starttime: Some(begins),
        endtime: ends,
        renew_till: None,
        caddr: None,
        authorization_data: None,
    };
    let kvno = Kvno {
        rodc: key.number,
        version: key.version,
    };
    let ticket = Ticket::seal(
        realm.into(),
        sname.clone(),
        &part,
        &key.key,
        Some(kvno),
        &mut OsEntropy,
    )?;
    let told = EncKdcRepPart {
        key: part.key,
        last_req: Vec::new(),
        nonce: 0,
        key_expiration: None,
        flags: part.flags,
        authtime: part.authtime,
        starttime: part.starttime,
        endtime: part.endtime,
        renew_till: None,
        srealm: realm.into(),
        sname,
        caddr: None,
        encrypted_pa_data: None,
    };
    Ok(Credentials {
        client,
        ticket,
        session: Arc::new(session),
        part: told,
    })
}

/// One request and its answer, each after its length (RFC 4120 7.2.2).
fn exchange(kdc: &str, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut failed = std::io::Error::other("the name leads to no address");
    for address in kdc.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => stream,
            Err(error) => {
                failed = error;
                continue;
            }
        };
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let length = u32::try_from(request.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), request].concat())?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > ANSWER_BYTES_MAX {
            return Err(std::io::Error::other("the answer is too long"));
        }
        let mut answer = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
        stream.read_exact(&mut answer)?;
        return Ok(answer);
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_whether_the_ticket_was_opened() {
        let check = |code, expect| assert_eq!(verdict(code), expect, "{code}");
        check(ErrorCode::KDC_ERR_TGT_REVOKED, Verdict::Right);
        check(ErrorCode::KRB_AP_ERR_BAD_INTEGRITY, Verdict::Wrong);
        check(ErrorCode::KRB_AP_ERR_BADKEYVER, Verdict::Unknown);
        check(ErrorCode::KRB_AP_ERR_NOT_US, Verdict::Unknown);
        let unclear = verdict(ErrorCode::KRB_AP_ERR_SKEW);
        assert!(matches!(unclear, Verdict::Unclear(_)), "{unclear:?}");
    }
}
