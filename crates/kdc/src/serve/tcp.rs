//! Streams, RFC 4120 7.2.2: four bytes of length before each message.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::door::Door;
use super::seats::Seats;
use super::{PATIENCE, Surroundings, is_passing, stopped};
use crate::kdc::{Kdc, REQUEST_BYTES_MAX};

pub(super) async fn serve(
    listener: TcpListener,
    door: Door,
    kdc: Arc<Kdc>,
    mut around: Surroundings,
) -> io::Result<()> {
    let seats = Seats::new(CONNECTIONS_MAX, CONNECTIONS_PER_SOURCE_MAX);
    loop {
        let (stream, client) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_passing(&error) => {
                    // A full table of files needs a moment to drain.
                    tokio::task::yield_now().await;
                    continue;
                }
                Err(error) => return Err(error),
            },
            () = stopped(&mut around.stop) => return Ok(()),
        };
        // Beyond the cap a connection is closed at once: an attacker's idle ones must not use up memory.
        let Some(seat) = seats.take(client.ip()) else {
            continue;
        };
        let (kdc, around) = (Arc::clone(&kdc), around.clone());
        tokio::spawn(async move {
            let mut stop = around.stop.clone();
            tokio::select! {
                // A connection that breaks harms nobody else.
                _ = connection(stream, client, door, &kdc, &around) => {}
                () = stopped(&mut stop) => {}
            }
            drop(seat);
        });
    }
}

async fn connection(
    mut stream: TcpStream,
    client: SocketAddr,
    door: Door,
    kdc: &Kdc,
    around: &Surroundings,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let server = stream.local_addr()?;
    let mut entropy = (around.entropy)();
    let mut received = Vec::with_capacity(READ_BYTES);
    loop {
        let message = match timeout(PATIENCE, message(&mut stream, &mut received)).await?? {
            Framed::Message(message) => message,
            Framed::TooLong => {
                return match kdc.field_too_long(around.clock.now()) {
                    Some(refusal) if door == Door::Tickets => send(&mut stream, &refusal).await,
                    _ => Ok(()),
                };
            }
            Framed::End => return Ok(()),
        };
        let now = around.clock.now();
        let request = received.get(message.clone()).unwrap_or_default();
        let answer = door.answer(kdc, request, client, server, now, &mut *entropy);
        received.drain(..message.end);
        for event in answer.events {
            (around.audit)(client, event);
        }
        match answer.reply {
            Some(reply) => send(&mut stream, &reply).await?,
            None => return Ok(()),
        }
    }
}

/// What comes next on a stream.
enum Framed {
    /// A message, which is there as a whole.
    Message(Range<usize>),
    /// One that announces more than is read. RFC 4120 7.2.2: the high bit is reserved for extensions; a KDC that knows none
    /// answers FIELD_TOOLONG and closes.
    TooLong,
    /// Nothing more.
    End,
}

/// Reads the next message. Most come in one piece with their length, and cost one read. Memory is taken as bytes come, not as
/// they are announced.
async fn message(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Framed> {
    loop {
        if let Some(length) = received.first_chunk() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > REQUEST_BYTES_MAX {
                return Ok(Framed::TooLong);
            }
            let end = LENGTH_BYTES + length;
            if received.len() >= end {
                return Ok(Framed::Message(LENGTH_BYTES..end));
            }
        }
        received.reserve(READ_BYTES);
        if stream.read_buf(received).await? == 0 {
            return Ok(Framed::End);
        }
    }
}

async fn send(stream: &mut TcpStream, reply: &[u8]) -> io::Result<()> {
    let length = u32::try_from(reply.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes(), reply].concat();
    timeout(PATIENCE, stream.write_all(&framed)).await?
}

const LENGTH_BYTES: usize = 4;
/// Most requests are shorter.
const READ_BYTES: usize = 4096;
const CONNECTIONS_MAX: usize = 1024;
/// Many people may share one address, and none of them needs many connections.
const CONNECTIONS_PER_SOURCE_MAX: usize = 256;
