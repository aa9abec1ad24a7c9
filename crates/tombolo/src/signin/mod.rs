//! `tombolo signin`: a security key signs in to the cloud, and the domain's ticket comes with it.

mod device;
mod key;
mod state;
mod tickets;
pub(crate) mod unlock;

use std::path::PathBuf;

use ::lab::wires::CloudWire;
use comfy_table::Cell;
use ctap::hmac_secret::Salts;
use serde::Serialize;
use types::{Clock, Guid, Secret, Timestamp};
use workstation::offline::{NewCache, Record, User};
use workstation::policy::{NtHashPolicy, OfflinePolicy};
use workstation::sign_in::{self, SignIn, Touch};

use crate::io::{
    Exit, Failure, NewFile, OsEntropy, Shell, SystemClock, Tell, environment, read_file, table,
};
use state::State;

const HELP: &str = "\
One touch of the key signs the cloud's nonce and, where the key has hmac-secret, opens the offline cache. The cloud
answers with a primary refresh token and a partial ticket; a domain controller exchanges that for the domain's own, which
goes into an ordinary credential cache: klist, kvno, smbclient, curl --negotiate and ldapsearch -Y GSSAPI use it.

The first time, the device joins the cloud: give the user's temporary access pass with --user and --pass-file.

Examples:
  tombolo signin --cloud https://login.corp.contoso.com --cloud-ca-file ca.pem --hidraw /dev/hidraw3 --pin-file pin \\
      --user testuser@corp.contoso.com --pass-file pass        join this device, and sign in
  tombolo signin --cloud https://login.corp.contoso.com --cloud-ca-file ca.pem --hidraw /dev/hidraw3 --pin-file pin
  tombolo signin ... --kdc dc1.corp.contoso.com --service cifs/files.corp.contoso.com
  tombolo signin ... --key-list --nt-hash-file nt-hash         for servers that know NTLM alone, where the domain allows it

Exit codes:
  0  signed in, and the domain's ticket is in the cache
  1  signed in, but without a ticket of the domain: the last line says why
  3  not signed in: the cloud refused or cannot be reached, wrong PIN, no such key";

/// Sign in with a security key, and get the domain's tickets
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    /// Where the cloud is: https://login.contoso.example:8443
    #[arg(long, value_name = "URL", env = "TOMBOLO_CLOUD")]
    cloud: String,

    /// The certificate authority of the cloud, PEM
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CLOUD_CA_FILE")]
    cloud_ca_file: PathBuf,

    /// The origin under which keys know the cloud, where it is reached by another address
    #[arg(long, value_name = "ORIGIN", env = "TOMBOLO_CLOUD_ORIGIN")]
    origin: Option<String>,

    /// The domain controller that exchanges tickets; port 88 of the domain's own name without it
    #[arg(long, value_name = "HOST[:PORT]", env = "TOMBOLO_KDC")]
    kdc: Option<String>,

    #[command(flatten)]
    key: key::KeyArgs,

    #[command(flatten)]
    join: device::JoinArgs,

    /// A service to get a ticket for as well (again for more)
    #[arg(long, value_name = "CLASS/HOST")]
    service: Vec<String>,

    /// Ask the domain controller for the NT hash (KERB-KEY-LIST)
    #[arg(long)]
    key_list: bool,

    /// Write the NT hash to this file, in hex; it is never shown
    #[arg(long, value_name = "FILE", requires = "key_list")]
    nt_hash_file: Option<PathBuf>,

    /// The credential cache; KRB5CCNAME, or FILE:/tmp/krb5cc_UID without it
    #[arg(long, value_name = "FILE")]
    cache: Option<PathBuf>,

    /// Print JSON, format tombolo-signin/1
    #[arg(long)]
    json: bool,
}

/// What came of a sign-in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    format: &'static str,
    user: String,
    device: Guid,
    joined_now: bool,
    primary_refresh_token_expires: Timestamp,
    /// The ticket granting ticket; absent where there is none.
    ticket: Option<Granted>,
    /// Why there is none.
    no_ticket: Option<String>,
    services: Vec<Granted>,
    /// Whether the NT hash came; never the hash.
    nt_hash: bool,
    cache: Option<PathBuf>,
    /// Until when the same key signs in here without the cloud.
    offline_until: Option<Timestamp>,
    /// Why it will not.
    no_offline: Option<String>,
}

/// A ticket that was granted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    service: String,
    ends: Timestamp,
}

/// Runs `tombolo signin`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let pin = command.key.pin(shell)?;
    let progress = shell.progress("asking the cloud", None);
    let state = State::open(command.join.state.as_deref())?;
    let ca = String::from_utf8(read_file(&command.cloud_ca_file)?)
        .tell("the cloud's certificate authority cannot be read")?;
    let mut cloud = CloudWire::new(&command.cloud, &ca).tell("the cloud cannot be used")?;
    let origin = command.origin.as_deref().unwrap_or(&command.cloud);
    let (mut joined, joined_now) = device::joined(&state, &command.join, &mut cloud, origin)?;
    let mut key = command.key.open()?;
    progress.label("touch your security key");
    let salt = *joined.device.salt();
    let salts = Some(Salts::one(*salt.octets()));
    let (signed, touch) =
        sign_in::sign_in(&joined, &mut cloud, &mut key, &pin, salts).tell("nobody is signed in")?;
    progress.label("asking the domain controller");
    let policy = OfflinePolicy {
        nt_hash: match command.key_list {
            true => NtHashPolicy::Session,
            false => NtHashPolicy::Never,
        },
        ..OfflinePolicy::default()
    };
    let gained = tickets::gain(
        &signed,
        command.kdc.as_deref(),
        policy.nt_hash,
        &command.service,
    );
    let cache = command.cache.clone().unwrap_or_else(cache_path);
    let mut report = Report {
        format: "tombolo-signin/1",
        user: signed.who.upn.clone(),
        device: joined.device.id(),
        joined_now,
        primary_refresh_token_expires: signed.prt.expires,
        ticket: None,
        no_ticket: None,
        services: Vec::new(),
        nt_hash: false,
        cache: None,
        offline_until: None,
        no_offline: None,
    };
    let mut tickets = Vec::new();
    match gained {
        Ok(gained) => {
            tickets = gained.cache.encode().tell("the tickets cannot be kept")?;
            state::replace(&cache, &tickets)?;
            report.ticket = Some(granted(&gained.tgt));
            report.services = gained.services.iter().map(granted).collect();
            report.cache = Some(cache);
            report.nt_hash = gained.nt_hash.is_some();
            if let (Some(path), Some(hash)) = (&command.nt_hash_file, &gained.nt_hash) {
                let hex = data_encoding::HEXLOWER.encode(hash.expose());
                drop(NewFile::write(path, format!("{hex}\n").as_bytes())?.keep());
            }
        }
        Err(why) => report.no_ticket = Some(why),
    }
    match keep_offline(&state, &mut joined, &signed, &touch, tickets, &policy) {
        Ok(until) => report.offline_until = Some(until),
        Err(why) => report.no_offline = Some(why),
    }
    state.keep(&joined)?;
    drop(progress);
    tell(&report, command.json, shell)
}

fn granted(credentials: &kerberos::client::Credentials) -> Granted {
    Granted {
        service: credentials.part.sname.to_string(),
        ends: credentials.part.endtime.timestamp(),
    }
}

/// Writes the offline cache; the old one is in its place until the new one is on the disk.
fn keep_offline(
    state: &State,
    joined: &mut workstation::joined::Joined,
    signed: &SignIn,
    touch: &Touch,
    tickets: Vec<u8>,
    policy: &OfflinePolicy,
) -> Result<Timestamp, String> {
    let Some(secrets) = &touch.secrets else {
        return Err(
            "the security key has no hmac-secret; this device cannot be opened without the cloud"
                .to_owned(),
        );
    };
    let now = SystemClock.now();
    let prt = &signed.prt;
    let record = Record {
        user: User {
            sid: None,
            user_principal_name: signed.who.upn.clone(),
            account: None,
            realm: signed
                .ticket
                .as_ref()
                .ok()
                .map(|ticket| ticket.realm().to_owned()),
            groups: Vec::new(),
        },
        prt: Some(workstation::offline::PrimaryRefreshToken {
            token: Secret::new(prt.token.expose().clone()),
            session_key: Secret::new(*prt.session_key.expose()),
            expires: prt.expires,
        }),
        tickets: Secret::new(tickets),
        nt_hash: None,
        last_online: now,
        last_seen: now,
    };
    let new = NewCache {
        rp_id_hash: joined.rp_id_hash(),
        credential_id: &touch.credential_id,
        public_key: &[],
        display_name: &signed.who.name,
        salt: *joined.device.salt(),
        record: &record,
    };
    let sealed = new
        .seal(&secrets.first, &joined.device, policy, now, &mut OsEntropy)
        .map_err(|error| error.to_string())?;
    state
        .keep_offline(&sealed)
        .map_err(|failure| failure.to_string())?;
    joined.device.wrote(sealed.credential, sealed.number);
    Ok(now.plus_seconds(policy.usable_for_s))
}

/// KRB5CCNAME where it names a file.
fn cache_path() -> PathBuf {
    if let Some(name) = environment("KRB5CCNAME") {
        let file = name.strip_prefix("FILE:").unwrap_or(&name);
        if !file.contains(':') {
            return PathBuf::from(file);
        }
    }
    std::env::temp_dir().join(format!("krb5cc_{}", own_uid()))
}

#[cfg(unix)]
fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(not(unix))]
fn own_uid() -> u32 {
    0
}

fn tell(report: &Report, json: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let exit = match report.ticket {
        Some(_) => Exit::Good,
        None => Exit::Look,
    };
    if json {
        shell.json(report)?;
        return Ok(exit);
    }
    let time = |at: Timestamp| at.to_rfc3339().unwrap_or_default();
    let mut rows = table(["what", "until"]);
    rows.add_row([
        Cell::new("primary refresh token"),
        Cell::new(time(report.primary_refresh_token_expires)),
    ]);
    for ticket in report.ticket.iter().chain(&report.services) {
        rows.add_row([Cell::new(&ticket.service), Cell::new(time(ticket.ends))]);
    }
    if let Some(until) = report.offline_until {
        rows.add_row([
            Cell::new("sign-in here without the cloud"),
            Cell::new(time(until)),
        ]);
    }
    shell.line(format_args!("signed in as {}", report.user))?;
    shell.line(rows)?;
    if let Some(cache) = &report.cache {
        shell.line(format_args!("tickets in FILE:{}", cache.display()))?;
    }
    if let Some(why) = &report.no_offline {
        shell.line(format_args!("no sign-in without the cloud: {why}"))?;
    }
    if let Some(why) = &report.no_ticket {
        shell.line(format_args!("no ticket of the domain: {why}"))?;
    }
    Ok(exit)
}
