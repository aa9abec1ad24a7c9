//! How specifications are cited, and words that have no place in the product.

use super::{File, Tree};

/// Leftovers, and paths of one machine. Pieces, so that this file does not find itself.
const FORBIDDEN: [(&str, &str, &str); 5] = [
    (
        "TO",
        "DO",
        "do it, or say in a sentence what is absent and why",
    ),
    (
        "FIX",
        "ME",
        "fix it, or say in a sentence what is wrong and why it stays",
    ),
    ("XX", "X:", "say it in a sentence"),
    ("/wo", "rk/", "a path of one machine"),
    (
        "fact ",
        "sheet",
        "name the specification or the source itself",
    ),
];

/// Forbidden words, with their lines.
pub(crate) fn forbidden(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for (index, line) in file.text.lines().enumerate() {
            for (head, tail, advice) in FORBIDDEN {
                let word = format!("{head}{tail}");
                if line.contains(&word) {
                    findings.push(format!("{}:{}: '{word}': {advice}", file.path, index + 1));
                }
            }
        }
    }
    findings
}

/// Citations read `MS-ADTS 3.1.1.5` and `RFC 4511 4.2`: no brackets, no section sign, a space before the
/// number.
pub(crate) fn citations(tree: &Tree) -> Vec<String> {
    let rust = tree
        .with_extension("rs")
        .filter(|file| !file.path.starts_with("xtask/"));
    let mut findings = Vec::new();
    for file in rust.chain(tree.with_extension("md")) {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(advice) = wrong_citation(line) {
                findings.push(place(file, index, advice));
            }
        }
    }
    findings
}

fn place(file: &File, index: usize, advice: &str) -> String {
    format!("{}:{}: {advice}", file.path, index + 1)
}

fn wrong_citation(line: &str) -> Option<&'static str> {
    if line.contains('§') {
        return Some("write the section's number alone, as in `MS-ADTS 3.1.1.5`");
    }
    if line.contains("[MS-") {
        return Some("write the document without brackets, as in `MS-ADTS 3.1.1.5`");
    }
    let glued = line.match_indices("RFC").any(|(at, _)| {
        line.get(at + 3..)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|next| next.is_ascii_digit())
    });
    glued.then_some("write `RFC 4511`, with a space")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_have_one_form() {
        assert_eq!(wrong_citation("// MS-ADTS 3.1.1.5 and RFC 4511 4.2"), None);
        assert!(wrong_citation("// see RFC4511").is_some());
        assert!(wrong_citation("// [MS-ADTS] 3.1").is_some());
        assert!(wrong_citation("// MS-ADTS § 3.1").is_some());
    }

    #[test]
    fn leftovers_are_found() {
        let text = format!("// {}{}: later\nfn f() {{}}\n", "TO", "DO");
        let findings = forbidden(&Tree::of(&[("crates/a/src/lib.rs", &text)]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].starts_with("crates/a/src/lib.rs:1"),
            "{findings:?}"
        );
    }
}
