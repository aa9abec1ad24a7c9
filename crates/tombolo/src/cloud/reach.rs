//! Which cloud a command looks after: by its state directory at its own machine, or over HTTPS with a token.

use std::path::PathBuf;

use ::cloud::{Caller, Cloud};
use cloud_api::error::ErrorCode;
use lab::cloud_client::CloudClient;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::state::State;
use crate::io::{Failure, Tell, first_line, read_file};

/// The cloud, at its own machine or over the network.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cloud")]
pub(super) struct Reach {
    /// Directory of the tenant's state, at the cloud's own machine; goes before --cloud
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,

    /// Where the cloud is: https://login.contoso.example:8443
    #[arg(long, value_name = "URL", env = "TOMBOLO_CLOUD")]
    cloud: Option<String>,

    /// A file whose first line is an administrator's token
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CLOUD_TOKEN_FILE")]
    cloud_token_file: Option<PathBuf>,

    /// The certificate authority of the cloud, PEM
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CLOUD_CA_FILE")]
    cloud_ca_file: Option<PathBuf>,
}

/// All of a kind, in a cloud.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

/// One of a kind, in a cloud.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Name or id
    pub(super) name: String,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

/// A cloud that answers.
pub(super) enum Reached {
    /// Its own file.
    Here(Box<Cloud>),
    /// Its API.
    There(Remote),
}

/// A cloud over HTTPS.
pub(super) struct Remote {
    pub(super) client: CloudClient,
    url: String,
}

impl Reach {
    pub(super) fn open(&self) -> Result<Reached, Failure> {
        if let Some(state) = &self.state {
            let cloud = State::of(state.clone()).open()?;
            return Ok(Reached::Here(Box::new(cloud)));
        }
        let Some(url) = &self.cloud else {
            return Err(Failure::new("no cloud is named").next(
                "give --cloud URL with --cloud-token-file and --cloud-ca-file, or --state DIR at the cloud's own machine",
            ));
        };
        let missing = |why: &str, next: &str| {
            Failure::new(format!("{url} cannot be used"))
                .why(why)
                .next(next)
        };
        let token = self.cloud_token_file.as_ref().ok_or_else(|| {
            missing(
                "there is no token to show it",
                "give --cloud-token-file FILE; `tombolo cloud token admin` makes a token",
            )
        })?;
        let ca = self.cloud_ca_file.as_ref().ok_or_else(|| {
            missing(
                "its certificate authority is not named",
                "give --cloud-ca-file FILE",
            )
        })?;
        let what = || format!("{url} cannot be used");
        let ca_pem = String::from_utf8(read_file(ca)?).tell(what())?;
        let client = CloudClient::new(url, &ca_pem, first_line(token)?).tell(what())?;
        Ok(Reached::There(Remote {
            client,
            url: url.clone(),
        }))
    }
}

/// A list as the API writes it.
#[derive(Deserialize)]
struct Listed<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink", default)]
    next_link: Option<String>,
}

impl Remote {
    /// All of a list, page by page.
    pub(super) fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, lab::Error> {
        self.list_up_to(path, usize::MAX)
    }

    /// A list up to a number of its members.
    pub(super) fn list_up_to<T: DeserializeOwned>(
        &self,
        path: &str,
        count: usize,
    ) -> Result<Vec<T>, lab::Error> {
        let mut page: Listed<T> = self.client.get(path)?;
        let mut all = page.value;
        while all.len() < count {
            // Whatever host a link names, the configured one is asked.
            let next = page.next_link.as_deref();
            let Some(next) = next.and_then(cloud_api::devicekeys::request_target) else {
                break;
            };
            page = self.client.get(next)?;
            all.append(&mut page.value);
        }
        all.truncate(count);
        Ok(all)
    }

    /// What went wrong, with advice.
    pub(super) fn failed(&self, what: impl Into<String>, error: &lab::Error) -> Failure {
        let failure = Failure::new(format!("{} ({})", what.into(), self.url)).why(error);
        match error {
            lab::Error::Cloud {
                code: Some(ErrorCode::Unauthenticated | ErrorCode::AccessDenied),
                ..
            } => {
                failure.next("give an administrator's token: `tombolo cloud token admin` makes one")
            }
            lab::Error::Cloud { code: None, .. } => failure
                .next("look at --cloud, --cloud-ca-file and whether `tombolo cloud serve` runs"),
            _ => failure,
        }
    }

    /// Whether the cloud says that there is no such thing.
    pub(super) fn is_missing(error: &lab::Error) -> bool {
        matches!(
            error,
            lab::Error::Cloud {
                code: Some(ErrorCode::NotFound),
                ..
            }
        )
    }
}

/// Who asks at the cloud's own machine.
pub(super) fn operator() -> Caller {
    Caller::operator()
}
