//! Kerberos server objects: publishing a key, showing, forgetting.

use cloud_api::trust::{PublishServer, PublishedServer, WrappingKey};

use super::Cloud;
use crate::caller::Caller;
use crate::error::Error;
use crate::store::Store;

impl Cloud {
    /// The public key to which keys are sealed.
    pub fn wrapping_key(&self, caller: &Caller) -> Result<WrappingKey, Error> {
        caller.must_administer()?;
        Ok(self.trust_wrapping()?.public().clone())
    }

    /// Takes a version of the key of a domain's object.
    pub fn publish_server(
        &self,
        caller: &Caller,
        request: &PublishServer,
    ) -> Result<PublishedServer, Error> {
        caller.must_administer()?;
        let server = &request.server;
        let domain = &server.domain_dns_name;
        let is_realm_of_domain = server.realm.eq_ignore_ascii_case(domain);
        if domain.is_empty() || *domain != domain.to_ascii_lowercase() || !is_realm_of_domain {
            return Err(Error::invalid(
                "domainDnsName is the domain's DNS name in lower case, and realm the same in capitals",
            ));
        }
        if server.number == 0 {
            return Err(Error::invalid(
                "number 0 is the domain's own krbtgt; it never leaves the domain",
            ));
        }
        let key = self.trust_wrapping()?.open(request)?;
        let now = self.now();
        self.store().write(|db| {
            Store::put_kerberos_server(db, server)?;
            let held = Store::kerberos_server(db, domain)?.map(|held| held.versions);
            let newest = held.unwrap_or_default().into_iter().map(|v| v.version).max();
            if let Some(newest) = newest.filter(|newest| request.version.saturating_add(1) < *newest) {
                return Err(Error::invalid(format!(
                    "version {} of the key of {domain} is older than what the cloud keeps; version {newest} mints",
                    request.version
                )));
            }
            if !Store::add_kerberos_key(db, domain, request.version, key.expose(), now)? {
                return Err(Error::KeyVersionExists {
                    domain: domain.clone(),
                    version: request.version,
                });
            }
            let detail = format!("number {}, version {}", server.number, request.version);
            self.tell(db, now, "publishKerberosServer", caller, domain, &detail)?;
            Store::kerberos_server(db, domain)?.ok_or_else(|| no_server(domain))
        })
    }

    /// The object of a domain, without its keys.
    pub fn kerberos_server(&self, caller: &Caller, domain: &str) -> Result<PublishedServer, Error> {
        caller.must_administer()?;
        let domain = domain.to_ascii_lowercase();
        let found = self
            .store()
            .read(|db| Store::kerberos_server(db, &domain))?;
        found.ok_or_else(|| no_server(&domain))
    }

    /// Forgets the object of a domain and all its keys.
    pub fn remove_kerberos_server(&self, caller: &Caller, domain: &str) -> Result<(), Error> {
        caller.must_administer()?;
        let domain = domain.to_ascii_lowercase();
        let now = self.now();
        self.store().write(|db| {
            if !Store::remove_kerberos_server(db, &domain)? {
                return Err(no_server(&domain));
            }
            self.tell(db, now, "removeKerberosServer", caller, &domain, "")
        })
    }
}

fn no_server(domain: &str) -> Error {
    Error::NotFound {
        what: "Kerberos server object of domain",
        id: domain.chars().take(253).collect(),
    }
}
