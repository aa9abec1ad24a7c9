//! Figures of the store without the network: `cargo run --release -p tombolo-directory --example figures [users]`.
//!
//! Loads users into a provisioned domain in a temporary file and prints the time and memory of the load, of opening
//! again, and of searches and changes by an ordinary account, with access checks.

#![expect(
    clippy::disallowed_methods,
    reason = "a program that measures reads the clock"
)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a failure here is for the person at the keyboard to read"
)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use directory::provision::{Plan, provision};
use directory::{
    AddRequest, Directory, Modification, ModificationKind, ModifyRequest, Operation, Options,
    SearchRequest, Session,
};
use ldap::{Filter, Scope};
use types::{Dn, Entropy, Rdn, SeededEntropy, Timestamp, VirtualClock};

const BATCH: usize = 2_000;

fn options() -> Options {
    let start = Timestamp::parse_rfc3339("2026-06-01T08:00:00Z").unwrap();
    let clock = Arc::new(VirtualClock::new(start));
    Options {
        password_rounds: 10,
        ..Options::new(clock, Box::new(SeededEntropy::new(7)))
    }
}

/// Anonymous memory in MB, from the kernel's account of this process.
fn memory_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap_or("0 kB");
    line.split_whitespace()
        .next()
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

/// Seconds that this thread has run, from the kernel: on a busy machine the clock on the wall tells little.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<u64>().ok());
    nanoseconds.unwrap_or(0) as f64 / 1e9
}

fn file_mb(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len()) >> 20
}

fn new_user(parent: &Dn, number: usize, padding: &mut SeededEntropy) -> Operation {
    let mut noise = [0_u8; 150];
    padding.fill(&mut noise);
    let noise: String = noise
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect();
    let account = format!("user{number:06}");
    Operation::Add(
        AddRequest::new(parent.child(Rdn::new("CN", format!("User {number:06}"))))
            .with("objectClass", ["user"])
            .with("sAMAccountName", [account.clone()])
            .with("userPrincipalName", [format!("{account}@corp.contoso.com")])
            .with("mail", [format!("{account}@corp.contoso.com")])
            .with("givenName", ["User"])
            .with("sn", [format!("{number:06}")])
            .with("displayName", [format!("User {number:06}")])
            .with("telephoneNumber", [format!("+1 555 {number:06}")])
            .with("department", [format!("Department {}", number % 50)])
            .with("description", [noise])
            .with("userAccountControl", ["512"]),
    )
}

fn load(directory: &Directory, parent: &Dn, users: usize) {
    let mut padding = SeededEntropy::new(1);
    let (start, cpu) = (Instant::now(), cpu_s());
    for first in (0..users).step_by(BATCH) {
        let last = (first + BATCH).min(users);
        let batch = (first..last)
            .map(|number| new_user(parent, number, &mut padding))
            .collect();
        directory.apply_all(&Session::system(), batch).unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "load: {users} users in {seconds:.1} s, of these {:.1} s CPU",
        cpu_s() - cpu
    );
}

fn measure(label: &str, count: usize, mut one: impl FnMut(usize)) {
    let (start, cpu) = (Instant::now(), cpu_s());
    for number in 0..count {
        one(number);
    }
    let each = |seconds: f64| seconds * 1e6 / count as f64;
    println!(
        "{label}: {:.2} us CPU, {:.2} us",
        each(cpu_s() - cpu),
        each(start.elapsed().as_secs_f64())
    );
}

fn searches(directory: &Directory, base: &Dn, users: usize, who: &str, session: &Session) {
    let mut order = SeededEntropy::new(3);
    let mut pick = move || {
        let mut bytes = [0; 8];
        order.fill(&mut bytes);
        usize::from_le_bytes(bytes) % users
    };
    let mut run = |label: &str, filter: &dyn Fn(usize) -> Filter, attributes: &[&str]| {
        let requests: Vec<SearchRequest> = (0..2_000)
            .map(|_| {
                SearchRequest::new(base.clone(), Scope::WholeSubtree, filter(pick()))
                    .with_attributes(attributes.iter().copied())
            })
            .collect();
        for pass in 0..2 {
            let mut found = 0;
            let search = |number: usize| {
                let request = &requests[number % requests.len()];
                directory
                    .search(session, request, &mut |entry| {
                        black_box(&entry);
                        found += 1;
                        ControlFlow::Continue(())
                    })
                    .unwrap();
            };
            if pass == 0 {
                (0..requests.len()).for_each(search);
            } else {
                measure(&format!("{who}: {label}"), 20_000, search);
                assert_eq!(found, 20_000);
            }
        }
    };
    let account = |number: usize| Filter::equality("sAMAccountName", format!("user{number:06}"));
    run("equality, all attributes", &account, &["*"]);
    run(
        "equality, five attributes",
        &account,
        &["cn", "mail", "sn", "objectSid", "msDS-KeyCredentialLink"],
    );
    run("equality, no attributes", &account, &["1.1"]);
    let with_category = |number: usize| {
        Filter::And(vec![
            Filter::equality("objectCategory", "person"),
            Filter::equality("mail", format!("user{number:06}@corp.contoso.com")),
        ])
    };
    run(
        "(&(objectCategory=person)(mail=..)), all attributes",
        &with_category,
        &["*"],
    );
}

fn main() {
    let users: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.redb");
    let plan = Plan::example("Correct-Horse-2026");
    let base = plan.domain_dn();
    let parent = base.child(Rdn::new("OU", "Users"));
    {
        let directory = Directory::open(&path, options()).unwrap();
        let start = Instant::now();
        provision(&directory, &plan).unwrap();
        println!("provision: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
        load(&directory, &parent, users);
        println!(
            "file: {} MB, memory after the load: {} MB",
            file_mb(&path),
            memory_mb()
        );
        let key = format!("B:8:DEADBEEF:CN=User 000001,{parent}");
        let system = Session::system();
        measure("durable modify, one at a time", 200, |number| {
            let kind = if number % 2 == 0 {
                ModificationKind::Add
            } else {
                ModificationKind::Delete
            };
            let step = Modification::new(kind, "msDS-KeyCredentialLink", [key.clone()]);
            let name = parent.child(Rdn::new("CN", "User 000001"));
            directory
                .apply(
                    &system,
                    Operation::Modify(ModifyRequest::new(name, vec![step])),
                )
                .unwrap();
        });
        concurrent(&directory, &parent);
        // What a kill at this moment would leave behind.
        std::fs::copy(&path, folder.path().join("killed.redb")).unwrap();
    }
    let start = Instant::now();
    let directory = Directory::open(&path, options()).unwrap();
    println!(
        "open: {:.1} ms, memory: {} MB",
        start.elapsed().as_secs_f64() * 1e3,
        memory_mb()
    );
    searches(&directory, &base, users, "system", &Session::system());
    let snapshot = directory.snapshot();
    let name = parent.child(Rdn::new("CN", "User 000000"));
    let account = snapshot.find(&name.into(), false).unwrap();
    let session = directory.session_of(account.sid().unwrap()).unwrap();
    searches(&directory, &base, users, "user", &session);
    println!("memory after the searches: {} MB", memory_mb());
    let start = Instant::now();
    let mut count = 0;
    let all = SearchRequest::new(
        base,
        Scope::WholeSubtree,
        Filter::equality("objectClass", "user"),
    );
    directory
        .search(&session, &all, &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    println!(
        "all {count} users: {:.0} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    println!("memory at the end: {} MB", memory_mb());
    drop((snapshot, directory));
    let start = Instant::now();
    let directory = Directory::open(&folder.path().join("killed.redb"), options()).unwrap();
    println!(
        "open after a kill: {:.0} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    let start = Instant::now();
    let findings = directory.snapshot().verify().unwrap();
    println!(
        "verify: {} findings, {:.1} s",
        findings.len(),
        start.elapsed().as_secs_f64()
    );
}

/// Eight writers share commits.
fn concurrent(directory: &Directory, parent: &Dn) {
    const WRITERS: usize = 8;
    const EACH: usize = 100;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for number in 0..EACH {
                    let name = parent.child(Rdn::new("CN", format!("User {writer:06}")));
                    let step = Modification::new(
                        ModificationKind::Replace,
                        "title",
                        [format!("Title {number}")],
                    );
                    let modify = ModifyRequest::new(name, vec![step]);
                    directory
                        .apply(&Session::system(), Operation::Modify(modify))
                        .unwrap();
                }
            });
        }
    });
    let rate = (WRITERS * EACH) as f64 / start.elapsed().as_secs_f64();
    println!("durable modifies, {WRITERS} writers: {rate:.0} a second");
}
