//! Ticket granting tickets of read-only domain controllers, and of the cloud, which to the directory is one of them
//! (MS-KILE 3.3.5.7, "Kerberos server object").
//!
//! Such a ticket proves who somebody is, and nothing else: whoever has the key of the read-only server could have written
//! anything into it. So the server must be allowed to speak for that account, and what the account may do comes from
//! the directory, never from the ticket.
//!
//! Deliberately absent: evidence, user-to-user and FAST armour under such keys; they take tickets of the domain alone.

use std::collections::HashSet;

use kerberos::crypto::Key;
use kerberos::messages::{EncTicketPart, ErrorCode};
use types::Sid;

use crate::accounts::{Account, AccountKind};
use crate::event::Proof;
use crate::kdc::Asked;
use crate::names::Role;
use crate::pac::PacDraft;
use crate::policy;
use crate::refusal::Refusal;

/// A read-only domain controller as the directory describes it: the account to which `msDS-KrbTgtLinkBl` of its
/// `krbtgt_...` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnlyServer {
    /// The number of its ticket granting account.
    pub number: u16,
    /// `objectSid` of its own account.
    pub sid: Sid,
    /// `sAMAccountName` of its own account.
    pub name: String,
    /// Its own account is disabled.
    pub disabled: bool,
    /// `userAccountControl` has PARTIAL_SECRETS_ACCOUNT, without which it is no read-only domain controller.
    pub partial_secrets: bool,
    /// `msDS-RevealOnDemandGroup`: for whom it may speak.
    pub allowed: Vec<Sid>,
    /// `msDS-NeverRevealGroup`: for whom it may not, whatever else is said.
    pub denied: Vec<Sid>,
    /// `msDS-RevealedUsers`, where an account must have been revealed to it before. The cloud never replicates, so the
    /// condition cannot hold for it and is `None`.
    pub revealed: Option<Vec<Sid>>,
}

impl ReadOnlyServer {
    /// Whether it may speak for the account: denials first, then permissions, over the account and all its groups.
    pub fn may_speak_for(&self, account: &Account) -> Result<(), NotAllowed> {
        if self.disabled || !self.partial_secrets {
            return Err(NotAllowed::NoServer);
        }
        if !matches!(account.kind, AccountKind::User | AccountKind::Computer) {
            return Err(NotAllowed::Denied);
        }
        // It may always write tickets for itself.
        if account.sid == self.sid {
            return Ok(());
        }
        let identities = identities(account);
        let names_one = |list: &[Sid]| list.iter().any(|sid| identities.contains(sid));
        if names_one(&self.denied) {
            return Err(NotAllowed::Denied);
        }
        if !names_one(&self.allowed) {
            return Err(NotAllowed::NotListed);
        }
        match &self.revealed {
            Some(revealed) if !revealed.contains(&account.sid) => Err(NotAllowed::NotRevealed),
            _ => Ok(()),
        }
    }
}

/// The account's own SID and those of all its groups.
pub(crate) fn identities(account: &Account) -> HashSet<Sid> {
    let domain = account.sid.domain();
    let primary = domain.map(|domain| domain.with_rid(account.primary_group));
    let own = std::iter::once(account.sid.clone());
    own.chain(primary)
        .chain(account.groups.iter().cloned())
        .collect()
}

/// Why a read-only server may not speak for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The account behind the key is disabled, or is no read-only domain controller.
    #[error("its account is disabled or lacks PARTIAL_SECRETS_ACCOUNT")]
    NoServer,
    /// By `msDS-NeverRevealGroup`, or because the account is no client.
    #[error("the account is in msDS-NeverRevealGroup, or is no client")]
    Denied,
    /// Not in `msDS-RevealOnDemandGroup`.
    #[error("the account is not in msDS-RevealOnDemandGroup")]
    NotListed,
    /// Not in `msDS-RevealedUsers`.
    #[error("the account was never revealed to it")]
    NotRevealed,
}

impl NotAllowed {
    fn code(self) -> ErrorCode {
        match self {
            Self::NoServer => ErrorCode::KDC_ERR_POLICY,
            Self::Denied | Self::NotListed | Self::NotRevealed => ErrorCode::KDC_ERR_TGT_REVOKED,
        }
    }
}

/// What the domain says about the holder of such a ticket, after all that it needs to say it was checked.
pub(crate) fn identity(
    asked: &Asked<'_>,
    ticket: &EncTicketPart,
    key: &Key,
    server: &ReadOnlyServer,
    client: &Account,
) -> Result<PacDraft, Refusal> {
    PacDraft::check_read_only(ticket, key, server.number, client)?;
    server.may_speak_for(client).map_err(|not| {
        let (server, client) = (&server.name, &client.name);
        let why = format!("'{server}' may not speak for '{client}': {not}");
        Refusal::new(not.code(), why)
    })?;
    // The ticket is this account's sign-in, so all that stops a sign-in stops it. What only stops passwords
    // (SMARTCARD_REQUIRED) does not.
    if let Err(restriction @ policy::Restriction::PasswordExpired) =
        policy::password_age(client, asked.now)
    {
        return Err(restriction.into());
    }
    let proof = Proof::ReadOnlyServer {
        number: server.number,
    };
    let authtime = ticket.authtime.timestamp();
    let settings = &asked.kdc.settings;
    let draft = PacDraft::of_sign_in(
        settings,
        client,
        &ticket.cname,
        authtime,
        Role::TicketGranting,
        &proof,
    )?;
    Ok(draft.without_attributes())
}

#[cfg(test)]
mod tests {
    use types::SeededEntropy;

    use super::*;
    use crate::memory::MemoryAccounts;

    fn domain() -> Sid {
        Sid::nt(&[21, 1, 2, 3])
    }

    fn account(kind: AccountKind, groups: &[u32]) -> Account {
        let mut entropy = SeededEntropy::new(1);
        let accounts = MemoryAccounts::new("CORP.CONTOSO.COM", domain(), &mut entropy).unwrap();
        let mut account = accounts.draft("testuser", kind, 1104);
        account.groups = groups.iter().map(|rid| domain().with_rid(*rid)).collect();
        account
    }

    fn server() -> ReadOnlyServer {
        ReadOnlyServer {
            number: 0x8001,
            sid: domain().with_rid(1200),
            name: "AzureADKerberos$".to_owned(),
            disabled: false,
            partial_secrets: true,
            allowed: vec![domain().with_rid(571)],
            denied: vec![domain().with_rid(572), domain().with_rid(512)],
            revealed: None,
        }
    }

    #[test]
    fn the_lists_decide_and_denial_comes_first() {
        for (groups, expected) in [
            (&[571][..], Ok(())),
            (&[], Err(NotAllowed::NotListed)),
            (&[572], Err(NotAllowed::Denied)),
            (&[571, 572], Err(NotAllowed::Denied)),
            (&[571, 512], Err(NotAllowed::Denied)),
        ] {
            let account = account(AccountKind::User, groups);
            assert_eq!(server().may_speak_for(&account), expected, "{groups:?}");
        }
    }

    #[test]
    fn the_primary_group_and_the_account_itself_count() {
        let account = account(AccountKind::User, &[]);
        let mut by_primary = server();
        by_primary.allowed = vec![domain().with_rid(513)];
        assert_eq!(by_primary.may_speak_for(&account), Ok(()));
        by_primary.denied = vec![account.sid.clone()];
        assert_eq!(by_primary.may_speak_for(&account), Err(NotAllowed::Denied));
    }

    #[test]
    fn never_for_another_ticket_granting_account() {
        for kind in [AccountKind::Krbtgt(7), AccountKind::Trust] {
            let account = account(kind, &[571]);
            assert_eq!(server().may_speak_for(&account), Err(NotAllowed::Denied));
        }
        let mut itself = account(AccountKind::Computer, &[]);
        itself.sid = server().sid;
        assert_eq!(server().may_speak_for(&itself), Ok(()));
    }

    #[test]
    fn a_server_that_is_none_speaks_for_nobody() {
        let account = account(AccountKind::User, &[571]);
        let plain = ReadOnlyServer {
            partial_secrets: false,
            ..server()
        };
        assert_eq!(plain.may_speak_for(&account), Err(NotAllowed::NoServer));
        let off = ReadOnlyServer {
            disabled: true,
            ..server()
        };
        assert_eq!(off.may_speak_for(&account), Err(NotAllowed::NoServer));
    }

    #[test]
    fn revealed_is_asked_only_where_the_server_replicates() {
        let account = account(AccountKind::User, &[571]);
        let nobody = ReadOnlyServer {
            revealed: Some(Vec::new()),
            ..server()
        };
        assert_eq!(nobody.may_speak_for(&account), Err(NotAllowed::NotRevealed));
        let this_one = ReadOnlyServer {
            revealed: Some(vec![account.sid.clone()]),
            ..server()
        };
        assert_eq!(this_one.may_speak_for(&account), Ok(()));
    }
}
