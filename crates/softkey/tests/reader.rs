//! The key on a virtual reader, seen by our own platform side over ISO 7816.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![cfg(unix)]

mod common;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use common::{key, pin, register, secrets};
use ctap::Client;
use ctap::iso7816::{Card, CardStream};
use types::SeededEntropy;

/// The reader's end of vpcd's protocol.
struct Reader(UnixStream);

impl Reader {
    fn send(&mut self, message: &[u8]) {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&length, message].concat()).unwrap();
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut answer)?;
        Ok(answer)
    }
}

impl Card for Reader {
    fn transmit(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        self.send(command);
        self.receive()
    }
}

#[test]
fn it_registers_and_gives_the_same_secrets_as_on_usb() {
    let key = key();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let serving = {
        let key = key.clone();
        thread::spawn(move || key.serve_reader(theirs, || ()))
    };
    let mut reader = Reader(ours);
    reader.send(&[1]);
    reader.send(&[4]);
    assert_eq!(reader.receive().unwrap().first(), Some(&0x3B));
    let stream = CardStream::open(reader).unwrap();
    let mut client = Client::open(stream, Box::new(SeededEntropy::new(5))).unwrap();
    client.set_pin(None, &pin("123456")).unwrap();
    register(&mut client, "testuser");
    let on_the_reader = secrets(&mut client, Some(&pin("123456")));
    let on_usb = secrets(&mut common::client(&key), Some(&pin("123456")));
    assert_eq!(on_the_reader, on_usb);
    client.select().unwrap();
    drop(client);
    serving.join().unwrap().unwrap();
}
