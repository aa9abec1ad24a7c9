//! Ours, MIT's and Samba's KDC one after the other, asked the same by the same program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use conformance::pki;
use serde_json::json;

use super::drive::{self, Case, Proof, Target};
use super::load::Wire;
use super::requests::Client;
use super::{Arguments, Failure, Peer, mit, ours, samba};
use crate::process::{Process, family, resident_mb};
use crate::report::{self, Row};

pub(crate) const REALM: &str = "CORP.CONTOSO.COM";
pub(crate) const USER: &str = "testuser";
pub(crate) const PASSWORD: &str = "Correct-Horse-2026";
pub(crate) const SERVICE: &str = "HTTP/web.corp.contoso.com";
const OURS: &str = "ours, lockout kept";

/// What the claims say.
const TARGETS: [(Case, Against, f64); 4] = [
    (Case::Timestamp, Against::Mit, 2.0),
    (Case::Service, Against::Mit, 2.0),
    (Case::Pkinit, Against::Mit, 3.0),
    (Case::Pkinit, Against::Samba, 10.0),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    Mit,
    Samba,
}

/// Memory of our KDC.
struct Memory {
    accounts: usize,
    before_mb: u64,
    after_mb: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let pki = folder.path().join("pki");
    std::fs::create_dir(&pki)?;
    certificates(&pki);
    let mut rows = Vec::new();
    let (process, kdc) = ours::start(&pki, 0)?;
    rows.extend(drive::all(&target(
        arguments,
        OURS,
        kdc,
        &pki,
        vec![process.0.id()],
    ))?);
    let values = values(arguments, kdc, &pki, &process)?;
    drop(process);
    if arguments.peers.contains(&Peer::Mit) {
        let realm = mit::Realm::make(folder.path(), &pki)?;
        for mode in mit::Mode::ALL {
            let (process, kdc) = realm.start(mode, &pki)?;
            let pids = family(process.0.id());
            rows.extend(drive::all(&target(
                arguments,
                mode.name(),
                kdc,
                &pki,
                pids,
            ))?);
        }
    }
    if arguments.peers.contains(&Peer::Samba) {
        rows.extend(samba::measure(arguments, &pki)?);
    }
    let memory = memory(arguments, &pki)?;
    say(arguments, &rows, &values, &memory);
    Ok(())
}

/// The KDC's certificate, and the user's, from an authority that only MIT is told of.
fn certificates(folder: &Path) {
    pki::authority(folder, "authority");
    pki::authority(folder, "strangers");
    for key in ["kdc", "user"] {
        pki::key(folder, key);
    }
    pki::issued(
        folder,
        "kdc",
        "kdc",
        "authority",
        &pki::kdc_extensions(REALM, "dc1.corp.contoso.com"),
    );
    let extensions = pki::user_extensions(&format!("{USER}@{REALM}"));
    pki::issued(folder, "named", "user", "strangers", &extensions);
}

fn target(
    arguments: &Arguments,
    server: &str,
    kdc: std::net::SocketAddr,
    pki: &Path,
    pids: Vec<u32>,
) -> Target {
    Target {
        server: server.to_owned(),
        kdc,
        clients: vec![client(USER)],
        proof: Some(Proof::Password(PASSWORD.to_owned())),
        pkinit: Some(identity(pki)),
        bare: false,
        service: Some(SERVICE.to_owned()),
        partial: None,
        wires: arguments.wire.clone(),
        threads: arguments.threads,
        time: Duration::from_secs(arguments.seconds),
        pids,
    }
}

fn client(name: &str) -> Client {
    Client {
        realm: REALM.to_owned(),
        name: name.to_owned(),
        sid: None,
    }
}

fn identity(pki: &Path) -> (PathBuf, PathBuf) {
    (pki.join("named.pem"), pki.join("user.key"))
}

/// What more key values on an account cost: with a certificate that says which key it is, and without.
fn values(
    arguments: &Arguments,
    kdc: std::net::SocketAddr,
    pki: &Path,
    process: &Process,
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for bare in [false, true] {
        for count in ours::VALUES {
            let how = if bare {
                "no certificate"
            } else {
                "certificate"
            };
            let mut target = target(
                arguments,
                &format!("ours, {count} values, {how}"),
                kdc,
                pki,
                vec![process.0.id()],
            );
            target.clients = vec![client(&format!("{USER}{count}"))];
            target.proof = None;
            target.service = None;
            target.bare = bare;
            target.wires = vec![Wire::Tcp];
            rows.extend(drive::all(&target)?);
        }
    }
    Ok(rows)
}

fn memory(arguments: &Arguments, pki: &Path) -> Result<Memory, Failure> {
    let resident = |accounts| -> Result<u64, Failure> {
        let (process, _) = ours::start(pki, accounts)?;
        Ok(resident_mb(process.0.id()))
    };
    Ok(Memory {
        accounts: arguments.accounts,
        before_mb: resident(0)?,
        after_mb: resident(arguments.accounts)?,
    })
}

/// Ours against the best of theirs: how many times the requests a second, and how many times less CPU for each.
struct Ratio {
    case: Case,
    wire: String,
    against: Against,
    rate: f64,
    cpu: Option<f64>,
    wanted: f64,
}

fn ratios(rows: &[Row]) -> Vec<Ratio> {
    let mut found = Vec::new();
    let ours = rows
        .iter()
        .filter(|row| row.server == OURS && row.per_s > 0.0);
    for row in ours {
        for (case, against, wanted) in TARGETS {
            let theirs: Vec<&Row> = rows
                .iter()
                .filter(|other| match against {
                    Against::Mit => other.server.starts_with("MIT"),
                    Against::Samba => other.server == samba::NAME,
                })
                .filter(|other| {
                    other.case == row.case && other.wire == row.wire && other.per_s > 0.0
                })
                .collect();
            let best = theirs.iter().map(|row| row.per_s).fold(0.0, f64::max);
            let least = theirs
                .iter()
                .filter_map(|row| row.cpu_us)
                .fold(f64::INFINITY, f64::min);
            if case.name() == row.case && best > 0.0 {
                found.push(Ratio {
                    case,
                    wire: row.wire.clone(),
                    against,
                    rate: row.per_s / best,
                    cpu: row
                        .cpu_us
                        .filter(|_| least.is_finite())
                        .map(|cpu| least / cpu),
                    wanted,
                });
            }
        }
    }
    found
}

fn say(arguments: &Arguments, rows: &[Row], values: &[Row], memory: &Memory) {
    let ratios = ratios(rows);
    if arguments.json {
        let ratios: Vec<_> = ratios
            .iter()
            .map(|ratio| {
                json!({
                    "case": ratio.case.name(), "wire": ratio.wire, "against": format!("{:?}", ratio.against),
                    "rate": ratio.rate, "cpu": ratio.cpu, "wanted": ratio.wanted,
                })
            })
            .collect();
        let document = json!({
            "rows": report::json(rows),
            "ratios": ratios,
            "key_values": report::json(values),
            "memory": { "accounts": memory.accounts, "empty_mb": memory.before_mb, "full_mb": memory.after_mb },
        });
        println!("{document:#}");
        return;
    }
    report::table(rows);
    println!(
        "\nours against the best of theirs: CPU for each request, and requests a second with the load on the same machine"
    );
    for ratio in &ratios {
        let cpu = ratio
            .cpu
            .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1}"));
        println!(
            "{:<24} {:<8} {:<6} {cpu:>6} times less CPU   {:>6.1} times as many a second   (wanted: {})",
            ratio.case.name(),
            ratio.wire,
            format!("{:?}", ratio.against),
            ratio.rate,
            ratio.wanted
        );
    }
    println!("\nby the number of key values on the account");
    report::table(values);
    println!(
        "\nmemory: {} MB without, {} MB with {} accounts",
        memory.before_mb, memory.after_mb, memory.accounts
    );
}
