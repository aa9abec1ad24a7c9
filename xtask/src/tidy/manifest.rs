//! Cargo manifests: every dependency has a reason, and is used.

use super::Tree;

/// One dependency of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// The whole line, with its comment.
    text: String,
}

/// The entries of all tables of dependencies, as one line each (the only form we write).
pub(crate) fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut is_dependency_table = false;
    for (index, line) in manifest.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            is_dependency_table = trimmed
                .trim_matches(['[', ']'])
                .rsplit('.')
                .next()
                .is_some_and(|table| table.ends_with("dependencies"));
            continue;
        }
        let Some((key, _)) = trimmed.split_once('=') else {
            continue;
        };
        if is_dependency_table && !trimmed.starts_with('#') {
            let name = key.trim().split('.').next().unwrap_or_default().to_owned();
            found.push(Dependency {
                name,
                line: index + 1,
                text: line.to_owned(),
            });
        }
    }
    found
}

/// Foreign dependencies of the workspace without a reason beside them.
pub(crate) fn reasons(tree: &Tree) -> Vec<String> {
    let Some(root) = tree.text("Cargo.toml") else {
        return vec!["no Cargo.toml at the root".to_owned()];
    };
    dependencies(root)
        .into_iter()
        .filter(|dependency| !dependency.text.contains("path ="))
        .filter(|dependency| {
            dependency
                .text
                .rsplit_once('#')
                .is_none_or(|(_, reason)| reason.trim().is_empty())
        })
        .map(|dependency| {
            let Dependency { name, line, .. } = dependency;
            format!("Cargo.toml:{line}: {name} has no reason; write it beside it, after a #")
        })
        .collect()
}

/// Dependencies that no source file of the crate names. One that is there for its features says so
/// with a comment on its line.
pub(crate) fn unused(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for manifest in tree.files() {
        let Some(directory) = manifest.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let sources: Vec<&str> = tree
            .with_extension("rs")
            .filter(|file| {
                file.path
                    .strip_prefix(directory)
                    .is_some_and(|rest| rest.starts_with('/'))
            })
            .map(|file| file.text.as_str())
            .collect();
        let unused: Vec<String> = dependencies(&manifest.text)
            .into_iter()
            .filter(|dependency| !dependency.text.contains('#'))
            .filter(|dependency| {
                let word = dependency.name.replace('-', "_");
                !sources.iter().any(|text| names(text, &word))
            })
            .map(|dependency| dependency.name)
            .collect();
        if !unused.is_empty() {
            findings.push(format!(
                "{}: nothing in {directory} names {}; remove them, or say after a # what they are for",
                manifest.path,
                unused.join(", ")
            ));
        }
    }
    findings
}

/// Whether `word` stands in `text` as a word of its own.
fn names(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text
            .get(at + word.len()..)
            .and_then(|tail| tail.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_asked_for() {
        let root = "[workspace.dependencies]\n\
                    types = { path = \"crates/types\" }\n\
                    serde = \"1\"  # wire JSON\n\
                    rand = \"1\"\n\
                    [profile.dev]\nopt-level = 1\n";
        let findings = reasons(&Tree::of(&[("Cargo.toml", root)]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].starts_with("Cargo.toml:4: rand"),
            "{findings:?}"
        );
    }

    #[test]
    fn unused_ones_are_found() {
        let manifest = "[dependencies]\nserde-json.workspace = true\nsha2.workspace = true\n\
                        rustls.workspace = true  # its provider\n[dev-dependencies]\nproptest = \"1\"\n";
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", manifest),
            (
                "crates/a/src/lib.rs",
                "use serde_json::Value; // my_sha2 and sha2x are other words",
            ),
            ("crates/ab/src/lib.rs", "use sha2; use proptest;"),
        ]);
        let findings = unused(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].contains("names sha2, proptest;"),
            "{findings:?}"
        );
    }
}
