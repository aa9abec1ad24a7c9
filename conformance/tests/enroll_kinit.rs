//! A key that `tombolo keys enroll` wrote signs its user in: MIT's kinit against our KDC and against Samba's, with the
//! files that the command left; and no longer, once `tombolo keys revoke` has taken it away.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use conformance::samba::{CONNECTOR, HOST, PASSWORD, Samba};
use conformance::{Said, product};
use lab::people::CONNECTOR as LAB_CONNECTOR;
use lab::{House, Options, SystemClock};

/// Where the command finds the directory, and the folder for its files.
fn at(command: &mut Command, url: &str, bind: &str, password: &str, ca: &Path, folder: &Path) {
    std::fs::write(folder.join("password"), password).unwrap();
    command
        .env("TOMBOLO_DIRECTORY", url)
        .env("TOMBOLO_BIND", bind)
        .env("TOMBOLO_PASSWORD_FILE", folder.join("password"))
        .env("TOMBOLO_CA_FILE", ca);
}

fn write_options(folder: &Path) -> Vec<String> {
    let receipts = folder.join("receipts.jsonl").display().to_string();
    vec!["--apply".to_owned(), "--receipts".to_owned(), receipts]
}

fn kinit(mut command: Command, folder: &Path, anchor: &str, authority: &Path, user: &str) -> Said {
    let file = |name: &str| folder.join(name).display().to_string();
    let identity = format!(
        "X509_user_identity=FILE:{},{}",
        file("user.pem"),
        file("user.key.pem")
    );
    command
        .args(["-X", &identity])
        .args(["-X", &format!("X509_anchors=FILE:{}", file(anchor))])
        .args(["-X", &format!("X509_anchors=FILE:{}", authority.display())])
        .arg(user);
    Said::of(&mut command, "")
}

#[test]
fn at_our_own_kdc() {
    let house = House::start(Options::new(Arc::new(SystemClock))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, house.ca_pem()).unwrap();
    let writer = house.account(LAB_CONNECTOR).unwrap();
    let keys = |arguments: &[&str]| {
        let mut command = Command::new(product::tombolo());
        let url = &house.addresses().ldaps;
        at(
            &mut command,
            url,
            &writer.dn,
            writer.password.expose(),
            &ca,
            folder,
        );
        command
            .arg("keys")
            .args(arguments)
            .args(write_options(folder));
        Said::of(&mut command, "").well()
    };
    let signs_in = |anchor: &str, user: &str| {
        let mut command = Command::new(conformance::peers::program("kinit"));
        command
            .env("KRB5_CONFIG", house.krb5_conf())
            .env(
                "KRB5CCNAME",
                format!("FILE:{}", folder.join("cache").display()),
            )
            .env("LC_ALL", "C");
        kinit(command, folder, anchor, &ca, user)
    };
    let prefix = folder.join("user").display().to_string();
    for (options, anchor) in [
        (&[][..], "user.pem"),
        (&["--issuer"][..], "user.issuer.pem"),
    ] {
        let enroll = ["enroll", "--ngc", "testuser", "--out", &prefix];
        keys(&[&enroll[..], options].concat());
        signs_in(anchor, "testuser").well();
        // The key belongs to one user.
        signs_in(anchor, "grace").refused("");
        keys(&["revoke", "testuser", "--all"]);
        signs_in(anchor, "testuser").refused("");
        for name in ["user.key.pem", "user.pem"] {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
    }
}

#[test]
fn at_samba() {
    let samba = Samba::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ca = samba.pki().join("authority.pem");
    let url = format!("ldaps://{HOST}");
    let tombolo = product::tombolo();
    let keys = |bind: &str, arguments: &[&str]| {
        let mut command = samba.beside(&tombolo);
        at(&mut command, &url, bind, PASSWORD, &ca, folder);
        command
            .arg("keys")
            .args(arguments)
            .args(write_options(folder));
        Said::of(&mut command, "")
    };
    let signs_in = |anchor: &str, user: &str| {
        let command = samba.beside(&conformance::peers::program("kinit"));
        kinit(command, folder, anchor, &ca, user)
    };
    let prefix = folder.join("user").display().to_string();
    let enroll = ["enroll", "--ngc", "alice", "--issuer", "--out", &prefix];
    let connector = format!("CORP\\{CONNECTOR}");
    // Whoever has no right is told before anything is tried.
    keys("CORP\\dave", &enroll).refused("may NOT change these keys");
    assert!(!folder.join("user.key.pem").exists());
    let said = keys(&connector, &enroll).well();
    assert!(said.contains("read back from the directory"), "{said}");
    signs_in("user.issuer.pem", "alice").well();
    signs_in("user.issuer.pem", "bob").refused("");
    // Samba's own tool counts the value. It prints none that names a device: 4.24 ends with a TypeError there.
    let database = "/lab/dc/private/sam.ldb";
    let seen = samba.run([
        "samba-tool",
        "user",
        "keytrust",
        "view",
        "alice",
        "-H",
        database,
    ]);
    let counted = "alice has 1 key credential link";
    assert!(seen.text.contains(counted), "{}", seen.text);
    keys(&connector, &["revoke", "alice", "--all"]).well();
    signs_in("user.issuer.pem", "alice").refused("");
    // Both writes have their receipts, written and confirmed.
    let receipts = std::fs::read_to_string(folder.join("receipts.jsonl")).unwrap();
    assert_eq!(receipts.lines().count(), 4, "{receipts}");
}
