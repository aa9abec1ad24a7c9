//! Cloud Kerberos Trust at a domain controller that knows nothing of Tombolo: a security key signs in to our cloud, and
//! Samba AD exchanges the cloud's ticket. `smbclient` reads a file with the result. Whom the trust's lists do not
//! allow, Samba refuses; and the synced entry plays no part.
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

use cloud_api::access::{NewTemporaryAccessPass, TemporaryAccessPass};
use cloud_api::paths;
use cloud_api::users::{SyncUser, User, source_anchor};
use conformance::samba::{BASE, CONNECTOR, HOST, PASSWORD, REALM, Samba};
use conformance::{Said, peers, product};
use lab::ldap_client::LdapClient;
use lab::registration::register_key;
use lab::wire::{Line, Mode};
use lab::{House, Options, SystemClock};
use serde_json::{Value, json};
use types::{Guid, Sid};

/// Where the second start finds what the first one prepared.
const PREPARED: &str = "TOMBOLO_SAMBA_PREPARED";
const TEST: &str = "a_passkey_reads_a_file_of_samba";
const KEYS: &str = "msDS-KeyCredentialLink";

#[test]
fn a_passkey_reads_a_file_of_samba() {
    match std::env::var_os(PREPARED) {
        Some(folder) => inside(Path::new(&folder)),
        None => outside(),
    }
}

/// The ground: the Kerberos server object in Samba, made by `tombolo trust create`, and its key, which Samba makes itself.
fn outside() {
    let samba = Samba::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::copy(samba.pki().join("authority.pem"), file("samba.pem")).unwrap();
    std::fs::write(file("password"), PASSWORD).unwrap();
    let trust = |arguments: &[&str]| {
        let mut command = samba.beside(&product::tombolo());
        on_samba(&mut command, folder.path());
        Said::of(command.arg("trust").args(arguments), "")
    };
    let key = file("no.keytab").display().to_string();
    trust(&["create", "--apply", "--keytab", &key]).refused("samba-tool domain exportkeytab");
    let shown: Value = serde_json::from_str(&trust(&["show", "--json"]).text).unwrap();
    let account = shown["krbtgt"]["accountName"].as_str().unwrap();
    let principal = format!("--principal={account}");
    let words = ["samba-tool", "domain", "exportkeytab", "/lab/krbtgt.keytab"];
    let words = [&words[..], &[&principal, "-s", "/lab/dc/etc/smb.conf"]].concat();
    samba.run_with_input(&words, "").well();
    std::fs::copy(samba.path("krbtgt.keytab"), file("krbtgt.keytab")).unwrap();
    // carol is in both groups: a denial counts more.
    for (group, users) in [("Allowed", &["alice", "carol"][..]), ("Denied", &["carol"])] {
        for user in users {
            let group = format!("CN={group} RODC Password Replication Group,CN=Users,{BASE}");
            let member = Samba::dn(user);
            samba.modify(&format!(
                "dn: {group}\nchangetype: modify\nadd: member\nmember: {member}\n"
            ));
        }
    }
    let people: Value = ["alice", "carol", "dave", "Administrator"]
        .map(|name| person(&samba, name))
        .into();
    std::fs::write(file("people.json"), people.to_string()).unwrap();

    let mut again = samba.beside(&std::env::current_exe().unwrap());
    again
        .args(["--exact", TEST, "--nocapture"])
        .env(PREPARED, folder.path());
    let said = Said::of(&mut again, "").well();
    assert!(said.contains("1 passed"), "{said}");
}

fn person(samba: &Samba, name: &str) -> Value {
    let dn = Samba::dn(name);
    let words = ["ldbsearch", "-H", "/lab/dc/private/sam.ldb", "-b", &dn];
    let words = [&words[..], &["-s", "base", "objectSid", "objectGUID"]].concat();
    let found = samba.run_with_input(&words, "").well();
    let value = |name: &str| {
        let mut lines = found.lines();
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .unwrap()
    };
    json!({ "name": name, "dn": dn, "sid": value("objectSid"), "guid": value("objectGUID") })
}

fn on_samba(command: &mut Command, folder: &Path) {
    command
        .env("TOMBOLO_DIRECTORY", format!("ldaps://{HOST}"))
        .env("TOMBOLO_BIND", "CORP\\administrator")
        .env("TOMBOLO_PASSWORD_FILE", folder.join("password"))
        .env("TOMBOLO_CA_FILE", folder.join("samba.pem"));
}

/// The house, whose cloud is all that is used of it, in Samba's network.
struct Cloud {
    house: House,
    folder: PathBuf,
}

impl Cloud {
    fn tombolo(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(product::tombolo());
        on_samba(&mut command, &self.folder);
        let addresses = self.house.addresses();
        command
            .current_dir(&self.folder)
            .env("TOMBOLO_CLOUD", &addresses.cloud)
            .env("TOMBOLO_CLOUD_CA_FILE", "cloud.pem")
            .env("TOMBOLO_CLOUD_TOKEN_FILE", "administrator.token")
            .env("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin())
            .env("TOMBOLO_SOFTKEY_ADDRESS", addresses.key.to_string())
            .env("TOMBOLO_KDC", format!("{HOST}:88"))
            .args(arguments);
        Said::of(&mut command, "")
    }

    /// Somebody of Samba's domain comes to the cloud, as the sync brings people, and registers the one key there is.
    fn bring(&self, person: &Value) -> Guid {
        let text = |name: &str| person[name].as_str().unwrap().to_owned();
        let (name, guid) = (text("name"), text("guid").parse::<Guid>().unwrap());
        // The house's own people have the names of its own domain.
        let user = SyncUser {
            user_principal_name: Some(format!("{name}@samba.contoso.com")),
            display_name: Some(name.clone()),
            account_enabled: Some(true),
            on_premises_immutable_id: Some(source_anchor(guid)),
            on_premises_security_identifier: Some(text("sid").parse::<Sid>().unwrap()),
            on_premises_distinguished_name: Some(text("dn")),
            on_premises_domain_name: Some(REALM.to_ascii_lowercase()),
            on_premises_sam_account_name: Some(name.clone()),
        };
        let sync = self.house.cloud_as_sync().unwrap();
        let made: User = sync.post(paths::SYNC_USERS, &user).unwrap();
        let cloud = self.house.cloud_as_administrator().unwrap();
        let mut key = self.house.key().unwrap();
        let (pin, origin) = (self.house.pin().unwrap(), self.house.cloud_origin());
        register_key(&cloud, &mut key, &pin, &origin, made.id, "Blue key").unwrap();
        let pass: TemporaryAccessPass = cloud
            .post(
                &paths::temporary_access_passes(made.id),
                &NewTemporaryAccessPass::default(),
            )
            .unwrap();
        self.write(&format!("{name}.pass"), &pass.temporary_access_pass);
        made.id
    }

    /// Signs in as the person whose key was registered last: a key offers its newest credential.
    fn sign_in(&self, name: &str) -> Said {
        let upn = format!("{name}@samba.contoso.com");
        let (pass, state) = (format!("{name}.pass"), format!("{name}.state"));
        let service = format!("cifs/{HOST}");
        self.tombolo(&[
            "signin",
            "--user",
            &upn,
            "--pass-file",
            &pass,
            "--state",
            &state,
            "--pin-file",
            "pin",
            "--cache",
            "tickets",
            "--service",
            &service,
        ])
    }

    fn write(&self, name: &str, line: &str) {
        std::fs::write(self.folder.join(name), format!("{line}\n")).unwrap();
    }

    /// The cloud is away: Samba goes on giving tickets for its own, renews it, and none is fresh until the cloud is back.
    fn lives_through_an_outage(&self) {
        let tickets = format!("FILE:{}", self.folder.join("tickets").display());
        let mit = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(peers::program(program));
            Said::of(command.env("KRB5CCNAME", &tickets).args(arguments), "")
        };
        self.house.wire(Line::Cloud, Mode::Cut).unwrap();
        mit("kvno", &[&format!("ldap/{HOST}")]).well();
        mit("kinit", &["-R"]).well();
        let renewed = mit("klist", &[]).well();
        assert!(renewed.contains(&format!("krbtgt/{REALM}")), "{renewed}");
        self.reads_a_file().well();
        let refused = self.sign_in("alice");
        assert!(!refused.good, "{}", refused.text);
        self.house.wire(Line::Cloud, Mode::Up).unwrap();
        self.sign_in("alice").well();
        self.reads_a_file().well();
    }

    /// Samba's own client, with the tickets of the sign-in, reads a file of the domain controller's share.
    fn reads_a_file(&self) -> Said {
        let tickets = self.folder.join("tickets");
        let mut command = Command::new(peers::program("smbclient"));
        command
            .env("KRB5CCNAME", format!("FILE:{}", tickets.display()))
            .args(["--use-kerberos=required", "--use-krb5-ccache"])
            .arg(format!("FILE:{}", tickets.display()))
            .arg(format!("//{HOST}/sysvol"))
            .args(["-c", "recurse on; ls"]);
        Said::of(&mut command, "")
    }
}

fn inside(folder: &Path) {
    let people: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder.join("people.json")).unwrap()).unwrap();
    let [alice, carol, dave, administrator] = people.as_slice() else {
        unreachable!("four people were written");
    };
    let cloud = Cloud {
        house: House::start(Options::new(Arc::new(SystemClock))).unwrap(),
        folder: folder.to_owned(),
    };
    let house = &cloud.house;
    cloud.write("cloud.pem", house.ca_pem());
    cloud.write("administrator.token", house.administrator_token().expose());
    cloud.write("sync.token", house.sync_token().expose());
    cloud.write("pin", house.key_pin().expose());

    cloud.bring(alice);
    cloud.sign_in("alice").refused("no Kerberos server object");
    cloud
        .tombolo(&["trust", "publish", "--keytab", "krbtgt.keytab", "--apply"])
        .well();
    let told = cloud.sign_in("alice").well();
    assert!(told.contains(&format!("krbtgt/{REALM}")), "{told}");
    let listed = cloud.reads_a_file().well();
    assert!(listed.contains("GPT.INI"), "{listed}");

    cloud.lives_through_an_outage();

    // The sync writes alice's key into Samba, as an account that may do just that, and its removal changes nothing.
    cloud.write("connector.password", PASSWORD);
    cloud.write("sync.toml", &sync_configuration(house));
    cloud.tombolo(&["sync", "run", "--config", "sync.toml"]);
    let dn = alice["dn"].as_str().unwrap();
    let ca = std::fs::read_to_string(folder.join("samba.pem")).unwrap();
    let url = format!("ldaps://{HOST}");
    let mut ldap = LdapClient::bind(&url, &ca, "CORP\\administrator", PASSWORD).unwrap();
    let values = ldap.values(dn, KEYS).unwrap();
    assert_eq!(values.len(), 1, "the sync wrote the key");
    cloud.sign_in("alice").well();
    ldap.delete_value(dn, KEYS, &values[0]).unwrap();
    assert!(ldap.values(dn, KEYS).unwrap().is_empty());
    cloud.sign_in("alice").well();
    cloud.reads_a_file().well();

    // Denied though allowed, not allowed, and an administrator: Samba says no to each.
    for person in [carol, dave, administrator] {
        cloud.bring(person);
        let name = person["name"].as_str().unwrap();
        cloud.sign_in(name).refused("KDC_ERR_TGT_REVOKED");
    }
}

fn sync_configuration(house: &House) -> String {
    format!(
        "[cloud]\nurl = \"{}\"\ntoken_file = \"sync.token\"\nca_file = \"cloud.pem\"\n\n\
         [directory]\nurl = \"ldaps://{HOST}\"\nbind_dn = 'CORP\\{CONNECTOR}'\n\
         password_file = \"connector.password\"\nca_file = \"samba.pem\"\n\n\
         [state]\npath = \"sync.sqlite\"\n",
        house.addresses().cloud
    )
}
