//! The logs that an administrator reads: sign-ins and tickets with whom, where and how, filters, and retention.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use axum::http::{Method, StatusCode};
use cloud::{AuditQuery, Caller, SignInLog, Trimmed};
use cloud_api::audit::{AuditRetention, SignInRecord};
use cloud_api::paths;
use cloud_api::users::{User, UserChange};
use common::House;
use common::device::{Device, Renewal, SecurityKey, Touch};
use serde_json::{Value, json};
use types::Clock;

fn operator() -> Caller {
    Caller::operator()
}

/// A user who signed in with a ticket, renewed it, and was then refused: by a counter, and disabled.
struct Day {
    house: House,
    user: User,
    device: Device,
}

impl Day {
    async fn new() -> Self {
        let house = House::new();
        let user = house.ground_user("testuser", 1);
        house.publish(1, 7);
        let key = SecurityKey::register(&house, &user, 0xC1);
        let device = Device::join(&house, &user).await;
        house.clock.advance_seconds(3600);
        let prt = device.sign_in(&house, &key, 2).await;
        house.clock.advance_seconds(3600);
        house
            .renew(&prt.token, &prt.session, &Renewal::default())
            .await;
        house.clock.advance_seconds(3600);
        let disabled = UserChange {
            account_enabled: Some(false),
            ..UserChange::default()
        };
        house
            .cloud
            .change_user(&operator(), user.id, &disabled)
            .unwrap();
        let touch = Touch {
            counter: 9,
            ..Touch::default()
        };
        let reply = device.try_sign_in(&house, &key, &touch).await;
        assert_eq!(reply.json["suberror"], "userDisabled", "{}", reply.text);
        Self {
            house,
            user,
            device,
        }
    }

    async fn read(&self, path: &str, filter: &str) -> Vec<SignInRecord> {
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let path = match filter.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?$filter={filter}"),
        };
        let reply = self.house.get(&path, &self.house.admin).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        serde_json::from_value(reply.json["value"].clone()).unwrap()
    }
}

fn activities(records: &[SignInRecord]) -> Vec<&str> {
    let words = records.iter().map(|record| record.activity.as_str());
    words.collect()
}

#[tokio::test]
async fn a_sign_in_is_told_with_user_device_and_method() {
    let day = Day::new().await;
    let records = day.read(paths::SIGN_INS, "").await;
    // The join was by a pass that bought a session.
    assert_eq!(
        activities(&records),
        ["refuseSignIn", "renew", "signIn", "signIn"]
    );
    for record in &records {
        assert_eq!(record.user_id, Some(day.user.id));
        assert_eq!(
            record.user_principal_name.as_deref(),
            Some("testuser@corp.contoso.com")
        );
    }
    let refused = &records[0];
    assert_eq!(refused.status.error_code, 1);
    assert!(refused.status.failure_reason.is_some());
    assert_eq!(refused.device_id, Some(day.device.id));
    let signed_in = &records[2];
    assert_eq!(
        (
            signed_in.status.error_code,
            signed_in.authentication_method.as_deref()
        ),
        (0, Some("fido"))
    );
    assert!(signed_in.device_display_name.is_some());
    assert_eq!(records[3].authentication_method.as_deref(), Some("tap"));
}

#[tokio::test]
async fn every_issued_ticket_is_told() {
    let day = Day::new().await;
    let records = day.read(paths::ISSUED_TICKETS, "").await;
    let tickets: Vec<_> = records
        .iter()
        .filter(|record| record.activity == "issueTicket")
        .collect();
    assert!(!tickets.is_empty(), "{records:?}");
    for ticket in tickets {
        assert_eq!(ticket.user_id, Some(day.user.id));
        assert_eq!(ticket.device_id, Some(day.device.id));
        let details = ticket.status.additional_details.as_deref().unwrap();
        assert!(details.contains("testuser@CORP.CONTOSO.COM"), "{details}");
    }
}

#[tokio::test]
async fn filters_choose_and_unknown_ones_are_refused() {
    let day = Day::new().await;
    let check = async |filter: &str, wanted: &[&str]| {
        let records = day.read(paths::SIGN_INS, filter).await;
        assert_eq!(activities(&records), wanted, "{filter}");
    };
    check("status/errorCode ne 0", &["refuseSignIn"]).await;
    let user = day.user.id;
    check(
        &format!("userId eq '{user}' and status/errorCode ne 0"),
        &["refuseSignIn"],
    )
    .await;
    check("userId eq '6ba7b810-9dad-11d1-80b4-00c04fd430c8'", &[]).await;
    let device = day.device.id;
    check(
        &format!("deviceId eq '{device}'"),
        &["refuseSignIn", "renew", "signIn"],
    )
    .await;
    // The day began at 05:06:07; the renewal was two hours later.
    check(
        "createdDateTime ge 2026-06-10T07:00:00Z",
        &["refuseSignIn", "renew"],
    )
    .await;
    let newest = day.read(paths::SIGN_INS, "").await[0].id;
    check(&format!("id gt {newest}"), &[]).await;
    let admin = &day.house.admin;
    for bad in [
        format!("{}?$filter=id%20lt%207", paths::SIGN_INS),
        format!("{}?$orderby=id", paths::ISSUED_TICKETS),
        format!("{}?$top=0", paths::SIGN_INS),
    ] {
        let reply = day.house.get(&bad, admin).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    for token in [&day.house.sync, ""] {
        let reply = day.house.get(paths::SIGN_INS, token).await;
        assert!(reply.status.is_client_error());
    }
}

#[tokio::test]
async fn pages_follow_each_other_with_their_filter() {
    let day = Day::new().await;
    let filter = format!("userId%20eq%20'{}'", day.user.id);
    let mut path = format!("{}?$top=2&$filter={filter}", paths::SIGN_INS);
    let mut seen = Vec::new();
    loop {
        let reply = day.house.get(&path, &day.house.admin).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let page = reply.json["value"].as_array().unwrap();
        seen.extend(page.iter().map(|record| record["id"].as_u64().unwrap()));
        match reply.json["@odata.nextLink"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn a_wrong_pass_is_told_where_the_pass_exists() {
    let house = House::new();
    let user = house.user("testuser");
    let other = house.user("other");
    let path = paths::temporary_access_passes(user.id);
    let pass = house.post(&path, &house.admin, json!({})).await;
    let pass = pass.json["temporaryAccessPass"].as_str().unwrap();
    let try_it = async |name: &str, pass: &str| {
        let body = json!({"userPrincipalName": name, "temporaryAccessPass": pass});
        let reply = house
            .post(paths::SIGN_IN_TEMPORARY_ACCESS_PASS, "", body)
            .await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    };
    try_it(&other.user_principal_name, pass).await;
    // Anybody can make one up, and would fill the log.
    try_it(
        &user.user_principal_name,
        "tombolo-tap.0011223344556677.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    )
    .await;
    let log = SignInLog::SignIns;
    let records = house
        .cloud
        .sign_in_records(&operator(), log, &AuditQuery::default(), 10)
        .unwrap();
    assert_eq!(activities(&records), ["refuseSignIn"]);
    assert_eq!(records[0].user_id, Some(user.id));
}

#[tokio::test]
async fn records_go_by_age_and_the_log_says_so() {
    let house = House::new();
    let user = house.user("testuser");
    let keep = |days, records| {
        let retention = AuditRetention { days, records };
        house.cloud.set_audit_retention(&operator(), &retention)
    };
    let trim = || house.cloud.trim_audit(house.clock.now()).unwrap();
    assert!(keep(Some(0), None).is_err());
    assert!(keep(None, Some(10)).is_err());
    // Without a setting nothing ever goes.
    house.clock.advance_seconds(400 * 86_400);
    assert_eq!(trim(), Trimmed::default());

    keep(Some(30), None).unwrap();
    let trimmed = trim();
    assert!(trimmed.records > 0 && !trimmed.has_more, "{trimmed:?}");
    assert_eq!(trim(), Trimmed::default());
    let records = house
        .cloud
        .audit_records(&operator(), &AuditQuery::default(), 999)
        .unwrap();
    let left: Vec<_> = records
        .iter()
        .map(|record| record.activity.as_str())
        .collect();
    assert_eq!(left, ["trimAudit", "setAuditRetention"]);
    // The feed has a log of its own.
    assert!(house.cloud.user(&operator(), user.id).is_ok());
}

#[tokio::test]
async fn records_go_by_number_in_pieces() {
    let house = House::new();
    let retention = AuditRetention {
        days: None,
        records: Some(1_000),
    };
    house
        .cloud
        .set_audit_retention(&operator(), &retention)
        .unwrap();
    let user = house.user("testuser");
    let db = rusqlite::Connection::open(house.state.path().join("cloud.sqlite")).unwrap();
    let fill = |count: u32| {
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO audit (at, activity, initiated_by, target, detail)
             SELECT 134000000000000000 + i, 'noise', 'operator', ?2, '' FROM n",
            rusqlite::params![count, user.id.to_string()],
        )
        .unwrap();
    };
    fill(4_500);
    let now = house.clock.now();
    let first = house.cloud.trim_audit(now).unwrap();
    assert_eq!(first.records, 2_000);
    assert!(first.has_more);
    let mut pieces = 1;
    while house.cloud.trim_audit(now).unwrap().has_more {
        pieces += 1;
        assert!(pieces < 5);
    }
    let count: u32 = db
        .query_row("SELECT count(*) FROM audit", [], |row| row.get(0))
        .unwrap();
    assert!((1_000..=1_003).contains(&count), "{count}");
    // What is young cannot go, whoever asks the file.
    let error = db.execute("DELETE FROM audit", []).unwrap_err();
    assert!(error.to_string().contains("append-only"), "{error}");
    let error = db
        .execute("UPDATE audit_retention SET kept_from = 0", [])
        .unwrap_err();
    assert!(error.to_string().contains("does not come back"), "{error}");
}

#[tokio::test]
async fn retention_is_set_over_the_api() {
    let house = House::new();
    let put = async |token: &str, body: Value| {
        house
            .ask(Method::PUT, paths::AUDIT_RETENTION, token, body)
            .await
    };
    let reply = put(&house.admin, json!({"days": 365})).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text);
    let reply = house.get(paths::AUDIT_RETENTION, &house.admin).await;
    assert_eq!(reply.json, json!({"days": 365, "records": null}));
    for bad in [
        json!({"days": 0}),
        json!({"records": 1}),
        json!({"weeks": 1}),
    ] {
        let reply = put(&house.admin, bad.clone()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let reply = put(&house.sync, json!({"days": 1})).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn members_come_and_go_one_by_one() {
    let house = House::new();
    let (ada, ben) = (house.user("ada"), house.user("ben"));
    let group = json!({"displayName": "pilots", "members": [ada.id]});
    let group = house.post(paths::GROUPS, &house.admin, group).await;
    let id = group.json["id"].as_str().unwrap().parse().unwrap();
    let add = json!({"@odata.id": format!("https://login.contoso.example{}", paths::user(ben.id))});
    for _ in 0..2 {
        let reply = house
            .post(&paths::group_members(id), &house.admin, add.clone())
            .await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text);
    }
    let members = |house: &House| {
        let mut members = house.cloud.groups(&operator()).unwrap()[0].members.clone();
        members.sort_unstable();
        members
    };
    let mut both = vec![ada.id, ben.id];
    both.sort_unstable();
    assert_eq!(members(&house), both);
    let path = paths::group_member(id, ada.id);
    let remove = async |path: &str, token: &str| {
        let reply = house.ask(Method::DELETE, path, token, Value::Null).await;
        reply.status
    };
    assert_eq!(remove(&path, &house.sync).await, StatusCode::FORBIDDEN);
    assert_eq!(remove(&path, &house.admin).await, StatusCode::NO_CONTENT);
    assert_eq!(remove(&path, &house.admin).await, StatusCode::NOT_FOUND);
    assert_eq!(members(&house), [ben.id]);
    for bad in ["x", "https://login.contoso.example/graph/v1.0/users/x"] {
        let reply = house
            .post(
                &paths::group_members(id),
                &house.admin,
                json!({"@odata.id": bad}),
            )
            .await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn a_policy_is_tried_before_it_is_there() {
    let house = House::new();
    let user = house.user("testuser");
    let policy = json!({
        "displayName": "nobody",
        "state": "enabled",
        "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}},
        "grantControls": {"operator": "OR", "builtInControls": ["block"]},
    });
    let path = format!("{}?validateOnly=true", paths::ACCESS_POLICIES);
    let reply = house.post(&path, &house.admin, policy.clone()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let mut wrong = policy.clone();
    wrong["conditions"]["users"] = json!({});
    let reply = house.post(&path, &house.admin, wrong).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(house.cloud.access_policies(&operator()).unwrap().is_empty());

    let mut question =
        json!({"user": user.id, "target": "urn:tombolo:app:sign-in", "method": "fido2"});
    let reply = house
        .post(paths::WHAT_IF, &house.admin, question.clone())
        .await;
    assert_eq!(reply.json["granted"], true, "{}", reply.text);
    question["candidate"] = policy;
    let reply = house.post(paths::WHAT_IF, &house.admin, question).await;
    assert_eq!(reply.json["granted"], false, "{}", reply.text);
    assert!(house.cloud.access_policies(&operator()).unwrap().is_empty());
}
