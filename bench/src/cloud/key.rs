//! A maker of security keys, and what one of them says when it is registered: packed attestation with a batch certificate,
//! which is what most keys have, and what their key material is long by.

use cloud_api::base64::Base64Url;
use cloud_api::fido2::{
    AttestationResponse, CreationOptionsReply, NewFido2Method, PublicKeyCredential,
};
use cloud_api::policy::Fido2Policy;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SigningKey as _,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::Failure;

/// The relying party.
pub(crate) const RP_ID: &str = "login.contoso.example";
/// Its only origin.
pub(crate) const ORIGIN: &str = "https://login.contoso.example";
const MODEL: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// A maker of keys.
pub(crate) struct Maker {
    root: String,
    leaf: KeyPair,
    certificate: Vec<u8>,
}

impl Maker {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut root = CertificateParams::new(Vec::new())?;
        root.distinguished_name
            .push(DnType::CommonName, "Feather root");
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_key = KeyPair::generate()?;
        let root_pem = root.self_signed(&root_key)?.pem();
        let issuer = Issuer::new(root, root_key);
        let mut leaf = CertificateParams::new(Vec::new())?;
        // What WebAuthn Level 3, 8.2.1 asks of the subject.
        for (part, value) in [
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Feather"),
            (DnType::OrganizationalUnitName, "Authenticator Attestation"),
            (DnType::CommonName, "Feather batch"),
        ] {
            leaf.distinguished_name.push(part, value);
        }
        leaf.is_ca = IsCa::ExplicitNoCa;
        // id-fido-gen-ce-aaguid
        let model = [&[0x04, 16][..], &MODEL].concat();
        let named = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 45_724, 1, 1, 4], model);
        leaf.custom_extensions = vec![named];
        let leaf_key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&leaf_key, &issuer)?.der().to_vec();
        Ok(Self {
            root: root_pem,
            leaf: leaf_key,
            certificate,
        })
    }

    /// A tenant that takes keys of this maker alone.
    pub(crate) fn policy(&self) -> Fido2Policy {
        Fido2Policy {
            is_attestation_enforced: Some(true),
            attestation_roots: Some(vec![self.root.clone()]),
            ..Fido2Policy::default()
        }
    }

    /// What is posted for a new key.
    pub(crate) fn register(
        &self,
        options: &CreationOptionsReply,
        credential: &[u8],
        key: &KeyPair,
    ) -> Result<NewFido2Method, Failure> {
        let client_data = json!({
            "type": "webauthn.create",
            "challenge": options.public_key.challenge.to_string(),
            "origin": ORIGIN,
            "crossOrigin": false,
        });
        let client_data = client_data.to_string().into_bytes();
        let data = authenticator_data(credential, key)?;
        let signed = [&data[..], &Sha256::digest(&client_data)].concat();
        let object = attestation_object(&data, &self.leaf.sign(&signed)?, &self.certificate)?;
        Ok(NewFido2Method {
            display_name: "Blue key".to_owned(),
            public_key_credential: PublicKeyCredential {
                id: Base64Url(credential.to_vec()).to_string(),
                response: AttestationResponse {
                    client_data_json: Base64Url(client_data),
                    attestation_object: Base64Url(object),
                    transports: vec!["usb".to_owned()],
                },
                client_extension_results: None,
            },
        })
    }
}

/// WebAuthn Level 3, 6.1, with an ES256 key in COSE.
fn authenticator_data(credential: &[u8], key: &KeyPair) -> Result<Vec<u8>, Failure> {
    let mut data = Sha256::digest(RP_ID.as_bytes()).to_vec();
    // User present, user verified, attested credential data, extension data.
    data.push(0xC5);
    data.extend(1_u32.to_be_bytes());
    data.extend(MODEL);
    data.extend(u16::try_from(credential.len())?.to_be_bytes());
    data.extend(credential);
    let point = key.der_bytes();
    let (x, y) = point
        .get(1..65)
        .and_then(|point| point.split_at_checked(32))
        .ok_or("a key that is no point")?;
    // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
    data.extend([0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
    data.extend(x);
    data.extend([0x22, 0x58, 0x20]);
    data.extend(y);
    // {"hmac-secret": true}
    data.push(0xA1);
    data.extend(text("hmac-secret"));
    data.push(0xF5);
    Ok(data)
}

/// {"fmt": "packed", "attStmt": {"alg": -7, "sig": .., "x5c": [..]}, "authData": ..}
fn attestation_object(
    data: &[u8],
    signature: &[u8],
    certificate: &[u8],
) -> Result<Vec<u8>, Failure> {
    Ok([
        &[0xA3][..],
        &text("fmt"),
        &text("packed"),
        &text("attStmt"),
        &[0xA3],
        &text("alg"),
        &[0x26],
        &text("sig"),
        &octets(signature)?,
        &text("x5c"),
        &[0x81],
        &octets(certificate)?,
        &text("authData"),
        &octets(data)?,
    ]
    .concat())
}

/// A short text in CBOR.
fn text(text: &str) -> Vec<u8> {
    let head = 0x60 | u8::try_from(text.len()).unwrap_or_default();
    [&[head], text.as_bytes()].concat()
}

/// Octets in CBOR, with a length of two octets.
fn octets(octets: &[u8]) -> Result<Vec<u8>, Failure> {
    let length = u16::try_from(octets.len())?.to_be_bytes();
    Ok([&[0x59], &length[..], octets].concat())
}
