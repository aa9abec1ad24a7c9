//! A process that is killed in the middle of its work has lost nothing that it acknowledged, and each change that is
//! there is in the change log and in the audit log as well.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cloud::{Caller, Cloud, NewTenant, Surroundings};
use cloud_api::users::NewUser;
use types::{SeededEntropy, Timestamp, VirtualClock};

const PATH_VARIABLE: &str = "TOMBOLO_CLOUD_KILL_TEST";
const ROUNDS: u64 = 8;
const THREADS: usize = 4;

fn surroundings(seed: u64) -> Surroundings {
    let start = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
    Surroundings::new(
        Arc::new(VirtualClock::new(start)),
        Box::new(SeededEntropy::new(seed)),
    )
}

/// The victim: makes users from several threads, so that they share commits, and says so after each, until it is killed. Does
/// nothing when run as a test of its own.
#[test]
fn victim() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the parent tells the child where the store is"
    )]
    let Ok(path) = std::env::var(PATH_VARIABLE) else {
        return;
    };
    let (path, seed) = path.split_once('|').unwrap();
    let cloud = Cloud::open(Path::new(path), surroundings(seed.parse().unwrap())).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let cloud = &cloud;
            scope.spawn(move || {
                for n in 0.. {
                    let name = format!("user{seed}-{thread}-{n}");
                    let user = cloud.create_user(
                        &Caller::operator(),
                        &NewUser {
                            user_principal_name: format!("{name}@corp.contoso.com"),
                            display_name: name,
                            account_enabled: true,
                        },
                    );
                    println!("acknowledged {}", user.unwrap().id);
                }
            });
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost() {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().join("cloud.sqlite");
    let tenant = NewTenant::new("contoso.example", "login.contoso.example");
    drop(Cloud::create(&path, &tenant, surroundings(1)).unwrap());
    let mut acknowledged = Vec::new();
    for round in 2..2 + ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["victim", "--exact", "--nocapture"])
            .env(PATH_VARIABLE, format!("{}|{round}", path.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let count = usize::try_from(3 + round * 7 % 11).unwrap();
        let heard = lines.by_ref().map(Result::unwrap).filter_map(|line| {
            let at = line.find("acknowledged ")?;
            line.get(at + 13..).map(str::to_owned)
        });
        acknowledged.extend(heard.take(count));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(acknowledged.len() >= 24);

    let cloud = Cloud::open(&path, surroundings(99)).unwrap();
    for id in &acknowledged {
        cloud
            .user(&Caller::operator(), id.parse().unwrap())
            .unwrap();
    }
    let db = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let users = count("SELECT count(*) FROM user");
    assert_eq!(
        count("SELECT count(*) FROM change WHERE kind = 'userCreated'"),
        users
    );
    assert_eq!(
        count("SELECT count(*) FROM audit WHERE activity = 'createUser'"),
        users
    );
    assert_eq!(
        count(
            "SELECT count(*) FROM user JOIN change ON seq = last_change AND change.user = user.id"
        ),
        users
    );
    let sound: String = db
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
}
