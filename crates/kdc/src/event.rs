//! What a KDC tells its audit log: the effects of a request besides its answer.

use std::fmt;

use kerberos::crypto::EncryptionType;
use types::Sid;

/// Something that an administrator may want to know. The shell adds the time and the client's address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A ticket was issued by the AS exchange (Windows: 4768).
    TicketGranted {
        /// The account that signed in.
        account: Sid,
        /// The client's name in the ticket.
        client: String,
        /// The service of the ticket.
        service: String,
        /// How it proved who it is.
        proof: Proof,
    },
    /// A ticket was issued by the TGS exchange (Windows: 4769, renewals 4770).
    ServiceTicketGranted {
        /// The client's account.
        account: Sid,
        /// The client's name in the ticket.
        client: String,
        /// The service of the ticket.
        service: String,
        /// Whether an existing ticket was renewed.
        renewed: bool,
        /// The service that asked in the client's name (S4U).
        through: Option<String>,
        /// The number of the read-only server whose ticket it was granted for.
        read_only_server: Option<u16>,
    },
    /// A request was refused (Windows: 4768, 4769 and 4771 with a failure code).
    Refused {
        /// The client as it named itself, where that can be read.
        client: String,
        /// The error code of the answer.
        code: i32,
        /// Why, in words that are not told to the client.
        why: String,
    },
    /// A password was changed by its owner, or set by somebody else (Windows: 4723, 4724).
    PasswordChanged {
        /// Whose password.
        account: Sid,
        /// Who did it.
        by: Sid,
    },
    /// A password was not changed (Windows: 4723, 4724 as failures).
    PasswordRefused {
        /// Who asked.
        by: Sid,
        /// Why not.
        why: String,
    },
    /// A wrong password locked the account (Windows: 4740).
    LockedOut {
        /// The account.
        account: Sid,
    },
    /// A key trust sign-in passed over a value of the account's `msDS-KeyCredentialLink`.
    KeySkipped {
        /// The account.
        account: Sid,
        /// The value's short key id, where it can be read.
        key_id: Option<String>,
        /// Why it cannot sign in.
        why: String,
    },
    /// Long-term keys of an account were handed to the holder of a read-only server's ticket (KERB-KEY-LIST).
    KeysReleased {
        /// The account whose keys they are.
        account: Sid,
        /// The read-only server.
        server: String,
        /// Their types.
        types: Vec<EncryptionType>,
    },
    /// The account's NT hash was put into a ticket, sealed for whoever signed in by a key.
    NtHashReleased {
        /// The account.
        account: Sid,
    },
    /// Long-term keys were asked for and not given.
    KeysWithheld {
        /// The account.
        account: Sid,
        /// Why not.
        why: &'static str,
    },
    /// A setting that relaxes a rule was used.
    Tolerated {
        /// The client's account.
        client: String,
        /// What was let through.
        what: &'static str,
    },
}

/// How a client proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// A timestamp under the key of its password.
    EncryptedTimestamp,
    /// A timestamp under a key of its password and an armour's (FAST).
    EncryptedChallenge,
    /// A signature by one of the account's NGC keys.
    KeyTrust {
        /// The key's short id.
        key_id: String,
        /// The signature is no older than a token that this KDC gave out (RFC 8070).
        is_fresh: bool,
    },
    /// Nothing: the account asks for no pre-authentication.
    Nothing,
    /// A ticket of the read-only server with that number: of the cloud, for example.
    ReadOnlyServer {
        /// The server's number.
        number: u16,
    },
    /// Nothing: a service says that the account came to it (S4U2Self).
    Service,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TicketGranted {
                client,
                service,
                proof,
                ..
            } => {
                let proof = match proof {
                    Proof::EncryptedTimestamp => "its password".to_owned(),
                    Proof::EncryptedChallenge => "its password in an armour".to_owned(),
                    Proof::KeyTrust {
                        key_id,
                        is_fresh: false,
                    } => format!("its key {key_id}"),
                    Proof::KeyTrust {
                        key_id,
                        is_fresh: true,
                    } => format!("its key {key_id}, freshly"),
                    Proof::Nothing => "no proof at all".to_owned(),
                    Proof::ReadOnlyServer { number } => {
                        format!("a ticket of read-only server {number}")
                    }
                    Proof::Service => "a service's word".to_owned(),
                };
                write!(f, "ticket for {service} issued to {client} by {proof}")
            }
            Self::ServiceTicketGranted {
                client,
                service,
                renewed,
                through,
                read_only_server,
                ..
            } => {
                let verb = if *renewed { "renewed" } else { "issued" };
                write!(f, "ticket for {service} {verb} to {client}")?;
                if let Some(through) = through {
                    write!(f, " through {through}")?;
                }
                match read_only_server {
                    Some(number) => write!(f, " for a ticket of read-only server {number}"),
                    None => Ok(()),
                }
            }
            Self::Refused { client, code, why } => {
                write!(f, "refused {client} with error {code}: {why}")
            }
            Self::PasswordChanged { account, by } => {
                write!(f, "password of {account} changed by {by}")
            }
            Self::PasswordRefused { by, why } => {
                write!(f, "{by} may not change a password: {why}")
            }
            Self::LockedOut { account } => {
                write!(f, "{account} is locked after too many wrong passwords")
            }
            Self::KeySkipped {
                account,
                key_id,
                why,
            } => {
                let key = key_id.as_deref().unwrap_or("that cannot be read");
                write!(f, "key {key} of {account} passed over: {why}")
            }
            Self::KeysReleased {
                account,
                server,
                types,
            } => write!(f, "keys of {account} released through {server}: {types:?}"),
            Self::NtHashReleased { account } => {
                write!(f, "the NT hash of {account} released in its ticket")
            }
            Self::KeysWithheld { account, why } => {
                write!(f, "keys of {account} asked for and not given: {why}")
            }
            Self::Tolerated { client, what } => write!(f, "tolerated from {client}: {what}"),
        }
    }
}
