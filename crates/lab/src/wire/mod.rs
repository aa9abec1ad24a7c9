//! The wires between a workstation and the rooms of the house: to the cloud, and to the domain controller. Each can be
//! cut, made silent, slow or unreliable, and mended.
//!
//! ```text
//! client ──▶ the door's public address ══ wire ══▶ the room's own socket
//! ```
//! Every door has such a wire, whatever is spoken through it, so an outage looks to a client as it does outside: by
//! what its sockets say. Two doors of one room share one wire.
//!
//! Deliberately absent: any look at what goes through.

mod datagram;
mod stream;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::Error;
use crate::ports::KdcSockets;
use datagram::Datagrams;
use stream::Streams;

/// How a wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// As it should be.
    #[default]
    Up,
    /// Nobody listens: connections are refused, datagrams come back as unreachable.
    Cut,
    /// Connections begin and nothing is ever said; datagrams are swallowed. A client waits until its own time-out.
    Silent,
    /// Each piece waits for so long on its way, in both directions.
    Slow(Duration),
    /// Every second attempt fails: a connection breaks as soon as it is there, a datagram is lost.
    Flapping,
}

/// Which wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// To the cloud.
    Cloud,
    /// To the domain controller: tickets, passwords and the directory, all of its doors at once.
    DomainController,
}

/// A bundle of doors that share one fate.
pub(crate) struct Wire {
    mode: Mode,
    streams: Vec<Streams>,
    datagrams: Vec<Datagrams>,
    attempts: Attempts,
}

/// Counts what was tried, so that a flapping wire knows which attempt is the second.
#[derive(Debug, Clone, Default)]
struct Attempts(Arc<AtomicU64>);

impl Attempts {
    /// Whether the next attempt fails.
    fn next_fails(&self) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst) % 2 == 1
    }
}

impl Wire {
    /// A wire without doors. All of it must be called inside the house's runtime.
    pub(crate) fn new() -> Self {
        Self {
            mode: Mode::Up,
            streams: Vec::new(),
            datagrams: Vec::new(),
            attempts: Attempts::default(),
        }
    }

    /// Puts a door for streams at the end of this wire, and gives the socket that the room is to serve.
    pub(crate) fn stream(&mut self, door: TcpListener) -> Result<TcpListener, Error> {
        let room = TcpListener::bind(FREE).map_err(Error::io(OPEN))?;
        let inner = room.local_addr().map_err(Error::io(OPEN))?;
        let mut streams = Streams::new(door, inner)?;
        streams.serve(self.mode, &self.attempts);
        self.streams.push(streams);
        Ok(room)
    }

    /// The same for datagrams.
    fn datagram(&mut self, door: UdpSocket) -> Result<UdpSocket, Error> {
        let room = UdpSocket::bind(FREE).map_err(Error::io(OPEN))?;
        let inner = room.local_addr().map_err(Error::io(OPEN))?;
        let mut datagrams = Datagrams::new(door, inner)?;
        datagrams.serve(self.mode, &self.attempts);
        self.datagrams.push(datagrams);
        Ok(room)
    }

    /// The same for a service that has both.
    pub(crate) fn kdc(&mut self, door: KdcSockets) -> Result<KdcSockets, Error> {
        let (udp, tcp) = door.into_parts();
        Ok(KdcSockets::of(self.datagram(udp)?, self.stream(tcp)?))
    }

    /// Changes the wire. Whoever is connected is cut off; when this returns, the new mode is in force.
    pub(crate) fn set(&mut self, mode: Mode, runtime: &Handle) -> Result<(), Error> {
        if mode == self.mode {
            return Ok(());
        }
        let _inside = runtime.enter();
        for streams in &mut self.streams {
            runtime.block_on(streams.rest());
            match mode {
                Mode::Cut => streams.close()?,
                _ => streams.open()?,
            }
        }
        for datagrams in &mut self.datagrams {
            runtime.block_on(datagrams.rest());
            match mode {
                Mode::Cut => datagrams.close()?,
                _ => datagrams.open()?,
            }
        }
        self.mode = mode;
        self.attempts = Attempts::default();
        for streams in &mut self.streams {
            streams.serve(mode, &self.attempts);
        }
        for datagrams in &mut self.datagrams {
            datagrams.serve(mode, &self.attempts);
        }
        Ok(())
    }
}

const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const OPEN: &str = "cannot open a socket behind a wire";
const MOVE: &str = "cannot change a wire";
