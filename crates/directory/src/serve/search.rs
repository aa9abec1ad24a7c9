//! Searches: the rootDSE and the subschema here, everything else in the directory.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::Duration;

use ldap::controls::PagedResults;
use ldap::{Control, EntryEncoder, Filter, LdapResult, Operation as Reply, ResultCode, Scope};

use super::controls::Asked;
use super::conversation::{Conversation, Step};
use super::reply;
use super::work::Work;
use super::{root_dse, subschema};
use crate::schema::Schema;
use crate::{Entry, Error, Name, Page, SearchDone, SearchRequest};

/// A search for the directory, and what its last reply needs.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: SearchRequest,
    /// Whether the last reply carries the paged results control.
    paged: bool,
}

/// Answers a search, or makes work of it when it may take long.
pub(super) fn take(
    conversation: &Conversation,
    id: u32,
    search: ldap::SearchRequest,
    controls: &[Control],
    out: &mut Vec<u8>,
) -> Step {
    match understand(conversation, search, controls) {
        Ok(Asks::RootDse(search)) => root_dse::answer(conversation, id, &search, out),
        Ok(Asks::Subschema(search)) => subschema::answer(conversation, id, &search, out),
        Ok(Asks::Nothing) => {
            // A page of no entries ends a paged search (RFC 2696 3).
            let page = PagedResults::default().to_control();
            let done = Reply::SearchResultDone(LdapResult::success());
            reply::send_with(out, id, done, vec![page]);
        }
        Ok(Asks::Directory(question, time_max)) => {
            if !is_cheap(conversation.shared.directory.schema(), &question.request) {
                return Step::Work(Work::Search {
                    id,
                    question: Box::new(question),
                    time_max,
                });
            }
            let directory = &conversation.shared.directory;
            let done = directory.search(&conversation.session, &question.request, &mut |entry| {
                write_entry(out, id, &entry);
                ControlFlow::Continue(())
            });
            write_done(out, id, &question, done);
        }
        Err(result) => reply::send(out, id, Reply::SearchResultDone(result)),
    }
    Step::Done
}

enum Asks {
    RootDse(ldap::SearchRequest),
    Subschema(ldap::SearchRequest),
    Directory(Question, Duration),
    Nothing,
}

fn understand(
    conversation: &Conversation,
    search: ldap::SearchRequest,
    controls: &[Control],
) -> Result<Asks, LdapResult> {
    let asked = Asked::read(controls)?;
    if search.base.is_empty() && search.scope == Scope::BaseObject {
        return Ok(Asks::RootDse(search));
    }
    conversation.signed_in()?;
    if subschema::is_named_by(conversation, &search.base) {
        return Ok(Asks::Subschema(search));
    }
    let base: Name = search
        .base
        .parse()
        .map_err(|error| reply::refusal(&error))?;
    let options = &conversation.shared.options;
    let page_size_max = options.page_size_max;
    let size_limit = usize::try_from(search.size_limit).unwrap_or(usize::MAX);
    let paged = asked.page.is_some();
    let (page, size_limit) = match asked.page {
        Some(page) if page.size == 0 => return Ok(Asks::Nothing),
        Some(PagedResults { size, cookie }) => {
            let size = usize::try_from(size)
                .unwrap_or(usize::MAX)
                .min(page_size_max);
            (Some(Page { size, cookie }), size_limit)
        }
        None if size_limit == 0 => (None, page_size_max),
        None => (None, size_limit.min(page_size_max)),
    };
    let wished = Duration::from_secs(search.time_limit_s.into());
    let time_max = match search.time_limit_s {
        0 => options.search_time_max,
        _ => wished.min(options.search_time_max),
    };
    let request = SearchRequest {
        base,
        scope: search.scope,
        filter: search.filter,
        attributes: search.attributes,
        types_only: search.types_only,
        size_limit,
        page,
        show_deleted: asked.show_deleted,
        descriptor_flags: asked.descriptor_flags,
        extended_dn: asked.extended_dn,
        all_naming_contexts: asked.phantom_root,
        stop: None,
    };
    if request.base == Name::Dn(types::Dn::ROOT) && !request.all_naming_contexts {
        return Err(reply::refusal(&Error::NoSuchObject {
            name: String::new(),
            nearest: types::Dn::ROOT,
        }));
    }
    Ok(Asks::Directory(Question { request, paged }, time_max))
}

/// Appends a found entry.
pub(super) fn write_entry(out: &mut Vec<u8>, id: u32, entry: &Entry<'_>) {
    let mut encoder = EntryEncoder::begin(out, id, &entry.dn);
    for attribute in &entry.attributes {
        encoder.attribute(&attribute.name);
        for value in &attribute.values {
            encoder.value(value);
        }
    }
    encoder.finish();
}

/// Appends the end of a search.
pub(super) fn write_done(
    out: &mut Vec<u8>,
    id: u32,
    question: &Question,
    done: Result<SearchDone, Error>,
) {
    let (result, cookie) = match done {
        Ok(done) if done.size_limit_reached => (
            LdapResult::new(ResultCode::SIZE_LIMIT_EXCEEDED),
            done.cookie,
        ),
        Ok(done) => (LdapResult::success(), done.cookie),
        Err(error) => (reply::refusal(&error), None),
    };
    let reply = Reply::SearchResultDone(result);
    if question.paged {
        let page = PagedResults {
            size: 0,
            cookie: cookie.unwrap_or_default(),
        };
        reply::send_with(out, id, reply, vec![page.to_control()]);
    } else {
        reply::send(out, id, reply);
    }
}

/// Whether the answer takes microseconds, so that handing it to another thread would cost more than doing it here:
/// one object by name, or an indexed attribute that few objects share a value of.
fn is_cheap(schema: &Schema, request: &SearchRequest) -> bool {
    let mut parts_left = LIGHT_PARTS_MAX;
    is_light(&request.filter, &mut parts_left)
        && (request.scope == Scope::BaseObject
            || is_selective(schema, &request.filter, FILTER_DEPTH))
}

/// Whether the filter takes next to nothing to test: few parts, and no matching rule, which may follow links far.
fn is_light(filter: &Filter, parts_left: &mut u32) -> bool {
    let Some(left) = parts_left.checked_sub(1) else {
        return false;
    };
    *parts_left = left;
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().all(|part| is_light(part, parts_left))
        }
        Filter::Not(part) => is_light(part, parts_left),
        Filter::Extensible(_) => false,
        _ => true,
    }
}

fn is_selective(schema: &Schema, filter: &Filter, depth_left: u32) -> bool {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return false;
    };
    match filter {
        Filter::Equality(pair) => schema
            .attribute(&pair.attribute)
            .is_some_and(|attribute| attribute.is_indexed() && SELECTIVE.contains(&attribute.name)),
        Filter::And(parts) => parts
            .iter()
            .any(|part| is_selective(schema, part, depth_left)),
        Filter::Or(parts) => {
            (1..=OR_PARTS_MAX).contains(&parts.len())
                && parts
                    .iter()
                    .all(|part| is_selective(schema, part, depth_left))
        }
        _ => false,
    }
}

/// A filter with more parts than this is not tested on the thread that serves other connections too.
const LIGHT_PARTS_MAX: u32 = 64;
/// Attributes whose values name one object, or a handful.
const SELECTIVE: &[&str] = &[
    "sAMAccountName",
    "objectSid",
    "objectGUID",
    "userPrincipalName",
    "servicePrincipalName",
    "cn",
    "name",
    "mail",
    "proxyAddresses",
    "displayName",
    "msDS-ExternalDirectoryObjectId",
    "mS-DS-ConsistencyGuid",
];
const FILTER_DEPTH: u32 = 4;
const OR_PARTS_MAX: usize = 32;

/// An entry that the server makes up itself.
pub(super) type MadeUp = Vec<(&'static str, Vec<Cow<'static, [u8]>>)>;

/// Answers a base search on an entry that the server makes up: filter, selection, types alone.
pub(super) fn answer_made_up(
    id: u32,
    dn: &str,
    entry: &MadeUp,
    search: &ldap::SearchRequest,
    out: &mut Vec<u8>,
) {
    if matches(&search.filter, entry) {
        let everything =
            search.attributes.is_empty() || search.attributes.iter().any(|a| a == "*" || a == "+");
        let mut encoder = EntryEncoder::begin(out, id, dn);
        for (name, values) in entry {
            if everything
                || search
                    .attributes
                    .iter()
                    .any(|asked| asked.eq_ignore_ascii_case(name))
            {
                encoder.attribute(name);
                let values = if search.types_only {
                    &[]
                } else {
                    values.as_slice()
                };
                values.iter().for_each(|value| encoder.value(value));
            }
        }
        encoder.finish();
    }
    reply::send(out, id, Reply::SearchResultDone(LdapResult::success()));
}

/// Presence and equality, without regard to case: all that clients ask of such entries. The rest is not true.
fn matches(filter: &Filter, entry: &MadeUp) -> bool {
    let values = |name: &str| {
        entry
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, values)| values)
    };
    match filter {
        Filter::And(parts) => parts.iter().all(|part| matches(part, entry)),
        Filter::Or(parts) => parts.iter().any(|part| matches(part, entry)),
        Filter::Not(part) => !matches(part, entry),
        // Every entry has a class, also the rootDSE, which shows none.
        Filter::Present(name) => name.eq_ignore_ascii_case("objectClass") || values(name).is_some(),
        Filter::Equality(pair) => values(&pair.attribute)
            .is_some_and(|values| values.iter().any(|v| v.eq_ignore_ascii_case(&pair.value))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SchemaLevel;

    #[test]
    fn heavy_filters_leave_the_thread_of_the_connections() {
        // Bug: a read of one object, or a search by name, was answered on that thread whatever else its filter asked:
        // 100,000 parts that each follow links stopped the server for everybody.
        let schema = Schema::of(SchemaLevel::WindowsServer2016);
        let name = "(cn=Ada)";
        let chain = "(memberOf:1.2.840.113556.1.4.1941:=CN=Staff,DC=corp)";
        let many = format!("(&{name}{})", "(!(description=x))".repeat(100));
        for (filter, by_name, read) in [
            (name, true, true),
            ("(objectClass=*)", false, true),
            (&format!("(&{name}{chain})"), false, false),
            (chain, false, false),
            (&many, false, false),
        ] {
            let cheap = |scope| {
                let base = Name::Dn("DC=corp".parse().unwrap());
                let request = SearchRequest::new(base, scope, filter.parse().unwrap());
                is_cheap(schema, &request)
            };
            assert_eq!(cheap(Scope::WholeSubtree), by_name, "{filter}");
            assert_eq!(cheap(Scope::BaseObject), read, "{filter}");
        }
    }
}
