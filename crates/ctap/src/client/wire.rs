//! Messages to and from the key, and what a wait looks like to a person (CTAP 2.1, section 11.2.9.1).

use std::io::{Read, Write};

use super::Client;
use crate::error::Error;
use crate::hid::{
    self, Assembler, Channel, Command, ErrorCode, KeepaliveStatus, Message, REPORT_LENGTH, Report,
};

/// Reports read while waiting for one reply: strangers' traffic and keepalives of several minutes.
const REPORTS_WAITED_MAX: usize = 10_000;

/// What the person was told during one wait.
#[derive(Default)]
struct Told {
    wants_touch: bool,
    is_cancelled: bool,
}

impl<S: Read + Write> Client<S> {
    pub(super) fn exchange(
        &mut self,
        command: Command,
        payload: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        self.send(command, payload)?;
        self.wait_for(command, |_| true)
    }

    pub(super) fn send(&mut self, command: Command, payload: Vec<u8>) -> Result<(), Error> {
        for report in Message::new(self.channel, command, payload).to_reports()? {
            self.stream.write_all(&report)?;
        }
        Ok(self.stream.flush()?)
    }

    /// Reads until a message of our channel that is wanted; others' traffic is passed over.
    pub(super) fn wait_for(
        &mut self,
        wanted: Command,
        is_ours: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, Error> {
        let mut told = Told::default();
        let answer = self.answer(wanted, is_ours, &mut told);
        if told.wants_touch {
            self.attendant.touch_over();
        }
        answer
    }

    fn answer(
        &mut self,
        wanted: Command,
        is_ours: impl Fn(&[u8]) -> bool,
        told: &mut Told,
    ) -> Result<Vec<u8>, Error> {
        let mut assembler = Assembler::default();
        for _ in 0..REPORTS_WAITED_MAX {
            let mut report: Report = [0; REPORT_LENGTH];
            self.stream.read_exact(&mut report)?;
            if !report.starts_with(&self.channel.0.to_be_bytes()) {
                continue;
            }
            let message = assembler
                .receive(&report)
                .map_err(|_| hid::Error::Misbehaved("its reports are out of order"))?;
            let Some(Message {
                command, payload, ..
            }) = message
            else {
                continue;
            };
            match command {
                command if command == wanted && is_ours(&payload) => return Ok(payload),
                // Whoever asked on the broadcast channel: a key that is busy with one program has no time for another.
                Command::ERROR if payload == [ErrorCode::CHANNEL_BUSY.0] => {
                    return Err(hid::Error::Device(ErrorCode::CHANNEL_BUSY).into());
                }
                // On the broadcast channel answers to other programs are seen, too.
                _ if self.channel == Channel::BROADCAST => (),
                Command::KEEPALIVE => self.keep_waiting(&payload, told)?,
                Command::ERROR => {
                    let code = payload.first().copied().map_or(ErrorCode::OTHER, ErrorCode);
                    return Err(hid::Error::Device(code).into());
                }
                _ => return Err(hid::Error::Misbehaved("it answered another command").into()),
            }
        }
        Err(hid::Error::Misbehaved("it never came to an end").into())
    }

    /// A sign of life: a touch is announced once, and the request is given up when the person has had enough. The key
    /// then answers KEEPALIVE_CANCEL, or what it had already done.
    fn keep_waiting(&mut self, payload: &[u8], told: &mut Told) -> Result<(), Error> {
        let wants_touch = payload.first() == Some(&KeepaliveStatus::UP_NEEDED.0);
        if wants_touch && !told.wants_touch {
            told.wants_touch = true;
            self.attendant.touch_wanted();
        }
        if !told.is_cancelled && self.attendant.gives_up() {
            told.is_cancelled = true;
            self.send(Command::CANCEL, Vec::new())?;
        }
        Ok(())
    }
}
