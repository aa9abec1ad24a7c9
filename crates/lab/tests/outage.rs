//! The outage matrix, whole. `+` works, `-` does not, in the order of the columns.

use lab::outage::{self, Outcome, ROWS, Rules, SITUATIONS, timeline};

/// all up | cloud 1m 1h 11h 8d | domain controller 1h | both 1h | first sign-in | no hmac-secret
const EXPECTED: [(&str, &str); 16] = [
    ("device", "+ ++++ + + - -"),
    ("service", "+ ++-- + + - +"),
    ("tgt", "+ ++-- - - - +"),
    ("new-service", "+ +++- - - - +"),
    ("renewal", "+ +++- - - - +"),
    ("fresh-tgt", "+ ---- - - - -"),
    ("ntlm-session-never", "- ---- - - - -"),
    ("ntlm-session-session", "+ ++++ - - - +"),
    ("ntlm-session-sealed", "+ ++++ - - - +"),
    ("ntlm-anew-never", "- ---- - - - -"),
    ("ntlm-anew-session", "+ ---- - - - -"),
    ("ntlm-anew-sealed", "+ ++++ - - - -"),
    ("cloud", "+ ---- + - - -"),
    ("key-trust", "+ ++++ - - - +"),
    ("password", "+ ++++ - - + +"),
    ("back", "+ ++++ + + - -"),
];

#[test]
fn every_cell_is_as_it_was_seen() {
    let matrix = outage::run(Rules::default(), &mut |_| ()).unwrap();
    assert_eq!(matrix.cells.len(), ROWS.len() * SITUATIONS.len());
    let mut differs = Vec::new();
    for (row, expected) in EXPECTED {
        let expected = expected.replace(' ', "");
        for (situation, expected) in SITUATIONS.iter().zip(expected.chars()) {
            let cell = matrix.cell(row, situation.id).unwrap();
            let seen = match cell.outcome {
                Outcome::Works => '+',
                Outcome::Fails => '-',
            };
            if seen != expected {
                differs.push(format!(
                    "{row}, {}: {seen} {}",
                    situation.id, cell.mechanism
                ));
            }
            assert!(!cell.mechanism.is_empty());
        }
    }
    assert!(differs.is_empty(), "{differs:#?}");
    // The ends are those of the rules.
    let after = |row: &str, column: &str| {
        let until = matrix.cell(row, column).unwrap().until.unwrap();
        until.seconds_since(matrix.signed_in) / 3600
    };
    assert_eq!(after("tgt", "cloud-1h"), 10);
    assert_eq!(after("tgt", "cloud-8d"), 10);
    assert_eq!(after("renewal", "cloud-11h"), 7 * 24);
    assert_eq!(after("new-service", "cloud-8d"), 7 * 24);
    assert_eq!(after("device", "cloud-8d"), 30 * 24);
    assert_eq!(after("cloud", "cloud-8d"), 14 * 24);
}

#[test]
fn a_line_of_time_ends_where_its_parts_end() {
    let hour = 3600;
    let rules = Rules {
        lifetimes: lab::Lifetimes {
            ticket_s: 4 * hour,
            renewable_s: 24 * hour,
        },
        offline_s: 2 * 24 * hour,
    };
    let line = timeline::live(rules, 3 * 24 * hour).unwrap();
    let hours = |id: &str| {
        let span = line.spans.iter().find(|span| span.id == id).unwrap();
        let until = span
            .until
            .map(|until| until.seconds_since(line.signed_in) / hour);
        (until, span.outlives(line.back))
    };
    assert_eq!(hours("service"), (Some(4), false));
    assert_eq!(hours("tgt"), (Some(4), false));
    assert_eq!(hours("renewed"), (Some(24), false));
    assert_eq!(hours("offline"), (Some(48), false));
    assert_eq!(hours("prt"), (Some(14 * 24), true));
    assert_eq!(hours("nt-hash"), (None, true));
    let renewals = &line.spans[2].renewals;
    assert!(renewals.len() >= 9, "{renewals:?}");
    assert!(line.after.contains("five minutes"), "{}", line.after);
}
