//! A small blocking driver: requests over any `Read + Write` that carries raw 64-byte reports.
//!
//! Deliberately absent: finding a key, timeouts and threads. A stream with a read timeout gives
//! [`Error::Io`] when nobody answers.

use std::io::{Read, Write};

use types::Entropy;

use crate::auth_data::AuthData;
use crate::client_pin::{GetKeyAgreement, GetRetries, GetToken, Permissions, Retries, SetPin};
use crate::command::{
    Assertion, Attestation, Bare, GetAssertion, GetInfo, GetNextAssertion, MakeCredential, Request,
};
use crate::credential_management::{
    DeleteCredential, EnumerateCredentials, EnumerateRelyingParties, GetMetadata, StoredCredential,
    StoredRelyingParty,
};
use crate::error::{Error, Malformed};
use crate::get_info::Info;
use crate::hid::{
    self, Assembler, Channel, Command, ErrorCode, KeepaliveStatus, Message, REPORT_LENGTH, Report,
};
use crate::hmac_secret::{Outputs, Salts};
use crate::pin::{Pin, PinProtocol, PinToken, SharedSecret};
use crate::status::Status;

/// Reports read while waiting for one reply: strangers' traffic and keepalives of several minutes.
const REPORTS_WAITED_MAX: usize = 10_000;
/// More credentials for one relying party than any key holds.
const CREDENTIALS_MAX: u32 = 1_000;

/// A conversation with one security key.
pub struct Client<S> {
    stream: S,
    entropy: Box<dyn Entropy>,
    channel: Channel,
    capabilities: u8,
    info: Info,
    protocol: Option<PinProtocol>,
    on_keepalive: Option<Box<dyn FnMut(KeepaliveStatus) + Send>>,
}

impl<S> std::fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("channel", &self.channel)
            .field("info", &self.info)
            .finish()
    }
}

/// The list of what a key holds, by relying party.
pub type Inventory = Vec<(StoredRelyingParty, Vec<StoredCredential>)>;

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
            on_keepalive: None,
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

    /// Has `notice` called each time the key says that it is still busy or wants a touch.
    pub fn on_keepalive(&mut self, notice: impl FnMut(KeepaliveStatus) + Send + 'static) {
        self.on_keepalive = Some(Box::new(notice));
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
        let reply = self.exchange(Command::CBOR, request.to_bytes())?;
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
        self.call(&request)?;
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
        let shared = self.agree()?;
        let entropy = &mut *self.entropy;
        let request = match self.info.option("pinUvAuthToken") {
            Some(true) => GetToken::limited(&shared, pin, permissions, rp_id, entropy)?,
            _ => GetToken::unlimited(&shared, pin, entropy)?,
        };
        self.call(&request)
    }

    /// Registers a credential; with a PIN the user is verified.
    pub fn make_credential(
        &mut self,
        mut request: MakeCredential,
        pin: Option<&Pin>,
    ) -> Result<Attestation, Error> {
        if request.hmac_secret && !self.info.has_extension("hmac-secret") {
            return Err(Error::Unsupported("hmac-secret"));
        }
        if let Some(pin) = pin {
            let token = self.token(pin, Permissions::MAKE_CREDENTIAL, Some(&request.rp.id))?;
            request.proof = Some(token.prove(&request.client_data_hash));
        }
        self.call(&request)
    }

    /// Signs with every credential that fits, newest first; with a PIN the user is verified, and with
    /// salts each assertion comes with its secrets.
    pub fn get_assertions(
        &mut self,
        mut request: GetAssertion,
        salts: Option<Salts>,
        pin: Option<&Pin>,
    ) -> Result<Vec<(Assertion, Option<Outputs>)>, Error> {
        let shared = match salts {
            Some(_) if !self.info.has_extension("hmac-secret") => {
                return Err(Error::Unsupported("hmac-secret"));
            }
            Some(salts) => {
                let shared = self.agree()?;
                request.salts = Some(salts.seal(&shared, &mut *self.entropy)?);
                Some(shared)
            }
            None => None,
        };
        if let Some(pin) = pin {
            let token = self.token(pin, Permissions::GET_ASSERTION, Some(&request.rp_id))?;
            request.proof = Some(token.prove(&request.client_data_hash));
        }
        let first = self.call(&request)?;
        let more = first.credentials.unwrap_or(1).clamp(1, CREDENTIALS_MAX) - 1;
        let mut assertions = vec![open(first, shared.as_ref())?];
        for _ in 0..more {
            let next = self.call(&GetNextAssertion)?;
            assertions.push(open(next, shared.as_ref())?);
        }
        Ok(assertions)
    }

    /// Lists what the key holds.
    pub fn credentials(&mut self, pin: &Pin) -> Result<Inventory, Error> {
        let token = self.token(pin, Permissions::CREDENTIAL_MANAGEMENT, None)?;
        if self.call(&GetMetadata::new(&token))?.stored == 0 {
            return Ok(Vec::new());
        }
        let first = self.call(&EnumerateRelyingParties::begin(&token))?;
        let more = first.total.unwrap_or(1).clamp(1, CREDENTIALS_MAX) - 1;
        let mut parties = vec![first];
        for _ in 0..more {
            parties.push(self.call(&EnumerateRelyingParties::next())?);
        }
        let mut inventory = Vec::with_capacity(parties.len());
        for party in parties {
            let first = self.call(&EnumerateCredentials::begin(&token, &party.id_hash))?;
            let more = first.total.unwrap_or(1).clamp(1, CREDENTIALS_MAX) - 1;
            let mut credentials = vec![first];
            for _ in 0..more {
                credentials.push(self.call(&EnumerateCredentials::next())?);
            }
            inventory.push((party, credentials));
        }
        Ok(inventory)
    }

    /// Deletes one credential.
    pub fn delete_credential(&mut self, pin: &Pin, credential_id: &[u8]) -> Result<(), Error> {
        let token = self.token(pin, Permissions::CREDENTIAL_MANAGEMENT, None)?;
        self.call(&DeleteCredential::new(&token, credential_id))
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

    fn exchange(&mut self, command: Command, payload: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.send(command, payload)?;
        self.wait_for(command, |_| true)
    }

    fn send(&mut self, command: Command, payload: Vec<u8>) -> Result<(), Error> {
        for report in Message::new(self.channel, command, payload).to_reports()? {
            self.stream.write_all(&report)?;
        }
        Ok(self.stream.flush()?)
    }

    /// Reads until a message of our channel that is wanted; others' traffic is passed over.
    fn wait_for(
        &mut self,
        wanted: Command,
        is_ours: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, Error> {
        let mut assembler = Assembler::default();
        for _ in 0..REPORTS_WAITED_MAX {
            let mut report: Report = [0; REPORT_LENGTH];
            self.stream.read_exact(&mut report)?;
            if !is_for(&report, self.channel) {
                continue;
            }
            let message = assembler
                .receive(&report)
                .map_err(|_| hid::Error::Misbehaved("its reports are out of order"))?;
            match message {
                None => (),
                Some(message) if message.command == wanted && is_ours(&message.payload) => {
                    return Ok(message.payload);
                }
                // On the broadcast channel answers to other programs are seen, too.
                Some(_) if self.channel == Channel::BROADCAST => (),
                Some(Message {
                    command: Command::KEEPALIVE,
                    payload,
                    ..
                }) => {
                    if let (Some(notice), Some(status)) = (&mut self.on_keepalive, payload.first())
                    {
                        notice(KeepaliveStatus(*status));
                    }
                }
                Some(Message {
                    command: Command::ERROR,
                    payload,
                    ..
                }) => {
                    let code = payload
                        .first()
                        .map_or(ErrorCode::OTHER, |code| ErrorCode(*code));
                    return Err(hid::Error::Device(code).into());
                }
                Some(_) => {
                    return Err(hid::Error::Misbehaved("it answered another command").into());
                }
            }
        }
        Err(hid::Error::Misbehaved("it never came to an end").into())
    }
}

fn is_for(report: &Report, channel: Channel) -> bool {
    report.starts_with(&channel.0.to_be_bytes())
}

fn open(
    assertion: Assertion,
    shared: Option<&SharedSecret>,
) -> Result<(Assertion, Option<Outputs>), Error> {
    let sealed = AuthData::hmac_secret_output(&assertion.auth_data)?;
    let outputs = match (shared, sealed) {
        (Some(shared), Some(sealed)) => Some(Outputs::open(shared, &sealed)?),
        _ => None,
    };
    Ok((assertion, outputs))
}
