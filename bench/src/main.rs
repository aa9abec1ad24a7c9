//! Side-by-side benchmarks: each subcommand measures one room against its named peer in the same run.
//!
//! Build with `--release`; ratios, not absolute figures, are what the claims quote.

mod cloud;
mod der;
mod kdc;
mod keycred;
mod lab_start;
mod ldap_search;
mod process;
mod report;
mod sync_plan;
mod trust;

use clap::Parser;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures a part of the system against a named peer
#[derive(Debug, Parser)]
enum Bench {
    /// Sign-ins with a security key at our cloud, and renewals: how many a second, and CPU for each
    Cloud(cloud::Arguments),
    /// Kerberos requests per second and CPU per request: any KDC, or ours, MIT's and Samba AD's side by side
    Kdc(Box<kdc::Arguments>),
    /// Decoding key credentials with both hashes checked, ours against pydsinternals'
    Keycred(keycred::Arguments),
    /// Starting the whole lab: time, CPU, and the parts of it
    Lab(lab_start::Arguments),
    /// An LDAP equality search with access checks: CPU per search, ours against slapd's
    Ldap(ldap_search::Arguments),
    /// The sync's plan over growing numbers of users and of changes: its time should follow the changes
    SyncPlan(sync_plan::Arguments),
    /// Partial tickets exchanged for full ones: our KDC, over a directory too, and Samba AD's
    Trust(trust::Arguments),
}

fn main() -> Result<(), Failure> {
    match Bench::parse() {
        Bench::Cloud(arguments) => cloud::run(&arguments),
        Bench::Kdc(arguments) => kdc::run(&arguments),
        Bench::Keycred(arguments) => keycred::run(&arguments),
        Bench::Lab(arguments) => lab_start::run(&arguments),
        Bench::Ldap(arguments) => ldap_search::run(&arguments),
        Bench::SyncPlan(arguments) => sync_plan::run(&arguments),
        Bench::Trust(arguments) => trust::run(&arguments),
    }
}
