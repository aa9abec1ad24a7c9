//! What create, rotate and publish share: the options, and the way of a key from the directory to the cloud.

use std::path::PathBuf;

use sync::ldap::{Connection, Modification};
use types::Secret;

use super::cloud::{Cloud, CloudArgs};
use super::key::{self, ServerKey};
use super::probe::{Verdict, probe};
use super::server_object::ServerObject;
use super::steps::{Change, Step};
use crate::io::{DirectoryArgs, Exit, Failure, NewFile, Shell, refused, unreachable};

/// How a change is carried out.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Carry the plan out; without it nothing is written anywhere
    #[arg(long)]
    pub(super) apply: bool,

    /// Print JSON, format tombolo-trust-change/1
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) directory: DirectoryArgs,

    #[command(flatten)]
    pub(super) cloud: CloudArgs,
}

/// Where a new key goes, and where the KDC is that is asked about it.
#[derive(Debug, clap::Args)]
pub(super) struct Keeping {
    /// Write the key to this keytab, for a cloud that is out of reach; it is never written over another file
    #[arg(long, value_name = "FILE")]
    pub(super) keytab: Option<PathBuf>,

    #[command(flatten)]
    pub(super) kdc: Kdc,
}

/// The KDC that is asked whether it has a key.
#[derive(Debug, clap::Args)]
pub(super) struct Kdc {
    /// The KDC that is asked whether it has the key; the directory's host and port 88 without it
    #[arg(long, value_name = "HOST:PORT", env = "TOMBOLO_KDC")]
    kdc: Option<String>,
}

impl Kdc {
    /// Its host and port.
    pub(super) fn address(&self, connection: &Connection) -> String {
        let with_port = |host: &str| match host.rsplit_once(':') {
            Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
            _ => format!("{host}:88"),
        };
        if let Some(kdc) = &self.kdc {
            return with_port(kdc);
        }
        let url = connection.url();
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        format!("{host}:88")
    }
}

/// Who writes, for plans.
pub(super) fn writer(connection: &mut Connection) -> Result<String, Failure> {
    let account = connection
        .account()
        .map_err(unreachable("the directory does not say who we are"))?;
    Ok(account.name)
}

/// The steps by which a new key is made known.
pub(super) fn key_steps(
    krbtgt_dn: String,
    keeping: &Keeping,
    cloud: Option<&Cloud>,
    kdc: String,
) -> Vec<Step> {
    let mut steps = vec![Step::RenewKey { dn: krbtgt_dn }, Step::Probe { kdc }];
    let path = keeping.keytab.clone();
    steps.extend(path.map(|path| Step::WriteKeytab { path }));
    let url = cloud.map(|cloud| cloud.url.clone());
    steps.extend(url.map(|cloud| Step::Publish { cloud }));
    steps
}

/// A new key that nobody keeps would be lost.
pub(super) fn check_kept(keeping: &Keeping, cloud: Option<&Cloud>) -> Result<(), Failure> {
    if keeping.keytab.is_some() || cloud.is_some() {
        return Ok(());
    }
    Err(Failure::new("it is not said where the new key goes")
        .why("neither a cloud nor a keytab is named")
        .next("give --cloud URL --cloud-token-file FILE, or --keytab FILE"))
}

/// Carries the steps of [`key_steps`] out, as far as they go. The new key is passed on only once the KDC has it.
pub(super) fn renew_key(
    connection: &mut Connection,
    change: &mut Change,
    cloud: Option<&Cloud>,
) -> Result<(), Failure> {
    let renewed = change
        .open()
        .into_iter()
        .find(|step| matches!(step, Step::RenewKey { .. }));
    let Some(step @ Step::RenewKey { dn }) = &renewed else {
        return Ok(());
    };
    let password = key::password();
    set_password(connection, dn, &password)?;
    change.did(step);
    let object = ServerObject::read(connection)?;
    if let Some(krbtgt) = &object.krbtgt {
        change.learn(krbtgt);
    }
    let key = ServerKey::of_password(&object, &password)?;
    pass_on(change, &object, &key, cloud)
}

/// The steps after a key is there: ask the KDC, write it, give it to the cloud.
pub(super) fn pass_on(
    change: &mut Change,
    object: &ServerObject,
    key: &ServerKey,
    cloud: Option<&Cloud>,
) -> Result<(), Failure> {
    let computer = object.computer.as_ref();
    let account = computer.map_or("", |computer| computer.account_name.as_str());
    for step in change.open() {
        let verdict = change.verdict.clone();
        match (&step, verdict) {
            (Step::Probe { kdc }, _) => {
                let verdict = probe(kdc, &object.domain.realm, account, key);
                change.next.extend(advice(&verdict, object));
                let is_clear = !matches!(verdict, Verdict::Unclear(_));
                change.verdict = Some(verdict);
                if !is_clear {
                    continue;
                }
            }
            // A key whose place in the KDC is not clear is kept, so that it is not lost, and given to nobody.
            (Step::WriteKeytab { path }, Some(Verdict::Right | Verdict::Unclear(_))) => {
                let keytab = key.to_keytab(object)?;
                drop(NewFile::write(path, keytab.expose())?.keep());
            }
            (Step::Publish { .. }, Some(Verdict::Right)) => {
                let (Some(cloud), Some(facts)) = (cloud, object.facts()) else {
                    continue;
                };
                cloud.publish(&facts, key)?;
            }
            _ => continue,
        }
        change.did(&step);
    }
    Ok(())
}

fn advice(verdict: &Verdict, object: &ServerObject) -> Option<String> {
    match (verdict, &object.krbtgt) {
        (Verdict::Wrong | Verdict::Unknown, Some(krbtgt)) => Some(format!(
            "the domain controller made a key of its own; {}",
            key::export_line(krbtgt)
        )),
        (Verdict::Unclear(_), _) => Some(
            "name the KDC with --kdc HOST:PORT: without its word the cloud is not given the key"
                .to_owned(),
        ),
        _ => None,
    }
}

fn set_password(
    connection: &mut Connection,
    dn: &str,
    password: &Secret<String>,
) -> Result<(), Failure> {
    let value = key::quoted(password);
    let change = Modification::Replace("unicodePwd".to_owned(), vec![value]);
    let what = format!("{dn} got no new key");
    let right = "the right to reset this password: be a member of Domain Admins";
    connection
        .change(dn, vec![change])
        .map_err(refused(what, right))
}

/// Prints the change and says how it ended.
pub(super) fn told(change: &Change, json: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    match json {
        true => shell.json(change)?,
        false => change.tell(shell)?,
    }
    Ok(match change.is_well() {
        true => Exit::Good,
        false => Exit::Look,
    })
}
