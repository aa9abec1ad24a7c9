//! Relative links in Markdown lead to a file, and anchors to a heading.

use super::Tree;

/// Links that lead nowhere. Links to the outside are not followed.
pub(crate) fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.with_extension("md") {
        let base = file
            .path
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        for (number, target) in links(&file.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let resolved = if path.is_empty() {
                file.path.clone()
            } else {
                join(base, path)
            };
            let place = format!("{}:{number}", file.path);
            match tree.text(&resolved) {
                Some(text) if !anchor.is_empty() && !has_heading(text, anchor) => {
                    findings.push(format!("{place}: {resolved} has no heading for #{anchor}"));
                }
                Some(_) => {}
                None if exists(&resolved) => {}
                None => findings.push(format!("{place}: there is no {resolved}")),
            }
        }
    }
    findings
}

/// Links to files that are no text of ours, and to directories.
fn exists(path: &str) -> bool {
    crate::run::Context::find().is_ok_and(|context| context.path(path).exists())
}

/// `](target)` outside code, with line numbers.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let Some(rest) = line.get(at + 2..) else {
                continue;
            };
            if let Some((target, _)) = rest.split_once(')') {
                found.push((
                    index + 1,
                    target.split_whitespace().next().unwrap_or_default(),
                ));
            }
        }
    }
    found
}

fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Headings become anchors in lower case, spaces as dashes, other punctuation dropped.
fn has_heading(text: &str, anchor: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| {
            let slug: String = line
                .trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter_map(|c| match c {
                    ' ' => Some('-'),
                    '-' | '_' => Some(c),
                    c if c.is_alphanumeric() => Some(c),
                    _ => None,
                })
                .collect();
            slug == anchor
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let tree = Tree::of(&[
            (
                "README.md",
                "[map](docs/map.md#code-map) [gone](docs/gone.md) [x](https://example.com)\n",
            ),
            (
                "docs/map.md",
                "# Code map\n[up](../README.md) [here](#no-such)\n```\n[a](b.md)\n```\n",
            ),
        ]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].contains("docs/gone.md"), "{findings:?}");
        assert!(findings[1].contains("#no-such"), "{findings:?}");
    }
}
