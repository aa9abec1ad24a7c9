//! Everything that is measured of one KDC.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use conformance::pki::Signer;
use kerberos::crypto::{EncryptionType, Key};
use kerberos::files::{Keytab, Principal};
use kerberos::messages::{NameType, PrincipalName, Realm};

use super::Failure;
use super::load::{self, Line, Requests, Wire};
use super::partial::PartialKey;
use super::requests::Client;
use crate::process;
use crate::report::Row;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Timestamp,
    Service,
    Pkinit,
    Exchange,
}

impl Case {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "AS, encrypted timestamp",
            Self::Service => "TGS",
            Self::Pkinit => "AS, PKINIT with DH-2048",
            Self::Exchange => "partial to full ticket",
        }
    }
}

/// One KDC, and how it is asked.
pub(crate) struct Target {
    /// Its name in the table.
    pub(crate) server: String,
    pub(crate) kdc: SocketAddr,
    /// Who asks, in turn.
    pub(crate) clients: Vec<Client>,
    pub(crate) proof: Option<Proof>,
    pub(crate) pkinit: Option<(PathBuf, PathBuf)>,
    pub(crate) bare: bool,
    pub(crate) service: Option<String>,
    /// Keytab of a read-only server, for partial tickets.
    pub(crate) partial: Option<PathBuf>,
    pub(crate) wires: Vec<Wire>,
    pub(crate) threads: usize,
    pub(crate) time: Duration,
    /// Its processes, where they are on this machine.
    pub(crate) pids: Vec<u32>,
}

/// Where the client's long-term key comes from.
pub(crate) enum Proof {
    Password(String),
    Keytab(PathBuf),
}

/// Sign-ins by password and by key, service tickets, exchanges: what the target names the means for.
pub(crate) fn all(target: &Target) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    // What is prepared comes by TCP, which has room for every answer.
    let mut line = Line::new(target.kdc, Wire::Tcp)?;
    let mut keys = Vec::new();
    for client in &target.clients {
        match &target.proof {
            Some(Proof::Password(password)) => {
                keys.push((client, client.key_of_password(&mut line, password)?));
            }
            Some(Proof::Keytab(path)) => keys.push((client, key_of_keytab(client, path)?)),
            None => (),
        }
    }
    for wire in &target.wires {
        if !keys.is_empty() {
            rows.push(timestamps(target, *wire, &keys, &mut line)?);
        }
        if let (false, Some(service)) = (keys.is_empty(), &target.service) {
            rows.push(services(target, *wire, &keys, service, &mut line)?);
        }
        if let (Some((certificate, key)), Some(client)) = (&target.pkinit, target.clients.first()) {
            let signer = Signer::of_files(certificate, key)?;
            let request = client.pkinit(&signer, target.bare)?;
            rows.push(measure(target, Case::Pkinit, *wire, |thread| {
                request.for_thread(thread)
            })?);
        }
        if let Some(keytab) = &target.partial {
            rows.push(exchanges(target, *wire, keytab)?);
        }
    }
    if rows.is_empty() {
        return Err(
            "nothing to measure\nnext: give --password, --keytab, --pkinit or --partial".into(),
        );
    }
    Ok(rows)
}

fn timestamps(
    target: &Target,
    wire: Wire,
    keys: &[(&Client, Key)],
    line: &mut Line,
) -> Result<Row, Failure> {
    let mut requests = Vec::new();
    for (client, key) in keys {
        client.sign_in(line, key)?;
        requests.push(client.timestamp(key)?);
    }
    measure(target, Case::Timestamp, wire, |thread| {
        InTurn::boxed(requests.iter().map(|request| request.for_thread(thread)))
    })
}

fn services(
    target: &Target,
    wire: Wire,
    keys: &[(&Client, Key)],
    service: &str,
    line: &mut Line,
) -> Result<Row, Failure> {
    let mut tickets = Vec::new();
    for (client, key) in keys {
        tickets.push((*client, client.sign_in(line, key)?));
    }
    measure(target, Case::Service, wire, |thread| {
        let all = tickets.iter();
        InTurn::boxed(all.map(|(client, tgt)| client.service(tgt, service, thread)))
    })
}

fn exchanges(target: &Target, wire: Wire, keytab: &Path) -> Result<Row, Failure> {
    let key = PartialKey::of_keytab(keytab)?;
    let mut tickets = Vec::new();
    for client in &target.clients {
        tickets.push((client, key.ticket(client)?));
    }
    measure(target, Case::Exchange, wire, |thread| {
        let all = tickets.iter();
        InTurn::boxed(
            all.map(|(client, tgt)| {
                client.service(tgt, &format!("krbtgt/{}", client.realm), thread)
            }),
        )
    })
}

/// The requests of many clients, each in its turn.
struct InTurn {
    all: Vec<Box<dyn Requests>>,
    next: usize,
}

impl InTurn {
    fn boxed(
        all: impl Iterator<Item = Result<Box<dyn Requests>, Failure>>,
    ) -> Result<Box<dyn Requests>, Failure> {
        let all = all.collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(Self { all, next: 0 }))
    }
}

impl Requests for InTurn {
    fn next(&mut self) -> Result<&[u8], Failure> {
        let at = self.next % self.all.len().max(1);
        self.next = at + 1;
        self.all.get_mut(at).ok_or("nobody asks")?.next()
    }
}

fn measure(
    target: &Target,
    case: Case,
    wire: Wire,
    source: impl Fn(usize) -> Result<Box<dyn Requests>, Failure>,
) -> Result<Row, Failure> {
    let mut sources = (0..target.threads)
        .map(source)
        .collect::<Result<Vec<_>, _>>()?;
    // Warm caches are what a KDC lives in.
    let warm = load::run(target.kdc, wire, Duration::from_secs(1), &mut sources)?;
    if warm.granted == 0 {
        // A server that always refuses is no measurement.
        return Ok(Row::refused(
            &target.server,
            case.name(),
            wire.name(),
            &warm,
        ));
    }
    let before = process::cpu(&target.pids)?;
    let load = load::run(target.kdc, wire, target.time, &mut sources)?;
    let cpu = process::cpu(&target.pids)? - before;
    Ok(Row::new(
        &target.server,
        case.name(),
        wire.name(),
        &load,
        (!target.pids.is_empty()).then_some(cpu),
    ))
}

fn key_of_keytab(client: &Client, path: &Path) -> Result<Key, Failure> {
    let keytab = Keytab::decode(&std::fs::read(path)?)?;
    let principal = Principal {
        realm: Realm::from(client.realm.as_str()),
        name: PrincipalName::new(NameType::NT_PRINCIPAL, client.name.split('/')),
    };
    let entry = keytab.find(&principal, EncryptionType::AES256_CTS_HMAC_SHA1_96, None);
    let entry = entry
        .ok_or_else(|| format!("{} has no AES-256 key of '{}'", path.display(), client.name))?;
    Ok(entry.key.to_key(None)?)
}
