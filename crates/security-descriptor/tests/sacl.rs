//! Which accesses are recorded.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use security_descriptor::{AccessMask, Domains, Outcome, SecurityDescriptor, Token, audits};
use types::{Guid, Sid};

const KEYS: &str = "5b47d60f-6090-40b2-9f37-2a4de88f3063";
const TITLE: &str = "bf967a55-0de6-11d0-a285-00aa003049e2";

fn check(sddl: &str, path: &[&str], mask: AccessMask, success: bool, failure: bool) {
    let domain: Sid = "S-1-5-21-1-2-3".parse().unwrap();
    let descriptor = SecurityDescriptor::from_sddl(sddl, Domains::single(&domain)).unwrap();
    let token = Token::new([domain.with_rid(1104), Sid::everyone()]);
    let path: Vec<Guid> = path.iter().map(|g| g.parse().unwrap()).collect();
    let ask = |outcome| {
        audits(
            &descriptor,
            &token,
            Some(&domain.with_rid(1104)),
            mask,
            &path,
            outcome,
        )
    };
    assert_eq!(
        (ask(Outcome::Success), ask(Outcome::Failure)),
        (success, failure),
        "{sddl} {path:?}"
    );
}

#[test]
fn the_entry_must_match_in_every_respect() {
    let write = AccessMask::WRITE_PROPERTY;
    check("D:", &[KEYS], write, false, false);
    check(
        &format!("S:(OU;CISA;WP;{KEYS};;WD)"),
        &[KEYS],
        write,
        true,
        false,
    );
    check(
        &format!("S:(OU;CIFA;WP;{KEYS};;WD)"),
        &[KEYS],
        write,
        false,
        true,
    );
    check(
        &format!("S:(OU;SAFA;WP;{KEYS};;WD)"),
        &[TITLE],
        write,
        false,
        false,
    );
    check(
        &format!("S:(OU;CIIOSA;WP;{KEYS};;WD)"),
        &[KEYS],
        write,
        false,
        false,
    );
    check(
        &format!("S:(OU;SA;RP;{KEYS};;WD)"),
        &[KEYS],
        write,
        false,
        false,
    );
    check(
        &format!("S:(OU;SA;WP;{KEYS};;DU)"),
        &[KEYS],
        write,
        false,
        false,
    );
    check(
        &format!("S:(OU;SA;WP;{KEYS};;PS)"),
        &[KEYS],
        write,
        true,
        false,
    );
    check("S:(AU;SA;WPWDWO;;;WD)", &[KEYS], write, true, false);
}
