//! The compiled check against the object type tree of MS-ADTS 5.1.3.3, walked literally, one right at a time.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use proptest::prelude::*;
use security_descriptor::{
    AccessMask, Ace, AceFlags, Acl, CompiledDescriptor, Control, Domains, SecurityDescriptor,
    Token, check,
};
use types::{Guid, Sid};

fn guid(n: u8) -> Guid {
    Guid::from_bytes_le([n; 16])
}

fn sid(n: u32) -> Sid {
    Sid::nt(&[21, 7, n])
}

/// The tree of the specification: one class, its property sets, their attributes. `remaining` is what a node still
/// wants.
struct Node {
    guid: Guid,
    parent: Option<usize>,
    remaining: u32,
}

fn tree(mask: u32, class: Guid, attributes: &[(Guid, Guid)]) -> Vec<Node> {
    let mut nodes = vec![Node {
        guid: class,
        parent: None,
        remaining: mask,
    }];
    for (set, attribute) in attributes {
        let at = nodes
            .iter()
            .position(|n| n.guid == *set && n.parent == Some(0))
            .unwrap_or_else(|| {
                nodes.push(Node {
                    guid: *set,
                    parent: Some(0),
                    remaining: mask,
                });
                nodes.len() - 1
            });
        nodes.push(Node {
            guid: *attribute,
            parent: Some(at),
            remaining: mask,
        });
    }
    nodes
}

fn is_below(nodes: &[Node], mut node: usize, above: usize) -> bool {
    loop {
        if node == above {
            return true;
        }
        match nodes[node].parent {
            Some(parent) => node = parent,
            None => return false,
        }
    }
}

/// A node is granted when all its children are.
fn propagate_up(nodes: &mut [Node]) {
    for index in (0..nodes.len()).rev() {
        let children: Vec<u32> = nodes
            .iter()
            .filter(|n| n.parent == Some(index))
            .map(|n| n.remaining)
            .collect();
        if !children.is_empty() {
            nodes[index].remaining &= children.iter().fold(0, |all, r| all | r);
        }
    }
}

/// One right, the whole tree, in stored order: first decision wins.
fn slow(
    descriptor: &SecurityDescriptor,
    token: &Token,
    own: Option<&Sid>,
    mask: u32,
    class: Guid,
    attributes: &[(Guid, Guid)],
) -> bool {
    let Some(dacl) = descriptor
        .dacl
        .as_ref()
        .filter(|_| descriptor.control.contains(Control::DACL_PRESENT))
    else {
        return true;
    };
    let owns = descriptor
        .owner
        .as_ref()
        .is_some_and(|owner| token.sids().contains(owner));
    let owner_rights = Sid::new(3, &[4]).unwrap();
    let live = || dacl.aces.iter().filter(|a| a.flags.0 & 0x08 == 0);
    let overridden = live().any(|a| a.entry().is_some_and(|e| e.sid == owner_rights));
    (0..32)
        .map(|bit| 1u32 << bit)
        .filter(|bit| mask & bit != 0)
        .all(|bit| {
            if owns && !overridden && (bit == 0x2_0000 || bit == 0x4_0000) {
                return true;
            }
            let mut nodes = tree(bit, class, attributes);
            for ace in live() {
                let Some(entry) = ace.entry() else { continue };
                let matches = if entry.sid == Sid::nt(&[10]) {
                    own.is_some_and(|own| token.sids().contains(own))
                } else if entry.sid == owner_rights {
                    owns
                } else {
                    token.sids().contains(&entry.sid)
                };
                if !matches || entry.mask.0 & bit == 0 {
                    continue;
                }
                let at: Vec<usize> = match entry.object_type() {
                    None => vec![0],
                    Some(wanted) => (0..nodes.len())
                        .filter(|i| nodes[*i].guid == wanted)
                        .collect(),
                };
                for at in at {
                    if entry.is_deny() {
                        if nodes[at].remaining & bit != 0 {
                            return false;
                        }
                    } else {
                        for node in 0..nodes.len() {
                            if is_below(&nodes, node, at) {
                                nodes[node].remaining &= !bit;
                            }
                        }
                        propagate_up(&mut nodes);
                    }
                }
                if nodes[0].remaining == 0 {
                    return true;
                }
            }
            false
        })
}

prop_compose! {
    fn ace()(
        deny in any::<bool>(),
        who in 0u32..5,
        mask in prop_oneof![Just(0x10u32), Just(0x20), Just(0x30), Just(0x6_0000), Just(0xF_01FF), any::<u32>()],
        object in proptest::option::of(0u8..9),
        flags in prop_oneof![4 => Just(0u8), 1 => Just(2), 1 => Just(10)],
    ) -> Ace {
        let sid = match who {
            3 => Sid::nt(&[10]),
            4 => Sid::new(3, &[4]).unwrap(),
            n => sid(n),
        };
        // ACCESS_SYSTEM_SECURITY is a matter of privilege, not of entries.
        let mask = AccessMask(mask & !0x0100_0000);
        let ace = if deny { Ace::deny(sid, mask) } else { Ace::allow(sid, mask) };
        let ace = ace.with(AceFlags(flags));
        match object {
            Some(n) => ace.on(guid(n)),
            None => ace,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Attributes 3..9 in property sets 1 (even) and 2 (odd) of class 0.
    #[test]
    fn compiled_check_agrees_with_the_tree(
        aces in proptest::collection::vec(ace(), 0..10),
        members in proptest::collection::vec(0u32..3, 0..3),
        owner in 0u32..5,
        is_self in any::<bool>(),
        mask in prop_oneof![Just(0x10u32), Just(0x20), Just(0x30), Just(0x2_0010), any::<u32>()],
        wanted in proptest::collection::btree_set(3u8..9, 1..4),
    ) {
        let mask = mask & !0x0100_0000;
        let user = sid(100);
        let token = Token::new(std::iter::once(user.clone()).chain(members.iter().map(|n| sid(*n))));
        let owner = if owner == 4 { user.clone() } else { sid(owner) };
        let own = if is_self { user } else { sid(200) };
        let descriptor = SecurityDescriptor::new(owner, sid(50), Acl::new(aces));
        let attributes: Vec<(Guid, Guid)> = wanted.iter().map(|n| (guid(1 + n % 2), guid(*n))).collect();
        let rights = CompiledDescriptor::new(&descriptor).rights(&token, Some(&own));
        let fast = attributes.iter().all(|(set, attribute)| {
            rights.allows(AccessMask(mask), &[guid(0), *set, *attribute])
        });
        prop_assert_eq!(fast, slow(&descriptor, &token, Some(&own), mask, guid(0), &attributes));
        for (set, attribute) in &attributes {
            let path = [guid(0), *set, *attribute];
            let granted = rights.granted(&path);
            for bit in (0..32).map(|bit| 1u32 << bit) {
                let one = slow(&descriptor, &token, Some(&own), bit, guid(0), &[(*set, *attribute)]);
                if bit != 0x0100_0000 {
                    prop_assert_eq!(granted.contains(AccessMask(bit)), one, "maximum allowed, {:#x}", bit);
                }
            }
        }
    }
}

/// May a token of `sids` (rids of the domain, or `self`) do `letters` on `path`?
fn rule(sddl: &str, sids: &[u32], letters: u32, path: &[&str], expect: bool) {
    let domain: Sid = "S-1-5-21-1-2-3".parse().unwrap();
    let descriptor = SecurityDescriptor::from_sddl(sddl, Domains::single(&domain)).unwrap();
    let token = Token::new(
        sids.iter()
            .map(|rid| domain.with_rid(*rid))
            .chain([Sid::nt(&[11])]),
    );
    let path: Vec<Guid> = path.iter().map(|g| g.parse().unwrap()).collect();
    let own = domain.with_rid(1200);
    let got = check(&descriptor, &token, Some(&own), AccessMask(letters), &path);
    assert_eq!(got, expect, "{sddl} {sids:?} {letters:#x} {path:?}");
}

const KEYS: &str = "5b47d60f-6090-40b2-9f37-2a4de88f3063";
const VALIDATED: &str = "9b026da6-0d3c-465c-8bee-5199d7165cba";
const USER: &str = "bf967aba-0de6-11d0-a285-00aa003049e2";

#[test]
fn no_dacl_grants_and_empty_dacl_denies() {
    rule("O:DA", &[1104], 0x20, &[KEYS], true);
    rule("O:DAD:NO_ACCESS_CONTROL", &[1104], 0x20, &[KEYS], true);
    rule("O:DAD:", &[1104], 0x10, &[KEYS], false);
}

#[test]
fn owner_may_read_and_change_the_dacl_unless_owner_rights_say_otherwise() {
    rule("O:DAD:", &[512], 0x6_0000, &[], true);
    rule("O:DAD:", &[1104], 0x2_0000, &[], false);
    rule("O:DAD:(A;;RC;;;OW)", &[512], 0x2_0000, &[], true);
    rule("O:DAD:(A;;RC;;;OW)", &[512], 0x4_0000, &[], false);
    rule("O:DAD:(A;CIIO;RC;;;OW)", &[512], 0x4_0000, &[], true);
}

#[test]
fn property_set_covers_its_attributes() {
    let sddl = format!("O:DAD:(OA;;WP;{VALIDATED};;KA)");
    rule(&sddl, &[526], 0x20, &[USER, VALIDATED, KEYS], true);
    rule(
        &sddl,
        &[526],
        0x20,
        &[USER, "e48d0154-bcf8-11d1-8702-00c04fb96050", KEYS],
        false,
    );
    rule(&sddl, &[1104], 0x20, &[USER, VALIDATED, KEYS], false);
}

#[test]
fn first_decision_wins() {
    rule(
        &format!("O:DAD:(OD;;WP;{KEYS};;AU)(A;;WP;;;AU)"),
        &[1104],
        0x20,
        &[USER, VALIDATED, KEYS],
        false,
    );
    rule(
        &format!("O:DAD:(A;;WP;;;AU)(OD;;WP;{KEYS};;AU)"),
        &[1104],
        0x20,
        &[USER, VALIDATED, KEYS],
        true,
    );
    rule(
        &format!("O:DAD:(OD;;WP;{VALIDATED};;AU)(OA;;WP;{KEYS};;AU)"),
        &[1104],
        0x20,
        &[USER, VALIDATED, KEYS],
        false,
    );
}

#[test]
fn principal_self_is_the_object() {
    let sddl = format!("O:DAD:(OA;;SW;{VALIDATED};;PS)");
    rule(&sddl, &[1200], 0x8, &[VALIDATED], true);
    rule(&sddl, &[1201], 0x8, &[VALIDATED], false);
}

#[test]
fn inherit_only_entries_say_nothing_here() {
    rule("O:DAD:(A;CIIO;RP;;;AU)", &[1104], 0x10, &[KEYS], false);
}

#[test]
fn control_access_is_by_its_own_guid_or_by_none() {
    let get_changes = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2";
    rule(
        &format!("O:DAD:(OA;;CR;{get_changes};;AU)"),
        &[1104],
        0x100,
        &[get_changes],
        true,
    );
    rule(
        &format!("O:DAD:(OA;;CR;{KEYS};;AU)"),
        &[1104],
        0x100,
        &[get_changes],
        false,
    );
    rule("O:DAD:(A;;CR;;;AU)", &[1104], 0x100, &[get_changes], true);
    rule(
        &format!("O:DAD:(OD;;CR;{get_changes};;AU)(A;;CR;;;AU)"),
        &[1104],
        0x100,
        &[get_changes],
        false,
    );
}

#[test]
fn the_sacl_is_a_matter_of_privilege() {
    let descriptor = SecurityDescriptor::empty();
    let plain = Token::new([sid(1)]);
    let admin = plain.clone().with_all_privileges();
    for (token, expect) in [(plain, false), (admin, true)] {
        assert_eq!(
            check(
                &descriptor,
                &token,
                None,
                AccessMask::ACCESS_SYSTEM_SECURITY,
                &[]
            ),
            expect
        );
    }
}
