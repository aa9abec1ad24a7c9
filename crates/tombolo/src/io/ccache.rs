//! Which credential cache a command means.

use std::path::PathBuf;

use machine::ccache::{CacheError, CacheName};

use super::{Failure, environment};

/// Where tickets go.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tickets")]
pub(crate) struct CacheArgs {
    /// The credential cache: FILE:path, DIR:path, KEYRING:persistent:UID or KCM:
    ///
    /// Without it KRB5CCNAME, and without that FILE:/tmp/krb5cc_UID.
    #[arg(long, alias = "cache", value_name = "NAME")]
    ccache: Option<String>,

    /// Where the cache manager of KCM: listens, if not where everybody's does
    #[arg(long, value_name = "SOCKET", env = "TOMBOLO_KCM_SOCKET")]
    kcm_socket: Option<PathBuf>,
}

impl CacheArgs {
    /// The cache.
    pub(crate) fn name(&self) -> Result<CacheName, Failure> {
        let named = self
            .ccache
            .clone()
            .or_else(|| environment("KRB5CCNAME"))
            .map(|name| CacheName::parse(&name));
        let name = match named {
            Some(name) => name.map_err(|error| cache_failure("no tickets can be kept", &error))?,
            None => CacheName::default_file(&std::env::temp_dir()),
        };
        #[cfg(unix)]
        if let Some(socket) = &self.kcm_socket {
            return Ok(name.at_socket(socket));
        }
        Ok(name)
    }
}

/// An error of a cache, with what to do next.
pub(crate) fn cache_failure(what: impl Into<String>, error: &CacheError) -> Failure {
    Failure::new(what).why(error).next(error.next())
}
