//! What a compiler does not see: the arrows of the house, reasons of dependencies, dead files, links, words.
//!
//! Each rule gives findings that fail the run; file length is a hint alone.

mod arrows;
mod files;
mod links;
mod manifest;
mod words;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::run::Context;
use crate::summary::{Count, Summary};

/// A rule looks at the tree and says what is wrong with it, one line a finding.
type Rule = fn(&Tree) -> Vec<String>;

const RULES: [(&str, Rule); 7] = [
    ("arrows of the house", arrows::check),
    ("reasons of dependencies", manifest::reasons),
    ("unused dependencies", manifest::unused),
    ("dead files", files::dead),
    ("Markdown links", links::check),
    ("spec citations", words::citations),
    ("words", words::forbidden),
];

/// Runs every rule.
pub(crate) fn check(context: &Context, summary: &mut Summary) {
    let start = Instant::now();
    let tree = Tree::read(context.root());
    let mut count = Count::default();
    for (name, rule) in RULES {
        let findings = rule(&tree);
        for finding in &findings {
            say!("{name}: {finding}");
        }
        count.add(Count::one(findings.is_empty()));
    }
    for hint in files::longest(&tree) {
        say!("hint: {hint}");
    }
    summary.push("tidy", count, start.elapsed(), "");
}

/// The text files of the checkout, read once.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
}

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// What is not ours to tidy: build results, judges, history.
const SKIPPED: [&str; 5] = ["target", ".git", ".peers", "corpus", "artifacts"];
const EXTENSIONS: [&str; 7] = ["rs", "toml", "md", "py", "sh", "yml", "html"];

impl Tree {
    fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        tree.walk(root, root);
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree
    }

    fn walk(&mut self, root: &Path, directory: &Path) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.walk(root, &path);
                }
                continue;
            }
            let is_text = path
                .extension()
                .is_some_and(|e| EXTENSIONS.iter().any(|known| e == *known));
            if !is_text && !path.starts_with(root.join(".ci")) {
                continue;
            }
            if let (Ok(relative), Ok(text)) =
                (path.strip_prefix(root), std::fs::read_to_string(&path))
            {
                let path = relative.to_string_lossy().replace('\\', "/");
                self.files.push(File { path, text });
            }
        }
    }

    /// All files.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// The files with this extension.
    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| {
            file.path
                .rsplit_once('.')
                .is_some_and(|(_, found)| found == extension)
        })
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let found = self.files.iter().find(|file| file.path == path);
        found.map(|file| file.text.as_str())
    }

    /// A tree for the tests of the rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).into(),
            text: (*text).into(),
        };
        Self {
            files: files.iter().map(file).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree that this test was built from must be tidy.
    #[test]
    fn this_tree_is_read() {
        let context = Context::find().unwrap();
        let tree = Tree::read(context.root());
        assert!(tree.text("xtask/src/tidy/mod.rs").is_some());
        assert!(
            tree.files()
                .iter()
                .all(|file| !file.path.starts_with("target/"))
        );
    }
}
