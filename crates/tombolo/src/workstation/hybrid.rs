//! `tombolo device hybrid-join`: a computer of the domain joins the cloud by its own account.

use std::path::PathBuf;

use ::lab::cloud_client::CloudClient;
use cloud_api::devices::JoinedDevice;
use cloud_api::error::ErrorCode;
use cloud_api::paths;
use data_encoding::BASE64;
use machine::seal::SealName;
use sync::ldap::{Connection, Modification};
use types::{Clock, Guid, Secret, Sid};
use workstation::hybrid::ComputerKey;
use workstation::joined::Joined;
use workstation::keys::DeviceKeys;

use super::settings::{Settings, SettingsArgs};
use super::state::State;
use crate::io::{
    DirectoryArgs, Exit, Failure, OsEntropy, Shell, SystemClock, Tell, refused, unreachable,
};

const HELP: &str = "\
The computer binds to the directory as itself, makes a certificate whose subject is its objectGUID, and writes it into its
own userCertificate. The sync brings the computer to the cloud; then the same command joins it there, by a proof of the
certificate's key. Run it again until it says that the device has joined.

Examples:
  tombolo device hybrid-join --directory ldaps://dc1.corp.contoso.com --bind 'CORP\\WS01$' --password-file machine.password \\
      --ca-file ca.pem --cloud https://login.corp.contoso.com --cloud-ca-file ca.pem

Exit codes:
  0  the device has joined
  1  its certificate is in the directory, and the sync has not brought it to the cloud yet
  3  an error, or the cloud refused";

/// Join the cloud as a computer of the domain
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct HybridJoin {
    #[command(flatten)]
    directory: DirectoryArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    /// What seals the device: key-file, tpm, tpm:device:/dev/tpmrm0, tpm:swtpm:host=HOST,port=PORT
    #[arg(long, value_name = "SEAL", env = "TOMBOLO_SEAL")]
    seal: Option<SealName>,

    /// Where the device keeps its state; below XDG_STATE_HOME without it
    #[arg(long, value_name = "DIR", env = "TOMBOLO_WORKSTATION_STATE")]
    state: Option<PathBuf>,
}

/// The computer's own object.
struct Computer {
    dn: String,
    id: Guid,
    sid: Sid,
    name: String,
    certificates: Vec<Vec<u8>>,
}

/// Runs `tombolo device hybrid-join`.
pub(super) fn run(command: &HybridJoin, shell: &mut Shell) -> Result<Exit, Failure> {
    let state = State::open(command.state.as_deref(), command.seal.as_ref())?;
    let settings = Settings::of(&state, &command.settings)?;
    if let Some(joined) = state.joined()? {
        let id = joined.device.id();
        shell.line(format_args!("this device has joined already: {id}"))?;
        return Ok(Exit::Good);
    }
    let progress = shell.progress("asking the directory", None);
    let mut connection = command.directory.connect()?;
    let computer = own_object(&mut connection)?;
    let key = own_key(&state, &computer)?;
    if !computer
        .certificates
        .iter()
        .any(|known| known == key.certificate())
    {
        let value = vec![key.certificate().to_vec()];
        let what = format!("the certificate was not written to {}", computer.dn);
        connection
            .change(
                &computer.dn,
                vec![Modification::Add("userCertificate".to_owned(), value)],
            )
            .map_err(refused(
                what,
                "to be the computer itself: SELF writes userCertificate",
            ))?;
    }
    progress.label("asking the cloud");
    let joined = join(&settings, &computer, &key)?;
    drop(progress);
    let Some(joined) = joined else {
        shell.line(format_args!(
            "the certificate is in {}; the sync has not brought it to the cloud yet",
            computer.dn
        ))?;
        shell.line("next: run the sync (`tombolo sync run`), and this command again")?;
        return Ok(Exit::Look);
    };
    state.keep(&joined)?;
    settings.keep(&state)?;
    shell.line(format_args!(
        "joined as {} ({})",
        computer.name,
        joined.device.id()
    ))?;
    Ok(Exit::Good)
}

fn own_object(connection: &mut Connection) -> Result<Computer, Failure> {
    let what = "the computer's own object cannot be read";
    let account = connection.account().map_err(unreachable(what))?;
    let wanted = [
        "objectGUID",
        "objectSid",
        "objectClass",
        "cn",
        "userCertificate",
    ];
    let entry = connection
        .object(&account.dn, &wanted)
        .map_err(unreachable(what))?;
    let entry = entry.ok_or_else(|| Failure::new(what).why("there is none"))?;
    let is_computer = entry
        .values("objectClass")
        .iter()
        .any(|class| class.eq_ignore_ascii_case(b"computer"));
    if !is_computer {
        return Err(Failure::new(format!("{} is no computer", entry.dn))
            .next("bind as the computer's own account, such as 'CORP\\WS01$'"));
    }
    let id = entry.values("objectGUID").first();
    let id = id.and_then(|octets| <[u8; 16]>::try_from(octets.as_slice()).ok());
    let sid = entry.values("objectSid").first();
    let sid = sid.and_then(|octets| Sid::from_bytes(octets).ok());
    let (Some(id), Some(sid)) = (id.map(Guid::from_bytes_le), sid) else {
        return Err(Failure::new(what).why("it shows no objectGUID and objectSid"));
    };
    Ok(Computer {
        id,
        sid,
        name: entry.text("cn").unwrap_or_else(|| id.to_string()),
        certificates: entry.values("userCertificate").to_vec(),
        dn: entry.dn,
    })
}

const KEY: &str = "computer.sealed";

/// The key of an earlier run, or a new one, which is on the disk before its certificate is in the directory.
fn own_key(state: &State, computer: &Computer) -> Result<ComputerKey, Failure> {
    let what = "the computer's key cannot be used";
    if let Some(sealed) = state.read(KEY)? {
        return ComputerKey::unseal(&sealed, state.seal()).tell(what);
    }
    let key = ComputerKey::generate(computer.id, SystemClock.now()).tell(what)?;
    let sealed = key.seal(state.seal()).tell(what)?;
    state.replace(KEY, &sealed)?;
    Ok(key)
}

/// Joins; `None` where the cloud does not know the computer yet.
fn join(
    settings: &Settings,
    computer: &Computer,
    key: &ComputerKey,
) -> Result<Option<Joined>, Failure> {
    let what = "the computer could not join the cloud";
    let keys = DeviceKeys::generate().tell("the device has no keys")?;
    let request = key
        .join(&keys, &computer.sid, &computer.name, SystemClock.now())
        .tell(what)?;
    let nobody = Secret::new(String::new());
    let cloud = CloudClient::new(&settings.cloud, &settings.cloud_ca, nobody).tell(what)?;
    let answer: Result<JoinedDevice, ::lab::Error> =
        cloud.put(&paths::own_device(computer.id), &request);
    let answer = match answer {
        Err(::lab::Error::Cloud {
            code: Some(ErrorCode::NotFound),
            ..
        }) => return Ok(None),
        other => other.tell(what)?,
    };
    let certificate = BASE64
        .decode(answer.certificate.raw_body.as_bytes())
        .tell(what)?;
    let (origin, now) = (settings.origin(), SystemClock.now());
    let joined = Joined::of_certificate(keys, certificate, origin, now, &mut OsEntropy);
    joined.map(Some).tell(what)
}
