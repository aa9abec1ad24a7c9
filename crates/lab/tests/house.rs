//! The house keeps its secrets to itself, and leaves nothing behind.

use std::sync::Arc;

use lab::people::TEST_USER;
use lab::{House, Options, SystemClock};

#[cfg(unix)]
#[test]
fn the_state_is_private_and_goes_with_the_house() {
    use std::os::unix::fs::PermissionsExt;

    let house = House::start(Options::new(Arc::new(SystemClock))).unwrap();
    let state = house.state().to_owned();
    let mode = std::fs::metadata(&state).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    drop(house);
    assert!(!state.exists());
}

#[test]
fn two_houses_live_side_by_side() {
    let [first, second] =
        [(), ()].map(|()| House::start(Options::new(Arc::new(SystemClock))).unwrap());
    assert_ne!(first.addresses(), second.addresses());
    let mut wrong = second.account(TEST_USER).unwrap().password.expose().clone();
    wrong.insert(0, 'x');
    let name = TEST_USER.upn(first.dns_domain());
    let refused =
        lab::ldap_client::LdapClient::bind(&first.addresses().ldaps, first.ca_pem(), &name, &wrong);
    assert!(refused.is_err_and(|error| error.to_string().contains("data 52e")));
    // A certificate of the other house is no proof.
    assert!(
        lab::ldap_client::LdapClient::bind(&first.addresses().ldaps, second.ca_pem(), &name, "x")
            .is_err()
    );
}

#[test]
fn a_taken_port_is_named() {
    let first = House::start(Options::new(Arc::new(SystemClock))).unwrap();
    let port = first
        .addresses()
        .ldap
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let mut options = Options::new(Arc::new(SystemClock));
    options.ports.ldap = port;
    let error = House::start(options).err().unwrap().to_string();
    assert!(
        error.contains(&port.to_string()) && error.contains("--ports auto"),
        "{error}"
    );
}
