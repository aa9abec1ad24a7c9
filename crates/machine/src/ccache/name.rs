//! The names of credential caches, as `KRB5CCNAME` and `--ccache` have them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::CacheError;

/// Where tickets are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheName {
    /// A file.
    File(PathBuf),
    /// A directory of files, of which one is the primary.
    Directory {
        /// The directory.
        folder: PathBuf,
        /// The file in it; the primary, where none is named.
        cache: Option<String>,
    },
    /// The persistent keyring of this process's user.
    #[cfg(target_os = "linux")]
    Keyring {
        /// The cache in the collection; the primary, where none is named.
        cache: Option<String>,
    },
    /// A cache manager.
    #[cfg(unix)]
    Manager {
        /// The cache; the user's default, where none is named.
        cache: Option<String>,
        /// Where the manager listens.
        socket: PathBuf,
    },
}

/// Where managers listen: Heimdal's own place, which MIT and SSSD share.
#[cfg(unix)]
pub const MANAGER_SOCKET: &str = "/var/run/.heim_org.h5l.kcm-socket";

impl CacheName {
    /// Reads a name. Without a kind it is a file.
    pub fn parse(text: &str) -> Result<Self, CacheError> {
        let (kind, rest) = match text.split_once(':') {
            // A path may have a colon; a kind has no slash.
            Some((kind, rest)) if !kind.contains(['/', '\\']) => (kind, rest),
            _ => ("FILE", text),
        };
        let unknown = |why| CacheError::Name {
            name: text.to_owned(),
            why,
        };
        match kind {
            "FILE" | "DIR" if rest.is_empty() => Err(unknown("it names no path")),
            "FILE" => Ok(Self::File(PathBuf::from(rest))),
            "DIR" => directory(rest).ok_or_else(|| unknown("it names no file in a directory")),
            #[cfg(target_os = "linux")]
            "KEYRING" => keyring(rest, text),
            #[cfg(unix)]
            "KCM" => Ok(Self::Manager {
                cache: (!rest.is_empty()).then(|| rest.to_owned()),
                socket: PathBuf::from(MANAGER_SOCKET),
            }),
            "MEMORY" => Err(unknown("such a cache ends with its process")),
            _ => Err(unknown("caches of this kind are not written here")),
        }
    }

    /// The file that MIT's programs use where nothing else is said.
    pub fn default_file(folder: &Path) -> Self {
        Self::File(folder.join(format!("krb5cc_{}", own_uid())))
    }

    /// A manager that listens elsewhere.
    #[cfg(unix)]
    #[must_use]
    pub fn at_socket(self, at: &Path) -> Self {
        match self {
            Self::Manager { cache, .. } => Self::Manager {
                cache,
                socket: at.to_owned(),
            },
            other => other,
        }
    }
}

/// `path`, or `:path/file`.
fn directory(rest: &str) -> Option<CacheName> {
    let Some(file) = rest.strip_prefix(':') else {
        return Some(CacheName::Directory {
            folder: PathBuf::from(rest),
            cache: None,
        });
    };
    let path = Path::new(file);
    Some(CacheName::Directory {
        folder: path.parent()?.to_owned(),
        cache: Some(path.file_name()?.to_str()?.to_owned()),
    })
}

/// `persistent:UID` or `persistent:UID:cache`.
#[cfg(target_os = "linux")]
fn keyring(rest: &str, text: &str) -> Result<CacheName, CacheError> {
    let no = |why| CacheError::Name {
        name: text.to_owned(),
        why,
    };
    let mut parts = rest.splitn(3, ':');
    let (Some("persistent"), Some(uid)) = (parts.next(), parts.next()) else {
        return Err(no("only KEYRING:persistent:UID outlives the session"));
    };
    if !uid.is_empty() {
        let wanted: u32 = uid.parse().map_err(|_| no("the user is no number"))?;
        let own = own_uid();
        if wanted != own {
            return Err(CacheError::OtherUser { wanted, own });
        }
    }
    let cache = parts.next().filter(|cache| !cache.is_empty());
    Ok(CacheName::Keyring {
        cache: cache.map(str::to_owned),
    })
}

/// The user whose caches these are.
pub(super) fn own_uid() -> u32 {
    #[cfg(unix)]
    return rustix::process::getuid().as_raw();
    #[cfg(not(unix))]
    return 0;
}

impl FromStr for CacheName {
    type Err = CacheError;

    fn from_str(text: &str) -> Result<Self, CacheError> {
        Self::parse(text)
    }
}

/// As Kerberos' programs take it.
impl fmt::Display for CacheName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "FILE:{}", path.display()),
            Self::Directory {
                folder,
                cache: None,
            } => write!(f, "DIR:{}", folder.display()),
            Self::Directory {
                folder,
                cache: Some(cache),
            } => write!(f, "DIR::{}", folder.join(cache).display()),
            #[cfg(target_os = "linux")]
            Self::Keyring { cache } => {
                write!(f, "KEYRING:persistent:{}", own_uid())?;
                cache.iter().try_for_each(|cache| write!(f, ":{cache}"))
            }
            #[cfg(unix)]
            Self::Manager { cache, .. } => {
                write!(f, "KCM:{}", cache.as_deref().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let own = own_uid();
        let check = |text: &str, expected: &str| {
            let name = CacheName::parse(text).unwrap();
            assert_eq!(name.to_string(), expected);
            assert_eq!(CacheName::parse(expected).unwrap(), name);
        };
        check("/tmp/a", "FILE:/tmp/a");
        check("/tmp/a:b", "FILE:/tmp/a:b");
        check("FILE:a", "FILE:a");
        check("DIR:/tmp/caches", "DIR:/tmp/caches");
        check("DIR::/tmp/caches/tkt1", "DIR::/tmp/caches/tkt1");
        #[cfg(target_os = "linux")]
        {
            let persistent = format!("KEYRING:persistent:{own}");
            check("KEYRING:persistent:", &persistent);
            check(&persistent, &persistent);
            let of_collection = format!("{persistent}:krb_ccache_1");
            check(&of_collection, &of_collection);
        }
        #[cfg(unix)]
        {
            check("KCM:", "KCM:");
            check("KCM:1000:2", "KCM:1000:2");
        }
    }

    #[test]
    fn names_of_nothing() {
        let check = |text: &str, why: &str| {
            let error = CacheName::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        };
        check("MEMORY:1", "ends with its process");
        check("API:1", "not written here");
        check("FILE:", "no path");
        check("DIR::", "no file in a directory");
        #[cfg(target_os = "linux")]
        {
            check("KEYRING:session:x", "outlives the session");
            check("KEYRING:x", "outlives the session");
            check("KEYRING:persistent:me", "no number");
            let other = format!("KEYRING:persistent:{}", own_uid() + 1);
            check(&other, "is user");
        }
    }
}
