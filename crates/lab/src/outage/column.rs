//! One column: a house, a morning, an outage, and every row tried.

use std::sync::Arc;

use kerberos::client::Credentials;
use kerberos::files::Credential;
use keycred::{DnBinary, Draft};
use types::{Clock, Guid, Timestamp, VirtualClock};
use workstation::policy::{NtHashPolicy, OfflinePolicy};
use workstation::session::{Happened, Session};

use super::{BEFORE_S, Cell, MORNING, Outcome, Rules, Situation};
use crate::device::{Device, Trouble, ticket_by};
use crate::hello_key::HelloKey;
use crate::people::TEST_USER;
use crate::wire::{Line, Mode};
use crate::{Error, House, Options, member, trust};

/// What a row saw: by what it works, or for want of what it does not; and until when.
type Seen = Result<Why, Why>;
type Why = (String, Option<Timestamp>);

const AT_HAND: &str = "cifs/ws01.corp.contoso.com";
const MEMBER: &str = "WS01$";
const POLICIES: [NtHashPolicy; 3] = [
    NtHashPolicy::Never,
    NtHashPolicy::Session,
    NtHashPolicy::Sealed,
];

/// Tries every row in one situation.
pub(super) fn play(rules: Rules, situation: &Situation) -> Result<Vec<Cell>, Error> {
    let mut column = Column::morning(rules, situation)?;
    column.until_the_outage()?;
    column.away(true)?;
    column.agent_until(MORNING.plus_seconds(BEFORE_S + situation.for_s))?;
    let mut seen = vec![
        ("service", column.service()?),
        ("tgt", column.tgt()),
        ("new-service", column.new_service()),
        ("renewal", column.renewal()),
        ("fresh-tgt", column.fresh_tgt()),
        ("cloud", column.cloud()),
        ("key-trust", column.key_trust()),
        ("password", column.password()?),
    ];
    for (row, policy) in [
        "ntlm-session-never",
        "ntlm-session-session",
        "ntlm-session-sealed",
    ]
    .into_iter()
    .zip(POLICIES)
    {
        seen.push((row, column.ntlm(policy)?));
    }
    seen.push(("device", column.sign_in_anew()?));
    for (row, policy) in ["ntlm-anew-never", "ntlm-anew-session", "ntlm-anew-sealed"]
        .into_iter()
        .zip(POLICIES)
    {
        seen.push((row, column.ntlm(policy)?));
    }
    let at = column.now();
    // The agent learns that the wires are dead before they are mended.
    column.agent()?;
    column.away(false)?;
    seen.push(("back", column.back()?));
    Ok(seen
        .into_iter()
        .map(|(row, seen)| cell(row, situation, seen, at))
        .collect())
}

fn cell(row: &'static str, situation: &Situation, seen: Seen, at: Timestamp) -> Cell {
    let (outcome, (mechanism, until)) = match seen {
        Ok(why) => (Outcome::Works, why),
        Err(why) => (Outcome::Fails, why),
    };
    Cell {
        row,
        column: situation.id,
        outcome,
        mechanism,
        until,
        at,
    }
}

/// A house in a situation.
pub(super) struct Column {
    pub(super) house: House,
    clock: Arc<VirtualClock>,
    situation: Situation,
    /// A device under each policy; the second one does everything else.
    devices: Vec<(NtHashPolicy, Device)>,
    hello: HelloKey,
    /// What the morning gave: the ticket granting ticket, and one for a service.
    pub(super) morning: Option<(Credentials, Credentials)>,
    /// When the agent renewed.
    pub(super) renewals: Vec<Timestamp>,
}

impl Column {
    pub(super) fn morning(rules: Rules, situation: &Situation) -> Result<Self, Error> {
        let clock = Arc::new(VirtualClock::new(MORNING));
        let house = House::start(Options {
            nt_hashes: true,
            lifetimes: rules.lifetimes,
            hmac_secret: situation.hmac_secret,
            ..Options::new(clock.clone())
        })?;
        house.register_first_key()?;
        trust::establish(&house)?;
        let hello = HelloKey::generate(TEST_USER.name)?;
        if !situation.is_first {
            enrol(&house, &hello)?;
        }
        let join = |nt_hash| -> Result<_, Error> {
            let policy = OfflinePolicy {
                usable_for_s: rules.offline_s,
                nt_hash,
                ..OfflinePolicy::default()
            };
            Ok((nt_hash, Device::join(&house, TEST_USER, policy)?))
        };
        let devices = POLICIES.into_iter().map(join).collect::<Result<_, _>>()?;
        Ok(Self {
            house,
            clock,
            situation: *situation,
            devices,
            hello,
            morning: None,
            renewals: Vec::new(),
        })
    }

    /// Everybody signs in, unless it is to be the first time; then half an hour passes.
    pub(super) fn until_the_outage(&mut self) -> Result<(), Error> {
        if !self.situation.is_first {
            for (_, device) in &mut self.devices {
                let story = |trouble| Error::Story(format!("the morning's sign-in: {trouble}"));
                let happened = device.sign_in(&self.house).map_err(story)?;
                if !matches!(happened.last(), Some(Happened::Exchanged { .. })) {
                    let none = device.session().and_then(Session::no_partial);
                    let why = format!("the morning's sign-in: {happened:?} {none:?}");
                    return Err(Error::Story(why));
                }
            }
            let story =
                |trouble: Trouble| Error::Story(format!("the morning's tickets: {trouble}"));
            let device = self.device();
            let tgt = device.granting(&self.house).map_err(story)?;
            let ticket = device.ticket(&self.house, AT_HAND).map_err(story)?;
            self.morning = Some((tgt, ticket));
        }
        self.clock.advance_seconds(BEFORE_S);
        Ok(())
    }

    pub(super) fn away(&self, is_away: bool) -> Result<(), Error> {
        for (line, concerned) in [
            (Line::Cloud, self.situation.no_cloud),
            (Line::DomainController, self.situation.no_domain_controller),
        ] {
            let mode = match is_away && concerned {
                true => Mode::Cut,
                false => Mode::Up,
            };
            self.house.wire(line, mode)?;
        }
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn device(&self) -> &Device {
        // INVARIANT: one for each of three policies.
        #[expect(
            clippy::indexing_slicing,
            reason = "`morning` made one for each of three policies"
        )]
        &self.devices[1].1
    }

    pub(super) fn device_mut(&mut self) -> (&mut Device, &House) {
        #[expect(
            clippy::indexing_slicing,
            reason = "`morning` made one for each of three policies"
        )]
        (&mut self.devices[1].1, &self.house)
    }

    /// Time passes, and the agent does what is due.
    pub(super) fn agent_until(&mut self, end: Timestamp) -> Result<(), Error> {
        while self.now() < end {
            self.agent()?;
            let (device, house) = self.device_mut();
            let next = device.next_look(house).unwrap_or(end).min(end);
            self.clock
                .advance_seconds(next.seconds_since(self.now()).max(1));
        }
        Ok(())
    }

    /// The agent looks, once.
    fn agent(&mut self) -> Result<Vec<Happened>, Error> {
        let at = self.now();
        let (device, house) = self.device_mut();
        let story = |trouble: Trouble| Error::Story(format!("the agent: {trouble}"));
        let happened = device.look(house).map_err(story)?;
        let renewed = happened
            .iter()
            .filter(|happened| matches!(happened, Happened::Renewed { .. }));
        self.renewals.extend(renewed.map(|_| at));
        Ok(happened)
    }

    fn service(&self) -> Result<Seen, Error> {
        let Some((_, ticket)) = &self.morning else {
            return Ok(nothing_held("ticket"));
        };
        let ends = Some(ticket.part.endtime.timestamp());
        let keytab = self.house.keytab(MEMBER, &[AT_HAND])?;
        Ok(match member::takes(&keytab, ticket, self.now()) {
            Ok(()) => Ok((
                "the server opens the ticket with its own key; nobody else is asked".into(),
                ends,
            )),
            Err(why) => Err((why, ends)),
        })
    }

    fn tgt(&self) -> Seen {
        let Some((tgt, _)) = &self.morning else {
            return nothing_held("TGT");
        };
        let ends = Some(tgt.part.endtime.timestamp());
        match ticket_by(&self.house, tgt, AT_HAND) {
            Ok(_) => Ok((
                "the domain controller takes the TGT until it ends; the cloud is not asked".into(),
                ends,
            )),
            Err(Trouble::DomainRefused(code)) => Err((format!("the TGT ended ({code})"), ends)),
            Err(trouble) => Err((trouble.to_string(), ends)),
        }
    }

    fn new_service(&self) -> Seen {
        let service = format!("ldap/{}", self.house.server());
        match self.device().ticket(&self.house, &service) {
            Ok(ticket) => Ok((
                "the domain controller issues by the renewed TGT; the cloud is not asked".into(),
                Some(ticket.part.endtime.timestamp()),
            )),
            Err(trouble) => Err(self.no_ticket(trouble)),
        }
    }

    fn renewal(&mut self) -> Seen {
        let (device, house) = self.device_mut();
        match device.renew(house) {
            Ok(Happened::Renewed { .. }) => Ok((
                "the domain controller renews its own ticket, again and again until its last day"
                    .into(),
                self.kept_granting().map(|ticket| ticket.renew_till),
            )),
            Ok(Happened::DomainSilent(_)) => Err(self.no_ticket(Trouble::NoDomainController)),
            Ok(other) => Err((other.to_string(), None)),
            Err(trouble) => Err(self.no_ticket(trouble)),
        }
    }

    /// The ticket granting ticket that is held, even where it has ended.
    pub(super) fn kept_granting(&self) -> Option<&Credential> {
        self.device().session()?.tickets()?.granting()
    }

    /// Why a domain controller gave nothing, and when the ticket that is at hand ends.
    fn no_ticket(&self, trouble: Trouble) -> Why {
        let ends = self.kept_granting().map(|ticket| ticket.endtime);
        match (trouble, ends) {
            (Trouble::Without(_), Some(ends)) => {
                ("the TGT and all of its renewals ended".into(), Some(ends))
            }
            (Trouble::Without(what), None) => (format!("nothing is held: no {what}"), None),
            (other, ends) => (other.to_string(), ends),
        }
    }

    fn fresh_tgt(&mut self) -> Seen {
        let (device, house) = self.device_mut();
        let happened = match device.refresh(house) {
            Ok(happened) => happened,
            Err(Trouble::Without(what)) => {
                return Err((format!("nothing is held: no {what}"), None));
            }
            Err(trouble) => return Err((trouble.to_string(), None)),
        };
        match happened.last() {
            Some(Happened::Exchanged { ends, .. }) => Ok((
                "the PRT brings a partial TGT, and the domain controller exchanges it".into(),
                Some(*ends),
            )),
            Some(Happened::CloudSilent(_)) => {
                Err(("no partial TGT without the cloud".into(), None))
            }
            // A wire that was just seen dead is not tried again at once: the cloud's answer is then the last word.
            Some(Happened::DomainSilent(_) | Happened::Refreshed) => Err((
                "the partial TGT is there, and no domain controller to exchange it".into(),
                None,
            )),
            Some(other) => Err((other.to_string(), None)),
            None => Err(("nothing was asked".into(), None)),
        }
    }

    fn cloud(&mut self) -> Seen {
        let (device, house) = self.device_mut();
        let refreshed = device.refresh(house);
        let expires = device.session().and_then(Session::renewable_until);
        match refreshed.as_deref().map(<[_]>::first) {
            Ok(Some(Happened::Refreshed)) => Ok((
                "the cloud takes the PRT for what its resources want".into(),
                expires,
            )),
            Ok(Some(Happened::CloudSilent(_))) => Err((
                "every token is the cloud's own; the PRT waits for it".into(),
                expires,
            )),
            Ok(other) => Err((other.map_or_else(String::new, ToString::to_string), None)),
            Err(Trouble::Without(what)) => Err((format!("nothing is held: no {what}"), None)),
            Err(trouble) => Err((trouble.to_string(), None)),
        }
    }

    fn key_trust(&self) -> Seen {
        let client = self.house.kerberos();
        match client.sign_in_with_key(TEST_USER.account, &self.hello) {
            Ok(tgt) => Ok((
                "PKINIT: the domain controller knows the public key; the cloud is not asked".into(),
                Some(tgt.part.endtime.timestamp()),
            )),
            Err(error) => Err(match Trouble::of(error) {
                Trouble::DomainRefused(code) => (
                    format!("a new device's key is not in the directory yet ({code})"),
                    None,
                ),
                trouble => (trouble.to_string(), None),
            }),
        }
    }

    fn password(&self) -> Result<Seen, Error> {
        let password = &self.house.account(TEST_USER)?.password;
        let signed_in = self.house.kerberos().sign_in(TEST_USER.account, password);
        Ok(match signed_in {
            Ok(tgt) => Ok((
                "the domain controller knows the password; the cloud is not asked".into(),
                Some(tgt.part.endtime.timestamp()),
            )),
            Err(error) => Err((Trouble::of(error).to_string(), None)),
        })
    }

    /// Whether a member server that knows NTLM alone lets the session under this policy in.
    fn ntlm(&self, policy: NtHashPolicy) -> Result<Seen, Error> {
        let device = self.devices.iter().find(|(of, _)| *of == policy);
        let session =
            device.and_then(|(_, device)| Some((device.session()?, device.is_unlocked())));
        let Some((session, is_unlocked)) = session else {
            return Ok(Err(("nobody is signed in".into(), None)));
        };
        let Some(hash) = session.nt_hash() else {
            let why = match (policy, is_unlocked) {
                (NtHashPolicy::Never, _) => "the hash is never asked for",
                (_, true) => "the hash went with the session that had asked for it",
                (_, false) => "no domain controller gave a hash",
            };
            return Ok(Err((why.into(), None)));
        };
        let until = session.usable_until();
        Ok(match member::knows_ntlm(&self.house, TEST_USER.account, hash)? {
            member::Ntlm::Right if is_unlocked => {
                Ok(("the NT hash out of the offline cache; the server asks its domain controller".into(), until))
            }
            member::Ntlm::Right => Ok((
                "the NT hash of the key list, in the session's memory; the server asks its domain controller".into(),
                None,
            )),
            member::Ntlm::Wrong => Err(("the hash is not the account's".into(), None)),
            member::Ntlm::NobodyToAsk => Err((
                "the hash is there; a member server has no domain controller to ask".into(),
                None,
            )),
        })
    }

    /// Everybody signs out and in again, as it is possible now.
    fn sign_in_anew(&mut self) -> Result<Seen, Error> {
        let mut seen = None;
        for (policy, device) in &mut self.devices {
            device.sign_out();
            let tried = sign_in_or_unlock(device, &self.house)?;
            if *policy == NtHashPolicy::Session {
                seen = Some(tried);
            }
        }
        seen.ok_or_else(|| Error::Story("there is no device".into()))
    }

    /// When everything is back: nobody does anything, and the agent looks as it always does.
    pub(super) fn back(&mut self) -> Result<Seen, Error> {
        if self.device().session().is_none() {
            return Ok(Err((
                "nobody is signed in; a touch, and the cloud signs in".into(),
                None,
            )));
        }
        let began = self.now();
        let limit = began.plus_seconds(DAY_S);
        while self.now() < limit {
            let happened = self.agent()?;
            let ends = happened.iter().find_map(|happened| match happened {
                Happened::Exchanged { ends, .. } => Some(*ends),
                _ => None,
            });
            if let Some(ends) = ends {
                let how = match self.now().seconds_since(began) {
                    ..=NOTICED_S => "the agent notices within five minutes; the PRT brings it",
                    _ => {
                        "the agent refreshes the PRT every few hours, and a fresh TGT comes with it"
                    }
                };
                return Ok(Ok((how.into(), Some(ends))));
            }
            let (device, house) = self.device_mut();
            let next = device.next_look(house).unwrap_or(limit);
            self.clock
                .advance_seconds(next.seconds_since(self.now()).max(1));
        }
        Ok(Err(("the agent got none within a day".into(), None)))
    }
}

/// An agent that was told that a wire is dead tries again after so many seconds at the latest.
const NOTICED_S: i64 = 300;
const DAY_S: i64 = 24 * 3600;

fn nothing_held(what: &str) -> Seen {
    Err((format!("nothing is held: no {what}"), None))
}

/// The way of a device: the cloud first, then what is kept.
fn sign_in_or_unlock(device: &mut Device, house: &House) -> Result<Seen, Error> {
    match device.sign_in(house).as_deref().map(<[_]>::last) {
        Ok(Some(Happened::Exchanged { .. })) => {
            return Ok(Ok((
                "the cloud signs in, and the domain's TGT comes with it".into(),
                None,
            )));
        }
        Ok(_) => {
            return Ok(Ok((
                "the cloud signs in; the domain's TGT waits for a domain controller".into(),
                None,
            )));
        }
        Err(Trouble::NoCloud) => (),
        Err(trouble) => return Err(Error::Story(trouble.to_string())),
    }
    Ok(match device.unlock(house) {
        Ok(()) => Ok((
            "the key's hmac-secret opens the offline cache; nobody is asked".into(),
            device.session().and_then(Session::usable_until),
        )),
        Err(Trouble::NothingKept) => Err((
            "the first sign-in needs the cloud: nothing is kept on this device".into(),
            None,
        )),
        Err(Trouble::NoHmacSecret) => Err((
            "without hmac-secret nothing could be kept that this key would open".into(),
            None,
        )),
        Err(Trouble::House(error)) => return Err(error),
        Err(trouble) => Err((trouble.to_string(), None)),
    })
}

/// An administrator writes the public key to the account.
fn enrol(house: &House, key: &HelloKey) -> Result<(), Error> {
    let dn = &house.account(TEST_USER)?.dn;
    let device = Guid::v4(*b"the lab's laptop");
    let blob = Draft::registered_in_ad(key.public_blob()?, device, house.clock().now())
        .to_blob()
        .map_err(|error| Error::Key(error.to_string()))?;
    let value = DnBinary::new(blob.into_bytes(), dn.clone()).to_string();
    let mut ldap = house.ldap_as_administrator()?;
    ldap.add_value(dn, "msDS-KeyCredentialLink", &value)
}
