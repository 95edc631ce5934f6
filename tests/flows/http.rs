//! Requests and responses: auth, bodies, paging, parsers, retries.

use indoc::formatdoc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::postgres::Database;
use crate::support::program::Project;
use crate::support::server::{Server, json};

#[test]
fn auth_kinds_reach_the_wire_and_no_output() {
    let server = Server::start(|_| json(r#"{"ok": true}"#));
    let source = |auth: &str| format!("type: http\nbase_url: {}\nauth: {auth}\n", server.url);
    let request = |source: &str| {
        formatdoc!(
            "
            - op: http_request
              request: {{source: {source}, url: /{source}}}
        "
        )
    };
    let project = Project::new()
        .file(
            "sources/basic.yaml",
            &source("{type: basic_auth, username: me, password: s3cret-basic}"),
        )
        .file(
            "sources/bearer.yaml",
            &source("{type: bearer_token, token: \"{{ env_var('TEST_TOKEN') }}\"}"),
        )
        .file(
            "sources/header.yaml",
            &source("{type: api_key, key_name: X-Key, key_value: s3cret-header}"),
        )
        .file(
            "sources/query.yaml",
            &source("{type: api_key, key_name: key, key_value: s3cret-query, add_to: query}"),
        )
        .file(
            "flows/f.yaml",
            &["basic", "bearer", "header", "query"].map(request).concat(),
        );
    let ran = project.sequor_with(
        &["run", "f", "--record", "rec"],
        &[("TEST_TOKEN", "s3cret-bearer")],
    );
    let text = ran.all();
    assert!(ran.code == 0 && !text.contains("s3cret"), "{text}");
    let asked = server.asked();
    let of = |path: &str| asked.iter().find(|a| a.path == path).expect("asked");
    assert_eq!(of("/basic").header("authorization"), "Basic bWU6czNjcmV0LWJhc2lj");
    assert_eq!(of("/bearer").header("authorization"), "Bearer s3cret-bearer");
    assert_eq!(of("/header").header("x-key"), "s3cret-header");
    assert_eq!(of("/query").parameter("key").as_deref(), Some("s3cret-query"));
    for step in 1..=4 {
        let recording = project.read(&format!("rec/http_request_{step}/0001.yaml"));
        assert!(
            recording.contains("***") && !recording.contains("s3cret"),
            "{recording}"
        );
    }
}

#[test]
fn form_bodies_headers_and_parameters() {
    let server = Server::start(|_| json("{}"));
    let project = Project::new().file(
        "flows/f.yaml",
        &format!(
            r#"
- op: http_request
  request:
    url: {}/form?fixed=1
    method: POST
    parameters: {{a: "x y&z", none: null, many: [1, 2], sum_expression: 1 + 1}}
    headers: {{X-One: "{{{{ 'a' ~ 'b' }}}}"}}
    body_format: form_urlencoded
    body: {{name: "J\u00f6rg & Co", n: 3}}
"#,
            server.url
        ),
    );
    project.run("f");
    let asked = &server.asked()[0];
    assert_eq!(asked.query, "fixed=1&a=x+y%26z&many=1&many=2&sum=2");
    assert_eq!(asked.header("x-one"), "ab");
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(asked.body, "name=J%C3%B6rg+%26+Co&n=3");
}

/// Three pages of two rows each, from `page=1`.
fn pages() -> Server {
    Server::start(|asked| {
        let page: usize = asked.parameter("page").and_then(|p| p.parse().ok()).unwrap_or(1);
        let next = if page < 3 {
            (page + 1).to_string()
        } else {
            "null".into()
        };
        json(format!(
            r#"{{"rows": [{{"id": {page}1, "tags": ["a", {page}]}}, {{"id": {page}2}}], "next": {next}}}"#
        ))
    })
}

#[test]
fn paging_by_while_and_by_parser_into_several_tables() {
    let server = pages();
    let flow = format!(
        r#"
- op: http_request
  id: by_while
  init: {{variables: {{page: 1}}}}
  request:
    url: {url}/a
    parameters: {{page_expression: var('page')}}
  response:
    tables:
      - {{source: db, table: rows, columns: {{id: integer, tags: jsonb}}, data_expression: "response.json()['rows']"}}
      - source: db
        table: marks
        columns: [{{name: page, type: integer}}, {{name: big, type: {{name: numeric, precision: 10, scale: 2}}}}]
        data_expression: |
          return [{{"page": var('page'), "big": 1.005}}]
    variables: {{page_expression: "response.json()['next']"}}
    while_expression: response.json()['next'] is not None
- op: http_request
  id: by_parser
  init: {{variables: {{page: 1}}}}
  request:
    url: {url}/b
    parameters: {{page: "{{{{ var('page') }}}}"}}
  response:
    tables:
      - {{source: db, table: parsed, columns: {{id: integer}}}}
    parser_expression: |
      data = response.json()
      return {{
        "tables": {{"parsed": data["rows"]}},
        "variables": {{"page": data["next"]}},
        "while": data["next"] is not None,
      }}
"#,
        url = server.url
    );
    for database in [None, Some(Database::new())] {
        let project = Project::new().file("flows/f.yaml", &flow);
        project.write(
            "sources/db.yaml",
            &database.map_or("type: staging\n".into(), |d| d.source()),
        );
        project.run("f");
        let all = ["11", "12", "21", "22", "31", "32"];
        assert_eq!(project.rows("db", "select id from rows order by id"), all);
        assert_eq!(project.rows("db", "select id from parsed order by id"), all);
        assert_eq!(
            project.rows(
                "db",
                "select page, big::numeric(10,2) as big from marks order by page"
            ),
            ["1|1.01", "2|1.01", "3|1.01"]
        );
        assert_eq!(
            project.rows("db", "select count(*) from rows where tags is null"),
            ["3"]
        );
    }
}

#[test]
fn a_row_pages_by_itself_in_a_fan_out() {
    let server = pages();
    let project = Project::new().file(
        "flows/f.yaml",
        &format!(
            r#"
- op: execute
  source: stage
  statement: create or replace table people as select * from (values ('x'), ('y'), ('z')) as t(name)
- op: http_request
  for_each: {{source: stage, table: people, as: person}}
  init: {{variables: {{page: 1}}}}
  request:
    url: "{}/of/{{{{ var('person')['name'] }}}}"
    parameters: {{page_expression: var('page')}}
  response:
    tables:
      - source: stage
        table: found
        columns: {{who: text, id: bigint}}
        data_expression: "[{{'who': var('person')['name'], 'id': r['id']}} for r in response.json()['rows']]"
    variables: {{page_expression: "response.json()['next']"}}
    while_expression: var('page') is not None
"#,
            server.url
        ),
    );
    project.run("f");
    assert_eq!(server.asked().len(), 9);
    assert_eq!(
        project.rows(
            "stage",
            "select who, count(*), count(distinct id) from found group by who order by who"
        ),
        ["x|6|6", "y|6|6", "z|6|6"]
    );
}

#[test]
fn a_reading_request_is_tried_again_and_a_writing_one_is_not() {
    let (gets, posts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = Server::start(move |asked| match asked.method.as_str() {
        "GET" if gets.fetch_add(1, Ordering::Relaxed) < 2 => json("busy").status(503),
        "POST" => json("busy").status(if posts.fetch_add(1, Ordering::Relaxed) == 0 {
            500
        } else {
            200
        }),
        _ => json("{}"),
    });
    let step = |method: &str| {
        formatdoc!(
            "
                - op: http_request
                  request: {{url: {}/x, method: {method}}}
            ",
            server.url
        )
    };
    let project = Project::new()
        .file("flows/get.yaml", &step("GET"))
        .file("flows/post.yaml", &step("POST"));
    let ran = project.run("get");
    assert!(ran.stderr.contains("2 retries"), "{}", ran.stderr);
    project
        .sequor(&["run", "post"])
        .fails(1, &["500 Internal Server Error"]);
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn the_step_before_feeds_the_next_when_it_must() {
    let server = Server::start(|asked| {
        json(format!(
            r#"{{"next": "{}x"}}"#,
            asked.parameter("at").unwrap_or_default()
        ))
    });
    let project = Project::new().file(
        "flows/f.yaml",
        &format!(
            r#"
- op: execute
  source: stage
  statement: create or replace table n as select value as id from generate_series(1, 3)
- op: set_variable
  set: {{at: s}}
- op: http_request
  id: chain
  for_each: {{source: stage, table: n, as: row}}
  request:
    url: {}/x
    parameters: {{at: "{{{{ var('at') }}}}"}}
  response:
    variables: {{at_expression: "response.json()['next']"}}
- op: print
  message: "at is {{{{ var('at') }}}}"
"#,
            server.url
        ),
    );
    let plan = project.sequor(&["plan", "f"]);
    assert!(
        plan.stdout
            .contains("one by one, since the request reads variable at"),
        "{}",
        plan.stdout
    );
    let ran = project.run("f");
    assert_eq!(ran.stdout, "at is sxxx\n");
    let at: Vec<_> = server.asked().iter().filter_map(|a| a.parameter("at")).collect();
    assert_eq!(at, ["s", "sx", "sxx"]);
    // Kept between runs.
    assert!(
        project
            .read("home/project_state/test/variables.yaml")
            .contains("sxxx")
    );
}
