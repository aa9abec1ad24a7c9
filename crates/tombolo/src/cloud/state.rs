//! The state directory: one SQLite file in a directory that only its owner may enter.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::cloud::{Caller, Cloud, Limits, NewTenant, Surroundings};
use cloud_api::users::User;
use types::{Guid, Secret};

use crate::io::{Exit, Failure, OsEntropy, Shell, SystemClock, Tell};

/// Where a tenant's state is.
#[derive(Debug, clap::Args)]
pub(super) struct State {
    /// Directory of the tenant's state
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
}

impl State {
    fn file(&self) -> PathBuf {
        self.state.join("cloud.sqlite")
    }

    /// Opens the tenant.
    pub(super) fn open(&self) -> Result<Cloud, Failure> {
        let file = self.file();
        if !file.exists() {
            return Err(
                Failure::new(format!("{} holds no tenant", self.state.display()))
                    .next("make one with `tombolo cloud init`"),
            );
        }
        Cloud::open(&file, surroundings()).tell(format!("could not open {}", file.display()))
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

/// A user by sign-in name or id.
pub(super) fn find(cloud: &Cloud, name: &str) -> Result<User, Failure> {
    let operator = Caller::operator();
    let found = match name.parse::<Guid>() {
        Ok(id) => cloud.user(&operator, id),
        Err(_) => cloud.user_by_name(&operator, name),
    };
    found.map_err(|error| {
        Failure::new(format!("could not find user {name}"))
            .why(error)
            .next("see `tombolo cloud user list`")
    })
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

/// Names the JSON of this command and its version.
pub(super) const FORMAT: &str = "tombolo-cloud/1";
