//! Where the house listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

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
    /// The KDC, UDP and TCP.
    pub kdc: u16,
    /// Changing passwords by Kerberos (RFC 3244), UDP and TCP.
    pub kpasswd: u16,
    /// The KDC's proxy over HTTPS (MS-KKDCP).
    pub kdc_proxy: u16,
}

impl Ports {
    /// The documented ones: what a person types.
    pub const STANDARD: Self = Self {
        ldap: 3890,
        ldaps: 6360,
        cloud: 8443,
        key: 8450,
        kdc: 8800,
        kpasswd: 4640,
        kdc_proxy: 8844,
    };
    /// The ones that clients know, for a house in a network of its own.
    pub const WELL_KNOWN: Self = Self {
        ldap: 389,
        ldaps: 636,
        cloud: 443,
        kdc: 88,
        kpasswd: 464,
        ..Self::STANDARD
    };
    /// Free ones, for tests and for a second house beside the first.
    pub const AUTO: Self = Self {
        ldap: 0,
        ldaps: 0,
        cloud: 0,
        key: 0,
        kdc: 0,
        kpasswd: 0,
        kdc_proxy: 0,
    };

    pub(crate) fn open(self) -> Result<Listeners, Error> {
        Ok(Listeners {
            ldap: listen("LDAP", self.ldap)?,
            ldaps: listen("LDAPS", self.ldaps)?,
            cloud: listen("the cloud", self.cloud)?,
            key: listen("the security key", self.key)?,
            kdc: KdcSockets::open("the KDC", self.kdc)?,
            kpasswd: KdcSockets::open("the password service", self.kpasswd)?,
            kdc_proxy: listen("the KDC's proxy", self.kdc_proxy)?,
        })
    }
}

/// Open sockets, before anybody serves them.
pub(crate) struct Listeners {
    pub(crate) ldap: TcpListener,
    pub(crate) ldaps: TcpListener,
    pub(crate) cloud: TcpListener,
    pub(crate) key: TcpListener,
    pub(crate) kdc: KdcSockets,
    pub(crate) kpasswd: KdcSockets,
    pub(crate) kdc_proxy: TcpListener,
}

/// A service of Kerberos: the same port for datagrams and for streams.
pub(crate) struct KdcSockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl KdcSockets {
    fn open(what: &str, port: u16) -> Result<Self, Error> {
        let mut attempts = 0;
        loop {
            let tcp = listen(what, port)?;
            let address = local(&tcp)?;
            match UdpSocket::bind(address) {
                Ok(udp) => return Ok(Self { udp, tcp }),
                // The system chose a port that somebody else has for datagrams; it will choose another.
                Err(_) if port == 0 && attempts < ATTEMPTS_MAX => attempts += 1,
                Err(source) => {
                    return Err(Error::Socket {
                        what: format!("{what} on {address} (UDP)"),
                        source,
                    });
                }
            }
        }
    }

    /// Two sockets as they are: behind a wire nobody minds that their ports differ.
    pub(crate) fn of(udp: UdpSocket, tcp: TcpListener) -> Self {
        Self { udp, tcp }
    }

    pub(crate) fn into_parts(self) -> (UdpSocket, TcpListener) {
        (self.udp, self.tcp)
    }

    pub(crate) fn address(&self) -> Result<SocketAddr, Error> {
        local(&self.tcp)
    }

    /// Must be called inside a runtime.
    pub(crate) fn for_tokio(
        self,
    ) -> Result<(tokio::net::UdpSocket, tokio::net::TcpListener), Error> {
        let convert = || {
            self.udp.set_nonblocking(true)?;
            self.tcp.set_nonblocking(true)?;
            Ok((
                tokio::net::UdpSocket::from_std(self.udp)?,
                tokio::net::TcpListener::from_std(self.tcp)?,
            ))
        };
        convert().map_err(Error::io("cannot serve the KDC's sockets"))
    }
}

const ATTEMPTS_MAX: u32 = 20;

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
    /// `127.0.0.1:8800`
    pub kdc: SocketAddr,
    /// `127.0.0.1:4640`
    pub kpasswd: SocketAddr,
    /// `https://127.0.0.1:8844/KdcProxy`
    pub kdc_proxy: String,
}

impl Listeners {
    pub(crate) fn addresses(&self) -> Result<Addresses, Error> {
        Ok(Addresses {
            ldap: format!("ldap://{}", local(&self.ldap)?),
            ldaps: format!("ldaps://{}", local(&self.ldaps)?),
            cloud: format!("https://{}", local(&self.cloud)?),
            key: local(&self.key)?,
            kdc: self.kdc.address()?,
            kpasswd: self.kpasswd.address()?,
            kdc_proxy: format!("https://{}/KdcProxy", local(&self.kdc_proxy)?),
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
