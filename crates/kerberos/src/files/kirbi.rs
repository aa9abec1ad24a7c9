//! `.kirbi`: a KRB-CRED in the clear (RFC 4120 5.8, encryption type 0), as Windows tools exchange tickets.

use types::{SeededEntropy, Timestamp};

use super::{Credential, FileError, Principal};
use crate::messages::{Der, EncKrbCredPart, KerberosTime, KrbCred, KrbCredInfo, Ticket};

/// Writes a file of these tickets.
pub fn kirbi_from_credentials(credentials: &[&Credential]) -> Result<Vec<u8>, FileError> {
    let tickets = credentials
        .iter()
        .map(|credential| Ticket::from_der(&credential.ticket))
        .collect::<Result<Vec<_>, _>>()?;
    let part = EncKrbCredPart {
        ticket_info: credentials.iter().copied().map(info).collect(),
        nonce: None,
        timestamp: None,
        usec: None,
        s_address: None,
        r_address: None,
    };
    // Nothing is encrypted, so nothing is random.
    Ok(KrbCred::seal(tickets, &part, None, &mut SeededEntropy::new(0))?.to_der()?)
}

/// Reads a file; encrypted ones are refused.
pub fn credentials_from_kirbi(bytes: &[u8]) -> Result<Vec<Credential>, FileError> {
    let cred = KrbCred::from_der(bytes)?;
    let part = cred.open(None)?;
    if cred.tickets.len() != part.ticket_info.len() {
        return Err(FileError::Unequal {
            tickets: cred.tickets.len(),
            infos: part.ticket_info.len(),
        });
    }
    cred.tickets
        .iter()
        .zip(part.ticket_info)
        .map(|(ticket, info)| credential(ticket, info))
        .collect()
}

fn info(credential: &Credential) -> KrbCredInfo {
    let time = |moment: Timestamp| (moment.unix_seconds() > 0).then(|| KerberosTime::new(moment));
    KrbCredInfo {
        key: credential.key.clone(),
        prealm: Some(credential.client.realm.clone()),
        pname: Some(credential.client.name.clone()),
        flags: Some(credential.flags),
        authtime: time(credential.authtime),
        starttime: time(credential.starttime),
        endtime: time(credential.endtime),
        renew_till: time(credential.renew_till),
        srealm: Some(credential.server.realm.clone()),
        sname: Some(credential.server.name.clone()),
        caddr: (!credential.addresses.is_empty()).then(|| credential.addresses.clone()),
    }
}

fn credential(ticket: &Ticket, info: KrbCredInfo) -> Result<Credential, FileError> {
    let time = |moment: Option<KerberosTime>| {
        moment.map_or(Timestamp::from_unix_seconds(0), KerberosTime::timestamp)
    };
    Ok(Credential {
        client: Principal {
            name: info.pname.ok_or(FileError::Missing("pname"))?,
            realm: info.prealm.ok_or(FileError::Missing("prealm"))?,
        },
        server: Principal {
            name: info.sname.unwrap_or_else(|| ticket.sname.clone()),
            realm: info.srealm.unwrap_or_else(|| ticket.realm.clone()),
        },
        key: info.key,
        authtime: time(info.authtime),
        starttime: time(info.starttime),
        endtime: time(info.endtime),
        renew_till: time(info.renew_till),
        is_session_key: false,
        flags: info.flags.unwrap_or_default(),
        addresses: info.caddr.unwrap_or_default(),
        authdata: Vec::new(),
        ticket: ticket.to_der()?,
        second_ticket: Vec::new(),
    })
}
