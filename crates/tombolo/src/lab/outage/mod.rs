//! `tombolo lab outage`: what works when the cloud or the domain controller is away, tried cell by cell.

mod duration;
mod page;
mod show;
mod timeline;

use std::path::PathBuf;

use ::lab::Lifetimes;
use ::lab::outage::{self, Rules, SITUATIONS};

use crate::io::{Exit, Failure, Shell, Tell, write_file};
use duration::{Span, span};

const AFTER_HELP: &str = "\
Each column is a house of its own with a clock that is moved: at eight somebody signs in with a security key, half an
hour later the wires are cut, and at the end of that time each row is tried over what is left. It takes some seconds,
whatever the length of the outage.

The page has the matrix and one outage of the cloud on a line of time (--outage), in one file that needs nothing else.

Examples:
  tombolo lab outage
  tombolo lab outage --html outage.html --outage 3d --ticket-lifetime 4h --renewable 2d
  tombolo lab outage --json            a list of objects: row, column, outcome, mechanism, until, at

Exit codes:
  0  every cell was tried
  3  the house could not be built";

/// Try what works when the cloud or the domain controller is away: for how long, and why
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Command {
    /// How long the domain's tickets live: 90m, 10h, 2d
    #[arg(long, value_name = "TIME", value_parser = span, default_value = "10h")]
    ticket_lifetime: Span,

    /// How long a ticket granting ticket can be renewed
    #[arg(long, value_name = "TIME", value_parser = span, default_value = "7d")]
    renewable: Span,

    /// How long after the last contact with the cloud the key opens the device
    #[arg(long, value_name = "TIME", value_parser = span, default_value = "30d")]
    offline_for: Span,

    /// The outage on the page's line of time
    #[arg(long, value_name = "TIME", value_parser = span, default_value = "8d", requires = "html")]
    outage: Span,

    /// Write a page for planning
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let rules = Rules {
        lifetimes: Lifetimes {
            ticket_s: command.ticket_lifetime.0,
            renewable_s: command.renewable.0,
        },
        offline_s: command.offline_for.0,
    };
    let columns = u64::try_from(SITUATIONS.len()).unwrap_or_default();
    let progress = shell.progress("building houses", Some(columns));
    let matrix = outage::run(rules, &mut |situation| {
        progress.label(situation.title);
        progress.advance(1);
    });
    let matrix = matrix.tell("the matrix could not be tried")?;
    if let Some(path) = &command.html {
        progress.label("living through the outage");
        let line = outage::timeline::live(rules, command.outage.0);
        let line = line.tell("the outage could not be lived through")?;
        let page = page::page(&matrix, &line);
        write_file(path, page.as_bytes())?;
    }
    drop(progress);
    if command.json {
        shell.json(&matrix.cells)?;
    } else {
        show::table(&matrix, shell)?;
    }
    if let Some(path) = &command.html {
        shell.note(format_args!("the page is {}", path.display()));
    }
    Ok(Exit::Good)
}
