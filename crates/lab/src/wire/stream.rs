//! A wire for streams.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::{Attempts, MOVE, Mode};
use crate::Error;
use crate::rooms::for_tokio;

/// One door.
pub(super) struct Streams {
    address: SocketAddr,
    inner: SocketAddr,
    door: Option<Door>,
    relay: Option<JoinHandle<()>>,
}

enum Door {
    Open(Arc<tokio::net::TcpListener>),
    /// The address is kept, and nobody listens at it.
    Closed(TcpSocket),
}

impl Streams {
    pub(super) fn new(door: TcpListener, inner: SocketAddr) -> Result<Self, Error> {
        Ok(Self {
            address: door.local_addr().map_err(Error::io(MOVE))?,
            inner,
            door: Some(Door::Open(Arc::new(for_tokio(door)?))),
            relay: None,
        })
    }

    /// Ends every connection, and takes no more.
    pub(super) async fn rest(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.abort();
            // It has been told to end, so how it ended says nothing.
            let _ = relay.await;
        }
    }

    pub(super) fn close(&mut self) -> Result<(), Error> {
        self.door = None;
        let closed = TcpSocket::new_v4().and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(self.address)?;
            Ok(socket)
        });
        self.door = Some(Door::Closed(closed.map_err(Error::io(MOVE))?));
        Ok(())
    }

    pub(super) fn open(&mut self) -> Result<(), Error> {
        self.door = match self.door.take() {
            Some(Door::Closed(socket)) => {
                let listener = socket.listen(BACKLOG).map_err(Error::io(MOVE))?;
                Some(Door::Open(Arc::new(listener)))
            }
            open => open,
        };
        Ok(())
    }

    pub(super) fn serve(&mut self, mode: Mode, attempts: &Attempts) {
        let Some(Door::Open(listener)) = &self.door else {
            return;
        };
        let (listener, inner, attempts) = (Arc::clone(listener), self.inner, attempts.clone());
        self.relay = Some(tokio::spawn(async move {
            // Connections end with this task.
            let mut connections = JoinSet::new();
            loop {
                // A connection that was gone before it was taken harms nobody.
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                while connections.try_join_next().is_some() {}
                if mode == Mode::Flapping && attempts.next_fails() {
                    continue;
                }
                connections.spawn(async move {
                    // A connection that breaks is its two ends' concern.
                    let _ = connect(stream, inner, mode).await;
                });
            }
        }));
    }
}

async fn connect(mut client: TcpStream, inner: SocketAddr, mode: Mode) -> std::io::Result<()> {
    if mode == Mode::Silent {
        // The stream is held, and what comes is neither read nor answered.
        std::future::pending::<()>().await;
    }
    let mut room = TcpStream::connect(inner).await?;
    client.set_nodelay(true)?;
    room.set_nodelay(true)?;
    let Mode::Slow(pause) = mode else {
        tokio::io::copy_bidirectional(&mut client, &mut room).await?;
        return Ok(());
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_room, mut to_room) = room.split();
    tokio::try_join!(
        slowly(&mut from_client, &mut to_room, pause),
        slowly(&mut from_room, &mut to_client, pause)
    )?;
    Ok(())
}

async fn slowly(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    pause: Duration,
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece).await?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
            return to.shutdown().await;
        };
        tokio::time::sleep(pause).await;
        to.write_all(read).await?;
    }
}

const PIECE_BYTES: usize = 16 * 1024;
const BACKLOG: u32 = 1024;
