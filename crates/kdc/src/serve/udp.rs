//! Datagrams, RFC 4120 7.2.1.

use std::io;
use std::sync::Arc;

use tokio::net::UdpSocket;

use super::door::Door;
use super::{Surroundings, is_passing, stopped};
use crate::kdc::Kdc;

pub(super) async fn serve(
    socket: Arc<UdpSocket>,
    door: Door,
    kdc: Arc<Kdc>,
    mut around: Surroundings,
) -> io::Result<()> {
    let server = socket.local_addr()?;
    let mut entropy = (around.entropy)();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (length, client) = tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // An ICMP error of an earlier answer is reported here; it says nothing about the socket.
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error),
            },
            () = stopped(&mut around.stop) => return Ok(()),
        };
        let request = buffer.get(..length).unwrap_or_default();
        let now = around.clock.now();
        let answer = door.answer(&kdc, request, client, server, now, &mut *entropy);
        for event in answer.events {
            (around.audit)(client, event);
        }
        let Some(reply) = answer.reply else { continue };
        let reply = if reply.len() > REPLY_BYTES_MAX {
            kdc.response_too_big(now)
        } else {
            Some(reply)
        };
        // A client that went away is its own concern.
        if let Some(reply) = reply {
            let _ = socket.send_to(&reply, client).await;
        }
    }
}

/// No datagram is longer.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
/// What is longer comes by TCP. MIT's KDC cuts here. Windows cuts at 1465, where a datagram is sure to be one packet; but
/// then a PAC of the smallest account is too long, and nobody signs in by one exchange.
const REPLY_BYTES_MAX: usize = 4096;
