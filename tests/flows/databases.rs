//! What flows do with tables, in every kind of database.

use indoc::{formatdoc, indoc};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::databases;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

/// A server that gives these answers, one after the other.
fn answers(bodies: &'static [&'static str]) -> Server {
    let at = AtomicUsize::new(0);
    Server::start(move |_: &Asked| json(bodies[at.fetch_add(1, Ordering::Relaxed).min(bodies.len() - 1)]))
}

fn project(server: &Server, source: &str, flow: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("sources/db.yaml", source)
        .file("flows/main.yaml", flow)
}

/// Names as results give them, and without the case that some make of them.
fn lower(rows: Vec<String>) -> Vec<String> {
    rows.into_iter().map(|row| row.to_lowercase()).collect()
}

const FOR_EACH: &str = r#"
- op: execute
  source: db
  statement: |
    create table people (id integer, name varchar(20));
    insert into people values (1, 'ada'), (2, 'grace'), (3, null)
- op: http_request
  id: ask
  for_each: {source: db, table: people, as: p}
  request:
    source: api
    url: /x
    parameters: {id_expression: "var('p')['id']", name_expression: "var('p').get('name', 'nobody')"}
  response:
    tables:
      - source: db
        table: people
        columns: {id: integer, name: "varchar(20)", said: text}
        data_expression: "[{'id': var('p')['id'], 'name': var('p').get('name', ''), 'said': response.json()['said']}]"
- op: for_each
  source: db
  table: people
  as: row
  steps:
    - op: transform
      source: db
      target_table: people
      query: select id + 1 as id, name, said from people
- op: print
  message_expression: "'sum ' + str(query_scalar('db', 'select sum(id) from people')) + ' of ' + str(len(table('db', 'people')))"
"#;

#[test]
fn for_each_sees_the_rows_of_before() {
    for (name, source) in databases::all() {
        let server = answers(&[r#"{"said": "yes"}"#]);
        let project = project(&server, &source, FOR_EACH);
        let ran = project.run("main");
        let asked: std::collections::BTreeSet<_> = server.asked().into_iter().map(|a| a.query).collect();
        assert_eq!(
            asked.into_iter().collect::<Vec<_>>(),
            ["id=1&name=ada", "id=2&name=grace", "id=3&name=nobody"],
            "{name}"
        );
        let rows = project.rows("db", "select id, name, said from people order by id");
        assert_eq!(rows, ["4|ada|yes", "5|grace|yes", "6||yes"], "{name}");
        // Sums of integers are decimals in some, and floats in none that is not a stand-in.
        let sums = ["sum 15 of 3", "sum 15.0 of 3"];
        assert!(
            sums.iter().any(|sum| ran.all().contains(sum)),
            "{name}: {}",
            ran.all()
        );
    }
}

fn growing(keys: &str) -> String {
    formatdoc!(
        "
            - op: http_request
              id: get
              request: {{source: api, url: /x}}
              response:
                tables:
                  - {{source: db, table: grown, data_path: $, {keys}}}
        "
    )
}

const BODIES: &[&str] = &[
    r#"[{"id": 1, "name": "a"}]"#,
    r#"[{"id": 2, "name": "b", "age": 7, "tags": [1]}]"#,
    r#"[{"id": 3}]"#,
];

#[test]
fn columns_grow_with_the_data() {
    for (name, source) in databases::all() {
        let server = answers(BODIES);
        let project = project(&server, &source, &growing("write_mode: append"));
        for _ in 0..3 {
            project.run("main");
        }
        let rows = project.rows("db", "select id, name, age, tags from grown order by id");
        assert_eq!(rows, ["1|a||", "2|b|7|[1]", "3|||"], "{name}");
    }
}

#[test]
fn frozen_columns_refuse_others() {
    for (name, source) in databases::all() {
        let server = answers(BODIES);
        let project = project(&server, &source, &growing("write_mode: append, schema: freeze"));
        project.run("main");
        project
            .sequor(&["run", "main"])
            .fails(1, &["has no column for", "`age`", "schema: evolve"]);
        project.run("main");
        let rows = project.rows("db", "select id, name from grown order by id");
        assert_eq!(rows, ["1|a", "3|"], "{name}");
    }
}

#[test]
fn other_fields_are_discarded() {
    for (name, source) in databases::all() {
        let server = answers(BODIES);
        let project = project(&server, &source, &growing("schema: discard"));
        for _ in 0..2 {
            project.run("main");
        }
        assert_eq!(project.rows("db", "select * from grown"), ["2|b"], "{name}");
        project.run("main");
        assert_eq!(project.rows("db", "select * from grown"), ["3|"], "{name}");
    }
}

#[test]
fn declared_columns_may_grow_or_be_frozen() {
    for (name, source) in databases::all() {
        let server = answers(BODIES);
        let declared = "columns: {id: integer, name: text}";
        let project = project(&server, &source, &growing(&format!("{declared}, schema: evolve")));
        project.run("main");
        project.run("main");
        let ran = project.sequor(&["query", "db", "select * from grown"]);
        let head = ran.stdout.lines().nth(1).unwrap_or_default().to_lowercase();
        assert!(head.contains("age") && head.contains("tags"), "{name}: {head}");
        assert_eq!(
            project.rows("db", "select id, name, age from grown"),
            ["2|b|7"],
            "{name}"
        );

        let server = answers(&BODIES[1..2]);
        project.write(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        );
        project.write(
            "flows/main.yaml",
            &growing(&format!("{declared}, schema: freeze")),
        );
        project
            .sequor(&["run", "main"])
            .fails(1, &["`age`", "`schema: freeze`"]);
    }
}

#[test]
fn migrated_columns() {
    for (name, source) in databases::all() {
        let server = answers(&["{}"]);
        let flow = r#"
- op: execute
  source: db
  statement: |
    create table people (id integer, old varchar(20));
    insert into people values (1, 'x');
    create table wanted (name varchar(20), type varchar(20));
    insert into wanted values ('id', 'integer'), ('total', 'numeric(10,2)')
- {op: migrate_schema, target_source: db, target_table: people, columns_source: db, columns_table: wanted}
"#;
        let project = project(&server, &source, flow);
        project.run("main");
        let ran = project.sequor(&["query", "db", "select * from people"]);
        let head = lower(ran.stdout.lines().map(str::to_string).collect());
        let names: Vec<&str> = head[1].trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(names, ["id", "total"], "{name}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    let none = project(
        &answers(&["{}"]),
        "type: sqlite\nconn_str: postgres://x\n",
        "- {op: execute, source: db, statement: select 1}\n",
    );
    none.sequor(&["run", "main"])
        .fails(2, &["begins with sqlite:///", "sources/db.yaml:1"]);
    for (source, code, says) in [
        (
            indoc! {"
                type: sqlite
                conn_str: sqlite:///a.db
                username: x
            "},
            2,
            "unknown key `username`",
        ),
        (
            indoc! {"
                type: mysql
                conn_str: mysql://u:p4ss-w0rd@127.0.0.1:1/x
            "},
            1,
            "MySQL at 127.0.0.1:1",
        ),
        (
            "type: mysql\nconn_str: postgresql://127.0.0.1/x\n",
            2,
            "it starts with `postgresql`",
        ),
        (
            "type: snowflake\naccount: x\nuser: y\n",
            2,
            "needs `password`, `private_key_path` or `token`",
        ),
        (
            indoc! {"
                type: snowflake
                account: x
                user: y
                password: a
                token: b
            "},
            2,
            "both `password` and `token` are given",
        ),
        (
            indoc! {"
                type: snowflake
                account: x
                user: y
                private_key_path: missing.p8
            "},
            2,
            "the private key",
        ),
        ("type: adbc\ndriver: no_such_driver\n", 2, "no_such_driver"),
        ("type: adbc\ndriver: drivers/none.so\n", 2, "none.so"),
    ] {
        none.write("sources/db.yaml", source);
        let ran = none.sequor(&["run", "main"]);
        ran.fails(code, &[says]);
        assert!(!ran.all().contains("p4ss-w0rd"), "{}", ran.all());
    }
}

#[test]
fn another_database_than_the_connected_one() {
    let database = crate::support::postgres::Database::new();
    let own = database.url.rsplit('/').next().unwrap_or_default().to_string();
    let flow = |name: &str| {
        format!(
            "- {{op: transform, source: db, target_database: {name}, target_table: t, query: select 1 as n}}\n"
        )
    };
    let project = project(&answers(&["{}"]), &database.source(), &flow("elsewhere"));
    project.sequor(&["run", "main"]).fails(1, &["cross-database"]);
    project.write("flows/main.yaml", &flow(&own));
    project.run("main");
    assert_eq!(database.rows("select n from public.t"), ["1"]);
}

#[test]
fn a_query_makes_no_database() {
    let sources = [
        (
            "sqlite",
            indoc! {"
                type: sqlite
                conn_str: sqlite:///data/mistyped.db
            "}
            .to_string(),
        ),
        (
            "duckdb",
            crate::support::duckdb::source().replace("test.db", "data/mistyped.db"),
        ),
    ];
    for (kind, source) in sources {
        let project = Project::new().file("sources/db.yaml", &source).file(
            "flows/f.yaml",
            "- {op: execute, source: db, statement: create table t (n integer)}\n",
        );
        project.sequor(&["query", "db", "select 1"]).fails(
            2,
            &["mistyped.db does not exist", "a flow that writes to it makes it"],
        );
        assert!(!project.path().join("data").exists(), "{kind}");
        project.run("f");
        assert_eq!(project.rows("db", "select count(*) from t"), ["0"], "{kind}");
    }
}

#[test]
fn statements_with_statements_in_them() {
    let all = [
        (
            "type: sqlite\nconn_str: sqlite:///test.db\n".to_string(),
            "create trigger log after insert on t begin insert into l values (new.n); insert into l values (new.n * 10); end",
        ),
        (
            crate::support::mysql::Database::new().source(),
            "create trigger log after insert on t for each row begin insert into l values (new.n); \
             if new.n > 0 then insert into l values (new.n * 10); end if; end",
        ),
    ];
    for (source, trigger) in all {
        let statements =
            format!("create table t (n int); create table l (n int); {trigger}; insert into t values (7)");
        let flow = format!("- {{op: execute, source: db, statement: \"{statements}\"}}\n");
        let project = Project::new()
            .file("sources/db.yaml", &source)
            .file("flows/f.yaml", &flow);
        project.run("f");
        assert_eq!(
            project.rows("db", "select n from l order by n"),
            ["7", "70"],
            "{source}"
        );
    }
}

#[test]
fn a_value_that_nothing_can_hold_is_an_error() {
    let postgres = crate::support::postgres::Database::new();
    let all = [
        (postgres.source(), "date 'infinity'", "`d`"),
        (postgres.source(), "timestamp '-infinity'", "`d`"),
        (postgres.source(), "timestamptz '294000-01-01'", "`d`"),
        (crate::support::duckdb::source(), "date 'infinity'", "`d`"),
        (crate::support::duckdb::source(), "timestamp 'infinity'", "`d`"),
        (
            crate::support::duckdb::source(),
            "170141183460469231731687303715884105727::hugeint",
            "`d`",
        ),
    ];
    for (source, value, column) in all {
        let flow = "- op: execute\n  source: stage\n  statement: create or replace table t as select 7 as n\n\
             - op: transform\n  source: stage\n  target_table: t\n  engine: local\n  query: select d from db.far\n";
        let far = format!(
            "- op: execute\n  source: db\n  statement: |\n    drop table if exists far;\n    \
             create table far as select case when n = 9000 then {value} end as d from generate_series(1, 10000) as g(n)\n"
        );
        let project = Project::new()
            .file("sources/db.yaml", &source)
            .file("sources/stage.yaml", "type: staging\n")
            .file("flows/far.yaml", &far)
            .file("flows/f.yaml", flow);
        project.run("far");
        project
            .sequor(&["query", "db", "select d from far"])
            .fails(1, &[column, "cast the column to text"]);
        project.sequor(&["run", "f"]).fails(1, &[column]);
        assert_eq!(project.rows("stage", "select n from t"), ["7"], "{value}");
    }
}
