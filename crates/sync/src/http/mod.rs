//! The cloud over HTTPS: a [`Source`] that follows the feed of device keys and lists what was brought from the ground, and
//! an [`ObjectTarget`] for that (`cloud-api`).
//!
//! Only the origin that was configured is ever asked: of a link in a page, path and query are used and the host is
//! not. TLS trusts the given roots and nothing else; plain HTTP is for loopback.
//!
//! Deliberately absent: waiting for a busy server. The next cycle asks again.

mod convert;
mod ground;

use std::sync::Arc;
use std::time::Duration;

use cloud_api::devicekeys::{DeltaPage, request_target};
use cloud_api::error::{ErrorBody, ErrorCode};
use cloud_api::paths;
use rustls_pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use types::Secret;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::connector::{Change, ConnectorError, Cursor, ImportRequest, Sink, Source};

/// Where the cloud is, and how to get in.
#[derive(Debug)]
pub struct CloudSettings {
    /// `https://login.contoso.example:8443`, without a path.
    pub url: String,
    /// Bearer token of the sync's account.
    pub token: Secret<String>,
    /// The certificate authorities that are trusted.
    pub roots: Vec<CertificateDer<'static>>,
    /// For a whole request.
    pub timeout: Duration,
}

/// The largest page that is read.
const PAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// More pages than any tenant has: a feed that never ends is not one.
const PAGES_MAX: usize = 1_000_000;

/// The cloud as a source.
#[derive(Debug)]
pub struct HttpCloud {
    agent: ureq::Agent,
    origin: String,
    token: Secret<String>,
}

impl HttpCloud {
    /// Prepares connections; none is opened yet.
    pub fn new(settings: CloudSettings) -> Result<Self, ConnectorError> {
        let origin = settings.url.trim_end_matches('/').to_owned();
        let refused = |why: &str| ConnectorError::Refused {
            url: origin.clone(),
            why: why.to_owned(),
        };
        match origin.split_once("://") {
            Some(("https", _)) => {}
            Some(("http", rest)) if is_loopback(rest) => {}
            Some(("http", _)) => {
                return Err(refused(
                    "keys travel over https only; plain http is for loopback",
                ));
            }
            _ => return Err(refused("write the address as https://host:port")),
        }
        let roots: Vec<Certificate<'static>> = settings
            .roots
            .iter()
            .map(|root| Certificate::from_der(root).to_owned())
            .collect();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("tombolo-sync")
            .build();
        Ok(Self {
            agent: config.new_agent(),
            origin,
            token: settings.token,
        })
    }

    fn unavailable(&self, why: impl ToString) -> ConnectorError {
        ConnectorError::Unavailable {
            url: self.origin.clone(),
            why: why.to_string(),
        }
    }

    fn page<T: DeserializeOwned>(&self, target: &str) -> Result<T, ConnectorError> {
        let (status, body) = self.get(target)?;
        if status == 200 {
            return serde_json::from_str(&body).map_err(|error| ConnectorError::Nonsense {
                url: self.origin.clone(),
                why: format!("a page: {error}"),
            });
        }
        Err(self.refusal(status, &body))
    }

    fn get(&self, target: &str) -> Result<(u16, String), ConnectorError> {
        let request = self
            .agent
            .get(format!("{}{target}", self.origin))
            .header("authorization", format!("Bearer {}", self.token.expose()))
            .header("accept", "application/json");
        let mut response = request.call().map_err(|error| self.unavailable(error))?;
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(PAGE_BYTES_MAX)
            .read_to_string();
        Ok((status, body.map_err(|error| self.unavailable(error))?))
    }

    fn refusal(&self, status: u16, body: &str) -> ConnectorError {
        let detail = serde_json::from_str::<ErrorBody>(body)
            .ok()
            .map(|body| body.error);
        let code = detail.as_ref().map(|detail| detail.code.clone());
        let why = detail.map_or_else(
            || format!("HTTP {status}"),
            |d| format!("HTTP {status}, {}: {}", d.code, d.message),
        );
        let url = self.origin.clone();
        match (status, code) {
            (410, _) | (_, Some(ErrorCode::SyncStateNotFound)) => {
                ConnectorError::ResyncRequired(url, why)
            }
            (401 | 403, _) => ConnectorError::Refused {
                url,
                why: format!("{why}; check the token"),
            },
            (408 | 429 | 500..=599, _) => ConnectorError::Unavailable { url, why },
            _ => ConnectorError::Refused { url, why },
        }
    }

    fn target(&self, link: &str) -> Result<String, ConnectorError> {
        request_target(link)
            .map(str::to_owned)
            .ok_or_else(|| ConnectorError::Nonsense {
                url: self.origin.clone(),
                why: "a link of the key feed has no path".to_owned(),
            })
    }
}

impl Source for HttpCloud {
    fn import(
        &mut self,
        request: ImportRequest<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Cursor, ConnectorError> {
        let (users, ground) = match request.since {
            Some(cursor) => match cursor.0.split_once('\n') {
                Some((users, ground)) => (users, Some(ground)),
                None => (cursor.0.as_str(), None),
            },
            None => (paths::DEVICE_KEY_DELTA, None),
        };
        let ground = self.import_ground(ground, request.kinds, sink)?;
        let mut target = users.to_owned();
        for _ in 0..PAGES_MAX {
            let page: DeltaPage = self.page(&target)?;
            for user in page.value {
                sink(match user.is_removed() {
                    // A user that is gone from a full enumeration was never there.
                    true => Change::Delete(convert::anchor(&user)),
                    false => Change::Upsert(convert::staged(user, request.kinds)),
                })?;
            }
            match (page.next_link, page.delta_link) {
                (Some(next), _) => target = self.target(&next)?,
                (None, Some(delta)) => {
                    let delta = self.target(&delta)?;
                    return Ok(Cursor(format!("{delta}\n{ground}")));
                }
                (None, None) => break,
            }
        }
        Err(ConnectorError::Nonsense {
            url: self.origin.clone(),
            why: "the key feed ends without a delta link".to_owned(),
        })
    }

    fn url(&self) -> String {
        self.origin.clone()
    }
}

/// Whether `host:port` names this machine.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let authority = authority.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback() {
        let check = |url: &str, expect: Option<&str>| {
            let settings = CloudSettings {
                url: url.to_owned(),
                token: Secret::new(String::new()),
                roots: Vec::new(),
                timeout: Duration::from_secs(1),
            };
            let error = HttpCloud::new(settings)
                .err()
                .map(|error| error.to_string());
            match (error, expect) {
                (None, None) => {}
                (Some(error), Some(part)) => assert!(error.contains(part), "{url}: {error}"),
                (error, _) => panic!("{url}: {error:?}"),
            }
        };
        check("https://login.contoso.example:8443", None);
        check("https://login.contoso.example/", None);
        check("http://127.0.0.1:8443", None);
        check("http://[::1]:8443", None);
        check("http://localhost", None);
        check("http://127.0.0.1.contoso.example", Some("https only"));
        check("http://login.contoso.example", Some("https only"));
        check("login.contoso.example", Some("https://host:port"));
    }
}
