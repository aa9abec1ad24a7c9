//! The password service: RFC 3244, as Windows domain controllers speak it on port 464.
//!
//! | module | what |
//! |---|---|
//! | `frame` | lengths, result codes, the domain's rules as clients read them |
//! | `caller` | the ticket and its authenticator |
//!
//! Deliberately absent: tickets of `kadmin/changepw` from the ticket granting service (a sign-in alone proves the old
//! password), sender's addresses inside KRB-PRIV (the subkey ties it to its authenticator, and address translation
//! would break it), and whether a password is good enough.

mod caller;
mod frame;

use std::net::IpAddr;

use kerberos::messages::{
    ApRep, ChangePasswdData, Der as _, EncApRepPart, EncKrbPrivPart, ErrorCode, KrbPriv,
    PrincipalName, SecretBytes,
};
use types::{Entropy, Secret, Sid, Timestamp};

use self::caller::{Caller, host_address};
use self::frame::{Frame, Outcome, ResultCode, Version, framed};
use crate::event::Event;
use crate::kdc::{Answer, Kdc};
use crate::names;
use crate::passwords::Passwords;
use crate::recent::RequestHash;
use crate::refusal::Refusal;

/// Where a message came from, and where it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub client: IpAddr,
    /// This server, by the address that the client knows it by: clients compare it.
    pub server: IpAddr,
}

impl Kdc {
    /// Answers one message to the password service as it came, without any framing of TCP. Nobody is answered where
    /// [`Kdc::with_passwords`] was not called.
    pub fn answer_password(
        &self,
        message: &[u8],
        ends: Ends,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        let mut events = Vec::new();
        let (Some(passwords), Some(frame)) = (&self.passwords, Frame::decode(message)) else {
            return Answer {
                reply: None,
                events,
            };
        };
        // A client that waited a second asks again, by TCP with another KRB-PRIV for the same AP-REQ. The first answer is
        // its answer; a second one now could only be about a replay.
        let Some(_working) = self.changing.begin(frame.ap_req) else {
            return Answer {
                reply: None,
                events,
            };
        };
        // A datagram that is sent again must not meet its own replay, nor change anything twice.
        let hash = RequestHash::of(message);
        let kept = self.lookaside.answer(&hash, now);
        if kept.is_some() {
            return Answer {
                reply: kept,
                events,
            };
        }
        let service = Service {
            kdc: self,
            passwords: &**passwords,
            ends,
            now,
        };
        let reply = match service.reply(frame, entropy, &mut events) {
            Ok(reply) => Some(reply),
            Err((outcome, refusal)) => {
                let reply = outcome.in_error(refusal.code, &self.settings.realm, now);
                events.push(Event::Refused {
                    client: String::new(),
                    code: refusal.code.0,
                    why: refusal.why,
                });
                reply
            }
        };
        if let Some(reply) = &reply {
            self.lookaside.keep(hash, reply, now);
        }
        Answer { reply, events }
    }
}

/// What one message is answered with.
struct Service<'a> {
    kdc: &'a Kdc,
    passwords: &'a dyn Passwords,
    ends: Ends,
    now: Timestamp,
}

impl Service<'_> {
    fn reply(
        &self,
        frame: Frame<'_>,
        entropy: &mut dyn Entropy,
        events: &mut Vec<Event>,
    ) -> Result<Vec<u8>, (Outcome, Refusal)> {
        if !matches!(frame.version, Version::CHANGE | Version::SET) {
            let outcome = Outcome::new(ResultCode::BAD_VERSION, "unknown version");
            let why = format!("version {} of the password protocol", frame.version);
            return Err((outcome, Refusal::new(ErrorCode::KRB_ERR_GENERIC, why)));
        }
        let unproven = |refusal| {
            let text = "the request is not authenticated";
            let code = ResultCode::AUTHENTICATION_ERROR;
            (Outcome::new(code, text), refusal)
        };
        let caller = Caller::check(self.kdc, frame.ap_req, self.ends.client, self.now);
        let caller = caller.map_err(unproven)?;
        let inside = Self::unseal(&caller, frame.krb_priv).map_err(unproven)?;
        let hash = Self::wish(&caller, frame, &inside);
        if !caller.is_new {
            // MIT's client asks once more by TCP, with another KRB-PRIV behind the AP-REQ that it has. Where both say the
            // same, the first answer is the answer; RFC 3244 is silent, and kadmind tells such a client of a replay.
            return self.kdc.lookaside.answer(&hash, self.now).ok_or_else(|| {
                let why = "the authenticator was used before";
                unproven(Refusal::new(ErrorCode::KRB_AP_ERR_REPEAT, why))
            });
        }
        self.check_order(&caller, &inside).map_err(unproven)?;
        let by = caller.account.sid.clone();
        let outcome = match self.write(frame.version, &caller, &inside) {
            Ok(account) => {
                events.push(Event::PasswordChanged { account, by });
                Outcome::new(ResultCode::SUCCESS, "password changed")
            }
            Err((outcome, why)) => {
                events.push(Event::PasswordRefused { by, why });
                outcome
            }
        };
        let reply = self.seal(&caller, &outcome, entropy).map_err(unproven)?;
        self.kdc.lookaside.keep(hash, &reply, self.now);
        Ok(reply)
    }

    /// What a request wishes, whatever it is sealed into. The subkey keeps the hash from telling the password to whoever
    /// saw the messages on their way and this memory later.
    fn wish(caller: &Caller, frame: Frame<'_>, inside: &EncKrbPrivPart) -> RequestHash {
        RequestHash::of_parts(&[
            caller.subkey.value().expose(),
            &frame.version.0.to_be_bytes(),
            frame.ap_req,
            inside.user_data.expose(),
        ])
    }

    /// The client's KRB-PRIV: under the subkey of its authenticator.
    fn unseal(caller: &Caller, krb_priv: &[u8]) -> Result<EncKrbPrivPart, Refusal> {
        let message = KrbPriv::from_der(krb_priv)?;
        message.check_header()?;
        message.open(&caller.subkey).map_err(|error| {
            let code = ErrorCode::KRB_AP_ERR_MODIFIED;
            Refusal::new(code, format!("the KRB-PRIV: {error}"))
        })
    }

    /// With the sequence number that the authenticator announced, or with a fresh time.
    fn check_order(&self, caller: &Caller, inside: &EncKrbPrivPart) -> Result<(), Refusal> {
        if let Some(time) = inside.timestamp {
            let apart_s = time.timestamp().seconds_since(self.now);
            if apart_s.unsigned_abs() > self.kdc.settings.clock_skew_s.unsigned_abs() {
                let why = format!("the KRB-PRIV is {apart_s} s away");
                return Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, why));
            }
        }
        // A missing number is 0, as MIT writes it; clients disagree about the sign of the upper half.
        let number = |number: Option<i64>| number.unwrap_or_default() & 0xFFFF_FFFF;
        let in_order = number(inside.seq_number) == number(caller.authenticator.seq_number);
        let by_time = inside.seq_number.is_none() && inside.timestamp.is_some();
        if !in_order && !by_time {
            let why = "the KRB-PRIV is not the one that the authenticator announced";
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_BADORDER, why));
        }
        Ok(())
    }

    /// Whose password was written, or what the client is told and why.
    fn write(
        &self,
        version: Version,
        caller: &Caller,
        inside: &EncKrbPrivPart,
    ) -> Result<Sid, (Outcome, String)> {
        let refused = |code, why: &str| (Outcome::new(code, why), why.to_owned());
        let wanted = Wanted::read(version, inside.user_data.expose()).ok_or_else(|| {
            let why = "the password is no text, or far too long";
            refused(ResultCode::MALFORMED, why)
        })?;
        // Every ticket of this service comes from a sign-in here; should that change, the proof is still asked for.
        if !caller.is_initial {
            let why = "the ticket did not come from a sign-in";
            return Err(refused(ResultCode::INITIAL_FLAG_NEEDED, why));
        }
        let own = &caller.account.sid;
        let target = match &wanted.target {
            None => own.clone(),
            // Whoever may set passwords could look the name up as well; nobody else learns it here.
            Some((name, realm)) => self.find(name, realm.as_deref()).ok_or_else(|| {
                let outcome = Outcome::new(ResultCode::ACCESS_DENIED, "access denied");
                (outcome, format!("there is no account '{name}'"))
            })?,
        };
        let written = if target == *own {
            self.passwords.change(own, &wanted.password, self.now)
        } else {
            let password = &wanted.password;
            self.passwords.set(own, &target, password, self.now)
        };
        match written {
            Ok(()) => Ok(target),
            Err(error) => Err((Outcome::from(&error), error.to_string())),
        }
    }

    fn find(&self, name: &PrincipalName, realm: Option<&str>) -> Option<Sid> {
        let settings = &self.kdc.settings;
        if !realm.is_none_or(|realm| settings.is_own_realm(realm)) {
            return None;
        }
        let found = names::client(&*self.kdc.accounts, settings, name);
        found.ok().map(|account| account.sid.clone())
    }

    /// AP-REP and KRB-PRIV of an answer.
    fn seal(
        &self,
        caller: &Caller,
        outcome: &Outcome,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Refusal> {
        let broken = |why: &str| Refusal::new(ErrorCode::KRB_ERR_GENERIC, why);
        let mut number = [0; 4];
        entropy.fill(&mut number);
        // Clients disagree about the sign of the upper half.
        let seq_number = Some(i64::from(u32::from_be_bytes(number) & 0x3FFF_FFFF));
        let part = EncApRepPart {
            ctime: caller.authenticator.ctime,
            cusec: caller.authenticator.cusec,
            subkey: None,
            seq_number,
        };
        let ap_rep = ApRep::seal(&part, &caller.session, entropy)
            .map_err(|error| broken(&error.to_string()))?;
        let part = EncKrbPrivPart {
            user_data: SecretBytes::new(outcome.to_bytes()),
            timestamp: None,
            usec: None,
            seq_number,
            s_address: host_address(self.ends.server),
            r_address: None,
        };
        let krb_priv = KrbPriv::seal(&part, &caller.subkey, entropy)
            .map_err(|error| broken(&error.to_string()))?;
        framed(&ap_rep.to_der()?, &krb_priv.to_der()?)
            .ok_or_else(|| broken("the answer is too long"))
    }
}

/// A password, and whose; without a name the caller's own.
struct Wanted {
    password: Secret<String>,
    target: Option<(PrincipalName, Option<String>)>,
}

impl Wanted {
    fn read(version: Version, data: &[u8]) -> Option<Self> {
        if version == Version::CHANGE {
            return Some(Self {
                password: text(data)?,
                target: None,
            });
        }
        let data = ChangePasswdData::from_der(data).ok()?;
        let realm = data.targrealm.map(|realm| realm.to_string());
        Some(Self {
            password: text(data.newpasswd.expose())?,
            target: data.targname.map(|name| (name, realm)),
        })
    }
}

fn text(bytes: &[u8]) -> Option<Secret<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    (bytes.len() <= PASSWORD_BYTES_MAX).then(|| Secret::new(text.to_owned()))
}

/// Active Directory takes 256 UTF-16 units; nobody hashes megabytes here.
const PASSWORD_BYTES_MAX: usize = 1024;
