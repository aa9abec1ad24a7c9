//! What a computer of the ground proves itself by: the certificate that it wrote into its own object, and a text that it
//! signed with that certificate's key.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use cloud_api::ground::SyncDevice;
use cloud_api::hybrid::ClientIdentity;
use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use types::{Guid, Timestamp};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use crate::error::Error;

/// A proof is taken while it is not older than this, nor further in the future: the skew that a domain allows.
pub(crate) const PROOF_AGE_S_MAX: i64 = 300;
/// More certificates than a computer leaves behind when it makes new ones.
const CERTIFICATES_MAX: usize = 16;
const CERTIFICATE_OCTETS_MAX: usize = 8192;

/// The certificates of a device that the sync brings: each must be the computer's own.
pub(crate) fn check_certificates(id: Guid, device: &SyncDevice) -> Result<(), Error> {
    let texts = &device.certificates;
    if texts.is_empty() || texts.len() > CERTIFICATES_MAX {
        return Err(Error::invalid(format!(
            "a device has 1 to {CERTIFICATES_MAX} certificates"
        )));
    }
    texts.iter().try_for_each(|text| {
        let refused = |why: &str| Error::invalid(format!("a certificate of device {id} {why}"));
        let der = BASE64
            .decode(text.as_bytes())
            .map_err(|_| refused("is no base64"))?;
        own_key(id, &der).map(drop).map_err(refused)
    })
}

/// The public key of a certificate that a computer made for itself: signed by its own key, with the computer's
/// `objectGUID` for a name.
fn own_key(id: Guid, der: &[u8]) -> Result<Vec<u8>, &'static str> {
    if der.len() > CERTIFICATE_OCTETS_MAX {
        return Err("is too long");
    }
    let certificate = Certificate::from_der(der).map_err(|_| "is no X.509 certificate")?;
    let tbs = certificate.tbs_certificate();
    let subject = tbs.subject().to_string();
    let named = subject.strip_prefix("CN=").and_then(|id| id.parse().ok());
    if named != Some(id) {
        return Err("has another subject than CN= and the objectGUID");
    }
    if tbs.issuer().to_string() != subject {
        return Err("is not self-signed");
    }
    let key = tbs.subject_public_key_info().subject_public_key.raw_bytes();
    let signed = tbs.to_der().map_err(|_| "cannot be read")?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(&signed, certificate.signature().raw_bytes())
        .map_err(|_| "is not signed by its own RSA key of 2048 bits or more with SHA-256")?;
    Ok(key.to_vec())
}

/// A proof that a computer's key signed just now. What makes it one of a kind stays until it would be too old.
pub(crate) struct Proven {
    pub(crate) hash: [u8; 32],
    pub(crate) ends: Timestamp,
}

/// Checks a proof against what the sync brought. The certificate's dates are not looked at: the directory has it, and
/// takes it away when it is no longer good.
pub(crate) fn check_proof(
    id: Guid,
    device: &SyncDevice,
    proof: &ClientIdentity,
    now: Timestamp,
) -> Result<Proven, NotProven> {
    if !proof
        .kind
        .eq_ignore_ascii_case(ClientIdentity::SHA256_SIGNED)
    {
        return Err(NotProven::Kind);
    }
    let (sid, when) = proof.said().ok_or(NotProven::Text)?;
    if sid != device.on_premises_security_identifier {
        return Err(NotProven::OtherSid);
    }
    if now.seconds_since(when).abs() > PROOF_AGE_S_MAX {
        return Err(NotProven::Time);
    }
    let keys = device.certificates.iter().filter_map(|text| {
        let der = BASE64.decode(text.as_bytes()).ok()?;
        own_key(id, &der).ok()
    });
    let mut signed = keys.map(|key| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(proof.sid.as_bytes(), proof.signed_blob.as_bytes())
    });
    if !signed.any(|signed| signed.is_ok()) {
        return Err(NotProven::Signature);
    }
    let mut hash = Sha256::new();
    hash.update(id.to_bytes_le());
    hash.update(proof.sid.as_bytes());
    Ok(Proven {
        hash: hash.finalize().into(),
        ends: when.plus_seconds(PROOF_AGE_S_MAX),
    })
}

/// Why a computer did not prove itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// Another kind of proof.
    #[error("the only kind of ClientIdentity is sha256signed")]
    Kind,
    /// The text does not say who and when.
    #[error("the signed text is no SID, dot and time as in S-1-5-21-....2026-06-10 05:06:07Z")]
    Text,
    /// Another computer's SID.
    #[error("the signed SID is another computer's")]
    OtherSid,
    /// Too old, or of the future.
    #[error(
        "the signed time is more than five minutes from the cloud's; set the clock and sign anew"
    )]
    Time,
    /// No certificate that was synced has a key that signed it.
    #[error("no certificate that the sync brought for this device signed the text")]
    Signature,
    /// It was taken before.
    #[error("this proof was used already; sign a new one")]
    Used,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_computer_makes_its_own_certificate() {
        let id: Guid = "9c3e0000-0000-0000-0000-000000000001".parse().unwrap();
        let good = certificate(&id.to_string(), &rcgen::PKCS_RSA_SHA256);
        assert!(own_key(id, &good).is_ok());
        let other = certificate(
            "9c3e0000-0000-0000-0000-000000000002",
            &rcgen::PKCS_RSA_SHA256,
        );
        assert_eq!(
            own_key(id, &other),
            Err("has another subject than CN= and the objectGUID")
        );
        let curve = certificate(&id.to_string(), &rcgen::PKCS_ECDSA_P256_SHA256);
        assert!(own_key(id, &curve).is_err());
        // A byte of the signature, the last one of the certificate.
        let mut changed = good.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(own_key(id, &changed).is_err());
        for octets in [&[][..], b"no certificate", &[0; 9000]] {
            assert!(own_key(id, octets).is_err());
        }
    }
}
