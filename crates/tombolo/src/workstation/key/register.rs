//! `tombolo key register`: a person registers their own key at the cloud, with a temporary access pass.

use std::path::PathBuf;

use ::lab::cloud_client::CloudClient;
use ::lab::registration::register_own_key;
use ::lab::wires::CloudWire;
use comfy_table::Cell;
use serde::Serialize;

use super::KeyArgs;
use crate::io::{Exit, Failure, Shell, Tell, first_line, read_file, table};
use crate::workstation::device;

const HELP: &str = "\
Whether the key can unlock devices without the cloud is said before anything is registered, and not at the first outage.

Examples:
  tombolo key register --cloud https://login.corp.contoso.com --cloud-ca-file ca.pem --pin-file pin \\
      --user testuser@corp.contoso.com --pass-file pass --name 'Blue key'

Exit codes:
  0  registered, and the key can unlock devices without the cloud
  1  registered, and it cannot: the key has no hmac-secret
  3  not registered";

/// Register the key for yourself at the cloud, with a temporary access pass
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Register {
    #[command(flatten)]
    key: KeyArgs,

    /// Where the cloud is: https://login.contoso.example:8443
    #[arg(long, value_name = "URL", env = "TOMBOLO_CLOUD")]
    cloud: String,

    /// The certificate authority of the cloud, PEM
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CLOUD_CA_FILE")]
    cloud_ca_file: PathBuf,

    /// The origin under which keys know the cloud, where it is reached by another address
    #[arg(long, value_name = "ORIGIN", env = "TOMBOLO_CLOUD_ORIGIN")]
    origin: Option<String>,

    /// Who you are
    #[arg(long, value_name = "UPN")]
    user: String,

    /// A file whose first line is your temporary access pass
    #[arg(long, value_name = "FILE")]
    pass_file: PathBuf,

    /// What you call the key
    #[arg(long, value_name = "NAME", default_value = "Security key")]
    name: String,

    /// Print JSON, format tombolo-key-register/1
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    format: &'static str,
    user: &'a str,
    id: &'a str,
    aa_guid: &'a str,
    model: Option<&'a str>,
    unlocks_without_cloud: bool,
}

/// Runs `tombolo key register`.
pub(crate) fn run(register: &Register, shell: &mut Shell) -> Result<Exit, Failure> {
    let what = || format!("no key was registered for {}", register.user);
    let pin = register.key.pin(shell)?;
    let mut key = register.key.open_for(Some(&register.user))?;
    let ca = String::from_utf8(read_file(&register.cloud_ca_file)?)
        .tell("the cloud's certificate authority cannot be read")?;
    let mut wire = CloudWire::new(&register.cloud, &ca).tell("the cloud cannot be used")?;
    let session = device::session(&mut wire, &register.user, &first_line(&register.pass_file)?)?;
    let cloud = CloudClient::new(&register.cloud, &ca, session).tell("the cloud cannot be used")?;
    let origin = register.origin.as_ref().unwrap_or(&register.cloud);
    let made =
        register_own_key(&cloud, &mut key, &pin, origin, &register.name).map_err(|error| {
            let failure = Failure::new(what()).why(&error);
            match error {
                ::lab::Error::SecurityKey(ctap::Error::Unsupported(_)) => {
                    failure.next("take another key")
                }
                _ => failure.next("the pass is used up: ask an administrator for a new one"),
            }
        })?;
    let exit = match made.has_hmac_secret {
        true => Exit::Good,
        false => Exit::Look,
    };
    if register.json {
        shell.json(&Report {
            format: "tombolo-key-register/1",
            user: &register.user,
            id: &made.id,
            aa_guid: &made.aa_guid,
            model: made.model.as_deref(),
            unlocks_without_cloud: made.has_hmac_secret,
        })?;
        return Ok(exit);
    }
    let unlocks = match made.has_hmac_secret {
        true => "yes, by hmac-secret",
        false => "no: the key has no hmac-secret",
    };
    let mut rows = table(["what", "value"]);
    rows.add_row([Cell::new("name"), Cell::new(&made.display_name)]);
    let model = made.model.as_deref().unwrap_or(&made.aa_guid);
    rows.add_row([Cell::new("model"), Cell::new(model)]);
    rows.add_row([Cell::new("unlocks without the cloud"), Cell::new(unlocks)]);
    shell.line(format_args!("registered for {}", register.user))?;
    shell.line(rows)?;
    Ok(exit)
}
