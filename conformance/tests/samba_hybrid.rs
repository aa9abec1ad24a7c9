//! A computer account of a real domain controller: it writes its certificate into its own object as Samba's rules let it,
//! the sync reads it there with its delegated account and brings it to our cloud together with the facts of the Kerberos
//! server object, and the computer joins. Without its certificate it is a device no longer.
//!
//! Samba has a network of its own, so this program is started again inside.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cloud_api::ground::GroundPage;
use cloud_api::paths;
use conformance::samba::{BASE, CONNECTOR, HOST, PASSWORD, Samba};
use conformance::{Said, product};
use lab::ldap_client::LdapClient;
use lab::{House, Options, SystemClock};
use serde_json::{Value, json};

/// Where the second start finds what the first one prepared.
const PREPARED: &str = "TOMBOLO_SAMBA_PREPARED";
const TEST: &str = "a_computer_of_samba_joins_the_cloud";

#[test]
fn a_computer_of_samba_joins_the_cloud() {
    match std::env::var_os(PREPARED) {
        Some(folder) => inside(Path::new(&folder)),
        None => outside(),
    }
}

fn outside() {
    let samba = Samba::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::copy(samba.pki().join("authority.pem"), file("samba.pem")).unwrap();
    std::fs::write(file("password"), PASSWORD).unwrap();
    let password = format!("--newpassword={PASSWORD}");
    for words in [
        &["computer", "create", "WS01"][..],
        &["user", "setpassword", "WS01$", &password],
    ] {
        let words = [&["samba-tool"], words, &["-s", "/lab/dc/etc/smb.conf"]].concat();
        samba.run_with_input(&words, "").well();
    }
    let trust = |arguments: &[&str]| {
        let mut command = samba.beside(&product::tombolo());
        on_samba(&mut command, folder.path(), "administrator");
        Said::of(command.arg("trust").args(arguments), "")
    };
    let key = file("no.keytab").display().to_string();
    trust(&["create", "--apply", "--keytab", &key]).refused("samba-tool domain exportkeytab");
    std::fs::write(file("trust.json"), trust(&["show", "--json"]).text).unwrap();

    let mut again = samba.beside(&std::env::current_exe().unwrap());
    again
        .args(["--exact", TEST, "--nocapture"])
        .env(PREPARED, folder.path());
    let said = Said::of(&mut again, "").well();
    assert!(said.contains("1 passed"), "{said}");
}

fn on_samba(command: &mut Command, folder: &Path, who: &str) {
    command
        .env("TOMBOLO_DIRECTORY", format!("ldaps://{HOST}"))
        .env("TOMBOLO_BIND", format!("CORP\\{who}"))
        .env("TOMBOLO_PASSWORD_FILE", folder.join("password"))
        .env("TOMBOLO_CA_FILE", folder.join("samba.pem"));
}

/// The house, whose cloud is all that is used of it, in Samba's network.
struct Bench {
    house: House,
    folder: PathBuf,
}

impl Bench {
    fn tombolo(&self, who: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(product::tombolo());
        on_samba(&mut command, &self.folder, who);
        command
            .current_dir(&self.folder)
            .env("TOMBOLO_CLOUD", &self.house.addresses().cloud)
            .env("TOMBOLO_CLOUD_CA_FILE", "cloud.pem")
            .env("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin())
            .env("TOMBOLO_WORKSTATION_STATE", "workstation")
            .args(arguments);
        Said::of(&mut command, "")
    }

    fn join(&self) -> Said {
        self.tombolo("WS01$", &["device", "hybrid-join"])
    }

    fn sync(&self) -> String {
        self.tombolo(CONNECTOR, &["sync", "run", "--config", "sync.toml"])
            .well()
    }

    fn devices(&self) -> Vec<Value> {
        let cloud = self.house.cloud_as_administrator().unwrap();
        let list: Value = cloud.get(paths::DEVICES).unwrap();
        list["value"].as_array().unwrap().clone()
    }
}

fn inside(folder: &Path) {
    let house = House::start(Options::new(Arc::new(SystemClock))).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("cloud.pem", house.ca_pem());
    write("sync.token", house.sync_token().expose());
    let cloud = &house.addresses().cloud;
    write(
        "sync.toml",
        &format!(
            "[cloud]\nurl = \"{cloud}\"\ntoken_file = \"sync.token\"\nca_file = \"cloud.pem\"\n\
             [directory]\nurl = \"ldaps://{HOST}\"\nbind_dn = 'CORP\\{CONNECTOR}'\npassword_file = \"password\"\n\
             ca_file = \"samba.pem\"\n[state]\npath = \"sync.sqlite\"\n"
        ),
    );
    let bench = Bench {
        house,
        folder: folder.to_owned(),
    };

    // The Kerberos server object alone: the computer has no certificate yet.
    let said = bench.sync();
    assert!(said.contains("kerberosServer"), "{said}");
    let sync = bench.house.cloud_as_sync().unwrap();
    let ground: GroundPage = sync.get(paths::GROUND).unwrap();
    assert_eq!(ground.devices, Some(Vec::new()));
    let seen = &ground.kerberos_servers[0];
    let trust: Value =
        serde_json::from_slice(&std::fs::read(folder.join("trust.json")).unwrap()).unwrap();
    assert_eq!(seen.domain_dns_name, "corp.contoso.com");
    assert_eq!(
        json!(seen.server.number),
        trust["krbtgt"]["number"],
        "{trust}"
    );
    assert_eq!(
        json!(seen.server.krbtgt_name),
        trust["krbtgt"]["accountName"],
        "{trust}"
    );

    // The computer itself writes the certificate: Samba lets SELF do that.
    bench.join().refused("the sync has not brought it");
    let said = bench.sync();
    assert!(said.contains("CN=WS01,CN=Computers"), "{said}");
    let pending = bench.devices();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0]["trustType"], "ServerAd");
    assert_eq!(pending[0].get("registrationDateTime"), None, "{pending:?}");
    let said = bench.join().well();
    assert!(said.contains("joined as WS01"), "{said}");
    assert!(bench.devices()[0]["registrationDateTime"].is_string());
    // Nothing changed: nothing is written.
    let said = bench.sync();
    assert!(said.contains("nothing to do"), "{said}");

    // Without its certificate it is no device.
    let ca = std::fs::read_to_string(folder.join("samba.pem")).unwrap();
    let url = format!("ldaps://{HOST}");
    let mut ldap = LdapClient::bind(&url, &ca, "CORP\\administrator", PASSWORD).unwrap();
    ldap.clear(&format!("CN=WS01,CN=Computers,{BASE}"), "userCertificate")
        .unwrap();
    let said = bench.sync();
    assert!(said.contains("1 to delete there"), "{said}");
    assert_eq!(bench.devices(), Vec::<Value>::new());
    let receipts = bench
        .tombolo(CONNECTOR, &["sync", "receipts", "--config", "sync.toml"])
        .well();
    let of_devices = receipts.lines().filter(|line| line.contains("\"device\""));
    // Made and deleted, written and confirmed.
    assert_eq!(of_devices.count(), 4, "{receipts}");
}
