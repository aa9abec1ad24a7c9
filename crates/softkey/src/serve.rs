//! The key on a wire: raw 64-byte reports over byte streams, several connections at once.
//!
//! Each connection has two threads: one reads, so that a CANCEL is seen while a touch is awaited, and
//! one answers. The authenticator itself works on one request at a time, whoever asks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
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

/// A stream that can be read and written by two threads, and closed by a third.
pub trait Duplex: Sized {
    /// The half that reads.
    type Reader: Read + Send + 'static;
    /// The half that writes.
    type Writer: Write + Send + 'static;

    /// Splits the stream into its halves and what closes both.
    fn split(self) -> io::Result<(Self::Reader, Self::Writer, Closer)>;
}

/// Closes a stream under the thread that reads it.
pub type Closer = Box<dyn FnOnce() + Send>;

impl Duplex for TcpStream {
    type Reader = Self;
    type Writer = Self;

    fn split(self) -> io::Result<(Self, Self, Closer)> {
        // Reports are small and each is waited for.
        self.set_nodelay(true)?;
        let (reader, third) = (self.try_clone()?, self.try_clone()?);
        // A stream that cannot be closed is closed already.
        Ok((
            reader,
            self,
            Box::new(move || drop(third.shutdown(Shutdown::Both))),
        ))
    }
}

#[cfg(unix)]
impl Duplex for std::os::unix::net::UnixStream {
    type Reader = Self;
    type Writer = Self;

    fn split(self) -> io::Result<(Self, Self, Closer)> {
        let (reader, third) = (self.try_clone()?, self.try_clone()?);
        Ok((
            reader,
            self,
            Box::new(move || drop(third.shutdown(Shutdown::Both))),
        ))
    }
}

impl Softkey {
    /// Serves one connection until the other side closes it.
    pub fn serve<S: Duplex>(&self, stream: S) -> io::Result<()> {
        let (reader, writer, _closer) = stream.split()?;
        self.serve_halves(reader, writer)
    }

    fn serve_halves<R: Read, W: Write + Send + 'static>(
        &self,
        mut reader: R,
        writer: W,
    ) -> io::Result<()> {
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
        drop(worker.join());
        outcome
    }

    /// Serves every connection that `accept` gives, each in its own thread, until `accept` fails for
    /// good or `stop` is set; then closes those that are still open.
    pub fn serve_all<S: Duplex>(
        &self,
        mut accept: impl FnMut() -> io::Result<S>,
        stop: &AtomicBool,
    ) -> io::Result<()> {
        let mut open = Vec::new();
        let outcome = self.accept_all(&mut accept, stop, &mut open);
        for Open { close, thread } in open {
            close();
            // The thread's own panic hook has spoken.
            drop(thread.join());
        }
        outcome
    }

    fn accept_all<S: Duplex>(
        &self,
        accept: &mut impl FnMut() -> io::Result<S>,
        stop: &AtomicBool,
        open: &mut Vec<Open>,
    ) -> io::Result<()> {
        let mut failures = 0;
        loop {
            let accepted = accept();
            if stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            open.retain(|connection| !connection.thread.is_finished());
            match accepted.and_then(S::split) {
                Ok((reader, writer, close)) if open.len() < CONNECTIONS_MAX => {
                    failures = 0;
                    let key = self.clone();
                    let thread = thread::Builder::new()
                        .name("softkey-reader".to_owned())
                        // A broken connection concerns its own client only.
                        .spawn(move || drop(key.serve_halves(reader, writer)))?;
                    open.push(Open { close, thread });
                }
                Ok(_) => (),
                Err(error) if failures >= ACCEPT_FAILURES_MAX => return Err(error),
                Err(_) => failures += 1,
            }
        }
    }
}

/// A connection that is being served.
struct Open {
    close: Closer,
    thread: JoinHandle<()>,
}

/// A key served over TCP until this is dropped, which closes its connections.
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
                drop(key.serve_all(|| listener.accept().map(|(stream, _)| stream), &stopped));
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
