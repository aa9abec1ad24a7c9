//! A Samba AD domain controller with a Kerberos server object of the kind that `tombolo trust create` makes.

use std::path::PathBuf;
use std::process::Command;

use conformance::samba::{ADDRESS, BASE, PASSWORD, REALM, Samba};
use conformance::{Said, peers};
use data_encoding::BASE64;
use directory::provision::accounts::unicode_password;

use super::Arguments;
use crate::Failure;
use crate::report::Row;

pub(crate) const NAME: &str = crate::kdc::samba::NAME;
const USER: &str = "alice";
const KRBTGT: &str = "CN=krbtgt_AzureAD,CN=Users";

/// Measures it. It has a network of its own, so the load comes from this program started again in there.
pub(crate) fn measure(arguments: &Arguments) -> Result<Vec<Row>, Failure> {
    let samba = Samba::start();
    create(&samba)?;
    let keytab = exported(&samba)?;
    let sid = value(&samba, &Samba::dn(USER), "objectSid")?;
    let wires: Vec<&str> = arguments.wire.iter().map(|wire| wire.argument()).collect();
    let mut command = Command::new(peers::program("nsenter"));
    command
        .args(["--target", &samba.holder().to_string(), "--net", "--"])
        .arg(std::env::current_exe()?)
        .args([
            "kdc",
            "--json",
            "--kdc",
            &format!("{ADDRESS}:88"),
            "--realm",
            REALM,
        ])
        .args(["--user", USER, "--sid", &sid, "--partial"])
        .arg(&keytab)
        .args(["--wire", &wires.join(",")])
        .args(["--threads", &arguments.threads.to_string()])
        .args(["--seconds", &arguments.seconds.to_string()]);
    for pid in samba.processes() {
        command.args(["--server-pid", &pid.to_string()]);
    }
    let said = Said::of(&mut command, "");
    Row::list_of(&said.text, NAME).ok_or_else(|| said.text.into())
}

/// LDAP_SERVER_RODC_DCPROMO_OID (MS-ADTS 3.1.1.3.4.1.23): the directory chooses number and account name.
const PROMOTION: &str = "!1.2.840.113556.1.4.1341";

/// The account, the computer, its lists, a key that Samba makes itself, and somebody who may.
fn create(samba: &Samba) -> Result<(), Failure> {
    let account = format!(
        "dn: {KRBTGT},{BASE}\nchangetype: add\nobjectClass: user\nuserAccountControl: 514\n\n"
    );
    good(samba.modify_as("administrator", &["-e", PROMOTION], &account))?;
    let password = BASE64.encode(&unicode_password(PASSWORD));
    let computer = format!("CN=AzureADKerberos,OU=Domain Controllers,{BASE}");
    let group = |name: &str| format!("CN={name} RODC Password Replication Group,CN=Users,{BASE}");
    let (allowed, denied, user) = (group("Allowed"), group("Denied"), Samba::dn(USER));
    let rest = format!(
        "dn: {computer}\nchangetype: add\nobjectClass: computer\nsAMAccountName: AzureADKerberos$\n\
         userAccountControl: 83890176\n\n\
         dn: {computer}\nchangetype: modify\nreplace: msDS-KrbTgtLink\nmsDS-KrbTgtLink: {KRBTGT},{BASE}\n-\n\
         replace: msDS-RevealOnDemandGroup\nmsDS-RevealOnDemandGroup: {allowed}\n-\n\
         replace: msDS-NeverRevealGroup\nmsDS-NeverRevealGroup: {denied}\n\n\
         dn: {KRBTGT},{BASE}\nchangetype: modify\nreplace: unicodePwd\nunicodePwd:: {password}\n\n\
         dn: {allowed}\nchangetype: modify\nadd: member\nmember: {user}\n\n"
    );
    good(samba.modify(&rest)).map(drop)
}

fn exported(samba: &Samba) -> Result<PathBuf, Failure> {
    let account = value(samba, &format!("{KRBTGT},{BASE}"), "sAMAccountName")?;
    let principal = format!("--principal={account}");
    let words = ["samba-tool", "domain", "exportkeytab", "/lab/krbtgt.keytab"];
    let words = [&words[..], &[&principal, "-s", "/lab/dc/etc/smb.conf"]].concat();
    good(samba.run_with_input(&words, ""))?;
    Ok(samba.path("krbtgt.keytab"))
}

fn value(samba: &Samba, dn: &str, attribute: &str) -> Result<String, Failure> {
    let words = ["ldbsearch", "-H", "/lab/dc/private/sam.ldb", "-b", dn];
    let words = [&words[..], &["-s", "base", attribute]].concat();
    let found = good(samba.run_with_input(&words, ""))?;
    let prefix = format!("{attribute}: ");
    let line = found.lines().find_map(|line| line.strip_prefix(&prefix));
    Ok(line
        .ok_or_else(|| format!("{dn} has no {attribute}"))?
        .to_owned())
}

fn good(said: Said) -> Result<String, Failure> {
    match said.good {
        true => Ok(said.text),
        false => Err(said.text.into()),
    }
}
