//! What of a found object goes to the client (MS-ADTS 3.1.1.3.1.3.2, 3.1.1.3.4.1).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use ldap::controls::ExtendedDn;

use super::value::{head_attributes, head_values};
use super::{Search, Visible, constructed, metadata};
use crate::access::{Readable, read_descriptor};
use crate::model::{Dnt, Object, Reader, Reference, extended_dn, shown};
use crate::schema::{Attribute, AttributeId, Schema, Syntax};
use crate::{Entry, EntryAttribute, Error, SearchRequest};

/// MaxValRange: more values than this are given in ranges (MS-ADTS 3.1.1.3.4.6).
const RANGE_LENGTH_MAX: usize = 1500;

/// What the request asks for.
pub(super) struct Selection<'a> {
    /// `*`, or nothing named.
    all: bool,
    named: Vec<Wanted<'a>>,
}

struct Wanted<'a> {
    attribute: &'static Attribute,
    /// As the client spelt it.
    name: &'a str,
    range: Option<(usize, Option<usize>)>,
}

impl<'a> Selection<'a> {
    pub(super) fn parse(schema: &'static Schema, request: &'a SearchRequest) -> Self {
        let names = &request.attributes;
        let none = names.iter().any(|name| name == "1.1") && names.len() == 1;
        let all = !none && (names.is_empty() || names.iter().any(|name| name == "*"));
        let mut named: Vec<Wanted<'a>> = Vec::new();
        for name in names {
            let (bare, options) = name.split_once(';').unwrap_or((name, ""));
            let Some(attribute) = schema.attribute(bare) else {
                continue;
            };
            if named
                .iter()
                .any(|wanted| wanted.attribute.id == attribute.id)
            {
                continue;
            }
            named.push(Wanted {
                attribute,
                name: bare,
                range: range(options),
            });
        }
        // With the SD flags control the descriptor is asked for even when it is not named.
        let descriptor = schema.known().security_descriptor;
        if all
            && request.descriptor_flags.is_some()
            && !named.iter().any(|w| w.attribute.id == descriptor)
        {
            let attribute = schema.attribute_by_id(descriptor);
            named.push(Wanted {
                attribute,
                name: attribute.name,
                range: None,
            });
        }
        Self { all, named }
    }

    fn names(&self, id: AttributeId) -> bool {
        self.named.iter().any(|wanted| wanted.attribute.id == id)
    }
}

/// `range=0-99` or `range=100-*`
fn range(options: &str) -> Option<(usize, Option<usize>)> {
    let option = options
        .split(';')
        .find(|option| option.to_ascii_lowercase().starts_with("range="))?;
    let (low, high) = option.get("range=".len()..)?.split_once('-')?;
    let high = if high == "*" {
        None
    } else {
        Some(high.parse().ok()?)
    };
    Some((low.parse().ok()?, high))
}

type Values<'o> = Vec<Cow<'o, [u8]>>;

impl Search<'_> {
    pub(super) fn entry<'o>(
        &'o self,
        object: &'o Object,
        visible: &Visible,
    ) -> Result<Entry<'o>, Error> {
        let reader = self.snapshot.reader();
        let plain = reader.dn(object)?;
        let dn = match self.request.extended_dn {
            Some(form) => extended_dn(object, &plain, form),
            None => plain,
        };
        let mut attributes = Vec::new();
        if self.selection.all {
            self.put_all(&reader, object, visible, &mut attributes)?;
        }
        for wanted in &self.selection.named {
            self.put_named(&reader, object, visible, wanted, &mut attributes)?;
        }
        if self.request.types_only {
            attributes
                .iter_mut()
                .for_each(|attribute| attribute.values.clear());
        }
        Ok(Entry {
            dn: dn.into(),
            attributes,
        })
    }

    fn may_read(readable: Option<&Readable>, id: AttributeId) -> bool {
        readable.is_none_or(|readable| readable.may_read(id))
    }

    /// Everything that is there and not only given when named.
    fn put_all<'o>(
        &self,
        reader: &Reader<'_>,
        object: &'o Object,
        visible: &Visible,
        attributes: &mut Vec<EntryAttribute<'o>>,
    ) -> Result<(), Error> {
        let schema = reader.schema;
        let known = schema.known();
        let readable = visible.readable();
        let wanted = |id| Self::may_read(readable, id) && !self.selection.names(id);
        for id in head_attributes(reader, object) {
            if wanted(id)
                && let Some(values) = head_values(reader, object, id)?
            {
                attributes.push(EntryAttribute {
                    name: schema.attribute_by_id(id).name.into(),
                    values,
                });
            }
        }
        for (id, values) in object.attributes() {
            let attribute = schema.attribute_by_id(id);
            if !wanted(id) || attribute.is_operational() {
                continue;
            }
            let values = self.shown(reader, attribute, values)?;
            if !values.is_empty() {
                attributes.push(EntryAttribute {
                    name: attribute.name.into(),
                    values,
                });
            }
        }
        for (id, ends) in all_links(reader, object)? {
            // This back link is given only when it is named; the others come with `*`.
            if wanted(id) && id != known.key_credential_back_link {
                let attribute = schema.attribute_by_id(id);
                self.put_links(reader, attribute, attribute.name, None, &ends, attributes)?;
            }
        }
        Ok(())
    }

    fn put_named<'o>(
        &self,
        reader: &Reader<'_>,
        object: &'o Object,
        visible: &Visible,
        wanted: &Wanted<'_>,
        attributes: &mut Vec<EntryAttribute<'o>>,
    ) -> Result<(), Error> {
        let known = reader.schema.known();
        let attribute = wanted.attribute;
        let name = || Cow::Owned(wanted.name.to_owned());
        if attribute.id == known.security_descriptor {
            let target = Reader::target(object, &visible.descriptor);
            let flags = self.request.descriptor_flags;
            if let Some(bytes) = read_descriptor(self.session.token(), &target, flags) {
                attributes.push(EntryAttribute {
                    name: name(),
                    values: vec![bytes.into()],
                });
            }
            return Ok(());
        }
        if attribute.id == known.unicode_pwd || !Self::may_read(visible.readable(), attribute.id) {
            return Ok(());
        }
        if attribute.link_id.is_some() {
            let ends = link_ends(reader, object, attribute)?;
            let (name, range) = (wanted.name, wanted.range);
            return self.put_links(reader, attribute, name, range, &ends, attributes);
        }
        let values = if let Some(values) = head_values(reader, object, attribute.id)? {
            values
        } else if let Some(values) = self.computed(reader, object, visible, attribute)? {
            values.into_iter().map(Cow::Owned).collect()
        } else {
            self.shown(reader, attribute, object.values(attribute.id))?
        };
        if values.is_empty() {
            return Ok(());
        }
        let (name, values) = in_range(attribute, wanted.name, wanted.range, values);
        attributes.push(EntryAttribute {
            name: name.into(),
            values,
        });
        Ok(())
    }

    fn computed(
        &self,
        reader: &Reader<'_>,
        object: &Object,
        visible: &Visible,
        attribute: &Attribute,
    ) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let target = Reader::target(object, &visible.descriptor);
        match constructed::values(self, reader, object, &target, attribute)? {
            Some(values) => Ok(Some(values)),
            None => metadata::values(
                reader,
                object,
                attribute,
                self.snapshot.naming.invocation_id,
            ),
        }
    }

    /// Stored values in LDAP form.
    fn shown<'o>(
        &self,
        reader: &Reader<'_>,
        attribute: &Attribute,
        values: crate::model::Values<'o>,
    ) -> Result<Values<'o>, Error> {
        if !attribute.syntax.is_reference() {
            return Ok(values.map(Cow::Borrowed).collect());
        }
        let mut shown = Vec::new();
        for value in values {
            let Some(reference) = Reference::decode(value) else {
                continue;
            };
            let text = reference.render(reader, attribute.syntax, self.request.extended_dn)?;
            shown.extend(text.map(|text| Cow::Owned(text.into_bytes())));
        }
        Ok(shown)
    }

    fn put_links<'o>(
        &self,
        reader: &Reader<'_>,
        attribute: &Attribute,
        name: &str,
        range: Option<(usize, Option<usize>)>,
        ends: &[LinkEnd],
        attributes: &mut Vec<EntryAttribute<'o>>,
    ) -> Result<(), Error> {
        if ends.is_empty() {
            return Ok(());
        }
        let total = ends.len();
        let (low, high, is_ranged) = bounds(range, total);
        let Some(part) = ends.get(low..high) else {
            return Ok(());
        };
        let mut values: Values<'o> = Vec::with_capacity(part.len());
        // A back link is a plain name, whatever stands beside the name in the forward link.
        let syntax = if attribute.is_back_link() {
            Syntax::Dn
        } else {
            attribute.syntax
        };
        for (dnt, payload) in part {
            let text = self.link_text(reader, syntax, *dnt, payload, self.request.extended_dn)?;
            values.extend(text.map(|text| Cow::Owned(text.into_bytes())));
        }
        let name = if is_ranged {
            ranged_name(name, low, high, total)
        } else {
            name.to_owned()
        };
        attributes.push(EntryAttribute {
            name: name.into(),
            values,
        });
        Ok(())
    }

    fn link_text(
        &self,
        reader: &Reader<'_>,
        syntax: Syntax,
        dnt: Dnt,
        payload: &[u8],
        extended: Option<ExtendedDn>,
    ) -> Result<Option<String>, Error> {
        Ok(reader
            .shown_dn(dnt, extended)?
            .map(|name| shown(syntax, payload, &name)))
    }
}

/// The other object of a link value, and what stands beside its name.
type LinkEnd = (Dnt, Vec<u8>);

/// The values of one link attribute; of a back link one per forward value, as AD gives them.
fn link_ends(
    reader: &Reader<'_>,
    object: &Object,
    attribute: &Attribute,
) -> Result<Vec<LinkEnd>, Error> {
    if attribute.is_forward_link() {
        let links = reader.links(object.dnt, attribute.id)?;
        return Ok(links.into_iter().map(|l| (l.target, l.payload)).collect());
    }
    let Some(forward) = reader.schema.link_partner(attribute) else {
        return Ok(Vec::new());
    };
    let back = reader.back_links(object.dnt, Some(forward.id))?;
    Ok(back.into_iter().map(|l| (l.source, Vec::new())).collect())
}

/// All link values of an object, both ways, from one look at each table.
fn all_links(
    reader: &Reader<'_>,
    object: &Object,
) -> Result<BTreeMap<AttributeId, Vec<LinkEnd>>, Error> {
    let mut all: BTreeMap<AttributeId, Vec<LinkEnd>> = BTreeMap::new();
    if object.header.has_links {
        reader.link_rows(object.dnt, None, &mut |link, row| {
            if row.is_present {
                let ends = all.entry(link.attribute).or_default();
                ends.push((link.target, link.payload));
            }
            ControlFlow::Continue(())
        })?;
    }
    if !object.dnt.is_virtual() {
        for link in reader.back_links(object.dnt, None)? {
            let forward = reader.schema.attribute_by_id(link.attribute);
            if let Some(back) = reader.schema.link_partner(forward) {
                all.entry(back.id)
                    .or_default()
                    .push((link.source, Vec::new()));
            }
        }
    }
    Ok(all)
}

/// The part of `total` values to give, and whether the name must say so.
fn bounds(range: Option<(usize, Option<usize>)>, total: usize) -> (usize, usize, bool) {
    match range {
        None => (0, total.min(RANGE_LENGTH_MAX), total > RANGE_LENGTH_MAX),
        Some((low, high)) => {
            let end = high.map_or(usize::MAX, |high| high.saturating_add(1));
            let high = end.min(total).min(low.saturating_add(RANGE_LENGTH_MAX));
            (low.min(high), high, true)
        }
    }
}

fn ranged_name(name: &str, low: usize, high: usize, total: usize) -> String {
    if high >= total {
        format!("{name};range={low}-*")
    } else {
        format!("{name};range={low}-{}", high.saturating_sub(1))
    }
}

/// Plain attributes have ranges too, though few have as many values.
fn in_range<'o>(
    attribute: &Attribute,
    name: &str,
    range: Option<(usize, Option<usize>)>,
    values: Values<'o>,
) -> (String, Values<'o>) {
    if attribute.single_valued || (range.is_none() && values.len() <= RANGE_LENGTH_MAX) {
        return (name.to_owned(), values);
    }
    let total = values.len();
    let (low, high, is_ranged) = bounds(range, total);
    let part = values
        .into_iter()
        .skip(low)
        .take(high.saturating_sub(low))
        .collect();
    (
        if is_ranged {
            ranged_name(name, low, high, total)
        } else {
            name.to_owned()
        },
        part,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range("range=0-99"), Some((0, Some(99))));
        assert_eq!(range("binary;Range=5-*"), Some((5, None)));
        assert_eq!(range("range=a-b"), None);
        assert_eq!(bounds(None, 3), (0, 3, false));
        assert_eq!(bounds(None, 2000), (0, 1500, true));
        assert_eq!(bounds(Some((1500, None)), 2000), (1500, 2000, true));
        assert_eq!(bounds(Some((9000, None)), 2000), (2000, 2000, true));
        assert_eq!(ranged_name("member", 0, 1500, 2000), "member;range=0-1499");
        assert_eq!(
            ranged_name("member", 1500, 2000, 2000),
            "member;range=1500-*"
        );
    }
}
