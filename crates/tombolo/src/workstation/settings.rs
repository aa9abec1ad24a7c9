//! Where a workstation's cloud and domain are, and what is decided about its offline sign-in: told once, remembered with the
//! device.

use std::path::PathBuf;

use ::lab::wires::{CloudWire, KdcWire};
use serde::{Deserialize, Serialize};
use workstation::policy::{NtHashPolicy, OfflinePolicy};

use super::state::State;
use crate::io::{Failure, Tell, read_file};

/// Where the cloud and the domain are. What is not given is as it was the last time.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "Cloud and domain (remembered with the device)")]
pub(super) struct SettingsArgs {
    /// Where the cloud is: https://login.contoso.example:8443
    #[arg(long, value_name = "URL", env = "TOMBOLO_CLOUD")]
    cloud: Option<String>,

    /// The certificate authority of the cloud, PEM
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CLOUD_CA_FILE")]
    cloud_ca_file: Option<PathBuf>,

    /// The origin under which keys know the cloud, where it is reached by another address
    #[arg(long, value_name = "ORIGIN", env = "TOMBOLO_CLOUD_ORIGIN")]
    origin: Option<String>,

    /// The domain controller that exchanges tickets; port 88 of the domain's own name without it
    #[arg(long, value_name = "HOST[:PORT]", env = "TOMBOLO_KDC")]
    kdc: Option<String>,

    /// Days after the last contact with the cloud in which the key opens this device; 30 without it
    #[arg(long, value_name = "DAYS", env = "TOMBOLO_OFFLINE_DAYS", value_parser = clap::value_parser!(u16).range(0..=365))]
    offline_days: Option<u16>,

    /// Where the NT hash of a key list may live; it is never asked for without this
    ///
    /// session: in the memory of whoever holds the session. sealed: in the offline cache too, so that servers that know NTLM
    /// alone are reachable after a sign-in without the cloud.
    #[arg(long, value_name = "POLICY", env = "TOMBOLO_NT_HASH", value_enum)]
    nt_hash: Option<NtHash>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum NtHash {
    Never,
    Session,
    Sealed,
}

/// What a device remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    /// The cloud's URL.
    pub(super) cloud: String,
    /// Its certificate authority, PEM.
    pub(super) cloud_ca: String,
    /// Its origin, where that is another.
    pub(super) origin: Option<String>,
    /// The domain controller.
    pub(super) kdc: Option<String>,
    /// What is decided about offline sign-in.
    pub(super) policy: OfflinePolicy,
}

const FILE: &str = "settings.json";
const DAY_S: i64 = 24 * 3600;

impl Settings {
    /// What the device remembers.
    pub(super) fn remembered(state: &State) -> Result<Option<Self>, Failure> {
        let path = state.folder().join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let what = || format!("{} cannot be read", path.display());
        let bytes = std::fs::read(&path).tell(what())?;
        serde_json::from_slice(&bytes).map(Some).tell(what())
    }

    /// What was given, over what is remembered.
    pub(super) fn of(state: &State, given: &SettingsArgs) -> Result<Self, Failure> {
        let old = Self::remembered(state)?;
        let cloud = given
            .cloud
            .clone()
            .or_else(|| old.as_ref().map(|old| old.cloud.clone()));
        let cloud_ca = match &given.cloud_ca_file {
            Some(path) => Some(
                String::from_utf8(read_file(path)?)
                    .tell("the cloud's certificate authority cannot be read")?,
            ),
            None => old.as_ref().map(|old| old.cloud_ca.clone()),
        };
        let (Some(cloud), Some(cloud_ca)) = (cloud, cloud_ca) else {
            return Err(Failure::new("it is not known where the cloud is")
                .next("give --cloud URL and --cloud-ca-file FILE; the device remembers them"));
        };
        let mut policy = old.as_ref().map_or(
            OfflinePolicy {
                nt_hash: NtHashPolicy::Never,
                ..OfflinePolicy::default()
            },
            |old| old.policy,
        );
        if let Some(days) = given.offline_days {
            policy.usable_for_s = i64::from(days) * DAY_S;
        }
        if let Some(nt_hash) = given.nt_hash {
            policy.nt_hash = match nt_hash {
                NtHash::Never => NtHashPolicy::Never,
                NtHash::Session => NtHashPolicy::Session,
                NtHash::Sealed => NtHashPolicy::Sealed,
            };
        }
        Ok(Self {
            cloud,
            cloud_ca,
            origin: given
                .origin
                .clone()
                .or_else(|| old.as_ref().and_then(|old| old.origin.clone())),
            kdc: given.kdc.clone().or_else(|| old.and_then(|old| old.kdc)),
            policy,
        })
    }

    /// Remembers them.
    pub(super) fn keep(&self, state: &State) -> Result<(), Failure> {
        if Self::remembered(state)?.as_ref() == Some(self) {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(self).tell("the settings cannot be written")?;
        state.replace(FILE, &text)
    }

    /// The origin under which keys know the cloud.
    pub(super) fn origin(&self) -> &str {
        self.origin.as_deref().unwrap_or(&self.cloud)
    }

    /// The wire to the cloud.
    pub(super) fn cloud(&self) -> Result<CloudWire, Failure> {
        CloudWire::new(&self.cloud, &self.cloud_ca).tell("the cloud cannot be used")
    }

    /// The wire to the domain controller of a realm.
    pub(super) fn domain(&self, realm: Option<&str>) -> KdcWire {
        let realm = realm.unwrap_or_default().to_ascii_lowercase();
        let host = self.kdc.as_deref().unwrap_or(&realm);
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        KdcWire(match has_port {
            true => host.to_owned(),
            false => format!("{host}:88"),
        })
    }
}
