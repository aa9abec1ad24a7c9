//! Where the tickets of a login are: one cache for all sessions of a user, in memory, gone with the last of them.
//!
//! ```text
//! /run/tombolo              root, 755: nobody can be there first, as in /tmp
//! /run/tombolo/1000         the user's, 700
//! /run/tombolo/1000/krb5cc  the user's, 600: KRB5CCNAME of all sessions, so that a sign-in at the lock screen serves them all
//! /run/tombolo/.sessions    root, 700: an empty file for each session
//! ```
//! Root writes a cache in its own folder, gives it away and moves it: what the user has put into theirs, links as well, is
//! replaced and never followed.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use kerberos::files::CredentialCache;
use types::Entropy;

use crate::io::OsEntropy;

/// The folder of all tickets.
pub(super) struct Place {
    folder: PathBuf,
}

/// Whose tickets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

const SESSIONS: &str = ".sessions";
const CACHE: &str = "krb5cc";
/// A cache of this size holds hundreds of tickets.
const CACHE_BYTES_MAX: u64 = 4 * 1024 * 1024;

impl Place {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The cache of a user.
    pub(super) fn cache(&self, owner: Owner) -> PathBuf {
        self.folder.join(owner.uid.to_string()).join(CACHE)
    }

    /// A session begins: its tickets are in the cache, unless better ones are there. The word that ends it.
    pub(super) fn begin(
        &self,
        owner: Owner,
        tickets: Option<&CredentialCache>,
    ) -> io::Result<String> {
        self.make(owner)?;
        let _alone = self.alone()?;
        if let Some(tickets) = tickets
            && !self.has_better(owner, tickets)
        {
            self.write(owner, tickets)?;
        }
        let mut lease = [0; 12];
        OsEntropy.fill(&mut lease);
        let lease = HEXLOWER.encode(&lease);
        let path = self.lease(owner, &lease);
        OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(lease)
    }

    /// A session ends, and with the last one the cache.
    pub(super) fn end(&self, owner: Owner, lease: &str) -> io::Result<()> {
        if lease.is_empty() || !lease.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let _alone = self.alone()?;
        gone(std::fs::remove_file(self.lease(owner, lease)))?;
        let prefix = format!("{}-", owner.uid);
        for entry in std::fs::read_dir(self.folder.join(SESSIONS))? {
            if entry?.file_name().to_string_lossy().starts_with(&prefix) {
                return Ok(());
            }
        }
        gone(std::fs::remove_file(self.cache(owner)))
    }

    fn lease(&self, owner: Owner, lease: &str) -> PathBuf {
        let name = format!("{}-{lease}", owner.uid);
        self.folder.join(SESSIONS).join(name)
    }

    /// The folders, where they are not there. What is there must be what it has to be.
    fn make(&self, owner: Owner) -> io::Result<()> {
        let sessions = self.folder.join(SESSIONS);
        let own = self.folder.join(owner.uid.to_string());
        for (path, mode, uid) in [
            (&self.folder, 0o755, None),
            (&sessions, 0o700, None),
            (&own, 0o700, Some(owner)),
        ] {
            match DirBuilder::new().mode(mode).create(path) {
                Ok(()) => {
                    // The mode that was asked for is cut by the umask.
                    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
                    std::fs::set_permissions(path, mode)?;
                    if let Some(owner) = uid {
                        chown(path, Some(owner.uid), Some(owner.gid))?;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let held = std::fs::symlink_metadata(path)?;
            let wanted = uid.map_or_else(own_uid, |owner| owner.uid);
            if !held.is_dir() || held.uid() != wanted || held.mode() & 0o022 != 0 {
                let why = format!("{} is not what it was made as", path.display());
                return Err(io::Error::other(why));
            }
        }
        Ok(())
    }

    /// One at a time: two sessions of a user may begin and end in the same moment.
    fn alone(&self) -> io::Result<File> {
        let file = File::open(self.folder.join(SESSIONS))?;
        file.lock()?;
        Ok(file)
    }

    /// Whether the cache that is there serves its user longer than what a session brings: an agent may have renewed it while
    /// the device was locked.
    fn has_better(&self, owner: Owner, tickets: &CredentialCache) -> bool {
        let ends = |cache: &CredentialCache| cache.granting().map(|ticket| ticket.endtime);
        self.read(owner).is_ok_and(|held| {
            let is_same = held.default_principal.is_same(&tickets.default_principal);
            is_same && ends(&held) > ends(tickets)
        })
    }

    /// Root reads in a folder of somebody else: nothing is followed, nothing waited for, and not too much taken.
    fn read(&self, owner: Owner) -> io::Result<CredentialCache> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(self.cache(owner))?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = Vec::new();
        file.take(CACHE_BYTES_MAX).read_to_end(&mut bytes)?;
        CredentialCache::decode(&bytes).map_err(io::Error::other)
    }

    fn write(&self, owner: Owner, tickets: &CredentialCache) -> io::Result<()> {
        let bytes = tickets.encode().map_err(io::Error::other)?;
        let bytes = zeroize::Zeroizing::new(bytes);
        let mut file = tempfile::Builder::new()
            .prefix("new-")
            .tempfile_in(self.folder.join(SESSIONS))?;
        file.write_all(&bytes)?;
        std::os::unix::fs::fchown(file.as_file(), Some(owner.uid), Some(owner.gid))?;
        file.persist(self.cache(owner))
            .map_err(|error| error.error)?;
        Ok(())
    }
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What is gone already need not be removed.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use kerberos::crypto::EncryptionType;
    use kerberos::files::{Credential, Principal};
    use kerberos::messages::{
        EncryptionKey, KerberosString, NameType, PrincipalName, SecretBytes, TicketFlags,
    };
    use types::Timestamp;

    use super::*;

    struct Machine {
        place: Place,
        owner: Owner,
        folder: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let place = Place::new(&folder.path().join("tombolo"));
            // Root can give files away; anybody else plays with their own.
            let owner = match own_uid() {
                0 => Owner {
                    uid: 4242,
                    gid: 4243,
                },
                uid => Owner {
                    uid,
                    gid: rustix::process::getegid().as_raw(),
                },
            };
            Self {
                place,
                owner,
                folder,
            }
        }

        fn begin(&self, ends: i64) -> String {
            self.place.begin(self.owner, Some(&tickets(ends))).unwrap()
        }

        fn ends(&self) -> Option<Timestamp> {
            let cache = self.place.read(self.owner).ok()?;
            cache.granting().map(|ticket| ticket.endtime)
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_780_000_000 + seconds)
    }

    fn principal(parts: &[&str]) -> Principal {
        let text = |text: &str| KerberosString::new(text.as_bytes());
        Principal {
            name: PrincipalName {
                name_type: NameType(1),
                name_string: parts.iter().map(|part| text(part)).collect(),
            },
            realm: text("CORP.CONTOSO.COM"),
        }
    }

    fn tickets(ends: i64) -> CredentialCache {
        let client = principal(&["testuser"]);
        let mut cache = CredentialCache::new(client.clone());
        cache.put(Credential {
            client,
            server: principal(&["krbtgt", "CORP.CONTOSO.COM"]),
            key: EncryptionKey {
                keytype: EncryptionType(18),
                keyvalue: SecretBytes::new(vec![7; 32]),
            },
            authtime: at(0),
            starttime: at(0),
            endtime: at(ends),
            renew_till: at(ends),
            is_session_key: false,
            flags: TicketFlags(0),
            addresses: Vec::new(),
            authdata: Vec::new(),
            ticket: vec![1],
            second_ticket: Vec::new(),
        });
        cache
    }

    #[test]
    fn one_cache_for_all_sessions_until_the_last_has_ended() {
        let machine = Machine::new();
        let first = machine.begin(100);
        let cache = machine.place.cache(machine.owner);
        let held = std::fs::symlink_metadata(&cache).unwrap();
        assert_eq!(
            (held.uid(), held.gid(), held.mode() & 0o777),
            (machine.owner.uid, machine.owner.gid, 0o600)
        );
        let folder = std::fs::metadata(cache.parent().unwrap()).unwrap();
        assert_eq!(folder.mode() & 0o777, 0o700);
        // Better tickets replace, worse do not.
        let second = machine.begin(300);
        assert_eq!(machine.ends(), Some(at(300)));
        let third = machine.begin(200);
        assert_eq!(machine.ends(), Some(at(300)));
        for (lease, is_there) in [
            (&second, true),
            (&second, true),
            (&first, true),
            (&third, false),
        ] {
            machine.place.end(machine.owner, lease).unwrap();
            assert_eq!(cache.exists(), is_there);
        }
        machine.place.end(machine.owner, &third).unwrap();
    }

    #[test]
    fn a_session_without_tickets_has_a_place_for_them() {
        let machine = Machine::new();
        let lease = machine.place.begin(machine.owner, None).unwrap();
        assert!(!machine.place.cache(machine.owner).exists());
        machine.place.end(machine.owner, &lease).unwrap();
        for lease in ["", "../x", "x/y"] {
            assert!(machine.place.end(machine.owner, lease).is_err());
        }
    }

    #[test]
    fn what_a_user_puts_there_is_never_followed() {
        let machine = Machine::new();
        let first = machine.begin(100);
        let cache = machine.place.cache(machine.owner);
        let victim = machine.folder.path().join("victim");
        std::fs::write(&victim, "root's own").unwrap();
        std::fs::set_permissions(&victim, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::remove_file(&cache).unwrap();
        symlink(&victim, &cache).unwrap();
        let second = machine.begin(50);
        assert_eq!(machine.ends(), Some(at(50)));
        std::fs::remove_file(&cache).unwrap();
        symlink(&victim, &cache).unwrap();
        machine.place.end(machine.owner, &first).unwrap();
        machine.place.end(machine.owner, &second).unwrap();
        let held = std::fs::metadata(&victim).unwrap();
        assert_eq!((held.uid(), held.len()), (own_uid(), 10));
        // A folder that is none, or is somebody else's, is not written to.
        let own = cache.parent().unwrap();
        std::fs::remove_dir_all(own).unwrap();
        symlink(machine.folder.path(), own).unwrap();
        let refused = machine.place.begin(machine.owner, Some(&tickets(100)));
        assert!(refused.is_err());
        assert!(!machine.folder.path().join(CACHE).exists());
    }

    #[test]
    fn garbage_in_the_cache_is_replaced() {
        let machine = Machine::new();
        machine.begin(100);
        std::fs::write(machine.place.cache(machine.owner), "garbage").unwrap();
        machine.begin(50);
        assert_eq!(machine.ends(), Some(at(50)));
    }
}
