//! Without the cloud: what the session goes on doing, what a cached sign-in opens, and what comes to its end.

use workstation::policy::{NtHashPolicy, OfflinePolicy};
use workstation::session::{Happened, Session};

use super::stage::{Stage, ensure};
use crate::Error;
use crate::device::{Device, Trouble};
use crate::people::TEST_USER;
use crate::report::Seen;
use crate::wire::{Line, Mode};

pub(super) fn the_session_goes_on(stage: &mut Stage) -> Result<Seen, Error> {
    // What a user has who signed in with each policy in the morning.
    for nt_hash in [NtHashPolicy::Never, NtHashPolicy::Sealed] {
        let policy = OfflinePolicy {
            nt_hash,
            ..OfflinePolicy::default()
        };
        let mut device = Device::join(&stage.house, TEST_USER, policy)?;
        device.sign_in(&stage.house).map_err(story)?;
        stage.other_devices.push((nt_hash, device));
    }
    let mut device = stage.take_device()?;
    device.sign_in(&stage.house).map_err(story)?;
    stage.house.wire(Line::Cloud, Mode::Cut)?;
    stage.clock.advance_seconds(HOUR_S);
    let house = &stage.house;
    let service = format!("cifs/ws01.{}", house.dns_domain());
    device.ticket(house, &service).map_err(story)?;
    let renewed = device.renew(house).map_err(story)?;
    let Happened::Renewed { ends } = renewed else {
        return Err(Error::Story(format!(
            "the ticket was not renewed: {renewed}"
        )));
    };
    let refreshed = device.refresh(house).map_err(story)?;
    ensure(
        matches!(refreshed.as_slice(), [Happened::CloudSilent(_)]),
        || format!("the cloud is cut, and yet: {refreshed:?}"),
    )?;
    ensure(device.has_offline_cache(), || {
        "a failed refresh destroyed the offline cache".to_owned()
    })?;
    stage.device = Some(device);
    Ok(Seen::new(
        "a ticket for another service, and the ticket granting ticket renewed; but none that is fresh",
    )
    .with(format!("renewed until {ends}, by the domain controller alone"))
    .with(format!("a refresh: {}", words(&refreshed))))
}

pub(super) fn cached_sign_in(stage: &mut Stage) -> Result<Seen, Error> {
    let stranger = Device::join(&stage.house, TEST_USER, OfflinePolicy::default());
    ensure(stranger.is_err(), || {
        "a device joined a cloud that is away".to_owned()
    })?;
    let mut device = stage.take_device()?;
    device.sign_out();
    let online = device.sign_in(&stage.house);
    ensure(matches!(online, Err(Trouble::NoCloud)), || {
        "the cloud is cut, and yet it signed in".to_owned()
    })?;
    device.unlock(&stage.house).map_err(story)?;
    let until = device.session().and_then(Session::usable_until);
    let until = until.ok_or_else(|| Error::Story("nothing says for how long".to_owned()))?;
    let service = format!("ldap/{}", stage.house.server());
    device.ticket(&stage.house, &service).map_err(story)?;
    stage.device = Some(device);
    Ok(Seen::new(format!(
        "one touch: the key's hmac-secret opens what its sign-in left here; the tickets in it get one for {service}"
    ))
    .with(format!("would open until {until}"))
    .with("the first sign-in on another device: impossible, its cloud is away"))
}

pub(super) fn ntlm_by_policy(stage: &mut Stage) -> Result<Seen, Error> {
    let device = stage.take_device()?;
    let mut lines = Vec::new();
    let house = &stage.house;
    for (policy, device) in &mut stage.other_devices {
        let before = has_hash(device);
        device.sign_out();
        device.unlock(house).map_err(story)?;
        let after = has_hash(device);
        let expected = match policy {
            NtHashPolicy::Never => (false, false),
            NtHashPolicy::Session => (true, false),
            NtHashPolicy::Sealed => (true, true),
        };
        ensure((before, after) == expected, || {
            format!("policy {policy:?}: in the session {before}, after unlocking {after}")
        })?;
        lines.push(format!(
            "{policy:?}: {}, {}",
            in_session(before),
            unlocked(after)
        ));
    }
    // The default; it was unlocked one step before.
    ensure(!has_hash(&device), || {
        "the hash survived into a cached session".to_owned()
    })?;
    lines.insert(
        1,
        format!(
            "Session (the default): {}, {}",
            in_session(true),
            unlocked(false)
        ),
    );
    stage.device = Some(device);
    Ok(Seen::new("NTLM lives on where the policy says so, and nowhere else").with_all(lines))
}

pub(super) fn eight_days(stage: &mut Stage) -> Result<Seen, Error> {
    let mut device = stage.take_device()?;
    let began = stage.house.clock().now();
    let end = began.plus_seconds(8 * 24 * HOUR_S);
    let mut renewals = 0;
    while stage.house.clock().now() < end {
        let happened = device.look(&stage.house).map_err(story)?;
        renewals += happened
            .iter()
            .filter(|happened| matches!(happened, Happened::Renewed { .. }))
            .count();
        let now = stage.house.clock().now();
        let next = device.next_look(&stage.house).unwrap_or(end).min(end);
        stage.clock.advance_seconds(next.seconds_since(now).max(1));
    }
    ensure(device.granting(&stage.house).is_err(), || {
        "a ticket of eight days ago still works".to_owned()
    })?;
    device.sign_out();
    device.unlock(&stage.house).map_err(story)?;
    let password = &stage.house.account(TEST_USER)?.password;
    stage
        .house
        .kerberos()
        .sign_in(TEST_USER.account, password)?;
    stage.device = Some(device);
    Ok(Seen::new(format!(
        "{renewals} renewals, then the ticket's last day was over; the device still opens, and what needs no cloud signs in"
    )))
}

pub(super) fn the_cloud_is_back(stage: &mut Stage) -> Result<Seen, Error> {
    let mut device = stage.take_device()?;
    // The agent knows that the wire is dead.
    device.look(&stage.house).map_err(story)?;
    stage.house.wire(Line::Cloud, Mode::Up)?;
    let began = stage.house.clock().now();
    let limit = began.plus_seconds(HOUR_S);
    let held = loop {
        let happened = device.look(&stage.house).map_err(story)?;
        let now = stage.house.clock().now();
        if happened
            .iter()
            .any(|it| matches!(it, Happened::Exchanged { .. }))
        {
            break now;
        }
        ensure(now < limit, || "no fresh ticket within an hour".to_owned())?;
        let next = device.next_look(&stage.house).unwrap_or(limit);
        stage.clock.advance_seconds(next.seconds_since(now).max(1));
    };
    let service = format!("ldap/{}", stage.house.server());
    device.ticket(&stage.house, &service).map_err(story)?;
    stage.device = Some(device);
    Ok(Seen::new(format!(
        "{} s later a fresh ticket granting ticket is held; nobody touched anything",
        held.seconds_since(began)
    )))
}

const HOUR_S: i64 = 3600;

fn story(trouble: Trouble) -> Error {
    match trouble {
        Trouble::House(error) => error,
        other => Error::Story(other.to_string()),
    }
}

fn words(happened: &[Happened]) -> String {
    let all: Vec<String> = happened.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn has_hash(device: &Device) -> bool {
    device.session().and_then(Session::nt_hash).is_some()
}

fn in_session(has: bool) -> &'static str {
    if has {
        "the hash in the session"
    } else {
        "no hash in the session"
    }
}

fn unlocked(has: bool) -> &'static str {
    if has {
        "and after unlocking"
    } else {
        "none after unlocking"
    }
}
