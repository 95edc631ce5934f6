//! Rules of the house, checked with the tests: who may import whom, and how large a file may be.

use std::path::{Path, PathBuf};

/// A file is a room one can see across.
const MAX_LINES: usize = 420;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|e| e == "rs") => found.push(path),
            false => {}
        }
    }
}

fn sources(below: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join(below), &mut found);
    assert!(!found.is_empty(), "{below} has files");
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(root)
            .expect("below the root")
            .to_string_lossy()
            .into_owned();
        (name, std::fs::read_to_string(path).expect("a file"))
    };
    found.into_iter().map(read).collect()
}

#[test]
fn parts_know_only_what_they_may() {
    // What stands in the first folder must not name the modules behind it.
    const DATABASES: &[&str] = &[
        "sources::postgres",
        "sources::mysql",
        "sources::sqlite",
        "sources::snowflake",
        "sources::duckdb",
        "sources::adbc",
    ];
    const CONNECTOR: &[&str] = &["exec", "cli", "http", "python", "staging", "report", "expr"];
    let rules: [(&str, &[&str]); 21] = [
        (
            "src/http",
            &["exec", "cli", "sources", "staging", "python", "report", "expr"],
        ),
        (
            "src/python",
            &["exec", "cli", "http", "staging", "report", "engine::registry"],
        ),
        ("src/python", DATABASES),
        ("src/sources/postgres", CONNECTOR),
        ("src/sources/postgres", &["sources::duckdb", "sources::adbc"]),
        ("src/sources/duckdb", CONNECTOR),
        ("src/sources/duckdb", &["sources::postgres"]),
        ("src/sources/mysql", CONNECTOR),
        ("src/sources/sqlite", CONNECTOR),
        ("src/sources/snowflake", CONNECTOR),
        ("src/sources/adbc", CONNECTOR),
        (
            "src/sources/adbc",
            &["sources::postgres", "sources::duckdb", "sources::snowflake"],
        ),
        ("src/local", &["exec", "cli", "http", "python", "report", "expr"]),
        ("src/local", DATABASES),
        (
            "src/staging",
            &["exec", "cli", "http", "python", "report", "expr"],
        ),
        ("src/staging", DATABASES),
        (
            "src/batch",
            &["exec", "cli", "http", "python", "staging", "report", "expr"],
        ),
        (
            "src/exec",
            &["cli", "report", "staging", "engine::registry", "project"],
        ),
        ("src/exec", DATABASES),
        (
            "src/expr",
            &["exec", "cli", "http", "staging", "report", "sources"],
        ),
        ("src/report", &["cli", "http", "python", "staging", "sources"]),
    ];
    let mut broken = Vec::new();
    for (folder, forbidden) in rules {
        for (name, text) in sources(folder) {
            for module in forbidden {
                let uses = text.contains(&format!("crate::{module}::"))
                    || text.contains(&format!("use crate::{module};"));
                if uses {
                    broken.push(format!("{name} uses {module}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_plan_is_all_the_executor_sees() {
    for (name, text) in sources("src/exec") {
        // Definitions of http sources are data of the plan's; reading YAML is not.
        for forbidden in ["syntax::parse", "syntax::read", "Keys", "serde_saphyr"] {
            assert!(!text.contains(forbidden), "{name} reads YAML: {forbidden}");
        }
    }
}

#[test]
fn files_are_small_rooms() {
    let all = ["src", "planner/src", "tests"].into_iter().flat_map(sources);
    let large: Vec<String> = all
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(name, text)| format!("{name}: {} lines", text.lines().count()))
        .collect();
    assert!(large.is_empty(), "{large:#?}");
}
