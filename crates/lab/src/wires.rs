//! The wires of a workstation: HTTPS to a cloud, TCP to a KDC.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use ureq::{Agent, http};
use workstation::cloud::{Cloud, Post, Reply, Unreachable};
use workstation::domain::{DomainController, NoAnswer};

use crate::Error;
use crate::cloud_client::agent;

/// HTTPS to one cloud, which proves itself by a certificate of one CA.
pub struct CloudWire {
    agent: Agent,
    origin: String,
}

/// No answer of this protocol is larger.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

impl CloudWire {
    /// To `origin` (`https://127.0.0.1:8443`), trusting only the given CA.
    pub fn new(origin: &str, ca_pem: &str) -> Result<Self, Error> {
        Ok(Self {
            agent: agent(ca_pem)?,
            origin: origin.trim_end_matches('/').to_owned(),
        })
    }
}

impl Cloud for CloudWire {
    fn post(&mut self, request: Post<'_>) -> Result<Reply, Unreachable> {
        let gone = |error: ureq::Error| Unreachable(error.to_string());
        let mut call = self
            .agent
            .post(format!("{}{}", self.origin, request.path))
            .header(http::header::CONTENT_TYPE, request.content_type);
        if let Some(token) = request.bearer {
            let value = format!("Bearer {}", token.expose());
            call = call.header(http::header::AUTHORIZATION, value);
        }
        let mut answer = call.send(&request.body[..]).map_err(gone)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        Ok(Reply {
            status,
            body: body.read_to_vec().map_err(gone)?,
        })
    }
}

/// TCP to one KDC, a new connection for each message.
#[derive(Debug, Clone)]
pub struct KdcWire(pub String);

impl DomainController for KdcWire {
    fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        ask_kdc(self.0.as_str(), request).map_err(|error| NoAnswer(format!("{}: {error}", self.0)))
    }
}

const KDC_TIMEOUT: Duration = Duration::from_secs(10);
const KDC_ANSWER_BYTES_MAX: usize = 1 << 20;

/// One message to a KDC and its answer, RFC 4120 7.2.2.
pub fn ask_kdc(kdc: impl ToSocketAddrs, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let other = |why: &str| std::io::Error::other(why);
    let address = kdc.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| other("the name leads to no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, KDC_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(KDC_TIMEOUT))?;
    let length = u32::try_from(request.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), request].concat())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > KDC_ANSWER_BYTES_MAX {
        return Err(other("an answer of more than a megabyte"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
