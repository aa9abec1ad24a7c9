//! JSON of any shape: every string is searched for values, every cloud key is read, and the nearest object around
//! either names the owner.
//!
//! Several documents may follow one another, as in JSON Lines.

use keycred::SearchableDeviceKey;
use serde_json::Value as Json;

use super::scan::Scanner;
use super::{Broken, Content, Item, Place, Value};

/// Members that name the owner of what stands beside them, best first.
const NAMES: [&str; 8] = [
    "distinguishedName",
    "dn",
    "userPrincipalName",
    "sAMAccountName",
    "name",
    "displayName",
    "objectId",
    "id",
];

/// Deeper documents are not inventories.
const DEPTH_MAX: usize = 64;

/// Reads the input as JSON; `false` when it is none, and nothing was handed out.
pub(super) fn read(source: &str, text: &[u8], sink: &mut dyn FnMut(Item)) -> bool {
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return false;
    }
    let mut documents = Vec::new();
    for document in serde_json::Deserializer::from_slice(text).into_iter::<Json>() {
        match document {
            Ok(document) => documents.push(document),
            // Broken JSON may still hold whole values: the scanner finds them.
            Err(_) => return false,
        }
    }
    let mut walk = Walk {
        source,
        path: String::new(),
        sink,
    };
    let is_single = documents.len() == 1;
    for (index, document) in documents.iter().enumerate() {
        walk.path = match is_single {
            true => String::new(),
            false => format!("[{index}]"),
        };
        walk.visit(document, None, 0);
    }
    true
}

struct Walk<'s> {
    source: &'s str,
    path: String,
    sink: &'s mut dyn FnMut(Item),
}

impl Walk<'_> {
    fn visit(&mut self, json: &Json, owner: Option<&str>, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match json {
            Json::String(text) => self.text(text, owner),
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.step(&format!("[{index}]"), item, owner, depth);
                }
            }
            Json::Object(members) => {
                if members.contains_key("keyIdentifier") && members.contains_key("keyMaterial") {
                    return self.cloud_key(json, owner);
                }
                let name = NAMES.iter().find_map(|wanted| {
                    let mut found = members
                        .iter()
                        .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
                    found.find_map(|(_, value)| value.as_str())
                });
                for (member, value) in members {
                    let step = match self.path.is_empty() {
                        true => member.clone(),
                        false => format!(".{member}"),
                    };
                    self.step(&step, value, name.or(owner), depth);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, step: &str, json: &Json, owner: Option<&str>, depth: usize) {
        let before = self.path.len();
        self.path.push_str(step);
        self.visit(json, owner, depth.saturating_add(1));
        self.path.truncate(before);
    }

    fn text(&mut self, text: &str, owner: Option<&str>) {
        let place = self.place();
        let sink = &mut *self.sink;
        Scanner::new(self.source, text.as_bytes())
            .without_lines()
            .of_object(owner.map(str::to_owned))
            .run(&mut |item| sink(at(item, &place)));
    }

    fn cloud_key(&mut self, json: &Json, owner: Option<&str>) {
        let (place, object) = (self.place(), owner.map(str::to_owned));
        let item = match serde_json::from_value::<SearchableDeviceKey>(json.clone()) {
            Ok(key) => Item::Value(Value {
                place,
                object,
                content: Content::Cloud(Box::new(key)),
            }),
            Err(error) => Item::Broken(Broken {
                place,
                object,
                reason: format!("not a searchableDeviceKey: {error}"),
            }),
        };
        (self.sink)(item);
    }

    fn place(&self) -> Place {
        Place {
            source: self.source.to_owned(),
            line: None,
            path: (!self.path.is_empty()).then(|| self.path.clone()),
        }
    }
}

/// The same item, standing at this place.
fn at(mut item: Item, place: &Place) -> Item {
    match &mut item {
        Item::Value(value) => value.place = place.clone(),
        Item::Broken(broken) => broken.place = place.clone(),
        Item::Notice(notice) => notice.place = place.clone(),
    }
    item
}
