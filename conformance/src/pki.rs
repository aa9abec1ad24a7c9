//! Certificates for PKINIT's judges, made by OpenSSL: keys, self-signed certificates, and leaves of an authority that
//! nobody else has heard of.
//!
//! Every function writes into one folder: `NAME.key` (PEM), `NAME.pem`, and `NAME.spki` (DER) beside a key.

use std::path::Path;
use std::process::Command;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use kerberos::pkinit::Sign;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::Said;
use crate::peers::program;

/// `NAME.key` of RSA-2048, and `NAME.spki`.
///
/// # Panics
/// When OpenSSL fails.
pub fn key(folder: &Path, name: &str) {
    let (key, spki) = (format!("{name}.key"), format!("{name}.spki"));
    let make = "genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out";
    openssl(folder, make, &[&key]);
    openssl(
        folder,
        "pkey -pubout -outform DER -in",
        &[&key, "-out", &spki],
    );
}

/// `NAME.pem`: a certificate of `KEY.key`, signed by itself. `extensions` is a section of OpenSSL's configuration.
///
/// # Panics
/// When OpenSSL fails.
pub fn self_signed(folder: &Path, name: &str, key: &str, extensions: &str) {
    let (request, pem) = request(folder, name, key, extensions);
    let (key, conf) = (format!("{key}.key"), format!("{name}.cnf"));
    let arguments = [&request, "-signkey", &key, "-extfile", &conf, "-out", &pem];
    openssl(folder, &format!("{SIGN} -in"), &arguments);
}

/// `NAME.pem`: a certificate of `KEY.key`, issued by `ISSUER.pem`.
///
/// # Panics
/// When OpenSSL fails.
pub fn issued(folder: &Path, name: &str, key: &str, issuer: &str, extensions: &str) {
    let (request, pem) = request(folder, name, key, extensions);
    let (ca, ca_key) = (format!("{issuer}.pem"), format!("{issuer}.key"));
    let conf = format!("{name}.cnf");
    let arguments = [
        &request,
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-CAcreateserial",
        "-extfile",
        &conf,
        "-out",
        &pem,
    ];
    openssl(folder, &format!("{SIGN} -in"), &arguments);
}

/// `NAME.key` and `NAME.pem` of an authority.
///
/// # Panics
/// When OpenSSL fails.
pub fn authority(folder: &Path, name: &str) {
    key(folder, name);
    let extensions =
        "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n";
    self_signed(folder, name, name, extensions);
}

/// What a KDC's certificate says: the key purpose and the names that MIT (RFC 4556 3.2.4) and Windows want.
pub fn kdc_extensions(realm: &str, host: &str) -> String {
    format!(
        "basicConstraints = CA:FALSE\nkeyUsage = digitalSignature,keyEncipherment\n\
         extendedKeyUsage = 1.3.6.1.5.2.3.5,serverAuth\n\
         subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:principal,DNS:{host}\n\
         [principal]\nrealm = EXP:0,GeneralString:{realm}\nname = EXP:1,SEQUENCE:name\n\
         [name]\ntype = EXP:0,INTEGER:2\nparts = EXP:1,SEQUENCE:parts\n\
         [parts]\nfirst = GeneralString:krbtgt\nsecond = GeneralString:{realm}\n"
    )
}

/// What a client's certificate says to a KDC that maps names: the user principal name.
pub fn user_extensions(upn: &str) -> String {
    format!(
        "keyUsage = critical,digitalSignature\nextendedKeyUsage = 1.3.6.1.5.2.3.4,clientAuth\n\
         subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:{upn}\n"
    )
}

/// What a client's certificate says that says nothing of a name.
pub const NAMELESS: &str = "keyUsage = critical,digitalSignature\n";

/// A KDC's certificate and key.
pub struct Signer {
    certificate: Vec<u8>,
    key: KeyPair,
}

impl Signer {
    /// Reads `NAME.pem` and `NAME.key`.
    ///
    /// # Errors
    /// When they cannot be read, or hold no RSA key.
    pub fn open(
        folder: &Path,
        name: &str,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        Self::of_files(&path("pem"), &path("key"))
    }

    /// Reads a certificate, and its key in PKCS #8, both PEM.
    ///
    /// # Errors
    /// When they cannot be read, or hold no RSA key.
    pub fn of_files(
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let certificate = CertificateDer::from_pem_file(certificate)?;
        let key = PrivatePkcs8KeyDer::from_pem_file(key)?;
        let key = KeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|error| error.to_string())?;
        Ok(Self {
            certificate: certificate.to_vec(),
            key,
        })
    }
}

impl Sign for Signer {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let done = self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message,
            &mut signature,
        );
        done.ok().map(|()| signature)
    }
}

const SIGN: &str = "x509 -req -days 30 -sha256 -extensions leaf";

/// The names of a certificate request, and of the certificate to be.
#[expect(
    clippy::expect_used,
    reason = "a test that cannot write its files has failed"
)]
fn request(folder: &Path, name: &str, key: &str, extensions: &str) -> (String, String) {
    let conf = format!("[leaf]\n{extensions}");
    std::fs::write(folder.join(format!("{name}.cnf")), conf).expect("the folder can be written");
    let (request, key, subject) = (
        format!("{name}.csr"),
        format!("{key}.key"),
        format!("/CN={name}"),
    );
    openssl(
        folder,
        "req -new -key",
        &[&key, "-subj", &subject, "-out", &request],
    );
    (request, format!("{name}.pem"))
}

fn openssl(folder: &Path, words: &str, rest: &[&str]) {
    let mut command = Command::new(program("openssl"));
    command
        .current_dir(folder)
        .args(words.split(' '))
        .args(rest);
    Said::of(&mut command, "").well();
}
