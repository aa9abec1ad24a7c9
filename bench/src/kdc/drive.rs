//! Everything that is measured of one KDC.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use conformance::pki::Signer;
use kerberos::crypto::{EncryptionType, Key};
use kerberos::files::{Keytab, Principal};
use kerberos::messages::{NameType, PrincipalName, Realm};

use super::Failure;
use super::load::{self, Line, Requests, Wire};
use super::process;
use super::report::{Case, Row};
use super::requests::Client;

/// One KDC, and how it is asked.
pub(crate) struct Target {
    /// Its name in the table.
    pub(crate) server: String,
    pub(crate) kdc: SocketAddr,
    pub(crate) client: Client,
    pub(crate) proof: Option<Proof>,
    pub(crate) pkinit: Option<(PathBuf, PathBuf)>,
    pub(crate) bare: bool,
    pub(crate) service: Option<String>,
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

/// Sign-ins by password and by key, and service tickets: what the target names the means for.
pub(crate) fn all(target: &Target) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    // What is prepared comes by TCP, which has room for every answer.
    let mut line = Line::new(target.kdc, Wire::Tcp)?;
    let key = match &target.proof {
        Some(Proof::Password(password)) => {
            Some(target.client.key_of_password(&mut line, password)?)
        }
        Some(Proof::Keytab(path)) => Some(key_of_keytab(target, path)?),
        None => None,
    };
    for wire in &target.wires {
        if let Some(key) = &key {
            target.client.sign_in(&mut line, key)?;
            let request = target.client.timestamp(key)?;
            rows.push(measure(target, Case::Timestamp, *wire, |thread| {
                request.for_thread(thread)
            })?);
        }
        if let (Some(key), Some(service)) = (&key, &target.service) {
            let tgt = target.client.sign_in(&mut line, key)?;
            rows.push(measure(target, Case::Service, *wire, |thread| {
                target.client.service(&tgt, service, thread)
            })?);
        }
        if let Some((certificate, key)) = &target.pkinit {
            let signer = Signer::of_files(certificate, key)?;
            let request = target.client.pkinit(&signer, target.bare)?;
            rows.push(measure(target, Case::Pkinit, *wire, |thread| {
                request.for_thread(thread)
            })?);
        }
    }
    if rows.is_empty() {
        return Err("nothing to measure\nnext: give --password, --keytab or --pkinit".into());
    }
    Ok(rows)
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
        return Ok(Row::refused(&target.server, case, wire, &warm));
    }
    let before = process::cpu(&target.pids)?;
    let load = load::run(target.kdc, wire, target.time, &mut sources)?;
    let cpu = process::cpu(&target.pids)? - before;
    Ok(Row::new(
        &target.server,
        case,
        wire,
        &load,
        (!target.pids.is_empty()).then_some(cpu),
    ))
}

fn key_of_keytab(target: &Target, path: &PathBuf) -> Result<Key, Failure> {
    let keytab = Keytab::decode(&std::fs::read(path)?)?;
    let principal = Principal {
        realm: Realm::from(target.client.realm.as_str()),
        name: PrincipalName::new(NameType::NT_PRINCIPAL, target.client.name.split('/')),
    };
    let entry = keytab.find(&principal, EncryptionType::AES256_CTS_HMAC_SHA1_96, None);
    let entry = entry.ok_or_else(|| {
        format!(
            "{} has no AES-256 key of '{}'",
            path.display(),
            target.client.name
        )
    })?;
    Ok(entry.key.to_key(None)?)
}
