//! Drives one [`Conversation`] over a stream: framing, time-outs, threads for work, and TLS when it is asked for.
//!
//! Requests are answered in the order in which they came. While a search goes on, what arrives is looked through for
//! an abandon or an unbind, which stop it; everything else waits.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ldap::{Framer, Message, Operation, ResultCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::conversation::{Conversation, Step};
use super::reply;
use super::sasl::Layer;
use super::server::{Shared, accept_tls};
use super::work::Work;

/// One connection and its conversation.
pub(super) struct Connection {
    shared: Arc<Shared>,
    conversation: Conversation,
    framer: Framer,
    /// Messages that arrived while work was going on.
    queue: VecDeque<Message>,
    /// Their length on the wire.
    queued_length: usize,
    out: Vec<u8>,
    /// What signs or seals both directions.
    layer: Option<Box<Layer>>,
}

/// Why a stream is given back.
enum End {
    /// Nothing more will be said.
    Closed,
    /// The client asked for TLS, and waits for the handshake.
    StartTls,
}

/// What came of waiting for input.
enum Input {
    Some,
    Ended,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, peer: IpAddr, remote: &str) -> Self {
        let conversation = Conversation::new(Arc::clone(&shared), peer, remote.into());
        Self {
            shared,
            conversation,
            framer: Framer::new(),
            queue: VecDeque::new(),
            queued_length: 0,
            out: Vec::new(),
            layer: None,
        }
    }

    /// Talks in clear text, and goes on encrypted if the client asks for it.
    pub(super) async fn run<S>(mut self, mut stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match self.talk(&mut stream).await? {
            End::Closed => Ok(()),
            End::StartTls => {
                let stream = accept_tls(&self.shared, stream).await?;
                self.run_encrypted(stream).await
            }
        }
    }

    /// Talks over TLS.
    pub(super) async fn run_encrypted<S>(mut self, mut stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.conversation.encrypt();
        self.talk(&mut stream).await.map(|_end| ())
    }

    async fn talk<S>(&mut self, stream: &mut S) -> io::Result<End>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        loop {
            loop {
                let message = match self.next_message() {
                    Ok(Some(message)) => message,
                    Ok(None) => break,
                    Err(notice) => {
                        self.out.extend(notice);
                        self.flush(stream).await?;
                        hang_up(stream).await;
                        return Ok(End::Closed);
                    }
                };
                match self.conversation.take(message, &mut self.out) {
                    Step::Done if self.out.len() < FLUSH_LENGTH => {}
                    Step::Done => self.flush(stream).await?,
                    Step::Work(work) => {
                        if let Input::Ended = self.work(stream, work).await? {
                            return Ok(End::Closed);
                        }
                    }
                    Step::Secure(layer) => {
                        // The reply itself travels as everything before it did.
                        self.flush(stream).await?;
                        self.secure(layer)?;
                    }
                    Step::StartTls => {
                        self.flush(stream).await?;
                        // Bytes that follow in clear text would be taken for the client's own words inside TLS.
                        if self.framer.pending() > 0 || !self.queue.is_empty() {
                            return Ok(End::Closed);
                        }
                        return Ok(End::StartTls);
                    }
                    Step::Close => {
                        self.flush(stream).await?;
                        let _best_effort = stream.shutdown().await;
                        return Ok(End::Closed);
                    }
                }
            }
            self.flush(stream).await?;
            if let Input::Ended = self.receive(stream).await? {
                return Ok(End::Closed);
            }
        }
    }

    /// Puts a layer into effect.
    fn secure(&mut self, mut layer: Box<Layer>) -> io::Result<()> {
        // What came before the reply was not wrapped in the layer, and must not be taken for something that was.
        let is_amid = self.layer.as_ref().is_some_and(|layer| layer.is_amid());
        if !self.queue.is_empty() || is_amid || (self.layer.is_some() && self.framer.pending() > 0)
        {
            return Err(io::Error::other("the client did not wait for its bind"));
        }
        layer.input().extend(self.framer.take_rest());
        layer.open(self.framer.input())?;
        self.layer = Some(layer);
        Ok(())
    }

    /// The next message that is complete; an error is the last thing to send.
    fn next_message(&mut self) -> Result<Option<Message>, Vec<u8>> {
        if let Some(message) = self.queue.pop_front() {
            return Ok(Some(message));
        }
        self.queued_length = 0;
        let limits = *self.conversation.limits();
        let broken = |error: ldap::DecodeError| {
            tracing::debug!(%error, "Message refused");
            reply::disconnection(ResultCode::PROTOCOL_ERROR, &error.to_string())
        };
        match self
            .framer
            .next_frame(limits.message_length_max)
            .map_err(broken)?
        {
            Some(frame) => Message::decode(frame, &limits).map(Some).map_err(broken),
            None => Ok(None),
        }
    }

    /// Waits for more bytes: long between messages, not so long for the rest of one.
    async fn receive<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<Input> {
        let options = &self.shared.options;
        let anonymous = self.conversation.session.is_anonymous();
        let limit = self.conversation.limits().message_length_max;
        let framer = &mut self.framer;
        let layer = &mut self.layer;
        let is_amid = layer.as_ref().is_some_and(|layer| layer.is_amid());
        if framer.pending() == 0 && !is_amid {
            let time_max = if anonymous {
                options.receive_time_max
            } else {
                options.idle_time_max
            };
            if timeout(time_max, read(stream, framer, layer)).await?? == 0 {
                return Ok(Input::Ended);
            }
        }
        // One clock for the whole rest: a client that sends a byte now and then does not start it anew.
        let rest = async {
            while framer.waits(limit) {
                if read(stream, framer, layer).await? == 0 {
                    return Ok(Input::Ended);
                }
            }
            Ok(Input::Some)
        };
        timeout(options.receive_time_max, rest).await?
    }

    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let wrapped = match &mut self.layer {
            Some(layer) => Some(layer.close(&self.out, &mut self.shared.sasl.entropy())?),
            None => None,
        };
        let sent = async {
            stream
                .write_all(wrapped.as_ref().unwrap_or(&self.out))
                .await?;
            stream.flush().await
        };
        timeout(self.shared.options.send_time_max, sent).await??;
        self.out.clear();
        self.out.shrink_to(FLUSH_LENGTH);
        Ok(())
    }

    /// Has work done on another thread, passes on what it says, and listens meanwhile.
    async fn work<S>(&mut self, stream: &mut S, work: Work) -> io::Result<Input>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        // Earlier replies must not wait for this one.
        self.flush(stream).await?;
        let id = work.id();
        let time_max = work.time_max();
        let stop = Arc::new(AtomicBool::new(false));
        // However this ends, also by an error or by being dropped, the thread gets to know.
        let _stopper = StopOnDrop(Arc::clone(&stop));
        let (sender, mut chunks) = mpsc::channel::<Vec<u8>>(CHUNKS_MAX);
        let seats = match &work {
            Work::Search { .. } => &self.shared.searches,
            _ => &self.shared.jobs,
        };
        let permit = Arc::clone(seats)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (shared, session) = (Arc::clone(&self.shared), self.conversation.session.clone());
        let told = Arc::clone(&stop);
        let job = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut sink = |chunk| sender.blocking_send(chunk).is_ok();
            let sign_ins = shared.options.sign_ins.as_deref();
            work.run(&shared.directory, sign_ins, &session, &told, &mut sink)
        });
        // What came together with the search may already take it back.
        let mut abandoned = time_max.is_some() && self.overhear(id);
        stop.store(abandoned, Ordering::Relaxed);
        let mut alarm = std::pin::pin!(alarm(time_max));
        let mut alarm_rang = false;
        loop {
            let listens = time_max.is_some() && !abandoned && self.may_overhear();
            tokio::select! {
                chunk = chunks.recv() => match chunk {
                    Some(_) if abandoned => {}
                    Some(chunk) => {
                        self.out.extend(chunk);
                        self.flush(stream).await?;
                    }
                    None => break,
                },
                () = &mut alarm, if !alarm_rang => {
                    alarm_rang = true;
                    stop.store(true, Ordering::Relaxed);
                }
                read = read(stream, &mut self.framer, &mut self.layer), if listens => {
                    if read? == 0 {
                        return Ok(Input::Ended);
                    }
                    abandoned = self.overhear(id);
                    if abandoned {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
        let outcome = job.await.map_err(io::Error::other)?;
        self.conversation.finish(outcome, &mut self.out);
        Ok(Input::Some)
    }

    /// Whether there is room for what arrives during a search: whole messages in the queue, and one in the framer.
    fn may_overhear(&self) -> bool {
        self.queue.len() < QUEUE_MAX
            && self.queued_length < QUEUE_LENGTH_MAX
            && self
                .framer
                .waits(self.conversation.limits().message_length_max)
    }

    /// Queues what arrived, and says whether the client no longer wants the answer to `id`.
    fn overhear(&mut self, id: u32) -> bool {
        let mut abandoned = false;
        let limits = *self.conversation.limits();
        while self.queue.len() < QUEUE_MAX {
            // A broken message stays where it is; its turn comes, and the end of the connection with it.
            let Ok(Some(frame)) = self.framer.next_frame(limits.message_length_max) else {
                break;
            };
            let length = frame.len();
            let Ok(message) = Message::decode(frame, &limits) else {
                self.queue.push_back(Message::new(
                    0,
                    Operation::SearchResultReference(Vec::new()),
                ));
                break;
            };
            match message.operation {
                Operation::AbandonRequest(target) if target == id => {
                    abandoned = true;
                    continue;
                }
                Operation::UnbindRequest => {
                    // Nobody waits for anything any more (RFC 4511 4.3).
                    self.queue.clear();
                    abandoned = true;
                }
                _ => {}
            }
            self.queued_length += length;
            self.queue.push_back(message);
        }
        abandoned
    }
}

/// Sets the flag when the connection's future ends in whatever way.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads what is there, through the layer where there is one. Memory grows by what arrives, not by what is announced.
async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    framer: &mut Framer,
    layer: &mut Option<Box<Layer>>,
) -> io::Result<usize> {
    let input = match layer {
        Some(layer) => layer.input(),
        None => framer.input(),
    };
    input.reserve(READ_LENGTH);
    let count = stream.read_buf(input).await?;
    if let Some(layer) = layer {
        layer.open(framer.input())?;
    }
    Ok(count)
}

/// Comes true after `time`, or never.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the shell; a search's time limit is the client's wish"
)]
async fn alarm(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Ends the conversation so that the last words arrive: bytes left unread at a close would make the system throw them
/// away.
async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let farewell = async {
        stream.shutdown().await?;
        let mut scrap = [0_u8; 4096];
        let mut left = SCRAP_LENGTH_MAX;
        while left > 0 {
            let count = stream.read(&mut scrap).await?;
            left = if count == 0 {
                0
            } else {
                left.saturating_sub(count)
            };
        }
        io::Result::Ok(())
    };
    let _best_effort = timeout(FAREWELL_TIME_MAX, farewell).await;
}

const READ_LENGTH: usize = 4 << 10;
/// Replies to pipelined requests are collected up to this length.
const FLUSH_LENGTH: usize = 64 << 10;
/// Chunks of a reply that wait for a slow client; then the search waits as well.
const CHUNKS_MAX: usize = 2;
/// Requests that wait while a search goes on; then the connection is not read.
const QUEUE_MAX: usize = 64;
const QUEUE_LENGTH_MAX: usize = 1 << 20;
const SCRAP_LENGTH_MAX: usize = 1 << 20;
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(2);
