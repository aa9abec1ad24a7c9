//! `tombolo trust remove`: ends the trust, in the directory and in the cloud.

use super::server_object::ServerObject;
use super::steps::{Change, Step};
use super::work::{self, How};
use crate::io::{Exit, Failure, Shell, refused};

const HELP: &str = "\
From then on no ticket of the cloud is worth anything in the domain. Keys of users stay where they are.

Examples:
  tombolo trust remove --cloud https://login.contoso.example:8443 --cloud-token-file admin.token
  tombolo trust remove --apply --cloud ... --cloud-token-file ...

Exit codes:
  0  the plan can be carried out, or was; or there is nothing
  3  not done: wrong password, refused, or something could not be reached";

/// End the trust: delete the object, and have the cloud forget the key
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Command {
    #[command(flatten)]
    how: How,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("asking the directory", None);
    let mut connection = command.how.directory.connect()?;
    let before = ServerObject::read(&mut connection)?;
    let cloud = command.how.cloud.connect(&command.how.directory)?;
    // The computer first: with it goes the permission to use the key.
    let computer = before.computer.as_ref().map(|computer| computer.dn.clone());
    let krbtgt = before.krbtgt.as_ref().map(|krbtgt| krbtgt.dn.clone());
    let mut steps: Vec<Step> = [computer, krbtgt]
        .into_iter()
        .flatten()
        .map(|dn| Step::Delete { dn })
        .collect();
    if let Some(cloud) = &cloud
        && cloud.published(&before.domain.dns_name)?.is_some()
    {
        steps.push(Step::Withdraw {
            cloud: cloud.url.clone(),
            domain: before.domain.dns_name.clone(),
        });
    }
    let writer = work::writer(&mut connection)?;
    let mut change = Change::new("remove", before, writer, steps);
    if cloud.is_none() {
        let told =
            "no cloud is named: one that has the key keeps it, and it opens nothing any more";
        change.next.push(told.to_owned());
    }
    change.applied = command.how.apply && !change.is_empty();
    if change.applied {
        for step in change.open() {
            progress.label(step.to_string());
            match (&step, &cloud) {
                (Step::Delete { dn }, _) => {
                    let right = "the right to delete it: be a member of Domain Admins";
                    connection
                        .delete(dn)
                        .map_err(refused(format!("{dn} was not deleted"), right))?;
                }
                (Step::Withdraw { domain, .. }, Some(cloud)) => {
                    cloud.withdraw(domain)?;
                }
                _ => continue,
            }
            change.did(&step);
        }
    }
    drop(progress);
    work::told(&change, command.how.json, shell)
}
