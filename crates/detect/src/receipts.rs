//! The sync's receipts, indexed for the questions that a change asks.

use std::collections::{HashMap, HashSet};

use events::{Operation, Receipt, ReceiptState};
use types::{Guid, Sid, Timestamp};

use crate::sighting::dn_key;
use crate::{ATTRIBUTE, Act, Sighting};

/// The word of the sync counts for this long around its own time: clocks differ, and commits wait in a queue.
pub(crate) const RECEIPT_SECONDS_MAX: i64 = 600;

#[derive(Debug, Clone, Default)]
pub(crate) struct Receipts {
    all: Vec<Receipt>,
    by_value: HashMap<String, Vec<usize>>,
    by_guid: HashMap<Guid, Vec<usize>>,
    by_dn: HashMap<String, Vec<usize>>,
    signers: HashSet<Sid>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Receipts {
    pub(crate) fn add(&mut self, receipt: Receipt) {
        let index = self.all.len();
        let value = receipt.value_sha256.to_ascii_lowercase();
        self.by_value.entry(value).or_default().push(index);
        self.by_guid
            .entry(receipt.object_guid)
            .or_default()
            .push(index);
        self.by_dn
            .entry(dn_key(&receipt.object_dn))
            .or_default()
            .push(index);
        self.signers.extend(receipt.connector.clone());
        self.first = Some(
            self.first
                .map_or(receipt.time, |first| first.min(receipt.time)),
        );
        self.last = self.last.max(Some(receipt.time));
        self.all.push(receipt);
    }

    /// The last receipt, where it is older than the change: perhaps the feed was read before the change was made.
    pub(crate) fn end_before(&self, time: Option<Timestamp>) -> Option<Timestamp> {
        let (last, time) = (self.last?, time?);
        (last.plus_seconds(RECEIPT_SECONDS_MAX) < time).then_some(last)
    }

    /// Whether any account signed a receipt.
    pub(crate) fn has_signers(&self) -> bool {
        !self.signers.is_empty()
    }

    /// Whether this account signed one.
    pub(crate) fn is_signer(&self, sid: &Sid) -> bool {
        self.signers.contains(sid)
    }

    /// Whether the receipts reach back to the moment of the change. An empty feed speaks for all times.
    pub(crate) fn cover(&self, time: Option<Timestamp>) -> bool {
        match (self.first, time) {
            (Some(first), Some(time)) => time.plus_seconds(RECEIPT_SECONDS_MAX) >= first,
            _ => true,
        }
    }

    /// The receipt for exactly this value on this object at about this time.
    pub(crate) fn exact(&self, sighting: &Sighting) -> Option<&Receipt> {
        self.of_value(sighting)
            .find(|receipt| fits(receipt, sighting))
    }

    /// A receipt that fits what is visible, where the value is not.
    pub(crate) fn fitting(&self, sighting: &Sighting) -> Option<&Receipt> {
        self.all_fitting(sighting).next()
    }

    /// How many writes these receipts are for: each has one when it is sent, and another when it is confirmed.
    pub(crate) fn fitting_count(&self, sighting: &Sighting) -> usize {
        let of = |state| {
            self.all_fitting(sighting)
                .filter(|receipt| receipt.state == state)
                .count()
        };
        of(ReceiptState::Written).max(of(ReceiptState::Confirmed))
    }

    fn all_fitting(&self, sighting: &Sighting) -> impl Iterator<Item = &Receipt> {
        let of_object = match sighting.object.guid {
            Some(guid) => self.by_guid.get(&guid),
            None => self.by_dn.get(&dn_key(&sighting.object.dn)),
        };
        let of_object = of_object.map(Vec::as_slice).unwrap_or_default();
        of_object
            .iter()
            .filter_map(|index| self.all.get(*index))
            .filter(|receipt| {
                let digits = receipt.value_length.checked_mul(2);
                digits.is_some() && digits == sighting.value.hex_digits && fits(receipt, sighting)
            })
    }

    /// Whether the sync ever wrote this value to this object.
    pub(crate) fn ever_wrote(&self, sighting: &Sighting) -> bool {
        self.of_value(sighting)
            .any(|receipt| is_object(receipt, sighting))
    }

    fn of_value(&self, sighting: &Sighting) -> impl Iterator<Item = &Receipt> {
        let found = sighting
            .value
            .sha256
            .as_ref()
            .and_then(|value| self.by_value.get(value));
        let found = found.map(Vec::as_slice).unwrap_or_default();
        found.iter().filter_map(|index| self.all.get(*index))
    }
}

fn fits(receipt: &Receipt, sighting: &Sighting) -> bool {
    let act = match receipt.operation {
        Operation::ValueAdded => Act::Added,
        Operation::ValueDeleted => Act::Deleted,
    };
    let is_timely = sighting
        .time
        .is_none_or(|time| receipt.time.seconds_since(time).abs() <= RECEIPT_SECONDS_MAX);
    act == sighting.act
        && receipt.attribute.eq_ignore_ascii_case(ATTRIBUTE)
        && is_object(receipt, sighting)
        && is_timely
}

fn is_object(receipt: &Receipt, sighting: &Sighting) -> bool {
    match sighting.object.guid {
        Some(guid) => guid == receipt.object_guid,
        None => dn_key(&sighting.object.dn) == dn_key(&receipt.object_dn),
    }
}
