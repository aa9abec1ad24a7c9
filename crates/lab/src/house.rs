//! [`House`]: directory, KDC, cloud and security key in one process, each behind its own socket.
//!
//! The rooms know nothing of each other. What the house wires up is what an administrator would: names, ports,
//! certificates, accounts, and the users' identities in the cloud.

use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloud::{Caller, Cloud};
use cloud_api::access::{NewTemporaryAccessPass, Session, SignIn, TemporaryAccessPass};
use cloud_api::fido2::Fido2Method;
use cloud_api::paths;
use cloud_api::users::{SyncUser, User, source_anchor};
use ctap::Pin;
use directory::schema::SchemaLevel;
use directory::serve::{KerberosRules, Server, Transport};
use directory::{Directory, serve};
use kdc::MemoryLockout;
use kerberos::files::Keytab;
use softkey::Softkey;
use types::{Clock, Dn, Guid, Secret};

use crate::accounts::DirectoryAccounts;
use crate::cloud_client::CloudClient;
use crate::domain::{self, Domain};
use crate::ground::interrupted;
use crate::kdc_log::KdcLog;
use crate::kerberos_client::KerberosClient;
use crate::ldap_client::LdapClient;
use crate::lockout::SharedLockout;
use crate::passwords::lockout_policy;
use crate::people::{Account, PEOPLE, Person, TEST_USER};
use crate::pki::Pki;
use crate::ports::{Addresses, Ports};
use crate::realm::{Building, Doors, Realm};
use crate::registration::register_key;
use crate::rooms::{
    for_tokio, open_cloud, open_directory, private_directory, random_pin, serve_cloud,
};
use crate::wire::{Line, Mode, Wire};
use crate::{Error, OsEntropy};

/// How the house is to be built.
#[derive(Clone)]
pub struct Options {
    /// Where it listens.
    pub ports: Ports,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// DNS name of its domain.
    pub dns_domain: String,
    /// How much of the schema its directory has.
    pub schema: SchemaLevel,
    /// Whether its directory keeps NT hashes, and its KDC releases those of unprivileged accounts: for the NTLM bridge
    /// (KERB-KEY-LIST), and in the tickets of sign-ins by key.
    pub nt_hashes: bool,
    /// How long its KDC's tickets live.
    pub lifetimes: Lifetimes,
    /// Whether its security key has hmac-secret, without which no device opens again while the cloud is away.
    pub hmac_secret: bool,
}

/// How long tickets live, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// A ticket.
    pub ticket_s: i64,
    /// A ticket granting ticket with all of its renewals.
    pub renewable_s: i64,
}

impl Default for Lifetimes {
    /// Ten hours and seven days, as a domain is installed.
    fn default() -> Self {
        Self {
            ticket_s: 10 * 3600,
            renewable_s: 7 * 24 * 3600,
        }
    }
}

impl Options {
    /// The house of the story, on free ports.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            ports: Ports::AUTO,
            clock,
            dns_domain: "corp.contoso.com".to_owned(),
            schema: SchemaLevel::WindowsServer2016,
            nt_hashes: false,
            lifetimes: Lifetimes::default(),
            hmac_secret: true,
        }
    }
}

/// The whole system, running. It ends when it is dropped, and its state with it.
pub struct House {
    clock: Arc<dyn Clock>,
    addresses: Addresses,
    ca_pem: String,
    domain: Domain,
    directory: Directory,
    cloud: Cloud,
    administrator_token: Secret<String>,
    sync_token: Secret<String>,
    key_pin: Secret<String>,
    realm: Realm,
    cloud_wire: Mutex<Wire>,
    ground_wire: Mutex<Wire>,
    // Dropped in this order: nobody is served any more when the files go.
    _key_server: softkey::Server,
    runtime: Option<tokio::runtime::Runtime>,
    state: tempfile::TempDir,
}

/// The relying party of the lab's cloud.
const RELYING_PARTY_HOST: &str = "login";
const CLOUD_TIMEOUT: Duration = Duration::from_secs(30);

impl House {
    /// Builds the house and opens its doors.
    pub fn start(options: Options) -> Result<Self, Error> {
        let listeners = options.ports.open()?;
        let addresses = listeners.addresses()?;
        let state = private_directory().map_err(Error::io("cannot make a state directory"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("house")
            .build()
            .map_err(Error::io("cannot start threads"))?;

        let directory = open_directory(state.path(), &options)?;
        let domain = domain::build(&directory, &options.dns_domain, &mut OsEntropy)?;
        let lockout = Arc::new(MemoryLockout::new(lockout_policy(&directory)?));
        let pki = Pki::new(&options.dns_domain)?;
        let names = [
            "127.0.0.1",
            "localhost",
            domain.server.as_str(),
            domain.dns_name.as_str(),
        ];
        let (tls, certificate) = pki.server_and_certificate(&names)?;
        let server = Server::new(
            directory.clone(),
            serve::Options {
                tls: Some(tls),
                kerberos: KerberosRules {
                    certificate: Some(certificate),
                    ..KerberosRules::default()
                },
                sign_ins: Some(Arc::new(SharedLockout(Arc::clone(&lockout)))),
                ..serve::Options::default()
            },
        );
        let guard = runtime.enter();
        let (mut cloud_wire, mut ground_wire) = (Wire::new(), Wire::new());
        for (door, transport) in [
            (listeners.ldap, Transport::Plain),
            (listeners.ldaps, Transport::Tls),
        ] {
            let (listener, server) = (for_tokio(ground_wire.stream(door)?)?, server.clone());
            runtime.spawn(async move { server.serve_listener(listener, transport).await });
        }

        let ca = state.path().join("ca.pem");
        std::fs::write(ca, pki.ca_pem()).map_err(Error::io("cannot write ca.pem"))?;
        let netbios = directory
            .naming()
            .map(|naming| naming.netbios_domain.clone());
        let realm = Realm::start(
            Building {
                directory: &directory,
                domain: &domain,
                netbios: &netbios.unwrap_or_default(),
                pki: &pki,
                clock: &options.clock,
                state: state.path(),
                addresses: &addresses,
                lockout,
                nt_hashes: options.nt_hashes,
                lifetimes: options.lifetimes,
            },
            Doors {
                kdc: ground_wire.kdc(listeners.kdc)?,
                kpasswd: ground_wire.kdc(listeners.kpasswd)?,
                proxy: ground_wire.stream(listeners.kdc_proxy)?,
                proxy_tls: pki.server(&names)?,
            },
        )?;

        let key = softkey::Options::new(Arc::clone(&options.clock), Box::new(OsEntropy))
            .hmac_secret(options.hmac_secret);
        let key = Softkey::open(&state.path().join("softkey"), key)?;
        let key_server = softkey::Server::start(key.clone(), listeners.key)
            .map_err(Error::io("cannot serve the security key"))?;

        let login = format!("{RELYING_PARTY_HOST}.{}", domain.dns_name);
        let (cloud, administrator_token) = open_cloud(state.path(), &options, &login, &key)?;
        let sync_token = cloud.issue_sync_token(&Caller::operator(), "sync", None)?;
        let tls = pki.cloud(&["127.0.0.1", "localhost", &login])?;
        serve_cloud(for_tokio(cloud_wire.stream(listeners.cloud)?)?, tls, &cloud);
        drop(guard);

        let house = Self {
            clock: options.clock,
            addresses,
            ca_pem: pki.ca_pem().to_owned(),
            domain,
            directory,
            cloud,
            administrator_token,
            sync_token,
            key_pin: random_pin(),
            realm,
            cloud_wire: Mutex::new(cloud_wire),
            ground_wire: Mutex::new(ground_wire),
            _key_server: key_server,
            runtime: Some(runtime),
            state,
        };
        house.set_key_pin()?;
        house.bring_users()?;
        Ok(house)
    }

    /// Where everything listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The certificate of the house's own CA.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The house's time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The domain controller's DNS name.
    pub fn server(&self) -> &str {
        &self.domain.server
    }

    /// The name of its Kerberos realm.
    pub fn realm(&self) -> &str {
        &self.realm.name
    }

    /// The configuration that clients of MIT Kerberos and Heimdal read (`KRB5_CONFIG`).
    pub fn krb5_conf(&self) -> &Path {
        &self.realm.configuration
    }

    /// The KDC's certificate (DER), signed by the house's CA.
    pub fn kdc_certificate(&self) -> &[u8] {
        &self.realm.certificate
    }

    /// The directory's accounts as the KDC sees them.
    pub fn accounts(&self) -> &Arc<DirectoryAccounts> {
        &self.realm.accounts
    }

    /// What the KDC says of each request.
    pub fn kdc_log(&self) -> &KdcLog {
        &self.realm.log
    }

    /// Wrong passwords, counted once for all doors.
    pub fn lockout(&self) -> &Arc<MemoryLockout> {
        &self.realm.lockout
    }

    /// What a service needs to accept tickets: the keys of an account (`DC1$`) under these service names.
    pub fn keytab(&self, account: &str, services: &[&str]) -> Result<Keytab, Error> {
        self.realm.keytab(account, services)
    }

    /// Has a service join the domain (`HTTP/www.corp.contoso.com`), and gives what it needs to accept tickets.
    pub fn join_service(&self, service: &str) -> Result<Keytab, Error> {
        let principals = &self.realm.principals;
        let domain = &self.domain.dn;
        let account =
            crate::service::join(&self.directory, principals, domain, service, &mut OsEntropy)?;
        self.keytab(&account, &[service])
    }

    /// Changes a wire: cut, silent, slow, flapping, or up again.
    pub fn wire(&self, line: Line, mode: Mode) -> Result<(), Error> {
        let wire = match line {
            Line::Cloud => &self.cloud_wire,
            Line::DomainController => &self.ground_wire,
        };
        let mut wire = wire.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.runtime {
            Some(runtime) => wire.set(mode, runtime.handle()),
            None => Ok(()),
        }
    }

    /// Cuts the wire to the cloud: until it is mended, nobody listens there.
    pub fn cut_cloud(&self) -> Result<(), Error> {
        self.wire(Line::Cloud, Mode::Cut)
    }

    /// Mends the wire to the cloud.
    pub fn mend_cloud(&self) -> Result<(), Error> {
        self.wire(Line::Cloud, Mode::Up)
    }

    /// The directory itself, for what has no protocol of its own.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A directory for files that live as long as the house.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// The domain's name.
    pub fn domain_dn(&self) -> &Dn {
        &self.domain.dn
    }

    /// The domain's DNS name.
    pub fn dns_domain(&self) -> &str {
        &self.domain.dns_name
    }

    /// The domain's head administrator: name to bind with, and password.
    pub fn administrator(&self) -> (String, &Secret<String>) {
        let name = format!("Administrator@{}", self.domain.dns_name);
        (name, &self.domain.administrator_password)
    }

    /// One of the people.
    pub fn account(&self, person: Person) -> Result<&Account, Error> {
        let found = self
            .domain
            .accounts
            .iter()
            .find(|account| account.person == person);
        found.ok_or_else(|| Error::Story(format!("{} does not live here", person.name)))
    }

    /// The PIN of the security key.
    pub fn key_pin(&self) -> &Secret<String> {
        &self.key_pin
    }

    /// The bearer token of the cloud's administrator.
    pub fn administrator_token(&self) -> &Secret<String> {
        &self.administrator_token
    }

    /// The bearer token of the sync.
    pub fn sync_token(&self) -> &Secret<String> {
        &self.sync_token
    }

    /// The origin of the cloud's sign-in page.
    pub fn cloud_origin(&self) -> String {
        format!("https://{RELYING_PARTY_HOST}.{}", self.domain.dns_name)
    }

    /// A connection to the directory as one of the people.
    pub fn ldap_as(&self, person: Person) -> Result<LdapClient, Error> {
        let account = self.account(person)?;
        let name = person.upn(&self.domain.dns_name);
        LdapClient::bind(
            &self.addresses.ldaps,
            &self.ca_pem,
            &name,
            account.password.expose(),
        )
    }

    /// A connection to the directory as its administrator.
    pub fn ldap_as_administrator(&self) -> Result<LdapClient, Error> {
        let (name, password) = self.administrator();
        LdapClient::bind(
            &self.addresses.ldaps,
            &self.ca_pem,
            &name,
            password.expose(),
        )
    }

    /// A client of the cloud as its administrator.
    pub fn cloud_as_administrator(&self) -> Result<CloudClient, Error> {
        let token = Secret::new(self.administrator_token.expose().clone());
        CloudClient::new(&self.addresses.cloud, &self.ca_pem, token)
    }

    /// A client of the cloud as the sync.
    pub fn cloud_as_sync(&self) -> Result<CloudClient, Error> {
        let token = Secret::new(self.sync_token.expose().clone());
        CloudClient::new(&self.addresses.cloud, &self.ca_pem, token)
    }

    /// A client of the realm's KDC.
    pub fn kerberos(&self) -> KerberosClient<'_> {
        KerberosClient::new(self)
    }

    /// The security key, plugged in.
    pub fn key(&self) -> Result<ctap::Client<TcpStream>, Error> {
        let stream = TcpStream::connect(self.addresses.key)
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(CLOUD_TIMEOUT))?;
                Ok(stream)
            })
            .map_err(Error::io("cannot reach the security key"))?;
        Ok(ctap::Client::open(stream, Box::new(OsEntropy))?)
    }

    /// The key's PIN as the client wants it.
    pub fn pin(&self) -> Result<Pin, Error> {
        Pin::new(self.key_pin.expose().clone()).map_err(|error| Error::Key(error.to_string()))
    }

    /// The cloud's id of one of the people.
    pub fn cloud_user(&self, person: Person) -> Result<Guid, Error> {
        let upn = person.upn(&self.domain.dns_name);
        Ok(self.cloud.user_by_name(&Caller::operator(), &upn)?.id)
    }

    /// A temporary access pass for one of the people, as an administrator makes it.
    pub fn temporary_access_pass(&self, person: Person) -> Result<Secret<String>, Error> {
        let user = self.cloud_user(person)?;
        let pass: TemporaryAccessPass = self.cloud_as_administrator()?.post(
            &paths::temporary_access_passes(user),
            &NewTemporaryAccessPass::default(),
        )?;
        Ok(Secret::new(pass.temporary_access_pass))
    }

    /// A session of one of the people, bought with a pass.
    pub fn session(&self, person: Person) -> Result<Secret<String>, Error> {
        let sign_in = SignIn {
            user_principal_name: person.upn(&self.domain.dns_name),
            temporary_access_pass: self.temporary_access_pass(person)?.expose().clone(),
        };
        let session: Session = self
            .cloud_as_administrator()?
            .post(paths::SIGN_IN_TEMPORARY_ACCESS_PASS, &sign_in)?;
        Ok(Secret::new(session.access_token))
    }

    /// The directory's audit records after the one numbered `cursor`: what a collector on the domain controller reads.
    pub fn records_since(&self, cursor: u64) -> Result<Vec<events::Record>, Error> {
        let mut records: Vec<events::Record> = Vec::new();
        loop {
            let last = records
                .last()
                .map_or(cursor, |record| record.origin().record_id);
            let page = self.directory.changes_since(last, RECORDS_PER_PAGE)?;
            if page.is_empty() {
                return Ok(records);
            }
            records.extend(page);
        }
    }

    /// Registers the story's first key for its user, so that a sync has something to carry.
    pub fn register_first_key(&self) -> Result<Fido2Method, Error> {
        let user = self.cloud_user(TEST_USER)?;
        let cloud = self.cloud_as_administrator()?;
        let origin = self.cloud_origin();
        register_key(
            &cloud,
            &mut self.key()?,
            &self.pin()?,
            &origin,
            user,
            "Blue key",
        )
    }

    /// Calls `act` when the process is asked to end, by Ctrl-C or by a service manager.
    pub fn on_interrupt(&self, act: impl FnOnce() + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move {
                interrupted().await;
                act();
            });
        }
    }

    fn set_key_pin(&self) -> Result<(), Error> {
        Ok(self.key()?.set_pin(None, &self.pin()?)?)
    }

    /// The half of the sync that carries users upwards, done once through the sync's own API.
    fn bring_users(&self) -> Result<(), Error> {
        let cloud = self.cloud_as_sync()?;
        for person in PEOPLE.into_iter().filter(|person| person.is_synced) {
            let account = self.account(person)?;
            let user = SyncUser {
                user_principal_name: Some(person.upn(&self.domain.dns_name)),
                display_name: Some(person.name.to_owned()),
                account_enabled: Some(true),
                on_premises_immutable_id: Some(source_anchor(account.guid)),
                on_premises_security_identifier: Some(account.sid.clone()),
                on_premises_distinguished_name: Some(account.dn.clone()),
                on_premises_domain_name: Some(self.domain.dns_name.clone()),
                on_premises_sam_account_name: Some(person.account.to_owned()),
            };
            let _made: User = cloud.post(paths::SYNC_USERS, &user)?;
        }
        Ok(())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

const RECORDS_PER_PAGE: usize = 1000;
