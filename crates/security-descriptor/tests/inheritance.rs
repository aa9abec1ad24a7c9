//! What children receive, as SDDL tables (MS-DTYP 2.5.3.4).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use security_descriptor::{Creation, Domains, SecurityDescriptor, merge, reinherit};
use types::{Guid, Sid};

const COMPUTER: &str = "bf967a86-0de6-11d0-a285-00aa003049e2";
const USER: &str = "bf967aba-0de6-11d0-a285-00aa003049e2";
const KEYS: &str = "5b47d60f-6090-40b2-9f37-2a4de88f3063";
const VALIDATED: &str = "9b026da6-0d3c-465c-8bee-5199d7165cba";

fn domain() -> Sid {
    "S-1-5-21-1-2-3".parse().unwrap()
}

fn read(text: &str) -> SecurityDescriptor {
    SecurityDescriptor::from_sddl(text, Domains::single(&domain())).unwrap()
}

/// The DACL and SACL of a child of class `class`, owned by DA.
fn check(parent: &str, own: &str, class: &str, expect: &str) {
    let class: Guid = class.parse().unwrap();
    let (owner, group) = (domain().with_rid(512), domain().with_rid(513));
    let creation = Creation {
        classes: &[class],
        owner: &owner,
        group: &group,
    };
    let merged = merge(Some(&read(parent)), &read(own), &creation);
    let bare = merged.to_sddl(Domains::single(&domain())).unwrap();
    assert_eq!(bare, expect, "{parent} over {own}");
    // Doing it again changes nothing.
    assert_eq!(reinherit(&read(parent), &merged, &creation), None);
}

#[test]
fn plain_entries_go_all_the_way_down() {
    check(
        "D:(A;CI;RP;;;AU)(A;;WP;;;AU)",
        "D:(A;;LC;;;BA)",
        USER,
        "D:AI(A;;LC;;;BA)(A;CIID;RP;;;AU)",
    );
    check("D:(A;CIIO;RP;;;AU)", "D:", USER, "D:AI(A;CIID;RP;;;AU)");
    check("D:(A;CINP;RP;;;AU)", "D:", USER, "D:AI(A;ID;RP;;;AU)");
    check("D:(A;OI;RP;;;AU)", "D:", USER, "D:AI(A;OIIOID;RP;;;AU)");
    check("D:(A;OINP;RP;;;AU)", "D:", USER, "D:AI");
}

#[test]
fn entries_for_another_class_pass_through() {
    let ace = |flags: &str, who: &str| format!("(OA;{flags};SW;{VALIDATED};{COMPUTER};{who})");
    let parent = format!("D:{}", ace("CIIO", "PS"));
    check(&parent, "D:", USER, &format!("D:AI{}", ace("CIIOID", "PS")));
    check(
        &parent,
        "D:",
        COMPUTER,
        &format!("D:AI{}", ace("CIID", "PS")),
    );
    check(&format!("D:{}", ace("CINP", "PS")), "D:", USER, "D:AI");
}

#[test]
fn creator_owner_and_generic_rights_become_real() {
    let ace = |flags: &str, who: &str| format!("(OA;{flags};SW;{VALIDATED};{COMPUTER};{who})");
    check(
        &format!("D:{}", ace("CIIO", "CO")),
        "D:",
        COMPUTER,
        &format!("D:AI{}{}", ace("ID", "DA"), ace("CIIOID", "CO")),
    );
    check(
        "D:(A;CIIO;GA;;;CG)",
        "D:",
        USER,
        "D:AI(A;ID;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DU)(A;CIIOID;GA;;;CG)",
    );
    check(
        "D:",
        "D:(A;;GR;;;CO)(A;CI;RP;;;CO)",
        USER,
        "D:AI(A;;LCRPLORC;;;DA)(A;;RP;;;DA)(A;CIIO;RP;;;CO)",
    );
}

#[test]
fn protected_lists_take_nothing() {
    check(
        "D:(A;CI;RP;;;AU)",
        "D:P(A;;LC;;;BA)",
        USER,
        "D:PAI(A;;LC;;;BA)",
    );
    check(
        "D:(A;CI;RP;;;AU)",
        "D:P(A;ID;LC;;;BA)",
        USER,
        "D:PAI(A;;LC;;;BA)",
    );
}

#[test]
fn stale_inherited_entries_are_replaced() {
    check(
        "D:(A;CI;RP;;;AU)",
        "D:AI(A;;LC;;;BA)(A;CIID;WP;;;WD)",
        USER,
        "D:AI(A;;LC;;;BA)(A;CIID;RP;;;AU)",
    );
}

#[test]
fn audit_entries_are_inherited_too() {
    let sace = |flags: &str| format!("S:AI(OU;{flags};WP;{KEYS};;WD)");
    check(
        &format!("D:{}", sace("CISA").replace("AI", "")),
        "D:",
        USER,
        &format!("D:AI{}", sace("CIIDSA")),
    );
    check("D:S:(AU;SA;WP;;;WD)", "D:", USER, "D:AI");
}

#[test]
fn a_changed_parent_reaches_an_existing_child() {
    let class: Guid = USER.parse().unwrap();
    let (owner, group) = (domain().with_rid(512), domain().with_rid(513));
    let creation = Creation {
        classes: &[class],
        owner: &owner,
        group: &group,
    };
    let child = merge(
        Some(&read("D:(A;CI;RP;;;AU)S:(AU;CISA;WP;;;WD)")),
        &read("D:(A;;LC;;;BA)"),
        &creation,
    );
    let changed = reinherit(&read("D:(A;CI;WP;;;AU)"), &child, &creation).unwrap();
    let text = changed.to_sddl(Domains::single(&domain())).unwrap();
    assert_eq!(text, "D:AI(A;;LC;;;BA)(A;CIID;WP;;;AU)");
}
