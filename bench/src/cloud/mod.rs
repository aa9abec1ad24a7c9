//! Signing in at our cloud with a security key: nonce, assertion, primary refresh token and partial ticket; and renewals.
//!
//! The cloud runs as a process of its own over a store on disk, and is charged the CPU time that the kernel says it took. Those
//! who sign in are many, each with one key and one device, and have signed before the clock starts. A sign-in is a nonce and
//! a request on one connection; the connection is measured apart, since a device may keep it.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts processes, opens sockets and reads the clock"
)]

mod drive;
mod ground;
mod key;
mod people;
mod rsa;
mod wire;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cloud::{Cloud, Surroundings};
use lab::{OsEntropy, Pki, SystemClock};
use serde_json::{Value, json};

use crate::Failure;
use crate::process::{Process, resident_mb};
use crate::report::{self, Row};
use drive::Drive;
use wire::{Address, HOST};

/// Sign-ins with a security key per second, and CPU for each.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Users of the tenant; several are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "100,10000")]
    users: Vec<usize>,
    /// Sign-ins per measurement
    #[arg(long, default_value_t = 10_000)]
    sign_ins: usize,
    /// Threads that sign in at the same time
    #[arg(long, default_value_t = 8)]
    threads: usize,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Serve the tenant of this folder until standard input ends (used by the benchmark itself)
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
}

/// CPU time of a sign-in that is wanted.
const WANTED_US: f64 = 1_000.0;

/// What one tenant costs.
struct Tenant {
    users: usize,
    empty_mb: u64,
    used_mb: u64,
    rows: Vec<Row>,
}

/// Runs the benchmark, or the server that it measures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(folder) = &arguments.serve {
        return serve_until_eof(folder);
    }
    let tenants: Vec<Tenant> = arguments
        .users
        .iter()
        .map(|users| measure(arguments, *users))
        .collect::<Result<_, _>>()?;
    say(arguments, &tenants);
    Ok(())
}

fn measure(arguments: &Arguments, users: usize) -> Result<Tenant, Failure> {
    let folder = tempfile::tempdir()?;
    let people = {
        let memory = Path::new("/dev/shm");
        let fast = match memory.is_dir() {
            true => tempfile::tempdir_in(memory)?,
            false => tempfile::tempdir()?,
        };
        let people = people::tenant(&fast.path().join(STORE), users)?;
        std::fs::copy(fast.path().join(STORE), folder.path().join(STORE))?;
        people
    };
    let mut command = Command::new(std::env::current_exe()?);
    let (process, at) = Process::serve(command.args(["cloud", "--serve"]).arg(folder.path()))?;
    let ca = std::fs::read(folder.path().join(CA))?;
    let pid = process.0.id();
    let empty_mb = resident_mb(pid);
    let name = format!("our cloud, {users} users");
    let address = Address::new(at, &ca)?;
    let mut drive = Drive::new(
        name,
        address,
        pid,
        people,
        arguments.threads,
        arguments.sign_ins,
    );
    let rows = drive.all()?;
    Ok(Tenant {
        users,
        empty_mb,
        used_mb: resident_mb(pid),
        rows,
    })
}

/// The server's side of [`measure`].
fn serve_until_eof(folder: &Path) -> Result<(), Failure> {
    let around = Surroundings::new(Arc::new(SystemClock), Box::new(OsEntropy));
    let cloud = Cloud::open(&folder.join(STORE), around)?;
    let pki = Pki::new("contoso.example")?;
    std::fs::write(folder.join(CA), pki.ca_pem())?;
    let tls = pki.server(&[HOST])?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    println!("{}", listener.local_addr()?);
    runtime.spawn(cloud::serve(listener, tls, cloud, std::future::pending()));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    runtime.shutdown_background();
    Ok(())
}

/// CPU of a whole sign-in or renewal: the nonce, the request, and the connection where it is new.
fn sums(rows: &[Row]) -> Vec<(&'static str, f64)> {
    let cpu = |case: &str, wire: &str| {
        let mut found = rows
            .iter()
            .filter(|row| row.case == case && row.wire == wire);
        found.next().and_then(|row| row.cpu_us).unwrap_or_default()
    };
    let (new, kept) = (cpu("nonce", "new"), cpu("nonce", "kept"));
    let (signed, renewed) = (
        cpu("sign-in with ticket", "kept"),
        cpu("renewal with ticket", "kept"),
    );
    vec![
        ("sign-in, new TLS connection", new + signed),
        ("sign-in, kept connection", kept + signed),
        ("renewal, new TLS connection", new + renewed),
        ("renewal, kept connection", kept + renewed),
    ]
}

fn say(arguments: &Arguments, tenants: &[Tenant]) {
    if arguments.json {
        let all: Vec<Value> = tenants
            .iter()
            .map(|tenant| {
                let sums: Vec<Value> = sums(&tenant.rows)
                    .into_iter()
                    .map(|(what, us)| json!({"what": what, "cpu_us": us, "per_second_and_core": 1e6 / us}))
                    .collect();
                json!({
                    "users": tenant.users, "rows": report::json(&tenant.rows), "sums": sums,
                    "fresh_mb": tenant.empty_mb, "used_mb": tenant.used_mb,
                })
            })
            .collect();
        println!("{:#}", Value::Array(all));
        return;
    }
    let rows: Vec<Row> = tenants
        .iter()
        .flat_map(|tenant| tenant.rows.iter().cloned())
        .collect();
    report::table(&rows);
    println!(
        "\nthe whole: a nonce and a request (wanted for a sign-in: {WANTED_US:.0} us, which is 1,000 a second and core)"
    );
    for tenant in tenants {
        for (what, us) in sums(&tenant.rows) {
            println!(
                "{:<36} {what:<28} {us:>6.0} us CPU {:>7.0} a second and core",
                format!("our cloud, {} users", tenant.users),
                1e6 / us
            );
        }
        println!(
            "{:<36} resident memory {} MB when it starts, {} MB after all this",
            format!("our cloud, {} users", tenant.users),
            tenant.empty_mb,
            tenant.used_mb
        );
    }
}

const STORE: &str = "cloud.sqlite";
const CA: &str = "ca.pem";
