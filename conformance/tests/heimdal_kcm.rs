//! Caches at Heimdal's cache manager, `kcm`: written by us, read and added to by MIT's tools over the same socket.
//!
//! The manager knows one place for its socket, so it gets a `/run` of its own, in a mount namespace.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod ccache_judged;
mod kdc_served;

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ccache_judged::Judged;
use kerberos::files::{Credential, Principal};
use machine::ccache::{CacheError, CacheName};

/// The manager, until it is dropped.
struct Manager {
    server: Child,
    socket: PathBuf,
}

impl Manager {
    fn start() -> Self {
        let kcm = conformance::peers::unpacked("heimdal-kcm/usr/sbin/kcm");
        let libraries = conformance::peers::root().join(".peers/heimdal/usr/lib/x86_64-linux-gnu");
        let mut command = Command::new(conformance::peers::program("unshare"));
        // As root of a user namespace, where this is no root.
        command
            .args(["--map-root-user", "--mount", "--", "sh", "-c"])
            .arg("mount -t tmpfs none /run && exec \"$0\"")
            .arg(kcm)
            .env(
                "LD_LIBRARY_PATH",
                format!("{0}:{0}/heimdal", libraries.display()),
            )
            .env("KRB5_CONFIG", "/dev/null")
            .stdin(Stdio::null());
        let server = command.spawn().unwrap();
        // Its /run, seen from outside.
        let root = format!("/proc/{}/root", server.id());
        let socket = PathBuf::from(root).join("run/.heim_org.h5l.kcm-socket");
        let manager = Self { server, socket };
        for _ in 0..100 {
            if UnixStream::connect(&manager.socket).is_ok() {
                return manager;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "the manager does not listen at {}",
            manager.socket.display()
        );
    }

    fn end(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.end();
    }
}

fn at(socket: &Path, name: &str) -> CacheName {
    CacheName::parse(name).unwrap().at_socket(socket)
}

fn ticket() -> (Principal, Vec<Credential>) {
    let (principal, ticket) = ccache_judged::any_ticket();
    (principal, vec![ticket])
}

#[test]
fn mit_reads_at_the_manager_what_we_gave_it() {
    let judged = Judged::new();
    let manager = Manager::start();
    let more = format!(" kcm_socket = {}\n", manager.socket.display());
    judged.a_life("KCM:", &more);
    judged.a_life("KCM:0:judged", &more);
    judged.a_race(&at(&manager.socket, "KCM:"));
    // Nothing of the making is left behind.
    let all = conformance::Said::of(judged.mit("klist", "KCM:", &more).arg("-l"), "");
    assert!(!all.text.contains("testuser"), "{}", all.text);
}

#[test]
fn without_a_manager_it_is_said_who_is_missing() {
    let (principal, tickets) = ticket();
    let folder = tempfile::tempdir().unwrap();
    let nobody = at(&folder.path().join("socket"), "KCM:");
    let error = nobody.store(&principal, &tickets).unwrap_err();
    assert!(
        error.to_string().contains("no cache manager listens"),
        "{error}"
    );
    assert!(error.next().contains("sssd-kcm.socket"));

    let mut manager = Manager::start();
    let cache = at(&manager.socket, "KCM:");
    cache.store(&principal, &tickets).unwrap();
    manager.end();
    assert!(matches!(cache.load(), Err(CacheError::NoManager { .. })));
}

/// What a manager may say that is wrong.
#[test]
fn a_manager_that_talks_nonsense_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let cases: [(&[u8], &str); 6] = [
        (&[0xFF; 8], "status -1"),
        (&[0x7F, 0, 0, 0, 0, 0, 0, 0], "the limit is"),
        (&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0], "cut inside name"),
        (&[0, 0, 0, 2, 0, 0, 0, 0, 0, 0], "cut inside code"),
        (&[0, 0, 0, 9, 0, 0, 0, 0, 0], "does not answer"),
        (
            &[0, 0, 0, 4, 0, 0, 0, 0, 0x96, 0xC7, 0x3A, 0xC2],
            "refuses to name the default cache: NOT_PERMITTED",
        ),
    ];
    let answers = cases.map(|(answer, _)| answer.to_vec());
    let server = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 8]).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    for (_, words) in cases {
        let error = at(&socket, "KCM:").load();
        let error = error.unwrap_err().to_string();
        assert!(error.contains(words), "'{words}' is missing in: {error}");
    }
    server.join().unwrap();
}
