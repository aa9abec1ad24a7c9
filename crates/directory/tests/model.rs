//! Random operations on the directory and on a plain model of it: afterwards both agree, every derived row follows
//! from its record, and the audit log, played back, gives the values that are there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use std::collections::{BTreeMap, BTreeSet};

use directory::ModificationKind::{Add, Delete, Replace};
use directory::{DeleteRequest, Directory, ModificationKind, Operation, RenameRequest, Session};
use events::Record;
use proptest::prelude::*;
use small::{dn, modify, system, user};
use types::{Guid, Rdn};

const USERS: usize = 5;
const PLACES: [&str; 2] = ["OU=Users", "OU=Other"];
const KEYS: &str = "msDS-KeyCredentialLink";
const DESCRIPTION: &str = "description";

#[derive(Debug, Clone)]
enum Step {
    Create(usize),
    Remove(usize),
    Move(usize, usize, u8),
    Describe(usize, Kind, Vec<u8>),
    Key(usize, Kind, Vec<(u8, usize)>),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Add,
    Delete,
    Replace,
}

impl From<Kind> for ModificationKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Add => Add,
            Kind::Delete => Delete,
            Kind::Replace => Replace,
        }
    }
}

/// What the model knows of a living user: where it is, and its values.
#[derive(Debug, Clone, Default)]
struct Person {
    name: String,
    place: usize,
    descriptions: BTreeSet<String>,
    keys: BTreeSet<(u8, usize)>,
    guid: Option<Guid>,
}

type Model = BTreeMap<usize, Person>;

fn name_of(model: &Model, who: usize) -> String {
    match model.get(&who) {
        Some(person) => format!("CN={},{}", person.name, PLACES[person.place]),
        None => format!("CN=U{who},OU=Users"),
    }
}

fn key_text(model: &Model, key: &(u8, usize)) -> String {
    format!("B:2:{:02X}:{}", key.0, dn(&name_of(model, key.1)))
}

/// Set semantics of a modify; `None` where LDAP refuses it.
fn changed<T: Ord + Clone>(kind: Kind, before: &BTreeSet<T>, values: &[T]) -> Option<BTreeSet<T>> {
    let distinct: BTreeSet<T> = values.iter().cloned().collect();
    let is_repeated = distinct.len() != values.len();
    match kind {
        Kind::Add if values.is_empty() || is_repeated || !before.is_disjoint(&distinct) => None,
        Kind::Add => Some(before.union(&distinct).cloned().collect()),
        Kind::Delete if values.is_empty() => (!before.is_empty()).then(BTreeSet::new),
        Kind::Delete if is_repeated || !distinct.is_subset(before) => None,
        Kind::Delete => Some(before.difference(&distinct).cloned().collect()),
        Kind::Replace => (!is_repeated).then_some(distinct),
    }
}

/// Plays a step on both; they must agree whether it is allowed.
fn play(directory: &Directory, model: &mut Model, step: &Step) {
    let (operation, after): (Operation, Option<Model>) = match step {
        Step::Create(who) => {
            let mut after = model.clone();
            let is_new = !model.contains_key(who);
            after.insert(
                *who,
                Person {
                    name: format!("U{who}"),
                    ..Person::default()
                },
            );
            let collides = model
                .values()
                .any(|p| p.name == format!("U{who}") && p.place == 0);
            (
                user(&format!("U{who}")),
                (is_new && !collides).then_some(after),
            )
        }
        Step::Remove(who) => {
            let mut after = model.clone();
            let existed = after.remove(who).is_some();
            after
                .values_mut()
                .for_each(|person| person.keys.retain(|(_, target)| target != who));
            let name = dn(&name_of(model, *who)).into();
            (
                Operation::Delete(DeleteRequest { name, tree: false }),
                existed.then_some(after),
            )
        }
        Step::Move(who, place, letter) => {
            let mut after = model.clone();
            let new_name = format!("U{who}-{letter}");
            let existed = after.get_mut(who).map(|person| {
                person.name.clone_from(&new_name);
                person.place = *place;
            });
            let request = RenameRequest {
                name: dn(&name_of(model, *who)).into(),
                new_rdn: Rdn::new("CN", new_name),
                delete_old_rdn: true,
                new_parent: Some(dn(PLACES[*place]).into()),
            };
            (Operation::Rename(request), existed.map(|()| after))
        }
        Step::Describe(who, kind, letters) => {
            let values: Vec<String> = letters.iter().map(|letter| format!("d{letter}")).collect();
            let after = model
                .get(who)
                .and_then(|person| changed(*kind, &person.descriptions, &values))
                .map(|set| {
                    let mut after = model.clone();
                    after.get_mut(who).unwrap().descriptions = set;
                    after
                });
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            (
                modify(&name_of(model, *who), (*kind).into(), DESCRIPTION, &values),
                after,
            )
        }
        Step::Key(who, kind, keys) => {
            let targets_live = keys.iter().all(|(_, target)| model.contains_key(target));
            let after = model
                .get(who)
                .filter(|_| targets_live)
                .and_then(|person| changed(*kind, &person.keys, keys))
                .map(|set| {
                    let mut after = model.clone();
                    after.get_mut(who).unwrap().keys = set;
                    after
                });
            let values: Vec<String> = keys.iter().map(|key| key_text(model, key)).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            (
                modify(&name_of(model, *who), (*kind).into(), KEYS, &values),
                after,
            )
        }
    };
    let done = directory.apply(&Session::system(), operation);
    assert_eq!(done.is_ok(), after.is_some(), "{step:?}: {done:?}");
    if let Some(mut after) = after {
        if let (Step::Create(who), Ok(applied)) = (step, &done) {
            after.get_mut(who).unwrap().guid = Some(applied.guid);
        }
        *model = after;
    }
}

fn compare(directory: &Directory, model: &Model) {
    assert_eq!(directory.snapshot().verify().unwrap(), Vec::<String>::new());
    assert_eq!(
        small::names(directory, "(objectClass=user)").len(),
        model.len()
    );
    for (who, person) in model {
        let name = name_of(model, *who);
        let set = |attribute: &str| -> BTreeSet<String> {
            small::values(directory, &name, attribute)
                .into_iter()
                .collect()
        };
        assert_eq!(set(DESCRIPTION), person.descriptions, "{name}");
        let keys: BTreeSet<String> = person.keys.iter().map(|key| key_text(model, key)).collect();
        assert_eq!(set(KEYS), keys, "{name}");
        // One back link per forward value.
        let named: Vec<String> = model
            .iter()
            .flat_map(|(other, p)| {
                p.keys
                    .iter()
                    .filter(|(_, t)| t == who)
                    .map(|_| dn(&name_of(model, *other)).to_string())
            })
            .collect();
        let mut back = small::values(directory, &name, "msDS-KeyCredentialLink-BL");
        let mut named_sorted = named;
        back.sort();
        named_sorted.sort();
        assert_eq!(back, named_sorted, "{name}");
    }
}

/// The log, played back. Keys lose the name in them, since their targets may have been renamed since.
fn replayed(directory: &Directory) -> BTreeMap<Guid, BTreeSet<String>> {
    let mut state: BTreeMap<Guid, BTreeSet<String>> = BTreeMap::new();
    for record in directory.changes_since(0, usize::MAX).unwrap() {
        let Record::Change(change) = record else {
            continue;
        };
        let value = match change.attribute.as_str() {
            DESCRIPTION => change.value.to_ldap_text(),
            _ => continue,
        };
        let values = state.entry(change.object.guid).or_default();
        match change.operation {
            events::Operation::ValueAdded => assert!(values.insert(value), "added twice"),
            events::Operation::ValueDeleted => {
                assert!(values.remove(&value), "deleted, but was not there")
            }
        }
    }
    state
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Add), Just(Kind::Delete), Just(Kind::Replace)]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..USERS;
    prop_oneof![
        2 => who.clone().prop_map(Step::Create),
        1 => who.clone().prop_map(Step::Remove),
        1 => (who.clone(), 0..PLACES.len(), 0_u8..3).prop_map(|(who, place, letter)| Step::Move(who, place, letter)),
        3 => (who.clone(), kind(), proptest::collection::vec(0_u8..4, 0..3))
            .prop_map(|(who, kind, values)| Step::Describe(who, kind, values)),
        4 => (who.clone(), kind(), proptest::collection::vec((0_u8..3, who), 0..3))
            .prop_map(|(who, kind, keys)| Step::Key(who, kind, keys)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_directory_and_its_model_agree(steps in proptest::collection::vec(step(), 1..50)) {
        let directory = small::new(small::OPEN);
        let mut model = Model::new();
        for step in &steps {
            play(&directory, &mut model, step);
        }
        compare(&directory, &model);
        let replayed = replayed(&directory);
        for person in model.values() {
            let guid = person.guid.unwrap();
            prop_assert_eq!(&replayed.get(&guid).cloned().unwrap_or_default(), &person.descriptions);
        }
        let usns: Vec<u64> = directory.changes_since(0, usize::MAX).unwrap().iter().map(|r| r.origin().usn).collect();
        prop_assert!(usns.is_sorted());
        let _ = system(&directory, user("last"));
    }
}
