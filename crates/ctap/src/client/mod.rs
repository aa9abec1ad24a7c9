//! A small blocking driver: requests over any `Read + Write` that carries raw 64-byte reports.
//!
//! [`wire`] exchanges messages, [`ceremony`] registers and signs, [`management`] lists and changes what a key holds.
//!
//! Deliberately absent: finding a key, time and threads. A stream with a read timeout gives [`Error::Silent`] when
//! nobody answers; a request is given up by the [`Attendant`], who is asked as often as the key says that it is alive.

mod ceremony;
mod management;
mod wire;

use std::io::{Read, Write};

use types::Entropy;

use crate::attendant::{Attendant, Nobody};
use crate::client_pin::{GetKeyAgreement, GetRetries, GetToken, Permissions, Retries, SetPin};
use crate::command::{Bare, GetInfo, MakeCredential, Request, User};
use crate::error::{Error, Malformed};
use crate::get_info::Info;
use crate::hid::{self, Channel, Command};
use crate::pin::{Pin, PinProtocol, PinToken, SharedSecret};
use crate::status::Status;

pub use management::Inventory;

/// A conversation with one security key.
pub struct Client<S> {
    stream: S,
    entropy: Box<dyn Entropy>,
    channel: Channel,
    capabilities: u8,
    info: Info,
    protocol: Option<PinProtocol>,
    attendant: Box<dyn Attendant>,
}

impl<S> std::fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("channel", &self.channel)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl<S: Read + Write> Client<S> {
    /// Opens a channel and asks the key what it is.
    pub fn open(stream: S, mut entropy: Box<dyn Entropy>) -> Result<Self, Error> {
        let mut nonce = [0; 8];
        entropy.fill(&mut nonce);
        let mut client = Self {
            stream,
            entropy,
            channel: Channel::BROADCAST,
            capabilities: 0,
            info: Info::unknown(),
            protocol: None,
            attendant: Box::new(Nobody),
        };
        client.send(Command::INIT, nonce.to_vec())?;
        let reply = client.wait_for(Command::INIT, |payload| payload.starts_with(&nonce))?;
        let Some((&[a, b, c, d, _, _, _, _, capabilities], _)) = reply
            .get(nonce.len()..)
            .and_then(<[u8]>::split_first_chunk::<9>)
        else {
            return Err(hid::Error::Misbehaved("its reply to INIT is too short").into());
        };
        client.channel = Channel(u32::from_be_bytes([a, b, c, d]));
        client.capabilities = capabilities;
        if capabilities & hid::capability::CBOR == 0 {
            return Err(Error::Unsupported("CTAP2"));
        }
        client.refresh_info()?;
        Ok(client)
    }

    /// What the key said of itself when it was last asked.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Capability flags of the transport.
    pub fn capabilities(&self) -> u8 {
        self.capabilities
    }

    /// Asks the key again what it is.
    pub fn refresh_info(&mut self) -> Result<&Info, Error> {
        self.info = self.call(&GetInfo)?;
        Ok(&self.info)
    }

    /// Who is told and asked while the key works. Without it the newest account is taken and nothing is given up.
    pub fn attend(&mut self, attendant: impl Attendant + 'static) {
        self.attendant = Box::new(attendant);
    }

    /// Asks the attendant which account is meant; one alone may be refused, too.
    pub(crate) fn choose(&mut self, accounts: &[User]) -> Option<usize> {
        self.attendant.choose(accounts)
    }

    /// Takes this PIN protocol instead of the key's first choice.
    pub fn use_protocol(&mut self, protocol: PinProtocol) {
        self.protocol = Some(protocol);
    }

    /// The PIN protocol in use: the stronger one, where the key has both.
    pub fn protocol(&self) -> Result<PinProtocol, Error> {
        let known = &self.info.pin_protocols;
        let best = known.iter().max_by_key(|protocol| protocol.number());
        self.protocol
            .or(best.copied())
            .ok_or(Error::Unsupported("a known PIN protocol"))
    }

    /// Sends a request and reads its reply.
    pub fn call<R: Request>(&mut self, request: &R) -> Result<R::Reply, Error> {
        let bytes = request.to_bytes();
        let longest = usize::try_from(self.info.message_length_max).unwrap_or(usize::MAX);
        if bytes.len() > longest {
            let length = bytes.len();
            return Err(Error::TooLong { length, longest });
        }
        let reply = self.exchange(Command::CBOR, bytes)?;
        let Some((&status, body)) = reply.split_first() else {
            let what = "a reply";
            return Err(Malformed::Truncated {
                what,
                offset: 0,
                need: 1,
                have: 0,
            }
            .into());
        };
        match Status(status) {
            Status::OK => Ok(request.decode_reply(body)?),
            refused => Err(Error::Status(refused)),
        }
    }

    /// Has the key send `payload` back.
    pub fn ping(&mut self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.exchange(Command::PING, payload.to_vec())
    }

    /// Has the key blink.
    pub fn wink(&mut self) -> Result<(), Error> {
        self.exchange(Command::WINK, Vec::new()).map(drop)
    }

    /// Waits until somebody touches this key, to tell it from others (CTAP 2.1, section 6.9). Nothing is signed.
    pub fn select(&mut self) -> Result<(), Error> {
        if self.info.knows_selection() {
            return self.call(&Bare::Selection);
        }
        // CTAP 2.1, section 6.1.2, step 1: with an empty proof every key waits for a touch, and then says what it
        // thinks of the proof.
        match self.call(&MakeCredential::touch_alone()) {
            Err(Error::Status(
                Status::PIN_NOT_SET | Status::PIN_INVALID | Status::PIN_AUTH_INVALID,
            )) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                Err(hid::Error::Misbehaved("it made a credential without the PIN's proof").into())
            }
        }
    }

    /// Tries left for the PIN.
    pub fn pin_retries(&mut self) -> Result<Retries, Error> {
        self.call(&GetRetries(self.protocol()?))
    }

    /// Agrees on a fresh shared secret.
    pub fn agree(&mut self) -> Result<SharedSecret, Error> {
        let protocol = self.protocol()?;
        let peer = self.call(&GetKeyAgreement(protocol))?;
        SharedSecret::agree(protocol, peer, &mut *self.entropy)
    }

    /// Sets the first PIN (`old` is `None`) or changes it.
    pub fn set_pin(&mut self, old: Option<&Pin>, new: &Pin) -> Result<(), Error> {
        let shared = self.agree()?;
        let request = SetPin::new(&shared, old, new, &mut *self.entropy)?;
        let answer = self.call(&request);
        self.with_tries(answer)?;
        self.refresh_info().map(drop)
    }

    /// Shows the PIN and gets a token; a key of CTAP 2.0 gives one without limits.
    pub fn token(
        &mut self,
        pin: &Pin,
        permissions: Permissions,
        rp_id: Option<&str>,
    ) -> Result<PinToken, Error> {
        // Keys answer differently when they have no PIN; the reason is the same.
        if self.info.has_pin() == Some(false) && self.refresh_info()?.has_pin() == Some(false) {
            return Err(Error::Status(Status::PIN_NOT_SET));
        }
        if self.info.must_change_pin && self.refresh_info()?.must_change_pin {
            return Err(Error::PinMustChange);
        }
        let shared = self.agree()?;
        let entropy = &mut *self.entropy;
        let request = match self.info.option("pinUvAuthToken") {
            Some(true) => GetToken::limited(&shared, pin, permissions, rp_id, entropy)?,
            _ => GetToken::unlimited(&shared, pin, entropy)?,
        };
        let answer = self.call(&request);
        self.with_tries(answer)
    }

    /// Makes the key forget everything; keys allow it only shortly after they were plugged in.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.call(&Bare::Reset)?;
        self.refresh_info().map(drop)
    }

    /// The stream, for a caller that is done.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// A refused PIN comes with the tries that are left.
    fn with_tries<T>(&mut self, answer: Result<T, Error>) -> Result<T, Error> {
        match answer {
            Err(Error::Status(
                status @ (Status::PIN_INVALID | Status::PIN_AUTH_BLOCKED | Status::PIN_BLOCKED),
            )) => {
                let left = self.pin_retries().ok().map(|retries| retries.left);
                Err(Error::PinRefused { status, left })
            }
            other => other,
        }
    }
}
