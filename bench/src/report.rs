//! What is said of the figures: a table for people, JSON for machines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// What a load led to.
#[derive(Debug, Default)]
pub(crate) struct Load {
    seconds: f64,
    pub(crate) granted: u64,
    /// Answers that grant nothing, by their error code.
    refused: BTreeMap<i32, u64>,
    latencies_us: Vec<u32>,
}

impl Load {
    pub(crate) fn granted(&mut self, took: Duration) {
        self.granted += 1;
        self.took(took);
    }

    pub(crate) fn refused(&mut self, code: i32, took: Duration) {
        *self.refused.entry(code).or_default() += 1;
        self.took(took);
    }

    fn took(&mut self, took: Duration) {
        let us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.latencies_us.push(us);
    }

    /// Takes over what another thread did.
    pub(crate) fn add(&mut self, other: Self) {
        self.granted += other.granted;
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        self.latencies_us.extend(other.latencies_us);
    }

    /// The whole, which took so long.
    pub(crate) fn over(mut self, time: Duration) -> Self {
        self.seconds = time.as_secs_f64();
        self.latencies_us.sort_unstable();
        self
    }

    /// The latency that so many percent of the requests did not exceed.
    fn percentile_us(&self, percent: usize) -> u32 {
        let at = self.latencies_us.len() * percent / 100;
        self.latencies_us.get(at).copied().unwrap_or(0)
    }
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) server: String,
    pub(crate) case: String,
    pub(crate) wire: String,
    pub(crate) per_s: f64,
    /// CPU of the server, where it can be seen.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) refused: f64,
    /// The error code of the refusals.
    pub(crate) error: Option<i64>,
}

impl Row {
    pub(crate) fn new(
        server: &str,
        case: &str,
        wire: &str,
        load: &Load,
        cpu: Option<Duration>,
    ) -> Self {
        let granted = float(load.granted);
        Self {
            server: server.to_owned(),
            case: case.to_owned(),
            wire: wire.to_owned(),
            per_s: granted / load.seconds,
            cpu_us: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / granted.max(1.0)),
            p50_us: f64::from(load.percentile_us(50)),
            p99_us: f64::from(load.percentile_us(99)),
            refused: float(load.refused.values().sum()),
            error: load.refused.keys().next().map(|code| i64::from(*code)),
        }
    }

    /// A server that does not do it, or not by this wire.
    pub(crate) fn refused(server: &str, case: &str, wire: &str, load: &Load) -> Self {
        Self {
            per_s: 0.0,
            cpu_us: None,
            ..Self::new(server, case, wire, load, None)
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "server": self.server, "case": self.case, "wire": self.wire, "requests_per_s": self.per_s,
            "cpu_us_per_request": self.cpu_us, "p50_us": self.p50_us, "p99_us": self.p99_us,
            "refused": self.refused, "error_code": self.error,
        })
    }

    /// What another run of this program printed, under another server's name.
    pub(crate) fn list_of(text: &str, server: &str) -> Option<Vec<Self>> {
        let rows: Value = serde_json::from_str(text).ok()?;
        let rows = rows.as_array()?.iter().map(|row| {
            let row = Self::from_json(row)?;
            let server = server.to_owned();
            Some(Self { server, ..row })
        });
        rows.collect()
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let number = |name: &str| value.get(name)?.as_f64();
        Some(Self {
            server: text("server")?,
            case: text("case")?,
            wire: text("wire")?,
            per_s: number("requests_per_s")?,
            cpu_us: number("cpu_us_per_request"),
            p50_us: number("p50_us")?,
            p99_us: number("p99_us")?,
            refused: number("refused")?,
            error: value.get("error_code")?.as_i64(),
        })
    }
}

pub(crate) fn json(rows: &[Row]) -> Value {
    Value::Array(rows.iter().map(Row::to_json).collect())
}

pub(crate) fn table(rows: &[Row]) {
    println!(
        "{:<36} {:<26} {:<8} {:>10} {:>12} {:>9} {:>9}",
        "server", "request", "wire", "per second", "CPU us each", "p50 us", "p99 us"
    );
    for row in rows {
        print!("{:<36} {:<26} {:<8} ", row.server, row.case, row.wire);
        match (row.per_s > 0.0, row.error) {
            (false, Some(code)) => println!("refused with error {code}"),
            (_, error) => {
                let cpu = row
                    .cpu_us
                    .map_or_else(|| "-".to_owned(), |us| format!("{us:.0}"));
                print!(
                    "{:>10.0} {cpu:>12} {:>9.0} {:>9.0}",
                    row.per_s, row.p50_us, row.p99_us
                );
                match error {
                    Some(code) => println!("  {} refused with error {code}", row.refused),
                    None => println!(),
                }
            }
        }
    }
}

/// A count in a quotient; four thousand million are more than any run makes.
fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
