//! A Samba AD domain controller: its users, and one more value on one of them.

use std::path::Path;
use std::process::Command;

use conformance::samba::{ADDRESS, CONNECTOR, Samba};
use conformance::{Said, peers};
use keycred::DnBinary;

use super::side_by_side::{PASSWORD, REALM, USER};
use super::{Arguments, Failure, ours};
use crate::report::Row;

pub(crate) const NAME: &str = "Samba AD 4.24";

/// Measures it. It has a network of its own, so the load comes from this program started again in there.
pub(crate) fn measure(arguments: &Arguments, pki: &Path) -> Result<Vec<Row>, Failure> {
    let samba = Samba::start();
    let dn = Samba::dn(USER);
    let value = DnBinary::new(
        ours::value(&std::fs::read(pki.join("user.spki"))?),
        dn.clone(),
    );
    let ldif = format!(
        "dn: {dn}\nchangetype: modify\nreplace: msDS-KeyCredentialLink\nmsDS-KeyCredentialLink: {value}\n"
    );
    let said = samba.modify_as(CONNECTOR, &[], &ldif);
    if !said.good {
        return Err(said.text.into());
    }
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
            "--user",
            USER,
        ])
        .args([
            "--password",
            PASSWORD,
            "--service",
            "HOST/dc1.corp.contoso.com",
            "--pkinit",
        ])
        .args([pki.join("named.pem"), pki.join("user.key")])
        .args([
            "--threads",
            &arguments.threads.to_string(),
            "--seconds",
            &arguments.seconds.to_string(),
        ]);
    for pid in samba.processes() {
        command.args(["--server-pid", &pid.to_string()]);
    }
    let said = Said::of(&mut command, "");
    Row::list_of(&said.text, NAME).ok_or_else(|| said.text.into())
}
