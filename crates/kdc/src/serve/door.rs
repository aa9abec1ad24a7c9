//! Which service a message is for.

use std::net::SocketAddr;

use types::{Entropy, Timestamp};

use crate::kdc::{Answer, Kdc};
use crate::kpasswd::Ends;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// AS and TGS: port 88.
    Tickets,
    /// RFC 3244: port 464.
    Passwords,
}

impl Door {
    /// The door of a message that came through the proxy: requests for tickets begin with an application tag, those to
    /// the password service with the high half of a length.
    pub(super) fn of(message: &[u8]) -> Self {
        match message.first() {
            Some(first) if first & 0xE0 == 0x60 => Self::Tickets,
            _ => Self::Passwords,
        }
    }

    pub(super) fn answer(
        self,
        kdc: &Kdc,
        message: &[u8],
        client: SocketAddr,
        server: SocketAddr,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        match self {
            Self::Tickets => kdc.answer_from(Some(client.ip()), message, now, entropy),
            Self::Passwords => {
                let ends = Ends {
                    client: client.ip(),
                    server: server.ip(),
                };
                kdc.answer_password(message, ends, now, entropy)
            }
        }
    }
}
