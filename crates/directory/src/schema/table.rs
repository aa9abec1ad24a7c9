//! Reads the two tables.
//!
//! A line is one definition, its columns set apart by tabs, empty ones at the end left out. `=` in the `cn`
//! column means that it is `lDAPDisplayName` with hyphens before the capitals; OIDs are shortened by a letter
//! and a colon; GUIDs are 32 hex digits as the text form reads.

use std::collections::{HashMap, HashSet};

use data_encoding::HEXLOWER_PERMISSIVE;
use types::Guid;

use super::{
    Attribute, AttributeId, Class, ClassCategory, ClassDetails, ClassId, Known, Schema,
    SchemaLevel, Syntax,
};

const ATTRIBUTES: &str = include_str!("attributes.tsv");
const CLASSES: &str = include_str!("classes.tsv");
const TOP: ClassId = ClassId(0);

impl Schema {
    pub(super) fn build(level: SchemaLevel) -> Self {
        let attributes: Vec<Attribute> = ATTRIBUTES
            .lines()
            .enumerate()
            .filter_map(attribute)
            .collect();
        let all_names: HashMap<&str, AttributeId> =
            attributes.iter().map(|a| (a.name, a.id)).collect();
        let classes = classes(&all_names);
        let mut schema = Self {
            level,
            known: Known::new(|name| {
                all_names
                    .get(name)
                    .copied()
                    .unwrap_or(AttributeId(u16::MAX))
            }),
            attribute_by_name: HashMap::new(),
            attribute_by_guid: HashMap::new(),
            attribute_by_cn: HashMap::new(),
            attribute_by_link: HashMap::new(),
            property_sets: HashMap::new(),
            class_by_name: HashMap::new(),
            class_by_guid: HashMap::new(),
            class_by_cn: HashMap::new(),
            details: Vec::new(),
            attributes,
            classes,
        };
        schema.index_names();
        schema.details = (0..schema.classes.len())
            .map(|at| schema.details_of(at))
            .collect();
        schema.index_subclasses();
        schema
    }

    fn index_names(&mut self) {
        for attribute in &self.attributes {
            if attribute.since_2016 && self.level == SchemaLevel::WindowsServer2012R2 {
                continue;
            }
            self.attribute_by_name
                .insert(attribute.name.to_ascii_lowercase(), attribute.id);
            self.attribute_by_name
                .insert(attribute.oid.clone(), attribute.id);
            self.attribute_by_guid.insert(attribute.guid, attribute.id);
            self.attribute_by_cn
                .insert(attribute.cn.to_ascii_lowercase(), attribute.id);
            if let Some(link) = attribute.link_id {
                self.attribute_by_link.insert(link, attribute.id);
            }
            if let Some(set) = attribute.security_guid {
                self.property_sets
                    .entry(set)
                    .or_default()
                    .push(attribute.id);
            }
        }
        for class in &self.classes {
            if class.since_2016 && self.level == SchemaLevel::WindowsServer2012R2 {
                continue;
            }
            self.class_by_name
                .insert(class.name.to_ascii_lowercase(), class.id);
            self.class_by_name.insert(class.oid.clone(), class.id);
            self.class_by_guid.insert(class.guid, class.id);
            self.class_by_cn
                .insert(class.cn.to_ascii_lowercase(), class.id);
        }
    }

    fn details_of(&self, at: usize) -> ClassDetails {
        let mut chain = Vec::new();
        let mut next = self.classes.get(at);
        while let Some(class) = next {
            chain.push(class.id);
            next = self
                .classes
                .get(usize::from(class.parent.0))
                .filter(|parent| !chain.contains(&parent.id));
        }
        chain.reverse();
        let linear = self.with_auxiliary(&chain);
        let (mut must, mut allowed, mut superiors) =
            (HashSet::new(), HashSet::new(), HashSet::new());
        for class in linear
            .iter()
            .filter_map(|id| self.classes.get(usize::from(id.0)))
        {
            must.extend(&class.must);
            allowed.extend(class.must.iter().chain(&class.may));
        }
        // Where a class may stand is inherited along the chain alone (MS-ADTS 3.1.1.2.4.3).
        for class in chain
            .iter()
            .filter_map(|id| self.classes.get(usize::from(id.0)))
        {
            superiors.extend(&class.possible_superiors);
        }
        let present = |id: &AttributeId| {
            self.attributes
                .get(usize::from(id.0))
                .is_some_and(|a| !a.since_2016 || self.level == SchemaLevel::WindowsServer2016)
        };
        let sorted = |set: HashSet<AttributeId>| {
            let mut list: Vec<AttributeId> = set.into_iter().filter(present).collect();
            list.sort_unstable();
            list
        };
        ClassDetails {
            chain,
            linear,
            must: sorted(must),
            allowed: sorted(allowed),
            superiors: superiors.into_iter().collect(),
            subclasses: Vec::new(),
        }
    }

    /// Auxiliary classes bring their own bases and auxiliary classes.
    fn with_auxiliary(&self, chain: &[ClassId]) -> Vec<ClassId> {
        let mut linear = chain.to_vec();
        let mut at = 0;
        while let Some(class) = linear
            .get(at)
            .and_then(|id| self.classes.get(usize::from(id.0)))
        {
            for id in class.auxiliary.iter().chain([&class.parent]) {
                if !linear.contains(id) {
                    linear.push(*id);
                }
            }
            at += 1;
        }
        linear
    }

    fn index_subclasses(&mut self) {
        let chains: Vec<Vec<ClassId>> = self
            .details
            .iter()
            .map(|details| details.chain.clone())
            .collect();
        for chain in chains {
            let Some(class) = chain.last().copied() else {
                continue;
            };
            for base in chain {
                if let Some(details) = self.details.get_mut(usize::from(base.0)) {
                    details.subclasses.push(class);
                }
            }
        }
    }
}

/// The columns of a line; missing ones are empty.
struct Columns<'a>(Vec<&'a str>);

impl<'a> Columns<'a> {
    fn of(line: &'a str) -> Self {
        Self(line.split('\t').collect())
    }

    fn get(&self, at: usize) -> &'a str {
        self.0.get(at).copied().unwrap_or_default()
    }

    fn has(&self, at: usize, letter: char) -> bool {
        self.get(at).contains(letter)
    }

    fn number(&self, at: usize) -> Option<u32> {
        let text = self.get(at);
        text.parse::<u32>()
            .ok()
            .or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
    }
}

fn attribute((at, line): (usize, &'static str)) -> Option<Attribute> {
    let columns = Columns::of(line);
    let (attribute_syntax, rest) = columns.get(3).split_once('/')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    // `127` is always followed by the last byte of the object class in hex.
    let (om, class_end) = if let Some(end) = rest.strip_prefix("127") {
        ("127", u8::from_str_radix(end, 16).ok())
    } else {
        (rest.get(..digits)?, None)
    };
    Some(Attribute {
        id: AttributeId(u16::try_from(at).ok()?),
        name: columns.get(0),
        cn: cn(columns.get(1), columns.get(0)),
        oid: oid(columns.get(2)),
        syntax: Syntax::from_numbers(attribute_syntax.parse().ok()?, om.parse().ok()?, class_end)?,
        guid: guid(columns.get(4))?,
        security_guid: guid(columns.get(5)),
        link_id: columns.number(6),
        search_flags: columns.number(7).unwrap_or(0),
        system_flags: columns.number(8).unwrap_or(0),
        single_valued: columns.has(9, 's'),
        system_only: columns.has(9, 'o'),
        in_partial_set: columns.has(9, 'p'),
        range_lower: columns.number(10),
        range_upper: columns.number(11),
        since_2016: columns.has(9, '6'),
    })
}

fn classes(attributes: &HashMap<&str, AttributeId>) -> Vec<Class> {
    // `top` comes first, so that its number is the one to fall back on.
    let mut lines: Vec<&'static str> = CLASSES.lines().collect();
    lines.sort_by_key(|line| !line.starts_with("top\t"));
    let by_name: HashMap<&str, ClassId> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((line.split('\t').next()?, ClassId(u16::try_from(at).ok()?))))
        .collect();
    let class_list = |text: &str| {
        text.split(' ')
            .filter_map(|name| by_name.get(name).copied())
            .collect()
    };
    let attribute_list = |text: &str| {
        text.split(' ')
            .filter_map(|name| attributes.get(name).copied())
            .collect()
    };
    lines
        .iter()
        .filter_map(|line| {
            let columns = Columns::of(line);
            let name = columns.get(0);
            let cn = cn(columns.get(1), name);
            Some(Class {
                id: *by_name.get(name)?,
                name,
                oid: oid(columns.get(2)),
                guid: guid(columns.get(3))?,
                category: match columns.get(4) {
                    "1" => ClassCategory::Structural,
                    "2" => ClassCategory::Abstract,
                    "3" => ClassCategory::Auxiliary,
                    _ => ClassCategory::Any,
                },
                parent: by_name.get(columns.get(5)).copied().unwrap_or(TOP),
                rdn_attribute: *attributes.get(columns.get(6))?,
                system_only: columns.has(7, 'o'),
                hidden: columns.has(7, 'h'),
                default_category_cn: match columns.get(8) {
                    "=" => cn.clone(),
                    other => other.to_owned(),
                },
                cn,
                auxiliary: class_list(columns.get(9)),
                possible_superiors: class_list(columns.get(10)),
                must: attribute_list(columns.get(11)),
                may: attribute_list(columns.get(12)),
                default_descriptor: columns.get(13),
                since_2016: columns.has(7, '6'),
            })
        })
        .collect()
}

/// `=` stands for the display name with a hyphen before each capital.
fn cn(written: &str, name: &str) -> String {
    if written != "=" {
        return written.to_owned();
    }
    let mut cn = String::with_capacity(name.len() + 8);
    for (index, c) in name.chars().enumerate() {
        if index == 0 {
            cn.extend(c.to_uppercase());
        } else {
            if c.is_ascii_uppercase() {
                cn.push('-');
            }
            cn.push(c);
        }
    }
    cn
}

fn oid(short: &str) -> String {
    let Some((letter, rest)) = short.split_once(':') else {
        return short.to_owned();
    };
    let prefix = match letter {
        "2" => "1.2.840.113556.1.2",
        "3" => "1.2.840.113556.1.3",
        "4" => "1.2.840.113556.1.4",
        "5" => "1.2.840.113556.1.5",
        _ => "2.5.4",
    };
    format!("{prefix}.{rest}")
}

fn guid(hex: &str) -> Option<Guid> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
    Some(Guid::from_bytes_be(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let schema = Schema::of(SchemaLevel::WindowsServer2016);
        assert_eq!(schema.attributes().count(), ATTRIBUTES.lines().count());
        assert_eq!(schema.classes().count(), CLASSES.lines().count());
        for (class, line) in schema.classes().zip(1..) {
            assert_eq!(schema.class_by_id(class.id).name, class.name, "line {line}");
        }
        assert_eq!(schema.classes().next().unwrap().name, "top");
    }

    #[test]
    fn the_directory_finds_the_attributes_it_handles() {
        let schema = Schema::of(SchemaLevel::WindowsServer2016);
        let text = format!("{:?}", schema.known());
        assert!(!text.contains("65535"), "{text}");
    }
}
