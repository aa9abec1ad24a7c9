//! A small HTTPS client of the cloud's JSON API: what an administrator's script or a user's browser would send.

use std::sync::Arc;
use std::time::Duration;

use cloud_api::error::ErrorBody;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::Secret;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::WithBody;
use ureq::{Agent, RequestBuilder, http};

use crate::Error;
use crate::pki::provider;

/// Talks to one cloud with one bearer token.
pub struct CloudClient {
    agent: Agent,
    origin: String,
    token: Secret<String>,
}

/// Larger answers are refused rather than read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

impl CloudClient {
    /// A client of `origin` (`https://127.0.0.1:8443`) that trusts only the given CA.
    pub fn new(origin: &str, ca_pem: &str, token: Secret<String>) -> Result<Self, Error> {
        Ok(Self {
            agent: agent(ca_pem)?,
            origin: origin.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// GET of a path.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let request = self
            .agent
            .get(format!("{}{path}", self.origin))
            .header("Authorization", self.bearer());
        read(path, request.call())
    }

    /// POST of a JSON body.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        let request = self
            .agent
            .post(format!("{}{path}", self.origin))
            .header("Authorization", self.bearer());
        read(path, request.send_json(body))
    }

    /// PUT of a JSON body.
    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        let request = self
            .agent
            .put(format!("{}{path}", self.origin))
            .header("Authorization", self.bearer());
        read(path, request.send_json(body))
    }

    /// PATCH with a JSON body, whose answer has no content.
    pub fn patch(&self, path: &str, body: &impl Serialize) -> Result<(), Error> {
        self.tell(path, self.agent.patch(self.url(path)), body)
    }

    /// PUT of a JSON body, whose answer has no content.
    pub fn replace(&self, path: &str, body: &impl Serialize) -> Result<(), Error> {
        self.tell(path, self.agent.put(self.url(path)), body)
    }

    /// POST of a JSON body, whose answer has no content.
    pub fn add(&self, path: &str, body: &impl Serialize) -> Result<(), Error> {
        self.tell(path, self.agent.post(self.url(path)), body)
    }

    fn tell(
        &self,
        path: &str,
        request: RequestBuilder<WithBody>,
        body: &impl Serialize,
    ) -> Result<(), Error> {
        let mut answer = request
            .header("Authorization", self.bearer())
            .send_json(body)
            .map_err(|error| unreachable_at(path, &error))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(refusal(path, &mut answer))
    }

    /// DELETE of a path.
    pub fn delete(&self, path: &str) -> Result<(), Error> {
        let request = self
            .agent
            .delete(format!("{}{path}", self.origin))
            .header("Authorization", self.bearer());
        let mut answer = request
            .call()
            .map_err(|error| unreachable_at(path, &error))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(refusal(path, &mut answer))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token.expose())
    }
}

/// An HTTPS client that trusts one CA, and takes refusals for answers.
pub(crate) fn agent(ca_pem: &str) -> Result<Agent, Error> {
    let root = CertificateDer::from_pem_slice(ca_pem.as_bytes())
        .map_err(|error| Error::Tls(format!("the CA's certificate cannot be read: {error}")))?;
    let roots = [Certificate::from_der(&root).to_owned()];
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider())
        .root_certs(RootCerts::Specific(Arc::new(roots.to_vec())))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .build();
    Ok(config.into())
}

type Answer = Result<http::Response<ureq::Body>, ureq::Error>;

fn read<T: DeserializeOwned>(path: &str, answer: Answer) -> Result<T, Error> {
    let mut answer = answer.map_err(|error| unreachable_at(path, &error))?;
    if !answer.status().is_success() {
        return Err(refusal(path, &mut answer));
    }
    answer
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .read_json()
        .map_err(|error| Error::Cloud {
            path: path.to_owned(),
            code: None,
            message: format!("the answer is not what it should be: {error}"),
        })
}

fn refusal(path: &str, answer: &mut http::Response<ureq::Body>) -> Error {
    let status = answer.status();
    match answer.body_mut().read_json::<ErrorBody>() {
        Ok(body) => Error::Cloud {
            path: path.to_owned(),
            code: Some(body.error.code),
            message: body.error.message,
        },
        Err(_) => Error::Cloud {
            path: path.to_owned(),
            code: None,
            message: format!("status {status} without an explanation"),
        },
    }
}

fn unreachable_at(path: &str, error: &ureq::Error) -> Error {
    Error::Cloud {
        path: path.to_owned(),
        code: None,
        message: format!("the cloud cannot be reached: {error}"),
    }
}
