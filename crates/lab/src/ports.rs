//! Where the house listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use serde::Serialize;

use crate::Error;

/// The ports of one house, on loopback; 0 lets the system choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// LDAP, with StartTLS.
    pub ldap: u16,
    /// LDAP over TLS.
    pub ldaps: u16,
    /// The cloud, HTTPS.
    pub cloud: u16,
    /// The software key's CTAPHID reports.
    pub key: u16,
}

impl Ports {
    /// The documented ones: what a person types.
    pub const STANDARD: Self = Self {
        ldap: 3890,
        ldaps: 6360,
        cloud: 8443,
        key: 8450,
    };
    /// Free ones, for tests and for a second house beside the first.
    pub const AUTO: Self = Self {
        ldap: 0,
        ldaps: 0,
        cloud: 0,
        key: 0,
    };

    pub(crate) fn open(self) -> Result<Listeners, Error> {
        Ok(Listeners {
            ldap: listen("LDAP", self.ldap)?,
            ldaps: listen("LDAPS", self.ldaps)?,
            cloud: listen("the cloud", self.cloud)?,
            key: listen("the security key", self.key)?,
        })
    }
}

/// Open sockets, before anybody serves them.
pub(crate) struct Listeners {
    pub(crate) ldap: TcpListener,
    pub(crate) ldaps: TcpListener,
    pub(crate) cloud: TcpListener,
    pub(crate) key: TcpListener,
}

/// Where the house can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// `ldap://127.0.0.1:3890`
    pub ldap: String,
    /// `ldaps://127.0.0.1:6360`
    pub ldaps: String,
    /// `https://127.0.0.1:8443`
    pub cloud: String,
    /// `127.0.0.1:8450`
    pub key: SocketAddr,
}

impl Listeners {
    pub(crate) fn addresses(&self) -> Result<Addresses, Error> {
        Ok(Addresses {
            ldap: format!("ldap://{}", local(&self.ldap)?),
            ldaps: format!("ldaps://{}", local(&self.ldaps)?),
            cloud: format!("https://{}", local(&self.cloud)?),
            key: local(&self.key)?,
        })
    }
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|source| Error::Socket {
        what: "a listener".into(),
        source,
    })
}

fn listen(what: &str, port: u16) -> Result<TcpListener, Error> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    TcpListener::bind(address).map_err(|source| Error::Socket {
        what: format!("{what} on {address}"),
        source,
    })
}
