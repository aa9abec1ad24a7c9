//! The certificate by which a computer says that it may join the cloud: self-signed, with its `objectGUID` for a name.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use types::Guid;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

/// Whether a value of `userCertificate` is one. The cloud asks the same, and takes no other.
pub(crate) fn is_of_device(der: &[u8], id: Guid) -> bool {
    let Ok(certificate) = Certificate::from_der(der) else {
        return false;
    };
    let tbs = certificate.tbs_certificate();
    let subject = tbs.subject().to_string();
    let names_it = subject.strip_prefix("CN=").and_then(|id| id.parse().ok()) == Some(id);
    if !names_it || tbs.issuer().to_string() != subject {
        return false;
    }
    let key = tbs.subject_public_key_info().subject_public_key.raw_bytes();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    tbs.to_der().is_ok_and(|signed| {
        key.verify(&signed, certificate.signature().raw_bytes())
            .is_ok()
    })
}
