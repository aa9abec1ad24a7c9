//! HTTPS as a workstation speaks it to the token endpoint: one POST after the other on a connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use cloud_api::paths;
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::Failure;

/// The name in the server's certificate.
pub(crate) const HOST: &str = "localhost";

/// Where the cloud is, and whom it must prove to be.
#[derive(Clone)]
pub(crate) struct Address {
    at: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Address {
    /// `ca` is a certificate in PEM.
    pub(crate) fn new(at: SocketAddr, ca: &[u8]) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca)?)?;
        let mut tls = ClientConfig::builder_with_provider(lab::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // A device that signs in has not been here a moment before.
        tls.resumption = Resumption::disabled();
        let tls = Arc::new(tls);
        Ok(Self { at, tls })
    }

    pub(crate) fn connect(&self) -> Result<Line, Failure> {
        let stream = TcpStream::connect(self.at)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(HOST)?;
        let session = ClientConnection::new(Arc::clone(&self.tls), name)?;
        Ok(Line {
            stream: StreamOwned::new(session, stream),
            buffer: Vec::new(),
        })
    }
}

/// A connection.
pub(crate) struct Line {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
}

impl Line {
    /// Posts a form, and gives the status and the body of the answer.
    pub(crate) fn post(&mut self, form: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n",
            paths::TOKEN,
            form.len()
        );
        self.stream.write_all(&[head.as_bytes(), form].concat())?;
        self.buffer.clear();
        let (status, body_at, length) = loop {
            if let Some(found) = head_of(&self.buffer) {
                break found;
            }
            self.more()?;
        };
        while self.buffer.len() < body_at + length {
            self.more()?;
        }
        let body = self.buffer.get(body_at..body_at + length);
        Ok((status, body.unwrap_or_default().to_vec()))
    }

    fn more(&mut self) -> Result<(), Failure> {
        let mut piece = [0; 8192];
        match self.stream.read(&mut piece)? {
            0 => Err("the cloud closed the connection".into()),
            count => {
                self.buffer.extend(piece.iter().take(count));
                Ok(())
            }
        }
    }
}

/// Status, where the body begins, and its length, once the head is there.
fn head_of(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse().ok()).flatten()
    });
    Some((status, end + 4, length.unwrap_or(0)))
}

const PATIENCE: Duration = Duration::from_secs(30);
