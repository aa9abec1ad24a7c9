//! Our KDC as a process, over accounts in memory or over a directory, with the cloud as read-only server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use directory::{Directory, Principals};
use kdc::{
    AccountKind, Kdc, LockoutPolicy, Lookup, MemoryAccounts, MemoryLockout, ReadOnlyServer,
    Settings,
};
use kerberos::crypto::{EncryptionType, Key};
use kerberos::files::{Keytab, KeytabEntry, Principal};
use kerberos::messages::{EncryptionKey, NameType, PrincipalName};
use lab::accounts::DirectoryAccounts;
use types::{Sid, Timestamp};

use super::ground::{self, Ground};
use crate::Failure;
use crate::kdc::ours::{Randomness, serve};
use crate::kdc::side_by_side::{PASSWORD, REALM};

/// What the KDC reads accounts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Accounts {
    /// Maps
    Memory,
    /// A directory in a file, by the lab's adapter
    Directory,
}

impl Accounts {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Directory => "directory",
        }
    }
}

/// The key of the read-only server.
pub(crate) const KEYTAB: &str = "krbtgt.keytab";
/// Names and SIDs, one account a line.
pub(crate) const PEOPLE: &str = "people.txt";
/// A service that the directory knows by its host's name alone.
pub(crate) const SERVICE: &str = "cifs/ws1.corp.contoso.com";

const NUMBER: u16 = 0x9ABC;
const AES256: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;

/// Makes the accounts, leaves what clients need in the folder, and serves until standard input ends.
pub(crate) fn serve_until_eof(
    accounts: Accounts,
    folder: &Path,
    users: usize,
    writes: u32,
) -> Result<(), Failure> {
    match accounts {
        Accounts::Memory => serve(in_memory(folder, users)?),
        Accounts::Directory => {
            let ground = Ground::make(folder, users)?;
            let kdc = over_directory(folder, &ground)?;
            if writes > 0 {
                let directory = ground.directory.clone();
                let pause = Duration::from_secs(1) / writes;
                std::thread::spawn(move || write_now_and_then(&directory, pause));
            }
            serve(kdc)
        }
    }
}

fn kdc(accounts: Arc<dyn kdc::Accounts>) -> Kdc {
    let lockout = MemoryLockout::new(LockoutPolicy::default());
    Kdc::new(
        Settings::new(REALM, "CORP", "DC1"),
        accounts,
        Arc::new(lockout),
    )
}

fn in_memory(folder: &Path, users: usize) -> Result<Kdc, Failure> {
    let domain = Sid::nt(&[21, 1_004_336_348, 1_177_238_915, 682_003_330]);
    let realm = MemoryAccounts::new(REALM, domain.clone(), &mut Randomness)?;
    let (allowed, denied) = (domain.with_rid(571), domain.with_rid(572));
    realm.add("WS1$", PASSWORD, &[SERVICE], |_| {})?;
    let mut people = Vec::new();
    for number in 0..users {
        let name = ground::name(number);
        let account = realm.add(&name, PASSWORD, &[], |account| {
            account.groups = vec![allowed.clone()];
        })?;
        people.push((name, account.sid.clone()));
    }
    realm.add_krbtgt(NUMBER, 1, &mut Randomness)?;
    realm.set_read_only_server(ReadOnlyServer {
        number: NUMBER,
        sid: domain.with_rid(1200),
        name: "AzureADKerberos$".to_owned(),
        disabled: false,
        partial_secrets: true,
        allowed: vec![allowed],
        denied: vec![denied, domain.with_rid(512)],
        revealed: None,
    });
    leave(folder, &realm, NUMBER, &people)?;
    Ok(kdc(Arc::new(realm)))
}

fn over_directory(folder: &Path, ground: &Ground) -> Result<Kdc, Failure> {
    let principals = Arc::new(Principals::new(ground.directory.clone()));
    let accounts = DirectoryAccounts::new(principals);
    leave(folder, &accounts, ground.number, &ground.people()?)?;
    Ok(kdc(Arc::new(accounts)))
}

/// Writes the files that clients read.
fn leave(
    folder: &Path,
    accounts: &dyn kdc::Accounts,
    number: u16,
    people: &[(String, Sid)],
) -> Result<(), Failure> {
    let krbtgt = accounts
        .account(Lookup::Krbtgt(number))?
        .ok_or("no read-only server")?;
    if krbtgt.kind != AccountKind::Krbtgt(number) {
        return Err("the read-only server's account is none".into());
    }
    let set = krbtgt.current().ok_or("the read-only server has no key")?;
    let key: &Arc<Key> = set
        .of_type(AES256)
        .ok_or("the read-only server has no AES-256 key")?;
    let mut keytab = Keytab::default();
    keytab.entries.push(KeytabEntry {
        principal: Principal {
            name: PrincipalName::new(NameType::NT_PRINCIPAL, [krbtgt.name.as_str()]),
            realm: REALM.into(),
        },
        timestamp: Timestamp::from_unix_seconds(0),
        kvno: u32::from(number) << 16 | set.version & 0xFFFF,
        key: EncryptionKey::from_key(key),
    });
    std::fs::write(folder.join(KEYTAB), keytab.encode()?)?;
    let lines: Vec<String> = people
        .iter()
        .map(|(name, sid)| format!("{name} {sid}\n"))
        .collect();
    Ok(std::fs::write(folder.join(PEOPLE), lines.concat())?)
}

/// Writes that have nothing to do with anybody who asks, as most writes of a directory have.
fn write_now_and_then(directory: &Directory, pause: Duration) {
    for number in 0_u64.. {
        if let Err(error) = ground::write(directory, number) {
            eprintln!("a write failed: {error}");
            return;
        }
        std::thread::sleep(pause);
    }
}
