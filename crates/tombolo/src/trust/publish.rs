//! `tombolo trust publish`: gives the cloud a key that a domain controller wrote to a keytab.

use std::path::PathBuf;

use super::key::ServerKey;
use super::server_object::ServerObject;
use super::steps::{Change, Step};
use super::work::{self, How, Kdc};
use crate::io::{Exit, Failure, Shell};

const HELP: &str = "\
For directories that make the key themselves. The KDC is asked whether the key is its present one before
the cloud gets it.

Examples:
  samba-tool domain exportkeytab krbtgt.keytab --principal=krbtgt_12345     on the domain controller
  tombolo trust publish --keytab krbtgt.keytab --cloud https://login.contoso.example:8443 \\
      --cloud-token-file admin.token --apply

Exit codes:
  0  the plan can be carried out, or was
  1  the KDC does not have this key, or does not answer
  3  not done: no such key in the file, wrong password, refused, or something could not be reached";

/// Give the cloud the key out of a keytab
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Command {
    /// The keytab that the domain controller wrote
    #[arg(long, value_name = "FILE")]
    keytab: PathBuf,

    #[command(flatten)]
    kdc: Kdc,

    #[command(flatten)]
    how: How,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("asking the directory", None);
    let mut connection = command.how.directory.connect()?;
    let object = ServerObject::read(&mut connection)?;
    let cloud = command.how.cloud.connect(&command.how.directory)?;
    let Some(cloud) = cloud else {
        return Err(Failure::new("it is not said where the key goes")
            .next("give --cloud URL --cloud-token-file FILE"));
    };
    if object.facts().is_none() {
        return Err(Failure::new("the Kerberos server object is not complete")
            .next("look with `tombolo trust show`, and mend it with `tombolo trust create`"));
    }
    let key = ServerKey::of_keytab(&command.keytab, &object)?;
    let steps = vec![
        Step::Probe {
            kdc: command.kdc.address(&connection),
        },
        Step::Publish {
            cloud: cloud.url.clone(),
        },
    ];
    let writer = work::writer(&mut connection)?;
    let mut change = Change::new("publish", object.clone(), writer, steps);
    if command.how.apply {
        change.applied = true;
        progress.label("making the key known");
        work::pass_on(&mut change, &object, &key, Some(&cloud))?;
    }
    drop(progress);
    work::told(&change, command.how.json, shell)
}
