//! Side-by-side benchmarks: each subcommand measures one room against its named peer in the same run.
//!
//! Build with `--release`; ratios, not absolute figures, are what the claims quote.

mod kdc;
mod keycred;
mod ldap_search;
mod sync_plan;

use clap::Parser;

/// Measures a part of the system against a named peer
#[derive(Debug, Parser)]
enum Bench {
    /// Kerberos requests per second and CPU per request: any KDC, or ours, MIT's and Samba AD's side by side
    Kdc(Box<kdc::Arguments>),
    /// Decoding key credentials with both hashes checked, ours against pydsinternals'
    Keycred(keycred::Arguments),
    /// An LDAP equality search with access checks: CPU per search, ours against slapd's
    Ldap(ldap_search::Arguments),
    /// The sync's plan over growing numbers of users and of changes: its time should follow the changes
    SyncPlan(sync_plan::Arguments),
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match Bench::parse() {
        Bench::Kdc(arguments) => kdc::run(&arguments),
        Bench::Keycred(arguments) => keycred::run(&arguments),
        Bench::Ldap(arguments) => ldap_search::run(&arguments),
        Bench::SyncPlan(arguments) => sync_plan::run(&arguments),
    }
}
