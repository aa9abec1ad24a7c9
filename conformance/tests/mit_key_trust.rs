//! MIT's kinit with PKINIT against our KDC's key trust: keys of the account, no certificate chain, no name mapping.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use kdc::{KeyTrust, LockoutPolicy, Settings};
use kdc_served::{PASSWORD, REALM, Said, Served, WEB, Wire};
use kerberos::pkinit::{Policy, Sign};
use keycred::{Draft, KeySource, KeyUsage};

/// The KDC's key: OpenSSL signs with it.
struct OpensslSigner {
    certificate: Vec<u8>,
    key: PathBuf,
    message: std::sync::Mutex<PathBuf>,
}

impl Sign for OpensslSigner {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let path = self.message.lock().ok()?;
        std::fs::write(&*path, message).ok()?;
        let mut command = Command::new(conformance::peers::program("openssl"));
        command
            .args(["dgst", "-sha256", "-sign"])
            .arg(&self.key)
            .arg(&*path);
        let output = command.output().ok()?;
        output.status.success().then_some(output.stdout)
    }
}

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
fn served() -> Served {
    let files = tempfile::tempdir().unwrap();
    let kdc = [
        "subjectAltName=DNS:dc1.corp.contoso.com",
        "extendedKeyUsage=1.3.6.1.5.2.3.5",
        "keyUsage=critical,digitalSignature,keyCertSign",
    ];
    certificate(files.path(), "kdc", &kdc);
    certificate(files.path(), "user", &[]);
    certificate(files.path(), "stranger", &[]);
    chained_certificate(files.path());
    let to_der = [
        "x509", "-in", "kdc.pem", "-outform", "DER", "-out", "kdc.der",
    ];
    openssl(files.path(), &to_der);
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
        let anchors = ["kdc.pem", &format!("{issuer}.pem")]
            .map(|pem| std::fs::read_to_string(files.path().join(pem)).unwrap())
            .concat();
        std::fs::write(files.path().join(format!("{name}.anchors")), anchors).unwrap();
    }
    let signer = OpensslSigner {
        certificate: std::fs::read(files.path().join("kdc.der")).unwrap(),
        key: files.path().join("kdc.key"),
        message: std::sync::Mutex::new(files.path().join("message")),
    };
    let trust = KeyTrust {
        signer: Arc::new(signer),
        policy: Policy::default(),
    };
    let settings = Settings::new(REALM, "CORP", "DC1");
    Served::build(settings, LockoutPolicy::default(), files, Some(trust))
}

/// A value of `msDS-KeyCredentialLink` with the public key of `NAME.key`.
fn value(served: &Served, name: &str, usage: KeyUsage) -> Vec<u8> {
    let spki = std::fs::read(served.path(&format!("{name}.spki"))).unwrap();
    let draft = Draft::hashed(spki, usage, KeySource::AD);
    draft.to_blob().unwrap().encode()
}

/// An account that has these values, and needs no password.
fn add(served: &Served, name: &str, values: Vec<Vec<u8>>) {
    served
        .accounts
        .add(name, PASSWORD, &[], |account| {
            account.key_credentials = values;
            account.policy.smartcard_required = true;
        })
        .unwrap();
}

fn kinit(served: &Served, name: &str, key: &str) -> Said {
    let path = |file: String| served.path(&file).display().to_string();
    let identity = format!(
        "X509_user_identity=FILE:{},{}",
        path(format!("{key}.pem")),
        path(format!("{key}.key"))
    );
    let anchors = format!("X509_anchors=FILE:{}", path(format!("{key}.anchors")));
    // kinit asks for a password where PKINIT fails; there is none to give.
    served.kinit(
        Wire::Tcp,
        "tgt",
        "",
        &["-X", &identity, "-X", &anchors, name],
    )
}

#[test]
fn an_ngc_key_signs_in_without_a_chain_and_without_a_name() {
    let served = served();
    add(
        &served,
        "hello",
        vec![value(&served, "user", KeyUsage::NGC)],
    );
    kinit(&served, "hello", "user").well();
    let list = served.klist("tgt");
    assert!(
        list.contains("Default principal: hello@CORP.CONTOSO.COM"),
        "{list}"
    );
    served.kvno(Wire::Udp, "tgt", &[WEB]).well();
    let events = served.events();
    assert!(
        events
            .iter()
            .any(|e| e.contains("issued to hello by its key")),
        "{events:?}"
    );
}

#[test]
fn a_certificate_that_comes_along_only_names_the_key() {
    // kinit leaves a self-signed certificate out, and sends the leaf of a chain.
    let served = served();
    add(
        &served,
        "hello",
        vec![value(&served, "chained", KeyUsage::NGC)],
    );
    kinit(&served, "hello", "chained").well();
    add(
        &served,
        "other",
        vec![value(&served, "user", KeyUsage::NGC)],
    );
    assert!(!kinit(&served, "other", "chained").good);
}

#[test]
fn no_other_usage_signs_in_with_the_same_key() {
    let served = served();
    for (name, usage) in [
        ("fido", KeyUsage::FIDO),
        ("fek", KeyUsage::FEK),
        ("stk", KeyUsage::STK),
    ] {
        add(&served, name, vec![value(&served, "user", usage)]);
        assert!(!kinit(&served, name, "user").good);
        let events = served.events();
        let why = events
            .iter()
            .any(|e| e.contains("passed over") && e.contains("only NGC keys"));
        assert!(why, "{events:?}");
    }
    // The entry stays and an NGC value comes beside it: now the key signs in.
    let both = [KeyUsage::FIDO, KeyUsage::NGC].map(|usage| value(&served, "user", usage));
    add(&served, "both", both.to_vec());
    kinit(&served, "both", "user").well();
}

#[test]
fn a_key_signs_in_its_own_account_only() {
    let served = served();
    add(
        &served,
        "hello",
        vec![value(&served, "user", KeyUsage::NGC)],
    );
    add(
        &served,
        "other",
        vec![value(&served, "stranger", KeyUsage::NGC)],
    );
    add(&served, "none", Vec::new());
    assert!(!kinit(&served, "other", "user").good);
    assert!(!kinit(&served, "none", "user").good);
    kinit(&served, "other", "stranger").well();
}
