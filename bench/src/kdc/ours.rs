//! Our KDC as a process: accounts in memory, lockout kept, UDP and TCP on one port.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use conformance::pki::Signer;
use kdc::serve::Surroundings;
use kdc::{Kdc, KeySet, KeyTrust, LockoutPolicy, MemoryAccounts, MemoryLockout, Settings};
use kerberos::crypto::{EncryptionType, Key};
use kerberos::pkinit::{Policy, RsaPublicKey};
use keycred::{Draft, KeySource, KeyUsage};
use tokio::net::{TcpListener, UdpSocket};
use types::{Clock, Entropy, SeededEntropy, Sid, Timestamp};

use super::Failure;
use super::requests::now;
use super::side_by_side::{PASSWORD, REALM, SERVICE, USER};
use crate::process::Process;

/// How many values the accounts have that show what a value costs.
pub(crate) const VALUES: [usize; 3] = [1, 10, 100];

/// Starts it, with so many more accounts.
pub(crate) fn start(folder: &Path, accounts: usize) -> Result<(Process, SocketAddr), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["kdc", "--accounts", &accounts.to_string(), "--serve"])
        .arg(folder);
    Process::serve(&mut command)
}

/// The server's side of [`start`].
pub(crate) fn serve_until_eof(folder: &Path, accounts: usize) -> Result<(), Failure> {
    serve(kdc(folder, accounts)?)
}

/// Serves a KDC by UDP and TCP on one port until standard input ends.
pub(crate) fn serve(kdc: Kdc) -> Result<(), Failure> {
    let kdc = Arc::new(kdc);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (_stopper, stop) = tokio::sync::watch::channel(false);
    let around = Surroundings {
        clock: Arc::new(WallClock),
        entropy: Arc::new(|| Box::new(Randomness)),
        audit: Arc::new(|_, _| {}),
        stop,
    };
    let (tcp, udp) = runtime.block_on(async {
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let udp = UdpSocket::bind(tcp.local_addr()?).await?;
        Ok::<_, std::io::Error>((tcp, Arc::new(udp)))
    })?;
    println!("{}", tcp.local_addr()?);
    for _ in 0..2 {
        runtime.spawn(kdc::serve::udp(
            Arc::clone(&udp),
            Arc::clone(&kdc),
            around.clone(),
        ));
    }
    runtime.spawn(kdc::serve::tcp(tcp, kdc, around));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn kdc(folder: &Path, accounts: usize) -> Result<Kdc, Failure> {
    let domain = Sid::nt(&[21, 1_004_336_348, 1_177_238_915, 682_003_330]);
    let realm = MemoryAccounts::new(REALM, domain, &mut Randomness)?;
    realm.add("WEB$", PASSWORD, &[SERVICE], |_| {})?;
    let spki = std::fs::read(folder.join("user.spki"))?;
    realm.add(USER, PASSWORD, &[], |account| {
        account.key_credentials = vec![value(&spki)]
    })?;
    for count in VALUES {
        // The right one stands last.
        let mut values = (1..count).map(stranger).collect::<Result<Vec<_>, _>>()?;
        values.push(value(&spki));
        realm.add(&format!("{USER}{count}"), PASSWORD, &[], |account| {
            account.key_credentials = values
        })?;
    }
    for number in 0..accounts {
        fill(&realm, number)?;
    }
    let lockout = Arc::new(MemoryLockout::new(LockoutPolicy::default()));
    let settings = Settings {
        // All of this load comes from one address.
        pkinit_per_source_per_s: None,
        ..Settings::new(REALM, "CORP", "DC1")
    };
    let kdc = Kdc::new(settings, Arc::new(realm), lockout);
    Ok(kdc.with_key_trust(KeyTrust {
        signer: Arc::new(Signer::open(folder, "kdc")?),
        policy: Policy::default(),
    }))
}

/// One of many accounts. Its keys are random: those of a password would take four thousand rounds each.
fn fill(realm: &MemoryAccounts, number: usize) -> Result<(), Failure> {
    let name = format!("user{number:06}");
    let mut entropy = SeededEntropy::new(u64::try_from(number)?);
    let types = [
        EncryptionType::AES256_CTS_HMAC_SHA1_96,
        EncryptionType::AES128_CTS_HMAC_SHA1_96,
    ];
    let mut keys = Vec::new();
    for etype in types {
        keys.push(Arc::new(Key::generate(etype, &mut entropy)?));
    }
    let rid = 10_000 + u32::try_from(number)?;
    let mut account = realm.draft(&name, kdc::AccountKind::User, rid);
    account.keys = vec![KeySet {
        version: 1,
        salt: format!("{REALM}{name}"),
        keys,
        nt_hash: None,
    }];
    realm.insert(account, &[]);
    Ok(())
}

/// An NGC value of the key, as the cloud writes it.
pub(crate) fn value(spki: &[u8]) -> Vec<u8> {
    let Ok(key) = RsaPublicKey::from_spki(spki) else {
        return Vec::new();
    };
    of_numbers(key.modulus(), key.exponent()).unwrap_or_default()
}

/// A value of somebody else's key.
fn stranger(number: usize) -> Result<Vec<u8>, Failure> {
    let mut modulus = [0; 256];
    SeededEntropy::new(u64::try_from(number)?).fill(&mut modulus);
    let [first, .., last] = &mut modulus;
    *first |= 0x80;
    *last |= 1;
    of_numbers(&modulus, &[1, 0, 1])
}

/// BCRYPT_RSAKEY_BLOB in a value.
fn of_numbers(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut material = b"RSA1".to_vec();
    for number in [modulus.len() * 8, exponent.len(), modulus.len(), 0, 0] {
        material.extend(u32::try_from(number)?.to_le_bytes());
    }
    material.extend([exponent, modulus].concat());
    let draft = Draft::hashed(material, KeyUsage::NGC, KeySource::AZURE_AD);
    Ok(draft.to_blob()?.encode())
}

/// The time of day.
#[derive(Debug)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        now().unwrap_or(Timestamp::from_unix_seconds(0))
    }
}

/// The same generator that signs: the operating system's, in user space.
pub(crate) struct Randomness;

impl Entropy for Randomness {
    fn fill(&mut self, bytes: &mut [u8]) {
        // It fails where the operating system has no randomness, and then nothing else works either.
        let _ = aws_lc_rs::rand::fill(bytes);
    }
}
