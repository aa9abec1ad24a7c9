//! The key on a wire: raw 64-byte reports over byte streams, several connections at once.
//!
//! Each connection has two threads: one reads, so that a CANCEL is seen while a touch is awaited, and
//! one answers. The authenticator itself works on one request at a time, whoever asks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use ctap::hid::{Channel, Command, Device, ErrorCode, Event, Message, REPORT_LENGTH, Report};

use crate::environment::Wire;
use crate::key::{IDENTITY, Softkey};

/// Connections beyond this are closed at once.
const CONNECTIONS_MAX: usize = 64;
/// `accept` may fail for a moment; this often in a row, it has failed for good.
const ACCEPT_FAILURES_MAX: u32 = 100;

/// A stream that can be read and written by two threads.
pub trait Duplex: Sized {
    /// The half that reads.
    type Reader: Read + Send + 'static;
    /// The half that writes.
    type Writer: Write + Send + 'static;

    /// Splits the stream.
    fn split(self) -> io::Result<(Self::Reader, Self::Writer)>;
}

impl Duplex for TcpStream {
    type Reader = Self;
    type Writer = Self;

    fn split(self) -> io::Result<(Self, Self)> {
        // Reports are small and each is waited for.
        self.set_nodelay(true)?;
        Ok((self.try_clone()?, self))
    }
}

#[cfg(unix)]
impl Duplex for std::os::unix::net::UnixStream {
    type Reader = Self;
    type Writer = Self;

    fn split(self) -> io::Result<(Self, Self)> {
        Ok((self.try_clone()?, self))
    }
}

impl Softkey {
    /// Serves one connection until the other side closes it.
    pub fn serve<S: Duplex>(&self, stream: S) -> io::Result<()> {
        let (mut reader, writer) = stream.split()?;
        let connection = Arc::new(Connection::new(writer));
        let (requests, queue) = channel();
        let worker = {
            let (key, connection) = (self.clone(), Arc::clone(&connection));
            thread::Builder::new()
                .name("softkey-worker".to_owned())
                .spawn(move || work(&key, &connection, &queue))?
        };
        let outcome = read_reports(self, &mut reader, &connection, &requests);
        connection.cancel();
        drop(requests);
        // A panic in the worker was already answered by the key; there is nothing left to report.
        let _ = worker.join();
        outcome
    }

    /// Serves every connection that `accept` gives, each in its own thread, until `accept` fails for
    /// good or `stop` is set.
    pub fn serve_all<S: Duplex + Send + 'static>(
        &self,
        mut accept: impl FnMut() -> io::Result<S>,
        stop: &AtomicBool,
    ) -> io::Result<()> {
        let open = Arc::new(AtomicUsize::new(0));
        let mut failures = 0;
        while !stop.load(Ordering::SeqCst) {
            let stream = match accept() {
                Ok(stream) => stream,
                Err(error) if failures >= ACCEPT_FAILURES_MAX => return Err(error),
                Err(_) => {
                    failures += 1;
                    continue;
                }
            };
            failures = 0;
            if stop.load(Ordering::SeqCst) || open.load(Ordering::SeqCst) >= CONNECTIONS_MAX {
                continue;
            }
            let seat = Seat::take(&open);
            let key = self.clone();
            thread::Builder::new()
                .name("softkey-reader".to_owned())
                .spawn(move || {
                    let _seat = seat;
                    // A broken connection concerns its own client only.
                    let _ = key.serve(stream);
                })?;
        }
        Ok(())
    }
}

/// A key served over TCP until this is dropped. Connections that are open then end with their clients.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `key` to everybody who connects to `listener`.
    pub fn start(key: Softkey, listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let acceptor = thread::Builder::new()
            .name("softkey-accept".to_owned())
            .spawn(move || {
                // When `accept` fails for good there is nobody left to tell.
                let _ = key.serve_all(|| listener.accept().map(|(stream, _)| stream), &stopped);
            })?;
        Ok(Self {
            address,
            stop,
            acceptor: Some(acceptor),
        })
    }

    /// Where the key listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    #[expect(
        clippy::disallowed_methods,
        reason = "a connection to itself wakes `accept`"
    )]
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
    }
}

/// One of the places that `serve_all` has.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(open))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What the two threads of a connection share.
struct Connection<W> {
    writer: Mutex<W>,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    channel: Option<Channel>,
    is_cancelled: bool,
    /// The channel was opened afresh meanwhile, so nobody waits for the answer.
    is_discarded: bool,
}

impl<W: Write + Send> Connection<W> {
    fn new(writer: W) -> Self {
        Self {
            writer: Mutex::new(writer),
            under_way: Mutex::default(),
        }
    }

    /// A message goes out in one piece, never mixed with another.
    fn send_message(&self, message: &Message) -> io::Result<()> {
        let reports = message.to_reports().map_err(io::Error::other)?;
        self.write(reports.as_flattened())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(bytes)?;
        writer.flush()
    }

    fn under_way<T>(&self, change: impl FnOnce(&mut UnderWay) -> T) -> T {
        change(
            &mut self
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn cancel(&self) {
        self.under_way(|request| request.is_cancelled = true);
    }
}

impl<W: Write + Send> Wire for Connection<W> {
    fn send(&self, report: &Report) {
        if self.write(report).is_err() {
            self.cancel();
        }
    }

    fn is_cancelled(&self) -> bool {
        self.under_way(|request| request.is_cancelled)
    }
}

fn read_reports<R: Read, W: Write + Send>(
    key: &Softkey,
    reader: &mut R,
    connection: &Connection<W>,
    requests: &Sender<Message>,
) -> io::Result<()> {
    let mut device = Device::new(IDENTITY);
    loop {
        let mut report: Report = [0; REPORT_LENGTH];
        match reader.read_exact(&mut report) {
            Ok(()) => (),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        match device.receive(&report, || key.allocate_channel()) {
            Event::Quiet => (),
            Event::Reply(reply) => {
                if reply.command == Command::INIT {
                    connection.under_way(|request| request.give_up(reply.channel));
                }
                connection.send_message(&reply)?;
            }
            Event::Cancel(channel) => connection.under_way(|request| {
                request.is_cancelled |= request.channel == Some(channel);
            }),
            Event::Request(request) => {
                let channel = request.channel;
                if connection.under_way(|under_way| under_way.begin(channel)) {
                    requests.send(request).map_err(io::Error::other)?;
                } else {
                    connection.send_message(&Message::error(channel, ErrorCode::CHANNEL_BUSY))?;
                }
            }
        }
    }
}

fn work<W: Write + Send + 'static>(
    key: &Softkey,
    connection: &Arc<Connection<W>>,
    queue: &Receiver<Message>,
) {
    let wire: Arc<dyn Wire> = Arc::<Connection<W>>::clone(connection);
    for request in queue {
        let payload = key.answer(&request, &wire);
        let is_wanted = connection.under_way(|under_way| !std::mem::take(under_way).is_discarded);
        // When the reply cannot be sent, the reader notices that the connection is gone.
        if is_wanted {
            let _ = connection.send_message(&Message { payload, ..request });
        }
    }
}

impl UnderWay {
    fn begin(&mut self, channel: Channel) -> bool {
        let is_free = self.channel.is_none();
        if is_free {
            *self = Self {
                channel: Some(channel),
                ..Self::default()
            };
        }
        is_free
    }

    fn give_up(&mut self, channel: Channel) {
        if self.channel == Some(channel) {
            self.is_cancelled = true;
            self.is_discarded = true;
        }
    }
}
