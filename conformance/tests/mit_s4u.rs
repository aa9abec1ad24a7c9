//! MIT Kerberos' `kvno` asks in other people's names: S4U2Self (`-U`, `-I`) and S4U2Proxy (`-P`) against our KDC.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use kdc::Account;
use kdc_served::{PASSWORD, REALM, Said, Served, WEB, Wire};
use security_descriptor::{Domains, SecurityDescriptor};

const DATA: &str = "CIFS/data.corp.contoso.com";

/// `WEB$` signed in with its keytab, forwardable, and `DATA$` with a file service.
fn served(web: impl FnOnce(&mut Account), data: impl FnOnce(&mut Account, &Account)) -> Served {
    let served = Served::new();
    let services = [WEB, "HOST/web.corp.contoso.com"];
    let web = served
        .accounts
        .add("WEB$", PASSWORD, &services, web)
        .unwrap();
    let shape = |account: &mut Account| data(account, &web);
    served
        .accounts
        .add("DATA$", PASSWORD, &[DATA], shape)
        .unwrap();
    let sensitive = |account: &mut Account| account.policy.not_delegated = true;
    served
        .accounts
        .add("admin", PASSWORD, &[], sensitive)
        .unwrap();
    served.write_keytab();
    let mut command = served.mit("kinit", Wire::Udp, "web");
    Said::of(command.args(["-f", "-k", "WEB$"]), "").well();
    served
}

fn trusted(account: &mut Account) {
    account.policy.trusted_to_authenticate_for_delegation = true;
    account.allowed_to_delegate_to = vec![DATA.to_owned()];
}

#[test]
fn a_service_asks_for_itself_in_a_users_name() {
    let served = served(|_| {}, |_, _| {});
    let keytab = served.path("keytab");
    let keytab = keytab.to_str().unwrap();
    for wire in [Wire::Udp, Wire::Tcp] {
        // By its enterprise name, and by its plain name.
        for user in [
            ["-U", "testuser@corp.contoso.com"],
            ["-I", "testuser"],
            ["-I", "admin"],
        ] {
            let out = format!("FILE:{}", served.path("out").display());
            let arguments = [&user[..], &["-k", keytab, "--out-cache", &out, "WEB$"]].concat();
            let text = served.kvno(wire, "web", &arguments).well();
            assert!(text.contains("keytab entry valid"), "{text}");
            let list = served.klist("out");
            let name = user[1].split('@').next().unwrap();
            assert!(
                list.contains(&format!("for client {name}@{REALM}"))
                    || list.contains(&format!("Default principal: {name}@{REALM}")),
                "{list}"
            );
        }
    }
    served
        .kvno(Wire::Udp, "web", &["-I", "nobody", "WEB$"])
        .refused("not found in Kerberos database");
    assert!(
        served
            .events()
            .iter()
            .any(|event| event.contains("issued to testuser through WEB$")),
        "{:?}",
        served.events()
    );
}

#[test]
fn a_trusted_service_carries_a_name_to_the_services_in_its_list() {
    let served = served(trusted, |_, _| {});
    for wire in [Wire::Udp, Wire::Tcp] {
        served
            .kvno(wire, "web", &["-I", "testuser", "-P", DATA])
            .well();
        served
            .kvno(
                wire,
                "web",
                &["-U", "testuser@corp.contoso.com", "-P", DATA],
            )
            .well();
        // A sensitive account, and a service that is not in the list.
        served
            .kvno(wire, "web", &["-I", "admin", "-P", DATA])
            .refused("KDC can't fulfill requested option");
        served
            .kvno(wire, "web", &["-I", "testuser", "-P", WEB])
            .refused("KDC can't fulfill requested option");
    }
    let list = served.klist("web");
    assert!(list.contains(DATA), "{list}");
}

#[test]
fn a_service_that_is_not_trusted_to_authenticate_carries_nothing() {
    let listed = |account: &mut Account| account.allowed_to_delegate_to = vec![DATA.to_owned()];
    let served = served(listed, |_, _| {});
    served
        .kvno(Wire::Udp, "web", &["-I", "testuser", "-P", DATA])
        .refused("KDC can't fulfill requested option");
    assert!(
        served
            .events()
            .iter()
            .any(|event| event.contains("is not forwardable")),
        "{:?}",
        served.events()
    );
}

#[test]
fn the_target_lets_a_service_in() {
    let let_in = |account: &mut Account, web: &Account| {
        let domain = account.sid.domain().unwrap();
        let sddl = format!("O:BAD:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;{})", web.sid);
        let descriptor = SecurityDescriptor::from_sddl(&sddl, Domains::single(&domain)).unwrap();
        account.allowed_to_act = Some(descriptor.to_bytes().unwrap());
    };
    let open = served(|_| {}, let_in);
    open.kvno(Wire::Udp, "web", &["-I", "testuser", "-P", DATA])
        .well();
    open.kvno(Wire::Udp, "web", &["-I", "admin", "-P", DATA])
        .refused("KDC can't fulfill requested option");
    let closed = served(|_| {}, |_, _| {});
    closed
        .kvno(Wire::Udp, "web", &["-I", "testuser", "-P", DATA])
        .refused("KDC can't fulfill requested option");
}
