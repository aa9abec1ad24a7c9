//! The house's Kerberos realm: a KDC over the directory's own accounts, on UDP and TCP.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use directory::{Directory, Principals};
use kdc::serve::Surroundings;
use kdc::{Kdc, KeyListPolicy, KeyTrust, MemoryLockout, NtHashRelease, Settings};
use kerberos::files::{Keytab, KeytabEntry, Principal};
use kerberos::messages::{EncryptionKey, NameType, PrincipalName};
use kerberos::pkinit::{Policy, Sign as _};
use rustls::ServerConfig;
use tokio::sync::watch;
use types::{Clock, Timestamp};

use crate::accounts::DirectoryAccounts;
use crate::domain::Domain;
use crate::house::Lifetimes;
use crate::kdc_log::KdcLog;
use crate::passwords::DirectoryPasswords;
use crate::pki::Pki;
use crate::ports::{Addresses, KdcSockets};
use crate::rooms::for_tokio;
use crate::{Error, OsEntropy};

/// A running KDC. It stops when it is dropped.
pub(crate) struct Realm {
    pub(crate) name: String,
    pub(crate) principals: Arc<Principals>,
    pub(crate) accounts: Arc<DirectoryAccounts>,
    pub(crate) lockout: Arc<MemoryLockout>,
    pub(crate) log: Arc<KdcLog>,
    pub(crate) configuration: PathBuf,
    pub(crate) certificate: Vec<u8>,
    _stop: watch::Sender<bool>,
}

/// What the realm is built from.
pub(crate) struct Building<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) domain: &'a Domain,
    pub(crate) netbios: &'a str,
    pub(crate) pki: &'a Pki,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) state: &'a Path,
    pub(crate) addresses: &'a Addresses,
    pub(crate) lockout: Arc<MemoryLockout>,
    pub(crate) nt_hashes: bool,
    pub(crate) lifetimes: Lifetimes,
}

/// Sockets that nobody serves yet.
pub(crate) struct Doors {
    pub(crate) kdc: KdcSockets,
    pub(crate) kpasswd: KdcSockets,
    pub(crate) proxy: TcpListener,
    pub(crate) proxy_tls: Arc<ServerConfig>,
}

impl Doors {
    fn open(self, kdc: &Arc<Kdc>, around: &Surroundings) -> Result<(), Error> {
        let both = || (Arc::clone(kdc), around.clone());
        let (udp, tcp) = self.kdc.for_tokio()?;
        let (shared, around) = both();
        tokio::spawn(kdc::serve::udp(Arc::new(udp), shared, around));
        let (shared, around) = both();
        tokio::spawn(kdc::serve::tcp(tcp, shared, around));
        let (udp, tcp) = self.kpasswd.for_tokio()?;
        let (shared, around) = both();
        tokio::spawn(kdc::serve::kpasswd_udp(Arc::new(udp), shared, around));
        let (shared, around) = both();
        tokio::spawn(kdc::serve::kpasswd_tcp(tcp, shared, around));
        let (shared, around) = both();
        let proxy = for_tokio(self.proxy)?;
        tokio::spawn(kdc::serve::https(proxy, self.proxy_tls, shared, around));
        Ok(())
    }
}

impl Realm {
    /// Starts serving. Must be called inside the house's runtime.
    pub(crate) fn start(building: Building<'_>, doors: Doors) -> Result<Self, Error> {
        let domain = building.domain;
        let principals = Arc::new(Principals::new(building.directory.clone()));
        let accounts = Arc::new(DirectoryAccounts::new(Arc::clone(&principals)));
        let server = domain.server.split('.').next().unwrap_or_default();
        let mut settings = Settings::new(
            &domain.dns_name,
            building.netbios,
            &server.to_ascii_uppercase(),
        );
        settings.ticket_lifetime_s = building.lifetimes.ticket_s;
        settings.renewable_lifetime_s = building.lifetimes.renewable_s;
        if building.nt_hashes {
            settings.key_list = KeyListPolicy::nt_hash();
            settings.nt_hash_release = NtHashRelease::Unprivileged;
        }
        let name = settings.realm.clone();
        let signer = building.pki.kdc(&name, &domain.server, &domain.dns_name)?;
        let certificate = signer.certificate().to_vec();
        let trust = KeyTrust {
            signer: Arc::new(signer),
            policy: Policy::default(),
        };
        let passwords =
            DirectoryPasswords::new(building.directory.clone(), Arc::clone(&principals));
        let kdc = Kdc::new(settings, accounts.clone(), building.lockout.clone())
            .with_key_trust(trust)
            .with_passwords(Arc::new(passwords));
        let kdc = Arc::new(kdc);
        let log = Arc::new(KdcLog::create(&building.state.join("kdc.jsonl"))?);
        let (stop, stopped) = watch::channel(false);
        let (written, clock) = (Arc::clone(&log), Arc::clone(building.clock));
        let around = Surroundings {
            clock: Arc::clone(building.clock),
            entropy: Arc::new(|| Box::new(OsEntropy)),
            audit: Arc::new(move |client, event| written.write(clock.now(), client, &event)),
            stop: stopped,
        };
        doors.open(&kdc, &around)?;
        let configuration = building.state.join("krb5.conf");
        let text = krb5_conf(&name, domain, building.addresses, building.state);
        fs::write(&configuration, text).map_err(Error::io("cannot write krb5.conf"))?;
        Ok(Self {
            name,
            principals,
            accounts,
            lockout: building.lockout,
            log,
            configuration,
            certificate,
            _stop: stop,
        })
    }

    /// The keys of an account under the names that a service accepts.
    pub(crate) fn keytab(&self, account: &str, services: &[&str]) -> Result<Keytab, Error> {
        let found = self
            .principals
            .find(directory::PrincipalName::Account(account))?;
        let principal =
            found.ok_or_else(|| Error::Story(format!("there is no account '{account}'")))?;
        let mut names = vec![PrincipalName::new(NameType::NT_PRINCIPAL, [account])];
        names.extend(
            services
                .iter()
                .map(|name| PrincipalName::new(NameType::NT_SRV_HST, name.split('/'))),
        );
        let mut keytab = Keytab::default();
        for set in &principal.keys {
            for (name, key) in names
                .iter()
                .flat_map(|name| set.keys.iter().map(move |key| (name, key)))
            {
                keytab.entries.push(KeytabEntry {
                    principal: Principal {
                        name: name.clone(),
                        realm: self.name.as_str().into(),
                    },
                    timestamp: principal
                        .password_set
                        .unwrap_or(Timestamp::from_unix_seconds(0)),
                    kvno: set.version,
                    key: EncryptionKey::from_key(key),
                });
            }
        }
        Ok(keytab)
    }
}

/// What clients of MIT Kerberos and Heimdal read: where the realm is, and what its KDC proves itself by.
fn krb5_conf(realm: &str, domain: &Domain, addresses: &Addresses, state: &Path) -> String {
    let (dns, server) = (&domain.dns_name, &domain.server);
    let anchors = state.join("ca.pem");
    format!(
        "# The realm of this house. Try: KRB5_CONFIG=<this file> kinit testuser\n\
         [libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
         dns_canonicalize_hostname = false\n rdns = false\n\
         [realms]\n {realm} = {{\n  kdc = {kdc}\n  kpasswd_server = {kpasswd}\n  \
         pkinit_anchors = FILE:{anchors}\n  pkinit_kdc_hostname = {server}\n }}\n\
         [domain_realm]\n {dns} = {realm}\n .{dns} = {realm}\n",
        kdc = addresses.kdc,
        kpasswd = addresses.kpasswd,
        anchors = anchors.display(),
    )
}
