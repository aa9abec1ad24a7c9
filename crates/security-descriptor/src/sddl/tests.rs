//! SDDL both ways, by table and by property.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use proptest::prelude::*;

use crate::{Domains, SecurityDescriptor};

fn domain() -> types::Sid {
    "S-1-5-21-10-20-30".parse().unwrap()
}

/// What `text` prints as after reading; through bytes too.
fn check(text: &str, expect: &str) {
    let domain = domain();
    let domains = Domains::single(&domain);
    let read =
        SecurityDescriptor::from_sddl(text, domains).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(read.to_sddl(domains).unwrap(), expect, "{text}");
    let again = SecurityDescriptor::from_bytes(&read.to_bytes().unwrap()).unwrap();
    assert_eq!(again, read, "{text}");
}

fn unchanged(text: &str) {
    check(text, text);
}

#[test]
fn texts_of_active_directory() {
    unchanged("");
    unchanged("O:DAG:DAD:AI(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)");
    unchanged(
        "D:PAI(OA;CI;RPWP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;KA)(OA;CI;RPWP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;EK)",
    );
    unchanged(
        "D:(OA;CIIO;SW;9b026da6-0d3c-465c-8bee-5199d7165cba;bf967a86-0de6-11d0-a285-00aa003049e2;PS)(OA;CIIO;SW;9b026da6-0d3c-465c-8bee-5199d7165cba;bf967a86-0de6-11d0-a285-00aa003049e2;CO)",
    );
    unchanged("D:(OD;OICINPIOID;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;WD)(D;;SD;;;AN)");
    unchanged("S:AI(OU;CISA;WP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;WD)(AU;SAFA;WPWDWO;;;WD)");
    unchanged("O:S-1-5-21-1-2-3-1104G:DUD:S:");
    unchanged("D:PARAIS:PARAI");
    unchanged("D:NO_ACCESS_CONTROL");
    unchanged(
        "D:(A;;RPWP;;;EA)(A;;RP;;;SA)(A;;RP;;;CA)(A;;RP;;;RU)(A;;RP;;;OW)(A;;RP;;;ED)(A;;RP;;;RO)(A;;RP;;;CN)",
    );
    unchanged("D:(OA;;RP;;;AU)");
}

#[test]
fn other_spellings() {
    check("d:(a;ci;0x20094;;;s-1-5-11)", "D:(A;CI;LCRPLORC;;;AU)");
    check("D:(A;;32;;;BA)", "D:(A;;WP;;;BA)");
    check("D:(A;;FA;;;BA)", "D:(A;;0x1f01ff;;;BA)");
    check("D:(A;;GRGWGXGA;;;SY)", "D:(A;;GAGRGWGX;;;SY)");
    check("D:(A;;KA;;;KA)", "D:(A;;CCDCLCSWRPWPSDRCWDWO;;;KA)");
    check(
        "O:S-1-5-21-10-20-30-512D:(A;;RP;;;S-1-5-21-10-20-30-526)",
        "O:DAD:(A;;RP;;;KA)",
    );
    check(
        " O:BA G:BA D: (A; CI ; RP;;; AU) ",
        "O:BAG:BAD:(A;CI;RP;;;AU)",
    );
    check("D:()".replace("()", "").as_str(), "D:");
}

#[test]
fn broken_texts_are_refused() {
    let domain = domain();
    for text in [
        "X:",
        "O:",
        "O:ZZ",
        "D:(",
        "D:()",
        "D:(A;;RP;;;)",
        "D:(A;;RP;;;AU",
        "D:(A;;XX;;;AU)",
        "D:(A;QQ;RP;;;AU)",
        "D:(A;;RP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;AU)",
        "D:(OA;;RP;nonsense;;AU)",
        "D:(XA;;RP;;;AU;(x))",
        "D:(A;;0x1ffffffff;;;AU)",
        "D:D:",
        "O:S-1-5-",
        "é",
        "D:(é;;;;;é)",
        "D:Z",
    ] {
        assert!(
            SecurityDescriptor::from_sddl(text, Domains::single(&domain)).is_err(),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[OGDS:();A-Z0-9x -]{0,60}") {
        let domain = domain();
        let domains = Domains::single(&domain);
        if let Ok(read) = SecurityDescriptor::from_sddl(&text, domains) {
            let printed = read.to_sddl(domains).unwrap();
            let again = SecurityDescriptor::from_sddl(&printed, domains).unwrap();
            prop_assert_eq!(again, read);
        }
    }
}
