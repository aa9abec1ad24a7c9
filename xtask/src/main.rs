//! Every chore of the project: `cargo xtask CHORE`.
//!
//! `cargo xtask test` is everything, in the order in which a mistake shows soonest, and ends with one line
//! `N passed, N failed` summed over all runners. Plain std, so that it builds at once.

#![expect(
    clippy::disallowed_methods,
    reason = "chores start programs, read the tree and tell how long it took"
)]

/// Prints a line. A reader that went away (`cargo xtask tidy | head`) is no reason to stop.
macro_rules! say {
    ($($text:tt)*) => {
        drop(std::io::Write::write_fmt(
            &mut std::io::stdout(),
            format_args!("{}\n", format_args!($($text)*)),
        ))
    };
}

mod chores;
mod fuzz;
mod lab;
mod peers;
mod run;
mod summary;
mod tidy;

use std::process::ExitCode;

use crate::run::Context;
use crate::summary::Summary;

const HELP: &str = "\
Usage: cargo xtask CHORE [OPTIONS]

  test                 everything below except bench, then the lab's story; installs the judges first
  ci                   the same without the judges, the fuzz smoke and the lab: fmt clippy unit deny tidy
  fmt                  formatting (fix with `cargo fmt --all`)
  clippy               lints, warnings denied
  unit                 unit, property and documentation tests; needs nothing but Rust
  conformance [NAME...]
                       the outside judges (see `peers`), all or some files of conformance/tests
  fuzz [--seconds N] [TARGET...]
                       each fuzz target for N seconds (default 4) from a fixed seed, on stable Rust
  deny                 licences, bans and sources of all dependencies
  tidy                 arrows of the house, manifests, dead files, links, citations, file lengths
  lab                  builds the release binary and plays the story of `tombolo lab`
  peers [--bench]      installs the judges where it may, or says what is missing and how to get it
  bench [NAME [OPTIONS]]
                       side-by-side benchmarks, release build

Exit codes: 0 all passed, 1 something failed, 2 wrong usage";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((chore, options)) = arguments.split_first() else {
        say!("{HELP}");
        return ExitCode::SUCCESS;
    };
    let context = match Context::find() {
        Ok(context) => context,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(1);
        }
    };
    let mut summary = Summary::default();
    match chore.as_str() {
        "test" => everything(&context, &mut summary),
        "ci" => quick(&context, &mut summary),
        "fmt" => chores::fmt(&context, &mut summary),
        "clippy" => chores::clippy(&context, &mut summary),
        "unit" => chores::unit(&context, &mut summary),
        "conformance" => chores::conformance(&context, options, &mut summary),
        "fuzz" => match fuzz::Options::parse(options) {
            Ok(options) => fuzz::smoke(&context, &options, &mut summary),
            Err(error) => return usage(&error),
        },
        "deny" => chores::deny(&context, &mut summary),
        "tidy" => tidy::check(&context, &mut summary),
        "lab" => lab::play(&context, &mut summary),
        "peers" => peers::install(
            &context,
            options.iter().any(|o| o == "--bench"),
            &mut summary,
        ),
        "bench" => chores::bench(&context, options, &mut summary),
        "help" | "--help" | "-h" => {
            say!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => return usage(&format!("there is no chore '{other}'")),
    }
    summary.print();
    if summary.all_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

fn usage(error: &str) -> ExitCode {
    eprintln!("{error}\n\n{HELP}");
    ExitCode::from(2)
}

/// Needs Rust and a C compiler only.
fn quick(context: &Context, summary: &mut Summary) {
    chores::fmt(context, summary);
    tidy::check(context, summary);
    chores::clippy(context, summary);
    chores::unit(context, summary);
    chores::deny(context, summary);
}

/// A failed chore does not stop the others: one run shows all that is wrong.
fn everything(context: &Context, summary: &mut Summary) {
    peers::install(context, false, summary);
    quick(context, summary);
    chores::conformance(context, &[], summary);
    fuzz::smoke(context, &fuzz::Options::default(), summary);
    lab::play(context, summary);
}
