//! `tombolo keys enroll`: a Windows Hello style key for a user, written by somebody who may.

use std::path::{Path, PathBuf};

use keycred::{Draft, KeyCredential, Severity};
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize};
use serde::Serialize;
use types::{Clock, Entropy, Guid};

use super::certificate::{self, Certificates, Subject};
use super::change::{Change, How};
use super::owner::{Key, Owner};
use super::public_key;
use crate::io::{
    DirectoryArgs, Exit, Failure, NewFile, OsEntropy, ReceiptFile, Shell, SystemClock, Tell,
};

const HELP: &str = "\
The key signs its user in by PKINIT (key trust), without a password and without the cloud. Without
--apply nothing is written: neither to the directory nor to a file.

Examples:
  export TOMBOLO_DIRECTORY=ldaps://dc1.corp.contoso.com TOMBOLO_BIND=admin@corp.contoso.com
  export TOMBOLO_PASSWORD_FILE=admin.password TOMBOLO_CA_FILE=ca.pem
  tombolo keys enroll --ngc testuser                     what would be written, and whether we may
  tombolo keys enroll --ngc testuser --apply             testuser.key.pem, testuser.pem, and the value
  tombolo keys enroll --ngc testuser --apply --public-key card.pem     a key that exists already
  kinit -X X509_user_identity=FILE:testuser.pem,testuser.key.pem \\
      -X X509_anchors=FILE:testuser.pem -X X509_anchors=FILE:kdc-ca.pem testuser
  tombolo detect scan changes.jsonl --receipts key-receipts.jsonl

MIT's kinit sends no certificate that is signed by itself, and Samba's KDC wants one: for the two
together give --issuer, and name PREFIX.issuer.pem in X509_anchors.

Exit codes:
  0  the plan can be carried out, or was, and was read back
  1  the directory says that the writer may not, or does not show what was written
  3  not done: no such user, wrong password, no trust in the directory's certificate, refused";

/// Enrol a key for a user: show the plan, or carry it out with --apply
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    /// Whose key: account name, user principal name, distinguished name, GUID or SID
    #[arg(value_name = "USER")]
    user: String,

    /// A Windows Hello key (usage NGC), the only kind that signs in to a domain
    #[arg(long, required = true)]
    ngc: bool,

    /// Enrol this public key (certificate or public key, PEM or DER) instead of making a new one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "issuer"])]
    public_key: Option<PathBuf>,

    /// The device that holds the key; random without it
    #[arg(long, value_name = "GUID")]
    device_id: Option<Guid>,

    /// Write PREFIX.key.pem and PREFIX.pem; the account name without it
    #[arg(long, value_name = "PREFIX")]
    out: Option<PathBuf>,

    /// Let an issuer that exists for this once sign the certificate, and write PREFIX.issuer.pem
    #[arg(long)]
    issuer: bool,

    #[command(flatten)]
    how: How,

    #[command(flatten)]
    directory: DirectoryArgs,
}

/// The rule that the receipts name.
const RULE: &str = "tombolo keys enroll --ngc";

#[derive(Serialize)]
struct Enrolled<'a> {
    #[serde(flatten)]
    change: &'a Change,
    /// The files that hold the new key.
    files: Option<Files>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Files {
    private_key: PathBuf,
    certificate: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<PathBuf>,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("asking the directory", None);
    let mut connection = command.directory.connect()?;
    let owner = Owner::find(&mut connection, &command.user)?;
    if !owner.is_person {
        return Err(Failure::new(format!("{} is not a user", owner.dn))
            .next("computers register their keys themselves; enrol for a user"));
    }
    progress.label("making the key");
    let new = match &command.public_key {
        Some(_) => None,
        None => Some(
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
                .tell("no key could be made")?,
        ),
    };
    let material = match (&command.public_key, &new) {
        (Some(path), _) => public_key::material_of_file(path)?,
        (None, Some(key)) => public_key::material_of_spki(&key.subject_public_key_info())?,
        (None, None) => return Err(Failure::new("there is no key to enrol")),
    };
    let key = value(command, material)?;
    let known = owner
        .keys()
        .into_iter()
        .find(|old| old.key_id == key.key_id);
    let is_known = known.is_some();
    let adds = if is_known { Vec::new() } else { vec![key] };
    let mut change = Change::new(&mut connection, owner, adds, |_| false)?;
    if is_known {
        let note = "the user has this key already: there is nothing to do";
        change.notes.push(note.to_owned());
    }
    let files = new.is_some().then(|| names(command, &change.owner));
    let mut written = None;
    if command.how.apply && !is_known {
        if change.is_denied() {
            drop(progress);
            return denied(command, &change, shell);
        }
        let mut receipts = ReceiptFile::open(&command.how.receipts)?;
        // The private key first: one in the directory that nobody has would be of no use to anybody.
        let kept = match (&new, &files) {
            (Some(key), Some(files)) => write(key, files, &change, command.issuer)?,
            _ => Vec::new(),
        };
        progress.label("writing the key");
        let done = change.apply(&mut connection, RULE, &mut receipts);
        if change.may_be_written() {
            kept.into_iter().for_each(|file| drop(file.keep()));
        }
        done?;
        written = files;
    } else if let (Some(files), false) = (&files, is_known) {
        let note = format!(
            "with --apply the new key goes to {} and {}",
            files.private_key.display(),
            files.certificate.display()
        );
        change.notes.push(note);
    }
    drop(progress);
    tell(command, &change, written, shell)?;
    Ok(if change.is_well() || is_known {
        Exit::Good
    } else {
        Exit::Look
    })
}

/// A plan that the directory would refuse is shown, with the lines that mend it, and not tried.
fn denied(command: &Command, change: &Change, shell: &mut Shell) -> Result<Exit, Failure> {
    tell(command, change, None, shell)?;
    shell.note("nothing was written");
    Ok(Exit::Look)
}

fn tell(
    command: &Command,
    change: &Change,
    files: Option<Files>,
    shell: &mut Shell,
) -> Result<(), Failure> {
    if command.how.json {
        return shell.json(&Enrolled { change, files });
    }
    change.tell(shell)?;
    let Some(files) = files else {
        return Ok(());
    };
    let anchor = files.issuer.as_ref().unwrap_or(&files.certificate);
    let authority = match command.directory.ca_file() {
        Some(path) => path.display().to_string(),
        None => "KDC-CA.pem".to_owned(),
    };
    shell.line(format!(
        "private key: {}\ncertificate: {}\nnext: kinit -X X509_user_identity=FILE:{},{} -X X509_anchors=FILE:{} -X X509_anchors=FILE:{authority} {}",
        files.private_key.display(),
        files.certificate.display(),
        files.certificate.display(),
        files.private_key.display(),
        anchor.display(),
        change.owner.account_name,
    ))
}

/// The value as a domain controller writes it when Windows registers a key on the ground.
fn value(command: &Command, material: Vec<u8>) -> Result<Key, Failure> {
    let device = command.device_id.unwrap_or_else(|| {
        let mut random = [0; 16];
        OsEntropy.fill(&mut random);
        Guid::v4(random)
    });
    let draft = Draft::registered_in_ad(material, device, SystemClock.now());
    let blob = draft.to_blob().tell("the key does not fit a value")?;
    weakness(&blob.credential())?;
    let value = keycred::DnBinary::new(blob.encode(), "");
    Ok(Key::read(value.to_string().as_bytes()))
}

/// Refuses a key that an attacker can compute, such as one of a chip with the ROCA flaw.
fn weakness(key: &KeyCredential<'_>) -> Result<(), Failure> {
    let alarm = key
        .findings()
        .into_iter()
        .find(|finding| finding.severity == Severity::Alarm);
    match alarm {
        None => Ok(()),
        Some(alarm) => Err(Failure::new("the key is not enrolled")
            .why(alarm)
            .next("make a new key; without --public-key this command does")),
    }
}

fn names(command: &Command, owner: &Owner) -> Files {
    let prefix = match &command.out {
        Some(prefix) => prefix.clone(),
        None => {
            let is_plain = |c: &char| c.is_alphanumeric() || "._-".contains(*c);
            let name: String = owner.account_name.chars().filter(is_plain).collect();
            PathBuf::from(if name.is_empty() {
                "key".to_owned()
            } else {
                name
            })
        }
    };
    let named = |ending: &str| {
        let mut name = prefix.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    Files {
        private_key: named(".key.pem"),
        certificate: named(".pem"),
        issuer: command.issuer.then(|| named(".issuer.pem")),
    }
}

fn write(
    key: &KeyPair,
    files: &Files,
    change: &Change,
    has_issuer: bool,
) -> Result<Vec<NewFile>, Failure> {
    let realm = change
        .writer
        .domain_dn
        .parse::<types::Dn>()
        .map(|dn| dn.dns_domain().to_uppercase())
        .unwrap_or_default();
    let subject = Subject {
        account_name: &change.owner.account_name,
        user_principal_name: &change.owner.user_principal_name,
        realm: &realm,
    };
    let Certificates { own, issuer } =
        certificate::certify(key, subject, has_issuer, SystemClock.now(), &mut OsEntropy)?;
    let put = |path: &Path, text: &str| NewFile::write(path, text.as_bytes());
    let private = types::Secret::new(key.serialize_pem());
    let mut made = vec![
        put(&files.private_key, private.expose())?,
        put(&files.certificate, &own)?,
    ];
    if let (Some(path), Some(issuer)) = (&files.issuer, issuer) {
        made.push(put(path, &issuer)?);
    }
    Ok(made)
}
