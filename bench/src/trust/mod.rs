//! Partial tickets of the cloud exchanged for full ones: our KDC over accounts in memory and over a directory, and a Samba AD
//! domain controller, one after the other, asked the same by the same program.
//!
//! Over a directory sign-ins and service tickets are measured as well, for one user and for many, and while somebody writes to
//! the directory, because what the KDC keeps of it lasts from one write to the next.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts processes, opens sockets and reads the clock"
)]

mod ground;
mod samba;
mod served;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::Failure;
use crate::kdc::drive::{self, Proof, Target};
use crate::kdc::load::Wire;
use crate::kdc::requests::Client;
use crate::kdc::side_by_side::{PASSWORD, REALM};
use crate::process::{Process, resident_mb};
use crate::report::{self, Row};

/// Partial tickets exchanged for full ones, per second, and CPU for each.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Accounts of our realm
    #[arg(long, default_value_t = 1_000)]
    users: usize,
    /// Writes a second to the directory in the last of its measurements
    #[arg(long, default_value_t = 20)]
    writes: u32,
    /// How requests travel; several are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "udp,tcp")]
    wire: Vec<Wire>,
    /// Threads that ask at the same time
    #[arg(long, default_value_t = 4)]
    threads: usize,
    /// Seconds of load per measurement, after one second that is not measured
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Leave Samba AD out
    #[arg(long)]
    alone: bool,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Serve a KDC over these accounts until standard input ends (used by the benchmark itself)
    #[arg(long, hide = true, requires = "folder")]
    serve: Option<served::Accounts>,
    /// Where the server leaves what its clients need
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

/// How many times the exchanges of Samba AD are wanted.
const WANTED: f64 = 20.0;
const EXCHANGE: &str = "partial to full ticket";

/// Runs the benchmark, or the server that it measures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let (Some(accounts), Some(folder)) = (arguments.serve, &arguments.folder) {
        return served::serve_until_eof(accounts, folder, arguments.users, arguments.writes);
    }
    let mut rows = Vec::new();
    let memory = Served::start(arguments, served::Accounts::Memory, 0)?;
    rows.extend(memory.measure(arguments, "ours, memory, 1 asks", 1, false)?);
    drop(memory);
    let directory = Served::start(arguments, served::Accounts::Directory, 0)?;
    let fresh_mb = resident_mb(directory.process.0.id());
    rows.extend(directory.measure(arguments, "ours, directory, 1 asks", 1, true)?);
    let many = format!("ours, directory, {} ask", arguments.users);
    rows.extend(directory.measure(arguments, &many, arguments.users, true)?);
    let used_mb = resident_mb(directory.process.0.id());
    drop(directory);
    let written = Served::start(arguments, served::Accounts::Directory, arguments.writes)?;
    let many = format!("{many}, {} writes/s", arguments.writes);
    rows.extend(written.measure(arguments, &many, arguments.users, true)?);
    drop(written);
    if !arguments.alone {
        rows.extend(samba::measure(arguments)?);
    }
    say(arguments, &rows, fresh_mb, used_mb);
    Ok(())
}

/// Our KDC as a process.
struct Served {
    process: Process,
    kdc: SocketAddr,
    folder: tempfile::TempDir,
}

impl Served {
    fn start(
        arguments: &Arguments,
        accounts: served::Accounts,
        writes: u32,
    ) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["trust", "--serve", accounts.word(), "--folder"])
            .arg(folder.path());
        command.args([
            "--users",
            &arguments.users.to_string(),
            "--writes",
            &writes.to_string(),
        ]);
        let (process, kdc) = Process::serve(&mut command)?;
        Ok(Self {
            process,
            kdc,
            folder,
        })
    }

    fn measure(
        &self,
        arguments: &Arguments,
        name: &str,
        asking: usize,
        everything: bool,
    ) -> Result<Vec<Row>, Failure> {
        drive::all(&Target {
            server: name.to_owned(),
            kdc: self.kdc,
            clients: people(self.folder.path(), asking)?,
            proof: everything.then(|| Proof::Password(PASSWORD.to_owned())),
            pkinit: None,
            bare: false,
            service: everything.then(|| served::SERVICE.to_owned()),
            partial: Some(self.folder.path().join(served::KEYTAB)),
            wires: arguments.wire.clone(),
            threads: arguments.threads,
            time: Duration::from_secs(arguments.seconds),
            pids: vec![self.process.0.id()],
        })
    }
}

/// The first so many that the server told of.
fn people(folder: &Path, count: usize) -> Result<Vec<Client>, Failure> {
    let text = std::fs::read_to_string(folder.join(served::PEOPLE))?;
    let all = text.lines().take(count).map(|line| {
        let (name, sid) = line.split_once(' ').ok_or("a person without a SID")?;
        Ok(Client {
            realm: REALM.to_owned(),
            name: name.to_owned(),
            sid: Some(sid.parse()?),
        })
    });
    all.collect()
}

/// How many times the exchanges a second, and how many times less CPU for each.
struct Ratio {
    server: String,
    wire: String,
    rate: f64,
    cpu: Option<f64>,
}

fn ratios(rows: &[Row]) -> Vec<Ratio> {
    let exchanges = || {
        rows.iter()
            .filter(|row| row.case == EXCHANGE && row.per_s > 0.0)
    };
    let is_theirs = |row: &&Row| row.server == samba::NAME;
    // Samba answers by either wire; it is compared by its best.
    let best = exchanges()
        .filter(is_theirs)
        .map(|row| row.per_s)
        .fold(0.0, f64::max);
    let least = exchanges()
        .filter(is_theirs)
        .filter_map(|row| row.cpu_us)
        .fold(f64::INFINITY, f64::min);
    exchanges()
        .filter(|row| !is_theirs(row) && best > 0.0)
        .map(|row| Ratio {
            server: row.server.clone(),
            wire: row.wire.clone(),
            rate: row.per_s / best,
            cpu: row
                .cpu_us
                .filter(|_| least.is_finite())
                .map(|cpu| least / cpu),
        })
        .collect()
}

fn say(arguments: &Arguments, rows: &[Row], fresh_mb: u64, used_mb: u64) {
    let ratios = ratios(rows);
    if arguments.json {
        let ratios: Vec<_> = ratios
            .iter()
            .map(|ratio| json!({"server": ratio.server, "wire": ratio.wire, "rate": ratio.rate, "cpu": ratio.cpu, "wanted": WANTED}))
            .collect();
        let document = json!({
            "rows": report::json(rows), "ratios": ratios,
            "memory": {"accounts": arguments.users, "fresh_mb": fresh_mb, "used_mb": used_mb},
        });
        println!("{document:#}");
        return;
    }
    report::table(rows);
    println!(
        "\nexchanges, ours against the best of Samba's: CPU for each, and how many a second with the load on the same machine"
    );
    for ratio in &ratios {
        let cpu = ratio
            .cpu
            .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1}"));
        println!(
            "{:<36} {:<8} {cpu:>6} times less CPU   {:>6.1} times as many a second   (wanted: {WANTED})",
            ratio.server, ratio.wire, ratio.rate
        );
    }
    println!(
        "\nmemory of our KDC with its directory of {} users: {fresh_mb} MB when it starts, {used_mb} MB once all have asked",
        arguments.users
    );
}
