//! Links between pages, and to headings in them, lead somewhere.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::pages;

/// What a heading is called in links, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let plain = heading.replace(['`', '*'], "");
    let kept = plain.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn anchors(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !in_block) {
            found.push(anchor(heading.trim_start_matches('#').trim()));
        }
    }
    found
}

fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        if in_block {
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let end = rest.find(')').unwrap_or(rest.len());
            found.push(rest[..end].split(' ').next().unwrap_or_default());
        }
    }
    found
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = pages();
    let known: HashMap<PathBuf, Vec<String>> = pages
        .iter()
        .map(|(name, text)| (PathBuf::from(name), anchors(text)))
        .collect();
    let mut wrong = Vec::new();
    for (name, text) in &pages {
        for link in links(text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let to = match file {
                "" => PathBuf::from(name),
                file => plain(&Path::new(name).parent().unwrap().join(file)),
            };
            let there = match known.get(&to) {
                Some(anchors) => heading.is_empty() || anchors.iter().any(|known| known == heading),
                None => root.join(&to).exists(),
            };
            // The site has the pages of its folder alone.
            let leaves = name.starts_with("docs/") && !to.starts_with("docs");
            if !there || leaves {
                wrong.push(format!(
                    "{name}: {link}{}",
                    if leaves { " leaves the site" } else { "" }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_pages_are_in_the_table_of_contents() {
    let contents = std::fs::read_to_string(super::folder().join("SUMMARY.md")).unwrap();
    let listed = links(&contents);
    for (name, _) in pages() {
        let Some(page) = name.strip_prefix("docs/").filter(|page| *page != "SUMMARY.md") else {
            continue;
        };
        assert!(listed.contains(&page), "SUMMARY.md does not list {page}");
    }
}
