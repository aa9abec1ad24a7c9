//! Values as each writer shapes them, and the records that tell of them.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file takes what it needs"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may stop"
)]

use std::fmt::Write as _;

use cloud_api::devicekeys::DeltaUser;
use detect::{Baseline, CloudKeys, Sighting, Verdict, judge};
use events::{
    Change, ChangedValue, DeniedWrite, ObjectName, Operation, Origin, Receipt, ReceiptState,
    Record, Subject,
};
use keycred::{
    Blob, BlobBuilder, Draft, EntryId, FidoKeyMaterial, KeySource, KeyTime, KeyUsage,
    SearchableDeviceKey, Version,
};
use types::{Entropy, Guid, SeededEntropy, Sid, Timestamp};

pub const USER_DN: &str = "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com";
pub const COMPUTER_DN: &str = "CN=WS1,CN=Computers,DC=corp,DC=contoso,DC=com";
pub const CONNECTOR: u32 = 1105;
pub const STRANGER: u32 = 1666;
pub const USER: u32 = 1200;
pub const COMPUTER: u32 = 1300;
pub const FEDERATION: u32 = 1106;

pub fn sid(rid: u32) -> Sid {
    "S-1-5-21-1-2-3".parse::<Sid>().unwrap().with_rid(rid)
}

pub fn guid(number: u8) -> Guid {
    Guid::v4([number; 16])
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("2026-06-10T{text}Z")).unwrap()
}

pub fn random<const N: usize>(seed: u64) -> [u8; N] {
    let mut bytes = [0; N];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

/// An RSA-2048 public key as BCRYPT_RSAPUBLIC_BLOB.
pub fn rsa1(seed: u64) -> Vec<u8> {
    let mut material = b"RSA1".to_vec();
    for number in [2048_u32, 3, 256, 0, 0] {
        material.extend(number.to_le_bytes());
    }
    material.extend([1, 0, 1]);
    material.extend(modulus(seed));
    material
}

/// The same as PKCS#1.
pub fn pkcs1(seed: u64) -> Vec<u8> {
    let mut material = vec![0x30, 0x82, 0x01, 0x0A, 0x02, 0x82, 0x01, 0x01, 0x00];
    material.extend(modulus(seed));
    material.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
    material
}

fn modulus(seed: u64) -> [u8; 256] {
    let mut modulus: [u8; 256] = random(seed);
    modulus[0] |= 0x80;
    modulus[255] |= 1;
    modulus
}

fn v4_big_endian(seed: u64) -> Guid {
    Guid::from_bytes_le(Guid::v4(random(seed)).to_bytes_be())
}

/// Seconds held as a double and times ten million: a multiple of 16 ticks.
fn float_ticks(moment: Timestamp) -> u64 {
    KeyTime::filetime(moment).unwrap() & !0xF
}

/// What each writer makes. The names are those of the table in keycred.
pub fn shape(writer: &str, seed: u64, created: Timestamp) -> Vec<u8> {
    let ad = |material| Draft::hashed(material, KeyUsage::NGC, KeySource::AD);
    let filetime = KeyTime::filetime(created);
    let draft = match writer {
        "whisker" => Draft::registered_in_ad(rsa1(seed), Guid::v4(random(seed)), created),
        "impacket 0.13.0" => Draft {
            device_id: Some(v4_big_endian(seed)),
            custom_key_information: Some(vec![1, 0]),
            last_logon: Some(float_ticks(created)),
            created: Some(float_ticks(created)),
            ..ad(rsa1(seed))
        },
        "impacket 0.13.1" => Draft {
            device_id: Some(v4_big_endian(seed)),
            custom_key_information: Some(vec![1, 2]),
            created: Some(float_ticks(created)),
            ..ad(rsa1(seed))
        },
        "keycred" => Draft {
            device_id: Some(v4_big_endian(seed)),
            custom_key_information: Some(vec![1, 2]),
            created: filetime.map(|ticks| ticks | 1),
            ..ad(rsa1(seed))
        },
        "pydsinternals user" => Draft {
            device_id: Some("6f1d2c3b-9999-1111-7777-000000000001".parse().unwrap()),
            custom_key_information: Some(vec![1, 0]),
            last_logon: filetime,
            created: filetime,
            ..ad(rsa1(seed))
        },
        "pydsinternals computer" => Draft {
            device_id: Some("6f1d2c3b-9999-1111-7777-000000000001".parse().unwrap()),
            custom_key_information: Some(vec![1, 2]),
            created: filetime,
            ..ad(rsa1(seed))
        },
        "passthecert" => Draft {
            device_id: Some(Guid::v4(random(seed))),
            created: filetime,
            ..ad(rsa1(seed))
        },
        "drs" => Draft {
            last_logon: filetime,
            created: filetime,
            ..ad(rsa1(seed))
        },
        "windows computer" => Draft {
            custom_key_information: Some(vec![1, 2]),
            created: filetime,
            ..ad(pkcs1(seed))
        },
        "forged cloud" => Draft {
            source: Some(KeySource::AZURE_AD),
            device_id: Some(Guid::v4(random(seed))),
            custom_key_information: Some(vec![1, 0]),
            last_logon: filetime,
            created: filetime,
            ..ad(rsa1(seed))
        },
        "cloud ngc" => return cloud_ngc(seed, created).to_blob().unwrap().encode(),
        "cloud fido" => return cloud_fido(seed, created).to_blob().unwrap().encode(),
        "impacket 0.12" => return wrong_hash(seed, &[1, 0]),
        "bloodyad" => return wrong_hash(seed, &[1, 2]),
        other => panic!("no shape '{other}'"),
    };
    draft.to_blob().unwrap().encode()
}

/// Tools that hash the KeyID instead of what follows.
fn wrong_hash(seed: u64, information: &[u8]) -> Vec<u8> {
    let material = rsa1(seed);
    let draft = Draft::hashed(material.clone(), KeyUsage::NGC, KeySource::AD);
    // Seconds since year 1 held as a double: the year 3625 when read as FILETIME.
    let ticks = 639_000_000_000_000_000_u64 & !0x7F;
    BlobBuilder::new(Version::V2)
        .entry(EntryId::KEY_ID, &draft.key_id)
        .and_then(|b| b.entry(EntryId::KEY_HASH, &[7; 32]))
        .and_then(|b| b.entry(EntryId::KEY_MATERIAL, &material))
        .and_then(|b| b.entry(EntryId::KEY_USAGE, &[1]))
        .and_then(|b| b.entry(EntryId::KEY_SOURCE, &[0]))
        .and_then(|b| b.entry(EntryId::DEVICE_ID, &v4_big_endian(seed).to_bytes_le()))
        .and_then(|b| b.entry(EntryId::CUSTOM_KEY_INFORMATION, information))
        .and_then(|b| b.entry(EntryId::CREATED, &ticks.to_le_bytes()))
        .unwrap()
        .build()
        .encode()
}

pub fn cloud_ngc(seed: u64, created: Timestamp) -> SearchableDeviceKey {
    let draft = Draft::hashed(rsa1(seed), KeyUsage::NGC, KeySource::AZURE_AD);
    SearchableDeviceKey {
        usage: KeyUsage::NGC,
        key_identifier: draft.key_id,
        key_material: draft.key_material,
        creation_time: created,
        device_id: Some(Guid::v4(random(seed))),
        custom_key_information: Some(vec![1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        fido_aa_guid: None,
        fido_authenticator_version: None,
        fido_attestation_certificates: Vec::new(),
    }
}

pub fn cloud_fido(seed: u64, created: Timestamp) -> SearchableDeviceKey {
    let credential: [u8; 16] = random(seed);
    let mut auth_data = vec![0x11; 32];
    auth_data.push(0x45);
    auth_data.extend([0, 0, 0, 1]);
    auth_data.extend([0x22; 16]);
    auth_data.extend([0, 16]);
    auth_data.extend(credential);
    // COSE EC2 key, ES256, P-256.
    auth_data.extend([0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
    auth_data.extend(random::<32>(seed + 1));
    auth_data.extend([0x22, 0x58, 32]);
    auth_data.extend(random::<32>(seed + 2));
    SearchableDeviceKey {
        usage: KeyUsage::FIDO,
        key_identifier: credential.to_vec(),
        key_material: FidoKeyMaterial::encode(&auth_data, &[], "Test key"),
        device_id: Some(Guid::ZERO),
        custom_key_information: Some(vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        fido_aa_guid: Some(Guid::from_bytes_be([0x22; 16])),
        ..cloud_ngc(seed, created)
    }
}

/// A change log that numbers and names what happens in it.
pub struct Log {
    pub records: Vec<Record>,
    operation: u8,
}

impl Log {
    pub fn new() -> Self {
        Self {
            records: Vec::new(),
            operation: 100,
        }
    }

    /// Everything from here on belongs to another LDAP operation.
    pub fn next_operation(&mut self) {
        self.operation += 1;
    }

    pub fn write(
        &mut self,
        time: Timestamp,
        writer: u32,
        object: ObjectName,
        operation: Operation,
        value: &[u8],
    ) {
        let change = Change {
            origin: self.origin(time, writer),
            attribute: detect::ATTRIBUTE.to_owned(),
            syntax: "2.5.5.7".to_owned(),
            operation,
            value: ChangedValue::DnBinary {
                data: value.to_vec(),
                dn: object.dn.clone(),
            },
            object,
        };
        self.records.push(Record::Change(change));
    }

    pub fn deny(&mut self, time: Timestamp, writer: u32, object: ObjectName) {
        let denied = DeniedWrite {
            origin: self.origin(time, writer),
            object,
            class_guid: guid(1),
            attribute: Some(detect::ATTRIBUTE.to_owned()),
            attribute_guid: detect::ATTRIBUTE_GUID.parse().ok(),
            access_mask: 0x20,
        };
        self.records.push(Record::DeniedWrite(denied));
    }

    fn origin(&self, time: Timestamp, writer: u32) -> Origin {
        let name = match writer {
            CONNECTOR => "svc-sync",
            COMPUTER => "WS1$",
            USER => "testuser",
            FEDERATION => "svc-adfs",
            _ => "mallory",
        };
        Origin {
            format: events::ChangeFormat,
            record_id: u64::try_from(self.records.len()).unwrap() + 1,
            time,
            computer: "dc1.corp.contoso.com".into(),
            domain: "corp.contoso.com".into(),
            operation_id: guid(self.operation),
            usn: 4711,
            subject: Subject {
                sid: sid(writer),
                name: name.into(),
                domain: "CORP".into(),
                logon_id: 0x3E7,
            },
            remote: Some("10.0.0.5:50123".into()),
        }
    }

    pub fn own(&self) -> String {
        self.records
            .iter()
            .map(|record| events::to_line(record).unwrap())
            .collect()
    }

    pub fn windows(&self) -> String {
        let mut text = String::new();
        for record in &self.records {
            writeln!(text, "{}", events::WindowsEvent::from(record).to_json()).unwrap();
        }
        text
    }

    pub fn sightings(&self) -> Vec<Sighting> {
        Sighting::from_records("log", &self.records)
    }

    pub fn judge(&self, baseline: &Baseline) -> Vec<Verdict> {
        judge(&self.sightings(), baseline)
    }

    pub fn judge_windows(&self, baseline: &Baseline) -> Vec<Verdict> {
        let read = detect::read::changes("log", self.windows().as_bytes());
        assert_eq!(read.broken, []);
        judge(&read.sightings, baseline)
    }
}

pub fn user() -> ObjectName {
    ObjectName {
        guid: guid(20),
        dn: USER_DN.into(),
        class: "user".into(),
        sid: Some(sid(USER)),
    }
}

pub fn other_user(number: u8) -> ObjectName {
    ObjectName {
        guid: guid(number),
        dn: format!("CN=User {number},OU=Users,DC=corp,DC=contoso,DC=com"),
        class: "user".into(),
        sid: Some(sid(5000 + u32::from(number))),
    }
}

pub fn computer() -> ObjectName {
    ObjectName {
        guid: guid(30),
        dn: COMPUTER_DN.into(),
        class: "computer".into(),
        sid: Some(sid(COMPUTER)),
    }
}

/// Only the connector's account is known.
pub fn accounts() -> Baseline {
    let mut baseline = Baseline::default();
    baseline.add_connector(sid(CONNECTOR));
    baseline
}

/// Accounts, the cloud's keys of the user, and the receipts of these writes.
pub fn whole(keys: Vec<SearchableDeviceKey>, receipts: Vec<Receipt>) -> Baseline {
    let mut baseline = accounts();
    baseline.set_cloud(CloudKeys::new([cloud_user(user().guid, keys)]));
    baseline.add_receipts(receipts);
    baseline
}

pub fn cloud_user(object: Guid, keys: Vec<SearchableDeviceKey>) -> DeltaUser {
    let text = serde_json::json!({
        "id": "u1", "userPrincipalName": "testuser@corp.contoso.com",
        "onPremisesImmutableId": cloud_api::users::source_anchor(object),
        "searchableDeviceKey": keys,
    });
    serde_json::from_value(text).unwrap()
}

pub fn receipt(
    time: Timestamp,
    object: &ObjectName,
    operation: Operation,
    value: &[u8],
) -> Receipt {
    let value_sha256 = ChangedValue::Binary {
        data: value.to_vec(),
    }
    .sha256();
    Receipt {
        format: events::ReceiptFormat,
        sequence: 1,
        time,
        cycle: 3,
        connector: Some(sid(CONNECTOR)),
        target: "ldap://dc1.corp.contoso.com".into(),
        object_guid: object.guid,
        object_dn: object.dn.clone(),
        attribute: detect::ATTRIBUTE.to_owned(),
        operation,
        value_sha256,
        value_length: value.len(),
        rule: "Out to AD - User NGCKey".into(),
        cloud_object: "u1".into(),
        state: ReceiptState::Confirmed,
    }
}

pub fn blob_is_sound(bytes: &[u8]) -> bool {
    Blob::decode(bytes).is_ok()
}
