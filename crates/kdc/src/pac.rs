//! The PAC of the tickets that are issued here: built from the directory at sign-in, carried on from a ticket granting
//! ticket whose signatures hold and whose requester is still the same account.
//!
//! A service ticket's PAC says what the ticket granting ticket's said at sign-in, as in Active Directory; only the two
//! buffers that are for the KDC itself stay behind.

use kerberos::crypto::Key;
use kerberos::messages::{EncTicketPart, ErrorCode, KerberosTime, PrincipalName};
use kerberos::pac::{
    Buffer, BufferType, ClientInfo, CredentialInfo, DelegationInfo, Evidence, ExtraSid,
    GroupAttributes, GroupMembership, LogonInfo, Pac, PacAttributes, PacError, Signing, TicketKind,
    UpnDnsInfo, UserFlags, VerifiedPac, requestor, requestor_from,
};
use types::{Sid, Timestamp};

use crate::accounts::Account;
use crate::event::Proof;
use crate::names::Role;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The buffers of a PAC that is yet to be signed. They come from the directory or from a verified PAC, never from
/// anything else.
#[derive(Debug, Clone, Default)]
pub(crate) struct PacDraft {
    buffers: Vec<Buffer>,
}

impl PacDraft {
    /// What the directory says about an account that signs in.
    pub(crate) fn of_sign_in(
        settings: &Settings,
        client: &Account,
        cname: &PrincipalName,
        now: Timestamp,
        role: Role,
        proof: &Proof,
    ) -> Result<Self, Refusal> {
        // Tickets have whole seconds, and the PAC must name the same one.
        let authtime = KerberosTime::new(now).timestamp();
        let logon = logon_info(settings, client, now, proof).ok_or_else(|| {
            let why = format!("'{}' has no SID of a domain", client.name);
            Refusal::new(ErrorCode::KRB_ERR_GENERIC, why)
        })?;
        let client_info = ClientInfo {
            client_id: authtime,
            name: cname.to_string(),
        };
        let draft = Self {
            buffers: vec![
                buffer(BufferType::LOGON_INFO, logon.encode()),
                buffer(BufferType::CLIENT_INFO, client_info.encode()),
                buffer(
                    BufferType::UPN_DNS_INFO,
                    upn_info(settings, client).encode(),
                ),
                buffer(
                    BufferType::ATTRIBUTES_INFO,
                    PacAttributes::REQUESTED.to_bytes(),
                ),
                requestor(&client.sid),
            ],
        };
        Ok(draft.for_service(role))
    }

    /// What a ticket granting ticket says, if it says it of this account (CVE-2021-42287): the signatures hold under
    /// the key that opened the ticket, the names are the ticket's, and the requester's SID is the SID of the account
    /// that has the name today.
    pub(crate) fn of_ticket(
        ticket: &EncTicketPart,
        krbtgt: &Key,
        client: &Account,
    ) -> Result<Self, Refusal> {
        let verified = Self::verified(ticket, krbtgt, 0, client)?;
        Ok(Self {
            buffers: verified.pac().to_buffers(),
        })
    }

    /// The same for a ticket of a read-only domain controller with that number, of which nothing else is believed.
    pub(crate) fn check_read_only(
        ticket: &EncTicketPart,
        krbtgt: &Key,
        number: u16,
        client: &Account,
    ) -> Result<(), Refusal> {
        Self::verified(ticket, krbtgt, number, client).map(drop)
    }

    fn verified(
        ticket: &EncTicketPart,
        krbtgt: &Key,
        number: u16,
        client: &Account,
    ) -> Result<VerifiedPac, Refusal> {
        let revoked = |why: String| Refusal::new(ErrorCode::KDC_ERR_TGT_REVOKED, why);
        let verified = VerifiedPac::for_tgt(ticket, krbtgt, number)
            .map_err(|error| {
                let code = match error {
                    PacError::Signature { .. } => ErrorCode::KRB_AP_ERR_MODIFIED,
                    _ => ErrorCode::KDC_ERR_TGT_REVOKED,
                };
                Refusal::new(code, format!("the ticket's PAC: {error}"))
            })?
            .ok_or_else(|| revoked("the ticket has no PAC".to_owned()))?;
        let pac = verified.pac();
        let need = |kind| pac.need(kind).map_err(|error| revoked(error.to_string()));
        need(BufferType::LOGON_INFO)?;
        need(BufferType::CLIENT_INFO)?;
        if !is_of_ticket(pac, ticket) {
            return Err(revoked("the PAC is of another ticket".to_owned()));
        }
        let requester = requestor_from(need(BufferType::REQUESTOR)?);
        let requester = requester.map_err(|error| revoked(error.to_string()))?;
        if requester != client.sid {
            let why = format!(
                "the ticket is of {requester}, but '{}' is {}",
                client.name, client.sid
            );
            return Err(revoked(why));
        }
        Ok(verified)
    }

    /// How the PAC was asked for, where it is said at all.
    pub(crate) fn with_attributes(mut self, attributes: PacAttributes) -> Self {
        for buffer in &mut self.buffers {
            if buffer.kind == BufferType::ATTRIBUTES_INFO {
                buffer.data = attributes.to_bytes();
            }
        }
        self
    }

    /// With the account's credentials for NTLM, sealed for the client (MS-PAC 2.6).
    pub(crate) fn with_credentials(mut self, sealed: Option<CredentialInfo>) -> Self {
        let sealed = sealed.map(|info| buffer(BufferType::CREDENTIALS_INFO, info.encode()));
        self.buffers.extend(sealed);
        self
    }

    /// A ticket granting ticket that was made from a read-only server's says nothing of how its PAC was asked for.
    pub(crate) fn without_attributes(mut self) -> Self {
        self.buffers
            .retain(|buffer| buffer.kind != BufferType::ATTRIBUTES_INFO);
        self
    }

    /// What a service ticket says whose four signatures hold, if it says it of this account.
    pub(crate) fn of_evidence(
        ticket: &EncTicketPart,
        verified: &VerifiedPac,
        client: &Account,
    ) -> Result<Self, Refusal> {
        let refused = |why: String| Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why);
        if verified.evidence() != Evidence::Ticket {
            return Err(refused("the KDC's signatures were not checked".to_owned()));
        }
        let pac = verified.pac();
        if account_of(pac).as_ref() != Some(&client.sid) || !is_of_ticket(pac, ticket) {
            let why = format!("the evidence is not of the account '{}'", client.name);
            return Err(refused(why));
        }
        Ok(Self {
            buffers: pac.to_buffers(),
        })
    }

    /// Notes that a service carried the name on to another one (MS-PAC 2.9).
    pub(crate) fn delegated(&mut self, target: &str, by: &str) -> Result<(), Refusal> {
        let kind = BufferType::DELEGATION_INFO;
        let before = self.buffers.iter().find(|buffer| buffer.kind == kind);
        let mut info = match before.map(|buffer| DelegationInfo::decode(&buffer.data)) {
            Some(Ok(info)) => info,
            None => DelegationInfo::default(),
            Some(Err(error)) => {
                let why = format!("the evidence's PAC: {error}");
                return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
            }
        };
        target.clone_into(&mut info.proxy_target);
        info.transited_services.push(by.to_owned());
        self.buffers.retain(|buffer| buffer.kind != kind);
        self.buffers.push(buffer(kind, info.encode()));
        Ok(())
    }

    /// Without the buffers that only a ticket granting ticket has.
    pub(crate) fn for_service(mut self, role: Role) -> Self {
        if role != Role::TicketGranting {
            self.buffers.retain(|buffer| {
                !matches!(
                    buffer.kind,
                    BufferType::ATTRIBUTES_INFO | BufferType::REQUESTOR
                )
            });
        }
        self
    }

    /// Puts the signed PAC into the ticket, in which everything else must be final.
    pub(crate) fn sign_into(
        self,
        ticket: &mut EncTicketPart,
        server_key: &Key,
        kdc_key: &Key,
        role: Role,
    ) -> Result<(), Refusal> {
        let signing = Signing {
            server_key,
            kdc_key,
            rodc: None,
            kind: match role {
                Role::Other | Role::ChangePassword => TicketKind::Service,
                Role::TicketGranting => TicketKind::Tgt,
            },
        };
        signing.sign_into(ticket, self.buffers).map_err(|error| {
            Refusal::new(
                ErrorCode::KRB_ERR_GENERIC,
                format!("the PAC cannot be made: {error}"),
            )
        })
    }
}

/// Whether CLIENT_INFO has the name and the time of the ticket.
pub(crate) fn is_of_ticket(pac: &Pac, ticket: &EncTicketPart) -> bool {
    let named = pac.buffer(BufferType::CLIENT_INFO).map(ClientInfo::decode);
    named.is_some_and(|named| {
        named.is_ok_and(|named| {
            named.name == ticket.cname.to_string() && named.client_id == ticket.authtime.timestamp()
        })
    })
}

/// The SID of the account that LOGON_INFO is about.
pub(crate) fn account_of(pac: &Pac) -> Option<Sid> {
    let logon = LogonInfo::decode(pac.buffer(BufferType::LOGON_INFO)?).ok()?;
    Some(logon.logon_domain_id?.with_rid(logon.user_id))
}

fn logon_info(
    settings: &Settings,
    client: &Account,
    now: Timestamp,
    proof: &Proof,
) -> Option<LogonInfo> {
    let domain = client.sid.domain()?;
    let mut info = LogonInfo::new(
        &client.name,
        &domain,
        client.sid.rid()?,
        client.primary_group,
    );
    let never = Timestamp::from_ticks(i64::MAX);
    info.logon_time = now;
    info.full_name.clone_from(&client.display_name);
    info.password_last_set = client.password_set.unwrap_or(Timestamp::from_ticks(0));
    info.password_can_change = info.password_last_set;
    info.password_must_change = client.policy.password_expires.unwrap_or(never);
    info.logon_count = client.logon_count;
    info.logon_server.clone_from(&settings.server);
    info.logon_domain_name.clone_from(&settings.netbios);
    info.user_account_control = client.account_control;
    // No PAC names the groups of BUILTIN: they are each machine's own (MS-PAC 2.5).
    let builtin = Sid::nt(&[32]);
    for group in &client.groups {
        match (group.domain(), group.rid()) {
            (Some(of), _) if of == builtin => {}
            (Some(of), Some(rid)) if of == domain => {
                if rid != client.primary_group {
                    let attributes = GroupAttributes::ORDINARY;
                    info.groups.push(GroupMembership { rid, attributes });
                }
            }
            _ => info.extra_sids.push(extra(group.clone())),
        }
    }
    info.extra_sids
        .extend(identities(proof).into_iter().flatten().map(extra));
    info.user_flags = UserFlags::EXTRA_SIDS;
    Some(info)
}

/// MS-DTYP 2.4.2.4: AUTHENTICATION_AUTHORITY_ASSERTED_IDENTITY, since the account proved itself to a KDC, or
/// SERVICE_ASSERTED_IDENTITY, where a service only says so, and
/// KEY_TRUST_IDENTITY where it did so by a key, with FRESH_PUBLIC_KEY_IDENTITY where it showed that it has it now.
fn identities(proof: &Proof) -> [Option<Sid>; 3] {
    let key_trust = matches!(proof, Proof::KeyTrust { .. });
    let fresh = matches!(proof, Proof::KeyTrust { is_fresh: true, .. });
    let asserted = if *proof == Proof::Service { 2 } else { 1 };
    [
        Sid::new(18, &[asserted]),
        fresh.then(|| Sid::new(18, &[3])).flatten(),
        key_trust.then(|| Sid::new(18, &[4])).flatten(),
    ]
}

fn extra(sid: Sid) -> ExtraSid {
    let attributes = GroupAttributes::ORDINARY;
    ExtraSid { sid, attributes }
}

fn upn_info(settings: &Settings, client: &Account) -> UpnDnsInfo {
    let dns = settings.realm.to_ascii_lowercase();
    let made_up = client.user_principal_name.is_none();
    UpnDnsInfo {
        upn: match &client.user_principal_name {
            Some(upn) => upn.clone(),
            None => format!("{}@{dns}", client.name),
        },
        dns_domain: settings.realm.clone(),
        flags: if made_up { UpnDnsInfo::UPN_MADE_UP } else { 0 },
        sam: Some((client.name.clone(), client.sid.clone())),
    }
}

fn buffer(kind: BufferType, data: Vec<u8>) -> Buffer {
    Buffer { kind, data }
}
