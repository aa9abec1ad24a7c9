//! The engine: import both sides, synchronise, plan, apply, confirm.
//!
//! A cycle is a straight line, and each step ends in a committed transaction, so that a process that is killed
//! anywhere resumes with the next cycle: watermarks are stored with what they imported, an intent is journalled
//! before each write, and whatever an import does not show is not believed.
//!
//! Deliberately absent: a clock (now is an argument), a schedule, and waiting.

mod apply;
mod confirm;
mod export;
mod import;
pub(crate) mod synchronise;

use std::ops::ControlFlow;
use std::sync::Arc;

use types::{Clock, Timestamp};

use crate::Error;
use crate::connector::{
    Account, Anchor, Connector, ConnectorError, ObjectTarget, SchemaProbe, Target,
};
use crate::plan::{Coverage, Plan, Preflight, make_again, make_and_settle};
use crate::report::{ApplyReport, CycleReport, ImportCount, Outcome, OutcomeState, SyncCount};
use crate::rules::RuleSet;
use crate::store::State;

/// Whether the next import of the directory must be a full one.
const RESYNC: &str = "resync";

/// What the engine may do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name that others see while this engine has the state.
    pub holder: String,
    /// Ask the directory what it would refuse, and do not send that. Without it, refusals come from the directory.
    pub preflight: bool,
    /// Guards on deletions of values are overruled for this run.
    pub accept_deletes: bool,
    /// Guards on a full import that misses many objects are overruled for this run.
    pub accept_missing: bool,
    /// Read everything, not only changes.
    pub full: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            holder: "sync".to_owned(),
            preflight: true,
            accept_deletes: false,
            accept_missing: false,
            full: false,
        }
    }
}

/// Where the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// An import begins.
    Importing(Connector),
    /// So many objects have come.
    Importing1000(Connector, u64),
    /// An import is stored.
    Imported(Connector, ImportCount),
    /// The metaverse is up to date.
    Synchronised(SyncCount),
    /// Permissions of so many objects are asked for.
    Probing(usize),
    /// The plan is made: so many objects are to be written.
    Planned(usize),
    /// Intents are in the journal; nothing has been sent.
    Intent,
    /// An object was sent: its place, of how many, its name. The outcome is not in the journal yet.
    Sent(usize, usize, &'a str),
    /// Outcomes are in the journal.
    Outcome,
    /// What was written has been imported and confirmed.
    Confirmed(u64),
}

/// Sees each step; may stop the engine, which then behaves as if it had been killed there.
pub type Observer = Box<dyn FnMut(Step<'_>) -> ControlFlow<()> + Send>;

/// The sync engine with its state and the two connected systems.
pub struct Engine {
    state: State,
    rules: RuleSet,
    cloud: Box<dyn ObjectTarget + Send>,
    directory: Box<dyn Target + Send>,
    options: Options,
    observer: Observer,
    account: Account,
    fence: i64,
    clock: Option<Arc<dyn Clock>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("state", &self.state.path())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Puts an engine together.
    pub fn new(
        state: State,
        rules: RuleSet,
        cloud: Box<dyn ObjectTarget + Send>,
        directory: Box<dyn Target + Send>,
        options: Options,
    ) -> Self {
        let observer: Observer = Box::new(|_| ControlFlow::Continue(()));
        Self {
            state,
            rules,
            cloud,
            directory,
            options,
            observer,
            account: Account::default(),
            fence: 0,
            clock: None,
        }
    }

    /// Stamps receipts with the moment in which the directory said yes, by this clock. Without one they have the
    /// moment in which the cycle began.
    pub fn set_clock(&mut self, clock: Arc<dyn Clock>) {
        self.clock = Some(clock);
    }

    /// The present moment, as far as it is known.
    fn moment(&self, begun: Timestamp) -> Timestamp {
        self.clock.as_ref().map_or(begun, |clock| clock.now())
    }

    /// Has every step shown to `observer`.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = observer;
    }

    /// The state, to look at.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The rules.
    pub const fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Other rules, from the next cycle on.
    pub fn set_rules(&mut self, rules: RuleSet) {
        self.rules = rules;
    }

    /// What the engine may do, from the next cycle on.
    pub const fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Gives the state back.
    pub fn into_state(self) -> State {
        self.state
    }

    /// A whole cycle: import, synchronise, plan, apply, confirm.
    pub fn cycle(&mut self, now: Timestamp) -> Result<CycleReport, Error> {
        self.take(now)?;
        let cycle = self.state.begin_cycle(now)?;
        let Refreshed {
            ad,
            cloud,
            recovered,
            sync,
            schema,
        } = self.refresh(now)?;
        let plan = self.plan_now(schema, Coverage::Pending, now)?;
        let apply = if plan.stopped.is_empty() {
            self.apply_and_confirm(&plan, None, cycle, now)?
        } else {
            ApplyReport::default()
        };
        let outcome = outcome(&plan, &apply);
        let report = CycleReport {
            cycle,
            started: now,
            ad,
            cloud,
            sync,
            plan,
            apply,
            recovered,
            outcome,
        };
        self.state.end_cycle(&report, now)?;
        Ok(report)
    }

    /// Imports, synchronises and plans, and writes nothing to the directory.
    pub fn plan(&mut self, coverage: Coverage, now: Timestamp) -> Result<CycleReport, Error> {
        self.take(now)?;
        let Refreshed {
            ad,
            cloud,
            recovered,
            sync,
            schema,
        } = self.refresh(now)?;
        let plan = self.plan_now(schema, coverage, now)?;
        let apply = ApplyReport::default();
        let outcome = match outcome(&plan, &apply) {
            Outcome::Unchanged | Outcome::Applied if plan.has_writes() => Outcome::Pending,
            other => other,
        };
        Ok(CycleReport {
            cycle: 0,
            started: now,
            ad,
            cloud,
            sync,
            plan,
            apply,
            recovered,
            outcome,
        })
    }

    /// Applies a saved plan, exactly: an object whose values are no longer those that the plan saw is refused, and
    /// so is one for which the rules and the imported keys no longer make what the plan says. A plan file only
    /// chooses; what may be written, and whether a guard stops it, is decided here.
    pub fn apply(&mut self, plan: Plan, now: Timestamp) -> Result<CycleReport, Error> {
        if plan.rules != self.rules.fingerprint() {
            let present = self.rules.fingerprint().to_owned();
            return Err(Error::PlanForOtherRules {
                planned: plan.rules,
                present,
            });
        }
        self.take(now)?;
        if plan.target != self.account.url {
            return Err(Error::PlanForOtherTarget {
                planned: plan.target,
                present: self.account.url.clone(),
            });
        }
        let cycle = self.state.begin_cycle(now)?;
        // What an interrupted cycle left behind is accounted for first, so that nothing has two receipts.
        let ad = self.import(Connector::Ad, false, now)?;
        let mut recovered = self.account_for_writes(now)?;
        let mut cloud = ImportCount::default();
        if !plan.exports.is_empty() {
            cloud = self.import(Connector::Cloud, false, now)?;
            recovered = recovered.saturating_add(self.confirm_exports(None, now)?);
        }
        let preflight = Preflight {
            account: self.account.clone(),
            accept_deletes: self.options.accept_deletes,
            ..Preflight::default()
        };
        let today = make_again(&self.state, &self.rules, &preflight, &plan, now)?;
        // What the guards say is never read from the file.
        let mut plan = plan;
        plan.stopped.clone_from(&today.stopped);
        let apply = if plan.stopped.is_empty() {
            self.apply_and_confirm(&plan, Some(&today), cycle, now)?
        } else {
            ApplyReport::default()
        };
        let outcome = if plan.stopped.is_empty() {
            outcome_of_apply(&plan, &apply)
        } else {
            Outcome::GuardStopped
        };
        let report = CycleReport {
            cycle,
            started: now,
            ad,
            cloud,
            sync: SyncCount::default(),
            plan,
            apply,
            recovered,
            outcome,
        };
        self.state.end_cycle(&report, now)?;
        Ok(report)
    }

    /// What the directory's schema has of what the rules need, and who we are there.
    pub fn probe_schema(&mut self) -> Result<(SchemaProbe, Account), Error> {
        let wanted = self.rules.target_attributes();
        let probe = self.directory.schema(&wanted).map_err(of(Connector::Ad))?;
        self.account = self.directory.account().map_err(of(Connector::Ad))?;
        Ok((probe, self.account.clone()))
    }

    /// Our rights on objects of the directory.
    pub fn probe_permissions(
        &mut self,
        anchors: &[Anchor],
        attribute: &str,
    ) -> Result<std::collections::BTreeMap<Anchor, crate::connector::Permission>, Error> {
        self.directory
            .permissions(anchors, attribute)
            .map_err(of(Connector::Ad))
    }

    /// Imports both sides and brings the metaverse up to date.
    fn refresh(&mut self, now: Timestamp) -> Result<Refreshed, Error> {
        let wanted = self.rules.target_attributes();
        let schema = self.directory.schema(&wanted).map_err(of(Connector::Ad))?;
        // An attribute that comes or goes changes what objects show, and no object's change number.
        let spelled: Vec<&str> = schema.present.iter().map(String::as_str).collect();
        let spelled = spelled.join(",");
        let is_new = self.state.meta("schema")?.as_ref() != Some(&spelled);
        if is_new {
            // A cycle that is killed after the import must not take what it showed for what other schema shows.
            self.state.set_meta("schema", "changing")?;
        }
        let resync = self.state.meta(RESYNC)?.as_deref() == Some("yes");
        let ad = self.import(Connector::Ad, self.options.full || is_new || resync, now)?;
        if is_new {
            self.state.set_meta("schema", &spelled)?;
        }
        if resync {
            self.state.set_meta(RESYNC, "no")?;
        }
        let cloud = self.import(Connector::Cloud, self.options.full, now)?;
        let recovered = self.account_for_writes(now)?;
        let recovered = recovered.saturating_add(self.confirm_exports(None, now)?);
        let sync = synchronise::synchronise(&self.state, &self.rules)?;
        self.step(Step::Synchronised(sync))?;
        Ok(Refreshed {
            ad,
            cloud,
            recovered,
            sync,
            schema,
        })
    }

    /// Makes the plan: first without asking, then with the directory's answers for what it would write.
    fn plan_now(
        &mut self,
        schema: SchemaProbe,
        coverage: Coverage,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        let mut preflight = Preflight {
            schema: Some(schema),
            account: self.account.clone(),
            accept_deletes: self.options.accept_deletes,
            ..Preflight::default()
        };
        let (mut plan, mut settled) =
            make_and_settle(&self.state, &self.rules, &preflight, coverage, now)?;
        if self.options.preflight && plan.has_writes() {
            self.probe(&plan, &mut preflight)?;
            (plan, settled) = make_and_settle(&self.state, &self.rules, &preflight, coverage, now)?;
        }
        self.settle_persons(settled)?;
        let objects = plan.objects.iter().filter(|object| object.has_writes());
        let exports = plan.exports.iter().filter(|export| export.is_write());
        self.step(Step::Planned(objects.count() + exports.count()))?;
        Ok(plan)
    }

    /// Notes who is in order.
    fn settle_persons(&self, persons: Vec<i64>) -> Result<(), Error> {
        let transaction = self.state.begin()?;
        self.state.settle_persons(&persons)?;
        Ok(transaction.commit()?)
    }

    /// Looks again at those who were just written, so that the next cycle need not.
    fn settle_written(&mut self, now: Timestamp) -> Result<(), Error> {
        synchronise::synchronise(&self.state, &self.rules)?;
        let preflight = Preflight::default();
        let coverage = Coverage::Pending;
        let (_, settled) = make_and_settle(&self.state, &self.rules, &preflight, coverage, now)?;
        self.settle_persons(settled)
    }

    fn probe(&mut self, plan: &Plan, preflight: &mut Preflight) -> Result<(), Error> {
        let mut wanted: std::collections::BTreeMap<&str, Vec<Anchor>> =
            std::collections::BTreeMap::new();
        for object in plan.objects.iter().filter(|object| object.has_writes()) {
            wanted
                .entry(&object.attribute)
                .or_default()
                .extend(object.anchor.clone());
        }
        for (attribute, anchors) in wanted {
            self.step(Step::Probing(anchors.len()))?;
            let answers = self
                .directory
                .permissions(&anchors, attribute)
                .map_err(of(Connector::Ad))?;
            let answers = answers
                .into_iter()
                .map(|(anchor, p)| ((anchor, attribute.to_owned()), p));
            preflight.permissions.extend(answers);
        }
        Ok(())
    }

    /// Makes this engine the only one on the state.
    fn take(&mut self, now: Timestamp) -> Result<(), Error> {
        self.state.lock()?;
        self.state.register(&self.rules)?;
        let transaction = self.state.begin()?;
        self.fence = self.state.take_lease(&self.options.holder, now)?;
        transaction.commit()?;
        self.account = self.directory.account().map_err(of(Connector::Ad))?;
        Ok(())
    }

    fn step(&mut self, step: Step<'_>) -> Result<(), Error> {
        match (self.observer)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        }
    }
}

/// What an import of both sides brought.
struct Refreshed {
    ad: ImportCount,
    cloud: ImportCount,
    recovered: u64,
    sync: SyncCount,
    schema: SchemaProbe,
}

/// Says which connected system failed.
fn of(connector: Connector) -> impl Fn(ConnectorError) -> Error {
    move |source| Error::Connector { connector, source }
}

fn outcome(plan: &Plan, apply: &ApplyReport) -> Outcome {
    if plan.stopped.is_empty() {
        outcome_of_apply(plan, apply)
    } else {
        Outcome::GuardStopped
    }
}

fn outcome_of_apply(plan: &Plan, apply: &ApplyReport) -> Outcome {
    if plan.summary.blocked > 0 || apply.refused > 0 {
        return Outcome::Refused;
    }
    let wrote = apply
        .objects
        .iter()
        .any(|object| matches!(object.state, OutcomeState::Written { .. }));
    if wrote {
        Outcome::Applied
    } else {
        Outcome::Unchanged
    }
}
