//! What each function of the module does. It sees the login program as a [`Host`], so that tests need no PAM.

use std::net::IpAddr;

use types::Secret;

use crate::code::{Code, Flags};
use crate::conversation::{self, Broken, Manners, Person, Wire};
use crate::options::Options;
use crate::protocol::{self, Outcome, ToHelper, User};

/// The login program with its PAM library.
pub trait Host: Person {
    /// Who logs in; PAM asks for the name where it is not known yet.
    fn user(&mut self) -> Result<String, Code>;
    /// The account of that name on this machine.
    fn account(&self, name: &str) -> Option<User>;
    /// From where, where it is not this machine's own console.
    fn remote_host(&self) -> Option<String>;
    /// The name of this machine.
    fn host_name(&self) -> String;
    /// The PAM service.
    fn service(&self) -> String;
    /// Writes to the system's log.
    fn log(&self, level: Level, text: &str);
    /// Sets or removes a variable of the session's environment.
    fn set_environment(&mut self, name: &str, value: Option<&str>);
    /// Keeps this until the login program ends its use of PAM; what was kept before is forgotten.
    fn keep(&mut self, kept: Kept) -> Result<(), Code>;
    /// Takes back what is kept.
    fn take(&mut self) -> Option<Kept>;
    /// Starts the helper.
    fn start(&mut self, options: &Options) -> std::io::Result<Box<dyn Wire>>;
}

/// How loudly the log is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something does not work.
    Error,
    /// Somebody was let in, or was not.
    Notice,
    /// Only with the option `debug`.
    Debug,
}

/// What the module keeps from one function to the next.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    /// Who was signed in.
    pub user: String,
    /// How far it came.
    pub state: State,
}

/// How far a sign-in came.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// The key signed in; the tickets wait in here.
    Granted(Secret<String>),
    /// The tickets are in place.
    Established {
        /// KRB5CCNAME.
        cache: Option<String>,
        /// What takes them away again.
        lease: String,
    },
    /// The tickets were not wanted, could not be placed, or are gone.
    Ended,
}

/// `pam_sm_authenticate`.
pub fn authenticate(host: &mut dyn Host, options: &Options, flags: Flags) -> Code {
    // A second attempt must not inherit the session of the first.
    drop(host.take());
    for word in &options.unknown {
        let text = format!("the option '{word}' means nothing here");
        host.log(Level::Error, &text);
    }
    let name = match host.user() {
        Ok(name) => name,
        Err(Code::CONV_AGAIN) => return Code::INCOMPLETE,
        Err(code) => return code,
    };
    let Some(user) = host.account(&name) else {
        return Code::USER_UNKNOWN;
    };
    // The key is plugged in here: it says nothing about somebody who sits elsewhere.
    if let Some(from) = host
        .remote_host()
        .filter(|from| !is_here(from, &host.host_name()))
    {
        debug(
            host,
            options,
            &format!("{name} comes from {from}: no security key is asked for"),
        );
        return Code::AUTHINFO_UNAVAIL;
    }
    let first = protocol::sign_in(&user, &host.service());
    let manners = Manners {
        asks: true,
        tells: !flags.is_silent(),
    };
    let (outcome, text) = match work(host, options, &first, manners) {
        Ok(done) => done,
        Err(broken) => return give_up(host, broken, manners),
    };
    let code = outcome.code();
    let Outcome::Granted {
        user_principal_name,
        is_offline,
        session,
    } = outcome
    else {
        return not_granted(host, options, &user, &outcome, &text, manners);
    };
    let how = if is_offline { " without the cloud" } else { "" };
    host.log(
        Level::Notice,
        &format!("{name} signed in as {user_principal_name}{how}"),
    );
    if manners.tells && !text.is_empty() {
        host.tell(false, &text);
    }
    let state = State::Granted(session);
    match host.keep(Kept { user: name, state }) {
        Ok(()) => code,
        Err(code) => code,
    }
}

fn not_granted(
    host: &mut dyn Host,
    options: &Options,
    user: &User,
    outcome: &Outcome,
    text: &str,
    manners: Manners,
) -> Code {
    let name = &user.name;
    match outcome {
        // Most users of most machines: no noise.
        Outcome::UnknownUser => {
            debug(host, options, &format!("{name} has nobody in the cloud"));
            return Code::USER_UNKNOWN;
        }
        Outcome::Established { .. } | Outcome::Removed => {
            let broken = Broken::Bad(protocol::BadLine("a result of other work"));
            return give_up(host, broken, manners);
        }
        _ => {}
    }
    host.log(Level::Notice, &format!("{name} did not sign in: {text}"));
    if manners.tells && !text.is_empty() {
        host.tell(true, text);
    }
    outcome.code()
}

/// `pam_sm_setcred`. Somebody who has signed in is not sent away because the tickets found no place: a full disk is mended
/// by somebody who is logged in.
pub fn set_credentials(host: &mut dyn Host, options: &Options, flags: Flags) -> Code {
    if flags.deletes() {
        return end_session(host, options);
    }
    let Some(kept) = host.take() else {
        return Code::IGNORE;
    };
    let state = match kept.state {
        State::Granted(session) => establish(host, options, flags, &kept.user, &session),
        state => state,
    };
    if let State::Established {
        cache: Some(cache), ..
    } = &state
    {
        host.set_environment("KRB5CCNAME", Some(cache));
    }
    let user = kept.user;
    match host.keep(Kept { user, state }) {
        Ok(()) => Code::SUCCESS,
        Err(code) => code,
    }
}

fn establish(
    host: &mut dyn Host,
    options: &Options,
    flags: Flags,
    name: &str,
    session: &Secret<String>,
) -> State {
    // `sudo` and `su` sign in one user, and then open a session for another: that one gets nobody's tickets.
    if host.user().as_deref() != Ok(name) {
        debug(
            host,
            options,
            &format!("the session is not for {name}: it gets no tickets"),
        );
        return State::Ended;
    }
    let Some(user) = host.account(name) else {
        return State::Ended;
    };
    let manners = Manners {
        asks: false,
        tells: !flags.is_silent(),
    };
    let why = match work(host, options, &protocol::establish(&user, session), manners) {
        Ok((Outcome::Established { cache, lease }, _)) => {
            return State::Established { cache, lease };
        }
        Ok((_, text)) => text,
        Err(broken) => broken.to_string(),
    };
    host.log(Level::Error, &format!("{name} has no tickets: {why}"));
    if manners.tells {
        host.tell(
            true,
            "You are signed in, but your tickets could not be put in place.",
        );
    }
    State::Ended
}

/// `pam_sm_acct_mgmt`: the cloud, or its word that is not too old, has just said that the account is good. Whoever came in
/// another way is judged by the other modules.
pub fn account_management(host: &mut dyn Host, _: &Options, _: Flags) -> Code {
    let Some(kept) = host.take() else {
        return Code::IGNORE;
    };
    let is_same = host.user().as_deref() == Ok(kept.user.as_str());
    match host.keep(kept) {
        Ok(()) if is_same => Code::SUCCESS,
        Ok(()) => Code::IGNORE,
        Err(code) => code,
    }
}

/// `pam_sm_open_session`: some programs never call `pam_setcred`.
pub fn open_session(host: &mut dyn Host, options: &Options, flags: Flags) -> Code {
    set_credentials(
        host,
        options,
        Flags(if flags.is_silent() { flags.0 } else { 0 }),
    )
}

/// `pam_sm_close_session`.
pub fn close_session(host: &mut dyn Host, options: &Options, _: Flags) -> Code {
    end_session(host, options)
}

/// `pam_sm_chauthtok`: the PIN of a key is changed with the key's own tools.
pub fn change_token(_: &mut dyn Host, _: &Options, _: Flags) -> Code {
    Code::IGNORE
}

/// Takes the tickets away, once, whichever of the two functions a login program calls.
fn end_session(host: &mut dyn Host, options: &Options) -> Code {
    let Some(kept) = host.take() else {
        return Code::IGNORE;
    };
    if let State::Established { lease, .. } = &kept.state
        && let Some(user) = host.account(&kept.user)
    {
        host.set_environment("KRB5CCNAME", None);
        let manners = Manners {
            asks: false,
            tells: false,
        };
        match work(host, options, &protocol::remove(&user, lease), manners) {
            Ok((Outcome::Removed, _)) => {}
            Ok((_, text)) => host.log(Level::Error, &format!("tickets stay behind: {text}")),
            Err(broken) => host.log(Level::Error, &format!("tickets stay behind: {broken}")),
        }
    }
    let state = State::Ended;
    let user = kept.user;
    match host.keep(Kept { user, state }) {
        Ok(()) => Code::SUCCESS,
        Err(code) => code,
    }
}

/// Starts the helper and hears it to its end.
fn work(
    host: &mut dyn Host,
    options: &Options,
    first: &ToHelper,
    manners: Manners,
) -> Result<(Outcome, String), Broken> {
    debug(
        host,
        options,
        &format!("asking {}", options.helper.display()),
    );
    let mut wire = host.start(options).map_err(|error| {
        let program = options.helper.display();
        host.log(
            Level::Error,
            &format!("{program} cannot be started: {error}"),
        );
        Broken::Unreachable(error.kind())
    })?;
    let done = conversation::carry(wire.as_mut(), host, first, manners)?;
    wire.finish();
    Ok(done)
}

fn give_up(host: &mut dyn Host, broken: Broken, manners: Manners) -> Code {
    let level = match broken {
        Broken::Cancelled(_) => Level::Notice,
        _ => Level::Error,
    };
    host.log(level, &broken.to_string());
    if manners.tells && level == Level::Error {
        host.tell(
            true,
            "Signing in with a security key does not work at the moment.",
        );
    }
    broken.code()
}

fn debug(host: &dyn Host, options: &Options, text: &str) {
    if options.is_debug {
        host.log(Level::Debug, text);
    }
}

/// Whether PAM_RHOST names this machine: some programs always set it.
fn is_here(from: &str, host_name: &str) -> bool {
    from.is_empty()
        || from == "localhost"
        || from
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
        || (!host_name.is_empty() && from.eq_ignore_ascii_case(host_name))
}
