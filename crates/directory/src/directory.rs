//! The whole: opens the store, hands out snapshots, and commits operations one group at a time.
//!
//! There is no writer thread: whoever finds the writer's seat free takes it, and carries out everybody's waiting
//! operations in one commit. A single caller thus pays no hand-over, and many share the price of one fsync.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use ldap::Filter;
use types::{Clock, Entropy, Guid, Timestamp};

use crate::kerberos_keys::KeyPolicy;
pub use crate::model::Naming;
use crate::model::{
    Counters, DescriptorCache, Effects, NameCache, Snapshot, Start, Transaction, state,
};
use crate::operations::{self, PasswordPolicy, Prepared, Random, audit};
use crate::schema::{Schema, SchemaLevel};
use crate::store::{Engine, Table, View, WriteView};
use crate::{Applied, Entry, Error, Name, Operation, SearchDone, SearchRequest, Session};

/// What comes in from the top floor when a directory is opened.
pub struct Options {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives GUIDs and salts.
    pub entropy: Box<dyn Entropy>,
    /// How much of the schema there is.
    pub schema: SchemaLevel,
    /// Memory for pages of the store. Reads are fastest when all of the file fits.
    pub cache_bytes: usize,
    /// Rounds of PBKDF2 for new password verifiers.
    pub password_rounds: u32,
    /// Kerberos keys of new passwords.
    pub kerberos_keys: KeyPolicy,
}

impl Options {
    /// The usual ones.
    pub fn new(clock: Arc<dyn Clock>, entropy: Box<dyn Entropy>) -> Self {
        Self {
            clock,
            entropy,
            schema: SchemaLevel::default(),
            cache_bytes: 1 << 30,
            password_rounds: 100_000,
            kerberos_keys: KeyPolicy::default(),
        }
    }
}

/// An AD-like directory. Cheap to clone; clones are the same directory.
///
/// Methods block: an asynchronous caller runs them where blocking is allowed.
#[derive(Clone)]
pub struct Directory(Arc<Shared>);

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Directory(..)")
    }
}

struct Shared {
    schema: &'static Schema,
    engine: Engine,
    clock: Arc<dyn Clock>,
    entropy: Mutex<Box<dyn Entropy>>,
    passwords: PasswordPolicy,
    descriptors: Arc<DescriptorCache>,
    snapshot: RwLock<Arc<Snapshot>>,
    writer: Mutex<Writer>,
    writer_is_free: Condvar,
    logon_id: std::sync::atomic::AtomicU64,
}

/// Who waits for the writer.
#[derive(Default)]
struct Writer {
    is_busy: bool,
    waiting: Vec<Job>,
}

/// A group of operations that stand or fall together.
struct Job {
    session: Session,
    operations: Vec<Prepared>,
    slot: Arc<Slot>,
}

type Outcome = Result<Vec<Applied>, (usize, Error)>;

#[derive(Default)]
struct Slot(Mutex<Option<Outcome>>);

/// Operations carried out in one commit.
const JOBS_PER_COMMIT_MAX: usize = 128;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A caller that panicked left whole values behind: all changes to them are single assignments.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    /// Opens the directory in the file at `path`, or creates an empty one.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        Self::over(Engine::open(path, options.cache_bytes)?, options)
    }

    /// A directory that vanishes when it is dropped.
    pub fn in_memory(options: Options) -> Result<Self, Error> {
        Self::with_backend(redb::backends::InMemoryBackend::new, options)
    }

    /// Over a storage of the caller's. `backend` is called again after an input or output error.
    pub fn with_backend<B: redb::StorageBackend>(
        backend: impl Fn() -> B + Send + Sync + 'static,
        options: Options,
    ) -> Result<Self, Error> {
        Self::over(Engine::with_backend(backend, options.cache_bytes)?, options)
    }

    fn over(engine: Engine, options: Options) -> Result<Self, Error> {
        let schema = Schema::of(options.schema);
        let entropy = Mutex::new(options.entropy);
        mark_store(&engine, &entropy)?;
        let descriptors = Arc::new(DescriptorCache::default());
        let names = Arc::new(NameCache::default());
        let snapshot = Snapshot::new(
            schema,
            engine.read()?,
            names,
            Arc::clone(&descriptors),
            None,
            0,
        )?;
        let mut seed = [0; 4];
        locked(&entropy).fill(&mut seed);
        Ok(Self(Arc::new(Shared {
            schema,
            engine,
            clock: options.clock,
            entropy,
            passwords: PasswordPolicy {
                rounds: options.password_rounds,
                keys: options.kerberos_keys,
            },
            descriptors,
            snapshot: RwLock::new(Arc::new(snapshot)),
            writer: Mutex::default(),
            writer_is_free: Condvar::new(),
            logon_id: u64::from(u32::from_le_bytes(seed)).into(),
        })))
    }

    /// The schema.
    pub fn schema(&self) -> &'static Schema {
        self.0.schema
    }

    /// Who and where this directory is; `None` before it has been provisioned.
    pub fn naming(&self) -> Option<Arc<Naming>> {
        let naming = Arc::clone(&self.snapshot().naming);
        naming.is_provisioned().then_some(naming)
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A new random GUID.
    pub fn new_guid(&self) -> Guid {
        let mut bytes = [0; 16];
        locked(&self.0.entropy).fill(&mut bytes);
        Guid::v4(bytes)
    }

    /// Random bytes.
    pub(crate) fn fill_random(&self, bytes: &mut [u8]) {
        locked(&self.0.entropy).fill(bytes);
    }

    /// Rounds of PBKDF2 for new verifiers.
    pub(crate) fn password_rounds(&self) -> u32 {
        self.0.passwords.rounds
    }

    /// The number of a new logon session.
    pub(crate) fn new_logon_id(&self) -> u64 {
        self.0
            .logon_id
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    /// The directory as of the last commit. Take one per request: what one snapshot shows hangs together.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(
            &self
                .0
                .snapshot
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Finds objects, and gives each that the caller may see to `sink`.
    pub fn search(
        &self,
        session: &Session,
        request: &SearchRequest,
        sink: operations::Sink<'_>,
    ) -> Result<SearchDone, Error> {
        operations::search(&self.snapshot(), session, request, sink)
    }

    /// Finds objects and collects them: `(name, attributes with their values)`. For callers who want few.
    pub fn find_all(
        &self,
        session: &Session,
        request: &SearchRequest,
    ) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        self.search(session, request, &mut |entry: Entry<'_>| {
            found.push(Found::from(entry));
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Whether the object has this value.
    pub fn compare(
        &self,
        session: &Session,
        name: &Name,
        attribute: &str,
        value: &[u8],
    ) -> Result<bool, Error> {
        let filter = Filter::equality(attribute, value);
        operations::compare(&self.snapshot(), session, name, attribute, filter)
    }

    /// Carries out one operation. When it returns, the change and its audit records are durable.
    pub fn apply(&self, session: &Session, operation: Operation) -> Result<Applied, Error> {
        match self.apply_all(session, vec![operation]) {
            Ok(applied) => applied
                .into_iter()
                .next()
                .ok_or_else(|| Error::damaged("the writer's answer")),
            Err((_, error)) => Err(error),
        }
    }

    /// Carries out operations in one commit, all or none; an error names the first that failed by its index.
    pub fn apply_all(&self, session: &Session, operations: Vec<Operation>) -> Outcome {
        let snapshot = self.snapshot();
        let mut prepared = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            let mut random = Random::default();
            if operations::writes_password(&operation) {
                let mut entropy = locked(&self.0.entropy);
                entropy.fill(&mut random.salt);
                entropy.fill(&mut random.password);
            }
            let policy = &self.0.passwords;
            let ready = Prepared::new(operation, session, &snapshot, policy, &random);
            prepared.push(ready.map_err(|error| (index, error))?);
        }
        // Not to be held while waiting: the store keeps the pages of every snapshot that somebody has.
        drop(snapshot);
        let slot = Arc::new(Slot::default());
        let job = Job {
            session: session.clone(),
            operations: prepared,
            slot: Arc::clone(&slot),
        };
        self.0.submit(job, &slot)
    }

    /// Checks a name and password (MS-ADTS 5.1.1.1.1).
    pub fn simple_bind(&self, name: &str, password: &[u8]) -> Result<Session, Error> {
        operations::simple_bind(self, name, password, None)
    }

    /// A session of the account with this SID, for callers who have checked it by other means.
    pub fn session_of(&self, sid: &types::Sid) -> Result<Session, Error> {
        operations::session_of(self, sid)
    }

    /// At most `limit` audit records after the one numbered `cursor`, in order.
    pub fn changes_since(&self, cursor: u64, limit: usize) -> Result<Vec<events::Record>, Error> {
        audit::records_since(&self.snapshot(), cursor, limit)
    }
}

/// What [`Directory::find_all`] collects of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub dn: String,
    /// Names and values.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Found {
    /// The values of an attribute.
    pub fn values(&self, attribute: &str) -> &[Vec<u8>] {
        self.attributes
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(attribute))
            .map_or(&[], |(_, values)| values.as_slice())
    }

    /// The first value of an attribute as text.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        std::str::from_utf8(self.values(attribute).first()?).ok()
    }
}

impl From<Entry<'_>> for Found {
    fn from(entry: Entry<'_>) -> Self {
        let owned =
            |values: Vec<std::borrow::Cow<'_, [u8]>>| values.into_iter().map(Into::into).collect();
        Self {
            dn: entry.dn.into_owned(),
            attributes: entry
                .attributes
                .into_iter()
                .map(|a| (a.name.into_owned(), owned(a.values)))
                .collect(),
        }
    }
}

/// Gives a new store its invocation id.
fn mark_store(engine: &Engine, entropy: &Mutex<Box<dyn Entropy>>) -> Result<(), Error> {
    if engine
        .read()?
        .get(Table::State, state::INVOCATION)?
        .is_some()
    {
        return Ok(());
    }
    engine.write(|view| {
        let mut overlay = crate::store::Overlay::new(view);
        let mut bytes = [0; 16];
        locked(entropy).fill(&mut bytes);
        overlay.put(
            Table::State,
            state::INVOCATION,
            Guid::v4(bytes).to_bytes_le(),
        );
        let changes = overlay.into_changes();
        view.apply(changes)
    })
}

impl Shared {
    /// Waits for the job to be done, or does it, and others' with it.
    fn submit(&self, job: Job, slot: &Slot) -> Outcome {
        let mut writer = locked(&self.writer);
        writer.waiting.push(job);
        loop {
            if let Some(outcome) = locked(&slot.0).take() {
                return outcome;
            }
            if writer.is_busy {
                writer = self
                    .writer_is_free
                    .wait(writer)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            writer.is_busy = true;
            let count = writer.waiting.len().min(JOBS_PER_COMMIT_MAX);
            let jobs: Vec<Job> = writer.waiting.drain(..count).collect();
            drop(writer);
            let seat = Seat {
                shared: self,
                slots: jobs.iter().map(|job| Arc::clone(&job.slot)).collect(),
            };
            self.commit(jobs);
            drop(seat);
            writer = locked(&self.writer);
        }
    }

    /// Carries out jobs in one commit and answers them.
    fn commit(&self, jobs: Vec<Job>) {
        match self.try_commit(&jobs) {
            Ok(outcomes) => {
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    *locked(&job.slot.0) = Some(outcome);
                }
            }
            Err(error) => {
                for job in jobs {
                    *locked(&job.slot.0) = Some(Err((0, error.clone())));
                }
            }
        }
    }

    fn try_commit(&self, jobs: &[Job]) -> Result<Vec<Outcome>, Error> {
        let everything = Effects {
            names: true,
            naming: true,
            groups: true,
        };
        if self.engine.is_closed() {
            self.engine.reopen()?;
            self.renew(&self.present(), everything)?;
        }
        let snapshot = self.present();
        let mut done = None;
        let committed = self.engine.write(|view| {
            done = Some(self.run(view, jobs, &snapshot)?);
            Ok(())
        });
        let Err(error) = committed else {
            let Some(done) = done else {
                return Ok(Vec::new());
            };
            self.renew(&snapshot, done.effects)?;
            return Ok(done.outcomes);
        };
        tracing::warn!(%error, "A commit failed; opening the store again");
        self.engine.reopen().map_err(|again| Error::StoreLost {
            reason: format!("{error}; {again}"),
        })?;
        self.renew(&snapshot, everything)?;
        // A commit whose last step failed may have reached the disk all the same. Then it did happen.
        match done {
            Some(done)
                if done.counters != snapshot.counters
                    && self.present().counters == done.counters =>
            {
                Ok(done.outcomes)
            }
            _ => Err(error),
        }
    }

    fn present(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The inside of a commit: each job in its own overlay.
    fn run(
        &self,
        view: &mut WriteView<'_>,
        jobs: &[Job],
        snapshot: &Snapshot,
    ) -> Result<Done, Error> {
        let mut effects = Effects::default();
        let mut counters = snapshot.counters;
        let mut naming = Arc::clone(&snapshot.naming);
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            let begin = |view, counters, naming| {
                Transaction::begin(Start {
                    schema: self.schema,
                    view,
                    descriptors: &self.descriptors,
                    naming,
                    counters,
                    now: self.clock.now(),
                    entropy: &self.entropy,
                })
            };
            let mut transaction = begin(&*view, counters, Arc::clone(&naming));
            let outcome = operations::run(&mut transaction, &job.session, &job.operations);
            let (outcome, transaction) = match outcome {
                Ok(applied) => (Ok(applied), transaction),
                Err((index, refused)) => {
                    // The refused operation leaves nothing but, where a SACL asks for it, word of the attempt.
                    drop(transaction);
                    let mut aftermath = begin(&*view, counters, Arc::clone(&naming));
                    for denied in refused.audit {
                        aftermath.audit(denied)?;
                    }
                    (Err((index, refused.error)), aftermath)
                }
            };
            counters = transaction.counters;
            effects.names |= transaction.effects.names;
            effects.naming |= transaction.effects.naming;
            effects.groups |= transaction.effects.groups;
            naming = Arc::clone(&transaction.naming);
            let changes = transaction.overlay.into_changes();
            view.apply(changes)?;
            outcomes.push(outcome);
        }
        if counters != snapshot.counters {
            self.store_counters(view, counters)?;
        }
        Ok(Done {
            outcomes,
            effects,
            counters,
        })
    }

    fn store_counters(&self, view: &mut WriteView<'_>, counters: Counters) -> Result<(), Error> {
        let mut overlay = crate::store::Overlay::new(view);
        overlay.put(Table::State, state::COUNTERS, counters.encode());
        let changes = overlay.into_changes();
        view.apply(changes)
    }

    /// Shows readers the new state.
    fn renew(&self, old: &Snapshot, effects: Effects) -> Result<(), Error> {
        let names = if effects.names {
            Arc::default()
        } else {
            Arc::clone(&old.names)
        };
        let naming = (!effects.naming && !effects.names).then(|| Arc::clone(&old.naming));
        let view = self.engine.read()?;
        let snapshot = Snapshot::new(
            self.schema,
            view,
            names,
            Arc::clone(&self.descriptors),
            naming,
            old.groups_generation
                .saturating_add(u64::from(effects.groups)),
        )?;
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        Ok(())
    }
}

/// What the inside of a commit leaves behind.
struct Done {
    outcomes: Vec<Outcome>,
    effects: Effects,
    counters: Counters,
}

/// The writer's seat; left even when its holder panics.
struct Seat<'a> {
    shared: &'a Shared,
    /// Where the holder leaves its answers.
    slots: Vec<Arc<Slot>>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The others whose jobs were in its hands would wait for ever.
            let lost = || Error::StoreLost {
                reason: "the writer stopped in the middle of a commit".to_owned(),
            };
            for slot in &self.slots {
                locked(&slot.0).get_or_insert_with(|| Err((0, lost())));
            }
        }
        locked(&self.shared.writer).is_busy = false;
        self.shared.writer_is_free.notify_all();
    }
}
