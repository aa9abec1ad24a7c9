//! What every command shares: the real clock and randomness, output, progress, exit codes, errors.
//!
//! A command is a module with `Command` (what clap reads) and `run(Command, &mut Shell)`. Results go to
//! stdout through [`Shell`], progress and complaints to stderr, and [`Exit`] says how it ended.

mod ccache;
mod directory;
mod failure;
mod ground;
mod output;
mod private;
mod receipts;

pub(crate) use ::lab::{OsEntropy, SystemClock};
pub(crate) use ccache::{CacheArgs, cache_failure};
pub(crate) use directory::{DirectoryArgs, refused, unreachable};
pub(crate) use failure::{EXIT_CODES, Exit, Failure, Tell};
pub(crate) use ground::{environment, own_name, read_file, read_input, write_file};
pub(crate) use output::{Shell, counted, table};
#[cfg(target_os = "linux")]
pub(crate) use private::as_the_caller;
pub(crate) use private::{NewFile, certificates, first_line, keep_files_private};
pub(crate) use receipts::ReceiptFile;
