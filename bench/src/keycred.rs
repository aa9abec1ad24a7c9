//! Decoding key credentials with both hashes checked: ours against pydsinternals, the library behind most Python tools.
//!
//! Both get the same values in the same run, as text and one after the other on one core, and are charged the CPU
//! time that the kernel says they took. pydsinternals cannot check a KeyID, so ours does more work for its figure.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, files and starts processes"
)]

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use ::keycred::{Blob, DnBinary, Draft, KeyMaterial};
use types::{Entropy, Guid, SeededEntropy, Timestamp};

type Failure = Box<dyn Error + Send + Sync>;

/// Values per second of CPU, ours against pydsinternals'.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Different values (RSA-2048 Windows Hello keys from AD, which pydsinternals reads right)
    #[arg(long, default_value_t = 10_000)]
    values: usize,
    /// Times each measurement is repeated; the best counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measure ours alone
    #[arg(long)]
    only_ours: bool,
}

/// Runs the benchmark and prints a table with the ratio last.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let lines = values(arguments.values)?;
    let blobs: Vec<Vec<u8>> = lines
        .iter()
        .map(|line| line.parse().map(|value: DnBinary| value.binary))
        .collect::<Result<_, _>>()?;
    let ours_bytes = best(arguments, blobs.iter().map(Vec::as_slice), examined)?;
    let ours_text = best(arguments, lines.iter().map(String::as_str), |line| {
        let value: DnBinary = line.parse()?;
        examined(&value.binary)
    })?;
    println!(
        "values per second of CPU, one core, {} RSA-2048 values",
        lines.len()
    );
    println!("ours, blob, KeyHash and KeyID checked       {ours_bytes:>12.0}");
    println!("ours, text, KeyHash and KeyID checked       {ours_text:>12.0}");
    if arguments.only_ours {
        return Ok(());
    }
    let (parsed, hashed) = pydsinternals(&lines, arguments.rounds)?;
    println!("pydsinternals, text, no hash checked        {parsed:>12.0}");
    println!("pydsinternals, text, KeyHash checked        {hashed:>12.0}");
    println!(
        "ratio, both from text, theirs unchecked     {:>12.1}",
        ours_text / parsed
    );
    println!(
        "ratio, both from text, theirs checked       {:>12.1}",
        ours_text / hashed
    );
    Ok(())
}

/// One value: every field read, the key decoded, both hashes checked.
fn examined(bytes: &[u8]) -> Result<(), Failure> {
    let blob = Blob::decode(bytes)?;
    let key = blob.credential();
    let fields = (
        key.usage(),
        key.source(),
        key.device_id(),
        key.custom_key_information().map(|info| info.flags()),
        key.last_logon(),
        key.created(),
    );
    let material = key.key_material().map(KeyMaterial::decode).transpose()?;
    let holds = key.key_hash_check().holds();
    let check = key.key_id_check();
    if !holds || check != ::keycred::KeyIdCheck::Sha256OfMaterial {
        return Err("a value of the benchmark is broken".into());
    }
    black_box((fields, material));
    Ok(())
}

/// Values per second of CPU in the best round.
fn best<T: Copy>(
    arguments: &Arguments,
    items: impl Iterator<Item = T> + Clone,
    act: impl Fn(T) -> Result<(), Failure>,
) -> Result<f64, Failure> {
    let mut best = 0_f64;
    for _ in 0..arguments.rounds.max(1) {
        let (start, mut count) = (CpuClock::start(), 0_u32);
        // At least a tenth of a second, so that the clock's grain does not matter.
        while start.seconds() < 0.1 {
            for item in items.clone() {
                act(black_box(item))?;
                count = count.saturating_add(1);
            }
        }
        best = best.max(f64::from(count) / start.seconds());
    }
    Ok(best)
}

fn values(count: usize) -> Result<Vec<String>, Failure> {
    let mut entropy = SeededEntropy::new(2026);
    let created = Timestamp::parse_rfc3339("2026-06-10T05:06:07.1234567Z")?;
    (0..count)
        .map(|number| {
            let mut modulus = [0; 256];
            entropy.fill(&mut modulus);
            modulus[0] |= 0x80;
            modulus[255] |= 1;
            let mut material =
                b"RSA1\0\x08\0\0\x03\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\x01\0\x01".to_vec();
            material.extend(modulus);
            let mut random = [0; 16];
            entropy.fill(&mut random);
            let blob = Draft::registered_in_ad(material, Guid::v4(random), created).to_blob()?;
            let dn = format!("CN=User {number},OU=Users,DC=corp,DC=contoso,DC=com");
            Ok(DnBinary::new(blob.into_bytes(), dn).to_string())
        })
        .collect()
}

const SCRIPT: &str = r"
import sys, time
from dsinternals.common.data.DNWithBinary import DNWithBinary
from dsinternals.common.data.hello.KeyCredential import KeyCredential
lines = sys.stdin.buffer.read().split()
lines = [line.replace(b'|', b' ') for line in lines]
def read(line):
    return KeyCredential.fromDNWithBinary(DNWithBinary.fromRawDNWithBinary(line))
def best(act):
    rates = []
    for _ in range(int(sys.argv[1])):
        start = time.process_time()
        for line in lines:
            act(line)
        rates.append(len(lines) / (time.process_time() - start))
    return max(rates)
def checked(line):
    if not read(line).verifyHash():
        raise SystemExit('pydsinternals says that a hash is wrong')
print(best(read), best(checked))
";

fn pydsinternals(lines: &[String], rounds: usize) -> Result<(f64, f64), Failure> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.peers/venv/bin/python");
    if !python.is_file() {
        return Err("pydsinternals is missing; run `cargo xtask peers`".into());
    }
    let mut child = Command::new(python)
        .args(["-c", SCRIPT, &rounds.max(1).to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        for line in lines {
            writeln!(stdin, "{}", line.replace(' ', "|"))?;
        }
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut rates = text.split_whitespace().map(str::parse::<f64>);
    match (rates.next(), rates.next()) {
        (Some(parsed), Some(hashed)) if output.status.success() => Ok((parsed?, hashed?)),
        _ => Err("pydsinternals failed; see its words above".into()),
    }
}

/// CPU time of this thread where the kernel tells it, wall time elsewhere.
struct CpuClock {
    wall: Instant,
    cpu: Option<f64>,
}

impl CpuClock {
    fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: Self::cpu(),
        }
    }

    fn seconds(&self) -> f64 {
        match (self.cpu, Self::cpu()) {
            (Some(start), Some(now)) => now - start,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }

    fn cpu() -> Option<f64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
        Some(nanoseconds / 1e9)
    }
}
