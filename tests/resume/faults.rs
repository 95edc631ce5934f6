//! The program ends, or a write fails, before and after each thing that a run keeps: the next attempt goes on, and what comes out
//! is what comes out undisturbed.

use indoc::formatdoc;

use super::api::Api;
use crate::support::postgres;
use crate::support::program::{Project, Ran};

const PAGES: u64 = 4;
const SIZE: u64 = 25;

fn flow() -> String {
    formatdoc! {r#"
        steps:
          - op: http_request
            id: fetch
            request:
              source: api
              url: /items
              pagination: {{type: page_number, param: page, start: 1}}
            response:
              tables:
                - {{source: db, table: items, data_path: items, columns: {{id: integer, kind: text, amount: integer}}}}
                - {{source: db, table: added, data_path: items, columns: {{id: integer}}, write_mode: append}}
                - {{source: other, table: added, data_path: items, columns: {{id: integer}}, write_mode: append}}
                - {{source: other, table: twice, data_path: items, columns: {{id: integer}}, write_mode: append}}
                - {{source: other, table: "{{{{ 'twi' + 'ce' }}}}", data_path: items, columns: {{id: integer}}, write_mode: append}}
                - {{source: other, table: keyed, data_path: items, columns: {{id: integer}}, write_mode: upsert, primary_key: [id]}}
          - op: transform
            id: adds
            source: db
            target_table: sums
            write_mode: append
            query: select kind, sum(amount) as amount from items group by kind
          - op: set_variable
            id: count
            set: {{runs_expression: "(var('runs') or 0) + 1", mine: {{value: 7, scope: local}}}}
          - op: http_request
            id: keyed
            for_each: {{source: db, table: items, as: item}}
            request: {{source: api, url: "/keyed/{{{{ var('item')['id'] }}}}", method: POST, idempotency_key: true, body: {{n: "{{{{ var('mine') }}}}"}}}}
          - op: for_each
            id: each
            values: [a, b]
            as: part
            steps:
              - op: http_request
                id: patched
                for_each: {{source: db, query: "select id from items where id < 10", as: item}}
                request: {{source: api, url: "/patched/{{{{ var('part') }}}}{{{{ var('item')['id'] }}}}", method: PATCH, body: {{n: 1}}}}
    "#}
}

fn project(api: &Api, db: &str, state: &str) -> Project {
    api.project(state, "concurrency: 4\n")
        .file("sources/db.yaml", db)
        .file(
            "sources/other.yaml",
            "type: sqlite\nconn_str: sqlite:///other.db\n",
        )
        .file("flows/main.yaml", &flow())
        .file("home/envs/dev.yaml", "variables: {runs: 0}\n")
        .file("env.yaml", "env: dev\n")
}

/// The run, or another attempt at it where it is remembered.
fn again(project: &Project) -> Ran {
    let there = project.sequor(&["runs", "--limit", "1", "--format", "json"]);
    if there.stdout.is_empty() {
        return project.sequor(&["run", "main"]);
    }
    match there.stdout.contains(r#""status":"done""#) {
        true => there,
        false => project.sequor(&["run", "main", "--resume"]),
    }
}

fn check(project: &Project, api: &Api, fault: &str) {
    let rows = PAGES * SIZE;
    let all = format!("{rows}|{}", rows * (rows - 1) / 2);
    let twice = project.rows("other", "select count(*) as n, sum(id) as s from twice");
    let both = format!("{}|{}", 2 * rows, rows * (rows - 1));
    assert_eq!(twice, [both], "{fault}: twice");
    for table in ["added", "keyed"] {
        let sql = format!("select count(*) as n, sum(id) as s from {table}");
        assert_eq!(
            project.rows("other", &sql),
            [all.as_str()],
            "{fault}: other, {table}"
        );
    }
    for (sql, expected) in [
        (
            "select count(*) as n, sum(id) as s from items",
            format!("{rows}|{}", rows * (rows - 1) / 2),
        ),
        (
            "select count(*) as n, sum(id) as s from added",
            format!("{rows}|{}", rows * (rows - 1) / 2),
        ),
        (
            "select count(*) as n, sum(amount) as s from sums",
            format!("7|{}", rows * (rows - 1) / 2 * 3),
        ),
    ] {
        assert_eq!(project.rows("db", sql), [expected], "{fault}: {sql}");
    }
    let done = api.done.lock().expect("no panic");
    assert_eq!(done.keyed.len() as u64, rows, "{fault}");
    assert!(done.keyed.values().all(|times| *times == 1), "{fault}");
    assert_eq!(done.patched.len(), 20, "{fault}");
    drop(done);
    project.write(
        "flows/show.yaml",
        "steps:\n  - op: print\n    message: \"runs {{ var('runs') }}\"\n",
    );
    assert_eq!(project.run("show").stdout.trim(), "runs 1", "{fault}");
}

/// What is kept, and how often of each is tried.
pub const KEPT: [(&str, u64); 15] = [
    ("chunk", 3),
    ("schema", 1),
    ("effect", 4),
    ("lock", 2),
    ("run begins", 1),
    ("journal", 7),
    ("history", 1),
    ("rows", 3),
    ("ledger", 7),
    ("watermark", 2),
    ("cut", 2),
    ("remove", 3),
    ("doubts", 1),
    ("old runs", 1),
    ("run ends", 1),
];

fn faults(state: &str, source: impl Fn() -> String, most: u64, whens: &[&str]) {
    let mut met = 0;
    for (what, times) in KEPT {
        for time in 1..=times.min(most) {
            for when in whens {
                let api = Api::start(PAGES, SIZE, 0);
                let project = project(&api, &source(), state);
                let fault = format!("{what}:{when}:{time}");
                let ran = project.sequor_with(&["run", "main"], &[("SEQUOR_FAULT", &fault)]);
                met += u64::from(ran.code != 0);
                match (*when, ran.code) {
                    (_, 0) => {}
                    ("fails", _) => ran.fails(1, &["SQ1022", "No space left on device"]),
                    // The signal of `abort`.
                    _ => assert_eq!(ran.code, -1, "{fault}: {}", ran.all()),
                }
                let ran = again(&project);
                assert_eq!(ran.code, 0, "{fault}: {}", ran.all());
                check(&project, &api, &fault);
            }
        }
    }
    println!("{met} faults were met");
    assert!(met > 10);
}

#[test]
fn the_program_ends_before_or_after_a_write() {
    faults("", || "type: staging\n".into(), 7, &["before", "after"]);
}

#[test]
fn a_write_fails() {
    faults("", || "type: staging\n".into(), 2, &["fails"]);
}

#[test]
fn the_program_ends_with_the_state_in_postgres() {
    faults(
        "state: {source: db}\n",
        || postgres::Database::new().source(),
        1,
        &["before", "after"],
    );
}
