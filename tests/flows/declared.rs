//! Columns as the database itself declares them, and values that it reads for itself.

use crate::support::postgres::Database;
use crate::support::program::Project;
use crate::support::server::{Server, json};
use indoc::formatdoc;

fn project(database: &Database, columns: &str, rows: &'static str) -> Project {
    let server = Server::start(move |_| json(rows));
    let flow = formatdoc!(
        r#"
            - op: http_request
              request: {{url: "{}/x"}}
              response:
                tables:
                  - source: db
                    table: t
                    columns: {columns}
                    data_expression: response.json()
        "#,
        server.url
    );
    // The server lives as long as the test.
    std::mem::forget(server);
    Project::new()
        .file("sources/db.yaml", &database.source())
        .file("flows/main.yaml", &flow)
}

#[test]
fn declarations_go_to_the_database_as_they_are() {
    let database = Database::new();
    let project = project(
        &database,
        "{id: integer primary key, name: text not null, kind: \"text default 'd'\", n: integer check (n > 0), b: bit(3), s: text collate \"C\"}",
        r#"[{"id": 1, "name": "a", "kind": "k", "n": 5, "b": "101", "s": "x"}]"#,
    );
    project.run("main");
    assert_eq!(database.rows("select * from t"), ["1|a|k|5|101|x"]);
    let constraints =
        "select count(*) from pg_constraint where conrelid = 't'::regclass and contype in ('p', 'c')";
    assert_eq!(database.rows(constraints), ["2"]);
    assert_eq!(
        database.rows("select column_default from information_schema.columns where table_name = 't' and column_name = 'kind'"),
        ["'d'::text"]
    );
    // Again: the table is made anew.
    project.run("main");
    assert_eq!(database.rows("select count(*) from t"), ["1"]);
    // What the declaration refuses leaves the table as it was.
    let null = self::project(
        &database,
        "{id: integer primary key, name: text not null}",
        r#"[{"id": 2, "name": null}]"#,
    );
    null.sequor(&["run", "main"]).fails(1, &["not-null"]);
    assert_eq!(database.rows("select id from t"), ["1"]);
}

#[test]
fn what_we_can_not_read_the_database_reads() {
    let database = Database::new();
    let project = project(
        &database,
        "{id: integer, d: date, at: timestamp, ok: boolean, tags: \"text[]\", raw: bytea, j: jsonb}",
        r#"[{"id": 1, "d": "2024-01-02", "at": "2024-01-02T03:04:05+02:00", "ok": true, "tags": ["x"], "raw": "hi", "j": "5"},
            {"id": 2, "d": "Jan 2, 2024", "at": "Tue, 02 Jan 2024 03:04:05 GMT", "ok": "y", "tags": "{a,b}", "raw": "\\x6869", "j": {"a": 1}},
            {"id": 3, "d": "01/02/2024", "at": "2024-01-02 03:04 PM", "ok": 0, "tags": "{}", "raw": null, "j": "text"},
            {"id": 4, "d": "2024-01-02T23:00:00-05:00", "at": null, "ok": null, "tags": null, "raw": null, "j": null}]"#,
    );
    project.run("main");
    assert_eq!(
        database.rows("select id, d, at, ok, tags, encode(raw, 'escape') as raw, j from t order by id"),
        [
            "1|2024-01-02|2024-01-02T03:04:05|true|[\"x\"]|hi|5",
            "2|2024-01-02|2024-01-02T03:04:05|true|[\"a\",\"b\"]|hi|{\"a\": 1}",
            "3|2024-01-02|2024-01-02T15:04:00|false|[]||text",
            "4|2024-01-02|||||",
        ]
    );
    let rows = r#"[{"d": "01/02/2024"}, {"d": "nonsense"}, {"d": "2024-01-03"}]"#;
    let bad = self::project(&database, "{d: date}", rows);
    bad.sequor(&["run", "main"])
        .fails(1, &["column `d`, row 2: 'nonsense' does not fit `date`"]);
    assert_eq!(database.rows("select count(*) from t"), ["4"]);
    let rows = r#"[{"d": "infinity", "at": "-infinity"}, {"d": "-infinity", "at": "infinity"}, {"d": "2024-01-03", "at": "1999-12-31 23:59:59.999999"}]"#;
    self::project(&database, "{d: date, at: timestamp with time zone}", rows).run("main");
    assert_eq!(
        database
            .rows("select d::text as d, isfinite(at) as finite, at > '2024-01-01' as late from t order by 1"),
        [
            "-infinity|false|true",
            "2024-01-03|true|false",
            "infinity|false|false"
        ]
    );
}

#[test]
fn text_is_read_as_what_the_table_has() {
    let database = Database::new();
    database.execute("create table t (id integer, d date)");
    let project = project(
        &database,
        "{id: text, d: text}",
        r#"[{"id": "7", "d": "Jan 2, 2024"}]"#,
    );
    project.replace(
        "flows/main.yaml",
        "        data_expression",
        "        write_mode: append\n        data_expression",
    );
    project.run("main");
    assert_eq!(database.rows("select * from t"), ["7|2024-01-02"]);
}

#[test]
fn names_of_tables_are_those_of_sql() {
    let database = Database::new();
    database.execute("create schema s; create table s.t (id integer); insert into s.t values (2), (1); create table \"My Table\" (id integer); insert into \"My Table\" values (9)");
    let project = Project::new().file("sources/db.yaml", &database.source()).file(
        "flows/main.yaml",
        r#"
- {op: transform, source: db, target_table: s.out, query: select 1 as x}
- {op: transform, source: db, target_table: '"Out Table"', query: "select to_char(timestamp '2024-01-02 03:04', 'HH24\\:MI') as x"}
- {op: for_each, source: db, table: s.t order by id, as: r, steps: [{op: print, message: "{{ var('r')['id'] }}"}]}
- {op: for_each, source: db, table: '"My Table"', as: r, steps: [{op: print, message: "{{ var('r')['id'] }}"}]}
- {op: for_each, source: db, table: "generate_series(5, 6) as id", as: r, steps: [{op: print, message: "{{ var('r')['id'] }}"}]}
- {op: print, message_expression: "len(table('db', 's.t'))"}
"#,
    );
    assert_eq!(project.run("main").stdout, "1\n2\n9\n5\n6\n2\n");
    assert_eq!(database.rows("select * from s.out"), ["1"]);
    assert_eq!(database.rows("select * from \"Out Table\""), ["03:04"]);
}

#[test]
fn what_stands_before_a_go_is_one_transaction() {
    let database = Database::new();
    database.execute("create table t (id integer); insert into t values (1)");
    let flow = |statement: &str| {
        let indented = statement.replace('\n', "\n    ");
        Project::new().file("sources/db.yaml", &database.source()).file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: execute
                  source: db
                  statement: |
                    {indented}
            "
            ),
        )
    };
    flow("delete from t;\ninsert into t select 1/0;\ngo")
        .sequor(&["run", "main"])
        .fails(1, &["statement 2 (nothing was carried out)", "division by zero"]);
    assert_eq!(database.rows("select * from t"), ["1"]);
    // A piece before it stays; what can't be in a transaction stands alone.
    flow("insert into t values (2)\ngo\nvacuum t\ngo\ninsert into t select 1/0")
        .sequor(&["run", "main"])
        .fails(1, &["statement 3 (statements 1 to 2 were carried out)"]);
    assert_eq!(database.rows("select count(*) from t"), ["2"]);
    flow("lock table t;\ncreate temporary table tmp (n integer) on commit drop;\ninsert into tmp values (3);\ninsert into t select n from tmp;\ngo").run("main");
    assert_eq!(database.rows("select max(id) from t"), ["3"]);
}

#[test]
fn a_table_does_not_grow_for_rows_that_do_not_fit() {
    let database = Database::new();
    database.execute("create table t (d date); insert into t values ('2024-01-01')");
    let rows = r#"[{"d": "Jan 2, 2024", "new": 1}, {"d": "someday", "new": 2}]"#;
    let server = Server::start(move |_| json(rows));
    let flow = formatdoc!(
        r#"
            - op: http_request
              request: {{url: "{}/x"}}
              response:
                tables:
                  - source: db
                    table: t
                    columns: {{d: date}}
                    schema: evolve
                    write_mode: append
                    data_expression: response.json()
        "#,
        server.url
    );
    let project = Project::new()
        .file("sources/db.yaml", &database.source())
        .file("flows/main.yaml", &flow);
    project.sequor(&["run", "main"]).fails(
        1,
        &["table `t`, column `d`, row 2", "'someday' does not fit `date`"],
    );
    let columns = "select column_name from information_schema.columns where table_name = 't'";
    assert_eq!(database.rows(columns), ["d"]);
    assert_eq!(database.rows("select d from t"), ["2024-01-01"]);
}
