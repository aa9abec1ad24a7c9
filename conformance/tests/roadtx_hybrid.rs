//! Unmodified roadtx as a computer of the domain: it joins by the certificate that the sync brought, signs a user in, and
//! leaves by its TLS client certificate.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod cloud_served;

use std::process::Command;

use cloud::{Caller, Compatibility};
use cloud_api::ground::SyncDevice;
use cloud_served::ServedCloud;
use cloud_served::roadtx::Roadtx;
use conformance::Said;
use conformance::peers::python;
use data_encoding::BASE64;
use types::Guid;

const SID: &str = "S-1-5-21-1-2-3-1601";

/// What a computer does for itself on the ground, by another library than ours.
const CERTIFICATE: &str = "
import sys, datetime
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, sys.argv[1])])
now = datetime.datetime.now(datetime.timezone.utc)
made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now,
    now + datetime.timedelta(days=3650)).sign(key, hashes.SHA256())
open(sys.argv[2] + '.pem', 'wb').write(made.public_bytes(serialization.Encoding.PEM))
open(sys.argv[2] + '.der', 'wb').write(made.public_bytes(serialization.Encoding.DER))
open(sys.argv[2] + '.key', 'wb').write(key.private_bytes(serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
";

struct Ground<'a> {
    served: &'a ServedCloud,
    id: Guid,
}

impl Ground<'_> {
    /// A certificate with the computer's id for a name.
    fn certificate(&self, name: &str) {
        let mut command = Command::new(python());
        command
            .args(["-c", CERTIFICATE, &self.id.to_string(), name])
            .current_dir(self.served.directory.path());
        Said::of(&mut command, "").well();
    }

    fn sync(&self, name: &str) {
        let der = std::fs::read(self.served.directory.path().join(format!("{name}.der")));
        let device = SyncDevice {
            display_name: "WS01".into(),
            account_enabled: true,
            on_premises_security_identifier: SID.parse().unwrap(),
            on_premises_sam_account_name: "WS01$".into(),
            on_premises_distinguished_name: None,
            on_premises_domain_name: Some("corp.contoso.com".into()),
            operating_system: None,
            operating_system_version: None,
            certificates: vec![BASE64.encode(&der.unwrap())],
        };
        let cloud = &self.served.cloud;
        cloud
            .put_ground_device(&Caller::operator(), self.id, &device)
            .unwrap();
    }

    fn join(&self, name: &str, sid: &str) -> String {
        let (pem, key) = (format!("{name}.pem"), format!("{name}.key"));
        let tenant = self.served.cloud.tenant().unwrap().id.to_string();
        let arguments = [
            "hybriddevice",
            "-c",
            &pem,
            "-k",
            &key,
            "--sid",
            sid,
            "-t",
            &tenant,
            "-n",
            "ws01",
        ];
        Roadtx(self.served).run(&arguments).well()
    }
}

const JOINED: &str = "Saved device certificate";

#[test]
fn it_joins_as_a_computer_of_the_domain_and_leaves() {
    let served = ServedCloud::new(Compatibility::default());
    let ground = Ground {
        served: &served,
        id: Guid::from_bytes_le([9; 16]),
    };
    ground.certificate("ws01");
    ground.certificate("stranger");
    let said = ground.join("ws01", SID);
    assert!(said.contains("the sync has not brought it"), "{said}");
    ground.sync("ws01");
    for (name, sid, why) in [
        ("stranger", SID, "signed the text"),
        ("ws01", "S-1-5-21-1-2-3-500", "another computer's"),
    ] {
        let said = ground.join(name, sid);
        assert!(said.contains(why) && !said.contains(JOINED), "{said}");
    }
    let said = ground.join("ws01", SID);
    assert!(said.contains(JOINED), "{said}");
    assert!(
        said.contains(&format!("AAD device ID: {}", ground.id)),
        "{said}"
    );
    let operator = Caller::operator();
    let device = &served.cloud.devices(&operator).unwrap()[0];
    assert_eq!(device.trust_type, "ServerAd");
    assert!(device.registration_date_time.is_some());

    // A user signs in there, as at any device.
    let session = served.session();
    let prt = |session: &str| {
        let proof = ["--refresh-token", session, "-f", "a.prt"];
        let device = ["prt", "-c", "ws01_aad.pem", "-k", "ws01_aad.key"];
        Roadtx(&served).run(&[&device[..], &proof].concat())
    };
    prt(&session).well();

    // It has no option for a proxy here, and looks at the environment.
    let leave = |pem: &str, key: &str| {
        let mut command = Command::new(python());
        command
            .args(["-W", "ignore"])
            .arg(python().with_file_name("roadtx"))
            .args(["device", "-a", "delete", "-c", pem, "-k", key])
            .current_dir(served.directory.path())
            .env("HTTPS_PROXY", format!("http://{}", served.proxy))
            .env("REQUESTS_CA_BUNDLE", served.ca());
        Said::of(&mut command, "").well()
    };
    let said = leave("stranger.pem", "stranger.key");
    assert!(
        said.contains("no client certificate of this device"),
        "{said}"
    );
    assert_eq!(served.cloud.devices(&operator).unwrap().len(), 1);
    let said = leave("ws01_aad.pem", "ws01_aad.key");
    assert!(said.contains("Device was deleted"), "{said}");
    // Pending again: the computer is still on the ground.
    let device = &served.cloud.devices(&operator).unwrap()[0];
    assert_eq!(device.registration_date_time, None);
    prt(&session).refused("not signed by a device");
}

/// As a Mac it brings its transport key as a JSON Web Key; the session key arrives all the same.
#[test]
fn it_brings_its_transport_key_as_a_json_web_key() {
    let served = ServedCloud::new(Compatibility::default());
    let roadtx = Roadtx(&served);
    let session = served.session();
    let caller = served.cloud.authenticate(&session).unwrap();
    let token = served.cloud.registration_token(&caller, &session).unwrap();
    let mac = [
        "device",
        "-a",
        "join",
        "-n",
        "mac",
        "--device-type",
        "MacOS",
    ];
    let files = ["-c", "device.pem", "-k", "device.key", "--access-token"];
    let token = [token.access_token.as_str()];
    let said = roadtx.run(&[&mac[..], &files, &token].concat()).well();
    assert!(said.contains(JOINED), "{said}");
    roadtx.prt("a.prt", &["--refresh-token", &session]).well();
    roadtx.run(&["prt", "-a", "renew", "-f", "a.prt"]).well();
}
