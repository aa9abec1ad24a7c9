//! Why tickets are not where they should be, and what to do next.

use std::io;
use std::path::PathBuf;

use kerberos::files::FileError;
use kerberos::files::kcm::{AnswerError, Code};

use super::CacheName;

/// A cache cannot be read or written. What was in it is still in it, unless the error says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It is no name of a cache.
    #[error("'{name}' is no credential cache of ours: {why}")]
    Name {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// Another user's keyring.
    #[error("the keyring is that of user {wanted}, and this process is user {own}")]
    OtherUser {
        /// The user that was named.
        wanted: u32,
        /// Who runs this.
        own: u32,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be {act}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// What is there is no cache.
    #[error("{what} holds something else than tickets: {source}")]
    Malformed {
        /// The cache.
        what: String,
        /// Why.
        source: FileError,
    },
    /// These tickets cannot be written down.
    #[error("the tickets cannot be written: {0}")]
    Unwritable(FileError),
    /// There was a cache, and it is gone.
    #[error("{0} is gone")]
    Gone(CacheName),
    /// Somebody else's tickets are in the cache now.
    #[error("{name} has the tickets of {has} now")]
    OtherPrincipal {
        /// The cache.
        name: CacheName,
        /// Whose tickets these are.
        has: String,
    },
    /// The kernel has no persistent keyrings.
    #[error("this kernel keeps no persistent keyrings")]
    NoKeyrings,
    /// The user's keys have no room left.
    #[error("the kernel has no room for more keys of this user")]
    KeyQuota,
    /// The kernel refuses something.
    #[error("the kernel refuses to {act}: {source}")]
    Keyring {
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A version of the keyring's layout that is not known here.
    #[error("the keyring's list of caches has version {0}, and version 1 is read")]
    KeyringVersion(u32),
    /// No manager listens.
    #[error("no cache manager listens at {}: {source}", socket.display())]
    NoManager {
        /// Where.
        socket: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The manager stopped to answer.
    #[error("the cache manager at {} does not answer: {source}", socket.display())]
    ManagerSilent {
        /// Where.
        socket: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The manager refuses something.
    #[error("the cache manager refuses to {act}: {code:?}")]
    Manager {
        /// What was tried.
        act: &'static str,
        /// What it said.
        code: Code,
    },
    /// The manager's answer makes no sense.
    #[error("the cache manager's answer cannot be read: {0}")]
    Answer(#[from] AnswerError),
}

impl CacheError {
    /// What a person can do about it.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Name { .. } => {
                "name one with --ccache: FILE:path, DIR:path, KEYRING:persistent:UID or KCM:"
            }
            Self::OtherUser { .. } => "run this as that user: only then the keys are its own",
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "make room, or name a cache elsewhere with --ccache"
                }
                io::ErrorKind::NotFound => {
                    "make the directory, or name another cache with --ccache"
                }
                _ => {
                    "look at who owns it and at its directory, or name another cache with --ccache"
                }
            },
            Self::Malformed { .. } => {
                "remove it with kdestroy, or sign in again, which replaces it"
            }
            Self::Unwritable(_) => "ask for fewer tickets",
            Self::Gone(_) => "sign in again",
            Self::OtherPrincipal { .. } => "sign in again, with another cache named by --ccache",
            Self::NoKeyrings => "use FILE:path, or a kernel with CONFIG_PERSISTENT_KEYRINGS",
            Self::KeyQuota => {
                "raise kernel.keys.maxbytes and kernel.keys.maxkeys with sysctl, or use FILE:path"
            }
            Self::Keyring { .. } => {
                "in a container its rules may forbid keyrings; use FILE:path or KCM: there"
            }
            Self::KeyringVersion(_) => "use FILE:path",
            Self::NoManager { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "ask an administrator who may use the manager, or use FILE:path"
            }
            Self::NoManager { .. } => {
                "start one (systemctl start sssd-kcm.socket, or Heimdal's kcm), or use FILE:path"
            }
            Self::ManagerSilent { .. } | Self::Answer(_) => {
                "look at the manager's log and restart it, or use FILE:path"
            }
            Self::Manager { code, .. } => match *code {
                Code::NOT_PERMITTED => "name a cache of your own: KCM: without anything behind it",
                _ => {
                    "look at the manager's log (SSSD: its limits max_uid_ccaches and max_ccache_size)"
                }
            },
        }
    }
}
