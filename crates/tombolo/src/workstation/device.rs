//! The device: joined once, by a user with a temporary access pass.

use std::path::PathBuf;

use ::lab::wires::CloudWire;
use cloud_api::access::{Session, SignIn};
use cloud_api::paths;
use data_encoding::BASE64;
use machine::seal::SealName;
use types::{Clock, Secret};
use workstation::cloud::{self, Cloud, Post};
use workstation::joined::Joined;
use workstation::keys::DeviceKeys;

use super::state::{State, StateArgs, not_joined};
use crate::io::{Failure, OsEntropy, SystemClock, Tell, first_line};

/// What a first sign-in needs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Device")]
pub(super) struct JoinArgs {
    #[command(flatten)]
    pub(super) state: StateArgs,

    /// What seals the device: key-file, tpm, tpm:device:/dev/tpmrm0, tpm:swtpm:host=HOST,port=PORT
    ///
    /// Chosen when the device joins, a key file without it; after that the device knows. `tombolo device reseal` changes it.
    #[arg(long, value_name = "SEAL", env = "TOMBOLO_SEAL")]
    pub(super) seal: Option<SealName>,

    /// Who signs in, where the key holds several accounts; the first time: who joins this device
    #[arg(long, value_name = "UPN")]
    user: Option<String>,

    /// The first time: a file whose first line is the user's temporary access pass
    #[arg(long, value_name = "FILE", requires = "user")]
    pass_file: Option<PathBuf>,

    /// The first time: how administrators see this device; the host's name without it
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

impl JoinArgs {
    /// Who was named.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// The device as it was joined; where it was not, it joins now, and the second value says so.
pub(super) fn joined(
    state: &State,
    arguments: &JoinArgs,
    cloud: &mut CloudWire,
    origin: &str,
) -> Result<(Joined, bool), Failure> {
    if let Some(joined) = state.joined()? {
        return Ok((joined, false));
    }
    let (Some(user), Some(pass)) = (&arguments.user, &arguments.pass_file) else {
        return Err(not_joined());
    };
    let pass = first_line(pass)?;
    let session = session(cloud, user, &pass)?;
    let keys = DeviceKeys::generate().tell("the device has no keys")?;
    let name = arguments.device_name.clone().unwrap_or_else(host_name);
    let answer =
        cloud::join(cloud, &keys, &name, &session).tell("the device could not join the cloud")?;
    let what = "the cloud's answer to the join cannot be used";
    let certificate = BASE64
        .decode(answer.certificate.raw_body.as_bytes())
        .tell(what)?;
    let now = SystemClock.now();
    let joined =
        Joined::of_certificate(keys, certificate, origin, now, &mut OsEntropy).tell(what)?;
    state.keep(&joined)?;
    Ok((joined, true))
}

pub(super) fn session(
    cloud: &mut CloudWire,
    user: &str,
    pass: &Secret<String>,
) -> Result<Secret<String>, Failure> {
    let what = "the temporary access pass was not taken";
    let body = serde_json::to_vec(&SignIn {
        user_principal_name: user.to_owned(),
        temporary_access_pass: pass.expose().clone(),
    })
    .tell(what)?;
    let reply = cloud
        .post(Post {
            path: paths::SIGN_IN_TEMPORARY_ACCESS_PASS,
            content_type: "application/json",
            body,
            bearer: None,
        })
        .tell(what)?;
    if reply.status != 200 {
        return Err(Failure::new(what)
            .why(format!("the cloud answered {}", reply.status))
            .next("ask an administrator for a new pass; each works once"));
    }
    let session: Session = serde_json::from_slice(&reply.body).tell(what)?;
    Ok(Secret::new(session.access_token))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "workstation".to_owned(),
        name => name.to_owned(),
    }
}
