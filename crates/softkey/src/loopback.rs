//! The key without a wire: a `Read + Write` whose writes are answered on the spot.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use ctap::hid::{Device, Event, Message, REPORT_LENGTH, Report};

use crate::environment::Wire;
use crate::key::{IDENTITY, Softkey};

/// One in-process connection to a [`Softkey`], for `ctap::Client` and for tests.
///
/// Requests are answered inside `write`, so nothing can be cancelled here.
#[derive(Debug)]
pub struct Loopback {
    key: Softkey,
    device: Device,
    half_report: Vec<u8>,
    outgoing: Arc<Outgoing>,
}

#[derive(Debug, Default)]
struct Outgoing(Mutex<VecDeque<u8>>);

impl Softkey {
    /// Connects in process.
    pub fn connect(&self) -> Loopback {
        Loopback {
            key: self.clone(),
            device: Device::new(IDENTITY),
            half_report: Vec::new(),
            outgoing: Arc::default(),
        }
    }
}

impl Loopback {
    fn receive(&mut self, report: &Report) {
        let reply = match self.device.receive(report, || self.key.allocate_channel()) {
            Event::Reply(reply) => reply,
            Event::Request(request) => {
                let wire: Arc<dyn Wire> = Arc::<Outgoing>::clone(&self.outgoing);
                let payload = self.key.answer(&request, &wire);
                Message { payload, ..request }
            }
            Event::Quiet | Event::Cancel(_) => return,
        };
        // INVARIANT: opensk's longest message is CTAPHID's.
        reply
            .to_reports()
            .into_iter()
            .flatten()
            .for_each(|report| self.outgoing.send(&report));
    }
}

impl Write for Loopback {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.half_report.push(*byte);
            if let Ok(report) = Report::try_from(self.half_report.as_slice()) {
                self.half_report.clear();
                self.receive(&report);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Loopback {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut outgoing = self
            .outgoing
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if outgoing.is_empty() && !buffer.is_empty() {
            // Nothing will ever come without another request, so waiting would hang.
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "the key has nothing to say",
            ));
        }
        outgoing.read(buffer)
    }
}

impl Wire for Outgoing {
    fn send(&self, report: &Report) {
        debug_assert_eq!(report.len(), REPORT_LENGTH);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(report);
    }

    fn is_cancelled(&self) -> bool {
        false
    }
}
