//! `write_mode: upsert`, in every database: rows take the place of those with the same key.

use indoc::{formatdoc, indoc};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::databases;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

/// A flow that upserts what the server gives, run once per answer.
fn project(server: &Server, source: Option<&str>, table: &str) -> Project {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                    - op: http_request
                      id: get
                      request: {{source: api, url: /x}}
                      response:
                        tables:
                          - {{source: stage, table: t, write_mode: upsert, {table}}}
                "
            ),
        );
    if let Some(source) = source {
        project.write("sources/stage.yaml", source);
    }
    project
}

fn answers(bodies: &'static [&'static str]) -> Server {
    let at = AtomicUsize::new(0);
    Server::start(move |_: &Asked| json(bodies[at.fetch_add(1, Ordering::Relaxed).min(bodies.len() - 1)]))
}

/// Runs a test on every kind of database, save for some.
fn everywhere(except: &[&str], test: impl Fn(Option<&str>)) {
    for (name, source) in databases::all() {
        if !except.contains(&name) {
            println!("{name}");
            test(Some(&source));
        }
    }
}

/// Its messages have names in upper case.
const UPPER: &[&str] = &["snowflake"];

/// What stands for Snowflake has no locks, and of any database's driver no more is known than that it refuses the same key twice.
const UNLOCKED: &[&str] = &["snowflake", "adbc postgresql"];

const COLUMNS: &str =
    "columns: {id: integer, name: text, total: \"numeric(10,2)\"}, primary_key: [id], data_path: $";

#[test]
fn rows_with_the_same_key_are_replaced_and_others_stay() {
    everywhere(&[], |database| {
        let server = answers(&[
            r#"[{"id": 1, "name": "a", "total": 1.10}, {"id": 2, "name": "b", "total": 2}]"#,
            r#"[{"id": 2, "name": "B", "total": null}, {"id": 3, "name": "x", "total": 3}, {"id": 3, "name": "c", "total": 4}]"#,
            "[]",
        ]);
        let project = project(&server, database, COLUMNS);
        for _ in 0..3 {
            project.run("main");
        }
        assert_eq!(
            project.rows("stage", "select * from t order by id"),
            ["1|a|1.10", "2|B|", "3|c|4.00"]
        );
    });
}

#[test]
fn a_key_of_several_columns_and_columns_that_the_rows_lack() {
    everywhere(&[], |database| {
        let server =
            answers(&[r#"[{"Shop": "a", "nr": 1, "name": "new"}, {"Shop": "b", "nr": 1, "name": "added"}]"#]);
        let table = "columns: {Shop: text, nr: integer, name: text}, primary_key: [shop, nr], data_path: $";
        let project = project(&server, database, table);
        project.write(
            "flows/fill.yaml",
            indoc! {"
                - op: execute
                  source: stage
                  statement: |
                    create table t (shop varchar(10), nr integer, name varchar(10), note varchar(10));
                    insert into t values ('a', 1, 'old', 'kept'), ('a', 2, 'other', 'kept too')
            "},
        );
        project.run("fill");
        project.run("main");
        assert_eq!(
            project.rows("stage", "select shop, nr, name, note from t order by 1, 2"),
            ["a|1|new|kept", "a|2|other|kept too", "b|1|added|"]
        );
    });
}

#[test]
fn columns_from_the_data_grow() {
    everywhere(&[], |database| {
        let server = answers(&[
            r#"[{"id": 1, "name": "a"}]"#,
            r#"[{"id": 1, "name": "A", "age": 7}, {"id": 2, "age": 8}]"#,
        ]);
        let project = project(&server, database, "primary_key: id, data_path: $");
        project.run("main");
        project.run("main");
        assert_eq!(
            project.rows("stage", "select id, name, age from t order by id"),
            ["1|A|7", "2||8"]
        );
    });
}

#[test]
fn a_transform_upserts_and_refuses_twins() {
    everywhere(UPPER, |database| {
        let server = answers(&["[]"]);
        let project = project(&server, database, COLUMNS);
        let upsert = |query: &str| {
            formatdoc!(
                "
                    - op: transform
                      source: stage
                      target_table: sums
                      write_mode: upsert
                      primary_key: [email]
                      query: {query}
                "
            )
        };
        for (query, rows) in [
            (
                "select 'a' as email, 1 as total union all select 'b', 2",
                vec!["a|1", "b|2"],
            ),
            (
                "select 'b' as email, 20 as total union all select 'c', 30;",
                vec!["a|1", "b|20", "c|30"],
            ),
        ] {
            project.write("flows/sums.yaml", &upsert(query));
            project.run("sums");
            assert_eq!(
                project.rows("stage", "select email, total from sums order by 1"),
                rows
            );
        }
        let duplicates = [
            (
                "select 'd' as email, 1 as total union all select 'd', 2",
                "several rows with the same `email`",
            ),
            (
                "select 'd' as email, 1 as total union all select null, 2",
                "column `email` of the primary key is null",
            ),
            (
                "select 'd' as mail, 1 as total",
                "`primary_key` names `email`, which is not one of the columns",
            ),
        ];
        for (query, says) in duplicates {
            project.write("flows/sums.yaml", &upsert(query));
            project.sequor(&["run", "sums"]).fails(1, &[says]);
        }
        assert_eq!(project.rows("stage", "select count(*) from sums"), ["3"]);
    });
}

#[test]
fn what_is_wrong_with_a_key_is_told() {
    everywhere(UPPER, |database| {
        let server = answers(&[r#"[{"id": 1, "name": "a"}, {"id": null, "name": "b"}]"#]);
        let project = project(&server, database, COLUMNS);
        project
            .sequor(&["run", "main"])
            .fails(1, &["column `id` of the primary key is null in some rows"]);
        project
            .sequor(&["query", "stage", "select * from t"])
            .fails(1, &["t"]);
    });
    let server = answers(&["[]"]);
    for (table, says) in [
        (
            "columns: {id: integer}, data_path: $",
            "`write_mode: upsert` needs `primary_key`",
        ),
        (
            "columns: {id: integer}, primary_key: [], data_path: $",
            "`write_mode: upsert` needs `primary_key`",
        ),
        (
            "columns: {id: integer, name: text}, primary_key: [nme], data_path: $",
            "did you mean `name`?",
        ),
    ] {
        project(&server, None, table)
            .sequor(&["validate"])
            .fails(2, &[says]);
    }
    let project = project(
        &server,
        None,
        "columns: {id: integer}, primary_key: [id], data_path: $",
    );
    project.replace("flows/main.yaml", "write_mode: upsert", "write_mode: append");
    project
        .sequor(&["validate"])
        .fails(2, &["`primary_key` is for `write_mode: upsert`"]);
}

#[test]
fn a_parser_names_the_key() {
    everywhere(&[], |database| {
        let server = answers(&[r#"[{"id": 1, "name": "a"}]"#, r#"[{"id": 1, "name": "b"}]"#]);
        let project = project(&server, database, COLUMNS);
        project.write(
            "flows/main.yaml",
            indoc! {r#"
                - op: http_request
                  request: {source: api, url: /x}
                  response:
                    parser_expression: |
                      return {"tables": [{"source": "stage", "table": "t", "write_mode": "upsert", "primary_key": ["id"], "data": response.json()}]}
            "#},
        );
        project.run("main");
        project.run("main");
        assert_eq!(project.rows("stage", "select id, name from t"), ["1|b"]);
        project.replace("flows/main.yaml", "\"primary_key\": [\"id\"], ", "");
        project
            .sequor(&["run", "main"])
            .fails(1, &["without `primary_key`"]);
    });
}

#[test]
fn many_at_once_lose_nothing() {
    everywhere(UNLOCKED, |database| {
        let server = answers(&["[]"]);
        let project = project(&server, database, COLUMNS);
        let flow = |part: u32| {
            formatdoc!(
                "
                    - op: transform
                      source: stage
                      target_table: counts
                      write_mode: upsert
                      primary_key: [id]
                      query: {}
                ",
                (part..part + 3)
                    .map(|id| format!("select {id} as id, {part} as part"))
                    .collect::<Vec<_>>()
                    .join(" union all ")
            )
        };
        // Neighbours share two keys.
        (0..6).for_each(|part| project.write(&format!("flows/f{part}.yaml"), &flow(part)));
        project.run("f0");
        let runs: Vec<_> = (1..6)
            .map(|part| {
                project
                    .command(&["run", &format!("f{part}"), "--wait", "1m"])
                    .stdout(std::process::Stdio::null())
                    .spawn()
                    .expect("runs")
            })
            .collect();
        for mut run in runs {
            assert!(run.wait().expect("ends").success());
        }
        assert_eq!(
            project.rows(
                "stage",
                "select count(*), count(distinct id), min(id), max(id) from counts"
            ),
            ["8|8|0|7"]
        );
    });
}
