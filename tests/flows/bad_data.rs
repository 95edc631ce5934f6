//! What goes wrong when a flow runs: exit 1, one clear message, and tables as they were before.

use crate::support::postgres::Database;
use crate::support::program::Project;
use crate::support::server::{Reply, Server, json};
use indoc::{formatdoc, indoc};

/// A fetch into table `t` (which holds one row, 42, before) that must fail and say `says`; on both databases.
fn fetch_fails(answer: fn(&str) -> Reply, path: &str, table: &str, says: &[&str]) {
    let server = Server::start(move |asked| answer(asked.path.as_str()));
    let flow = formatdoc!(
        r#"
            - op: http_request
              id: fetch
              request: {{url: "{}{path}"}}
              response:
                tables:
                  - {table}
        "#,
        server.url
    );
    for database in [None, Some(Database::new())] {
        let project = Project::new().file("flows/f.yaml", &flow);
        project.write(
            "sources/db.yaml",
            &database.map_or("type: staging\n".into(), |d| d.source()),
        );
        project.write(
            "flows/before.yaml",
            "- {op: execute, source: db, statement: \"create table t (id bigint); insert into t values (42)\"}\n",
        );
        project.run("before");
        project.sequor(&["run", "f"]).fails(1, says);
        assert_eq!(project.rows("db", "select id from t"), ["42"]);
    }
}

const TABLE: &str =
    r#"{source: db, table: t, columns: {id: bigint}, data_expression: "response.json()['rows']"}"#;
const BY_PYTHON: &str =
    r#"{source: db, table: t, columns: {id: bigint}, data_expression: "list(response.json()['rows'])"}"#;

#[test]
fn statuses() {
    fetch_fails(
        |_| json(r#"{"error": "bad token"}"#).status(401),
        "/",
        TABLE,
        &["401 Unauthorized", "bad token", "help: check the credentials"],
    );
    fetch_fails(
        |_| json("nothing here").status(404),
        "/x",
        TABLE,
        &["/x answered 404 Not Found", "nothing here"],
    );
    fetch_fails(
        |_| json("<h1>down</h1>").status(500),
        "/",
        TABLE,
        &["500 Internal Server Error", "run again later"],
    );
}

#[test]
fn shapes() {
    fetch_fails(
        |_| json("<html>oops</html>"),
        "/",
        TABLE,
        &["not valid JSON", "<html>oops</html>", "flows/f.yaml:"],
    );
    fetch_fails(
        |_| json("<html>oops</html>"),
        "/",
        BY_PYTHON,
        &["not valid JSON", "<html>oops</html>"],
    );
    fetch_fails(
        |_| json(r#"{"rows": {"id": 1}}"#),
        "/",
        TABLE,
        &["response.json()['rows'] must be a list of objects, and holds an object"],
    );
    fetch_fails(
        |_| json(r#"{"rows": {"id": 1}}"#),
        "/",
        BY_PYTHON,
        &["row 1", "must be a dictionary, and is str"],
    );
    fetch_fails(
        |_| json(r#"{"errors": [], "meta": 1}"#),
        "/",
        TABLE,
        &["no key 'rows'", "errors, meta"],
    );
    fetch_fails(
        |_| json(r#"{"errors": []}"#),
        "/",
        BY_PYTHON,
        &["KeyError: 'rows'", "line 1"],
    );
    fetch_fails(
        |_| json(r#"{"rows": [{"id": 1}, {"id": 2"#),
        "/",
        TABLE,
        &["not valid JSON"],
    );
    fetch_fails(
        |_| json(r#"{"rows": [{"id": 1}], "x": "#),
        "/",
        TABLE,
        &["not valid JSON"],
    );
    fetch_fails(
        |_| json(r#"{"rows": [1]}"#),
        "/",
        TABLE,
        &["an object in each item", "a number"],
    );
}

#[test]
fn values_that_do_not_fit() {
    let says: &[&str] = &[
        "table `t`, column `id`, row 2: 'abc' does not fit `bigint`",
        "wider type",
    ];
    fetch_fails(
        |_| json(r#"{"rows": [{"id": 1}, {"id": "abc"}]}"#),
        "/",
        TABLE,
        says,
    );
    fetch_fails(
        |_| json(r#"{"rows": [{"id": 1}, {"id": "abc"}]}"#),
        "/",
        BY_PYTHON,
        says,
    );
    fetch_fails(
        |_| json(r#"{"rows": [{"id": 99999999999999999999}]}"#),
        "/",
        TABLE,
        &["row 1: 99999999999999999999 does not fit `bigint` (out of range)"],
    );
    fetch_fails(
        |_| json(r#"{"rows": [{"id": 1.5}]}"#),
        "/",
        TABLE,
        &["1.5 does not fit `bigint`"],
    );
}

#[test]
fn nobody_listens() {
    let project = Project::new()
        .file(
            "flows/f.yaml",
            "- {op: http_request, request: {url: \"http://127.0.0.1:9/x\"}}\n",
        )
        .file(
            "flows/db.yaml",
            "- {op: execute, source: pg, statement: select 1}\n",
        )
        .file(
            "sources/pg.yaml",
            indoc! {"
                type: postgres
                conn_str: postgresql+psycopg2://u:hidden-pw@127.0.0.1:9/db
            "},
        );
    project
        .sequor(&["run", "f"])
        .fails(1, &["can't connect to 127.0.0.1:9", "refused", "help: "]);
    let ran = project.sequor(&["run", "db"]);
    ran.fails(1, &["source `pg`", "127.0.0.1:9", "refused"]);
    assert!(!ran.stderr.contains("hidden-pw"));
}

#[test]
fn python_and_sql_errors() {
    let flow = indoc! {"
        - op: print
          id: p
          message_expression: |
            a = 1
            return a / 0
    "};
    let project = Project::new().file("flows/p.yaml", flow);
    project.sequor(&["run", "p"]).fails(
        1,
        &[
            "the Python of `message_expression` failed on line 2 (line 5 of flows/p.yaml)",
            "ZeroDivisionError",
            "5 |     return a / 0",
        ],
    );
    project
        .sequor(&["run", "p", "--stacktrace"])
        .fails(1, &["Traceback (most recent call last)"]);
    for database in [None, Some(Database::new())] {
        let project = Project::new()
            .file("flows/sql.yaml", "- {op: transform, source: db, target_table: x, query: select nope from (select 1 as yes) q}\n")
            .file("flows/table.yaml", "- {op: transform, source: db, target_table: x, query: select * from missing}\n");
        project.write(
            "sources/db.yaml",
            &database.map_or("type: staging\n".into(), |d| d.source()),
        );
        project
            .sequor(&["run", "sql"])
            .fails(1, &["transform into `x`", "nope", "flows/sql.yaml:1:"]);
        project
            .sequor(&["run", "table"])
            .fails(1, &["missing", "flows/table.yaml:1:"]);
    }
}

#[test]
fn queries_read_and_transforms_are_one_query() {
    let flow =
        |query: &str| format!("- {{op: transform, source: db, target_table: x, query: \"{query}\"}}\n");
    for database in [None, Some(Database::new())] {
        let project = Project::new()
            .file("flows/before.yaml", "- {op: execute, source: db, statement: \"create table t (id bigint); insert into t values (42)\"}\n")
            .file("flows/two.yaml", &flow("select 1 as a; drop table t"))
            .file("flows/write.yaml", "- {op: print, message_expression: \"len(query('db', 'delete from t'))\"}\n")
            .file("flows/half.yaml", "- {op: execute, source: db, statement: \"insert into t values (43); insert into t (nope) values (1)\"}\n");
        project.write(
            "sources/db.yaml",
            &database.map_or("type: staging\n".into(), |d| d.source()),
        );
        project.run("before");
        project
            .sequor(&["run", "two"])
            .fails(1, &["must be one query, and holds 2 statements"]);
        assert_eq!(project.sequor(&["run", "write"]).code, 1);
        assert_ne!(project.sequor(&["query", "db", "delete from t"]).code, 0);
        assert_eq!(project.rows("db", "select id from t"), ["42"]);
        project
            .sequor(&["run", "half"])
            .fails(1, &["statement 2 (", "nope"]);
    }
}

#[test]
fn numbers_out_of_range_and_keys_that_no_row_has() {
    let server = Server::start(|_| json(r#"{"rows": [{"id": 1e400}]}"#));
    let table = |column: &str| {
        formatdoc!(
            r#"
                - op: http_request
                  request: {{url: "{}/"}}
                  response:
                    tables:
                      - {{source: stage, table: t, columns: {{{column}}}, data_expression: "response.json()['rows']"}}
            "#,
            server.url
        )
    };
    let project = Project::new()
        .file("flows/double.yaml", &table("id: double precision"))
        .file("flows/slip.yaml", &table("idd: text"))
        .file("flows/type.yaml", &table("id: integr"));
    project
        .sequor(&["run", "double"])
        .fails(1, &["1e400 does not fit `double precision` (out of range)"]);
    let ran = project.run("slip");
    assert!(ran.stderr.contains("no row has `idd`"), "{}", ran.stderr);
    project.sequor(&["run", "type"]).fails(1, &["no type `integr`"]);
}

#[test]
fn an_error_inside_others_is_told_once_and_one_of_their_own_too() {
    let project = Project::new()
        .file(
            "flows/own.yaml",
            indoc! {"
                - op: if
                  id: choose
                  conditions:
                    - condition_expression: 1 / 0
                      then:
                        - {op: print, message: x}
            "},
        )
        .file(
            "flows/inner.yaml",
            indoc! {"
                - op: if
                  id: choose
                  conditions:
                    - condition: true
                      then:
                        - {op: print, id: p, message_expression: 1 / 0}
            "},
        )
        .file(
            "flows/rows.yaml",
            "- {op: for_each, source: stage, table: missing, as: r, steps: []}\n",
        );
    project
        .sequor(&["run", "own"])
        .fails(1, &["step choose: ", "ZeroDivisionError", "flows/own.yaml:4:"]);
    let ran = project.sequor(&["run", "inner"]);
    ran.fails(1, &["step choose/p: ", "ZeroDivisionError", "failed  choose"]);
    assert_eq!(ran.all().matches("ZeroDivisionError").count(), 1);
    project
        .sequor(&["run", "rows"])
        .fails(1, &["step for_each_1: ", "missing"]);
}
