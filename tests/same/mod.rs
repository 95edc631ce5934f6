//! The same SQL in a real database and in a dry run of it gives the same: values, types, order.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::support::program::Project;
use crate::support::{duckdb, mysql, postgres, snowflake};

/// A query, and in which databases it is tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The databases; none: all.
    #[serde(default)]
    on: Option<String>,
    /// The databases that can't do it.
    #[serde(default)]
    but: String,
    /// Statements that are run in the real database alone.
    #[serde(default)]
    setup: String,
    sql: String,
    /// The databases of which a dry run says that it can't be tried.
    #[serde(default)]
    untried: String,
    /// Where a dry run gives something else, and why: it stands in the docs.
    #[serde(default)]
    differs: BTreeMap<String, String>,
}

/// What came out of a query: the kinds of its columns, its rows, and the names of its columns.
type Came = Result<(Vec<String>, Vec<Vec<Option<String>>>, Vec<String>), String>;

fn cases(of: &str) -> Vec<(String, Case)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/same");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let cases: Vec<Case> = serde_saphyr::from_str(&text)
            .map_err(|e| format!("{}: {e}", file.display()))
            .unwrap();
        let topic = file.file_stem().unwrap().to_string_lossy().into_owned();
        all.extend(cases.into_iter().map(|case| (topic.clone(), case)));
    }
    all.retain(|(_, case)| {
        let words = |text: &str| text.split_whitespace().any(|word| word == of);
        // Snowflake's server is slow, and another database beneath: it is asked for what is its own.
        case.on.as_deref().map_or(of != "snowflake", words) && !words(&case.but)
    });
    all
}

/// The examples of the page of functions.
fn examples(of: &str) -> Vec<(String, Case)> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dry-run-functions.md"));
    let page = page.unwrap();
    let rows = page.lines().filter_map(|line| {
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = line
            .split('|')
            .map(|cell| cell.trim().replace('\u{1}', "|"))
            .collect();
        let [_, _, dialects, _, example, ..] = cells.as_slice() else {
            return None;
        };
        let sql = example.strip_prefix('`')?.strip_suffix('`')?.to_string();
        let is_of = dialects.split(", ").any(|dialect| dialect.to_lowercase() == of);
        is_of.then_some(sql)
    });
    // Some of them a query: a statement takes its time.
    let rows: Vec<String> = rows.collect();
    let some = rows.chunks(12).map(|some| {
        let columns = some
            .iter()
            .enumerate()
            .map(|(at, sql)| format!("({sql}) as a{at}"));
        let case = Case {
            on: None,
            but: String::new(),
            setup: String::new(),
            sql: format!("select {}", columns.collect::<Vec<_>>().join(", ")),
            untried: String::new(),
            differs: BTreeMap::new(),
        };
        ("functions".to_string(), case)
    });
    some.collect()
}

/// A flow that makes a table of each query.
fn flow<'a>(prefix: &str, queries: impl Iterator<Item = &'a str>) -> String {
    queries
        .enumerate()
        .filter(|(_, sql)| !sql.is_empty())
        .map(|(at, sql)| {
            let sql = serde_json::to_string(&format!("{{% raw %}}{sql}{{% endraw %}}")).unwrap();
            format!(
                "- op: try\n  steps:\n    - op: transform\n      source: wh\n      target_table: {prefix}_{at}\n      query: {sql}\n  catch:\n    - op: print\n      message: \"{prefix}_{at}: {{{{ var('error') | string | replace('\\\\n', ' ') }}}}\"\n"
            )
        })
        .collect()
}

/// What a type holds, whatever its width.
fn kind(sql: &str) -> String {
    match sql.split('(').next().unwrap_or_default() {
        // Exact ones, however wide they are.
        "smallint" | "integer" | "bigint" | "numeric" => "number".into(),
        "real" | "double precision" => "float".into(),
        other => other.into(),
    }
}

/// The tables of a report by their numbers.
fn tables(prefix: &str, count: usize, json: &str, printed: &str) -> Vec<Came> {
    let report: Value = serde_json::from_str(json).unwrap();
    let tables = report["report"]["tables"].as_array().unwrap();
    let texts = |value: &Value| -> Vec<String> {
        let all = value.as_array().unwrap().iter();
        all.map(|text| text.as_str().unwrap().to_string()).collect()
    };
    (0..count)
        .map(|at| {
            let name = format!("{prefix}_{at}");
            let found = tables
                .iter()
                .find(|table| table["table"].as_str().unwrap().to_lowercase() == name);
            let Some(table) = found else {
                let start = format!("{name}: ");
                let said = printed.lines().find_map(|line| line.split_once(&start));
                return Err(said.map_or_else(|| "no table".into(), |(_, why)| why.to_string()));
            };
            let types = texts(&table["types"]).iter().map(|t| kind(t)).collect();
            let rows = serde_json::from_value(table["preview"].clone()).unwrap();
            Ok((types, rows, texts(&table["columns"])))
        })
        .collect()
}

/// Whether two values of a kind are the same: numbers by amount, JSON by what it holds.
fn same_value(kind: &str, one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return one.is_none() && other.is_none();
    };
    let plain = |text: &str| match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    match kind {
        "number" | "float" => plain(one) == plain(other),
        "jsonb" => {
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            read(one) == read(other)
        }
        _ => one == other,
    }
}

fn same(real: &Came, dry: &Came) -> bool {
    let (Ok(real), Ok(dry)) = (real, dry) else {
        return false;
    };
    let rows = |(one, other): (&Vec<Option<String>>, &Vec<Option<String>>)| {
        let mut cells = real.0.iter().zip(one.iter().zip(other));
        one.len() == other.len() && cells.all(|(kind, (a, b))| same_value(kind, a.as_deref(), b.as_deref()))
    };
    // A column without a value has no type that counts.
    let is_empty = |at: usize| real.1.iter().all(|row| row.get(at).is_some_and(Option::is_none));
    let kinds =
        real.0.len() == dry.0.len() && (0..real.0.len()).all(|at| is_empty(at) || real.0[at] == dry.0[at]);
    kinds && real.2 == dry.2 && real.1.len() == dry.1.len() && real.1.iter().zip(&dry.1).all(rows)
}

fn last(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

fn compare(of: &str, source: &str) {
    let mut all = cases(of);
    all.extend(examples(of));
    let each = all.iter().map(|(_, case)| case.sql.as_str());
    let setup: Vec<&str> = all.iter().map(|(_, case)| case.setup.as_str()).collect();
    let setup = serde_json::to_string(&setup.join("\n")).unwrap();
    let project = Project::new()
        .file("sources/wh.yaml", source)
        .file(
            "flows/setup.yaml",
            &format!("- op: execute\n  source: wh\n  statement: {setup}\n"),
        )
        .file("flows/main.yaml", &flow("case", each));
    if setup.len() > all.len() * 2 + 2 {
        project.run("setup");
    }
    let ran = project.sequor(&["run", "main"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let said = ran.stdout.clone();
    let ran = project.sequor(&["run", "main", "--dry-run", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let dry = tables("case", all.len(), last(&ran.stdout), &ran.stdout);
    let seen: Vec<String> = (0..all.len())
        .map(|at| match said.contains(&format!("case_{at}: ")) {
            true => String::new(),
            false => format!("select * from case_{at}"),
        })
        .collect();
    project.write("flows/seen.yaml", &flow("seen", seen.iter().map(String::as_str)));
    let ran = project.sequor(&["run", "seen", "--dry-run", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let real = tables(
        "seen",
        all.len(),
        last(&ran.stdout),
        &said.replace("case_", "seen_"),
    );
    let mut wrong = Vec::new();
    for (((topic, case), real), dry) in all.iter().zip(&real).zip(&dry) {
        let is_same = same(real, dry);
        let differs = case.differs.contains_key(of);
        let untried = case.untried.split_whitespace().any(|word| word == of);
        if untried && real.is_ok() {
            if dry.is_ok() {
                wrong.push(format!("{topic}: {}\n  can be tried now: {dry:?}", case.sql));
            }
            continue;
        }
        if let Err(why) = real {
            wrong.push(format!("{topic}: {}\n  is no SQL of {of}: {why}", case.sql));
        } else if is_same == differs {
            let what = if differs { "is the same now" } else { "differs" };
            wrong.push(format!(
                "{topic}: {}\n  {what}\n  real {real:?}\n  dry  {dry:?}",
                case.sql
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{of}: {} of {}\n{}",
        wrong.len(),
        all.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_dry_run_of_postgresql_gives_what_it_gives() {
    compare("postgres", &postgres::Database::new().source());
}

#[test]
fn a_dry_run_of_mysql_gives_what_it_gives() {
    compare("mysql", &mysql::Database::new().source());
}

#[test]
fn a_dry_run_of_duckdb_gives_what_it_gives() {
    compare("duckdb", &duckdb::source());
}

#[test]
fn a_dry_run_of_sqlite_gives_what_it_gives() {
    compare("sqlite", "type: sqlite\nconn_str: sqlite:///test.db\n");
}

#[test]
fn a_dry_run_of_snowflake_gives_what_it_gives() {
    compare("snowflake", &snowflake::Database::new().source());
}

#[test]
fn all_that_differs_stands_in_the_docs() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dry-runs.md")).unwrap();
    for (of, name) in [
        ("postgres", "PostgreSQL"),
        ("mysql", "MySQL"),
        ("duckdb", "DuckDB"),
        ("sqlite", "SQLite"),
        ("snowflake", "Snowflake"),
    ] {
        for (_, case) in cases(of) {
            if let Some(why) = case.differs.get(of) {
                let line = format!("| {name} | {why} |");
                assert!(page.contains(&line), "docs/dry-runs.md has no line `{line}`");
            }
        }
    }
}
