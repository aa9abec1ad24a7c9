//! Planning: does the time follow the changes, or the number of users?
//!
//! A synthetic cloud and directory of N users, each with one key that is in order, are imported into a state file; then
//! some users get a second key in the cloud. Measured are the delta import, the synchronisation and the plan, for
//! growing N with the same changes, and for growing changes with the same N. There is no peer: the claim is the shape.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keycred::{Draft, KeySource, KeyUsage};
use sync::connector::{
    Account, Anchor, Attributes, Change, ConnectorError, Cursor, ImportRequest, ObjectTarget,
    ObjectWrite, Permission, SchemaProbe, Sink, Source, StagedObject, Target, Value, ValueWrite,
    Values, WriteError,
};
use sync::plan::{Coverage, Preflight, make};
use sync::rules::RuleSet;
use sync::{Connector, Engine, Options, State, Step};
use types::{Guid, Sid, Timestamp};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What to measure
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Numbers of users
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    users: Vec<u32>,

    /// Numbers of changed keys, measured at the largest number of users; the first plan of each number of users has the
    /// largest of these up to 1,000
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 10_000])]
    changes: Vec<u32>,
}

/// Changed users for the comparison over numbers of users.
const SAME_CHANGES: u32 = 1_000;

/// Measures and prints two tables.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let largest = arguments.users.iter().copied().max().unwrap_or(0);
    let mut by_users = Vec::new();
    let mut by_changes = Vec::new();
    for users in &arguments.users {
        eprintln!("{users} users: making and importing them");
        let mut world = World::new(*users)?;
        by_users.push((
            *users,
            world.setup,
            world.measure(SAME_CHANGES.min(*users), true)?,
        ));
        if *users == largest {
            for changes in arguments.changes.iter().filter(|changes| *changes <= users) {
                by_changes.push(world.measure(*changes, false)?);
            }
        }
    }
    println!("The same {SAME_CHANGES} changed keys, more and more users:");
    println!(
        "{:>9} {:>10} {:>10} {:>10} {:>12} {:>9}   first import, sync, plan (s)",
        "users", "import ms", "sync ms", "plan ms", "all-plan ms", "state MB"
    );
    for (users, [import, sync, plan], m) in &by_users {
        println!(
            "{users:>9} {:>10.1} {:>10.1} {:>10.1} {:>12.1} {:>9.0}   {:.1}, {:.1}, {:.1}",
            ms(m.import),
            ms(m.sync),
            ms(m.plan),
            ms(m.plan_all),
            m.state_mb,
            import.as_secs_f64(),
            sync.as_secs_f64(),
            plan.as_secs_f64()
        );
    }
    println!("\nThe same {largest} users, more and more changed keys:");
    println!(
        "{:>9} {:>10} {:>10} {:>10} {:>14}",
        "changes", "import ms", "sync ms", "plan ms", "plan us/change"
    );
    for m in &by_changes {
        let per_change = ms(m.plan) * 1000.0 / f64::from(m.changes);
        println!(
            "{:>9} {:>10.1} {:>10.1} {:>10.1} {per_change:>14.1}",
            m.changes,
            ms(m.import),
            ms(m.sync),
            ms(m.plan)
        );
    }
    if let (Some((few, _, first)), Some((many, _, last))) = (by_users.first(), by_users.last()) {
        let ratio = ms(last.plan) / ms(first.plan);
        println!("\nplan time {many} users / {few} users, {SAME_CHANGES} changes: {ratio:.2}");
    }
    Ok(())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// One measurement.
struct Measured {
    changes: u32,
    import: Duration,
    sync: Duration,
    plan: Duration,
    plan_all: Duration,
    state_mb: f64,
}

struct World {
    engine: Engine,
    rules: RuleSet,
    shared: Arc<Mutex<Shared>>,
    marks: Arc<Mutex<Vec<(Mark, Instant)>>>,
    /// The first import, synchronisation and plan.
    setup: [Duration; 3],
    folder: tempfile::TempDir,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Begin,
    Imported,
    Synchronised,
}

/// What both synthetic systems know: how many users there are, and who changed since.
#[derive(Debug, Default)]
struct Shared {
    users: u32,
    /// Users with a second key, by the generation in which they got it.
    changed: BTreeMap<u32, BTreeSet<u32>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn new(users: u32) -> Outcome<Self> {
        let shared = Arc::new(Mutex::new(Shared {
            users,
            changed: BTreeMap::new(),
        }));
        let folder = tempfile::tempdir()?;
        let state = State::open(&folder.path().join("sync.sqlite"))?;
        let rules = RuleSet::shipped()?;
        let cloud = Synthetic {
            shared: Arc::clone(&shared),
            connector: Connector::Cloud,
        };
        let directory = Synthetic {
            shared: Arc::clone(&shared),
            connector: Connector::Ad,
        };
        let mut engine = Engine::new(
            state,
            rules.clone(),
            Box::new(cloud),
            Box::new(directory),
            Options::default(),
        );
        let marks: Arc<Mutex<Vec<(Mark, Instant)>>> = Arc::default();
        let seen = Arc::clone(&marks);
        engine.observe(Box::new(move |step| {
            let mark = match step {
                Step::Importing(Connector::Ad) => Some(Mark::Begin),
                Step::Imported(Connector::Cloud, _) => Some(Mark::Imported),
                Step::Synchronised(_) => Some(Mark::Synchronised),
                _ => None,
            };
            locked(&seen).extend(mark.map(|mark| (mark, Instant::now())));
            ControlFlow::Continue(())
        }));
        let report = engine.plan(Coverage::Pending, now()?)?;
        if !report.plan.is_empty() {
            return Err("the synthetic users are not in order".into());
        }
        let end = Instant::now();
        let mut world = Self {
            engine,
            rules,
            shared,
            marks,
            setup: [Duration::ZERO; 3],
            folder,
        };
        let (import, sync) = world.phases()?;
        let start = locked(&world.marks).first().map_or(end, |(_, at)| *at);
        world.setup = [import, sync, end.duration_since(start) - import - sync];
        Ok(world)
    }

    /// Changes the keys of some users, and undoes it afterwards.
    fn measure(&mut self, changes: u32, all: bool) -> Outcome<Measured> {
        let generation = {
            let mut shared = locked(&self.shared);
            let users = shared.users;
            let step = (users / changes).max(1);
            let who = (0..changes)
                .map(|number| number.saturating_mul(step))
                .collect();
            let generation = shared
                .changed
                .keys()
                .last()
                .map_or(1, |last| last.saturating_add(1));
            shared.changed.insert(generation, who);
            generation
        };
        locked(&self.marks).clear();
        let report = self.engine.plan(Coverage::Pending, now()?)?;
        if report.plan.summary.add != u64::from(changes) {
            return Err(
                format!("{} values planned, not {changes}", report.plan.summary.add).into(),
            );
        }
        let (import, sync) = self.phases()?;
        let plan = self.median_plan(Coverage::Pending)?;
        let plan_all = if all {
            self.median_plan(Coverage::All)?
        } else {
            Duration::ZERO
        };
        let state_mb = f64::from(u32::try_from(
            std::fs::metadata(self.folder.path().join("sync.sqlite"))?.len() >> 20,
        )?);
        // Take the second keys away again: they come as a change of the same users.
        {
            let mut shared = locked(&self.shared);
            let who = shared.changed.remove(&generation).unwrap_or_default();
            shared.changed.insert(generation.saturating_add(1), who);
        }
        self.engine.plan(Coverage::Pending, now()?)?;
        Ok(Measured {
            changes,
            import,
            sync,
            plan,
            plan_all,
            state_mb,
        })
    }

    fn phases(&self) -> Outcome<(Duration, Duration)> {
        let marks = locked(&self.marks);
        let at = |wanted: Mark| {
            let found = marks.iter().find(|(mark, _)| *mark == wanted);
            found.map(|(_, at)| *at).ok_or("a phase was not seen")
        };
        let (begin, imported, synchronised) = (
            at(Mark::Begin)?,
            at(Mark::Imported)?,
            at(Mark::Synchronised)?,
        );
        Ok((imported - begin, synchronised - imported))
    }

    /// The pure plan, without asking the directory anything.
    fn median_plan(&self, coverage: Coverage) -> Outcome<Duration> {
        let rounds = if coverage == Coverage::All { 1 } else { 5 };
        let mut times = Vec::new();
        for _ in 0..rounds {
            let start = Instant::now();
            make(
                self.engine.state(),
                &self.rules,
                &Preflight::default(),
                coverage,
                now()?,
            )?;
            times.push(start.elapsed());
        }
        times.sort();
        times
            .get(rounds / 2)
            .copied()
            .ok_or_else(|| "no round".into())
    }
}

fn now() -> Outcome<Timestamp> {
    Ok(Timestamp::parse_rfc3339("2026-06-10T05:06:07Z")?)
}

/// A cloud or a directory whose users are computed when they are asked for.
struct Synthetic {
    shared: Arc<Mutex<Shared>>,
    connector: Connector,
}

fn guid(user: u32) -> Guid {
    Guid::v4(
        u128::from(user)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
            .to_be_bytes(),
    )
}

fn key(user: u32, number: u8) -> Draft {
    let mut material = vec![number; 283];
    for (octet, from) in material.iter_mut().zip(user.to_le_bytes()) {
        *octet = from;
    }
    let id: Vec<u8> = guid(user)
        .to_bytes_le()
        .into_iter()
        .chain([number; 16])
        .collect();
    Draft::new(id, material, KeyUsage::FIDO, KeySource::AZURE_AD)
}

impl Synthetic {
    fn object(&self, user: u32, keys: u8) -> Outcome<StagedObject> {
        let text = |text: String| [text.into_bytes()].into();
        let (anchor, name, attributes): (String, String, Attributes) = match self.connector {
            Connector::Ad => {
                let sid = Sid::nt(&[21, 1, 2, 3]).with_rid(user.saturating_add(1000));
                let written: Values = [key(user, 1).to_blob()?.encode()].into();
                let attributes = [
                    (
                        "objectGUID".to_owned(),
                        [guid(user).to_bytes_le().to_vec()].into(),
                    ),
                    ("objectSid".to_owned(), [sid.to_bytes()].into()),
                    ("sAMAccountName".to_owned(), text(format!("u{user}"))),
                    ("msDS-KeyCredentialLink".to_owned(), written),
                ];
                let name = format!("CN=u{user},OU=Users,DC=corp,DC=contoso,DC=com");
                (guid(user).to_string(), name, attributes.into())
            }
            Connector::Cloud => {
                let raw: Result<Values, _> = (1..=keys)
                    .map(|n| key(user, n).to_raw_blob().map(|b| b.encode()))
                    .collect();
                let anchor = data_encoding::BASE64.encode(&guid(user).to_bytes_le());
                let name = format!("u{user}@corp.contoso.com");
                let attributes = [
                    ("sourceAnchor".to_owned(), text(anchor)),
                    ("cloudAnchor".to_owned(), text(format!("User_{user}"))),
                    ("cloudMastered".to_owned(), text("false".to_owned())),
                    ("userPrincipalName".to_owned(), text(name.clone())),
                    ("searchableDeviceKey".to_owned(), raw?),
                ];
                (format!("cloud-{user}"), name, attributes.into())
            }
        };
        Ok(StagedObject {
            anchor: Anchor::new(anchor),
            kind: "user".to_owned(),
            name,
            attributes,
        })
    }

    fn nonsense(why: impl ToString) -> ConnectorError {
        ConnectorError::Nonsense {
            url: "synthetic".to_owned(),
            why: why.to_string(),
        }
    }
}

impl ObjectTarget for Synthetic {
    fn put(&mut self, _: &ObjectWrite) -> Result<(), WriteError> {
        Ok(())
    }
}

impl Source for Synthetic {
    fn import(
        &mut self,
        request: ImportRequest<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Cursor, ConnectorError> {
        let (users, generation, changed) = {
            let shared = locked(&self.shared);
            let generation = shared.changed.keys().last().copied().unwrap_or(0);
            (
                shared.users,
                generation,
                shared.changed.get(&generation).cloned().unwrap_or_default(),
            )
        };
        let cursor = Cursor(generation.to_string());
        match request.since {
            None => {
                for user in 0..users {
                    sink(Change::Upsert(
                        self.object(user, 1).map_err(Self::nonsense)?,
                    ))?;
                }
            }
            Some(since) if self.connector == Connector::Cloud && *since != cursor => {
                // Odd generations give second keys, even ones take them away.
                let keys = if generation.is_multiple_of(2) { 1 } else { 2 };
                for user in changed {
                    sink(Change::Upsert(
                        self.object(user, keys).map_err(Self::nonsense)?,
                    ))?;
                }
            }
            Some(_) => {}
        }
        Ok(cursor)
    }

    fn url(&self) -> String {
        "synthetic".to_owned()
    }
}

impl Target for Synthetic {
    fn schema(&mut self, attributes: &BTreeSet<String>) -> Result<SchemaProbe, ConnectorError> {
        Ok(SchemaProbe {
            present: attributes.clone(),
            version: Some(88),
        })
    }

    fn permissions(
        &mut self,
        anchors: &[Anchor],
        _: &str,
    ) -> Result<BTreeMap<Anchor, Permission>, ConnectorError> {
        Ok(anchors
            .iter()
            .map(|anchor| (anchor.clone(), Permission::Granted))
            .collect())
    }

    fn read(&mut self, _: &Anchor, _: &str) -> Result<Option<Values>, ConnectorError> {
        Ok(Some(BTreeSet::<Value>::new()))
    }

    fn write(&mut self, _: &ValueWrite) -> Result<(), WriteError> {
        Ok(())
    }

    fn account(&mut self) -> Result<Account, ConnectorError> {
        Ok(Account::default())
    }
}
