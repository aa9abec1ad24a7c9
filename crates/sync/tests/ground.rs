//! From the directory to the cloud without a network: computers that may join, and the Kerberos server object.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::ops::ControlFlow;

use events::{Operation, ReceiptState};
use sync::connector::{Attributes, Values};
use sync::memory::{MemoryCloud, MemoryDirectory};
use sync::mend::Reason;
use sync::plan::{Coverage, ExportAction};
use sync::rules::{RuleFile, RuleSet};
use sync::{CycleReport, Engine, Options, Outcome, State, Step};
use types::{Guid, Timestamp};

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap()
}

fn certificate(name: &str) -> Vec<u8> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.self_signed(&key).unwrap().der().to_vec()
}

struct House {
    cloud: MemoryCloud,
    directory: MemoryDirectory,
    engine: Engine,
    computer: Guid,
}

const WS01: &str = "WS01$";

impl House {
    /// A computer that has written its certificate.
    fn new() -> Self {
        let house = Self::with("version = 1\n");
        let id = house.computer.to_string();
        house.write(WS01, [certificate(&id)].into());
        house
    }

    /// A computer without one.
    fn with(rules: &str) -> Self {
        let (cloud, directory) = (MemoryCloud::default(), MemoryDirectory::default());
        directory.add_user("testuser");
        let computer = directory.add_computer(WS01);
        let rules = RuleSet::read(&[RuleFile {
            name: "own.toml",
            text: rules,
        }]);
        let engine = Engine::new(
            State::in_memory().unwrap(),
            rules.unwrap(),
            Box::new(cloud.clone()),
            Box::new(directory.clone()),
            Options::default(),
        );
        Self {
            cloud,
            directory,
            engine,
            computer,
        }
    }

    fn write(&self, account: &str, certificates: Values) {
        self.directory.set(account, "userCertificate", certificates);
    }

    fn cycle(&mut self) -> CycleReport {
        self.engine.cycle(now()).unwrap()
    }

    fn device(&self) -> Option<Attributes> {
        self.cloud.object(&self.computer.to_string())
    }

    /// What a cycle does to the cloud: made, deleted.
    fn check(&mut self, what: &str, exported: u64, withdrawn: u64) {
        let report = self.cycle();
        let apply = &report.apply;
        let seen = (apply.exported, apply.withdrawn);
        assert_eq!(seen, (exported, withdrawn), "{what}: {report:#?}");
        if exported + withdrawn > 0 {
            assert_eq!(report.outcome, Outcome::Applied, "{what}: {report:#?}");
        }
        let again = self.cycle();
        assert!(again.plan.is_empty(), "{what}, again: {:#?}", again.plan);
    }
}

fn text(attributes: &Attributes, name: &str) -> String {
    let values = attributes.get(name).into_iter().flatten();
    let values: Vec<_> = values
        .map(|v| String::from_utf8_lossy(v).into_owned())
        .collect();
    values.join(", ")
}

#[test]
fn a_computer_travels_once_it_has_a_certificate_of_its_own() {
    let mut house = House::with("version = 1\n");
    let id = house.computer.to_string();
    house.check("no certificate", 0, 0);
    assert_eq!(house.device(), None);
    // What a certificate authority wrote there is not the device's.
    house.write(
        WS01,
        [certificate("ws01.corp.contoso.com"), b"garbage".to_vec()].into(),
    );
    house.check("other certificates", 0, 0);
    let own = certificate(&id);
    house.write(
        WS01,
        [certificate("ws01.corp.contoso.com"), own.clone()].into(),
    );
    house.check("its own", 1, 0);
    let device = house.device().unwrap();
    assert_eq!(device["userCertificate"], Values::from([own]));
    for (name, expect) in [
        ("deviceId", id.as_str()),
        ("onPremisesSamAccountName", WS01),
        ("displayName", "WS01"),
        ("accountEnabled", "true"),
        ("onPremisesDomainName", "corp.contoso.com"),
        (
            "onPremisesDistinguishedName",
            "CN=WS01,OU=Workstations,DC=corp,DC=contoso,DC=com",
        ),
    ] {
        assert_eq!(text(&device, name), expect, "{name}");
    }
    assert!(text(&device, "onPremisesSecurityIdentifier").starts_with("S-1-5-21-1-2-3-"));

    house
        .directory
        .set(WS01, "userAccountControl", [b"4098".to_vec()].into());
    house.check("disabled", 1, 0);
    assert_eq!(text(&house.device().unwrap(), "accountEnabled"), "false");
    house.write(WS01, Values::new());
    house.check("its certificate is gone", 0, 1);
    assert_eq!(house.device(), None);
    house.write(WS01, [certificate(&id)].into());
    house.check("a new one", 1, 0);
    house.directory.remove_user(WS01);
    house.check("the computer is gone", 0, 1);
    assert_eq!(house.device(), None);
}

#[test]
fn plan_and_receipts_tell_of_it() {
    let mut house = House::new();
    let planned = house.engine.plan(Coverage::Pending, now()).unwrap();
    assert_eq!(planned.outcome, Outcome::Pending);
    assert_eq!(planned.plan.summary.create, 1);
    let export = &planned.plan.exports[0];
    assert_eq!(export.action, ExportAction::Create);
    assert_eq!(export.anchor.as_str(), house.computer.to_string());
    assert!(export.name.starts_with("CN=WS01,"));
    assert_eq!(house.device(), None, "a plan writes nothing");

    // A plan that was kept is applied exactly, and not twice.
    let text = serde_json::to_string(&planned.plan).unwrap();
    let kept = sync::Plan::from_json(&text).unwrap();
    assert_eq!(kept, planned.plan);
    let report = house.engine.apply(kept.clone(), now()).unwrap();
    assert_eq!(
        (report.outcome, report.apply.exported),
        (Outcome::Applied, 1)
    );
    let again = house.engine.apply(kept, now()).unwrap();
    assert_eq!((again.outcome, again.apply.exported), (Outcome::Refused, 0));

    let receipts = house.engine.state().receipts(0, 10).unwrap();
    let told: Vec<_> = receipts
        .iter()
        .map(|r| (r.attribute.as_str(), r.operation, r.state))
        .collect();
    let added = Operation::ValueAdded;
    assert_eq!(
        told,
        [
            ("device", added, ReceiptState::Written),
            ("device", added, ReceiptState::Confirmed)
        ]
    );
    assert_eq!(receipts[0].object_guid, house.computer);
    assert_eq!(receipts[0].target, "memory:cloud");
}

#[test]
fn an_edited_plan_makes_nothing() {
    let mut house = House::new();
    let planned = house.engine.plan(Coverage::Pending, now()).unwrap();
    let mut plan = planned.plan;
    let sid = "onPremisesSecurityIdentifier".to_owned();
    let attributes = &mut plan.exports[0].attributes;
    attributes.insert(sid, [b"S-1-5-21-1-2-3-500".to_vec()].into());
    let report = house.engine.apply(plan, now()).unwrap();
    assert_eq!(report.outcome, Outcome::Refused);
    assert_eq!(report.refusals()[0].reason, Reason::Changed);
    assert_eq!(house.device(), None);
}

#[test]
fn what_is_removed_in_the_cloud_comes_back_and_what_is_foreign_stays() {
    let mut house = House::new();
    house.check("first", 1, 0);
    house.cloud.remove_object(&house.computer.to_string());
    house.check("an administrator removed it", 1, 0);
    let foreign = |sid: &str| {
        let name = "onPremisesSecurityIdentifier".to_owned();
        Attributes::from([(name, Values::from([sid.as_bytes().to_vec()]))])
    };
    let other = foreign("S-1-5-21-9-9-9-1601");
    house
        .cloud
        .plant_object("device", "11111111-0000-0000-0000-000000000000", other);
    let report = house.cycle();
    assert_eq!(report.plan.summary.drift, 1, "{:#?}", report.plan);
    assert_eq!(report.apply.withdrawn, 0, "it is another domain's");
    // One of this domain that nobody knows, such as after the state was lost, is deleted.
    let ours = foreign("S-1-5-21-1-2-3-1999");
    house
        .cloud
        .plant_object("device", "22222222-0000-0000-0000-000000000000", ours);
    let report = house.cycle();
    assert_eq!(report.apply.withdrawn, 1, "{report:#?}");
}

#[test]
fn a_sid_that_changed_is_told_and_not_sent() {
    let mut house = House::new();
    house.check("first", 1, 0);
    let other = types::Sid::nt(&[21, 1, 2, 3]).with_rid(500);
    house
        .directory
        .set(WS01, "objectSid", [other.to_bytes()].into());
    let report = house.cycle();
    assert_eq!(report.outcome, Outcome::Refused, "{report:#?}");
    let refusals = report.refusals();
    assert_eq!(refusals[0].reason, Reason::Immutable);
    assert!(refusals[0].mend.is_some());
    assert_eq!(report.apply.exported, 0);
}

#[test]
fn too_many_deletions_stop_the_plan() {
    let rule =
        "version = 1\n[[override]]\nid = 'out-cloud-device'\nmax_object_deletes = '0% or 0'\n";
    let mut house = House::with(rule);
    house.write(WS01, [certificate(&house.computer.to_string())].into());
    house.check("first", 1, 0);
    house.write(WS01, Values::new());
    let report = house.cycle();
    assert_eq!(report.outcome, Outcome::GuardStopped, "{report:#?}");
    assert_eq!(report.plan.stopped[0].attribute, "device");
    assert!(house.device().is_some());
    house.engine.options_mut().accept_deletes = true;
    house.check("overruled", 0, 1);
}

#[test]
fn a_rule_that_is_off_neither_makes_nor_deletes() {
    let off = "version = 1\n[[override]]\nid = 'out-cloud-device'\nenabled = false\n";
    let mut house = House::with(off);
    house.write(WS01, [certificate(&house.computer.to_string())].into());
    let report = house.cycle();
    assert_eq!(
        (report.outcome, report.plan.summary.dormant),
        (Outcome::Unchanged, 1)
    );
    house.engine.set_rules(RuleSet::shipped().unwrap());
    house.check("on", 1, 0);
    let off = RuleFile {
        name: "off.toml",
        text: off,
    };
    house.engine.set_rules(RuleSet::read(&[off]).unwrap());
    house.write(WS01, Values::new());
    let report = house.cycle();
    assert_eq!(
        (report.outcome, report.plan.summary.dormant),
        (Outcome::Unchanged, 1),
        "{report:#?}"
    );
    assert!(house.device().is_some());
}

#[test]
fn the_kerberos_server_object_travels_without_its_key() {
    let mut house = House::with("version = 1\n");
    house
        .directory
        .add_kerberos_server("krbtgt_AzureAD", 39_612, 1);
    // The account of a real read-only domain controller has a number too.
    house.directory.add_kerberos_server("krbtgt_RODC1", 4711, 1);
    house.check("first", 1, 0);
    let facts = house.cloud.object("corp.contoso.com").unwrap();
    for (name, expect) in [
        ("domainSid", "S-1-5-21-1-2-3"),
        ("number", "39612"),
        ("keyVersion", "1"),
        ("krbtgtName", "krbtgt_39612"),
    ] {
        assert_eq!(text(&facts, name), expect, "{name}");
    }
    house.directory.set(
        "krbtgt_39612",
        "msDS-KeyVersionNumber",
        [b"2".to_vec()].into(),
    );
    house.check("its key was rotated", 1, 0);
    let facts = house.cloud.object("corp.contoso.com").unwrap();
    assert_eq!(text(&facts, "keyVersion"), "2");
    house.directory.remove_user("krbtgt_39612");
    house.check("it was removed", 0, 1);
    assert_eq!(house.cloud.object("corp.contoso.com"), None);
}

/// Killed anywhere: the next cycle ends where an undisturbed one does, and each write has its receipts once.
#[test]
fn a_cycle_that_was_killed_is_made_up_for() {
    let stops: [fn(&Step<'_>) -> bool; 3] = [
        |step| matches!(step, Step::Intent),
        |step| matches!(step, Step::Sent(..)),
        |step| matches!(step, Step::Outcome),
    ];
    for (stop, is_there) in stops.into_iter().enumerate() {
        let mut house = House::new();
        house
            .engine
            .observe(Box::new(move |step| match is_there(&step) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }));
        assert!(house.engine.cycle(now()).is_err());
        house
            .engine
            .observe(Box::new(|_| ControlFlow::Continue(())));
        house.cycle();
        assert!(house.device().is_some(), "stop {stop}");
        assert!(house.cycle().plan.is_empty(), "stop {stop}");
        let receipts = house.engine.state().receipts(0, 10).unwrap();
        let states: Vec<_> = receipts.iter().map(|r| r.state).collect();
        assert_eq!(
            states,
            [ReceiptState::Written, ReceiptState::Confirmed],
            "stop {stop}"
        );
    }
}

/// A state of before objects were carried is brought up to date when it is written next, and can be looked at before.
#[test]
fn a_state_of_the_first_version_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.sqlite");
    let version = || -> i64 {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    };
    drop(State::open(&path).unwrap());
    let db = rusqlite::Connection::open(&path).unwrap();
    let back = "DROP TABLE object_export; DROP INDEX object_alone; PRAGMA user_version = 1;";
    db.execute_batch(back).unwrap();
    drop(db);
    assert_eq!(
        State::open_to_read(&path)
            .unwrap()
            .census()
            .unwrap()
            .persons,
        0
    );
    assert_eq!(version(), 1);
    let house = House::new();
    let mut engine = Engine::new(
        State::open(&path).unwrap(),
        RuleSet::shipped().unwrap(),
        Box::new(house.cloud.clone()),
        Box::new(house.directory.clone()),
        Options::default(),
    );
    assert_eq!(engine.cycle(now()).unwrap().apply.exported, 1);
    assert_eq!(version(), 2);
}
