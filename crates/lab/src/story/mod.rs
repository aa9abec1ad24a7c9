//! The story of written-back keys, of what carries a sign-in instead, and of an outage: played over real protocols, each
//! step checked.
//!
//! A step does something that an administrator, a user or an intruder would do, looks at what came of it, and
//! compares. What it sees it says in one line, with the values below it. Steps build on each other; after one
//! that failed the rest is still played, so that one run shows all that is wrong.

mod bridge;
mod claims;
mod detection;
mod outage;
mod permissions;
mod removal;
mod rules;
mod stage;
mod tickets;
mod writeback;

use std::sync::Arc;
use std::time::Instant;

use types::{Clock, Timestamp, VirtualClock};

use crate::report::{Report, Seen, Step};
use crate::{Error, House, Options};
use stage::Stage;

/// A step as it stands in the script.
#[derive(Clone, Copy)]
pub struct Scene {
    /// A short name that stays the same from version to version.
    pub id: &'static str,
    /// What is done.
    pub title: &'static str,
    /// What should be seen.
    pub expected: &'static str,
    play: fn(&mut Stage) -> Result<Seen, Error>,
}

const fn scene(
    id: &'static str,
    title: &'static str,
    expected: &'static str,
    play: fn(&mut Stage) -> Result<Seen, Error>,
) -> Scene {
    Scene {
        id,
        title,
        expected,
        play,
    }
}

/// The script.
pub const SCENES: [Scene; 30] = [
    scene(
        "register",
        "a user registers a security key in the cloud",
        "the cloud verifies the attestation and keeps the public key in searchableDeviceKey",
        writeback::register,
    ),
    scene(
        "nothing-yet",
        "look at the on-premises user",
        "msDS-KeyCredentialLink is empty",
        writeback::nothing_yet,
    ),
    scene(
        "one-cycle",
        "one sync cycle",
        "one value is planned, written and confirmed by re-import",
        writeback::one_cycle,
    ),
    scene(
        "raw-value",
        "read the raw value back over LDAP",
        "it is the cloud's key, byte for byte, with the KeyHash that the rule inserted",
        writeback::raw_value,
    ),
    scene(
        "decoded",
        "decode it",
        "usage FIDO, source AzureAD, created at registration, the right owner and model",
        writeback::decoded,
    ),
    scene(
        "usage-is-not-looked-at",
        "a Windows Hello key (NGC) is registered for the same user, and the sync runs",
        "it travels by the same rule pair: nothing in it looks at the usage",
        writeback::hello_key_rides_along,
    ),
    scene(
        "connector-without-right",
        "the connector account leaves Key Admins, another user registers a key, and the sync runs",
        "the export is refused and reported: user, reason, the line that mends it; nothing is written",
        permissions::connector_without_right,
    ),
    scene(
        "directory-says-no",
        "the same, with the sync's permission check switched off",
        "the directory itself refuses with 00002098 (8344) and records the attempt as event 4662",
        permissions::directory_says_no,
    ),
    scene(
        "connector-in-key-admins",
        "the connector account is back in Key Admins",
        "the next cycle writes the key",
        permissions::connector_in_key_admins,
    ),
    scene(
        "protected-user",
        "a domain administrator registers a key, and the sync runs",
        "refused: protected by AdminSDHolder, and the report names the line that mends it",
        permissions::protected_user,
    ),
    scene(
        "adminsdholder-mended",
        "AdminSDHolder grants the connector the attribute, and protection is propagated",
        "the next cycle writes the key",
        permissions::adminsdholder_mended,
    ),
    scene(
        "rule-off",
        "the outbound rule is switched off, and a further key is registered",
        "nothing flows, and the plan says that the rule is disabled; switched on again, it flows",
        rules::rule_off,
    ),
    scene(
        "schema-too-old",
        "the same sync against a domain whose schema does not have the attribute",
        "nothing flows, and the plan says that the schema lacks msDS-KeyCredentialLink",
        rules::schema_too_old,
    ),
    scene(
        "deleted-by-hand",
        "an administrator deletes the user's value by hand, and the sync runs",
        "the value comes back",
        removal::deleted_by_hand,
    ),
    scene(
        "removed-in-cloud",
        "the user's key is removed in the cloud, and the sync runs",
        "the value disappears from the directory, and the others stay",
        removal::removed_in_cloud,
    ),
    scene(
        "planted-on-user",
        "somebody else with the right to write keys plants one on the user",
        "verdict: planted, with reasons; the sync leaves it where an investigator can see it",
        detection::planted_on_user,
    ),
    scene(
        "planted-on-computer",
        "and one on a computer, judged from a Windows event 5136 alone, which hides the value",
        "verdict: planted, with reasons and what was not available",
        detection::planted_on_computer,
    ),
    scene(
        "own-writes",
        "the same records, asked for what the sync wrote",
        "every write of the sync: legitimate writeback, with reasons; and no other verdict is so",
        detection::own_writes,
    ),
    scene(
        "password-ticket",
        "the user signs in at the domain controller with the password",
        "a Kerberos ticket for the LDAP service, which opens it with its own key",
        tickets::password_ticket,
    ),
    scene(
        "key-trust-ticket",
        "an administrator enrols a Windows Hello key (NGC), the wire to the cloud is cut, and the key signs in",
        "a ticket by PKINIT: key trust needs no cloud",
        tickets::key_trust_ticket,
    ),
    scene(
        "fido-is-no-candidate",
        "the same, still without the cloud, on the strength of the written-back FIDO entry",
        "refused: the KDC's log names the entry and why it is passed over",
        tickets::fido_entry_refused,
    ),
    scene(
        "usage-decides",
        "an RSA key is written as a FIDO entry, and then as an NGC entry",
        "the very same key is refused as FIDO and accepted as NGC",
        tickets::right_key_wrong_usage,
    ),
    scene(
        "server-object",
        "an administrator makes the Kerberos server object, a workstation joins, and the security key signs in",
        "the cloud's partial ticket is exchanged by the domain controller for a full one",
        bridge::server_object,
    ),
    scene(
        "without-the-entry",
        "every written-back entry of the user is removed, and the key signs in again",
        "nothing changes: no domain controller reads them",
        bridge::without_the_entry,
    ),
    scene(
        "session-goes-on",
        "the wire to the cloud is cut, and the session goes on",
        "service tickets and renewals as before; no fresh ticket granting ticket; the offline cache stays",
        outage::the_session_goes_on,
    ),
    scene(
        "cached-sign-in",
        "the user signs out and in again, still without the cloud",
        "the same key opens this device by hmac-secret; a device that never signed in stays shut",
        outage::cached_sign_in,
    ),
    scene(
        "ntlm-by-policy",
        "what is left for servers that know NTLM alone, under each policy for the NT hash",
        "never: none; session: until the sign-out; sealed: after a cached sign-in too",
        outage::ntlm_by_policy,
    ),
    scene(
        "eight-days",
        "eight days pass without the cloud",
        "the tickets come to their last day; the device still opens; a password still signs in at the domain",
        outage::eight_days,
    ),
    scene(
        "cloud-is-back",
        "the wire to the cloud is mended",
        "a fresh ticket granting ticket within minutes, without a touch",
        outage::the_cloud_is_back,
    ),
    scene(
        "without-the-object",
        "the sync writes the entries again, the Kerberos server object is removed, and the key signs in",
        "the cloud signs in, and the domain gives no ticket: the object is the bridge, the entries are not",
        bridge::without_the_object,
    ),
];

/// When the story begins: the day of the article that it retells.
const BEGIN: &str = "2026-06-10T08:00:00Z";

/// Plays the story in a house of its own. `observer` is told before each step, and gets it when it was played.
pub fn play(observer: &mut dyn FnMut(Moment<'_>)) -> Result<Report, Error> {
    let begin = Timestamp::parse_rfc3339(BEGIN).map_err(|error| Error::Story(error.to_string()))?;
    let clock = Arc::new(VirtualClock::new(begin));
    observer(Moment::Building);
    let started = Instant::now();
    let time: Arc<dyn Clock> = clock.clone();
    let house = House::start(Options {
        nt_hashes: true,
        ..Options::new(time)
    })?;
    let mut report = Report::new(begin, &house.dns_domain().to_uppercase());
    report.milliseconds = milliseconds(started);
    let mut stage = Stage::new(house, clock);
    for (index, scene) in SCENES.iter().enumerate() {
        observer(Moment::Before {
            number: index + 1,
            of: SCENES.len(),
            scene,
        });
        let step = play_scene(index + 1, scene, &mut stage);
        observer(Moment::After(&step));
        report.push(step);
    }
    report.claims = claims::shown(&report.steps);
    Ok(report)
}

/// Where the story is.
pub enum Moment<'a> {
    /// The house is being built.
    Building,
    /// A step begins.
    Before {
        /// Its number, from 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// The step.
        scene: &'a Scene,
    },
    /// A step was played.
    After(&'a Step),
}

fn play_scene(number: usize, scene: &Scene, stage: &mut Stage) -> Step {
    let started = Instant::now();
    // An hour between two steps: far enough to tell their times apart.
    stage.clock.advance_seconds(3600);
    let (seen, passed) = match (scene.play)(stage) {
        Ok(seen) => (seen, true),
        Err(error) => (Seen::new(error.to_string()), false),
    };
    Step {
        number,
        id: scene.id,
        title: scene.title,
        expected: scene.expected,
        seen: seen.summary,
        passed,
        details: seen.details,
        milliseconds: milliseconds(started),
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
