//! `tombolo cloud` from outside, over HTTPS with an administrator's token and at the cloud's own machine.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of tests, which may stop"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A cloud that is served, and what a command needs to reach it.
struct Served {
    folder: tempfile::TempDir,
    server: Child,
    url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn tombolo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    for name in [
        "TOMBOLO_CLOUD",
        "TOMBOLO_CLOUD_TOKEN_FILE",
        "TOMBOLO_CLOUD_CA_FILE",
    ] {
        command.env_remove(name);
    }
    command
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["login.contoso.example".to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        std::fs::write(path("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        let made = tombolo()
            .current_dir(folder.path())
            .args([
                "cloud",
                "init",
                "--state",
                "state",
                "--name",
                "contoso.example",
            ])
            .args(["--rp-id", "login.contoso.example", "--json"])
            .output()
            .unwrap();
        let made = json(&made, 0);
        std::fs::write(path("token"), made["administrator_token"].as_str().unwrap()).unwrap();
        std::fs::write(path("sync.token"), made["sync_token"].as_str().unwrap()).unwrap();
        let mut server = tombolo()
            .current_dir(folder.path())
            .args([
                "cloud",
                "serve",
                "--state",
                "state",
                "--listen",
                "127.0.0.1:0",
            ])
            .args(["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = server.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let url = format!("https://{}", line["listening"].as_str().unwrap());
        Self {
            folder,
            server,
            url,
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_as("token", arguments)
    }

    fn run_as(&self, token: &str, arguments: &[&str]) -> Output {
        tombolo()
            .current_dir(self.folder.path())
            .arg("cloud")
            .args(arguments)
            .env("TOMBOLO_CLOUD", &self.url)
            .env("TOMBOLO_CLOUD_TOKEN_FILE", token)
            .env("TOMBOLO_CLOUD_CA_FILE", "cert.pem")
            .output()
            .unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        json(&self.run(&[arguments, &["--json"]].concat()), 0)
    }

    #[track_caller]
    fn text(&self, arguments: &[&str], exit: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(exit),
            "{arguments:?}: {output:?}"
        );
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }
}

#[track_caller]
fn json(output: &Output, exit: i32) -> Value {
    assert_eq!(output.status.code(), Some(exit), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

const ADA: &str = "ada@corp.contoso.com";

#[test]
fn users_and_groups_over_the_network() {
    let served = Served::new();
    let user = served.json(&["users", "add", ADA, "--display-name", "Ada"]);
    let id = user["user"]["id"].as_str().unwrap().to_owned();
    served.json(&["users", "create", "ben@corp.contoso.com"]);
    assert_eq!(
        served.json(&["users", "list"])["users"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    served.text(&["groups", "add", "pilots", "--member", ADA], 0);
    served.text(
        &["groups", "add-member", "Pilots", "ben@corp.contoso.com"],
        0,
    );
    let group = served.json(&["groups", "show", "pilots"]);
    assert_eq!(group["group"]["members"].as_array().unwrap().len(), 2);
    served.text(
        &["groups", "remove-member", "pilots", "ben@corp.contoso.com"],
        0,
    );
    let shown = served.text(&["users", "show", ADA], 0);
    assert!(shown.contains("pilots") && shown.contains(&id), "{shown}");
    served.text(&["users", "disable", ADA], 0);
    assert_eq!(
        served.json(&["users", "show", &id])["user"]["accountEnabled"],
        false
    );
    let missing = served.text(&["users", "show", "nobody@corp.contoso.com"], 3);
    assert!(
        missing.contains("there is no such user") && missing.contains("user list"),
        "{missing}"
    );
    served.text(&["users", "delete", "ben@corp.contoso.com"], 0);
    served.text(&["groups", "delete", "pilots"], 0);
    // The same commands at the cloud's own machine.
    let here = served.json(&["users", "list", "--state", "state"]);
    assert_eq!(here["users"].as_array().unwrap().len(), 1);
    let missing = served.text(&["devices", "show", "desk-12"], 3);
    assert!(missing.contains("there is no such device"), "{missing}");
    assert_eq!(
        served.json(&["devices", "list"])["devices"],
        serde_json::json!([])
    );
}

#[test]
fn a_policy_is_tried_added_asked_and_removed() {
    let served = Served::new();
    served.json(&["user", "add", ADA]);
    served.text(&["group", "add", "spared"], 0);
    let flags = [
        "policy",
        "add",
        "--name",
        "devices",
        "--users",
        "all",
        "--except-groups",
        "spared",
        "--require",
        "compliant-device",
    ];
    let dry = served.text(&[&flags[..], &["--dry-run"]].concat(), 1);
    assert!(
        dry.contains("nothing was written") && dry.contains(ADA),
        "{dry}"
    );
    assert_eq!(
        served.json(&["policies", "list"])["policies"],
        serde_json::json!([])
    );
    served.text(&flags, 0);
    let asked = served.text(&["policy", "what-if", ADA], 1);
    assert!(asked.contains("refused by policy 'devices'"), "{asked}");
    served.text(&["group", "add-member", "spared", ADA], 0);
    let asked = served.text(
        &[
            "policy",
            "what-if",
            ADA,
            "--method",
            "pass",
            "--application",
            "kerberos",
        ],
        0,
    );
    assert!(asked.contains("no policy applies"), "{asked}");
    // What `show` writes, a file may hold.
    let shown = served.text(&["policy", "show", "devices"], 0);
    std::fs::write(served.folder.path().join("policy.toml"), shown).unwrap();
    served.text(&["policy", "replace", "devices", "policy.toml"], 0);
    served.text(&["policy", "report-only", "devices"], 0);
    let listed = served.text(&["policies", "list"], 0);
    assert!(
        listed.contains("report only") && listed.contains("group spared"),
        "{listed}"
    );
    served.text(&["policy", "remove", "devices"], 0);
    std::fs::write(
        served.folder.path().join("bad.toml"),
        "displayName = 'x'\nrisk = 'high'\n",
    )
    .unwrap();
    let refused = served.text(&["policy", "add", "bad.toml"], 3);
    assert!(refused.contains("bad.toml holds no policy"), "{refused}");
}

#[test]
fn the_logs_tell_addresses_and_refusals() {
    let served = Served::new();
    served.json(&["user", "add", ADA]);
    let audit = served.json(&["audit", "--since", "1h"]);
    let newest = &audit["records"][0];
    assert_eq!(
        (&newest["activity"], &newest["ipAddress"]),
        (&"createUser".into(), &"127.0.0.1".into())
    );
    assert_eq!(
        served.json(&["signins", "--failed", "--user", ADA])["records"],
        serde_json::json!([])
    );
    assert_eq!(served.json(&["tickets"])["records"], serde_json::json!([]));
    let kept = served.json(&["retention", "--days", "365"]);
    assert_eq!(kept["retention"]["days"], 365);
    assert!(
        served
            .text(&["retention", "--forever"], 0)
            .contains("everything is kept")
    );
    let wrong = served.text(&["signins", "--since", "yesterday"], 3);
    assert!(wrong.contains("12h"), "{wrong}");
    // A token that may not, and no token at all.
    let denied = served.run_as("sync.token", &["signins"]);
    let told = String::from_utf8(denied.stderr).unwrap();
    assert!(told.contains("cloud token admin"), "{told}");
    let nowhere = tombolo().args(["cloud", "users", "list"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(3));
    assert!(
        String::from_utf8(nowhere.stderr)
            .unwrap()
            .contains("--cloud URL")
    );
}
