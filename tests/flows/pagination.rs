//! Pagination that goes wrong, and pages of many rows at once.

use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};
use indoc::{formatdoc, indoc};

fn project(server: &Server, pagination: &str, response: &str) -> Project {
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
                      id: pages
                      request:
                        source: api
                        url: /x
                        pagination: {pagination}
                      response:
                    {response}"
            ),
        )
}

const TABLE: &str =
    "    tables:\n      - {source: stage, table: t, columns: {id: integer}, data_path: rows}\n";

#[test]
fn what_would_go_on_for_ever_is_stopped() {
    let server = Server::start(|_| json(r#"{"rows": [{"id": 1}], "next": "/x"}"#));
    let ran = project(&server, "{type: json_link, next_path: next}", TABLE).sequor(&["run", "main"]);
    ran.fails(1, &["page 2 is asked for exactly as the page before it"]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn the_next_page_is_not_at_another_server() {
    let other = Server::start(|_| json("{}"));
    let next = other.url.clone();
    let server = Server::start(move |_| json(format!(r#"{{"rows": [], "next": "{next}/steal"}}"#)));
    let ran = project(&server, "{type: json_link, next_path: next}", TABLE).sequor(&["run", "main"]);
    ran.fails(1, &["the next page is at another server"]);
    assert!(other.asked().is_empty());
}

#[test]
fn a_paging_that_nothing_ends_is_told() {
    let server = Server::start(|_| json("{}"));
    let ran = project(&server, "{type: page_number}", "    variables: {x: 1}\n").sequor(&["run", "main"]);
    ran.fails(1, &["nothing tells which page is the last"]);
    let ran = project(
        &server,
        "{type: page_number, total_pages_path: pages}",
        "    variables: {x: 1}\n",
    );
    ran.sequor(&["run", "main"]).fails(
        1,
        &["the total of `pagination` must be a number, and `pages` of the response is nothing"],
    );
    project(&server, "{type: pages}", "    while: false\n")
        .sequor(&["validate"])
        .fails(
            2,
            &[
                "`pages` is not a type of `pagination`",
                "types: page_number, offset, cursor",
            ],
        );
    project(&server, "{type: offset, start: -1}", "    while: false\n")
        .sequor(&["validate"])
        .fails(
            2,
            &[
                "needs `size`",
                "`start` of `pagination` of type offset must be a whole number",
            ],
        );
    project(&server, "{type: header_link}", "    while: false\n")
        .sequor(&["validate"])
        .fails(2, &["both `pagination` and `while` are given"]);
}

#[test]
fn each_row_has_pages_of_its_own() {
    let server = Server::start(|asked: &Asked| {
        let page: u64 = asked
            .parameter("page")
            .expect("a page")
            .parse()
            .expect("a number");
        let owner: u64 = asked.path.trim_start_matches('/').parse().expect("an id");
        // Owner n has n pages of two rows.
        let rows: Vec<String> = match page <= owner {
            true => (0..2)
                .map(|i| format!(r#"{{"id": {}}}"#, owner * 100 + page * 2 + i))
                .collect(),
            false => Vec::new(),
        };
        json(format!(r#"{{"rows": [{}]}}"#, rows.join(",")))
    });
    let project = project(&server, "{type: page_number}", TABLE).file(
        "flows/fill.yaml",
        indoc! {"
                - op: execute
                  source: stage
                  statement: create table owners as select value as id from generate_series(1, 9)
            "},
    );
    project.replace(
        "flows/main.yaml",
        "  request:\n",
        "  for_each: {source: stage, table: owners, as: owner}\n  request:\n",
    );
    project.replace("flows/main.yaml", "url: /x", "url: \"/{{ var('owner')['id'] }}\"");
    project.run("fill");
    project.run("main");
    let rows = project.rows("stage", "select count(*) as n, count(distinct id) as d from t");
    assert_eq!(rows, ["90|90"]);
    assert_eq!(server.asked().len(), 45 + 9);
}
