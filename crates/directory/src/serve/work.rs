//! What takes time: passwords, commits, searches without an index. The shell runs it on a thread that may wait.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ldap::{LdapResult, Operation as Reply, ResultCode};
use types::Secret;

use super::search::{self, Question};
use super::{reply, write};
use crate::{Directory, Error, Operation, Session, SignIns};

/// A job.
#[derive(Debug)]
pub(super) enum Work {
    /// Check a password.
    Bind {
        id: u32,
        name: String,
        password: Secret<Vec<u8>>,
    },
    /// Commit a change.
    Write {
        id: u32,
        kind: write::Kind,
        operation: Operation,
    },
    /// Give every protected object the descriptor of AdminSDHolder, now.
    ProtectAdminGroups { id: u32 },
    /// Look through many objects.
    Search {
        id: u32,
        question: Box<Question>,
        time_max: Duration,
    },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The replies went to the sink already.
    Replied,
    /// This is the reply.
    Reply(Vec<u8>),
    /// A verdict on a password.
    Bound {
        id: u32,
        session: Result<Session, Error>,
    },
}

impl Work {
    /// The message that asked for it.
    pub(super) fn id(&self) -> u32 {
        match self {
            Self::Bind { id, .. }
            | Self::Write { id, .. }
            | Self::ProtectAdminGroups { id }
            | Self::Search { id, .. } => *id,
        }
    }

    /// How long it may take. Only searches end early: what is written is written.
    pub(super) fn time_max(&self) -> Option<Duration> {
        match self {
            Self::Search { time_max, .. } => Some(*time_max),
            _ => None,
        }
    }

    /// Does it. Parts of the reply go to `sink` as soon as there are enough; it says whether anyone still listens.
    pub(super) fn run(
        self,
        directory: &Directory,
        sign_ins: Option<&dyn SignIns>,
        session: &Session,
        stop: &Arc<AtomicBool>,
        sink: &mut dyn FnMut(Vec<u8>) -> bool,
    ) -> Outcome {
        match self {
            Self::Bind { id, name, password } => Outcome::Bound {
                id,
                session: crate::operations::simple_bind(
                    directory,
                    &name,
                    password.expose(),
                    sign_ins,
                ),
            },
            Self::Write {
                id,
                kind,
                operation,
            } => {
                let result = match directory.apply(session, operation) {
                    Ok(_applied) => LdapResult::success(),
                    Err(error) => reply::refusal(&error),
                };
                Outcome::Reply(write::reply(id, kind, result))
            }
            Self::ProtectAdminGroups { id } => {
                let result = match crate::access::adminsdholder::propagate(directory) {
                    Ok(_count) => LdapResult::success(),
                    Err(error) => reply::refusal(&error),
                };
                Outcome::Reply(write::reply(id, write::Kind::Modify, result))
            }
            Self::Search {
                id, mut question, ..
            } => {
                question.request.stop = Some(Arc::clone(stop));
                stream(directory, session, id, &question, stop, sink);
                Outcome::Replied
            }
        }
    }
}

/// Sends entries in chunks while the search goes on.
fn stream(
    directory: &Directory,
    session: &Session,
    id: u32,
    question: &Question,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(Vec<u8>) -> bool,
) {
    let mut chunk = Vec::with_capacity(CHUNK_LENGTH);
    let done = directory.search(session, &question.request, &mut |entry| {
        search::write_entry(&mut chunk, id, &entry);
        if chunk.len() >= CHUNK_LENGTH {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_LENGTH));
            if !sink(full) {
                return ControlFlow::Break(());
            }
        }
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    if stop.load(Ordering::Relaxed) {
        // Abandoned, disconnected or out of time. If anyone still listens, it is the last of these.
        let done = LdapResult::new(ResultCode::TIME_LIMIT_EXCEEDED);
        reply::send(&mut chunk, id, Reply::SearchResultDone(done));
    } else {
        search::write_done(&mut chunk, id, question, done);
    }
    let _nobody_listens = sink(chunk);
}

/// Large enough that a system call per chunk does not matter, small enough to begin early.
const CHUNK_LENGTH: usize = 64 << 10;
