//! What a KDC asks of a directory: [`Accounts`], and the [`Account`] that it gets.
//!
//! The trait is declared here and implemented by an adapter of the top floor (over the directory's own accounts) or by
//! [`crate::MemoryAccounts`]. Everything in an [`Account`] is a fact; what follows from it is decided in this crate.
//!
//! Deliberately absent: writing. A sign-in changes nothing in the directory; failed attempts live in
//! [`crate::Lockout`].

use std::fmt;
use std::sync::Arc;

use kerberos::crypto::{EncryptionType, Key};
use kerberos::messages::SupportedEncryptionTypes;
use types::{Secret, Sid, Timestamp};

use crate::read_only_server::ReadOnlyServer;

/// How an account is asked for. Text is compared without regard to case, as a directory does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// `sAMAccountName`, exactly as given: `pc1` does not find `PC1$`.
    Name(&'a str),
    /// `userPrincipalName`.
    UserPrincipalName(&'a str),
    /// One value of `servicePrincipalName`, or one that its account implies (`HOST` for `cifs` and others).
    ServicePrincipalName(&'a str),
    /// `objectSid`.
    Sid(&'a Sid),
    /// The realm's ticket granting account: number 0, or the number of a read-only domain controller
    /// (`msDS-SecondaryKrbTgtNumber`).
    Krbtgt(u16),
}

/// The directory as a KDC sees it.
pub trait Accounts: Send + Sync {
    /// The account, or `None` where there is none. Two accounts with the same name are none.
    fn account(&self, by: Lookup<'_>) -> Result<Option<Arc<Account>>, Unavailable>;

    /// The read-only domain controller to which the ticket granting account with that number belongs
    /// (`msDS-KrbTgtLinkBl`), or `None` where it belongs to none. A directory without any need not answer.
    fn read_only_server(&self, number: u16) -> Result<Option<Arc<ReadOnlyServer>>, Unavailable> {
        let _ = number;
        Ok(None)
    }

    /// An account that has this public key in a value of usage NGC, however the value writes it. `spki` is
    /// SubjectPublicKeyInfo in the form of `kerberos::pkinit::RsaPublicKey::spki`.
    ///
    /// Asked only after a signature by that key was found good, to tell "that is somebody else's key" (75) from "nobody
    /// knows that key" (62). Answer it from an index or not at all: whoever has any key pair can make a KDC ask.
    fn holder_of_key(&self, spki: &[u8]) -> Result<Option<Arc<Account>>, Unavailable> {
        let _ = spki;
        Ok(None)
    }
}

/// The directory cannot answer now; the client is told to try another KDC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the directory cannot be read: {0}")]
pub struct Unavailable(pub String);

/// What kind of principal an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A person, or a service account.
    User,
    /// A computer; its name ends in `$`.
    Computer,
    /// `krbtgt`, or `krbtgt_...` with the number of its read-only domain controller.
    Krbtgt(u16),
    /// An interdomain trust account.
    Trust,
}

/// One account with all that a ticket needs.
#[derive(Debug)]
pub struct Account {
    /// `objectSid`.
    pub sid: Sid,
    /// `sAMAccountName` in its own spelling.
    pub name: String,
    /// `userPrincipalName`, or the implied one.
    pub user_principal_name: Option<String>,
    /// `displayName`, for the PAC.
    pub display_name: String,
    /// What it is.
    pub kind: AccountKind,
    /// The keys, newest first: the current set, then the set before it.
    pub keys: Vec<KeySet>,
    /// What the account's policy says.
    pub policy: AccountPolicy,
    /// `userAccountControl`'s facts for logon information, MS-SAMR 2.2.1.12 (not the LDAP attribute's bits).
    pub account_control: u32,
    /// RID of the primary group.
    pub primary_group: u32,
    /// Every other group of the account, nested ones included.
    pub groups: Vec<Sid>,
    /// `pwdLastSet`.
    pub password_set: Option<Timestamp>,
    /// `lastLogon`, `logonCount`: only told, never used.
    pub logon_count: u16,
    /// Whether the account has a `servicePrincipalName`.
    pub is_service: bool,
    /// The binary parts of its `msDS-KeyCredentialLink` values.
    pub key_credentials: Vec<Vec<u8>>,
    /// `msDS-AllowedToDelegateTo`: service names that it may ask tickets for in its clients' names.
    pub allowed_to_delegate_to: Vec<String>,
    /// `msDS-AllowedToActOnBehalfOfOtherIdentity`: the security descriptor that says who may come to this service in
    /// the name of others, as its bytes.
    pub allowed_to_act: Option<Vec<u8>>,
    /// `msDS-SupportedEncryptionTypes`.
    pub supported_encryption_types: Option<SupportedEncryptionTypes>,
}

/// The keys of one password.
pub struct KeySet {
    /// `msDS-KeyVersionNumber`: for a krbtgt of a read-only domain controller the low 16 bits.
    pub version: u32,
    /// The salt that made the AES keys of a password.
    pub salt: String,
    /// The keys, strongest first.
    pub keys: Vec<Arc<Key>>,
    /// The NT hash where it is known and its policy lets it be used.
    pub nt_hash: Option<Secret<[u8; 16]>>,
}

impl KeySet {
    /// The same keys.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            version: self.version,
            salt: self.salt.clone(),
            keys: self.keys.clone(),
            nt_hash: self
                .nt_hash
                .as_ref()
                .map(|hash| Secret::new(*hash.expose())),
        }
    }

    /// The key of that type.
    pub fn of_type(&self, etype: EncryptionType) -> Option<&Arc<Key>> {
        self.keys.iter().find(|key| key.etype() == etype)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("version", &self.version)
            .field("salt", &self.salt)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// What may stop a sign-in, and what a ticket of this account may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent bits of userAccountControl"
)]
pub struct AccountPolicy {
    /// ACCOUNTDISABLE.
    pub disabled: bool,
    /// `accountExpires`.
    pub expires: Option<Timestamp>,
    /// An administrator's or a replicated lockout holds until then (the KDC's own counters are [`crate::Lockout`]).
    pub locked_until: Option<Timestamp>,
    /// `logonHours`: 168 bits of UTC, Sunday's first hour in the lowest bit of the first byte.
    pub logon_hours: Option<[u8; 21]>,
    /// `pwdLastSet` is 0.
    pub must_change_password: bool,
    /// When the password ends by the domain's policy.
    pub password_expires: Option<Timestamp>,
    /// SMARTCARD_REQUIRED: no password sign-in.
    pub smartcard_required: bool,
    /// DONT_REQUIRE_PREAUTH.
    pub no_preauthentication: bool,
    /// NOT_DELEGATED: tickets are neither forwardable nor proxiable.
    pub not_delegated: bool,
    /// TRUSTED_FOR_DELEGATION: tickets to it carry ok-as-delegate.
    pub trusted_for_delegation: bool,
    /// TRUSTED_TO_AUTH_FOR_DELEGATION: tickets that it gets to itself in a user's name (S4U2Self) are forwardable.
    pub trusted_to_authenticate_for_delegation: bool,
    /// A shorter life for this account's tickets (Protected Users: four hours).
    pub ticket_lifetime_s_max: Option<i64>,
}

impl Account {
    /// The current keys.
    pub fn current(&self) -> Option<&KeySet> {
        self.keys.first()
    }

    /// The same account, to be changed.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            sid: self.sid.clone(),
            name: self.name.clone(),
            user_principal_name: self.user_principal_name.clone(),
            display_name: self.display_name.clone(),
            kind: self.kind,
            keys: self.keys.iter().map(KeySet::duplicate).collect(),
            policy: self.policy.clone(),
            account_control: self.account_control,
            primary_group: self.primary_group,
            groups: self.groups.clone(),
            password_set: self.password_set,
            logon_count: self.logon_count,
            is_service: self.is_service,
            key_credentials: self.key_credentials.clone(),
            allowed_to_delegate_to: self.allowed_to_delegate_to.clone(),
            allowed_to_act: self.allowed_to_act.clone(),
            supported_encryption_types: self.supported_encryption_types,
        }
    }

    /// The keys of exactly that version.
    pub fn version(&self, version: u32) -> Option<&KeySet> {
        self.keys.iter().find(|set| set.version == version)
    }

    /// Whether nobody may come in its name: NOT_DELEGATED, or a member of Protected Users.
    pub fn is_sensitive(&self) -> bool {
        self.policy.not_delegated || self.is_protected()
    }

    /// Whether it is a member of Protected Users: no RC4, no delegation, tickets of four hours.
    pub fn is_protected(&self) -> bool {
        let domain = self.sid.domain();
        let group = domain.map(|domain| domain.with_rid(PROTECTED_USERS));
        group.is_some_and(|group| self.groups.contains(&group))
    }

    /// Whether tickets may be issued to it at all: a krbtgt and a trust account are never clients.
    pub fn is_client(&self) -> bool {
        matches!(self.kind, AccountKind::User | AccountKind::Computer)
    }
}

/// RID of the group Protected Users.
const PROTECTED_USERS: u32 = 525;
