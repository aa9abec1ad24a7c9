//! Side-by-side benchmarks: each subcommand measures one room against its named peer in the same run.
//!
//! Build with `--release`; ratios, not absolute figures, are what the claims quote.

mod ldap_search;

use clap::Parser;

/// Measures a part of the system against a named peer
#[derive(Debug, Parser)]
enum Bench {
    /// An LDAP equality search with access checks: CPU per search, ours against slapd's
    Ldap(ldap_search::Arguments),
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match Bench::parse() {
        Bench::Ldap(arguments) => ldap_search::run(&arguments),
    }
}
