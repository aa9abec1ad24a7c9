//! The state directory: one SQLite file in a directory that only its owner may enter.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::cloud::{Cloud, Limits, NewTenant, Surroundings};
use types::Secret;

use crate::io::{Exit, Failure, OsEntropy, Shell, SystemClock, Tell};

/// Where a tenant's state is.
#[derive(Debug, clap::Args)]
pub(super) struct State {
    /// Directory of the tenant's state
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
}

impl State {
    /// By its directory.
    pub(super) fn of(state: PathBuf) -> Self {
        Self { state }
    }

    fn file(&self) -> PathBuf {
        self.state.join("cloud.sqlite")
    }

    /// Opens the tenant.
    pub(super) fn open(&self) -> Result<Cloud, Failure> {
        self.open_behind(Vec::new())
    }

    /// Opens the tenant behind proxies whose word about their clients counts.
    pub(super) fn open_behind(&self, proxies: Vec<IpAddr>) -> Result<Cloud, Failure> {
        let file = self.file();
        if !file.exists() {
            return Err(
                Failure::new(format!("{} holds no tenant", self.state.display()))
                    .next("make one with `tombolo cloud init`"),
            );
        }
        Cloud::open(&file, surroundings().with_trusted_proxies(proxies))
            .tell(format!("could not open {}", file.display()))
    }

    /// Makes the tenant.
    pub(super) fn create(&self, tenant: &NewTenant) -> Result<(Cloud, Secret<String>), Failure> {
        make_private(&self.state)?;
        let file = self.file();
        Cloud::create(&file, tenant, surroundings()).tell(format!(
            "could not make a tenant in {}",
            self.state.display()
        ))
    }

    /// For messages.
    pub(super) fn display(&self) -> std::path::Display<'_> {
        self.state.display()
    }
}

fn surroundings() -> Surroundings {
    Surroundings::new(Arc::new(SystemClock), Box::new(OsEntropy)).with_limits(Limits::default())
}

/// The state holds hashes of tokens and personal data: nobody else may enter.
fn make_private(directory: &Path) -> Result<(), Failure> {
    let what = || format!("could not make {}", directory.display());
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(directory).tell(what())
}

/// Says that something is done.
pub(super) fn done(
    shell: &mut Shell,
    json: bool,
    key: &str,
    value: &str,
    text: &str,
) -> Result<Exit, Failure> {
    if json {
        shell.json(&serde_json::json!({ "format": FORMAT, key: value }))?;
    } else {
        shell.line(text)?;
    }
    Ok(Exit::Good)
}

/// A yes or no in a table.
pub(super) fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

/// Names the JSON of this command and its version.
pub(super) const FORMAT: &str = "tombolo-cloud/1";
