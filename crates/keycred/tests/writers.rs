//! Each known writer's shape, rebuilt here, is recognised.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::*;
use keycred::fingerprint::{Context, ObjectKind, Writer, WriterKind, writers};
use keycred::{Blob, BlobBuilder, Draft, EntryId, KeySource, KeyTime, KeyUsage, Version};
use types::Guid;

fn check(blob: &Blob<'_>, object: Option<ObjectKind>, expect: &[Writer]) {
    let context = Context {
        object,
        lower_case_hex: Some(true),
    };
    let likely = writers(blob, context);
    let mut got: Vec<_> = likely.iter().map(|likely| likely.writer.id()).collect();
    let mut expect: Vec<_> = expect.iter().map(|writer| writer.id()).collect();
    got.sort_unstable();
    expect.sort_unstable();
    assert_eq!(got, expect);
    assert!(likely.iter().all(|likely| !likely.reasons.is_empty()));
}

/// The same blob with another KeyHash.
fn rehashed(draft: &Draft, hash: [u8; 32]) -> Blob<'static> {
    let blob = draft.to_blob().unwrap();
    let mut builder = BlobBuilder::new(Version::V2);
    for entry in blob.entries() {
        let value = if entry.id == EntryId::KEY_HASH {
            &hash[..]
        } else {
            entry.value
        };
        builder = builder.entry(entry.id, value).unwrap();
    }
    builder.build()
}

fn hash_of_key_id(draft: &Draft) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(&draft.key_id).into()
}

fn big_endian() -> Guid {
    Guid::from_bytes_le(device().to_bytes_be())
}

fn random_bytes() -> Guid {
    Guid::from_bytes_le([0x11; 16])
}

/// Truncated to what a floating-point clock gives.
fn floating(raw: Option<u64>, step: u64) -> Option<u64> {
    raw.map(|raw| raw - raw % step)
}

fn odd_ticks() -> Option<u64> {
    KeyTime::filetime(moment()).map(|raw| raw | 1)
}

fn year_one() -> Option<u64> {
    moment().dotnet_ticks().map(|raw| raw - raw % 128)
}

fn attack_2026(device_id: Option<Guid>, created: Option<u64>) -> Draft {
    Draft {
        device_id,
        custom_key_information: Some(vec![1, 2]),
        created,
        ..Draft::hashed(rsa_material(), KeyUsage::NGC, KeySource::AD)
    }
}

fn attack_old(device_id: Guid, created: Option<u64>) -> Draft {
    Draft {
        device_id: Some(device_id),
        created,
        last_logon: created,
        ..ad_ngc()
    }
}

#[test]
fn platform() {
    check(&cloud_ngc().to_blob().unwrap(), None, &[Writer::CloudSync]);
    check(&fido().to_blob().unwrap(), None, &[Writer::CloudSync]);
    let both = [Writer::WindowsUser, Writer::Whisker];
    check(&ad_ngc().to_blob().unwrap(), Some(ObjectKind::User), &both);
    let later = KeyTime::filetime(moment().plus_seconds(86_400));
    let used = Draft {
        last_logon: later,
        ..ad_ngc()
    };
    check(&used.to_blob().unwrap(), None, &[Writer::WindowsUser]);

    let computer = Draft {
        created: odd_ticks(),
        ..Draft::hashed(pkcs1(&modulus(256)), KeyUsage::NGC, KeySource::AD)
    };
    let blob = computer.to_blob().unwrap();
    check(
        &blob,
        Some(ObjectKind::Computer),
        &[Writer::WindowsComputer],
    );
    check(&blob, Some(ObjectKind::User), &[]);
    let by_drs = Draft {
        last_logon: computer.created,
        ..computer
    };
    let both = [Writer::WindowsComputer, Writer::DrsWriteNgcKey];
    check(&by_drs.to_blob().unwrap(), None, &both);
}

#[test]
fn tools() {
    let check = |blob: Blob<'_>, expect: &[Writer]| check(&blob, Some(ObjectKind::User), expect);
    let draft = attack_old(random_bytes(), odd_ticks());
    check(draft.to_blob().unwrap(), &[Writer::PydsinternalsUser]);
    let draft = attack_2026(Some(random_bytes()), odd_ticks());
    check(draft.to_blob().unwrap(), &[Writer::PydsinternalsComputer]);

    let floats = floating(KeyTime::filetime(moment()), 16);
    let draft = attack_old(big_endian(), floats);
    check(draft.to_blob().unwrap(), &[Writer::Impacket0130]);
    check(
        rehashed(&draft, hash_of_key_id(&draft)),
        &[Writer::Certipy50],
    );
    let draft = attack_old(big_endian(), year_one());
    check(
        rehashed(&draft, hash_of_key_id(&draft)),
        &[Writer::Impacket012],
    );
    let draft = attack_2026(Some(big_endian()), floats);
    check(
        draft.to_blob().unwrap(),
        &[Writer::Impacket0131, Writer::Keycred],
    );
    let draft = attack_2026(Some(big_endian()), odd_ticks());
    check(draft.to_blob().unwrap(), &[Writer::Keycred]);
    let draft = attack_2026(None, odd_ticks());
    check(draft.to_blob().unwrap(), &[Writer::Keycred]);
    let draft = attack_2026(Some(big_endian()), year_one());
    check(rehashed(&draft, [7; 32]), &[Writer::BloodyAd]);

    let draft = Draft {
        custom_key_information: None,
        ..attack_2026(Some(device()), odd_ticks())
    };
    check(draft.to_blob().unwrap(), &[Writer::PassTheCert]);
    let legacy = BlobBuilder::new(Version::V2)
        .entry(EntryId::KEY_ID, &[1; 32])
        .and_then(|b| b.entry(EntryId::KEY_MATERIAL, &rsa_material()))
        .unwrap();
    check(legacy.build(), &[Writer::BloodyAdLegacy]);

    let samba = Draft {
        source: None,
        created: odd_ticks(),
        ..Draft::hashed(
            spki(RSA_ALGORITHM, &pkcs1(&modulus(256))),
            KeyUsage::NGC,
            KeySource::AD,
        )
    };
    check(samba.to_blob().unwrap(), &[Writer::SambaTool]);
    let forged = Draft {
        created: odd_ticks(),
        ..cloud_ngc()
    };
    check(forged.to_blob().unwrap(), &[Writer::ForgedCloudKey]);
    assert_eq!(Writer::ForgedCloudKey.kind(), WriterKind::Attack);
}

#[test]
fn a_tool_of_2026_on_a_user_is_named_as_never_the_platform() {
    let blob = attack_2026(Some(random_bytes()), odd_ticks())
        .to_blob()
        .unwrap();
    let reasons = |object| {
        let context = Context {
            object: Some(object),
            lower_case_hex: None,
        };
        writers(&blob, context)[0].reasons.join("; ")
    };
    assert!(reasons(ObjectKind::User).contains("never written by the platform"));
    assert!(!reasons(ObjectKind::Computer).contains("never written by the platform"));
}
