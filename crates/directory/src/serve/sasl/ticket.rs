//! Judging an AP-REQ (RFC 4120 3.2.3, MS-KILE 3.4.5) and finding the account that it proves.

use std::net::IpAddr;
use std::sync::Arc;

use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    ApOptions, ApReq, Authenticator, Der as _, EncTicketPart, Ticket, TicketFlags,
};
use kerberos::pac::{BufferType, ClientInfo, LogonInfo, Pac, VerifiedPac, requestor_from};
use types::{Sid, Timestamp};

use super::{Refused, Service, Wire};
use crate::{Principal, PrincipalName};

/// An AP-REQ that holds. Only [`Service::believe`] makes one.
#[derive(Debug)]
pub(super) struct Believed {
    pub(super) request: ApReq,
    pub(super) authenticator: Authenticator,
    pub(super) session_key: Key,
    /// Whom the PAC is about.
    pub(super) account: Sid,
}

impl Service {
    /// Judges the message.
    pub(super) fn believe(&self, ap_req: &[u8], wire: Wire) -> Result<Believed, Refused> {
        let request = ApReq::from_der(ap_req).map_err(Refused::unproven)?;
        request.check_header().map_err(Refused::unproven)?;
        if request.ap_options.contains(ApOptions::USE_SESSION_KEY) {
            return Err(Refused::unproven(
                "the ticket is not under the server's key",
            ));
        }
        let now = self.directory.now();
        let own = self
            .account()?
            .ok_or_else(|| Refused::unproven("the server has no Kerberos keys"))?;
        self.check_service(&request.ticket, &own)?;
        let (ticket, key) = open(&request.ticket, &own)?;
        self.check_ticket(&ticket, wire.client, now)?;
        let session_key = ticket.key.to_key(None).map_err(Refused::unproven)?;
        let authenticator = request
            .open_authenticator(&session_key, KeyUsage::AP_REQ_AUTHENTICATOR)
            .map_err(|error| Refused::Unproven(format!("the authenticator: {error}")))?;
        self.check_authenticator(&authenticator, &ticket, now)?;
        let account = account_of(&ticket, &key)?;
        // Last, so that nothing that is refused anyway takes a place.
        if !self.replays.is_new(&request.authenticator.cipher, now) {
            return Err(Refused::unproven("the authenticator was here before"));
        }
        Ok(Believed {
            request,
            authenticator,
            session_key,
            account,
        })
    }

    /// The name outside a ticket is not protected, so it proves nothing; but a ticket for something else was not made
    /// for this server, and a client that brings one is mistaken or misled.
    fn check_service(&self, ticket: &Ticket, own: &Principal) -> Result<(), Refused> {
        let refused = || {
            let (name, realm) = (&ticket.sname, &ticket.realm);
            Refused::Unproven(format!("the ticket is for '{name}' of '{realm}'"))
        };
        let realm = ticket.realm.as_str().unwrap_or_default();
        let parts = ticket.sname.parts().ok_or_else(refused)?;
        if !self.is_own_realm(realm) {
            return Err(refused());
        }
        let name = ticket.sname.to_string();
        let found = match parts.as_slice() {
            [account] => self.principals.find(PrincipalName::Account(account))?,
            [class, ..]
                if CLASSES
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(class)) =>
            {
                self.principals.find(PrincipalName::Service(&name))?
            }
            _ => None,
        };
        match found {
            Some(account) if account.guid == own.guid => Ok(()),
            _ => Err(refused()),
        }
    }

    fn is_own_realm(&self, realm: &str) -> bool {
        self.directory
            .naming()
            .is_some_and(|naming| naming.dns_domain.eq_ignore_ascii_case(realm))
    }

    fn check_ticket(
        &self,
        ticket: &EncTicketPart,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let skew_s = self.rules.clock_skew_s;
        let since_s = |time: Timestamp| now.seconds_since(time);
        let start = ticket.starttime.unwrap_or(ticket.authtime);
        if ticket.flags.contains(TicketFlags::INVALID) || since_s(start.timestamp()) < -skew_s {
            return Err(Refused::unproven("the ticket is not valid yet"));
        }
        if since_s(ticket.endtime.timestamp()) > skew_s {
            return Err(Refused::unproven("the ticket has expired"));
        }
        if !self.is_own_realm(ticket.crealm.as_str().unwrap_or_default()) {
            return Err(Refused::unproven("the client is of another realm"));
        }
        let addresses = ticket.caddr.as_deref().unwrap_or_default();
        if !addresses.is_empty() && !addresses.iter().any(|known| is_address(known, client)) {
            return Err(Refused::unproven("the ticket is not good from there"));
        }
        Ok(())
    }

    fn check_authenticator(
        &self,
        authenticator: &Authenticator,
        ticket: &EncTicketPart,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let is_same = authenticator.cname.is_same_name(&ticket.cname)
            && authenticator.crealm == ticket.crealm;
        if !is_same {
            return Err(Refused::unproven("the authenticator is of another client"));
        }
        let apart_s = authenticator.ctime.timestamp().seconds_since(now);
        if apart_s.unsigned_abs() > self.rules.clock_skew_s.unsigned_abs() {
            return Err(Refused::Unproven(format!(
                "the client's clock is {apart_s} s away"
            )));
        }
        Ok(())
    }
}

/// Classes of service names that LDAP clients ask for (MS-ADTS 2.2.21); `HOST` stands for them.
const CLASSES: [&str; 3] = ["ldap", "host", "GC"];

/// The ticket, and the key that opened it: the current one or the one before.
fn open(sealed: &Ticket, own: &Principal) -> Result<(EncTicketPart, Arc<Key>), Refused> {
    let version = sealed.enc_part.key_version();
    let mut why = "the ticket is under a key that the server does not have".to_owned();
    for set in &own.keys {
        let is_meant =
            version.is_none_or(|version| u32::from(version.version) == set.version & 0xFFFF);
        let fits = |key: &&Arc<Key>| key.etype() == sealed.enc_part.etype;
        let Some(key) = set.keys.iter().find(fits).filter(|_| is_meant) else {
            continue;
        };
        match sealed.open(key) {
            Ok(ticket) => return Ok((ticket, Arc::clone(key))),
            Err(error) => why = format!("the ticket: {error}"),
        }
    }
    Err(Refused::Unproven(why))
}

/// Whom the PAC names. A ticket without one proves a name at most, and names can be given to others.
fn account_of(ticket: &EncTicketPart, key: &Key) -> Result<Sid, Refused> {
    let verified = VerifiedPac::for_service(ticket, key)
        .map_err(|error| Refused::Unproven(format!("the PAC: {error}")))?
        .ok_or_else(|| Refused::unproven("the ticket has no PAC"))?;
    let pac = verified.pac();
    let missing = || Refused::unproven("the PAC does not say whose it is");
    let client = pac.buffer(BufferType::CLIENT_INFO).ok_or_else(missing)?;
    let client = ClientInfo::decode(client).map_err(Refused::unproven)?;
    if client.name != ticket.cname.to_string() || client.client_id != ticket.authtime.timestamp() {
        return Err(Refused::unproven("the PAC is of another ticket"));
    }
    let logon = pac.buffer(BufferType::LOGON_INFO).ok_or_else(missing)?;
    let logon = LogonInfo::decode(logon).map_err(Refused::unproven)?;
    let sid = logon.user_sid().ok_or_else(missing)?;
    check_requestor(pac, &sid)?;
    Ok(sid)
}

fn check_requestor(pac: &Pac, sid: &Sid) -> Result<(), Refused> {
    let Some(requestor) = pac.buffer(BufferType::REQUESTOR) else {
        return Ok(());
    };
    if requestor_from(requestor).map_err(Refused::unproven)? == *sid {
        return Ok(());
    }
    Err(Refused::unproven("the PAC names two accounts"))
}

/// RFC 4120 7.5.3.
fn is_address(known: &kerberos::messages::HostAddress, client: IpAddr) -> bool {
    match client {
        IpAddr::V4(client) => known.addr_type == 2 && known.address[..] == client.octets(),
        IpAddr::V6(client) => known.addr_type == 24 && known.address[..] == client.octets(),
    }
}
