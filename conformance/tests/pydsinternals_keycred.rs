//! pydsinternals, the library behind most Python tools for key credentials, reads what we write and the other way
//! round, on the values that it reads right: RSA keys from AD.
//!
//! It reads no cloud value right (times as FILETIME, FIDO and JSON keys as RSA), so of a converted
//! `searchableDeviceKey` only the fields that it understands are compared.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a judge's failure ends its test"
)]

use std::io::Write;
use std::process::{Command, Stdio};

use data_encoding::{BASE64, HEXLOWER};
use keycred::fingerprint::{Context, ObjectKind, Writer, writers};
use keycred::{Blob, DnBinary, Draft, KeyMaterial, PublicKey, SearchableDeviceKey};
use serde_json::{Value, json};
use types::{Entropy, Guid, SeededEntropy, Timestamp};

const DN: &str = "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com";

/// Runs a script with lines on its standard input, and reads its standard output as JSON.
fn python(script: &str, lines: &[String]) -> Value {
    let mut child = Command::new(conformance::peers::python())
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.join("\n").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pydsinternals failed: {complaint}");
    serde_json::from_slice(&output.stdout).unwrap()
}

const READ: &str = r"
import sys, json
from dsinternals.common.data.DNWithBinary import DNWithBinary
from dsinternals.common.data.hello.KeyCredential import KeyCredential
out = []
for line in sys.stdin.buffer.read().split(b'\n'):
    key = KeyCredential.fromDNWithBinary(DNWithBinary.fromRawDNWithBinary(line))
    out.append({
        'keyId': key.Identifier,
        'usage': key.Usage.value,
        'source': key.Source.value,
        'deviceId': key.DeviceId.toFormatD(),
        'modulus': '%x' % key.RawKeyMaterial.modulus,
        'exponent': '%x' % key.RawKeyMaterial.exponent,
        'created': key.CreationTime.toTicks(),
        'lastLogon': key.LastLogonTime.toTicks(),
        'flags': key.CustomKeyInfo.Flags.value,
        'keyHash': key.KeyHash.hex(),
        'hashHolds': key.verifyHash(),
        'bytes': key.toByteArray().hex(),
        'owner': key.Owner,
    })
json.dump(out, sys.stdout)
";

fn rsa_material(entropy: &mut SeededEntropy) -> Vec<u8> {
    let mut modulus = [0; 256];
    entropy.fill(&mut modulus);
    modulus[0] |= 0x80;
    modulus[255] |= 1;
    let header = b"RSA1\0\x08\0\0\x03\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\x01\0\x01";
    [&header[..], &modulus].concat()
}

fn guid(entropy: &mut SeededEntropy) -> Guid {
    let mut random = [0; 16];
    entropy.fill(&mut random);
    Guid::v4(random)
}

/// What we read, in the words of the script above.
fn ours(line: &str) -> Value {
    let value: DnBinary = line.parse().unwrap();
    let blob = Blob::decode(&value.binary).unwrap();
    let key = blob.credential();
    let material = key.material().unwrap().unwrap();
    let Some(PublicKey::Rsa(rsa)) = material.public_key() else {
        panic!("not an RSA key")
    };
    let number = |bytes: &[u8]| HEXLOWER.encode(bytes).trim_start_matches('0').to_owned();
    json!({
        "keyId": BASE64.encode(key.key_id().unwrap()),
        "usage": key.usage().unwrap().0,
        "source": key.source().unwrap().0,
        "deviceId": key.device_id().unwrap().to_string(),
        "modulus": number(&rsa.modulus),
        "exponent": number(&rsa.exponent),
        "created": key.created().unwrap().raw,
        "lastLogon": key.last_logon().unwrap().raw,
        "flags": key.custom_key_information().unwrap().flags().unwrap().0,
        "keyHash": HEXLOWER.encode(key.raw(keycred::EntryId::KEY_HASH).unwrap()),
        "hashHolds": key.key_hash_check().holds(),
        "bytes": HEXLOWER.encode(blob.as_bytes()),
        "owner": value.dn,
    })
}

#[test]
fn it_reads_what_we_write_as_we_do() {
    let mut entropy = SeededEntropy::new(1);
    let lines: Vec<String> = (0..200)
        .map(|number| {
            let created = Timestamp::parse_rfc3339("2026-06-10T05:06:07.1234567Z").unwrap();
            let created = created.plus_seconds(number * 86_413);
            let draft =
                Draft::registered_in_ad(rsa_material(&mut entropy), guid(&mut entropy), created);
            DnBinary::new(draft.to_blob().unwrap().into_bytes(), DN).to_string()
        })
        .collect();
    let theirs = python(READ, &lines);
    for (line, theirs) in lines.iter().zip(theirs.as_array().unwrap()) {
        assert_eq!(&ours(line), theirs);
    }
    println!(
        "{} values of ours, read alike by pydsinternals in 13 fields",
        lines.len()
    );
}

#[test]
fn we_read_what_it_writes_and_recognise_its_hand() {
    const WRITE: &str = r"
import sys, json
from dsinternals.common.cryptography.RSAKeyMaterial import RSAKeyMaterial
from dsinternals.common.data.hello.KeyCredential import KeyCredential
from dsinternals.system.DateTime import DateTime
from dsinternals.system.Guid import Guid
out = []
for line in sys.stdin.read().split('\n'):
    modulus, device, ticks, computer = line.split()
    material = RSAKeyMaterial(int(modulus, 16), 65537, 2048)
    key = KeyCredential(material, Guid.fromFormatD(device), 'CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com',
                        DateTime(int(ticks)), isComputerKey=computer == '1')
    if computer == '1':
        key.LastLogonTime = None
    out.append(key.toDNWithBinary().toString())
json.dump(out, sys.stdout)
";
    let mut entropy = SeededEntropy::new(2);
    let created = Timestamp::parse_rfc3339("2026-03-04T05:06:07.1234567Z").unwrap();
    let lines: Vec<String> = (0..100)
        .map(|number| {
            let modulus = HEXLOWER.encode(&rsa_material(&mut entropy)[27..]);
            // Its callers give it random digits as a device, not a version 4 GUID.
            let device = format!("6f1d2c3b-{number:04}-1111-7777-00000000000{}", number % 10);
            format!(
                "{modulus} {device} {} {}",
                created.ticks() + number,
                number % 2
            )
        })
        .collect();
    let theirs = python(WRITE, &lines);
    for (number, value) in theirs.as_array().unwrap().iter().enumerate() {
        let text = value.as_str().unwrap();
        let read: DnBinary = text.parse().unwrap();
        // Its hex is in lower case, a directory's in upper.
        assert_eq!(read.to_string().to_lowercase(), text.to_lowercase());
        let blob = Blob::decode(&read.binary).unwrap();
        let key = blob.credential();
        assert!(key.key_hash_check().holds());
        assert_eq!(key.key_id_check(), keycred::KeyIdCheck::Sha256OfMaterial);
        assert!(matches!(
            key.material(),
            Some(Ok(KeyMaterial::BcryptRsa(_)))
        ));
        let context = Context {
            object: Some(ObjectKind::User),
            lower_case_hex: Some(true),
        };
        let expect = match number % 2 {
            0 => Writer::PydsinternalsUser,
            _ => Writer::PydsinternalsComputer,
        };
        let likely: Vec<_> = writers(&blob, context)
            .iter()
            .map(|likely| likely.writer)
            .collect();
        assert_eq!(likely, [expect]);
    }
    println!("100 values of pydsinternals, read and recognised");
}

#[test]
fn a_converted_cloud_key_is_the_same_key_to_it() {
    const READ_CLOUD: &str = r"
import sys, json, struct, io
from dsinternals.common.data.hello.KeyCredentialEntryType import KeyCredentialEntryType as T
from dsinternals.common.cryptography.RSAKeyMaterial import RSAKeyMaterial
from dsinternals.common.data.DNWithBinary import DNWithBinary
from dsinternals.system.Guid import Guid
import hashlib, base64
out = []
for line in sys.stdin.buffer.read().split(b'\n'):
    data = DNWithBinary.fromRawDNWithBinary(line).BinaryData
    stream, entries = io.BytesIO(data[4:]), {}
    while header := stream.read(3):
        length, kind = struct.unpack('<HB', header)
        entries[T(kind)] = stream.read(length)
        if T(kind) == T.KeyHash:
            rest = data[4 + stream.tell():]
    material = RSAKeyMaterial.fromRawBytes(entries[T.KeyMaterial])
    out.append({
        'keyIdentifier': base64.b64encode(entries[T.KeyID]).decode(),
        'modulus': '%x' % material.modulus,
        'deviceId': Guid.fromRawBytes(entries[T.DeviceId]).toFormatD(),
        'hashHolds': hashlib.sha256(rest).digest() == entries[T.KeyHash],
        'order': [kind.value for kind in entries],
    })
json.dump(out, sys.stdout)
";
    let mut entropy = SeededEntropy::new(3);
    let keys: Vec<SearchableDeviceKey> = (0..50)
        .map(|_| {
            let material = rsa_material(&mut entropy);
            let draft = Draft::hashed(
                &material[..],
                keycred::KeyUsage::NGC,
                keycred::KeySource::AZURE_AD,
            );
            let json = json!({
                "usage": "NGC",
                "keyIdentifier": BASE64.encode(&draft.key_id),
                "keyMaterial": BASE64.encode(&material),
                "creationTime": "2026-03-04T05:06:07.1234567Z",
                "deviceId": guid(&mut entropy),
                "customKeyInformation": "AQAAAAACAAAAAAAAAAAA",
                "fidoAaGuid": null,
                "fidoAuthenticatorVersion": null,
                "fidoAttestationCertificates": [],
            });
            serde_json::from_value(json).unwrap()
        })
        .collect();
    let lines: Vec<String> = keys
        .iter()
        .map(|key| DnBinary::new(key.to_blob().unwrap().into_bytes(), DN).to_string())
        .collect();
    let theirs = python(READ_CLOUD, &lines);
    for (key, theirs) in keys.iter().zip(theirs.as_array().unwrap()) {
        let modulus = HEXLOWER.encode(&key.key_material[27..]);
        let expect = json!({
            "keyIdentifier": BASE64.encode(&key.key_identifier),
            "modulus": modulus.trim_start_matches('0'),
            "deviceId": key.device_id.unwrap().to_string(),
            "hashHolds": true,
            "order": [1, 2, 3, 4, 5, 6, 7, 8, 9],
        });
        assert_eq!(&expect, theirs);
    }
    println!(
        "{} cloud keys converted; pydsinternals' parts read the same keys",
        keys.len()
    );
}
