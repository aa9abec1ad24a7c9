//! KCM: caches that a manager keeps, over its socket. What is said is in `kerberos::files::kcm`.
//!
//! A cache is made under a new name and moved over the old one, where the manager can do that (Heimdal's). One that cannot
//! (SSSD's) is told to empty the cache and is given the tickets after that, as MIT's programs do it: for that moment a reader
//! finds less than it should.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use kerberos::files::CredentialCache;
use kerberos::files::kcm::{self, Answer, Code, Request};

use super::CacheError;

/// A manager works in memory; one that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cache that is replaced while it is read loses its handles under the reader, who then looks again.
const LOOKS_MAX: usize = 16;

pub(super) fn load(
    name: Option<&str>,
    socket: &Path,
) -> Result<Option<CredentialCache>, CacheError> {
    let mut manager = Manager::connect(socket)?;
    let name = manager.name(name)?;
    let mut looked = manager.look(&name)?;
    for _ in 1..LOOKS_MAX {
        match looked {
            Look::Changed => looked = manager.look(&name)?,
            Look::Nothing => return Ok(None),
            Look::Whole(cache) => return Ok(Some(cache)),
        }
    }
    Err(CacheError::Manager {
        act: ACT_SHOW,
        code: Code::END,
    })
}

const ACT_SHOW: &str = "show the cache";

/// What one look found.
enum Look {
    Nothing,
    Whole(CredentialCache),
    /// A credential was gone before it was shown.
    Changed,
}

pub(super) fn store(
    name: Option<&str>,
    socket: &Path,
    cache: &CredentialCache,
) -> Result<(), CacheError> {
    let mut manager = Manager::connect(socket)?;
    let name = manager.name(name)?;
    // Where nobody said which cache is a user's default, Heimdal's manager takes the newest: half a cache.
    let default = manager.name(None)?;
    drop(manager.ask(Request::SetDefault(&default))?);
    let fresh = manager.ask(Request::NewName)?;
    let fresh = fresh.good("name a new cache")?.cache_name()?;
    let filled = manager.fill(&fresh, cache);
    let moved = filled.and_then(|()| {
        let (from, to) = (fresh.as_str(), name.as_str());
        let moved = manager.ask(Request::Move { from, to })?;
        moved.good("put the new cache into its place").map(drop)
    });
    match moved {
        Ok(()) => Ok(()),
        Err(error) => {
            drop(manager.ask(Request::Destroy(&fresh))?);
            match error {
                CacheError::Manager { .. } => manager.fill(&name, cache),
                error => Err(error),
            }
        }
    }
}

pub(super) fn destroy(name: Option<&str>, socket: &Path) -> Result<bool, CacheError> {
    let mut manager = Manager::connect(socket)?;
    let name = manager.name(name)?;
    let asked = manager.ask(Request::Destroy(&name))?;
    match asked.answer()?.code {
        Code::NO_CACHE => Ok(false),
        _ => asked.good("remove the cache").map(|_| true),
    }
}

/// A connection.
struct Manager<'a> {
    stream: UnixStream,
    socket: &'a Path,
}

/// What came back.
struct Asked(Vec<u8>);

impl Asked {
    fn answer(&self) -> Result<Answer<'_>, CacheError> {
        Ok(Answer::decode(&self.0)?)
    }

    fn good(&self, act: &'static str) -> Result<Answer<'_>, CacheError> {
        let answer = self.answer()?;
        match answer.code {
            Code::OK => Ok(answer),
            code => Err(CacheError::Manager { act, code }),
        }
    }
}

impl<'a> Manager<'a> {
    fn connect(socket: &'a Path) -> Result<Self, CacheError> {
        let none = |source| CacheError::NoManager {
            socket: socket.to_owned(),
            source,
        };
        let stream = UnixStream::connect(socket).map_err(none)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(none)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(none)?;
        Ok(Self { stream, socket })
    }

    /// The cache that is meant.
    fn name(&mut self, name: Option<&str>) -> Result<String, CacheError> {
        match name {
            Some(name) => Ok(name.to_owned()),
            None => {
                let asked = self.ask(Request::DefaultCache)?;
                Ok(asked.good("name the default cache")?.cache_name()?)
            }
        }
    }

    fn look(&mut self, name: &str) -> Result<Look, CacheError> {
        let asked = self.ask(Request::PrincipalOf(name))?;
        let principal = match asked.answer()?.code {
            Code::NO_CACHE => None,
            _ => asked.good(ACT_SHOW)?.principal()?,
        };
        let Some(principal) = principal else {
            return Ok(Look::Nothing);
        };
        let mut cache = CredentialCache::new(principal);
        let handles = self.ask(Request::Handles(name))?;
        if handles.answer()?.code == Code::NO_CACHE {
            return Ok(Look::Changed);
        }
        for handle in handles.good(ACT_SHOW)?.handles()? {
            let asked = self.ask(Request::Credential {
                cache: name,
                handle,
            })?;
            match asked.answer()?.code {
                Code::END | Code::NO_CACHE | Code::NOT_FOUND => return Ok(Look::Changed),
                _ => cache.credentials.push(asked.good(ACT_SHOW)?.credential()?),
            }
        }
        Ok(Look::Whole(cache))
    }

    fn fill(&mut self, name: &str, cache: &CredentialCache) -> Result<(), CacheError> {
        let made = self.ask(Request::Initialize {
            cache: name,
            principal: &cache.default_principal,
        })?;
        made.good("make a cache")?;
        for credential in &cache.credentials {
            let kept = self.ask(Request::Store {
                cache: name,
                credential,
            })?;
            kept.good("keep a ticket")?;
        }
        Ok(())
    }

    fn ask(&mut self, request: Request<'_>) -> Result<Asked, CacheError> {
        let request = request.encode().map_err(CacheError::Unwritable)?;
        let silent = |source| CacheError::ManagerSilent {
            socket: self.socket.to_owned(),
            source,
        };
        let mut header = [0; kcm::ANSWER_HEADER_BYTES];
        let asked = self.stream.write_all(&request);
        let asked = asked.and_then(|()| self.stream.read_exact(&mut header));
        asked.map_err(|error| silent(in_words(error)))?;
        let mut answer = vec![0; kcm::answer_length(header)?];
        self.stream.read_exact(&mut answer).map_err(silent)?;
        Ok(Asked(answer))
    }
}

/// What a time-out is called depends on the system; what it means does not.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, "it takes too long")
        }
        _ => error,
    }
}
