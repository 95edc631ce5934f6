//! What names in a flow are called in the databases.

use crate::support::program::Project;
use crate::support::server::{Server, json};
use crate::support::{databases, duckdb, postgres};

/// A load of rows with capitals in their names.
fn load(mode: &str) -> String {
    format!(
        r#"
- op: http_request
  request: {{source: api, url: /people}}
  response:
    tables:
      - {{source: db, table: People, columns: {{Id: integer, firstName: varchar(20)}}, {mode}, data_path: $}}
"#
    )
}

fn project(server: &Server, source: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("sources/db.yaml", source)
}

fn people() -> Server {
    Server::start(|_| json(r#"[{"Id": 1, "firstName": "Ann"}, {"Id": 2, "firstName": "Bob"}]"#))
}

#[test]
fn a_name_means_what_it_means_in_sql_without_quotes() {
    for (name, source) in databases::all() {
        let server = people();
        // Twice, so that the table is met by its own name; then by SQL, and by a step that writes it in another case.
        let flow = load("write_mode: upsert, primary_key: [ID]").repeat(2)
            + r#"
- op: for_each
  source: db
  table: People
  as: p
  steps: [{op: print, message: "{{ var('p')['ID'] }} {{ var('p')['firstname'] }}"}]
- op: transform
  source: db
  target_table: again
  query: select firstName as Name, ID as Number from People order by id
- op: print
  message: "{{ query_scalar('db', 'select count(*) from again where NAME is not null and number > 0') }}"
"#;
        let project = project(&server, &source).file("flows/main.yaml", &flow);
        let out = project.run("main").stdout;
        let mut lines: Vec<&str> = out.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["1 Ann", "2", "2 Bob"], "{name}");
    }
}

#[test]
fn quoted_identifiers_are_kept_as_they_are_written() {
    let server = people();
    let database = postgres::Database::new();
    let source = format!("{}identifiers: \"{{{{ 'quo' ~ 'ted' }}}}\"\n", database.source());
    let flow = load("write_mode: upsert, primary_key: [Id]").repeat(2);
    let project = project(&server, &source).file("flows/main.yaml", &flow);
    project.run("main");
    assert_eq!(
        database.rows(r#"select "Id", "firstName" from "People" order by 1"#),
        ["1|Ann", "2|Bob"]
    );
    project.write(
        "sources/db.yaml",
        &format!("{}identifiers: upper\n", database.source()),
    );
    project
        .sequor(&["run", "main"])
        .fails(2, &["`identifiers` is `upper`", "use folded or quoted"]);
}

#[test]
fn columns_that_were_made_with_quotes_are_met_with_a_warning() {
    let server = people();
    let database = postgres::Database::new();
    for mode in [
        "write_mode: append",
        "write_mode: upsert, primary_key: [Id]",
        "schema: evolve, write_mode: append",
    ] {
        database.execute(r#"drop table if exists people; create table people ("Id" integer primary key, "firstName" text)"#);
        let project = project(&server, &database.source()).file("flows/main.yaml", &load(mode));
        let run = project.sequor(&["run", "main"]);
        assert!(run.code == 0, "{mode}: {}", run.stderr);
        assert!(
            run.stderr
                .contains(r#"its column `Id` is found by SQL as "Id" only"#),
            "{mode}: {}",
            run.stderr
        );
        assert_eq!(
            database.rows(r#"select "Id", "firstName" from people order by 1"#),
            ["1|Ann", "2|Bob"],
            "{mode}"
        );
    }
}

#[test]
fn columns_of_duckdb_are_found_in_any_case_from_elsewhere() {
    let server = people();
    let flow = load("write_mode: create")
        + r#"
- op: transform
  source: stage
  target_table: names
  query: |
    with all_people(id, FirstName) as (select Id, FIRSTNAME from db.People)
    select firstname as Given, count(*) as n from all_people where firstName <> 'Bob' group by FirstName order by given
"#;
    let project = project(&server, &duckdb::source()).file("flows/main.yaml", &flow);
    project.run("main");
    assert_eq!(project.rows("stage", "select given, n from names"), ["Ann|1"]);
}

/// A field's name of 73 bytes, and one that is the same in the 63 that PostgreSQL keeps.
const LONG: &str = "this_is_a_field_of_a_form_whose_author_wrote_a_whole_sentence_as_its_name";

#[test]
fn names_that_the_database_would_cut() {
    let database = postgres::Database::new();
    let other = format!("{LONG}_and_more");
    let rows = format!(r#"[{{"id": 1, "{LONG}": "x", "{other}": "y"}}]"#);
    let server = Server::start(move |_| json(rows.clone()));
    let flow = |table: &str, more: &str| {
        format!(
            "- op: http_request\n  request: {{source: api, url: /forms}}\n  response: {{source: db, tables: [{{table: {table}, data_path: $, {more}}}]}}\n"
        )
    };
    let project = project(&server, &database.source())
        .file("flows/main.yaml", &flow("forms", "write_mode: append"))
        .file(
            "flows/upsert.yaml",
            &flow("forms", &format!("write_mode: upsert, primary_key: [{LONG}]")),
        )
        .file(
            "flows/declared.yaml",
            &flow("forms", &format!("columns: {{{LONG}: text}}")),
        )
        .file("flows/table.yaml", &flow(LONG, "columns: {id: integer}"))
        .file(
            "flows/computed.yaml",
            &flow(&format!("\"{{{{ '{LONG}' }}}}\""), "columns: {id: integer}"),
        );

    // Fields that the data brings get names that fit: always the same, and two stay two.
    let ran = project.run("main");
    assert!(
        ran.stderr
            .contains("is too long for the database: its column is `this_is"),
        "{}",
        ran.stderr
    );
    project.run("main");
    project.run("upsert");
    let names = database
        .rows("select attname as n from pg_attribute where attrelid = 'forms'::regclass and attnum > 1");
    assert_eq!(names.len(), 2, "{names:?}");
    let values = format!(
        "select count(*) as n, min(\"{}\") as a, min(\"{}\") as b from forms",
        names[0], names[1]
    );
    assert_eq!(database.rows(&values), ["2|x|y"]);

    // What the flow names itself is a mistake, found before anything is asked or made.
    let asked = server.asked().len();
    for flow in ["declared", "table"] {
        project
            .sequor(&["validate", flow])
            .fails(2, &["SQ0306", "63 bytes", "it has 73"]);
        project.sequor(&["run", flow]).fails(2, &["SQ0306"]);
    }
    project
        .sequor(&["run", "computed"])
        .fails(1, &["is too long", "63 bytes"]);
    assert_eq!(server.asked().len(), asked);
    assert_eq!(
        database.rows("select count(*) as n from pg_tables where schemaname = 'public'"),
        ["1"]
    );
}
