//! `tombolo trust rotate`: a new key, while the one before still opens the tickets that are under way.

use super::names;
use super::server_object::ServerObject;
use super::steps::Change;
use super::work::{self, How, Keeping};
use crate::io::{Exit, Failure, Shell};

const HELP: &str = "\
The directory keeps the key before, so tickets that the cloud minted with it still work. A second
rotation ends them: it is refused while the cloud still mints with the older key.

Examples:
  tombolo trust rotate --cloud https://login.contoso.example:8443 --cloud-token-file admin.token
  tombolo trust rotate --apply --cloud ... --cloud-token-file ...
  tombolo trust rotate --apply --keytab krbtgt-2.keytab

Exit codes:
  0  the plan can be carried out, or was
  1  something is left to be done: the last lines say what
  3  not done: no such object, wrong password, refused, or something could not be reached";

/// Give the ticket granting account a new key, and the cloud too
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Command {
    /// Even if the cloud still mints with an older key, or with a lost one
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    keeping: Keeping,

    #[command(flatten)]
    how: How,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("asking the directory", None);
    let mut connection = command.how.directory.connect()?;
    let before = ServerObject::read(&mut connection)?;
    let cloud = command.how.cloud.connect(&command.how.directory)?;
    let krbtgt = before
        .krbtgt
        .as_ref()
        .filter(|found| found.number.is_some());
    let Some(krbtgt) = krbtgt else {
        return Err(Failure::new("there is no key to rotate")
            .why(format!(
                "{} has no {}",
                before.domain.dns_name,
                names::KRBTGT
            ))
            .next("make the trust first: tombolo trust create"));
    };
    let published = match &cloud {
        Some(cloud) => cloud.published(&before.domain.dns_name)?,
        None => None,
    };
    let minting =
        published.and_then(|published| published.versions.first().map(|newest| newest.version));
    if let (Some(minting), Some(version), false) = (minting, krbtgt.version, command.force)
        && minting != version
    {
        return Err(Failure::new("the key was not rotated")
            .why(format!("the cloud still mints with version {minting}, and the directory is at {version}: a further rotation would end all its tickets"))
            .next("publish the present key first (tombolo trust publish --keytab FILE), or give --force"));
    }
    let kdc = command.keeping.kdc.address(&connection);
    let steps = work::key_steps(krbtgt.dn.clone(), &command.keeping, cloud.as_ref(), kdc);
    let writer = work::writer(&mut connection)?;
    let mut change = Change::new("rotate", before, writer, steps);
    if command.how.apply {
        work::check_kept(&command.keeping, cloud.as_ref())?;
        change.applied = true;
        progress.label("making a new key");
        work::renew_key(&mut connection, &mut change, cloud.as_ref())?;
    }
    drop(progress);
    work::told(&change, command.how.json, shell)
}
