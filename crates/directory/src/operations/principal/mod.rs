//! Accounts as a KDC sees them: names, keys, groups and policy of one account, read at once.
//!
//! A sign-in asks for the same few accounts again and again, so what was read is kept: an answer as long as nothing at
//! all was written, a read-only domain controller with it, and an account as long as it, the domain's head and every group stay as they are.
//!
//! Deliberately absent: any decision, and any access check. Whoever holds a [`Principals`] reads keys.

mod holders;
mod names;
mod read;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use types::{Dn, Guid, Sid, Timestamp};

use crate::kerberos_keys::KeySet;
use crate::model::{Dnt, Object, Snapshot};
use crate::{Directory, Error};
pub use holders::{KeyHolder, KeyHolders};
use names::locate;

/// How an account is asked for. Text is compared as the directory compares it, without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalName<'a> {
    /// `sAMAccountName`, exactly as given: `pc1` does not find `PC1$`.
    Account(&'a str),
    /// `userPrincipalName`, or the implied one: `sAMAccountName@domain`.
    UserPrincipalName(&'a str),
    /// A value of `servicePrincipalName`, or one that `HOST` stands for by the forest's `sPNMappings`.
    Service(&'a str),
    /// `objectSid`.
    Sid(&'a Sid),
    /// `krbtgt` (0), or the ticket granting account with this `msDS-SecondaryKrbTgtNumber`.
    Krbtgt(u16),
}

/// One account with all that a ticket needs.
#[derive(Debug)]
pub struct Principal {
    /// `objectGUID`.
    pub guid: Guid,
    /// `objectSid`.
    pub sid: Sid,
    /// Its distinguished name.
    pub dn: Dn,
    /// `sAMAccountName`.
    pub account_name: String,
    /// `userPrincipalName`, where it has one of its own.
    pub user_principal_name: Option<String>,
    /// `displayName`, or else its relative name.
    pub display_name: String,
    /// Whether it is a computer.
    pub is_computer: bool,
    /// The number of a ticket granting account: 0 for `krbtgt`.
    pub krbtgt_number: Option<u16>,
    /// `userAccountControl`, the bits of MS-ADTS 2.2.16.
    pub account_control: u32,
    /// `primaryGroupID`.
    pub primary_group: u32,
    /// Every other security group, nested ones and those of the primary group included, in no order.
    pub groups: Vec<Sid>,
    /// The current keys, then those of the password before.
    pub keys: Vec<KeySet>,
    /// `pwdLastSet`; `None` where the password must be changed.
    pub password_set: Option<Timestamp>,
    /// When the password ends by the domain's policy.
    pub password_expires: Option<Timestamp>,
    /// `accountExpires`.
    pub expires: Option<Timestamp>,
    /// The end of a lock that the directory itself holds (`lockoutTime`).
    pub locked_until: Option<Timestamp>,
    /// `logonHours`.
    pub logon_hours: Option<[u8; 21]>,
    /// `logonCount`.
    pub logon_count: u16,
    /// `servicePrincipalName`.
    pub service_names: Vec<String>,
    /// The binary parts of `msDS-KeyCredentialLink`.
    pub key_credentials: Vec<Vec<u8>>,
    /// `msDS-SupportedEncryptionTypes`.
    pub supported_encryption_types: Option<u32>,
    /// `msDS-AllowedToDelegateTo`.
    pub allowed_to_delegate_to: Vec<String>,
    /// `msDS-AllowedToActOnBehalfOfOtherIdentity`: a self-relative security descriptor.
    pub allowed_to_act: Option<Vec<u8>>,
}

/// A read-only domain controller: the account to which `msDS-KrbTgtLinkBl` of its ticket granting account leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnlyController {
    /// `objectSid`.
    pub sid: Sid,
    /// `sAMAccountName`.
    pub account_name: String,
    /// `userAccountControl`, the bits of MS-ADTS 2.2.16.
    pub account_control: u32,
    /// `msDS-RevealOnDemandGroup`.
    pub reveal_on_demand: Vec<Sid>,
    /// `msDS-NeverRevealGroup`.
    pub never_reveal: Vec<Sid>,
}

/// Reads accounts of one directory, and keeps what it read.
#[derive(Debug)]
pub struct Principals {
    directory: Directory,
    answers: RwLock<Answers>,
    read: RwLock<HashMap<Dnt, (Stamp, Arc<Principal>)>>,
}

/// What was asked since the last write.
#[derive(Debug, Default)]
struct Answers {
    usn: u64,
    found: HashMap<Asked, Arc<Principal>>,
    servers: HashMap<u16, Arc<ReadOnlyController>>,
}

impl Answers {
    /// To be kept as what holds since the commit; nothing of an earlier one is.
    fn as_of(&mut self, usn: u64) -> Option<&mut Self> {
        if self.usn < usn || self.found.len() >= KEPT_MAX {
            self.found.clear();
            self.servers.clear();
            self.usn = self.usn.max(usn);
        }
        (self.usn == usn).then_some(self)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Asked {
    Account(String),
    UserPrincipalName(String),
    Service(String),
    Sid(Sid),
    Krbtgt(u16),
}

impl From<PrincipalName<'_>> for Asked {
    fn from(name: PrincipalName<'_>) -> Self {
        match name {
            PrincipalName::Account(name) => Self::Account(name.to_lowercase()),
            PrincipalName::UserPrincipalName(name) => Self::UserPrincipalName(name.to_lowercase()),
            PrincipalName::Service(name) => Self::Service(name.to_lowercase()),
            PrincipalName::Sid(sid) => Self::Sid(sid.clone()),
            PrincipalName::Krbtgt(number) => Self::Krbtgt(number),
        }
    }
}

/// As long as these stay the same, so does an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    account: u64,
    domain: u64,
    groups: u64,
}

/// Accounts and names kept.
const KEPT_MAX: usize = 200_000;

impl Principals {
    /// Over a directory, with nothing read yet.
    pub fn new(directory: Directory) -> Self {
        Self {
            directory,
            answers: RwLock::default(),
            read: RwLock::default(),
        }
    }

    /// The account of that name, as of the last commit. Two accounts of the same name are none.
    pub fn find(&self, name: PrincipalName<'_>) -> Result<Option<Arc<Principal>>, Error> {
        if text_length(name) > NAME_LENGTH_MAX {
            return Ok(None);
        }
        let snapshot = self.directory.snapshot();
        let usn = snapshot.highest_usn();
        let asked = Asked::from(name);
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        if answers.usn == usn
            && let Some(known) = answers.found.get(&asked)
        {
            return Ok(Some(Arc::clone(known)));
        }
        drop(answers);
        let found = locate(&snapshot, name)?
            .map(|object| self.principal(&snapshot, &object))
            .transpose()?
            .flatten();
        let Some(found) = found else {
            // Names that nobody has are not kept: there is no end to them.
            return Ok(None);
        };
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(answers) = answers.as_of(usn) {
            answers.found.insert(asked, Arc::clone(&found));
        }
        Ok(Some(found))
    }

    /// The read-only domain controller to which the ticket granting account with that number belongs, as of the last commit.
    pub fn read_only_server(&self, number: u16) -> Result<Option<Arc<ReadOnlyController>>, Error> {
        let snapshot = self.directory.snapshot();
        let usn = snapshot.highest_usn();
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        if answers.usn == usn
            && let Some(known) = answers.servers.get(&number)
        {
            return Ok(Some(Arc::clone(known)));
        }
        drop(answers);
        let found = match locate(&snapshot, PrincipalName::Krbtgt(number))? {
            Some(krbtgt) if number != 0 => read::read_only_server(&snapshot, &krbtgt)?,
            _ => None,
        };
        let Some(found) = found.map(Arc::new) else {
            return Ok(None);
        };
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(answers) = answers.as_of(usn) {
            answers.servers.insert(number, Arc::clone(&found));
        }
        Ok(Some(found))
    }

    fn principal(
        &self,
        snapshot: &Snapshot,
        object: &Object,
    ) -> Result<Option<Arc<Principal>>, Error> {
        let domain = snapshot.naming.domain_head;
        let domain = domain.map(|head| snapshot.parent(head)).transpose()?;
        let stamp = Stamp {
            account: object.usn_changed(),
            domain: domain.map_or(0, |domain| domain.usn_changed()),
            groups: snapshot.groups_generation,
        };
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, principal)) = read.get(&object.dnt)
            && *known == stamp
        {
            return Ok(Some(Arc::clone(principal)));
        }
        drop(read);
        let Some(principal) = read::principal(snapshot, object)?.map(Arc::new) else {
            return Ok(None);
        };
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= KEPT_MAX {
            read.clear();
        }
        read.insert(object.dnt, (stamp, Arc::clone(&principal)));
        Ok(Some(principal))
    }
}

/// Longest name that is looked up.
const NAME_LENGTH_MAX: usize = 1024;

fn text_length(name: PrincipalName<'_>) -> usize {
    match name {
        PrincipalName::Account(name)
        | PrincipalName::UserPrincipalName(name)
        | PrincipalName::Service(name) => name.len(),
        PrincipalName::Sid(_) | PrincipalName::Krbtgt(_) => 0,
    }
}
