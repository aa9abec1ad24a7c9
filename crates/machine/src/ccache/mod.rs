//! Credential caches by their names: `FILE:path`, `DIR:path`, `KEYRING:persistent:UID`, `KCM:`.
//!
//! A cache is replaced as a whole or not at all, wherever its keeper allows that (a file by a rename, a keyring by a link, a
//! cache of Heimdal's manager by a move; SSSD's manager has no such thing). Configuration entries of the same principal are
//! kept. Deliberately absent: MEMORY, which ends with its process, and the keyrings of a session, which end with it.

mod error;
mod file;
#[cfg(target_os = "linux")]
mod keyring;
#[cfg(unix)]
mod manager;
mod name;

pub use error::CacheError;
pub use name::CacheName;
#[cfg(unix)]
pub use name::MANAGER_SOCKET;

use kerberos::files::{Credential, CredentialCache, Principal};

impl CacheName {
    /// Puts these tickets into the place of whatever is there. Configuration entries stay where the principal does.
    pub fn store(
        &self,
        principal: &Principal,
        credentials: &[Credential],
    ) -> Result<(), CacheError> {
        let mut cache = CredentialCache::new(principal.clone());
        cache.credentials = credentials.to_vec();
        // A cache that cannot be read is replaced: whoever signs in wants tickets, and there is nothing in it to keep.
        if let Ok(Some(older)) = self.load() {
            cache.keep_configuration(&older);
        }
        self.replace(&cache)
    }

    /// Puts renewed tickets into the places of those that they renew; everything else stays. The caller has the tickets
    /// from this cache, so one that is gone or has another owner in the meantime is left alone.
    pub fn renew(&self, principal: &Principal, renewed: &[Credential]) -> Result<(), CacheError> {
        let Some(mut cache) = self.load()? else {
            return Err(CacheError::Gone(self.clone()));
        };
        if !cache.default_principal.is_same(principal) {
            return Err(CacheError::OtherPrincipal {
                name: self.clone(),
                has: cache.default_principal.to_string(),
            });
        }
        #[cfg(target_os = "linux")]
        if let Self::Keyring { cache } = self {
            return keyring::put(cache.as_deref(), renewed);
        }
        for credential in renewed {
            cache.put(credential.clone());
        }
        self.replace(&cache)
    }

    /// What is in the cache; nothing, where there is none.
    pub fn load(&self) -> Result<Option<CredentialCache>, CacheError> {
        match self {
            Self::File(path) => file::load(self, path),
            Self::Directory { folder, cache } => match file::place(folder, cache.as_deref())? {
                Some(path) => file::load(self, &path),
                None => Ok(None),
            },
            #[cfg(target_os = "linux")]
            Self::Keyring { cache } => keyring::load(cache.as_deref()),
            #[cfg(unix)]
            Self::Manager { cache, socket } => manager::load(cache.as_deref(), socket),
        }
    }

    /// Removes the cache. Whether there was one.
    pub fn destroy(&self) -> Result<bool, CacheError> {
        match self {
            Self::File(path) => file::destroy(path),
            Self::Directory { folder, cache } => match file::place(folder, cache.as_deref())? {
                Some(path) => file::destroy(&path),
                None => Ok(false),
            },
            #[cfg(target_os = "linux")]
            Self::Keyring { cache } => keyring::destroy(cache.as_deref()),
            #[cfg(unix)]
            Self::Manager { cache, socket } => manager::destroy(cache.as_deref(), socket),
        }
    }

    fn replace(&self, cache: &CredentialCache) -> Result<(), CacheError> {
        match self {
            Self::File(path) => file::store(path, cache),
            Self::Directory {
                folder,
                cache: name,
            } => file::store_in(folder, name.as_deref(), cache),
            #[cfg(target_os = "linux")]
            Self::Keyring { cache: name } => keyring::store(name.as_deref(), cache),
            #[cfg(unix)]
            Self::Manager {
                cache: name,
                socket,
            } => manager::store(name.as_deref(), socket, cache),
        }
    }
}
