//! Columns that say more than their type, where the data says otherwise.

use indoc::formatdoc;

use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

fn project(server: &Server, table: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  request: {{source: api, url: /rows}}
                  response:
                    source: stage
                    tables:
                      - {{table: t, data_path: $, {table}}}
                "
            ),
        )
}

fn rows() -> Server {
    Server::start(|_: &Asked| {
        json(
            r#"[{"id": 1, "title": "T", "name": "N", "user": {"login": "ann"}, "made": "2024-05-01 10:30 PM"}]"#,
        )
    })
}

#[test]
fn a_field_whose_name_another_column_has_is_not_lost_without_a_word() {
    let server = rows();
    let columns = "columns: {id: integer, name: {type: text, path: title}}";
    for schema in ["evolve", "freeze"] {
        project(&server, &format!("{columns}, schema: {schema}"))
            .sequor(&["run", "main"])
            .fails(1, &["the rows have `name`", "read from elsewhere"]);
    }
    let project = project(&server, columns);
    project.run("main");
    assert_eq!(project.rows("stage", "select * from t"), ["1|T"]);
}

#[test]
fn what_is_inside_of_a_declared_column_is_known_to_a_frozen_table() {
    let server = rows();
    let columns = "columns: {id: integer, login: {type: text, path: user.login}, title: text, name: text, made: text}, schema: freeze";
    let project = project(&server, columns);
    project.run("main");
    assert_eq!(project.rows("stage", "select id, login from t"), ["1|ann"]);
}

#[test]
fn columns_that_python_describes_may_say_as_much_and_no_more() {
    let server = rows();
    let good = r#"columns_expression: "{'id': 'integer', 'login': {'type': 'text', 'path': 'user.login'}, 'source': {'type': 'text', 'value': 'api'}, 'made': {'type': 'timestamp', 'format': '%Y-%m-%d %I:%M %p'}}""#;
    let project_of = |columns: &str| project(&server, columns);
    let project = project_of(good);
    project.run("main");
    assert_eq!(
        project.rows("stage", "select * from t"),
        ["1|ann|api|2024-05-01T22:30:00"]
    );
    project_of(r#"columns_expression: "{'id': {'type': 'integer', 'valu': 1}}""#)
        .sequor(&["run", "main"])
        .fails(1, &["column `id`", "unknown key `valu`", "did you mean `value`?"]);
    project_of(r#"columns_expression: "{'id': {'path': 'a'}}""#)
        .sequor(&["run", "main"])
        .fails(1, &["column `id` has no `type`"]);
    // Jinja is text: null is written as null, too.
    let project = project_of(r#"columns: {id: integer, none: {type: text, value: "{{ none }}"}}"#);
    project.run("main");
    assert_eq!(
        project.rows("stage", "select count(*) from t where none is null"),
        ["1"]
    );
}

#[test]
fn values_that_are_null_are_no_list() {
    let server = rows();
    let project = project(&server, "columns: {id: integer}");
    project.run("main");
    project.replace(
        "flows/main.yaml",
        "- op: http_request\n",
        "- op: http_request\n  for_each: {values_expression: \"{}.get('regions')\", as: region}\n",
    );
    project
        .sequor(&["run", "main"])
        .fails(1, &["`values` must be a list, and is null"]);
    assert_eq!(project.rows("stage", "select count(*) from t"), ["1"]);
}
