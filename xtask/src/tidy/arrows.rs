//! Arrows only point down, and a room never imports a room (docs/ARCHITECTURE.md).

use super::{Tree, manifest};

/// The house from the ground up. A crate may import what stands on a lower floor.
const FLOORS: [&[&str]; 7] = [
    &["types"],
    &[
        "keycred",
        "security-descriptor",
        "ldap",
        "kerberos",
        "events",
        "ctap",
    ],
    // A staircase of its own: its messages carry `searchableDeviceKey` of keycred.
    &["cloud-api"],
    &[
        "directory",
        "kdc",
        "cloud",
        "sync",
        "workstation",
        "audit",
        "detect",
    ],
    &["softkey", "machine", "pam"],
    &["lab"],
    &["tombolo"],
];

/// Outside the house: they may import anything, and nothing imports them.
const OUTSIDE: [&str; 4] = ["conformance", "bench", "xtask", "fuzz"];

/// Every arrow that points up or sideways, and every crate that has no floor.
pub(crate) fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.files() {
        let Some(name) = crate_name(&file.path) else {
            continue;
        };
        let Some(floor) = floor_of(name) else {
            findings.push(format!(
                "{}: '{name}' has no floor; give it one in xtask's arrows",
                file.path
            ));
            continue;
        };
        for dependency in manifest::dependencies(&file.text) {
            match floor_of(&dependency.name) {
                Some(below) if below < floor => {}
                Some(below) => {
                    let way = if below == floor { "sideways" } else { "up" };
                    findings.push(format!(
                        "{}:{}: the arrow {name} -> {} points {way}; let them meet on the wire or through \
                         a trait that {name} declares",
                        file.path, dependency.line, dependency.name
                    ));
                }
                None if OUTSIDE.contains(&dependency.name.as_str()) => findings.push(format!(
                    "{}:{}: {name} imports {}, which stands outside the house",
                    file.path, dependency.line, dependency.name
                )),
                None => {}
            }
        }
    }
    findings
}

fn crate_name(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?
        .strip_suffix("/Cargo.toml")
        .filter(|name| !name.contains('/'))
}

fn floor_of(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(name: &str, dependencies: &str, wanted: &[&str]) {
        let path = format!("crates/{name}/Cargo.toml");
        let text = format!("[package]\nname = \"x\"\n[dependencies]\n{dependencies}\n");
        let findings = check(&Tree::of(&[(&path, &text)]));
        assert_eq!(findings.len(), wanted.len(), "{findings:?}");
        for (finding, word) in findings.iter().zip(wanted) {
            assert!(finding.contains(word), "{finding}");
        }
    }

    #[test]
    fn arrows_point_down() {
        check_one(
            "detect",
            "keycred.workspace = true\nserde.workspace = true",
            &[],
        );
        check_one(
            "detect",
            "sync.workspace = true",
            &["detect -> sync points sideways"],
        );
        check_one(
            "keycred",
            "audit.workspace = true",
            &["keycred -> audit points up"],
        );
        check_one(
            "lab",
            "sync.workspace = true\nsoftkey.workspace = true",
            &[],
        );
        check_one(
            "lab",
            "conformance = { path = \"../../conformance\" }",
            &["outside"],
        );
        check_one("attic", "types.workspace = true", &["no floor"]);
    }
}
