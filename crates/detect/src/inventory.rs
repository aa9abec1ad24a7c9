//! Values read from the directory after the event: the blob that a Windows 5136 does not carry.

use std::cmp::Ordering;
use std::collections::HashMap;

use keycred::DnBinary;
use memchr::memmem;

use crate::sighting::dn_key;
use crate::{Act, Sighting};

/// The values of a read-out, by the object that they link to.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    values: HashMap<String, Vec<Vec<u8>>>,
    broken: usize,
}

impl Inventory {
    /// Finds all values in LDIF, ldapsearch's text, JSON or plain lines.
    pub fn read(text: &str) -> Self {
        let mut inventory = Self::default();
        inventory.add(text);
        inventory
    }

    /// Adds the values of another read-out.
    pub fn add(&mut self, text: &str) {
        // LDIF folds long lines: a line that starts with one space goes on from the one before (RFC 2849).
        let unfolded = text.replace("\r\n", "\n").replace("\n ", "");
        for line in unfolded.lines() {
            if let Some((_, encoded)) = line.split_once("KeyCredentialLink:: ") {
                match data_encoding::BASE64.decode(encoded.trim().as_bytes()) {
                    Ok(bytes) => self.add_line(&String::from_utf8_lossy(&bytes)),
                    Err(_) => self.broken += 1,
                }
            } else {
                self.add_line(line);
            }
        }
    }

    fn add_line(&mut self, line: &str) {
        for at in memmem::find_iter(line.as_bytes(), b"B:") {
            let Some(candidate) = line.get(at..) else {
                continue;
            };
            // JSON strings end at a quote; a DN has none unescaped.
            let candidate = candidate
                .split(['"', '\t'])
                .next()
                .unwrap_or(candidate)
                .trim_end();
            match candidate.parse::<DnBinary>() {
                Ok(value) => self
                    .values
                    .entry(dn_key(&value.dn))
                    .or_default()
                    .push(value.binary),
                Err(_) if is_value_like(candidate) => self.broken += 1,
                Err(_) => {}
            }
        }
    }

    /// How many values were read.
    pub fn len(&self) -> usize {
        self.values.values().map(Vec::len).sum()
    }

    /// Whether no value was read.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many things looked like a value and were none.
    pub fn broken(&self) -> usize {
        self.broken
    }

    /// Gives additions without a value the one that the read-out has for that object, where only one has the
    /// length that the event tells. Two of the same length stay unknown: guessing would be worse.
    ///
    /// The read-out shows what is left in the end. So of several changes of values of one length on one object
    /// only the last is completed, and only if it is an addition; what was deleted is not there to be read.
    pub fn complete(&self, sightings: &mut [Sighting]) {
        for index in last_additions(sightings) {
            let Some(sighting) = sightings.get_mut(index) else {
                continue;
            };
            let Some(digits) = sighting.value.hex_digits else {
                continue;
            };
            let of_object = self.values.get(&dn_key(&sighting.object.dn));
            let mut fitting = of_object
                .into_iter()
                .flatten()
                .filter(|value| value.len().checked_mul(2) == Some(digits));
            if let (Some(value), None) = (fitting.next(), fitting.next()) {
                let dn = sighting.value.dn.take();
                sighting.value = crate::SeenValue {
                    is_from_inventory: true,
                    ..crate::SeenValue::whole(value.clone(), dn)
                };
            }
        }
    }
}

/// For each object and length: the last change of a hidden value, where it is an addition. An operation that
/// deletes and adds leaves what it added.
fn last_additions(sightings: &[Sighting]) -> Vec<usize> {
    let mut last = HashMap::new();
    for (index, sighting) in sightings.iter().enumerate() {
        let (Some(digits), true) = (sighting.value.hex_digits, sighting.act != Act::Refused) else {
            continue;
        };
        let order = (sighting.time, sighting.act == Act::Added, index);
        let latest = last
            .entry((dn_key(&sighting.object.dn), digits))
            .or_insert(order);
        // A deletion in the same moment but in another operation comes later: doubt leaves the value unknown.
        let is_later = match order.0.cmp(&latest.0) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => {
                let same_operation = sightings.get(latest.2).is_some_and(|other| {
                    other.operation_id.is_some() && other.operation_id == sighting.operation_id
                });
                if same_operation {
                    order.1
                } else {
                    !order.1 || latest.1
                }
            }
        };
        if is_later {
            *latest = order;
        }
    }
    last.into_values()
        .filter(|(_, is_addition, index)| {
            let is_hidden = |sighting: &Sighting| sighting.value.octets.is_none();
            *is_addition && sightings.get(*index).is_some_and(is_hidden)
        })
        .map(|(_, _, index)| index)
        .collect()
}

/// `B:` and a digit: anything else is the end of some other word.
fn is_value_like(candidate: &str) -> bool {
    candidate.as_bytes().get(2).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, values: usize, broken: usize) {
        let inventory = Inventory::read(text);
        assert_eq!(
            (inventory.len(), inventory.broken()),
            (values, broken),
            "{text}"
        );
    }

    #[test]
    fn read_outs() {
        check("msDS-KeyCredentialLink: B:4:00ff:CN=a,DC=b\n", 1, 0);
        check("msDS-KeyCredentialLink: B:4:0\n 0ff:CN=a,D\n C=b\n", 1, 0);
        check(
            r#"{"keys": ["B:4:00ff:CN=a,DC=b", "B:4:00fe:CN=a,DC=b"]}"#,
            2,
            0,
        );
        let encoded = data_encoding::BASE64.encode("B:4:00ff:CN=ä,DC=b".as_bytes());
        check(&format!("msDS-KeyCredentialLink:: {encoded}\n"), 1, 0);
        check("B:4:00f:CN=a\nB:nothing\n", 0, 1);
        check("", 0, 0);
    }
}
