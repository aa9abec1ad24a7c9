//! How long the whole lab takes to stand: time and CPU from nothing to a house with a registered key, and its parts apart.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts processes and reads the clock"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use directory::Directory;
use directory::provision::{Plan, provision};
use lab::{House, Options, OsEntropy, Pki, SystemClock};
use serde_json::json;

use crate::Failure;
use crate::process::{Process, cpu, resident_mb};

/// Time until the whole lab stands.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many times
    #[arg(long, default_value_t = 5)]
    times: usize,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Build a house, say so, and stay until standard input ends (used by the benchmark itself)
    #[arg(long, hide = true)]
    serve: bool,
}

/// One start.
struct Start {
    wall: Duration,
    cpu: Duration,
    resident_mb: u64,
}

/// Runs the benchmark, or the house that it measures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.serve {
        let house = House::start(Options::new(Arc::new(SystemClock)))?;
        house.register_first_key()?;
        println!("up");
        std::io::stdin().read_to_end(&mut Vec::new())?;
        return Ok(());
    }
    let mut starts = Vec::new();
    for _ in 0..arguments.times.max(1) {
        starts.push(start()?);
    }
    starts.sort_by_key(|start| start.wall);
    let middle = starts.get(starts.len() / 2).ok_or("no start")?;
    let parts = parts()?;
    if arguments.json {
        let parts: serde_json::Map<_, _> = parts
            .iter()
            .map(|(part, took)| ((*part).to_owned(), took.as_secs_f64().into()))
            .collect();
        let document = json!({
            "starts": starts.len(), "wall_s": middle.wall.as_secs_f64(), "cpu_s": middle.cpu.as_secs_f64(),
            "resident_mb": middle.resident_mb, "parts_s": parts,
        });
        println!("{document:#}");
        return Ok(());
    }
    println!(
        "the whole lab stands after {:.2} s, with {:.2} s of CPU and {} MB (the middle one of {} starts)",
        middle.wall.as_secs_f64(),
        middle.cpu.as_secs_f64(),
        middle.resident_mb,
        starts.len()
    );
    println!("its parts, each built once more by itself:");
    for (part, took) in parts {
        println!("  {part:<44} {:>6.2} s", took.as_secs_f64());
    }
    Ok(())
}

fn start() -> Result<Start, Failure> {
    let begun = Instant::now();
    let mut child = Command::new(std::env::current_exe()?)
        .args(["lab", "--serve"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no pipe")?;
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.trim() != "up" {
        return Err("the house does not stand".into());
    }
    let pid = process.0.id();
    Ok(Start {
        wall: begun.elapsed(),
        cpu: cpu(&[pid])?,
        resident_mb: resident_mb(pid),
    })
}

fn parts() -> Result<Vec<(&'static str, Duration)>, Failure> {
    let mut parts = Vec::new();
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    let pki = Pki::new("corp.contoso.com")?;
    pki.kdc(
        "CORP.CONTOSO.COM",
        "dc1.corp.contoso.com",
        "corp.contoso.com",
    )?;
    for _ in 0..3 {
        pki.server(&["localhost"])?;
    }
    parts.push(("certificates, two of them with RSA keys", begun.elapsed()));

    let begun = Instant::now();
    let options = directory::Options::new(Arc::new(SystemClock), Box::new(OsEntropy));
    let directory = Directory::open(&folder.path().join("directory.redb"), options)?;
    let plan = Plan::new("corp.contoso.com", "Correct-Horse-2026", &mut OsEntropy);
    provision(&directory, &plan)?;
    parts.push(("a directory with an empty domain", begun.elapsed()));

    let begun = Instant::now();
    let house = House::start(Options::new(Arc::new(SystemClock)))?;
    parts.push((
        "the house: all of that, its people, its servers",
        begun.elapsed(),
    ));
    let begun = Instant::now();
    house.register_first_key()?;
    parts.push(("the first security key", begun.elapsed()));
    Ok(parts)
}
