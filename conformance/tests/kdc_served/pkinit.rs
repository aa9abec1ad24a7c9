//! A KDC with key trust, whose certificate a lab's authority signed, and its clients' certificates, made by OpenSSL.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use kdc::{KeyTrust, LockoutPolicy, Settings};
use kerberos::pkinit::Policy;
use keycred::{Draft, KeySource, KeyUsage};

use super::{PASSWORD, REALM, Said, Served, Wire};

fn openssl(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new(conformance::peers::program("openssl"));
    Said::of(command.current_dir(directory).args(arguments), "").well();
}

/// A self-signed certificate `NAME.pem` with its key `NAME.key`; the extensions are OpenSSL's `-addext` words.
fn certificate(directory: &Path, name: &str, extensions: &[&str]) {
    let (key, pem, subject) = (
        format!("{name}.key"),
        format!("{name}.pem"),
        format!("/CN={name}"),
    );
    let mut arguments = vec![
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", &key, "-out",
        &pem, "-subj", &subject,
    ];
    for extension in extensions {
        arguments.extend(["-addext", extension]);
    }
    openssl(directory, &arguments);
}

/// `chained.pem`, issued by `authority.pem`, which nobody but the client has heard of.
fn chained_certificate(directory: &Path) {
    certificate(directory, "authority", &["keyUsage=critical,keyCertSign"]);
    let request = [
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "chained.key",
        "-out",
        "chained.csr",
        "-subj",
        "/CN=chained",
    ];
    openssl(directory, &request);
    let issue = [
        "x509",
        "-req",
        "-in",
        "chained.csr",
        "-CA",
        "authority.pem",
        "-CAkey",
        "authority.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-out",
        "chained.pem",
    ];
    openssl(directory, &issue);
}

/// A realm whose KDC has a certificate of its own, and a client `user.pem` without any name of ours in it.
pub(crate) fn served() -> Served {
    served_with(Policy::default(), |_| {})
}

/// The same with another policy and other settings.
pub(crate) fn served_with(policy: Policy, shape: impl FnOnce(&mut Settings)) -> Served {
    let files = tempfile::tempdir().unwrap();
    let pki = lab::Pki::new("corp.contoso.com").unwrap();
    std::fs::write(files.path().join("kdc-ca.pem"), pki.ca_pem()).unwrap();
    let signer = pki
        .kdc(REALM, "dc1.corp.contoso.com", "corp.contoso.com")
        .unwrap();
    // Heimdal signs with no other certificate: MIT is content without either.
    let client = [
        "extendedKeyUsage=1.3.6.1.5.2.3.4",
        "keyUsage=critical,digitalSignature",
    ];
    certificate(files.path(), "user", &client);
    certificate(files.path(), "stranger", &client);
    chained_certificate(files.path());
    for (name, issuer) in [
        ("user", "user"),
        ("stranger", "stranger"),
        ("chained", "authority"),
    ] {
        let (key, der) = (format!("{name}.key"), format!("{name}.spki"));
        openssl(
            files.path(),
            &[
                "rsa", "-in", &key, "-pubout", "-outform", "DER", "-out", &der,
            ],
        );
        let anchors = ["kdc-ca.pem", &format!("{issuer}.pem")]
            .map(|pem| std::fs::read_to_string(files.path().join(pem)).unwrap())
            .concat();
        std::fs::write(files.path().join(format!("{name}.anchors")), anchors).unwrap();
    }
    let trust = KeyTrust {
        signer: Arc::new(signer),
        policy,
    };
    let mut settings = Settings::new(REALM, "CORP", "DC1");
    shape(&mut settings);
    Served::build(settings, LockoutPolicy::default(), files, Some(trust))
}

/// A value of `msDS-KeyCredentialLink` with the public key of `NAME.key`.
pub(crate) fn value(served: &Served, name: &str, usage: KeyUsage) -> Vec<u8> {
    let spki = std::fs::read(served.path(&format!("{name}.spki"))).unwrap();
    let draft = Draft::hashed(spki, usage, KeySource::AD);
    draft.to_blob().unwrap().encode()
}

/// An account that has these values, and needs no password.
pub(crate) fn add(served: &Served, name: &str, values: Vec<Vec<u8>>) {
    served
        .accounts
        .add(name, PASSWORD, &[], |account| {
            account.key_credentials = values;
            account.policy.smartcard_required = true;
        })
        .unwrap();
}

/// MIT's `kinit` with the key and certificate `KEY.key` and `KEY.pem`.
pub(crate) fn kinit(served: &Served, name: &str, key: &str) -> Said {
    kinit_with(served, name, key, &[])
}

/// The same with more arguments before the name.
pub(crate) fn kinit_with(served: &Served, name: &str, key: &str, more: &[&str]) -> Said {
    let path = |file: String| served.path(&file).display().to_string();
    let identity = format!(
        "X509_user_identity=FILE:{},{}",
        path(format!("{key}.pem")),
        path(format!("{key}.key"))
    );
    let anchors = format!("X509_anchors=FILE:{}", path(format!("{key}.anchors")));
    let mut arguments = vec!["-X", &identity, "-X", &anchors];
    arguments.extend(more);
    arguments.push(name);
    // kinit asks for a password where PKINIT fails; there is none to give.
    served.kinit(Wire::Tcp, "tgt", "", &arguments)
}
