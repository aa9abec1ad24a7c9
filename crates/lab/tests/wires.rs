//! Wires that are cut, silent, slow and unreliable, as a client's sockets see them.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "helpers of tests, which clippy does not take for tests"
)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::people::TEST_USER;
use lab::wire::{Line, Mode};
use lab::{House, Options, SystemClock};

const PATIENCE: Duration = Duration::from_millis(50);

fn house() -> House {
    House::start(Options::new(Arc::new(SystemClock))).unwrap()
}

/// Every door of the domain controller that takes streams.
fn doors(house: &House) -> Vec<(&'static str, SocketAddr)> {
    let addresses = house.addresses();
    let host = |url: &str| {
        let rest = url.split_once("://").unwrap().1;
        rest.split('/').next().unwrap().parse().unwrap()
    };
    vec![
        ("KDC", addresses.kdc),
        ("kpasswd", addresses.kpasswd),
        ("LDAP", host(&addresses.ldap)),
        ("LDAPS", host(&addresses.ldaps)),
        ("KDC proxy", host(&addresses.kdc_proxy)),
    ]
}

/// What comes back for a datagram of nonsense.
fn datagram(to: SocketAddr) -> Result<usize, ErrorKind> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(to).unwrap();
    socket.send(b"?").unwrap();
    let mut buffer = [0; 1500];
    socket.recv(&mut buffer).map_err(|error| error.kind())
}

fn signs_in(house: &House) -> Result<(), lab::Error> {
    let password = &house.account(TEST_USER)?.password;
    house
        .kerberos()
        .sign_in(TEST_USER.account, password)
        .map(drop)
}

#[test]
fn a_cut_domain_controller_refuses_at_every_door_and_comes_back() {
    let house = house();
    for _ in 0..2 {
        signs_in(&house).unwrap();
        house.wire(Line::DomainController, Mode::Cut).unwrap();
        house.wire(Line::DomainController, Mode::Cut).unwrap();
        for (door, address) in doors(&house) {
            let refused = TcpStream::connect(address).err().map(|error| error.kind());
            assert_eq!(refused, Some(ErrorKind::ConnectionRefused), "{door}");
        }
        for address in [house.addresses().kdc, house.addresses().kpasswd] {
            assert_eq!(datagram(address), Err(ErrorKind::ConnectionRefused));
        }
        // The cloud needs no domain controller.
        house.session(TEST_USER).unwrap();
        house.wire(Line::DomainController, Mode::Up).unwrap();
        house.ldap_as(TEST_USER).unwrap();
    }
}

#[test]
fn whoever_is_connected_is_cut_off() {
    let house = house();
    let mut ldap = TcpStream::connect(doors(&house)[2].1).unwrap();
    ldap.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // An abandon request, which nobody answers: the connection is there.
    ldap.write_all(&[0x30, 6, 2, 1, 1, 0x50, 1, 0]).unwrap();
    house.wire(Line::DomainController, Mode::Cut).unwrap();
    let ended = ldap.read(&mut [0; 16]);
    assert!(
        !matches!(&ended, Err(error) if error.kind() == ErrorKind::WouldBlock),
        "{ended:?}"
    );
}

#[test]
fn a_silent_wire_lets_everybody_wait() {
    let house = house();
    house.wire(Line::DomainController, Mode::Silent).unwrap();
    for (door, address) in doors(&house) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[0, 0, 0, 1, 0]).unwrap();
        let waited = stream.read(&mut [0; 16]).err().map(|error| error.kind());
        assert_eq!(waited, Some(ErrorKind::WouldBlock), "{door}");
    }
    assert_eq!(datagram(house.addresses().kdc), Err(ErrorKind::WouldBlock));
    house.wire(Line::DomainController, Mode::Up).unwrap();
    signs_in(&house).unwrap();
}

#[test]
fn a_slow_wire_brings_everything_later() {
    let house = house();
    let pause = Duration::from_millis(4);
    house
        .wire(Line::DomainController, Mode::Slow(pause))
        .unwrap();
    let began = Instant::now();
    signs_in(&house).unwrap();
    // Two requests and two answers.
    assert!(began.elapsed() >= pause * 4);
}

#[test]
fn on_a_flapping_wire_every_second_attempt_fails() {
    let house = house();
    house.wire(Line::Cloud, Mode::Flapping).unwrap();
    let address = house.addresses().cloud.trim_start_matches("https://");
    let is_there = || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // A server that is there waits for a client's first words.
        stream
            .read(&mut [0; 1])
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    assert_eq!([(); 4].map(|()| is_there()), [true, false, true, false]);
}
