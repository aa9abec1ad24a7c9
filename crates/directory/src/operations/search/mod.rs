//! Searches (MS-ADTS 3.1.1.3.4): which objects, in what order, and what of them.
//!
//! A filter becomes a [`Test`]; the plan finds candidates by the index that leaves the fewest; every candidate is
//! tested in full, against what the caller may read. Candidates come in the order of their numbers, so that a page
//! ends with a number and the next one starts behind it.

mod compile;
mod constructed;
mod entry;
mod metadata;
mod plan;
mod test;
mod value;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ldap::Scope;
use ldap::diagnostic::win32;
use types::Dn;

pub(super) use test::Test;

use super::Sink;
use crate::access::{self, Readable};
use crate::model::{Descriptor, Dnt, Object, Reader, Snapshot};
use crate::{Error, Name, SearchDone, SearchRequest, Session};
use entry::Selection;
use plan::Candidates;

/// Most LDAP_MATCHING_RULE_TRANSITIVE_EVAL parts of one filter.
const CHAINS_MAX: usize = 64;

/// An object that the caller may know of, and what of it may be read.
pub(crate) struct Visible {
    descriptor: Arc<Descriptor>,
    readable: Option<Arc<Readable>>,
}

impl Visible {
    /// `None` where the caller may not know of the object.
    pub(super) fn of(
        snapshot: &Snapshot,
        session: &Session,
        object: &Object,
    ) -> Result<Option<Self>, Error> {
        let reader = snapshot.reader();
        let descriptor = reader.descriptor(object.descriptor_id())?;
        if session.is_system() {
            return Ok(Some(Self {
                descriptor,
                readable: None,
            }));
        }
        let own = super::readable(&reader, session, object, &descriptor);
        // The parent of a head is of another naming context; the head is visible by itself.
        let parent = if object.is_naming_context_head() {
            None
        } else {
            let parent = snapshot.parent(object.parent())?;
            let descriptor = reader.descriptor(parent.descriptor_id())?;
            Some(super::readable(&reader, session, &parent, &descriptor))
        };
        let sees = access::may_see(snapshot.policy(), parent.as_deref(), &own);
        Ok(sees.then_some(Self {
            descriptor,
            readable: Some(own),
        }))
    }

    /// What may be read; `None` for everything.
    pub(super) fn readable(&self) -> Option<&Readable> {
        self.readable.as_deref()
    }
}

/// One search at work.
struct Search<'a> {
    snapshot: &'a Snapshot,
    session: &'a Session,
    request: &'a SearchRequest,
    test: Test,
    selection: Selection<'a>,
    base: Dnt,
    naming_context: Dnt,
}

pub(crate) fn search(
    snapshot: &Snapshot,
    session: &Session,
    request: &SearchRequest,
    sink: Sink<'_>,
) -> Result<SearchDone, Error> {
    if session.is_anonymous() {
        return Err(Error::NotBound);
    }
    let reader = snapshot.reader();
    let is_root = matches!(&request.base, Name::Dn(dn) if dn.is_root());
    let base = if is_root && request.all_naming_contexts {
        None
    } else {
        let object = reader.find(&request.base, request.show_deleted)?;
        if Visible::of(snapshot, session, &object)?.is_none() {
            return Err(Error::no_object(&request.base, Dn::ROOT));
        }
        Some(object)
    };
    let test = Test::compile(&reader, &request.filter)?;
    // A search is stopped between two objects: the time for one has to be bounded by itself.
    if test.chains() > CHAINS_MAX {
        let why = "the filter follows links too often";
        return Err(Error::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM, why));
    }
    let search = Search {
        snapshot,
        session,
        request,
        test,
        selection: Selection::parse(snapshot.schema, request),
        base: base.as_ref().map_or(Dnt::NONE, |object| object.dnt),
        naming_context: base
            .as_ref()
            .map_or(Dnt::NONE, |object| object.header.naming_context),
    };
    search.run(base, sink)
}

impl Search<'_> {
    fn run(&self, base: Option<Object>, sink: Sink<'_>) -> Result<SearchDone, Error> {
        if self.request.scope == Scope::BaseObject {
            if let Some(base) = base {
                self.offer(&base, sink)?;
            }
            return Ok(SearchDone::default());
        }
        let after = self.cookie()?;
        let reader = self.snapshot.reader();
        let candidates = Candidates::of(
            &reader,
            &self.test,
            self.base,
            self.request.scope,
            self.is_in_schema(),
        )?;
        let mut progress = Progress {
            count: 0,
            last: after,
            done: SearchDone::default(),
            failed: None,
        };
        candidates.visit(&reader, after, &mut |dnt| {
            if self.is_stopped() {
                return ControlFlow::Break(());
            }
            self.step(dnt, &mut progress, sink).unwrap_or_else(|error| {
                progress.failed = Some(error);
                ControlFlow::Break(())
            })
        })?;
        match progress.failed {
            Some(error) => Err(error),
            None => Ok(progress.done),
        }
    }

    /// Whether nobody waits for more. What was found so far is then all.
    fn is_stopped(&self) -> bool {
        let stop = self.request.stop.as_ref();
        stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Looks at one candidate.
    fn step(
        &self,
        dnt: Dnt,
        progress: &mut Progress,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let reader = self.snapshot.reader();
        let Some(object) = reader.object(dnt)? else {
            return Ok(ControlFlow::Continue(()));
        };
        if !self.is_in_scope(&reader, &object)? {
            return Ok(ControlFlow::Continue(()));
        }
        let Some(visible) = self.matching(&object)? else {
            return Ok(ControlFlow::Continue(()));
        };
        // One more than fits proves that there is more.
        if self
            .request
            .page
            .as_ref()
            .is_some_and(|page| progress.count >= page.size.max(1))
        {
            progress.done.cookie = Some(self.cookie_after(progress.last));
            return Ok(ControlFlow::Break(()));
        }
        if self.request.size_limit != 0 && progress.count >= self.request.size_limit {
            progress.done.size_limit_reached = true;
            return Ok(ControlFlow::Break(()));
        }
        let flow = sink(self.entry(&object, &visible)?);
        progress.count = progress.count.saturating_add(1);
        progress.last = Some(dnt);
        Ok(flow)
    }

    fn offer(&self, object: &Object, sink: Sink<'_>) -> Result<(), Error> {
        if let Some(visible) = self.matching(object)? {
            let _whether_more_is_wanted = sink(self.entry(object, &visible)?);
        }
        Ok(())
    }

    /// Whether the object is one of those asked for, and may be seen.
    fn matching(&self, object: &Object) -> Result<Option<Visible>, Error> {
        if object.is_deleted() && !self.request.show_deleted {
            return Ok(None);
        }
        let Some(visible) = Visible::of(self.snapshot, self.session, object)? else {
            return Ok(None);
        };
        let holds = self
            .test
            .holds(&self.snapshot.reader(), object, visible.readable())?;
        Ok((holds == Some(true)).then_some(visible))
    }

    fn is_in_scope(&self, reader: &Reader<'_>, object: &Object) -> Result<bool, Error> {
        if self.base == Dnt::NONE {
            return Ok(true);
        }
        if !self.request.all_naming_contexts && object.header.naming_context != self.naming_context
        {
            return Ok(false);
        }
        if self.request.scope == Scope::SingleLevel {
            return Ok(object.parent() == self.base);
        }
        // The whole naming context is the usual base.
        if self.base == self.naming_context && object.header.naming_context == self.naming_context {
            return Ok(true);
        }
        if object.dnt == self.base || object.parent() == self.base {
            return Ok(true);
        }
        reader.is_within(object.parent(), self.base)
    }

    /// Schema objects are not in any index.
    fn is_in_schema(&self) -> bool {
        let schema_head = self.snapshot.naming.schema_head;
        schema_head.is_some()
            && (schema_head == Some(self.naming_context)
                || self.request.all_naming_contexts
                || self.base == Dnt::NONE)
    }

    /// `version 1 | number of the last entry 8`
    fn cookie(&self) -> Result<Option<Dnt>, Error> {
        match self
            .request
            .page
            .as_ref()
            .map(|page| page.cookie.as_slice())
        {
            None | Some([]) => Ok(None),
            Some([1, number @ ..]) => {
                let number = number.try_into().map(u64::from_be_bytes);
                let invalid = |_| Error::Control {
                    why: "the cookie is not one of ours",
                };
                number.map(|number| Some(Dnt(number))).map_err(invalid)
            }
            Some(_) => Err(Error::Control {
                why: "the cookie is not one of ours",
            }),
        }
    }

    fn cookie_after(&self, last: Option<Dnt>) -> Vec<u8> {
        let mut cookie = vec![1];
        cookie.extend(last.unwrap_or(Dnt::NONE).0.to_be_bytes());
        cookie
    }
}

struct Progress {
    count: usize,
    last: Option<Dnt>,
    done: SearchDone,
    failed: Option<Error>,
}
