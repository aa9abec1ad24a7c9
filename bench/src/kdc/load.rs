//! The load: threads that each send a request, wait for the answer, and send the next.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kerberos::messages::{Der as _, KrbError};

use crate::Failure;
use crate::report::Load;

/// How requests travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Wire {
    /// A datagram each
    Udp,
    /// A connection for each request, as clients make them
    Tcp,
    /// One connection for all requests of a thread; MIT's KDC does not allow it
    TcpKept,
}

impl Wire {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::TcpKept => "tcpkept",
        }
    }

    /// As the command line spells it.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::TcpKept => "tcp-kept",
            other => other.name(),
        }
    }
}

/// Requests of one thread, each a little different from the one before.
pub(crate) trait Requests: Send {
    fn next(&mut self) -> Result<&[u8], Failure>;
}

/// Runs each of the requests' sources in a thread of its own for so long.
pub(crate) fn run(
    kdc: SocketAddr,
    wire: Wire,
    time: Duration,
    sources: &mut [Box<dyn Requests>],
) -> Result<Load, Failure> {
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let mut total = Load::default();
    std::thread::scope(|scope| -> Result<(), Failure> {
        let threads: Vec<_> = sources
            .iter_mut()
            .map(|source| scope.spawn(|| ask(kdc, wire, &mut **source, &stop)))
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            total.add(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(())
    })?;
    Ok(total.over(begun.elapsed()))
}

fn ask(
    kdc: SocketAddr,
    wire: Wire,
    source: &mut dyn Requests,
    stop: &AtomicBool,
) -> Result<Load, Failure> {
    let mut line = Line::new(kdc, wire)?;
    let mut load = Load::default();
    while !stop.load(Ordering::Relaxed) {
        let request = source.next()?;
        let begun = Instant::now();
        let answer = line.exchange(request)?;
        let took = begun.elapsed();
        match answer.first() {
            Some(&(AS_REP | TGS_REP)) => load.granted(took),
            _ => load.refused(error_code(answer), took),
        }
    }
    Ok(load)
}

/// The error code of an answer; -1 where it is no error either.
pub(crate) fn error_code(answer: &[u8]) -> i32 {
    KrbError::from_der(answer).map_or(-1, |error| error.error_code.0)
}

/// A way to a KDC.
pub(crate) struct Line {
    kdc: SocketAddr,
    wire: Wire,
    udp: Option<UdpSocket>,
    tcp: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) fn new(kdc: SocketAddr, wire: Wire) -> Result<Self, Failure> {
        let udp = match wire {
            Wire::Udp => {
                let socket = UdpSocket::bind(if kdc.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
                socket.connect(kdc)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                Some(socket)
            }
            Wire::Tcp | Wire::TcpKept => None,
        };
        Ok(Self {
            kdc,
            wire,
            udp,
            tcp: None,
            buffer: vec![0; 64 * 1024],
        })
    }

    /// Sends a request, and gives the answer.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Result<&[u8], Failure> {
        let length = match &self.udp {
            Some(socket) => {
                socket.send(request)?;
                socket
                    .recv(&mut self.buffer)
                    .map_err(|error| format!("no answer by UDP: {error}"))?
            }
            None => self.over_tcp(request)?,
        };
        Ok(self.buffer.get(..length).unwrap_or_default())
    }

    fn over_tcp(&mut self, request: &[u8]) -> Result<usize, Failure> {
        let mut stream = match self.tcp.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.kdc)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream
            }
        };
        // RFC 4120 7.2.2; in one segment, so that no server waits for the second half.
        let framed = [&u32::try_from(request.len())?.to_be_bytes(), request].concat();
        stream.write_all(&framed)?;
        let mut length = [0; 4];
        stream
            .read_exact(&mut length)
            .map_err(|error| format!("no answer by TCP: {error}"))?;
        let length = usize::try_from(u32::from_be_bytes(length))?;
        let buffer = self
            .buffer
            .get_mut(..length)
            .ok_or("an answer of more than 64 KiB")?;
        stream.read_exact(buffer)?;
        if self.wire == Wire::TcpKept {
            self.tcp = Some(stream);
        }
        Ok(length)
    }
}

/// Application tags 11 and 13, RFC 4120 5.10.
const AS_REP: u8 = 0x6B;
const TGS_REP: u8 = 0x6D;
/// A KDC that writes to a slow disk at each login takes its time.
const PATIENCE: Duration = Duration::from_secs(20);
