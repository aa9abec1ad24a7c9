//! Unmodified roadtx, run against a cloud that is served.

use std::process::Command;

use cloud::Caller;
use cloud_api::tokens::DEVICE_REGISTRATION;
use conformance::Said;
use conformance::peers::python;
use serde_json::Value;

use super::ServedCloud;

/// roadtx against one cloud.
pub struct Roadtx<'a>(pub &'a ServedCloud);

impl Roadtx<'_> {
    /// Runs it in a directory of its own, where it keeps its files.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let program = python().with_file_name("roadtx");
        let mut command = Command::new(python());
        command
            .arg("-W")
            .arg("ignore")
            .arg(program)
            .args(["-p", &self.0.proxy.to_string()])
            .args(arguments)
            .current_dir(self.0.directory.path())
            // Named in the environment it would count more than roadtx' own wish not to look.
            .env_remove("REQUESTS_CA_BUNDLE")
            .env_remove("CURL_CA_BUNDLE");
        Said::of(&mut command, "")
    }

    pub fn file(&self, name: &str) -> Value {
        let text = std::fs::read(self.0.directory.path().join(name)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Joins a device with a token for it, and gives the session that stands behind the token.
    pub fn join(&self) -> String {
        let session = self.0.session();
        let cloud = &self.0.cloud;
        let caller = cloud.authenticate(&session).unwrap();
        let token = cloud.registration_token(&caller, &session).unwrap();
        let said = self.run(&[
            "device",
            "-a",
            "join",
            "-n",
            "desk",
            "-c",
            "device.pem",
            "-k",
            "device.key",
            "--access-token",
            &token.access_token,
        ]);
        let said = said.well();
        let devices = cloud.devices(&Caller::operator()).unwrap();
        assert_eq!(devices.len(), 1, "{said}");
        assert!(said.contains(&devices[0].id.to_string()), "{said}");
        session
    }

    /// A primary refresh token by session, from there a token for registering keys, and with it a Windows Hello key.
    pub fn register_hello_key(&self, session: &str) {
        self.prt("by-session.prt", &["--refresh-token", session])
            .well();
        self.run(&[
            "prtauth",
            "-f",
            "by-session.prt",
            "-c",
            "29d9ed98-a469-4536-ade2-f981bc1d605e",
            "-r",
            DEVICE_REGISTRATION,
            "-ru",
            "ms-appx-web://device",
            "--tokenfile",
            "registration.json",
        ])
        .well();
        let token = self.file("registration.json");
        let token = token["accessToken"].as_str().unwrap();
        let said = self.run(&["winhello", "-k", "hello.key", "--access-token", token]);
        let said = said.well();
        assert!(said.contains("testuser@corp.contoso.com"), "{said}");
    }

    pub fn prt(&self, file: &str, proof: &[&str]) -> Said {
        let device = ["prt", "-c", "device.pem", "-k", "device.key", "-f", file];
        self.run(&[&device[..], proof].concat())
    }

    pub fn by_hello(&self, file: &str) -> Said {
        self.prt(
            file,
            &["-u", "testuser@corp.contoso.com", "-hk", "hello.key"],
        )
    }
}
