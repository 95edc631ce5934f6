//! `run --dry-run`: `insert .. on conflict` and `merge` leave the rows that the real database has.

use serde_json::Value;

use crate::support::duckdb;
use crate::support::postgres;
use crate::support::program::Project;

const TABLE: &str = "create table t (id integer primary key, n integer, name varchar(20)); insert into t values (1, 10, 'a'), (2, 20, 'b'), (3, null, null)";

/// Statements that DuckDB, PostgreSQL and SQLite have.
const CONFLICTS: &[&str] = &[
    "insert into t (id, n, name) values (2, 5, 'it''s'), (4, 6, 'y') on conflict (id) do update set n = t.n + excluded.n, name = excluded.name",
    "insert into t (id, n) values (4, 1), (1, 2) on conflict (id) do nothing",
    "insert into t values (1, 99, 'z'), (2, 99, 'z') on conflict (id) do update set n = excluded.n where t.n < 15",
    "insert into t (id, name) select id + 2, name from t where id < 3 on conflict (id) do update set name = excluded.name",
];

/// Those that PostgreSQL has alone.
const POSTGRES: &[&str] = &[
    "insert into t values (5, 1, 'p'), (5, 2, 'q') on conflict (id) do nothing",
    "insert into t as x values (1, 1, null) on conflict (id) do update set n = x.n + 1, name = coalesce(excluded.name, x.name, 'none') returning id",
    "merge into t using (values (1, 100), (9, 900)) as s(id, n) on t.id = s.id when matched and s.n > 50 then update set n = s.n, name = 'merged' when not matched then insert (id, n) values (s.id, s.n)",
    "merge into t as x using (select 1 as id union all select 2 union all select 8) as s on x.id = s.id when matched and x.n > 15 then delete when matched then update set name = 'kept' when not matched and s.id > 100 then insert (id) values (s.id) when not matched then insert (id, name) values (s.id, 'new')",
];

/// A project whose flow `main` is a statement, with the table made.
fn project(source: &str, statement: &str) -> Project {
    let project = Project::new()
        .file("sources/wh.yaml", source)
        .file(
            "flows/setup.yaml",
            &format!("- op: execute\n  source: wh\n  statement: drop table if exists t; {TABLE}\n"),
        )
        .file(
            "flows/main.yaml",
            &format!(
                "- op: execute\n  source: wh\n  statement: {}\n",
                Value::from(statement)
            ),
        );
    project.run("setup");
    project
}

fn compare(name: &str, source: &str, statement: &str) {
    let project = project(source, statement);
    let ran = project.sequor(&["run", "main", "--dry-run", "--format", "json"]);
    assert_eq!(ran.code, 0, "{name}: {statement}: {}", ran.all());
    let report: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let table = &report["report"]["tables"][0];
    assert_eq!(
        report["report"]["tables"].as_array().unwrap().len(),
        1,
        "{report}"
    );
    let rows: Vec<Vec<Option<String>>> = serde_json::from_value(table["preview"].clone()).unwrap();
    let mut dry: Vec<String> = rows
        .into_iter()
        .map(|row| {
            row.into_iter()
                .map(Option::unwrap_or_default)
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect();
    dry.sort();
    project.run("main");
    let text = "select coalesce(cast(id as varchar(9)), '') || '|' || coalesce(cast(n as varchar(9)), '') || '|' || coalesce(name, '') as row_ from t order by 1";
    let mut real = project.rows("wh", text);
    real.sort();
    assert_eq!(dry, real, "{name}: {statement}");
}

#[test]
fn upserts_leave_the_rows_that_the_database_has() {
    let database = postgres::Database::new();
    for statement in CONFLICTS.iter().chain(POSTGRES) {
        compare("postgres", &database.source(), statement);
    }
    for statement in CONFLICTS {
        compare("duckdb", &duckdb::source(), statement);
        compare("sqlite", "type: sqlite\nconn_str: sqlite:///test.db\n", statement);
    }
}

#[test]
fn upserts_that_can_not_be_tried_are_named() {
    let source = "type: mysql\nconn_str: mysql://127.0.0.1:1/x\n";
    for (source, statement, says) in [
        (
            source,
            "insert into t (id) values (1) on duplicate key update n = 2",
            "the keys of its table",
        ),
        (source, "replace into t (id) values (1)", "the keys of its table"),
        (
            source,
            "insert ignore into t (id) values (1)",
            "the keys of its table",
        ),
    ] {
        let project = Project::new().file("sources/wh.yaml", source).file(
            "flows/main.yaml",
            &format!(
                "- op: execute\n  source: wh\n  statement: {}\n",
                Value::from(statement)
            ),
        );
        project.sequor(&["plan", "main", "--dry-run"]).fails(2, &[says]);
    }
    // Changed twice by one statement: PostgreSQL refuses it.
    let database = postgres::Database::new();
    database.execute(TABLE);
    let twice = "insert into t values (1, 1, 'p'), (1, 2, 'q') on conflict (id) do update set n = excluded.n";
    let project = Project::new().file("sources/wh.yaml", &database.source()).file(
        "flows/main.yaml",
        &format!(
            "- op: execute\n  source: wh\n  statement: {}\n",
            Value::from(twice)
        ),
    );
    project
        .sequor(&["run", "main", "--dry-run"])
        .fails(1, &["two rows that are inserted have the same id"]);
    assert_eq!(database.rows("select n from t where id = 1"), ["10"]);
}

/// Merges of rows that match one row of the target more than once.
const TWICE: &[&str] = &[
    "merge into t using (values (1, 100), (1, 200)) as s(id, n) on t.id = s.id when matched then update set n = s.n",
    "merge into t as x using (select 1 as id, 5 as n union all select 1, 6) as s on x.id = s.id when matched and s.n > 4 then update set n = s.n when not matched then insert (id) values (s.id)",
];

#[test]
fn a_row_that_would_be_changed_twice_fails_as_in_the_database() {
    let database = postgres::Database::new();
    for statement in TWICE {
        let project = project(&database.source(), statement);
        let dry = project.sequor(&["run", "main", "--dry-run"]);
        assert_eq!(dry.code, 1, "{statement}: {}", dry.all());
        assert!(
            dry.all().contains("match one row of") && dry.all().contains("unique"),
            "{statement}: {}",
            dry.all()
        );
        assert_eq!(project.sequor(&["run", "main"]).code, 1, "{statement}");
    }
    // A condition that lets one of them through changes the row once.
    compare(
        "postgres",
        &database.source(),
        "merge into t using (values (1, 100), (1, 200)) as s(id, n) on t.id = s.id when matched and s.n > 150 then update set n = s.n",
    );
}
