//! `tombolo login-helper`: what the PAM module starts, as root. It asks the person through the module, signs in at the cloud or
//! opens what this device kept, and puts the tickets in place.
//!
//! Deliberately absent: any way in without the module (no words for a PIN or a user on the command line), and any decision
//! that is PAM's.

mod config;
mod place;
mod talk;

use std::path::PathBuf;

use ctap::status::Status;
use ctap::{Client, Pin};
use data_encoding::BASE64;
use types::{Clock, Secret, Timestamp};
use workstation::offline::{Notice, Refused, User};
use workstation::session::{NotOpened, Opened, Session};
use workstation::sign_in::{SignInError, Touch};
use zeroize::Zeroizing;

use super::key::Which;
use super::offline::{self, NotUnlocked};
use super::online::{self, NotSignedIn, Online};
use super::settings::Settings;
use super::state::State;
use super::{journal, keep};
use crate::io::{Exit, Failure, Shell, SystemClock};
use crate::softkey::target::Stream;
use config::{Config, Person};
use place::{Owner, Place};
use talk::{Ended, More, Outcome, Request, Talk, Voice, Waiting};

/// Started by pam_tombolo.so at a login
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Command {
    /// Which Linux user stands for whom
    #[arg(long, value_name = "FILE", default_value = "/etc/tombolo/login.toml")]
    config: PathBuf,

    /// Where the device keeps its state
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/lib/tombolo/workstation"
    )]
    state: PathBuf,
}

/// Runs `tombolo login-helper`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let mut talk = Talk::open()?;
    let ended = match talk.request()? {
        Request::SignIn { user, uid, service } => {
            let login = Login {
                user: &user,
                uid,
                service: &service,
            };
            login.sign_in(command, &mut talk, shell)
        }
        Request::Establish {
            user,
            uid,
            gid,
            session,
        } => establish(command, &user, Owner { uid, gid }, &Secret::new(session)),
        Request::Remove { uid, gid, lease } => remove(command, Owner { uid, gid }, &lease),
    };
    // Whatever this machine cannot do says nothing about the user: other ways in stay open.
    let ended = ended.unwrap_or_else(|failure| Ended::new(Outcome::Unavailable, line(&failure)));
    talk.end(&ended)?;
    Ok(Exit::Good)
}

/// Who logs in, and where.
struct Login<'a> {
    user: &'a str,
    uid: u32,
    service: &'a str,
}

type Key = Client<Box<dyn Stream>>;

impl Login<'_> {
    fn sign_in(&self, command: &Command, talk: &mut Talk, shell: &Shell) -> Result<Ended, Failure> {
        let config = Config::read(&command.config)?;
        let Some(person) = config.stands_for(self.user, self.uid) else {
            return Ok(Ended::new(Outcome::UnknownUser, ""));
        };
        let state = State::open(Some(&command.state), None)?;
        let settings = Settings::remembered(&state)?.filter(|_| state.joined().is_ok());
        let Some(settings) = settings else {
            let text = "This machine has not joined the cloud yet.";
            return Ok(Ended::new(Outcome::Unavailable, text));
        };
        let which = Which::of(config.hidraw.clone(), config.softkey.clone());
        let (_, mut key) = which.open_named(None)?;
        let pin = match pin(&mut key, talk)? {
            Ok(pin) => pin,
            Err(ended) => return Ok(ended),
        };
        let voice = talk.voice()?;
        key.attend(Waiting {
            voice: talk.voice()?,
            names: person.names(),
        });
        let is_wanted = |user: &User| is_it(&person, user);
        let signed = online::sign_in(&state, &settings, &mut key, &pin, &is_wanted, shell);
        match signed {
            Ok(online) => Ok(self.online(&state, online, &voice)),
            Err(NotSignedIn::Silent { why, touch }) => {
                voice.info(&format!("The cloud cannot be reached ({why})."));
                self.offline(&state, &settings, &person, touch, &mut key, &pin, shell)
            }
            Err(NotSignedIn::Refused { why, .. }) => Ok(Ended::new(
                Outcome::Refused,
                format!("The cloud says no: {why}"),
            )),
            Err(NotSignedIn::Key(error)) => Ok(of_key(&error)),
            // Somebody's key of another place is no word about this user.
            Err(NotSignedIn::NoCredential(why)) => Ok(Ended::new(Outcome::Unavailable, why)),
            Err(NotSignedIn::NotWanted(why)) => Ok(Ended::new(Outcome::Refused, why)),
            Err(NotSignedIn::Failed(failure)) => Err(failure),
        }
    }

    fn online(&self, state: &State, online: Online, voice: &Voice) -> Ended {
        // The login is good, whatever becomes of the rest.
        if let Some(why) = online.no_ticket {
            voice.info(&format!("No ticket of the domain: {why}"));
        }
        if !online.can_be_kept {
            voice.info("This security key has no hmac-secret: it does not open this machine without the cloud.");
        }
        if let Err(failure) = keep::offline(state, &online.session, online.next_salt) {
            voice.error(&line(&failure));
        }
        granted(&online.session, false, String::new())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all that a sign-in has, once more"
    )]
    fn offline(
        &self,
        state: &State,
        settings: &Settings,
        person: &Person<'_>,
        touch: Option<Box<Touch>>,
        key: &mut Key,
        pin: &Pin,
        shell: &Shell,
    ) -> Result<Ended, Failure> {
        let opened = match touch {
            Some(touch) => offline::unlock_with(state, *touch, shell),
            None => offline::unlock(state, key, pin, shell),
        };
        let Opened {
            mut session,
            notices,
        } = match opened {
            Ok(opened) => opened,
            Err(NotUnlocked::Shut(why)) => return Ok(shut(&why)),
            Err(NotUnlocked::Failed(failure)) => return Err(failure),
        };
        if let Err(why) = is_it(person, session.user()) {
            return Ok(Ended::new(Outcome::Refused, why));
        }
        let detail = format!("login of {} at {}", self.user, self.service);
        let user = session.user().to_string();
        journal::tell(state.folder(), "unlockedWithoutCloud", &user, &detail)?;
        // A domain controller that is there renews what the cloud cannot give anew.
        online::ask_domain(&mut session, settings);
        // What this device has seen of time is kept, so that a clock that is set back later buys nothing. Without it there is
        // no login: on a full disk, it could be set back for ever.
        keep::offline(state, &session, None)?;
        let until = session.usable_until().map(day).unwrap_or_default();
        let mut text = format!("Signed in without the cloud; this works until {until}.");
        for notice in notices {
            let Notice::ClockWentBack { by_s } = notice;
            text.push_str(&format!(
                " The clock was set back by {by_s} s; the later time counts."
            ));
        }
        Ok(granted(&session, true, text))
    }
}

/// Asks for the PIN, unless the key would not take it. Nobody is asked without a key.
fn pin(key: &mut Key, talk: &mut Talk) -> Result<Result<Pin, Ended>, Failure> {
    if key.info().has_pin() == Some(false) {
        let text = "This security key has no PIN yet.";
        return Ok(Err(Ended::new(Outcome::Unavailable, text)));
    }
    match key.pin_retries().map(|retries| retries.left) {
        Ok(0) => return Ok(Err(of_status(Status::PIN_BLOCKED))),
        Ok(left @ 1..=3) => {
            let tries = if left == 1 { "try" } else { "tries" };
            talk.voice()?.info(&format!(
                "The PIN of this security key has {left} {tries} left before it is blocked for good."
            ));
        }
        // The key says so itself when the PIN comes.
        _ => {}
    }
    let given = talk.ask_secret("PIN of your security key: ")?;
    let given = given.filter(|given| !given.expose().is_empty());
    let Some(given) = given else {
        return Ok(Err(Ended::new(Outcome::Unavailable, "No PIN was given.")));
    };
    let pin = Pin::new(given.expose().clone());
    Ok(pin.map_err(|error| Ended::new(Outcome::Refused, format!("Not a PIN: {error}"))))
}

/// The name that signed in must be the one that the Linux user stands for: a key alone is somebody's, not this user's.
fn is_it(person: &Person<'_>, user: &User) -> Result<(), String> {
    if person.is(&user.user_principal_name) {
        return Ok(());
    }
    Err("This security key belongs to somebody else.".to_owned())
}

fn of_key(error: &ctap::Error) -> Ended {
    match error {
        ctap::Error::NotChosen(_) => Ended::new(
            Outcome::Refused,
            "This security key belongs to somebody else.",
        ),
        ctap::Error::PinRefused { status, .. } if *status != Status::PIN_INVALID => {
            of_status(*status)
        }
        ctap::Error::PinRefused { .. } | ctap::Error::Pin(_) => {
            Ended::new(Outcome::Refused, error.to_string())
        }
        ctap::Error::Status(Status::PIN_BLOCKED | Status::PIN_AUTH_BLOCKED) => {
            of_status(error.status().unwrap_or(Status::PIN_BLOCKED))
        }
        ctap::Error::Status(_) | ctap::Error::Unproven(_) => {
            Ended::new(Outcome::Refused, error.to_string())
        }
        _ => Ended::new(Outcome::Unavailable, error.to_string()),
    }
}

fn of_status(status: Status) -> Ended {
    let text = match status {
        Status::PIN_AUTH_BLOCKED => {
            "The PIN was wrong too often: take the security key out and put it in again."
        }
        _ => "The PIN of this security key is blocked; it must be reset and registered anew.",
    };
    Ended::new(Outcome::TooMany, text)
}

fn shut(why: &NotOpened) -> Ended {
    let outcome = match why {
        NotOpened::Touch(SignInError::Key(error)) => return of_key(error),
        NotOpened::NotItsSignature | NotOpened::Shut(Refused::DoesNotOpen) => Outcome::Refused,
        NotOpened::Shut(Refused::Ended { .. }) => Outcome::Expired,
        // Nobody can say who it is, before the cloud can.
        _ => Outcome::Unavailable,
    };
    Ended::new(outcome, format!("Not signed in: {why}"))
}

fn granted(session: &Session, offline: bool, text: String) -> Ended {
    Ended {
        more: More::Session {
            user_principal_name: session.user().user_principal_name.clone(),
            offline,
            session: BASE64.encode(&session.to_bytes()),
        },
        ..Ended::new(Outcome::Granted, text)
    }
}

/// Puts the tickets of a session in place. A session without any has the place all the same, for those that come later.
fn establish(
    command: &Command,
    user: &str,
    owner: Owner,
    session: &Secret<String>,
) -> Result<Ended, Failure> {
    let what = "the tickets cannot be put in place";
    let bytes = BASE64
        .decode(session.expose().as_bytes())
        .map(Zeroizing::new);
    let bytes = bytes.map_err(|error| Failure::new(what).why(error))?;
    let session = Session::of_bytes(&bytes).map_err(|error| Failure::new(what).why(error))?;
    let config = Config::read(&command.config)?;
    let person = config.stands_for(user, owner.uid);
    if !person.is_some_and(|person| person.is(&session.user().user_principal_name)) {
        let text = format!("{user} is not {}", session.user());
        return Ok(Ended::new(Outcome::Refused, text));
    }
    let is_good = session.granting(SystemClock.now()).is_some();
    let place = Place::new(&config.tickets);
    let lease = place
        .begin(owner, session.tickets().filter(|_| is_good))
        .map_err(|error| Failure::new(what).why(error))?;
    Ok(Ended {
        more: More::Tickets {
            cache: format!("FILE:{}", place.cache(owner).display()),
            lease,
        },
        ..Ended::new(Outcome::Established, "")
    })
}

fn remove(command: &Command, owner: Owner, lease: &str) -> Result<Ended, Failure> {
    let config = Config::read(&command.config)?;
    Place::new(&config.tickets)
        .end(owner, lease)
        .map_err(|error| Failure::new("the tickets cannot be removed").why(error))?;
    Ok(Ended::new(Outcome::Removed, ""))
}

/// The day, for people.
fn day(at: Timestamp) -> String {
    let text = at.to_rfc3339().unwrap_or_default();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// A failure in one line, without the advice for whoever sits at a command line.
fn line(failure: &Failure) -> String {
    let text = failure.to_string();
    let mut lines = text.lines();
    let what = lines.next().unwrap_or_default();
    match lines.find_map(|line| line.strip_prefix("why:  ")) {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    }
}
