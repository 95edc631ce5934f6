//! The conformance corpus: each Markdown file of this folder is a rule of the language, a flow that shows it, and what
//! must come out, whatever database the tables are in.
//!
//! A fence `yaml PATH` is a file of the project, `yaml api` what the API answers, `sh run` the command lines, `text show`
//! how requests are shown, `text result` what must come out, `text except` of which kinds of databases that can't be asked,
//! and why. `UPDATE_CORPUS=1 cargo test --test it corpus` writes the results and the page README.md anew; `CASE=name` runs
//! only the cases whose path holds the name.

mod api;
mod case;
mod page;
mod result;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::state::Stage;
use crate::support::{mysql, postgres};
use case::Case;

/// Cases at the same time: most of a case is waiting for a process.
const THREADS: usize = 4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language")
}

/// All cases, by path.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for chapter in std::fs::read_dir(folder()).expect("the corpus").flatten() {
        if chapter.path().is_dir() {
            for file in std::fs::read_dir(chapter.path()).expect("a chapter").flatten() {
                cases.push(Case::read(&file.path()));
            }
        }
    }
    cases.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(cases.len() > 100, "the corpus is there");
    cases
}

fn updating() -> bool {
    std::env::var_os("UPDATE_CORPUS").is_some()
}

#[test]
fn corpus() {
    let only = std::env::var("CASE").unwrap_or_default();
    let cases: Vec<Case> = cases()
        .into_iter()
        .filter(|case| case.name().contains(&only))
        .collect();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failed = check(case);
                    failures.lock().expect("no panic").extend(failed);
                }
            });
        }
    });
    if updating() {
        for (name, text) in page::render(&self::cases()) {
            std::fs::write(pages().join(name), text).expect("the page");
        }
    }
    let mut failures = failures.into_inner().expect("no panic");
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {} cases:\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
}

/// Where the pages are.
fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/by-example")
}

/// A new database of a kind.
type Opened = fn() -> Stage;

/// What differs from what must come out.
fn check(case: &Case) -> Vec<String> {
    let mut failures = Vec::new();
    let mut expected = case.result.clone();
    let stages: [(&str, Opened); 5] = [
        ("staging", || Stage::Staging),
        ("postgres", || Stage::Postgres(postgres::Database::new())),
        ("duckdb", || Stage::DuckDb),
        ("sqlite", || Stage::Sqlite),
        ("mysql", || Stage::MySql(mysql::Database::new())),
    ];
    for (name, stage) in stages {
        let got = match std::panic::catch_unwind(|| result::of(case, &stage())) {
            Ok(got) => got,
            Err(_) => {
                failures.push(format!("{} on {name}: the test itself broke down", case.name()));
                continue;
            }
        };
        if updating() && name == "staging" {
            case.write_result(&got);
            expected.clone_from(&got);
        }
        let excepted = case.except.iter().any(|(kind, _)| kind == name);
        if excepted && got == expected {
            failures.push(format!(
                "--- {} on {name}: an exception without need",
                case.name()
            ));
        }
        if got != expected && !excepted {
            failures.push(format!(
                "--- {} on {name}\n{}",
                case.name(),
                difference(&expected, &got)
            ));
        }
    }
    failures
}

fn difference(expected: &str, got: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    let mut out = Vec::new();
    for line in &old {
        let mark = if new.contains(line) { ' ' } else { '-' };
        out.push(format!("{mark} {line}"));
    }
    for line in new.iter().filter(|line| !old.contains(line)) {
        out.push(format!("+ {line}"));
    }
    out.join("\n")
}

#[test]
fn the_pages_show_the_corpus() {
    if updating() {
        // The test of the cases writes them, when their results are there.
        return;
    }
    for (name, page) in page::render(&cases()) {
        let there = std::fs::read_to_string(pages().join(&name)).unwrap_or_default();
        assert!(
            there == page,
            "docs/by-example/{name} is stale: UPDATE_CORPUS=1 cargo test --test it language"
        );
    }
}
