//! DuckDB: types to and fro, names, loads in one piece, and what it says when something is missing.

use crate::support::duckdb;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};
use indoc::{formatdoc, indoc};

fn project(server: &Server, flow: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("sources/duck.yaml", &duckdb::source())
        .file("flows/main.yaml", flow)
}

fn load(columns: &str) -> String {
    formatdoc!(
        "
            - op: http_request
              id: get
              request: {{source: api, url: /x}}
              response:
                tables:
                  - {{source: duck, table: t, {columns}data_path: $}}
        "
    )
}

#[test]
fn values_of_every_type_come_back_as_they_went() {
    let rows = r#"[
        {"i": 1, "b": 9007199254740993, "n": 1.10, "w": 12345678901234567890.123456789, "d": 2.5, "f": true,
         "t": "Zoë 🦆 'q' \"d\"", "day": "2024-02-29", "at": "2024-02-29T12:34:56.789012", "z": "2024-02-29T12:34:56+02:00",
         "c": "12:34:56", "j": {"a": [1, 1.50, null]}, "u": "6f1a4e0e-3c4e-4a5e-9d3b-3f1a4e0e3c4e"},
        {"i": null, "b": null, "n": null, "w": null, "d": null, "f": null, "t": null, "day": null, "at": null, "z": null,
         "c": null, "j": null, "u": null}
    ]"#;
    let server = Server::start(move |_: &Asked| json(rows));
    let columns = "columns: {i: integer, b: bigint, n: \"numeric(10,2)\", w: \"decimal(38,9)\", d: double precision, f: boolean, t: text, day: date, at: timestamp, z: timestamptz, c: time, j: jsonb, u: uuid}, ";
    let project = project(&server, &load(columns));
    project.run("main");
    let shown = project.rows(
        "duck",
        "select i, b, n, w, d, f, t, day, \"at\", epoch_ms(z) as z, c, j, u from t where i = 1",
    );
    assert_eq!(
        shown,
        [
            "1|9007199254740993|1.10|12345678901234567890.123456789|2.5|true|Zoë 🦆 'q' \"d\"|2024-02-29|2024-02-29T12:34:56.789012|1709202896000|12:34:56|{\"a\":[1,1.50,null]}|6f1a4e0e-3c4e-4a5e-9d3b-3f1a4e0e3c4e"
        ]
    );
    assert_eq!(
        project.rows(
            "duck",
            "select count(*) from t where j is null and w is null and u is null"
        ),
        ["1"]
    );
    // As Python sees them.
    project.write(
        "flows/back.yaml",
        indoc! {"
            - op: print
              message_expression: |
                rows = [r for r in table('duck', 't') if r['i'] is not None]
                r = rows[0]
                return repr([r['b'], r['n'], r['w'], r['f'], r['day'], r['at'], r['j']['a'], str(r['u'])[:4]])
        "},
    );
    let ran = project.run("back");
    let seen = "[9007199254740993, Decimal('1.10'), Decimal('12345678901234567890.123456789'), True, datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 34, 56, 789012), [1, 1.5, None], '6f1a']";
    assert!(ran.stdout.contains(seen), "{}", ran.stdout);
}

#[test]
fn columns_from_the_data_and_odd_names() {
    let server = Server::start(|_: &Asked| {
        json(r#"[{"order": 1, "Group By": "x", "a\"b": {"k": 1}}, {"order": 2, "new": 1.5}]"#)
    });
    let project = project(&server, &load("write_mode: append, "));
    project.run("main");
    project.run("main");
    assert_eq!(
        project.rows(
            "duck",
            "select \"order\", \"Group By\", \"a\"\"b\", new from t order by 1 limit 3"
        ),
        ["1|x|{\"k\":1}|", "1|x|{\"k\":1}|", "2|||1.5"]
    );
}

#[test]
fn a_load_is_whole_or_not_at_all_and_views_stay() {
    let server = Server::start(|asked: &Asked| match asked.parameter("page").as_deref() {
        Some("3") => json(r#"[{"id": "x"}]"#),
        Some(page) => json(format!(r#"[{{"id": {page}}}]"#)),
        None => json(r#"[{"id": 7}, {"id": 8}]"#),
    });
    let project = project(&server, &load("columns: {id: integer}, "));
    project.write(
        "flows/views.yaml",
        indoc! {"
            - op: execute
              source: duck
              statement: |
                create table t as select 1 as id;
                create view v as select id + 1 as next from t
        "},
    );
    project.run("views");
    let paged =
        load("columns: {id: integer}, ").replace("url: /x", "url: /x, pagination: {type: page_number}");
    project.write("flows/bad.yaml", &paged);
    project
        .sequor(&["run", "bad"])
        .fails(1, &["table `t`", "column `id`", "'x'"]);
    assert_eq!(project.rows("duck", "select * from t"), ["1"]);
    project.run("main");
    assert_eq!(project.rows("duck", "select * from v order by 1"), ["8", "9"]);
    // Nothing is left of the load that failed.
    assert_eq!(
        project.rows("duck", "select count(*) from duckdb_tables()"),
        ["1"]
    );
}

#[test]
fn many_rows_stream_through() {
    let server = Server::start(|asked: &Asked| {
        let ids: Vec<u64> = serde_json::from_str::<serde_json::Value>(&asked.body)
            .ok()
            .and_then(|body| {
                Some(
                    body.as_array()?
                        .iter()
                        .filter_map(serde_json::Value::as_u64)
                        .collect(),
                )
            })
            .unwrap_or_default();
        let rows: Vec<String> = ids.iter().map(|id| format!("{{\"id\": {id}}}")).collect();
        json(format!("[{}]", rows.join(",")))
    });
    let project = project(
        &server,
        indoc! {r#"
            - op: execute
              source: duck
              statement: create or replace table big as select i as id from range(20000) t(i)
            - op: http_request
              for_each: {source: duck, table: big, as: batch, batch_size: 500}
              request: {source: api, url: /x, method: POST, body_expression: "[r['id'] for r in var('batch')]"}
              response:
                tables:
                  - {source: duck, namespace: main, table: back, columns: {id: bigint}, data_path: $}
            - op: transform
              source: duck
              query: select count(*) as n, sum(id)::bigint as total from back
              target_table: counted
        "#},
    );
    project.run("main");
    assert_eq!(project.rows("duck", "select * from counted"), ["20000|199990000"]);
    assert_eq!(server.asked().len(), 40);
}

#[test]
fn two_sources_with_the_same_file_are_one_database() {
    let server = Server::start(|_: &Asked| json("[]"));
    let project = project(
        &server,
        indoc! {"
            - op: execute
              source: duck
              statement: create table a as select 1 as id
            - op: execute
              id: second
              source: same
              statement: create table b as select 2 as id
        "},
    );
    project.write(
        "sources/same.yaml",
        &duckdb::source().replace("///test.db", "///./test.db"),
    );
    project.run("main");
    assert_eq!(project.rows("duck", "select a.id, b.id from a, b"), ["1|2"]);
    project
        .sequor(&["query", "duck", "drop table a"])
        .fails(1, &["a query reads, and this one begins with DROP"]);
    assert_eq!(project.rows("same", "select * from a"), ["1"]);
    let read_only = duckdb::source().replace("test.db", "test.db?access_mode=read_only");
    project.write("sources/duck.yaml", &read_only);
    std::fs::remove_file(project.path().join("sources/same.yaml")).expect("removed");
    project.write(
        "flows/main.yaml",
        indoc! {"
            - op: execute
              source: duck
              statement: create table c as select 1 as id
        "},
    );
    project.sequor(&["run", "main"]).fails(1, &["read-only"]);
}

#[test]
fn errors_name_the_target() {
    let server = Server::start(|_: &Asked| json("[]"));
    let project = project(
        &server,
        indoc! {"
            - op: transform
              source: duck
              query: selec 1
              target_table: t
        "},
    );
    let ran = project.sequor(&["run", "main"]);
    ran.fails(1, &["Parser Error"]);
    assert!(!ran.all().contains("sequor_side"), "{}", ran.all());
}

#[test]
fn what_is_missing_is_told() {
    let server = Server::start(|_: &Asked| json("[]"));
    let project = project(
        &server,
        indoc! {"
            - op: transform
              source: duck
              query: select * from nowhere
              target_table: t
        "},
    );
    project
        .sequor(&["run", "main"])
        .fails(1, &["Table with name nowhere does not exist", "main.yaml:3"]);
    project.write(
        "sources/duck.yaml",
        indoc! {"
            type: duckdb
            conn_str: duckdb:///x.db
            driver: none.so
        "},
    );
    project
        .sequor(&["run", "main"])
        .fails(2, &["none.so can't be loaded", "sources/duck.yaml"]);
    project.write("sources/duck.yaml", "type: duckdb\nconn_str: postgresql://x\n");
    project
        .sequor(&["run", "main"])
        .fails(2, &["begins with duckdb:///, not with postgresql://"]);
    project.write("sources/duck.yaml", "type: duckdb\n");
    project
        .sequor(&["validate"])
        .fails(2, &["a duckdb source needs `conn_str`"]);
    // A file that is no database.
    project.write("x.db", "this is not a database");
    project.write("sources/duck.yaml", &duckdb::source().replace("test.db", "x.db"));
    project.sequor(&["run", "main"]).fails(1, &["x.db"]);
}

#[test]
fn the_library_is_found_by_an_adbc_manifest() {
    let source = "type: duckdb\nconn_str: duckdb:///test.db\n";
    let project = Project::new()
        .file(
            "flows/main.yaml",
            "- {op: transform, source: duck, target_table: t, query: select 1 as n}\n",
        )
        .file(
            "drivers/duckdb.toml",
            &format!(
                "manifest_version = 1\nname = \"duckdb\"\nversion = \"1.0\"\n[ADBC]\nversion = \"v1.1.0\"\n[Driver]\nentrypoint = \"duckdb_adbc_init\"\nshared = \"{}\"\n",
                duckdb::library()
            ),
        );
    let folder = project.path().join("drivers");
    let found = [("ADBC_DRIVER_PATH", folder.to_str().expect("UTF-8"))];
    // By the name of its own, by a name that the source gives, by the manifest's path.
    for driver in ["", "driver: duckdb\n", "driver: drivers/duckdb.toml\n"] {
        project.write("sources/duck.yaml", &format!("{source}{driver}"));
        let ran = project.sequor_with(&["run", "main"], &found);
        assert_eq!(ran.code, 0, "{driver}: {}", ran.all());
    }
    project.write(
        "sources/duck.yaml",
        &format!("{source}driver: nothing_of_the_kind\n"),
    );
    project
        .sequor(&["run", "main"])
        .fails(2, &["nothing_of_the_kind can't be loaded"]);
}

#[test]
fn a_query_among_statements_is_carried_out() {
    let project = Project::new().file("sources/db.yaml", &duckdb::source()).file(
        "flows/f.yaml",
        indoc! {"
            - op: execute
              source: db
              statement: |
                create sequence s;
                select nextval('s') from range(3);
                create table t as select nextval('s') as n
        "},
    );
    project.run("f");
    assert_eq!(project.rows("db", "select n from t"), ["4"]);
}

#[test]
fn an_expression_opens_a_database_whose_address_holds_variables() {
    // Python gives the path, while Python asks for rows.
    let driver = format!("driver_expression: str('{}')", duckdb::library());
    let project = Project::new()
        .file(
            "sources/duck.yaml",
            &formatdoc!(r#"
                type: duckdb
                conn_str: "duckdb:///{{{{ var('tenant') }}}}.duckdb"
                {driver}
            "#),
        )
        .file(
            "flows/main.yaml",
            "- {op: set_variable, set: {tenant: one}}\n- {op: print, message: \"{{ query_scalar('duck', 'select 1 as a') }}\"}\n- {op: set_variable, set: {tenant: two}}\n- {op: print, message_expression: \"query_scalar('duck', 'select 2 as a')\"}\n",
        );
    assert_eq!(project.run("main").stdout, "1\n2\n");
}

#[test]
fn a_number_with_a_fraction_is_no_whole_one() {
    for value in ["5.5", "\"5.5\"", "-0.5", "1e-1"] {
        let rows = format!("[{{\"i\": 7.0, \"s\": \"1e3\"}}, {{\"i\": {value}, \"s\": 1}}]");
        let server = Server::start(move |_: &Asked| json(rows.clone()));
        let project = project(&server, &load("columns: {i: bigint, s: integer}, "));
        project
            .sequor(&["run", "main"])
            .fails(1, &["column `i`, row 2", "does not fit `bigint`"]);
    }
    let server = Server::start(|_: &Asked| json(r#"[{"i": 7.0, "s": "1e3"}]"#));
    let project = project(&server, &load("columns: {i: bigint, s: integer}, "));
    assert_eq!(project.run("main").code, 0);
    assert_eq!(project.rows("duck", "select i, s from t"), ["7|1000"]);
}

#[test]
fn integers_of_its_own_are_whole_and_have_their_bounds() {
    let load_of = |kind: &str, value: &str| {
        let rows = format!("[{{\"i\": 7.0}}, {{\"i\": {value}}}]");
        let server = Server::start(move |_: &Asked| json(rows.clone()));
        let project = project(&server, &load(&format!("columns: {{i: {kind}}}, ")));
        (project.sequor(&["run", "main"]), project, server)
    };
    for (kind, most, outside) in [
        ("utinyint", "255", "256"),
        ("usmallint", "65535", "-1"),
        ("uinteger", "4294967295", "4294967296"),
        ("ubigint", "18446744073709551615", "-1"),
        ("hugeint", "-99999999999999999999999999999999999999", "\"x\""),
        ("uhugeint", "99999999999999999999999999999999999999", "-1"),
    ] {
        let (ran, project, _server) = load_of(kind, most);
        assert_eq!(ran.code, 0, "{kind}: {}", ran.all());
        assert_eq!(
            project.rows("duck", "select i::text from t where i <> 7"),
            [most],
            "{kind}"
        );
        // The larger ones are decimals without a part, which round.
        let parts = if most.len() > 12 {
            &[][..]
        } else {
            &["5.5", "\"5.5\""]
        };
        for value in parts.iter().chain([&outside]) {
            let (ran, ..) = load_of(kind, value);
            ran.fails(1, &["does not fit", kind]);
        }
    }
}

#[test]
fn a_number_without_a_precision_keeps_its_digits() {
    for kind in ["numeric", "decimal", "number"] {
        let server = Server::start(|_: &Asked| json(r#"[{"v": 1.23456789}, {"v": 12345678901234567.5}]"#));
        let project = project(
            &server,
            &load(&format!("write_mode: append, columns: {{v: {kind}}}, ")),
        );
        for _ in 0..2 {
            let ran = project.run("main");
            assert_eq!(ran.code, 0, "{}", ran.all());
        }
        assert_eq!(
            project.rows("duck", "select distinct v from t order by v"),
            ["1.2345678900", "12345678901234567.5000000000"]
        );
    }
}
