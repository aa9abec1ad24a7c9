//! Who asks, and what they may do.

use std::fmt;

use cloud_api::tokens::AccessClaims;
use types::Guid;

use crate::error::Error;

/// What a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Manages users, keys and policy.
    Administrator,
    /// Brings users from the ground and reads the key feed.
    Sync,
    /// One user, for itself.
    User(Guid),
}

impl Role {
    /// The word in the store and in a token's first part.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Administrator => "admin",
            Self::Sync => "sync",
            Self::User(_) => "user",
        }
    }
}

/// A caller whose right to its role was checked: by a token, or by being able to open the store.
///
/// Only [`crate::Cloud::authenticate`], [`crate::Cloud::myself`] and [`Caller::operator`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    role: Role,
    name: String,
    is_operator: bool,
    /// What an access token says of the user's proof; nothing where a session was presented.
    claims: Option<AccessClaims>,
}

impl Caller {
    /// The person at the machine that holds the store: whoever can open the file can do everything.
    pub fn operator() -> Self {
        Self {
            role: Role::Administrator,
            name: "operator".to_owned(),
            is_operator: true,
            claims: None,
        }
    }

    pub(crate) fn by_token(role: Role, name: String) -> Self {
        Self {
            role,
            name,
            is_operator: false,
            claims: None,
        }
    }

    /// The user of an access token that was verified.
    pub(crate) fn by_claims(claims: AccessClaims) -> Self {
        Self {
            claims: Some(claims.clone()),
            ..Self::by_token(Role::User(claims.oid), "access token".to_owned())
        }
    }

    pub(crate) fn claims(&self) -> Option<&AccessClaims> {
        self.claims.as_ref()
    }

    /// What the caller is.
    pub fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn must_administer(&self) -> Result<(), Error> {
        self.must(matches!(self.role, Role::Administrator), "administrator")
    }

    pub(crate) fn must_sync(&self) -> Result<(), Error> {
        self.must(self.is_operator || matches!(self.role, Role::Sync), "sync")
    }

    pub(crate) fn must_read_keys(&self) -> Result<(), Error> {
        self.must(
            matches!(self.role, Role::Sync | Role::Administrator),
            "sync or administrator",
        )
    }

    /// The user itself, or an administrator on its behalf.
    pub(crate) fn must_act_for(&self, user: Guid) -> Result<(), Error> {
        let may = match self.role {
            Role::Administrator => true,
            Role::User(own) => own == user,
            Role::Sync => false,
        };
        self.must(may, "administrator or the user itself")
    }

    /// Whether a user acts for itself, so that self-service must be allowed.
    pub(crate) fn is_self_service(&self) -> bool {
        matches!(self.role, Role::User(_))
    }

    fn must(&self, may: bool, need: &'static str) -> Result<(), Error> {
        if may {
            Ok(())
        } else {
            Err(Error::Denied {
                who: self.to_string(),
                need,
            })
        }
    }
}

/// As the audit log names the caller.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_operator {
            return f.write_str("operator");
        }
        match self.role {
            Role::User(id) => write!(f, "user {id}"),
            role => write!(f, "{} '{}'", role.word(), self.name),
        }
    }
}
