//! An interrupt ends the run, and what databases do for it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::program::{Project, interrupt};
use crate::support::{duckdb, mysql, postgres};

/// Something does not come to an end.
const HANGS: Duration = Duration::from_secs(60);

/// A statement that takes long, and how the server says that it has it.
struct Long {
    source: String,
    query: &'static str,
    running: Option<&'static str>,
}

const IN_POSTGRES: &str = "select count(*) as n from pg_stat_activity \
    where datname = current_database() and pid <> pg_backend_pid() and state = 'active' and query like '%sleep(300)%'";
const IN_MYSQL: &str = "select count(*) as n from information_schema.processlist \
    where db = database() and id <> connection_id() and info like '%sleep(300)%'";

fn all() -> Vec<Long> {
    vec![
        Long {
            source: postgres::Database::new().source(),
            query: "select 1 as n from pg_sleep(300)",
            running: Some(IN_POSTGRES),
        },
        Long {
            source: mysql::Database::new().source(),
            query: "select sleep(300) as n",
            running: Some(IN_MYSQL),
        },
        Long {
            source: "type: sqlite\nconn_str: sqlite:///test.db\n".into(),
            query: "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) as n from c",
            running: None,
        },
        Long {
            source: duckdb::source(),
            query: "select sum(hash(r.range)) as n from range(100000000000000) as r",
            running: None,
        },
        Long {
            source: "type: staging\n".into(),
            query: "select sum(g.v % 7) as n from generate_series(1, 100000000000000) as g(v)",
            running: None,
        },
    ]
}

/// Whether the server comes to have as many of the statements.
fn comes_to(project: &Project, sql: &str, count: &str) -> bool {
    let deadline = Instant::now() + HANGS;
    while Instant::now() < deadline {
        if project.rows("db", sql).last().is_some_and(|last| last == count) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

#[test]
fn what_databases_do_ends_with_the_run() {
    for long in all() {
        let query = long.query;
        let transform = format!("- {{op: transform, source: db, target_table: t, query: \"{query}\"}}\n");
        let execute = format!("- {{op: execute, source: db, statement: \"create table u as {query}\"}}\n");
        let print = format!("- {{op: print, message_expression: \"query_scalar('db', '''{query}''')\"}}\n");
        for (step, signal) in [(transform, "TERM"), (execute, "INT"), (print, "INT")] {
            let what = format!("{}{step}", long.source);
            let project = Project::new()
                .file("sources/db.yaml", &long.source)
                .file("flows/f.yaml", &step);
            let child = project
                .command(&["run", "f"])
                .stderr(Stdio::piped())
                .spawn()
                .expect("starts");
            match long.running {
                Some(sql) => assert!(comes_to(&project, sql, "1"), "{what}"),
                None => std::thread::sleep(Duration::from_millis(1500)),
            }
            let output = interrupt(child, signal);
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(130), "{what}{text}");
            assert!(text.contains("interrupted"), "{what}{text}");
            if let Some(sql) = long.running {
                assert!(comes_to(&project, sql, "0"), "{what}");
            }
        }
    }
}

#[test]
fn what_computes_without_a_pause_ends_with_the_process() {
    let query = "select sum(a.value * b.value % 7) as s from generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    let project = Project::new().file(
        "flows/f.yaml",
        &format!("- {{op: transform, source: stage, target_table: t, query: \"{query}\"}}\n"),
    );
    let child = project
        .command(&["run", "f"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    std::thread::sleep(Duration::from_millis(1500));
    let first = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(first.expect("sent").success());
    std::thread::sleep(Duration::from_millis(500));
    let output = interrupt(child, "TERM");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
}
