//! What can go wrong in the house, and where.

use cloud_api::error::ErrorCode;

/// Why the house could not be built, or a step could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A socket.
    #[error("cannot open {what}: {source}; is another house up? `--ports auto` takes free ports")]
    Socket {
        /// For what, and where.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The state directory, or the runtime.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The kernel gives the caller no network of its own.
    #[error(
        "the system allows no network of one's own here: {source}; run it as root, or allow user namespaces: \
         `sysctl kernel.unprivileged_userns_clone=1`, `sysctl kernel.apparmor_restrict_unprivileged_userns=0` where \
         these exist, `user.max_user_namespaces` above 0, and a container that permits unshare"
    )]
    NoNamespace {
        /// Why.
        source: std::io::Error,
    },
    /// Certificates and keys of TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// Key credentials.
    #[error("key credential: {0}")]
    Key(String),
    /// The directory refused, over LDAP.
    #[error("{what}: LDAP result {code}, {message}")]
    Directory {
        /// What was tried.
        what: String,
        /// The result code.
        code: u32,
        /// The directory's text.
        message: String,
    },
    /// The connection to the directory.
    #[error("LDAP connection: {0}")]
    Connection(#[from] ldap3::LdapError),
    /// The directory itself, when the house is built.
    #[error("directory: {0}")]
    Store(#[from] directory::Error),
    /// The cloud refused, over HTTPS.
    #[error("cloud, {path}: {message}")]
    Cloud {
        /// The path.
        path: String,
        /// The cloud's word, when it gave one.
        code: Option<ErrorCode>,
        /// The cloud's text.
        message: String,
    },
    /// The cloud itself, when the house is built.
    #[error("cloud: {0}")]
    Tenant(#[from] cloud::Error),
    /// Asking the KDC.
    #[error("Kerberos: {0}")]
    Kerberos(#[from] kerberos::client::ClientError),
    /// The security key.
    #[error("security key: {0}")]
    SecurityKey(#[from] ctap::Error),
    /// The software key's state.
    #[error(transparent)]
    Softkey(#[from] softkey::Error),
    /// The sync.
    #[error("sync: {0}")]
    Sync(#[from] sync::Error),
    /// A step of the story saw something else than it should.
    #[error("{0}")]
    Story(String),
}

impl From<rcgen::Error> for Error {
    fn from(error: rcgen::Error) -> Self {
        Self::Tls(error.to_string())
    }
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error.to_string())
    }
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
