//! A hand-made security key: P-256, packed attestation by a batch certificate, every field open to mischief.
//!
//! It is made apart from `softkey` on purpose, so that the cloud is not judged by code of the same hand alone.

use ciborium::Value as Cbor;
use cloud_api::Base64Url;
use cloud_api::fido2::{
    AttestationResponse, CreationOptionsReply, NewFido2Method, PublicKeyCredential,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SigningKey,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const AAGUID: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// A maker of keys.
pub struct Maker {
    pub root_pem: String,
    leaf: KeyPair,
    leaf_der: Vec<u8>,
}

/// How one registration is done; the defaults are right.
pub struct Manner {
    pub challenge: Option<Vec<u8>>,
    pub origin: String,
    pub kind: String,
    pub cross_origin: bool,
    pub rp_id: String,
    /// UP, UV, AT, ED.
    pub flags: u8,
    pub aaguid: [u8; 16],
    pub credential_id: Vec<u8>,
    pub algorithm: i32,
    pub attestation: Attestation,
    /// Stated beside the attestation.
    pub stated_id: Option<String>,
    pub display_name: String,
}

#[derive(PartialEq)]
pub enum Attestation {
    Packed,
    /// With 32 bytes that are no certificate behind the leaf.
    PackedWithStray,
    /// Signed by a key that is not the leaf's.
    Forged,
    Self_,
    None,
    /// A format that is none of ours.
    Other,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            challenge: None,
            origin: super::ORIGIN.into(),
            kind: "webauthn.create".into(),
            cross_origin: false,
            rp_id: super::RP_ID.into(),
            flags: 0xC5,
            aaguid: AAGUID,
            credential_id: vec![0xC1; 32],
            algorithm: -7,
            attestation: Attestation::Packed,
            stated_id: None,
            display_name: "blue key".into(),
        }
    }
}

impl Maker {
    pub fn new(name: &str) -> Self {
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.distinguished_name
            .push(DnType::CommonName, format!("{name} root"));
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_key = KeyPair::generate().unwrap();
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let issuer = Issuer::new(root, root_key);

        let mut leaf = CertificateParams::new(Vec::new()).unwrap();
        let subject = &mut leaf.distinguished_name;
        subject.push(DnType::CountryName, "DE");
        subject.push(DnType::OrganizationName, name);
        subject.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        subject.push(DnType::CommonName, format!("{name} batch"));
        leaf.is_ca = IsCa::ExplicitNoCa;
        let octets = [&[0x04, 16][..], &AAGUID].concat();
        leaf.custom_extensions = vec![CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4],
            octets,
        )];
        let leaf_key = KeyPair::generate().unwrap();
        let leaf_der = leaf.signed_by(&leaf_key, &issuer).unwrap().der().to_vec();
        Self {
            root_pem,
            leaf: leaf_key,
            leaf_der,
        }
    }

    /// What a client posts after asking a new key of this maker.
    pub fn register(&self, options: &CreationOptionsReply, manner: &Manner) -> NewFido2Method {
        self.register_pair(options, manner, &KeyPair::generate().unwrap())
    }

    /// The same for a key pair that signs in later.
    pub fn register_pair(
        &self,
        options: &CreationOptionsReply,
        manner: &Manner,
        credential: &KeyPair,
    ) -> NewFido2Method {
        let challenge = manner
            .challenge
            .clone()
            .unwrap_or_else(|| options.public_key.challenge.0.clone());
        let client_data = json!({
            "type": manner.kind,
            "challenge": Base64Url(challenge).to_string(),
            "origin": manner.origin,
            "crossOrigin": manner.cross_origin,
        })
        .to_string()
        .into_bytes();
        let auth_data = auth_data(manner, credential);
        let signed = [&auth_data[..], &Sha256::digest(&client_data)].concat();
        let statement = self.statement(manner, credential, &signed);
        let format = match manner.attestation {
            Attestation::None => "none",
            Attestation::Other => "tpm",
            _ => "packed",
        };
        let object = Cbor::Map(vec![
            (text("fmt"), text(format)),
            (text("attStmt"), Cbor::Map(statement)),
            (text("authData"), Cbor::Bytes(auth_data)),
        ]);
        let mut attestation_object = Vec::new();
        ciborium::into_writer(&object, &mut attestation_object).unwrap();
        NewFido2Method {
            display_name: manner.display_name.clone(),
            public_key_credential: PublicKeyCredential {
                id: manner
                    .stated_id
                    .clone()
                    .unwrap_or_else(|| Base64Url(manner.credential_id.clone()).to_string()),
                response: AttestationResponse {
                    client_data_json: Base64Url(client_data),
                    attestation_object: Base64Url(attestation_object),
                    transports: vec!["usb".into()],
                },
                client_extension_results: Some(json!({"hmacCreateSecret": true})),
            },
        }
    }

    fn statement(&self, manner: &Manner, credential: &KeyPair, signed: &[u8]) -> Vec<(Cbor, Cbor)> {
        let signer = match manner.attestation {
            Attestation::None | Attestation::Other => return Vec::new(),
            Attestation::Packed | Attestation::PackedWithStray => &self.leaf,
            Attestation::Forged | Attestation::Self_ => credential,
        };
        let mut statement = vec![
            (text("alg"), Cbor::from(-7)),
            (text("sig"), Cbor::Bytes(signer.sign(signed).unwrap())),
        ];
        let mut x5c = vec![Cbor::Bytes(self.leaf_der.clone())];
        if manner.attestation == Attestation::PackedWithStray {
            x5c.push(Cbor::Bytes(vec![0xAA; 32]));
        }
        if manner.attestation != Attestation::Self_ {
            statement.push((text("x5c"), Cbor::Array(x5c)));
        }
        statement
    }
}

fn auth_data(manner: &Manner, credential: &KeyPair) -> Vec<u8> {
    let mut bytes = Sha256::digest(manner.rp_id.as_bytes()).to_vec();
    bytes.push(manner.flags);
    bytes.extend(1_u32.to_be_bytes());
    bytes.extend(manner.aaguid);
    bytes.extend(
        u16::try_from(manner.credential_id.len())
            .unwrap()
            .to_be_bytes(),
    );
    bytes.extend(&manner.credential_id);
    let point = credential.der_bytes();
    let cose = Cbor::Map(vec![
        (Cbor::from(1), Cbor::from(2)),
        (Cbor::from(3), Cbor::from(manner.algorithm)),
        (Cbor::from(-1), Cbor::from(1)),
        (Cbor::from(-2), Cbor::Bytes(point[1..33].to_vec())),
        (Cbor::from(-3), Cbor::Bytes(point[33..65].to_vec())),
    ]);
    ciborium::into_writer(&cose, &mut bytes).unwrap();
    if manner.flags & 0x80 != 0 {
        let extensions = Cbor::Map(vec![
            (text("credProtect"), Cbor::from(1)),
            (text("hmac-secret"), Cbor::Bool(true)),
        ]);
        ciborium::into_writer(&extensions, &mut bytes).unwrap();
    }
    bytes
}

fn text(value: &str) -> Cbor {
    Cbor::Text(value.into())
}

/// The `publicKey` options as JSON, for looking at.
pub fn as_json(options: &CreationOptionsReply) -> Value {
    serde_json::to_value(options).unwrap()
}
