//! Credential caches that we write, read by MIT Kerberos' own tools and filled by them: FILE, DIR and KEYRING. Our KDC gives
//! the tickets; `klist` lists them, `kvno` gets further ones with them and puts them beside ours.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod ccache_judged;
mod kdc_served;

use std::process::Command;

use ccache_judged::Judged;
use kerberos::files::{CredentialCache, Principal};
use machine::ccache::{CacheError, CacheName};

/// A name that no other program uses, so that a developer's own tickets stay.
fn keyring() -> String {
    let uid = uid();
    format!("KEYRING:persistent:{uid}:judged_{}", std::process::id())
}

fn uid() -> u32 {
    let said = conformance::Said::of(Command::new("id").arg("-u"), "").well();
    said.trim().parse().unwrap()
}

#[test]
fn mit_reads_what_we_write_and_we_read_what_it_adds() {
    let judged = Judged::new();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    for name in [
        format!("FILE:{place}/cache"),
        format!("DIR:{place}/caches"),
        format!("DIR::{place}/caches/tkt2"),
        keyring(),
    ] {
        judged.a_life(&name, "");
    }
    // The directory's first cache is its primary one.
    let primary = std::fs::read_to_string(folder.path().join("caches/primary"));
    assert_eq!(primary.unwrap(), "tkt\n");
}

#[test]
fn whoever_reads_while_a_cache_is_replaced_finds_the_old_one_or_the_new_one() {
    let judged = Judged::new();
    let folder = tempfile::tempdir().unwrap();
    let file = format!("FILE:{}", folder.path().join("cache").display());
    let mut keyring = keyring();
    keyring.push_str("_races");
    for name in [file, keyring] {
        judged.a_race(&CacheName::parse(&name).unwrap());
    }
}

#[test]
fn a_cache_of_mit_keeps_its_configuration() {
    let judged = Judged::new();
    for name in [judged.file("configured"), keyring() + "_configured"] {
        // kinit writes entries of its own: how it proved itself, and whether the KDC knows FAST.
        let mut kinit = judged.mit("kinit", &name, "");
        let password = format!("{}\n", kdc_served::PASSWORD);
        conformance::Said::of(kinit.arg("testuser"), &password).well();
        let cache = CacheName::parse(&name).unwrap();
        let before = cache.load().unwrap().unwrap();
        let entries = |cache: &CredentialCache| {
            let entries = cache.credentials.iter();
            let entries = entries.filter(|credential| credential.is_configuration());
            let mut names: Vec<_> = entries.map(|c| c.server.name.to_string()).collect();
            names.sort();
            names
        };
        assert!(!entries(&before).is_empty());
        let (principal, tickets) = judged.tickets();
        cache.store(&principal, &tickets).unwrap();
        let after = cache.load().unwrap().unwrap();
        assert_eq!(entries(&after), entries(&before));
        assert_eq!(after.tickets().count(), tickets.len());
        let listed = conformance::Said::of(judged.mit("klist", &name, "").arg("-C"), "").well();
        assert!(listed.contains("config: pa_type"), "{listed}");
        // Another principal's say nothing about this one.
        let other = Principal::user("somebody", kdc_served::REALM);
        cache.store(&other, &[]).unwrap();
        let after = cache.load().unwrap().unwrap();
        assert_eq!(entries(&after), Vec::<String>::new());
        // And a renewal for somebody who has not the cache any more changes nothing.
        assert!(matches!(
            cache.renew(&principal, &tickets),
            Err(CacheError::OtherPrincipal { .. })
        ));
        assert!(cache.destroy().unwrap());
        assert!(matches!(
            cache.renew(&principal, &tickets),
            Err(CacheError::Gone(_))
        ));
    }
}

#[test]
fn what_cannot_be_written_says_why_and_what_was_there_stays() {
    let judged = Judged::new();
    let (principal, tickets) = judged.tickets();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let refused = |name: &str| {
        let name = CacheName::parse(name).unwrap();
        let error = name.store(&principal, &tickets).unwrap_err();
        (error.to_string(), error.next())
    };
    let (why, next) = refused(&format!("FILE:{place}/none/cache"));
    assert!(why.contains("none/cache cannot be written"), "{why}");
    assert!(next.starts_with("make the directory"), "{next}");
    std::fs::create_dir(folder.path().join("caches")).unwrap();
    std::fs::write(folder.path().join("caches/primary"), "../../etc/passwd\n").unwrap();
    let (why, _) = refused(&format!("DIR:{place}/caches"));
    assert!(why.contains("begin with tkt"), "{why}");
    // A file that is no cache is no reason not to sign in; a link is replaced, not followed.
    let target = folder.path().join("target");
    std::fs::write(&target, "not tickets").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let name = CacheName::File(link.clone());
    assert!(matches!(name.load(), Err(CacheError::Malformed { .. })));
    name.store(&principal, &tickets).unwrap();
    assert!(link.symlink_metadata().unwrap().is_file());
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "not tickets");
    let mode = std::os::unix::fs::PermissionsExt::mode(&link.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// A user without privileges has little room for keys; and has a primary cache of its own, which nobody else uses.
#[test]
fn another_user_and_its_quota() {
    if uid() != 0 {
        println!("SKIPPED (not passed): another user needs root");
        return;
    }
    // The build's directory may be root's alone.
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("judge");
    std::fs::copy(std::env::current_exe().unwrap(), &own).unwrap();
    for path in [folder.path(), &own] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).unwrap();
    }
    let mut command = Command::new(conformance::peers::program("setpriv"));
    command
        .args(["--reuid=61234", "--regid=61234", "--clear-groups"])
        .arg(&own)
        .args(["--exact", "--ignored", "--nocapture", "as_another_user"])
        .env("KRB5_CONFIG", "/dev/null")
        .current_dir("/");
    let said = conformance::Said::of(&mut command, "").well();
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by another_user_and_its_quota, as that user"]
fn as_another_user() {
    let name = CacheName::parse("KEYRING:persistent:61234").unwrap();
    assert!(matches!(
        CacheName::parse("KEYRING:persistent:0"),
        Err(CacheError::OtherUser {
            wanted: 0,
            own: 61234
        })
    ));
    let (principal, ticket) = ccache_judged::any_ticket();
    let few = vec![ticket.clone(); 1];
    name.store(&principal, &few).unwrap();
    let klist = || {
        let mut command = Command::new(conformance::peers::program("klist"));
        command.env("KRB5CCNAME", "KEYRING:persistent:61234");
        conformance::Said::of(&mut command, "").well()
    };
    assert!(klist().contains("Ticket cache: KEYRING:persistent:61234:61234"));
    // Twenty tickets of two kilobytes are more than 20,000 bytes, where no key is a big one.
    let many: Vec<_> = (0..60_u8)
        .map(|number| {
            let mut ticket = ticket.clone();
            ticket.server = Principal::service(&format!("cifs/host{number}"), "KRBTEST.COM");
            ticket.ticket = vec![number; 2000];
            ticket
        })
        .collect();
    match name.store(&principal, &many) {
        Err(error @ CacheError::KeyQuota) => {
            assert!(error.next().contains("kernel.keys.maxbytes"));
            assert!(
                klist().contains("test/host@EXAMPLE.COM"),
                "the old cache is still there"
            );
        }
        Ok(()) => assert!(klist().contains("cifs/host59")),
        Err(error) => panic!("{error}"),
    }
    assert!(name.destroy().unwrap());
    assert_eq!(name.load().unwrap(), None);
}
