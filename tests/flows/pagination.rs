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
    ran.fails(1, &["page 1 names as the next page one that came before"]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_next_page_at_another_server_gets_no_credentials() {
    let other = Server::start(|_| json(r#"{"rows": [{"id": 2}]}"#));
    let next = other.url.clone();
    let server =
        Server::start(move |_| json(format!(r#"{{"rows": [{{"id": 1}}], "next": "{next}/steal"}}"#)));
    let secrets = "headers: {x-shop: s3cr3t}\nauth: {type: bearer_token, token: t0k3n}\n";
    let source = format!("type: http\nbase_url: {}\n{secrets}", server.url);
    let project =
        project(&server, "{type: json_link, next_path: next}", TABLE).file("sources/api.yaml", &source);
    project.run("main");
    assert_eq!(project.rows("stage", "select id from t order by 1"), ["1", "2"]);
    assert_eq!(server.asked()[0].header("authorization"), "Bearer t0k3n");
    assert_eq!(server.asked()[0].header("x-shop"), "s3cr3t");
    let got = &other.asked()[0];
    assert!(!got.headers.contains_key("authorization") && !got.headers.contains_key("x-shop"));
    // Where the source lists the server, it gets them.
    let listed = format!("{source}allowed_hosts: [\"127.0.0.1\"]\n");
    project.write("sources/api.yaml", &listed);
    project.run("main");
    assert_eq!(other.asked()[1].header("authorization"), "Bearer t0k3n");
    // One that is not listed is not asked at all.
    project.write(
        "sources/api.yaml",
        &format!("{source}allowed_hosts: [\"api.test\"]\n"),
    );
    project
        .sequor(&["run", "main"])
        .fails(1, &["requests may not go to 127.0.0.1"]);
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
        &["`total_pages_path` is `pages`, and the response has no `pages`"],
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
