//! The state file: what is acknowledged is on disk, what is on disk can be read.
#![allow(clippy::disallowed_methods, reason = "a test is its own top floor")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{client, options, pin, register, secrets};
use ctap::Status;
use softkey::{AttestationAuthority, Error, Softkey, StateError};
use types::SeededEntropy;

fn open(path: &Path) -> Softkey {
    Softkey::open(path, options(1)).unwrap()
}

#[test]
fn secrets_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    let (before, root) = {
        let key = open(&path);
        let mut client = client(&key);
        client.set_pin(None, &pin("123456")).unwrap();
        register(&mut client, "testuser");
        (
            secrets(&mut client, Some(&pin("123456"))),
            key.attestation_root().to_vec(),
        )
    };
    let key = open(&path);
    let mut client = client(&key);
    assert_eq!(secrets(&mut client, Some(&pin("123456"))), before);
    assert_eq!(key.attestation_root(), root);
    assert_eq!(key.info().credentials, 1);
    #[cfg(unix)]
    {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_second_process_is_kept_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    let first = open(&path);
    let second = Softkey::open(&path, options(2));
    assert!(matches!(
        second,
        Err(Error::State(StateError::InUse { .. }))
    ));
    drop(first);
    open(&path);
}

#[test]
fn left_overs_of_a_kill_do_no_harm() {
    // A process killed while it writes leaves a half file under the temporary name, never under its own.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    client(&open(&path)).set_pin(None, &pin("123456")).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(
        directory.path().join("key.json.new"),
        &whole[..whole.len() / 2],
    )
    .unwrap();
    let key = open(&path);
    assert!(key.info().has_pin);
    register(&mut client(&key), "testuser");
    drop(key);
    assert_eq!(open(&path).info().credentials, 1);
}

#[test]
fn a_state_that_cannot_be_written_is_not_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    let key = open(&path);
    let mut client = client(&key);
    client.set_pin(None, &pin("123456")).unwrap();
    let on_disk = fs::read(&path).unwrap();

    let obstacle = directory.path().join("key.json.new");
    fs::create_dir(&obstacle).unwrap();
    let token = client.token(
        &pin("123456"),
        ctap::client_pin::Permissions(3),
        Some(common::RP_ID),
    );
    let mut request = common::request("testuser");
    // The token itself changes nothing on disk unless there were wrong PINs before.
    request.proof = Some(token.unwrap().prove(&request.client_data_hash));
    let refused = client.call(&request).unwrap_err();
    assert_eq!(refused.status(), Some(Status(0xF3)));
    assert_eq!(key.info().credentials, 0, "memory agrees with the disk");
    assert_eq!(fs::read(&path).unwrap(), on_disk);

    fs::remove_dir(&obstacle).unwrap();
    register(&mut client, "testuser");
    assert_eq!(key.info().credentials, 1);
}

#[test]
fn what_is_not_a_state_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    open(&path);
    let good = fs::read_to_string(&path).unwrap();
    let check = |contents: &str| {
        fs::write(&path, contents).unwrap();
        let Err(Error::State(error @ StateError::Corrupt { .. })) =
            Softkey::open(&path, options(1))
        else {
            panic!("accepted: {contents}");
        };
        assert!(error.to_string().contains("key.json"));
        assert_eq!(fs::read_to_string(&path).unwrap(), contents);
    };
    check("");
    check("{}");
    check(&good[..good.len() / 2]);
    check(&good.replace("tombolo-softkey", "other"));
    check(&good.replace("\"version\": 1", "\"version\": 2"));
    check(&good.replace("\"1\": \"", "\"1\": \"*"));
    fs::write(&path, &good).unwrap();
    open(&path);
}

#[test]
fn keys_of_one_maker_share_a_root() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    let own_root = open(&path).attestation_root().to_vec();
    let now = types::Clock::now(&*common::clock());
    let maker = AttestationAuthority::new(&mut SeededEntropy::new(5), now).unwrap();
    let issue = |seed| maker.issue(&mut SeededEntropy::new(seed), now).unwrap();
    let other = Softkey::in_memory(options(9).attestation(issue(6))).unwrap();
    let key = Softkey::open(&path, options(1).attestation(issue(7))).unwrap();
    assert_eq!(key.attestation_root(), maker.certificate());
    assert_eq!(other.attestation_root(), maker.certificate());
    assert_ne!(own_root, maker.certificate());
    drop(key);
    assert_eq!(
        open(&path).attestation_root(),
        maker.certificate(),
        "it is kept"
    );
}
