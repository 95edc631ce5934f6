//! Rules of the house, checked with the tests: who may import whom, and how large a file may be.

use std::collections::BTreeSet;
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

/// Which folders of `src` a folder may import. In the order of the data: none imports one behind it, so that there is no
/// circle. The rooms of `exec` are folders of their own.
const IMPORTS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("secret", &[]),
    ("exchange", &["error"]),
    ("batch", &["error", "exchange"]),
    ("value", &["batch", "error"]),
    ("world", &["error", "value"]),
    ("http", &["error", "exchange", "secret", "value"]),
    ("python", &["batch", "error", "exchange", "value", "world"]),
    (
        "expr",
        &["batch", "error", "exchange", "python", "value", "world"],
    ),
    ("sources", &["batch", "error", "secret"]),
    ("incremental", &["batch", "error", "sources", "value"]),
    ("staging", &["batch", "error", "sources"]),
    ("local", &["batch", "error", "sources", "staging"]),
    ("event", &["error"]),
    ("changes", &["batch", "error", "event", "sources", "value"]),
    (
        "state",
        &["error", "event", "exchange", "http", "secret", "value"],
    ),
    ("stand_in", &["batch", "error", "event", "sources", "staging"]),
    (
        "exec",
        &[
            "error", "event", "exchange", "expr", "http", "secret", "sources", "state", "local", "value",
            "world",
        ],
    ),
    (
        "exec/load",
        &[
            "batch",
            "error",
            "exec",
            "incremental",
            "python",
            "sources",
            "state",
            "value",
        ],
    ),
    (
        "exec/incremental",
        &[
            "batch",
            "error",
            "exec",
            "exec/load",
            "incremental",
            "sources",
            "value",
            "world",
        ],
    ),
    (
        "exec/changes",
        &[
            "changes",
            "error",
            "event",
            "exec",
            "exec/incremental",
            "exec/load",
            "sources",
            "state",
            "value",
        ],
    ),
    (
        "exec/request",
        &[
            "batch",
            "error",
            "event",
            "exchange",
            "exec",
            "exec/changes",
            "exec/load",
            "http",
            "incremental",
            "python",
            "secret",
            "state",
            "value",
            "world",
        ],
    ),
    (
        "exec/steps",
        &[
            "batch",
            "error",
            "event",
            "exec",
            "exec/changes",
            "exec/incremental",
            "exec/load",
            "exec/request",
            "http",
            "incremental",
            "local",
            "sources",
            "state",
            "value",
        ],
    ),
    (
        "engine",
        &[
            "batch",
            "changes",
            "error",
            "event",
            "exec",
            "expr",
            "http",
            "incremental",
            "secret",
            "stand_in",
            "state",
            "sources",
            "staging",
            "value",
            "world",
        ],
    ),
    ("testing", &["engine", "error", "event", "secret", "value"]),
    ("doctor", &["engine", "error", "event", "sources", "value"]),
    ("report", &["event"]),
    (
        "cli",
        &["doctor", "engine", "error", "event", "report", "testing", "value"],
    ),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// The folder of `src` that a file belongs to.
fn room(name: &str) -> &str {
    let name = name.strip_prefix("src/").unwrap_or(name);
    match name.split_once('/') {
        Some(("exec", inside)) if inside.contains('/') => {
            let end = "exec/".len() + inside.find('/').unwrap_or_default();
            &name[..end]
        }
        Some((folder, _)) => folder,
        None => name.strip_suffix(".rs").unwrap_or(name),
    }
}

/// The folders that a text imports, comments left out.
fn imported(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut found = Vec::new();
    for line in code {
        for part in line
            .split("crate::")
            .skip(1)
            .chain(line.split("sequor::").skip(1))
        {
            let mut names = part
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .filter(|n| !n.is_empty());
            let first = names.next().unwrap_or_default().to_string();
            let inner = part
                .strip_prefix("exec::")
                .map(|_| names.next().unwrap_or_default());
            found.push(match inner {
                Some(inner @ ("changes" | "incremental" | "load" | "request" | "steps")) => {
                    format!("exec/{inner}")
                }
                _ => first,
            });
        }
    }
    found
}

/// Every import from one folder to another, each once, in the order of the list.
fn imports() -> Vec<(String, String)> {
    let mut found = BTreeSet::new();
    for (name, text) in sources("src") {
        let from = room(&name).to_string();
        let known = |to: &String| IMPORTS.iter().any(|(folder, _)| folder == to);
        let to = imported(&text).into_iter().filter(known);
        found.extend(to.filter(|to| *to != from).map(|to| (from.clone(), to)));
    }
    let place = |folder: &str| IMPORTS.iter().position(|(known, _)| *known == folder);
    let mut all: Vec<(String, String)> = found.into_iter().collect();
    all.sort_by_key(|(from, to)| (place(from), place(to)));
    all
}

#[test]
fn folders_import_only_what_they_may() {
    for (name, _) in sources("src") {
        assert!(
            IMPORTS.iter().any(|(folder, _)| *folder == room(&name)),
            "{name} is in no folder of the list"
        );
    }
    let broken: Vec<String> = imports()
        .into_iter()
        .filter(|(from, to)| {
            let may = IMPORTS.iter().find(|(folder, _)| folder == from);
            !may.is_some_and(|(_, may)| may.contains(&to.as_str()))
        })
        .map(|(from, to)| format!("{from} imports {to}"))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let unused: Vec<String> = IMPORTS
        .iter()
        .flat_map(|(from, may)| may.iter().map(move |to| (from.to_string(), to.to_string())))
        .filter(|import| !imports().contains(import))
        .map(|(from, to)| format!("{from} does not import {to} any more"))
        .collect();
    assert!(unused.is_empty(), "{unused:#?}");
}

#[test]
fn no_folder_imports_one_behind_it() {
    let place = |folder: &str| IMPORTS.iter().position(|(known, _)| *known == folder);
    for (from, may) in IMPORTS {
        for to in *may {
            assert!(
                place(to) < place(from),
                "{from} imports {to}, which stands behind it"
            );
        }
    }
}

#[test]
fn databases_do_not_know_each_other() {
    const DATABASES: &[&str] = &["postgres", "mysql", "sqlite", "snowflake", "duckdb", "adbc"];
    for (name, text) in sources("src/sources") {
        let own = name
            .strip_prefix("src/sources/")
            .and_then(|n| n.split_once('/'))
            .map(|(own, _)| own);
        for other in DATABASES {
            // DuckDB and Snowflake are reached by ADBC.
            let base = *other == "adbc" && matches!(own, Some("duckdb" | "snowflake"));
            let uses = text.contains(&format!("sources::{other}::"));
            assert!(!uses || base || own == Some(other), "{name} knows {other}");
        }
    }
    for folder in ["src/exec", "src/local", "src/staging", "src/python"] {
        for (name, text) in sources(folder) {
            for database in DATABASES {
                assert!(
                    !text.contains(&format!("sources::{database}::")),
                    "{name} knows {database}"
                );
            }
        }
    }
}

/// The page for contributors shows what imports what. `UPDATE_DIAGRAM=1` draws it anew.
#[test]
fn the_diagram_shows_the_imports() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/contributing.md");
    let page = std::fs::read_to_string(&path).expect("a page");
    let (start, end) = ("<!-- imports -->\n", "<!-- end of imports -->");
    let mut drawn = String::from("```mermaid\nflowchart TD\n");
    for (from, to) in imports() {
        // Nearly all import them.
        if !matches!(to.as_str(), "error" | "value") {
            drawn.push_str(&format!(
                "  {} --> {}\n",
                from.replace('/', "_"),
                to.replace('/', "_")
            ));
        }
    }
    drawn.push_str("```\n");
    let from = page.find(start).expect("a start") + start.len();
    let to = page.find(end).expect("an end");
    if std::env::var_os("UPDATE_DIAGRAM").is_some() {
        let new = format!("{}{drawn}{}", &page[..from], &page[to..]);
        std::fs::write(&path, new).expect("written");
        return;
    }
    assert_eq!(&page[from..to], drawn, "UPDATE_DIAGRAM=1 draws it anew");
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
