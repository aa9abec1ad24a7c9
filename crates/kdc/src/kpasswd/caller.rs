//! Who asks the password service: a ticket of `kadmin/changepw` that came from a sign-in, and its authenticator.
//!
//! These tickets are sealed with the key that seals ticket granting tickets too, and the name outside is not protected.
//! What tells them apart is the PAC: only a ticket granting ticket has a requester's SID in it (CVE-2022-2031).

use std::net::IpAddr;
use std::sync::Arc;

use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    ApReq, Authenticator, Der as _, EncTicketPart, ErrorCode, HostAddress, TicketFlags,
};
use kerberos::pac::{BufferType, VerifiedPac};
use types::Timestamp;

use crate::accounts::Account;
use crate::kdc::Kdc;
use crate::names;
use crate::pac::{account_of, is_of_ticket};
use crate::policy;
use crate::refusal::Refusal;
use crate::tgs_proof::{Rest, check_times_at, open_ticket, ticket_granting_key};

/// An account that proved minutes ago that it knows its password, and now that it holds the session key.
pub(super) struct Caller {
    pub(super) account: Arc<Account>,
    pub(super) authenticator: Authenticator,
    pub(super) session: Key,
    /// What both KRB-PRIV are sealed with.
    pub(super) subkey: Key,
    /// Whether the ticket came from a sign-in.
    pub(super) is_initial: bool,
    /// Whether its authenticator came for the first time.
    pub(super) is_new: bool,
}

impl Caller {
    pub(super) fn check(
        kdc: &Kdc,
        ap_req: &[u8],
        client: IpAddr,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let ap_req = ApReq::from_der(ap_req)?;
        ap_req.check_header()?;
        let (ticket, key) = open(kdc, &ap_req)?;
        check_times_at(kdc, &ticket, Rest::Any, now)?;
        check_addresses(&ticket, client)?;
        let account = names::client(&*kdc.accounts, &kdc.settings, &ticket.cname)?;
        check_pac(&ticket, &key, &account)?;
        policy::standing(&account, &*kdc.lockout, now)?;
        let session = ticket.key.to_key(None)?;
        let authenticator = authenticator(kdc, &ap_req, &ticket, &session, now)?;
        let subkey = authenticator.subkey.as_ref().ok_or_else(|| {
            let why = "the authenticator has no subkey";
            Refusal::new(ErrorCode::KRB_AP_ERR_METHOD, why)
        })?;
        Ok(Self {
            subkey: subkey.to_key(None)?,
            account,
            authenticator,
            session,
            is_initial: ticket.flags.contains(TicketFlags::INITIAL),
            is_new: kdc.replays.is_new(&ap_req.authenticator.cipher, now),
        })
    }
}

fn open(kdc: &Kdc, ap_req: &ApReq) -> Result<(EncTicketPart, Arc<Key>), Refusal> {
    let sealed = &ap_req.ticket;
    let is_ours = kdc
        .settings
        .is_own_realm(sealed.realm.as_str().unwrap_or_default())
        && sealed.sname.parts().as_deref() == Some(&["kadmin", "changepw"]);
    let (key, number) = ticket_granting_key(kdc, sealed)?;
    if !is_ours || number != 0 {
        let why = format!("the ticket is for '{}' of '{}'", sealed.sname, sealed.realm);
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_NOT_US, why));
    }
    Ok((open_ticket(sealed, &key)?, key))
}

fn check_pac(ticket: &EncTicketPart, key: &Key, account: &Account) -> Result<(), Refusal> {
    let refused = |why: String| Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why);
    let verified = VerifiedPac::for_tgt(ticket, key, 0)
        .map_err(|error| refused(format!("the ticket's PAC: {error}")))?
        .ok_or_else(|| refused("the ticket has no PAC".to_owned()))?;
    let pac = verified.pac();
    if pac.buffer(BufferType::REQUESTOR).is_some() {
        let why = "a ticket granting ticket changes no password";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_NOT_US, why));
    }
    if !is_of_ticket(pac, ticket) || account_of(pac).as_ref() != Some(&account.sid) {
        return Err(refused(
            "the PAC is of another account or ticket".to_owned(),
        ));
    }
    Ok(())
}

fn authenticator(
    kdc: &Kdc,
    ap_req: &ApReq,
    ticket: &EncTicketPart,
    session: &Key,
    now: Timestamp,
) -> Result<Authenticator, Refusal> {
    let opened = ap_req.open_authenticator(session, KeyUsage::AP_REQ_AUTHENTICATOR);
    let authenticator = opened.map_err(|error| {
        let code = ErrorCode::KRB_AP_ERR_BAD_INTEGRITY;
        Refusal::new(code, format!("the authenticator: {error}"))
    })?;
    // impacket writes the realm as its user typed it, and Windows knows no case in it.
    let realm = authenticator.crealm.as_str().unwrap_or_default();
    let is_holder = authenticator.cname.is_same_name(&ticket.cname);
    if !is_holder || !kdc.settings.is_own_realm(realm) {
        let why = format!(
            "'{}' came with a ticket of '{}'",
            authenticator.cname, ticket.cname
        );
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_BADMATCH, why));
    }
    let apart_s = authenticator.ctime.timestamp().seconds_since(now);
    if apart_s.unsigned_abs() > kdc.settings.clock_skew_s.unsigned_abs() {
        let why = format!("the client's clock is {apart_s} s away");
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, why));
    }
    Ok(authenticator)
}

/// RFC 4120 3.2.3: a ticket that names addresses is good from those alone. Windows' clients name their NetBIOS name,
/// which is no address.
fn check_addresses(ticket: &EncTicketPart, client: IpAddr) -> Result<(), Refusal> {
    let addresses = ticket.caddr.as_deref().unwrap_or_default();
    let is_bound = addresses
        .iter()
        .any(|address| matches!(address.addr_type, IPV4 | IPV6));
    if !is_bound || addresses.contains(&host_address(client)) {
        return Ok(());
    }
    let why = format!("the ticket is not good from {client}");
    Err(Refusal::new(ErrorCode::KRB_AP_ERR_BADADDR, why))
}

/// RFC 4120 7.5.3.
pub(super) fn host_address(address: IpAddr) -> HostAddress {
    match address.to_canonical() {
        IpAddr::V4(address) => HostAddress {
            addr_type: IPV4,
            address: address.octets().to_vec().into(),
        },
        IpAddr::V6(address) => HostAddress {
            addr_type: IPV6,
            address: address.octets().to_vec().into(),
        },
    }
}

/// Address types, RFC 4120 7.5.3.
const IPV4: i32 = 2;
const IPV6: i32 = 24;
