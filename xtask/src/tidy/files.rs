//! Source files that no `mod` reaches, and files that have grown long.

use std::collections::BTreeSet;

use super::{File, Tree};

/// Around here a file usually holds two ideas, and the seam between them is where to split.
const LINES_HINT: usize = 800;
const LONGEST_SHOWN: usize = 5;

/// The longest files beyond the hint.
pub(crate) fn longest(tree: &Tree) -> Vec<String> {
    let mut long: Vec<(usize, &str)> = tree
        .with_extension("rs")
        .map(|file| (file.text.lines().count(), file.path.as_str()))
        .filter(|(lines, _)| *lines > LINES_HINT)
        .collect();
    long.sort_by(|a, b| b.cmp(a));
    long.iter()
        .take(LONGEST_SHOWN)
        .map(|(lines, path)| format!("{path} has {lines} lines; perhaps it holds two ideas"))
        .collect()
}

/// Rust files that are neither the root of a target nor a module of one.
pub(crate) fn dead(tree: &Tree) -> Vec<String> {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<&File> = tree
        .with_extension("rs")
        .filter(|file| is_root(&file.path))
        .collect();
    while let Some(file) = open.pop() {
        if !reached.insert(file.path.clone()) {
            continue;
        }
        for path in modules(file) {
            if let Some(next) = tree.files().iter().find(|other| other.path == path) {
                open.push(next);
            }
        }
    }
    tree.with_extension("rs")
        .filter(|file| !reached.contains(&file.path))
        .map(|file| format!("{}: no `mod` reaches it; name it or remove it", file.path))
        .collect()
}

/// The root of a library, program, test, benchmark, example or fuzz target.
fn is_root(path: &str) -> bool {
    let Some((directory, name)) = path.rsplit_once('/') else {
        return false;
    };
    let parent = directory.rsplit('/').next().unwrap_or_default();
    matches!(name, "build.rs")
        || parent == "src" && matches!(name, "lib.rs" | "main.rs")
        || matches!(parent, "tests" | "benches" | "examples" | "fuzz_targets") && !directory.contains("/src/")
        || parent == "bin" && directory.ends_with("src/bin")
        // A target with a directory of its own.
        || name == "main.rs" && directory.contains("/src/bin/")
}

/// Where the modules that a file names may be.
fn modules(file: &File) -> Vec<String> {
    let Some((directory, name)) = file.path.rsplit_once('/') else {
        return Vec::new();
    };
    let stem = name.trim_end_matches(".rs");
    let below = if stem == "mod" || is_root(&file.path) {
        directory.to_owned()
    } else {
        format!("{directory}/{stem}")
    };
    let mut found = Vec::new();
    // Modules written in place nest the directory one deeper; `inline` holds their names and indents.
    let mut inline: Vec<(usize, &str)> = Vec::new();
    let mut explicit: Option<&str> = None;
    for line in file.text.lines() {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if trimmed.starts_with('}') {
            inline.retain(|(depth, _)| *depth < indent);
        }
        if let Some(path) = trimmed
            .strip_prefix("#[path = \"")
            .and_then(|t| t.strip_suffix("\"]"))
        {
            explicit = Some(path);
            continue;
        }
        let Some(module) = module_name(trimmed) else {
            continue;
        };
        let nested: String = inline.iter().map(|(_, name)| format!("/{name}")).collect();
        if trimmed.ends_with('{') {
            inline.push((indent, module));
        } else if let Some(path) = explicit.take() {
            found.push(normal(&format!("{directory}/{path}")));
        } else {
            found.push(format!("{below}{nested}/{module}.rs"));
            found.push(format!("{below}{nested}/{module}/mod.rs"));
        }
    }
    found
}

/// The name in `mod name;`, `pub mod name;`, `pub(crate) mod name {`.
fn module_name(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(public) => public
            .strip_prefix('(')
            .map_or(public, |r| r.split_once(')').map_or(r, |x| x.1)),
        None => line,
    };
    let name = rest.trim_start().strip_prefix("mod ")?;
    Some(name.trim_end_matches([';', '{', ' ']))
}

/// Resolves `..` inside a path.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else if part != "." {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_files_are_found() {
        let tree = Tree::of(&[
            (
                "crates/a/src/lib.rs",
                "pub mod one;\nmod two;\n#[path = \"odd/name.rs\"]\nmod three;\n",
            ),
            (
                "crates/a/src/one.rs",
                "pub(crate) mod inner;\nmod here {\n    mod deep;\n}\nmod last;\n",
            ),
            ("crates/a/src/one/inner.rs", ""),
            ("crates/a/src/one/here/deep.rs", ""),
            ("crates/a/src/one/last.rs", ""),
            ("crates/a/src/two/mod.rs", "mod inner;"),
            ("crates/a/src/two/inner.rs", ""),
            ("crates/a/src/odd/name.rs", ""),
            ("crates/a/src/forgotten.rs", "mod two;"),
            ("crates/a/tests/api.rs", "mod common;"),
            ("crates/a/tests/common/mod.rs", ""),
            ("bench/src/bin/speed.rs", ""),
        ]);
        let findings = dead(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].starts_with("crates/a/src/forgotten.rs"),
            "{findings:?}"
        );
    }
}
