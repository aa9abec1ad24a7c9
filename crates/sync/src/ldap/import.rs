//! Full and delta import by `uSNChanged`.

use ldap3::Scope;
use types::{Dn, Guid};

use super::connection::{Connection, Query};
use super::cursor::UsnCursor;
use super::entry::{Entry, kept};
use crate::connector::{
    Anchor, Attributes, Change, ConnectorError, Cursor, ImportRequest, Kinds, Sink, StagedObject,
};

/// Users, as AD means them: computers are users too and are left out.
const USERS: &str = "(&(objectClass=user)(!(objectClass=computer)))";
/// The same with computers.
const USERS_AND_COMPUTERS: &str = "(objectClass=user)";
/// What the account of a read-only domain controller's key has, and nothing else (MS-ADTS 2.2.16).
const KEY_NUMBER: &str = "msDS-SecondaryKrbTgtNumber";

/// The kind of an object. A filter could not ask for it: where an attribute may not be read, its absence cannot be either.
fn kind(entry: &Entry, kinds: &Kinds) -> &'static str {
    let classes = entry.values("objectClass");
    if classes
        .iter()
        .any(|class| class.eq_ignore_ascii_case(b"computer"))
    {
        "computer"
    } else if kinds.has("kerberosServer") && !entry.values(KEY_NUMBER).is_empty() {
        "kerberosServer"
    } else {
        "user"
    }
}

/// Reads all objects of the wanted kinds, or those that changed.
pub(super) fn import(
    connection: &mut Connection,
    base_dn: Option<&str>,
    request: ImportRequest<'_>,
    sink: &mut Sink<'_>,
) -> Result<Cursor, ConnectorError> {
    let root = connection.root()?;
    let now = position(connection)?;
    let base = base_dn.unwrap_or(&root.domain).to_owned();
    let within = base
        .parse::<Dn>()
        .map_err(|error| ConnectorError::Refused {
            url: connection.url().to_owned(),
            why: format!("the base: {error}"),
        })?;
    let mut attributes = request.kinds.attributes();
    attributes.extend(["objectGUID", "isDeleted", "objectClass"]);
    let attributes: Vec<&str> = attributes.into_iter().collect();
    let objects = match request.kinds.has("computer") {
        true => USERS_AND_COMPUTERS,
        false => USERS,
    };
    let Some(cursor) = request.since else {
        let query = Query {
            base: &base,
            scope: Scope::Subtree,
            filter: objects,
            attributes: &attributes,
            deleted: false,
        };
        read(connection, query, &within, request.kinds, sink)?;
        return Ok(now.into());
    };
    let resync = |why: &str| ConnectorError::ResyncRequired(base.clone(), why.to_owned());
    let since = UsnCursor::parse(cursor).ok_or_else(|| resync("the cursor cannot be read"))?;
    if since.database != now.database {
        return Err(resync(
            "the domain controller has another database than last time (invocationID)",
        ));
    }
    if since.usn > now.usn {
        return Err(resync(
            "the domain controller is older than last time (highestCommittedUSN)",
        ));
    }
    if since.usn < now.usn {
        // From the domain's root, so that what was moved out of the base, or deleted, is seen too.
        let first = since.usn.saturating_add(1);
        let filter =
            format!("(&(uSNChanged>={first})(|{objects}(&(isDeleted=TRUE)(objectClass=user))))");
        let query = Query {
            base: &root.domain,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &attributes,
            deleted: true,
        };
        read(connection, query, &within, request.kinds, sink)?;
    }
    Ok(now.into())
}

/// Where the database is now. Asked for before anything is read.
fn position(connection: &mut Connection) -> Result<UsnCursor, ConnectorError> {
    let root = connection.root()?;
    let entry = connection.object("", &["highestCommittedUSN"])?;
    let usn = entry
        .and_then(|entry| entry.text("highestCommittedUSN"))
        .and_then(|text| text.parse().ok());
    let usn = usn.ok_or_else(|| connection.nonsense("its rootDSE has no highestCommittedUSN"))?;
    let invocation = match &root.settings {
        Some(settings) => connection.object(settings, &["invocationId"])?,
        None => None,
    };
    let octets = invocation.and_then(|entry| entry.values("invocationId").first().cloned());
    let database = match (octets, root.settings) {
        (Some(octets), _) => data_encoding::HEXLOWER.encode(&octets),
        // Whoever may not read it still notices another domain controller.
        (None, Some(settings)) => settings,
        (None, None) => "unknown".to_owned(),
    };
    Ok(UsnCursor { usn, database })
}

fn read(
    connection: &mut Connection,
    query: Query<'_>,
    within: &Dn,
    kinds: &Kinds,
    sink: &mut Sink<'_>,
) -> Result<(), ConnectorError> {
    let attributes = kinds.attributes();
    let url = connection.url().to_owned();
    let mut ranged: Vec<Entry> = Vec::new();
    connection.search(query, &mut |entry| {
        if attributes
            .iter()
            .any(|name| entry.next_range(name).is_some())
        {
            ranged.push(entry);
            return Ok(());
        }
        give(entry, within, kinds, &url, sink)
    })?;
    // Objects with more values than fit one answer are finished one by one, outside of the search.
    for mut entry in ranged {
        for name in &attributes {
            finish_range(connection, &mut entry, name)?;
        }
        give(entry, within, kinds, &url, sink)?;
    }
    Ok(())
}

/// Reads the rest of an attribute that came in part.
pub(super) fn finish_range(
    connection: &mut Connection,
    entry: &mut Entry,
    name: &str,
) -> Result<(), ConnectorError> {
    let mut next = entry.next_range(name);
    entry.fold_range(name);
    while let Some(first) = next {
        let wanted = format!("{name};range={first}-*");
        let Some(mut part) = connection.object(&entry.dn, &[wanted.as_str()])? else {
            return Ok(());
        };
        next = part.next_range(name).filter(|number| *number > first);
        part.fold_range(name);
        entry.extend(name, part.values(name));
    }
    Ok(())
}

fn give(
    entry: Entry,
    within: &Dn,
    kinds: &Kinds,
    url: &str,
    sink: &mut Sink<'_>,
) -> Result<(), ConnectorError> {
    let guid = entry
        .values("objectGUID")
        .first()
        .and_then(|octets| <[u8; 16]>::try_from(octets.as_slice()).ok());
    let Some(guid) = guid.map(Guid::from_bytes_le) else {
        let why = format!(
            "{} has no objectGUID; the connector account may not read it",
            entry.dn
        );
        return Err(ConnectorError::Nonsense {
            url: url.to_owned(),
            why,
        });
    };
    let anchor = Anchor::new(guid.to_string());
    let deleted = entry
        .text("isDeleted")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let outside = entry.dn.parse::<Dn>().is_ok_and(|dn| !dn.is_within(within));
    if deleted || outside {
        return Ok(sink(Change::Delete(anchor))?);
    }
    let kind = kind(&entry, kinds);
    let wanted = kinds.0.get(kind).into_iter().flatten();
    let values = wanted.map(|name| (name.clone(), entry.values(name).iter().map(kept).collect()));
    let attributes: Attributes = values.collect();
    let object = StagedObject {
        anchor,
        kind: kind.to_owned(),
        name: entry.dn,
        attributes,
    };
    Ok(sink(Change::Upsert(object))?)
}
