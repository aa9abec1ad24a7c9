//! The key feed: whatever happens while it is read, its readers end with the same picture as the store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use cloud::{Caller, Cloud};
use cloud_api::devicekeys::{DeltaUser, NewNgcKey, request_target};
use cloud_api::users::UserChange;
use cloud_api::{DeltaPage, paths};
use common::House;
use proptest::prelude::*;
use types::Guid;

/// What a reader has understood so far.
#[derive(Default)]
struct Reader {
    users: BTreeMap<String, DeltaUser>,
    link: Option<String>,
}

impl Reader {
    /// Reads one page; `true` when it was the last.
    async fn step(&mut self, house: &House, first: &str) -> bool {
        let path = self
            .link
            .as_deref()
            .and_then(request_target)
            .unwrap_or(first)
            .to_owned();
        let reply = house.get(&path, &house.sync).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json);
        let page: DeltaPage = serde_json::from_value(reply.json).unwrap();
        let mut ids: Vec<_> = page.value.iter().map(|user| user.id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), page.value.len(), "a user is once on a page");
        for user in page.value {
            if user.is_removed() {
                self.users.remove(&user.id);
            } else {
                self.users.insert(user.id.clone(), user);
            }
        }
        assert!(page.next_link.is_some() != page.delta_link.is_some());
        let is_last = page.delta_link.is_some();
        self.link = page.next_link.or(page.delta_link);
        is_last
    }

    async fn finish(&mut self, house: &House, first: &str) {
        for _ in 0..10_000 {
            if self.step(house, first).await {
                return;
            }
        }
        panic!("the feed has no end");
    }
}

/// What a reader ought to know.
async fn truth(house: &House) -> BTreeMap<String, DeltaUser> {
    let mut reader = Reader::default();
    reader.finish(house, "/devicekeys/v1/delta?$top=999").await;
    let users = house.cloud.users(&Caller::operator(), None, 999).unwrap();
    assert_eq!(reader.users.len(), users.len());
    for user in users {
        let keys = house
            .cloud
            .device_keys(&Caller::operator(), user.id)
            .unwrap();
        assert_eq!(
            reader.users[&user.id.to_string()]
                .searchable_device_key
                .as_ref(),
            Some(&keys.searchable_device_key)
        );
    }
    reader.users
}

#[derive(Debug, Clone)]
enum Step {
    Create,
    Rename(usize),
    Disable(usize),
    Delete(usize),
    AddKey(usize),
    RemoveKey(usize),
    Read,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = any::<usize>();
    let step = prop_oneof![
        3 => Just(Step::Create),
        1 => which.prop_map(Step::Rename),
        1 => which.prop_map(Step::Disable),
        1 => which.prop_map(Step::Delete),
        3 => which.prop_map(Step::AddKey),
        1 => which.prop_map(Step::RemoveKey),
        4 => Just(Step::Read),
    ];
    proptest::collection::vec(step, 1..60)
}

fn add_key(cloud: &Cloud, user: Guid, serial: u32) {
    let mut blob = b"RSA1".to_vec();
    for word in [2048_u32, 3, 256, 0, 0] {
        blob.extend(word.to_le_bytes());
    }
    blob.extend([1, 0, 1]);
    blob.extend([0xC5; 252]);
    blob.extend(serial.to_le_bytes());
    let request = NewNgcKey {
        key_material: data_encoding::BASE64.encode(&blob),
        device_id: Guid::from_bytes_le([7; 16]),
    };
    // A user may have enough keys already.
    let _ = cloud.add_ngc_key(&Caller::operator(), user, &request);
}

fn apply(house: &House, step: &Step, serial: u32) {
    let (cloud, operator) = (&house.cloud, Caller::operator());
    let users = cloud.users(&operator, None, 999).unwrap();
    let pick = |at: usize| users.get(at % users.len().max(1)).map(|user| user.id);
    let change =
        |id: Guid, change: UserChange| cloud.change_user(&operator, id, &change).map(|_| ());
    match *step {
        Step::Create => {
            house.user(&format!("user{serial}"));
        }
        Step::Rename(at) => pick(at).into_iter().for_each(|id| {
            let name = Some(format!("name {serial}"));
            change(
                id,
                UserChange {
                    display_name: name,
                    ..UserChange::default()
                },
            )
            .unwrap();
        }),
        Step::Disable(at) => pick(at).into_iter().for_each(|id| {
            change(
                id,
                UserChange {
                    account_enabled: Some(false),
                    ..UserChange::default()
                },
            )
            .unwrap();
        }),
        Step::Delete(at) => pick(at)
            .into_iter()
            .for_each(|id| cloud.delete_user(&operator, id).unwrap()),
        Step::AddKey(at) => pick(at)
            .into_iter()
            .for_each(|id| add_key(cloud, id, serial)),
        Step::RemoveKey(at) => pick(at).into_iter().for_each(|id| {
            let keys = cloud
                .device_keys(&operator, id)
                .unwrap()
                .searchable_device_key;
            if let Some(key) = keys.first() {
                let name = cloud_api::Base64Url(key.key_identifier.clone()).to_string();
                cloud.remove_ngc_key(&operator, id, &name).unwrap();
            }
        }),
        Step::Read => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_of_changes_and_pages_converges(steps in steps(), top in 1_u16..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = House::new();
            let first = format!("/devicekeys/v1/delta?$top={top}");
            let mut reader = Reader::default();
            for (serial, step) in (0..).zip(&steps) {
                apply(&house, step, serial);
                house.clock.advance_seconds(60);
                if matches!(step, Step::Read) {
                    reader.step(&house, &first).await;
                }
            }
            reader.finish(&house, &first).await;
            assert_eq!(reader.users, truth(&house).await);
        });
    }
}

#[tokio::test]
async fn a_change_is_told_once_and_then_no_more() {
    let house = House::new();
    let user = house.synced_user("testuser", 1);
    house.user("other");
    let mut reader = Reader::default();
    reader.finish(&house, paths::DEVICE_KEY_DELTA).await;
    add_key(&house.cloud, user.id, 1);
    add_key(&house.cloud, user.id, 2);
    let link = request_target(reader.link.as_deref().unwrap())
        .unwrap()
        .to_owned();
    let page = house.get(&link, &house.sync).await.json;
    assert_eq!(
        page["value"].as_array().unwrap().len(),
        1,
        "two changes of one user are one entry"
    );
    assert_eq!(
        page["value"][0]["searchableDeviceKey"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        page["value"][0]["onPremisesSecurityIdentifier"],
        "S-1-5-21-1-2-3-1101"
    );
    let next = request_target(page["@odata.deltaLink"].as_str().unwrap())
        .unwrap()
        .to_owned();
    assert_eq!(
        house.get(&next, &house.sync).await.json["value"],
        serde_json::json!([])
    );
    let same = UserChange {
        display_name: Some(user.display_name),
        ..UserChange::default()
    };
    house
        .cloud
        .change_user(&Caller::operator(), user.id, &same)
        .unwrap();
    assert_eq!(
        house.get(&next, &house.sync).await.json["value"],
        serde_json::json!([]),
        "no change, no entry"
    );
    house
        .cloud
        .delete_user(&Caller::operator(), user.id)
        .unwrap();
    assert_eq!(
        house.get(&next, &house.sync).await.json["value"],
        serde_json::json!([{"id": user.id.to_string(), "@removed": {"reason": "deleted"}}])
    );
}

#[tokio::test]
async fn latest_begins_now() {
    let house = House::new();
    house.user("before");
    let page = house
        .get("/devicekeys/v1/delta?$deltatoken=latest", &house.sync)
        .await
        .json;
    assert_eq!(page["value"], serde_json::json!([]));
    house.user("after");
    let link = request_target(page["@odata.deltaLink"].as_str().unwrap()).unwrap();
    let page = house.get(link, &house.sync).await.json;
    assert_eq!(page["value"][0]["displayName"], "after");
    assert_eq!(page["value"].as_array().unwrap().len(), 1);
}

async fn must_resync(house: &House, link: &str, why: &str) {
    let reply = house.get(request_target(link).unwrap(), &house.sync).await;
    assert_eq!(reply.status, StatusCode::GONE, "{why}: {}", reply.json);
    assert_eq!(reply.code(), "syncStateNotFound", "{why}");
    let location = reply.headers["location"].to_str().unwrap();
    let again = house.get(location, &house.sync).await;
    assert_eq!(again.status, StatusCode::OK, "{why}");
    assert_eq!(
        again.json["value"].as_array().unwrap().len(),
        house
            .cloud
            .users(&Caller::operator(), None, 999)
            .unwrap()
            .len()
    );
}

#[tokio::test]
async fn stale_tokens_lead_to_a_new_beginning() {
    let house = House::new();
    house.user("ada");
    let mut reader = Reader::default();
    reader.finish(&house, paths::DEVICE_KEY_DELTA).await;
    let link = reader.link.clone().unwrap();
    house.clock.advance_seconds(7 * 24 * 3600);
    assert!(reader.step(&house, "").await, "seven days are not too long");
    house.clock.advance_seconds(1);
    must_resync(&house, &link, "too old").await;

    let fresh = reader.link.clone().unwrap();
    house.cloud.reset_feed(&Caller::operator()).unwrap();
    must_resync(&house, &fresh, "another epoch").await;

    let other = House::new();
    let mut reader = Reader::default();
    reader.finish(&other, paths::DEVICE_KEY_DELTA).await;
    must_resync(&house, reader.link.as_deref().unwrap(), "another tenant").await;
}

#[tokio::test]
async fn a_backup_that_was_put_back_is_noticed() {
    // A cursor that is only a number would fit again once the restored store had as many changes, and its reader would
    // miss some of them for ever.
    let house = House::new();
    house.user("ada");
    let backup = house.state.path().join("backup.sqlite");
    let db = rusqlite::Connection::open(house.state.path().join("cloud.sqlite")).unwrap();
    db.execute("VACUUM INTO ?1", [backup.to_str().unwrap()])
        .unwrap();
    house.user("lost");
    let mut reader = Reader::default();
    reader.finish(&house, paths::DEVICE_KEY_DELTA).await;

    let surroundings =
        cloud::Surroundings::new(house.clock.clone(), Box::new(types::SeededEntropy::new(7)));
    let restored = Cloud::open(&backup, surroundings).unwrap();
    let restored = House {
        router: cloud::router(restored.clone()),
        cloud: restored,
        ..house
    };
    must_resync(
        &restored,
        reader.link.as_deref().unwrap(),
        "a change that is not there",
    )
    .await;
    restored.user("another");
    must_resync(
        &restored,
        reader.link.as_deref().unwrap(),
        "another change at its place",
    )
    .await;
}

#[tokio::test]
async fn a_slow_first_reading_hears_of_users_that_went_meanwhile() {
    // Users that are forgotten for good must not stay with a reader whose first reading took longer than their grave.
    let house = House::new();
    let gone = house.user("gone");
    for n in 0..3 {
        house.user(&format!("user{n}"));
    }
    let mut reader = Reader::default();
    reader.step(&house, "/devicekeys/v1/delta?$top=1").await;
    assert!(reader.users.contains_key(&gone.id.to_string()));
    house
        .cloud
        .delete_user(&Caller::operator(), gone.id)
        .unwrap();
    house.clock.advance_seconds(6 * 24 * 3600);
    reader.step(&house, "").await;
    house.clock.advance_seconds(3 * 24 * 3600);
    let other = house.user("other");
    house
        .cloud
        .delete_user(&Caller::operator(), other.id)
        .unwrap();
    must_resync(&house, reader.link.as_deref().unwrap(), "too slow").await;
}
