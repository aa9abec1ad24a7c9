//! How an administrator's command reaches a directory over LDAP, and what it says when that fails.

use std::path::PathBuf;
use std::time::Duration;

use sync::connector::{ConnectorError, WriteError, WriteErrorClass};
use sync::ldap::{Connection, DirectorySettings};

use super::{Failure, Tell, certificates, first_line};

/// A directory, and who asks.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Directory")]
pub(crate) struct DirectoryArgs {
    /// Where it is: ldaps://dc1.corp.contoso.com, or ldap:// with --start-tls
    #[arg(long = "directory", value_name = "URL", env = "TOMBOLO_DIRECTORY")]
    url: Option<String>,

    /// Who writes: distinguished name, user principal name or DOMAIN\name
    #[arg(long, value_name = "NAME", env = "TOMBOLO_BIND")]
    bind: Option<String>,

    /// A file whose first line is the password; - for stdin
    #[arg(long, value_name = "FILE", env = "TOMBOLO_PASSWORD_FILE")]
    password_file: Option<PathBuf>,

    /// The certificate authority of the directory, PEM
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CA_FILE")]
    ca_file: Option<PathBuf>,

    /// Begin with StartTLS on an ldap:// address
    #[arg(long)]
    start_tls: bool,

    /// Seconds for one operation
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl DirectoryArgs {
    /// A connection that is opened with its first operation.
    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        let url = self.url.clone().ok_or_else(|| missing("--directory"))?;
        let bind_dn = self.bind.clone().ok_or_else(|| missing("--bind"))?;
        let password = self.password_file.as_ref();
        let password = password.ok_or_else(|| missing("--password-file"))?;
        let settings = DirectorySettings {
            bind_dn,
            start_tls: self.start_tls,
            password: first_line(password)?,
            base_dn: None,
            roots: match &self.ca_file {
                Some(path) => certificates(path)?,
                None => Vec::new(),
            },
            timeout: Duration::from_secs(self.timeout),
            url: url.clone(),
        };
        Connection::new(settings).tell(format!("{url} cannot be used"))
    }

    /// The file of the certificate authority.
    pub(crate) fn ca_file(&self) -> Option<&PathBuf> {
        self.ca_file.as_ref()
    }
}

fn missing(option: &str) -> Failure {
    Failure::new("it is not said how to reach the directory")
        .why(format!("there is no {option}"))
        .next(
            "give --directory URL, --bind NAME and --password-file FILE, or set TOMBOLO_DIRECTORY, TOMBOLO_BIND and \
             TOMBOLO_PASSWORD_FILE",
        )
}

/// A question that the directory did not answer.
pub(crate) fn unreachable(what: impl Into<String>) -> impl FnOnce(ConnectorError) -> Failure {
    let what = what.into();
    move |error| {
        let why = error.to_string();
        let failure = Failure::new(what).why(&why);
        // The TLS library's words for a certificate that leads to no trusted root, or to another name.
        if why.contains("UnknownIssuer") || why.contains("invalid peer certificate") {
            failure.next(
                "give the directory's certificate authority with --ca-file, and the name that its certificate has in --directory",
            )
        } else if why.contains("invalidCredentials") {
            failure.next("look at the password, and at --bind: a distinguished name, user@domain or DOMAIN\\user")
        } else if why.contains("strongerAuthRequired") {
            failure.next("use ldaps://, or --start-tls")
        } else {
            failure.next("look at --directory, and whether the directory answers there")
        }
    }
}

/// A write that the directory refused. `right` is what the writer needs.
pub(crate) fn refused(
    what: impl Into<String>,
    right: impl Into<String>,
) -> impl FnOnce(WriteError) -> Failure {
    let (what, right) = (what.into(), right.into());
    move |error| {
        let failure = Failure::new(what).why(&error.message);
        match error.class {
            WriteErrorClass::Denied => failure.next(format!("the account needs {right}")),
            WriteErrorClass::Gone => failure.next("look again: it was deleted in the meantime"),
            WriteErrorClass::Schema => failure.next(
                "extend the directory's schema: what is written here came with Windows Server 2016 (objectVersion 87)",
            ),
            WriteErrorClass::AlreadySo => {
                failure.next("look again: somebody else has changed it in the meantime")
            }
            WriteErrorClass::Retry => {
                failure.next("look whether it was written before you try again: the answer was lost")
            }
            WriteErrorClass::Immutable | WriteErrorClass::Permanent => failure,
        }
    }
}
