//! Conditional Access: a table of policies and attempts through what-if, and that every issue waits for the word.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use axum::http::{Method, StatusCode};
use cloud_api::conditional_access::{
    ACTION_REGISTER_DEVICE, ACTION_REGISTER_KEY, APP_DEVICES, APP_KERBEROS, APP_SIGN_IN,
    STRENGTH_MFA, STRENGTH_PASSWORDLESS, STRENGTH_PHISHING_RESISTANT,
};
use cloud_api::jose;
use cloud_api::paths;
use cloud_api::prt::{TicketField, TokenAnswer};
use cloud_api::users::User;
use common::House;
use common::device::{Device, Prt, Renewal, SecurityKey, Touch, join_request};
use serde_json::{Value, json};

struct Desk {
    house: House,
    user: User,
    key: SecurityKey,
    device: Device,
    group: String,
}

impl Desk {
    async fn new() -> Self {
        let house = House::new();
        let user = house.ground_user("testuser", 1);
        house.publish(1, 7);
        let key = SecurityKey::register(&house, &user, 0xC1);
        let device = Device::join(&house, &user).await;
        let group = json!({"displayName": "admins", "members": [user.id]});
        let reply = house.post(paths::GROUPS, &house.admin, group).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        let group = reply.json["id"].as_str().unwrap().to_owned();
        Self {
            house,
            user,
            key,
            device,
            group,
        }
    }

    async fn add(&self, policy: &Value) -> String {
        let reply = self
            .house
            .post(paths::ACCESS_POLICIES, &self.house.admin, policy.clone())
            .await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        reply.json["id"].as_str().unwrap().to_owned()
    }

    async fn remove(&self, id: &str) {
        let path = format!("{}/{id}", paths::ACCESS_POLICIES);
        let admin = &self.house.admin;
        let reply = self
            .house
            .ask(Method::DELETE, &path, admin, Value::Null)
            .await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
    }

    async fn device_is(&self, change: Value) {
        let path = paths::device(self.device.id);
        let admin = &self.house.admin;
        let reply = self.house.ask(Method::PATCH, &path, admin, change).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text);
    }

    async fn renewed(&self, prt: &Prt) -> common::Reply {
        let manner = Renewal::default();
        self.house.renew(&prt.token, &prt.session, &manner).await
    }

    fn ticket(reply: &common::Reply, prt: &Prt) -> TicketField {
        let plain = jose::open(&reply.text, &prt.session).unwrap();
        let answer: TokenAnswer = serde_json::from_slice(plain.expose()).unwrap();
        serde_json::from_str(answer.tgt_ad.as_deref().unwrap()).unwrap()
    }
}

/// For everybody and everything, with these controls.
fn policy(controls: Value) -> Value {
    json!({
        "displayName": "rule", "state": "enabled",
        "conditions": {"users": {"includeUsers": ["All"]},
                       "applications": {"includeApplications": ["All"]}},
        "grantControls": controls,
    })
}

fn asks(operator: &str, controls: &[&str]) -> Value {
    json!({"operator": operator, "builtInControls": controls})
}

fn strength(id: &str) -> Value {
    json!({"operator": "AND", "authenticationStrength": {"id": id}})
}

fn with(mut policy: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    policy.pointer_mut(parent).unwrap()[member] = value;
    policy
}

#[tokio::test]
async fn policies_say_what_they_say() {
    let desk = Desk::new().await;
    let other = desk.house.user("other").id.to_string();
    let me = desk.user.id.to_string();
    let group = desk.group.clone();
    let check = async |what: &str, policies: &[Value], question: Value, granted: bool| {
        let mut ids = Vec::new();
        for policy in policies {
            ids.push(desk.add(policy).await);
        }
        let mut body = json!({"user": desk.user.id, "target": APP_SIGN_IN, "method": "fido2",
                              "device": desk.device.id});
        for (name, value) in question.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = desk
            .house
            .post(paths::WHAT_IF, &desk.house.admin, body)
            .await;
        assert_eq!(reply.json["granted"], granted, "{what}: {}", reply.text);
        for id in ids {
            desk.remove(&id).await;
        }
    };
    let block = || policy(asks("OR", &["block"]));
    let fine = || policy(asks("AND", &["mfa"]));
    let usual = || json!({});
    check("no policy", &[], usual(), true).await;
    check("block", &[block()], usual(), false).await;
    check("two factors", &[fine()], usual(), true).await;
    check("all apply", &[fine(), block(), fine()], usual(), false).await;
    let state = |state: &str| with(block(), "/state", json!(state));
    check("disabled", &[state("disabled")], usual(), true).await;
    let report = "enabledForReportingButNotEnforced";
    check("report only", &[state(report)], usual(), true).await;

    // Users and groups.
    let users = |users: Value| with(block(), "/conditions/users", users);
    check(
        "me",
        &[users(json!({"includeUsers": [me]}))],
        usual(),
        false,
    )
    .await;
    check(
        "another",
        &[users(json!({"includeUsers": [other]}))],
        usual(),
        true,
    )
    .await;
    check(
        "my group",
        &[users(json!({"includeGroups": [group]}))],
        usual(),
        false,
    )
    .await;
    let but = |exclude: &str, id: &str| users(json!({"includeUsers": ["All"], exclude: [id]}));
    check("but me", &[but("excludeUsers", &me)], usual(), true).await;
    check(
        "but another",
        &[but("excludeUsers", &other)],
        usual(),
        false,
    )
    .await;
    check(
        "but my group",
        &[but("excludeGroups", &group)],
        usual(),
        true,
    )
    .await;
    let both = users(json!({"includeUsers": [me], "excludeGroups": [group]}));
    check("excludes beat includes", &[both], usual(), true).await;

    // Applications and actions.
    let to = |target: &str| json!({"target": target});
    let apps = |apps: Value| with(block(), "/conditions/applications", apps);
    let only = || apps(json!({"includeApplications": [APP_KERBEROS]}));
    check("another application", &[only()], usual(), true).await;
    check("this application", &[only()], to(APP_KERBEROS), false).await;
    let but =
        || apps(json!({"includeApplications": ["All"], "excludeApplications": [APP_DEVICES]}));
    check("but this", &[but()], to(APP_DEVICES), true).await;
    check("but another", &[but()], usual(), false).await;
    check(
        "an action is no application",
        &[block()],
        to(ACTION_REGISTER_KEY),
        true,
    )
    .await;
    let action = || apps(json!({"includeUserActions": [ACTION_REGISTER_KEY]}));
    check("the action", &[action()], to(ACTION_REGISTER_KEY), false).await;
    check(
        "another action",
        &[action()],
        to(ACTION_REGISTER_DEVICE),
        true,
    )
    .await;
    check("an action, a sign-in", &[action()], usual(), true).await;

    // Strength.
    let by = |method: &str| json!({"method": method});
    for (id, fido, hello, pass) in [
        (STRENGTH_MFA, true, true, true),
        (STRENGTH_PASSWORDLESS, true, true, false),
        (STRENGTH_PHISHING_RESISTANT, true, true, false),
    ] {
        let wanted = || [policy(strength(id))];
        check(id, &wanted(), by("fido2"), fido).await;
        check(id, &wanted(), by("windowsHelloForBusiness"), hello).await;
        check(id, &wanted(), by("temporaryAccessPassOneTime"), pass).await;
    }

    // Devices.
    let compliant = || policy(asks("OR", &["compliantDevice", "domainJoinedDevice"]));
    check("neither", &[compliant()], usual(), false).await;
    check("no device", &[compliant()], json!({"device": null}), false).await;
    desk.device_is(json!({"isCompliant": true})).await;
    check("one of two", &[compliant()], usual(), true).await;
    let both = policy(asks("AND", &["compliantDevice", "domainJoinedDevice"]));
    check("both of two", &[both], usual(), false).await;
    check(
        "compliant, but no device",
        &[compliant()],
        json!({"device": null}),
        false,
    )
    .await;

    // How long a proof lasts.
    let often = |enabled: bool| {
        let frequency = json!({"value": 1, "type": "hours", "isEnabled": enabled});
        let controls = json!({"signInFrequency": frequency});
        with(fine(), "/sessionControls", controls)
    };
    let age = |seconds: u32| json!({"proofAgeSeconds": seconds});
    check("fresh", &[often(true)], age(3600), true).await;
    check("old", &[often(true)], age(3601), false).await;
    check("old, switched off", &[often(false)], age(3601), true).await;
}

#[tokio::test]
async fn a_policy_that_would_be_ignored_in_part_is_refused() {
    let desk = Desk::new().await;
    let check = async |what: &str, policy: Value| {
        let admin = &desk.house.admin;
        let reply = desk.house.post(paths::ACCESS_POLICIES, admin, policy).await;
        assert_eq!(
            reply.status,
            StatusCode::BAD_REQUEST,
            "{what}: {}",
            reply.text
        );
    };
    let good = || policy(asks("AND", &["mfa"]));
    check(
        "risk",
        with(good(), "/conditions/signInRiskLevels", json!(["high"])),
    )
    .await;
    check("location", with(good(), "/conditions/locations", json!({}))).await;
    check(
        "roles",
        with(good(), "/conditions/users/includeRoles", json!(["x"])),
    )
    .await;
    check(
        "control",
        with(
            good(),
            "/grantControls/builtInControls",
            json!(["approvedApplication"]),
        ),
    )
    .await;
    check(
        "user",
        with(good(), "/conditions/users/includeUsers", json!(["bob"])),
    )
    .await;
    check(
        "excluded",
        with(good(), "/conditions/users/excludeUsers", json!(["All"])),
    )
    .await;
    check(
        "group",
        with(good(), "/conditions/users/includeGroups", json!(["admins"])),
    )
    .await;
    check(
        "nobody",
        with(good(), "/conditions/users/includeUsers", json!([])),
    )
    .await;
    let app = "/conditions/applications/includeApplications";
    check("application", with(good(), app, json!(["Office365"]))).await;
    check("no application", with(good(), app, json!([]))).await;
    check(
        "strength",
        policy(strength("00000000-0000-0000-0000-000000000009")),
    )
    .await;
    check("nothing asked", policy(asks("AND", &[]))).await;
    check("state", with(good(), "/state", json!("on"))).await;
    check("name", with(good(), "/displayName", json!(""))).await;
    for token in [&desk.house.sync, &desk.house.session(&desk.user).await] {
        let reply = desk.house.post(paths::ACCESS_POLICIES, token, good()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        let reply = desk.house.get(paths::ACCESS_POLICIES, token).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_sign_in_and_each_renewal_wait_for_the_policies() {
    let desk = Desk::new().await;
    let prt = desk.device.sign_in(&desk.house, &desk.key, 2).await;
    let id = desk.add(&policy(asks("AND", &["compliantDevice"]))).await;
    let touch = |counter| Touch {
        counter,
        ..Touch::default()
    };
    let first = desk
        .device
        .try_sign_in(&desk.house, &desk.key, &touch(3))
        .await;
    let renewal = desk.renewed(&prt).await;
    for reply in [&first, &renewal] {
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert_eq!(reply.json["error"], "interaction_required");
        assert_eq!(reply.json["suberror"], "policy");
    }
    assert!(desk.house.activities().contains(&"refuseSignIn".to_owned()));
    desk.device_is(json!({"isCompliant": true})).await;
    assert_eq!(desk.renewed(&prt).await.status, StatusCode::OK);
    desk.device_is(json!({"isCompliant": false})).await;
    assert_eq!(desk.renewed(&prt).await.json["suberror"], "policy");
    desk.remove(&id).await;
    assert_eq!(desk.renewed(&prt).await.status, StatusCode::OK);
    desk.add(&policy(asks("AND", &["block"]))).await;
    let blocked = desk.renewed(&prt).await;
    assert_eq!(blocked.json["error"], "access_denied");
    assert_eq!(blocked.json["suberror"], "policy");
}

#[tokio::test]
async fn a_ticket_waits_for_policies_of_its_own() {
    let desk = Desk::new().await;
    let block = policy(asks("AND", &["block"]));
    let apps = json!({"includeApplications": [APP_KERBEROS]});
    let id = desk
        .add(&with(block, "/conditions/applications", apps))
        .await;
    let prt = desk.device.sign_in(&desk.house, &desk.key, 2).await;
    let field = prt.ticket();
    assert_eq!((field.key_type, field.message_buffer), (0, None));
    assert!(field.error.unwrap().contains("policy 'rule'"));
    let renewed = desk.renewed(&prt).await;
    assert_eq!(Desk::ticket(&renewed, &prt).key_type, 0);
    let told = desk.house.activities();
    assert!(told.contains(&"refuseTicket".to_owned()));
    assert!(!told.contains(&"issueTicket".to_owned()));
    desk.remove(&id).await;
    let renewed = desk.renewed(&prt).await;
    assert_eq!(Desk::ticket(&renewed, &prt).key_type, 18);
}

#[tokio::test]
async fn a_renewal_is_no_new_proof() {
    let desk = Desk::new().await;
    let often = json!({"signInFrequency": {"value": 2, "type": "hours", "isEnabled": true}});
    desk.add(&with(policy(Value::Null), "/sessionControls", often))
        .await;
    let prt = desk.device.sign_in(&desk.house, &desk.key, 2).await;
    desk.house.clock.advance_seconds(7000);
    let reply = desk.renewed(&prt).await;
    let plain = jose::open(&reply.text, &prt.session).unwrap();
    let answer: TokenAnswer = serde_json::from_slice(plain.expose()).unwrap();
    desk.house.clock.advance_seconds(300);
    let manner = Renewal::default();
    let late = desk
        .house
        .renew(&answer.refresh_token, &prt.session, &manner)
        .await;
    assert_eq!(late.json["suberror"], "policy", "{}", late.text);
    desk.device.sign_in(&desk.house, &desk.key, 3).await;
}

#[tokio::test]
async fn what_only_reports_stops_nobody_and_is_told() {
    let desk = Desk::new().await;
    let report = json!("enabledForReportingButNotEnforced");
    desk.add(&with(policy(asks("AND", &["block"])), "/state", report))
        .await;
    let prt = desk.device.sign_in(&desk.house, &desk.key, 2).await;
    assert_eq!(prt.ticket().key_type, 18);
    assert!(desk.house.activities().contains(&"reportPolicy".to_owned()));
}

#[tokio::test]
async fn users_register_devices_and_keys_where_policies_let_them() {
    let desk = Desk::new().await;
    let session = desk.house.session(&desk.user).await;
    let key = common::device::RsaKey::generate();
    let join = || serde_json::to_value(join_request(&key, "second")).unwrap();
    let action = |action: &str| {
        let strong = policy(strength(STRENGTH_PHISHING_RESISTANT));
        let actions = json!({"includeUserActions": [action]});
        with(strong, "/conditions/applications", actions)
    };
    let id = desk.add(&action(ACTION_REGISTER_DEVICE)).await;
    let refused = desk.house.post(paths::JOIN_DEVICE, &session, join()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.code(), "policyViolation");
    desk.remove(&id).await;
    let joined = desk.house.post(paths::JOIN_DEVICE, &session, join()).await;
    assert_eq!(joined.status, StatusCode::OK, "{}", joined.text);

    desk.add(&action(ACTION_REGISTER_KEY)).await;
    let options = paths::my_creation_options();
    let refused = desk.house.get(&options, &session).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // An administrator registers on behalf of a user whom no policy lets.
    let behalf = paths::creation_options(desk.user.id);
    let options = desk.house.get(&behalf, &desk.house.admin).await;
    assert_eq!(options.status, StatusCode::OK);
}

#[tokio::test]
async fn groups_are_kept() {
    let desk = Desk::new().await;
    let admin = &desk.house.admin;
    let path = format!("{}/{}", paths::GROUPS, desk.group);
    let change = json!({"displayName": "nobody", "members": []});
    let reply = desk
        .house
        .ask(Method::PUT, &path, admin, change.clone())
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    let list = desk.house.get(paths::GROUPS, admin).await;
    assert_eq!(list.json["value"][0]["displayName"], "nobody");
    let stranger = json!({"displayName": "x", "members": [types::Guid::ZERO]});
    let reply = desk.house.post(paths::GROUPS, admin, stranger).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    let users = json!({"includeUsers": ["All"], "excludeGroups": [desk.group]});
    let id = desk
        .add(&with(
            policy(asks("AND", &["mfa"])),
            "/conditions/users",
            users,
        ))
        .await;
    let kept = desk
        .house
        .ask(Method::DELETE, &path, admin, Value::Null)
        .await;
    assert_eq!(kept.status, StatusCode::BAD_REQUEST, "a policy names it");
    desk.remove(&id).await;
    let gone = desk
        .house
        .ask(Method::DELETE, &path, admin, Value::Null)
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let reply = desk.house.ask(Method::PUT, &path, admin, change).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
}
