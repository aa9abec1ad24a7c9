//! Kerberos requests against a KDC: how many a second, and what each costs the server.
//!
//! With `--kdc` it is a load generator for any KDC that speaks RFC 4120. Without, it starts ours, MIT's krb5kdc and a Samba
//! AD domain controller one after the other, asks all of them the same, and prints the ratios. CPU per request is the
//! figure to compare: rates say as much about the machine's load.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts processes, opens sockets and reads the clock"
)]

pub(crate) mod drive;
pub(crate) mod load;
mod mit;
pub(crate) mod ours;
mod partial;
pub(crate) mod requests;
pub(crate) mod samba;
pub(crate) mod side_by_side;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use types::Sid;

use crate::{Failure, report};
use load::Wire;

/// Kerberos requests per second and CPU per request.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Ask this KDC (HOST or HOST:PORT) instead of comparing ours with others
    #[arg(long)]
    kdc: Option<String>,
    /// Its realm
    #[arg(long, default_value = "CORP.CONTOSO.COM")]
    realm: String,
    /// Who asks; several ask in turn
    #[arg(long, value_delimiter = ',', default_value = "testuser")]
    user: Vec<String>,
    /// The SIDs of those who ask, in the same order; for --partial
    #[arg(long, value_delimiter = ',')]
    sid: Vec<Sid>,
    /// The password of each
    #[arg(long, env = "TOMBOLO_BENCH_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Take the users' AES-256 keys from this keytab instead
    #[arg(long)]
    keytab: Option<PathBuf>,
    /// Also sign in by PKINIT, with this certificate and key (PEM, the key in PKCS #8)
    #[arg(long, num_args = 2, value_names = ["CERTIFICATE", "KEY"])]
    pkinit: Option<Vec<PathBuf>>,
    /// Leave the certificate out of the request
    #[arg(long, requires = "pkinit")]
    bare: bool,
    /// Also ask for tickets to this service
    #[arg(long)]
    service: Option<String>,
    /// Also exchange partial tickets, sealed with the key of a read-only server in this keytab
    #[arg(long, requires = "sid")]
    partial: Option<PathBuf>,
    /// How requests travel; several are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "udp,tcp")]
    wire: Vec<Wire>,
    /// Threads that ask at the same time
    #[arg(long, default_value_t = 4)]
    threads: usize,
    /// Seconds of load per measurement, after one second that is not measured
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Process of the server on this machine, to tell its CPU time per request; may be repeated
    #[arg(long)]
    server_pid: Vec<u32>,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Compare with these only
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "mit,samba",
        conflicts_with = "kdc"
    )]
    peers: Vec<Peer>,
    /// Accounts in our KDC whose memory is measured
    #[arg(long, default_value_t = 100_000)]
    accounts: usize,
    /// Serve a KDC with the certificates of this folder until standard input ends (used by the benchmark itself)
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
}

/// What ours is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Peer {
    /// MIT's krb5kdc, with and without its writes at each login
    Mit,
    /// A Samba AD domain controller
    Samba,
    /// Nothing: ours alone
    None,
}

/// Runs the benchmark, or the server that it measures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(folder) = &arguments.serve {
        return ours::serve_until_eof(folder, arguments.accounts);
    }
    let Some(kdc) = &arguments.kdc else {
        return side_by_side::run(arguments);
    };
    let rows = drive::all(&drive::Target {
        server: kdc.clone(),
        kdc: address(kdc)?,
        clients: clients(arguments),
        proof: match (&arguments.password, &arguments.keytab) {
            (_, Some(keytab)) => Some(drive::Proof::Keytab(keytab.clone())),
            (Some(password), None) => Some(drive::Proof::Password(password.clone())),
            (None, None) => None,
        },
        pkinit: match arguments.pkinit.as_deref() {
            Some([certificate, key]) => Some((certificate.clone(), key.clone())),
            _ => None,
        },
        bare: arguments.bare,
        service: arguments.service.clone(),
        partial: arguments.partial.clone(),
        wires: arguments.wire.clone(),
        threads: arguments.threads,
        time: Duration::from_secs(arguments.seconds),
        pids: arguments.server_pid.clone(),
    })?;
    match arguments.json {
        true => println!("{}", report::json(&rows)),
        false => report::table(&rows),
    }
    Ok(())
}

fn clients(arguments: &Arguments) -> Vec<requests::Client> {
    let sids = arguments.sid.iter().cloned().map(Some);
    let named = arguments
        .user
        .iter()
        .zip(sids.chain(std::iter::repeat(None)));
    let all = named.map(|(name, sid)| requests::Client {
        realm: arguments.realm.clone(),
        name: name.clone(),
        sid,
    });
    all.collect()
}

fn address(text: &str) -> Result<SocketAddr, Failure> {
    let found = match text.to_socket_addrs() {
        Ok(found) => found,
        Err(_) => (text, 88).to_socket_addrs()?,
    };
    found
        .into_iter()
        .next()
        .ok_or_else(|| format!("'{text}' has no address").into())
}
