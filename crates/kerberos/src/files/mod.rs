//! Files that hold tickets and keys: credential caches (FILE, version 4), keytabs (version 2) and `.kirbi`; and what is
//! said to a cache manager, which writes tickets as files do.
//!
//! Deliberately absent: paths, sockets, locks and permissions, which belong to whoever opens the file; the older versions of
//! both formats, which depend on the machine's byte order.

mod ccache;
pub mod kcm;
mod keytab;
mod kirbi;
mod reader;

pub use ccache::{Credential, CredentialCache};
pub use keytab::{Keytab, KeytabEntry};
pub use kirbi::{credentials_from_kirbi, kirbi_from_credentials};

use crate::messages::{PrincipalName, Realm};

/// A name in a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name.
    pub name: PrincipalName,
    /// Its realm.
    pub realm: Realm,
}

impl Principal {
    /// Whether it is the same name in the same realm; the kind of name does not count.
    pub fn is_same(&self, other: &Self) -> bool {
        self.realm == other.realm && self.name.is_same_name(&other.name)
    }
}

/// `name@REALM`
impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.realm)
    }
}

/// The bytes are not such a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file ends inside something.
    #[error("{file}: truncated {what} at byte {offset}: needs {need} bytes, has {have}")]
    Truncated {
        /// What kind of file.
        file: &'static str,
        /// The thing that is cut.
        what: &'static str,
        /// Where it starts.
        offset: usize,
        /// Its length.
        need: usize,
        /// How much of it is there.
        have: usize,
    },
    /// Another kind of file, or an old version of it.
    #[error("{file}: the file starts with {have:02x?}; version {need:02x?} is read")]
    Version {
        /// What kind of file.
        file: &'static str,
        /// The first two bytes that are read.
        need: [u8; 2],
        /// The first two bytes.
        have: [u8; 2],
    },
    /// No program writes files of this size.
    #[error("{file}: {have} bytes; the limit is {max}")]
    TooLarge {
        /// What kind of file.
        file: &'static str,
        /// Its size.
        have: usize,
        /// The limit.
        max: usize,
    },
    /// More than one value where one was expected.
    #[error("{file}: {left} bytes too many")]
    Surplus {
        /// What kind of file.
        file: &'static str,
        /// How many.
        left: usize,
    },
    /// A value does not fit its field.
    #[error("{file}: {what} is too long for the file")]
    TooLong {
        /// What kind of file.
        file: &'static str,
        /// The thing.
        what: &'static str,
    },
    /// Tickets and their information do not belong together.
    #[error("KRB-CRED of {tickets} tickets with information about {infos}")]
    Unequal {
        /// How many tickets.
        tickets: usize,
        /// How many pieces of information.
        infos: usize,
    },
    /// The information about a ticket lacks something that every ticket has.
    #[error("KRB-CRED: the information about a ticket has no {0}")]
    Missing(&'static str),
    /// A message in the file is not well formed.
    #[error(transparent)]
    Sealed(#[from] crate::ticket::SealError),
}

impl From<crate::messages::Malformed> for FileError {
    fn from(error: crate::messages::Malformed) -> Self {
        Self::Sealed(error.into())
    }
}
