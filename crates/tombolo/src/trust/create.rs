//! `tombolo trust create`: makes the Kerberos server object, or what is missing of it.

use sync::connector::Value;
use sync::ldap::{Connection, Control, Modification, ldap_escape};
use types::{Dn, Sid};

use super::findings::is_same;
use super::names::{self, ALLOWED, DENIED, LINK};
use super::privileged::dn_of;
use super::server_object::{Computer, Domain, ServerObject, search};
use super::steps::{Change, Step};
use super::work::{self, How, Keeping};
use crate::io::{Exit, Failure, Shell, refused, unreachable};

const HELP: &str = "\
Makes the computer AzureADKerberos with its ticket granting account, as a read-only domain controller
has one, and gives the account's key to the cloud. What is there already and right stays as it is; the
rest is mended. Without --apply nothing is written anywhere.

Directories that keep the chosen key (Tombolo's) are done with that. Samba and Windows make a key of
their own: the command says so, and how the key gets from there to `tombolo trust publish`.

Examples:
  export TOMBOLO_DIRECTORY=ldaps://dc1.corp.contoso.com TOMBOLO_BIND=admin@corp.contoso.com
  export TOMBOLO_PASSWORD_FILE=admin.password TOMBOLO_CA_FILE=ca.pem
  tombolo trust create --cloud https://login.contoso.example:8443 --cloud-token-file admin.token
  tombolo trust create --allow 'Domain Users' --apply --cloud ... --cloud-token-file ...
  tombolo trust create --apply --keytab krbtgt.keytab         no cloud yet: keep the key in a file

Exit codes:
  0  the plan can be carried out, or was
  1  rights are missing, or something is left to be done: the last lines say what
  3  not done: wrong password, no such group, refused, or something could not be reached";

/// Make the Kerberos server object, or what is missing of it
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Command {
    /// Who may use the trust: a group by name, distinguished name or SID (repeatable); Allowed RODC Password
    /// Replication Group without it
    #[arg(long, value_name = "GROUP")]
    allow: Vec<String>,

    /// Who may not, whatever else is said (repeatable); Denied RODC Password Replication Group, Administrators and the
    /// three groups of operators without it
    #[arg(long, value_name = "GROUP")]
    deny: Vec<String>,

    #[command(flatten)]
    keeping: Keeping,

    #[command(flatten)]
    how: How,
}

/// The lists that the object is to have.
struct Lists {
    allowed: Vec<String>,
    denied: Vec<String>,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("asking the directory", None);
    let mut connection = command.how.directory.connect()?;
    let before = ServerObject::read(&mut connection)?;
    let cloud = command.how.cloud.connect(&command.how.directory)?;
    let lists = lists(command, &mut connection, &before.domain)?;
    let mut steps = plan(&before, &lists, command);
    let makes_key = before
        .krbtgt
        .as_ref()
        .is_none_or(|krbtgt| krbtgt.key_set.is_none());
    if makes_key {
        let dn = names::krbtgt_dn(&before.domain.dn).to_string();
        let kdc = command.keeping.kdc.address(&connection);
        steps.extend(work::key_steps(dn, &command.keeping, cloud.as_ref(), kdc));
    }
    let writer = work::writer(&mut connection)?;
    let mut change = Change::new("create", before.clone(), writer, steps);
    change.lacks = lacks(&mut connection, &before, &change.open())?;
    if !makes_key && cloud.is_some() {
        let told = "the account has a key already: give it to the cloud with `tombolo trust publish`, or make a new one with `tombolo trust rotate`";
        change.next.push(told.to_owned());
    }
    if command.how.apply && change.lacks.is_empty() && !change.is_empty() {
        if makes_key {
            work::check_kept(&command.keeping, cloud.as_ref())?;
        }
        change.applied = true;
        for step in change.open() {
            progress.label(step.to_string());
            if carry_out(&mut connection, &step)? {
                change.did(&step);
            }
        }
        progress.label("making the key known");
        work::renew_key(&mut connection, &mut change, cloud.as_ref())?;
    }
    drop(progress);
    work::told(&change, command.how.json, shell)
}

/// What is missing or wrong of the two objects. The account comes first: the computer names it.
fn plan(before: &ServerObject, lists: &Lists, command: &Command) -> Vec<Step> {
    let computer_dn = names::computer_dn(&before.domain.dn).to_string();
    let krbtgt_dn = names::krbtgt_dn(&before.domain.dn).to_string();
    let mut steps = Vec::new();
    if before.krbtgt.is_none() {
        steps.push(Step::MakeKrbtgt {
            dn: krbtgt_dn.clone(),
        });
    }
    let computer = before.computer.as_ref();
    if computer.is_none() {
        steps.push(Step::MakeComputer {
            dn: computer_dn.clone(),
        });
    }
    let mut write = |attribute: &'static str, values: Vec<String>| {
        steps.push(Step::Write {
            dn: computer_dn.clone(),
            attribute,
            values,
        });
    };
    let control = computer.map(|computer| computer.account_control);
    if control.is_some_and(|control| {
        control & names::PARTIAL_SECRETS == 0 || control & names::DISABLED != 0
    }) {
        write(
            "userAccountControl",
            vec![names::READ_ONLY_CONTROLLER.to_string()],
        );
    }
    let link = computer.and_then(|computer| computer.link.as_deref());
    if link.is_none_or(|link| !is_same(link, &krbtgt_dn)) {
        write(LINK, vec![krbtgt_dn]);
    }
    let is_due = |now: &dyn Fn(&Computer) -> &[String], wanted: &[String], asked: bool| {
        let now = computer.map_or(&[][..], now);
        match asked {
            true => !is_same_list(now, wanted),
            false => now.is_empty(),
        }
    };
    let asked = (!command.allow.is_empty(), !command.deny.is_empty());
    if is_due(&|computer| &computer.allowed, &lists.allowed, asked.0) {
        write(ALLOWED, lists.allowed.clone());
    }
    if is_due(&|computer| &computer.denied, &lists.denied, asked.1) {
        write(DENIED, lists.denied.clone());
    }
    steps
}

fn is_same_list(one: &[String], other: &[String]) -> bool {
    let is_in = |dn: &String, list: &[String]| list.iter().any(|item| is_same(item, dn));
    one.len() == other.len() && one.iter().all(|dn| is_in(dn, other))
}

/// Carries out a step at the two objects; `false` for steps of another kind.
fn carry_out(connection: &mut Connection, step: &Step) -> Result<bool, Failure> {
    let text = |value: &str| vec![value.as_bytes().to_vec()];
    let right =
        |class: &str| format!("the right to make a {class} there: be a member of Domain Admins");
    match step {
        Step::MakeKrbtgt { dn } => {
            let attributes: Vec<(&str, Vec<Value>)> = vec![
                ("objectClass", text("user")),
                (
                    "userAccountControl",
                    text(&names::DISABLED_USER.to_string()),
                ),
                ("showInAdvancedViewOnly", text("TRUE")),
            ];
            let promotion = Control {
                oid: names::PROMOTION_CONTROL,
                critical: true,
            };
            connection
                .add(dn, attributes, &[promotion])
                .map_err(refused(format!("{dn} was not made"), right("user")))?;
        }
        Step::MakeComputer { dn } => {
            let account = format!("{}$", names::COMPUTER);
            let control = names::READ_ONLY_CONTROLLER.to_string();
            let attributes: Vec<(&str, Vec<Value>)> = vec![
                ("objectClass", text("computer")),
                ("sAMAccountName", text(&account)),
                ("userAccountControl", text(&control)),
            ];
            connection
                .add(dn, attributes, &[])
                .map_err(refused(format!("{dn} was not made"), right("computer")))?;
        }
        Step::Write {
            dn,
            attribute,
            values,
        } => {
            let values = values.iter().map(|value| value.as_bytes().to_vec());
            let change = Modification::Replace((*attribute).to_owned(), values.collect());
            let what = format!("{attribute} of {dn} was not written");
            let right = format!("the right to write {attribute}: be a member of Domain Admins");
            connection
                .change(dn, vec![change])
                .map_err(refused(what, right))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Rights that the directory says are missing, asked without a write.
fn lacks(
    connection: &mut Connection,
    before: &ServerObject,
    steps: &[Step],
) -> Result<Vec<String>, Failure> {
    let mut lacks = Vec::new();
    for step in steps {
        let (dn, class) = match step {
            Step::MakeKrbtgt { dn } => (dn, "user"),
            Step::MakeComputer { dn } => (dn, "computer"),
            _ => continue,
        };
        let parent = dn.parse::<Dn>().ok().and_then(|dn| dn.parent());
        let Some(parent) = parent.map(|parent| parent.to_string()) else {
            continue;
        };
        let what = format!("the rights on {parent} cannot be read");
        let wanted = ["allowedChildClassesEffective", "objectGUID"];
        let found = connection
            .object(&parent, &wanted)
            .map_err(unreachable(what))?;
        let Some(found) = found else {
            lacks.push(format!("{parent} is not there, or may not be seen"));
            continue;
        };
        let is_allowed = found
            .values("allowedChildClassesEffective")
            .iter()
            .any(|name| name.eq_ignore_ascii_case(class.as_bytes()));
        if !is_allowed {
            lacks.push(format!("the right to make a {class} in {parent}"));
        }
    }
    let makes_krbtgt = steps
        .iter()
        .any(|step| matches!(step, Step::MakeKrbtgt { .. }));
    if makes_krbtgt && !before.domain.makes_krbtgt {
        lacks.push(format!(
            "the directory makes no numbered ticket granting accounts (it does not offer control {})",
            names::PROMOTION_CONTROL
        ));
    }
    Ok(lacks)
}

fn lists(
    command: &Command,
    connection: &mut Connection,
    domain: &Domain,
) -> Result<Lists, Failure> {
    let allowed = match command.allow.as_slice() {
        [] => named_by_sid(connection, [domain.sid.with_rid(names::ALLOWED_GROUP)])?,
        given => groups(connection, domain, given)?,
    };
    let denied = match command.deny.as_slice() {
        [] => {
            let builtin = names::DENIED_BUILTIN.map(Sid::builtin);
            let own = domain.sid.with_rid(names::DENIED_GROUP);
            named_by_sid(connection, std::iter::once(own).chain(builtin))?
        }
        given => groups(connection, domain, given)?,
    };
    if allowed.is_empty() {
        return Err(Failure::new("it is not said who may use the trust")
            .why("the domain has no Allowed RODC Password Replication Group")
            .next("give --allow GROUP"));
    }
    Ok(Lists { allowed, denied })
}

fn named_by_sid(
    connection: &mut Connection,
    sids: impl IntoIterator<Item = Sid>,
) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for sid in sids {
        found.extend(dn_of(connection, &sid)?);
    }
    Ok(found)
}

fn groups(
    connection: &mut Connection,
    domain: &Domain,
    names: &[String],
) -> Result<Vec<String>, Failure> {
    names
        .iter()
        .map(|name| group(connection, domain, name))
        .collect()
}

fn group(connection: &mut Connection, domain: &Domain, name: &str) -> Result<String, Failure> {
    let none = || {
        Failure::new(format!("there is no group {name}"))
            .next("give a group's account name, distinguished name or SID")
    };
    if let Ok(sid) = name.parse::<Sid>() {
        return dn_of(connection, &sid)?.ok_or_else(none);
    }
    if name.parse::<Dn>().is_ok_and(|dn| !dn.is_root()) {
        let found = connection
            .object(name, &["cn"])
            .map_err(unreachable(format!("{name} cannot be looked up")))?;
        return found.map(|entry| entry.dn).ok_or_else(none);
    }
    let filter = format!("(sAMAccountName={})", ldap_escape(name));
    let found = search(connection, &domain.dn.to_string(), &filter, &["cn"])?;
    found
        .into_iter()
        .next()
        .map(|entry| entry.dn)
        .ok_or_else(none)
}
