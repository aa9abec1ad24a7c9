//! A wire for datagrams.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use tokio::task::{JoinHandle, JoinSet};

use super::{Attempts, FREE, MOVE, Mode};
use crate::Error;

/// One door.
pub(super) struct Datagrams {
    address: SocketAddr,
    inner: SocketAddr,
    door: Option<Arc<tokio::net::UdpSocket>>,
    /// Keeps the address while the wire is cut: a socket that hears itself alone, so that the system answers everybody
    /// else that the port cannot be reached.
    closed: Option<UdpSocket>,
    relay: Option<JoinHandle<()>>,
}

impl Datagrams {
    pub(super) fn new(door: UdpSocket, inner: SocketAddr) -> Result<Self, Error> {
        Ok(Self {
            address: door.local_addr().map_err(Error::io(MOVE))?,
            inner,
            door: Some(for_tokio(door)?),
            closed: None,
            relay: None,
        })
    }

    /// Takes nothing any more.
    pub(super) async fn rest(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.abort();
            // It has been told to end, so how it ended says nothing.
            let _ = relay.await;
        }
    }

    pub(super) fn close(&mut self) -> Result<(), Error> {
        self.door = None;
        let closed = UdpSocket::bind(self.address).and_then(|socket| {
            socket.connect(self.address)?;
            Ok(socket)
        });
        self.closed = Some(closed.map_err(Error::io(MOVE))?);
        Ok(())
    }

    pub(super) fn open(&mut self) -> Result<(), Error> {
        if self.closed.take().is_some() {
            let door = UdpSocket::bind(self.address).map_err(Error::io(MOVE))?;
            self.door = Some(for_tokio(door)?);
        }
        Ok(())
    }

    pub(super) fn serve(&mut self, mode: Mode, attempts: &Attempts) {
        let Some(door) = &self.door else {
            return;
        };
        let (door, inner, attempts) = (Arc::clone(door), self.inner, attempts.clone());
        self.relay = Some(tokio::spawn(async move {
            // An end of the socket is the end of the house.
            let _ = relay(&door, inner, mode, &attempts).await;
        }));
    }
}

/// Each client has a socket of its own behind the wire, so that answers find their way back.
async fn relay(
    door: &Arc<tokio::net::UdpSocket>,
    inner: SocketAddr,
    mode: Mode,
    attempts: &Attempts,
) -> std::io::Result<()> {
    let mut clients: HashMap<SocketAddr, Arc<tokio::net::UdpSocket>> = HashMap::new();
    // The ways back end with this task.
    let mut ways_back = JoinSet::new();
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An error here is an ICMP message about an earlier answer.
        let Ok((length, client)) = door.recv_from(&mut datagram).await else {
            continue;
        };
        if mode == Mode::Silent || mode == Mode::Flapping && attempts.next_fails() {
            continue;
        }
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
            ways_back.abort_all();
        }
        let room = match clients.get(&client) {
            Some(room) => Arc::clone(room),
            None => {
                let room = Arc::new(tokio::net::UdpSocket::bind(FREE).await?);
                room.connect(inner).await?;
                clients.insert(client, Arc::clone(&room));
                ways_back.spawn(way_back(Arc::clone(&room), Arc::clone(door), client, mode));
                room
            }
        };
        wait(mode).await;
        // What cannot be sent is lost, as datagrams are.
        let _ = room.send(datagram.get(..length).unwrap_or_default()).await;
    }
}

async fn way_back(
    room: Arc<tokio::net::UdpSocket>,
    door: Arc<tokio::net::UdpSocket>,
    client: SocketAddr,
    mode: Mode,
) {
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    while let Ok(length) = room.recv(&mut datagram).await {
        wait(mode).await;
        // A client that went away is its own concern.
        let _ = door
            .send_to(datagram.get(..length).unwrap_or_default(), client)
            .await;
    }
}

async fn wait(mode: Mode) {
    if let Mode::Slow(pause) = mode {
        tokio::time::sleep(pause).await;
    }
}

fn for_tokio(socket: UdpSocket) -> Result<Arc<tokio::net::UdpSocket>, Error> {
    socket
        .set_nonblocking(true)
        .and_then(|()| tokio::net::UdpSocket::from_std(socket))
        .map(Arc::new)
        .map_err(Error::io(MOVE))
}

const CLIENTS_MAX: usize = 256;
/// No datagram is longer.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
