//! A recording made against a live server becomes a test.

use indoc::indoc;

use crate::support::postgres;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

fn server() -> Server {
    Server::start(
        |asked: &Asked| match (asked.method.as_str(), asked.parameter("page").as_deref()) {
            ("GET", Some("1")) => {
                json(r#"{"rows": [{"id": 1, "total": "10.10"}, {"id": 2, "total": "0.20"}]}"#)
            }
            ("GET", Some("2")) => json(r#"{"rows": [{"id": 3, "total": "5.00"}]}"#),
            ("GET", _) => json(r#"{"rows": []}"#),
            _ => json(r#"{"ok": true}"#),
        },
    )
}

#[test]
fn a_recording_becomes_a_test_that_gives_the_same_tables() {
    let server = server();
    let database = postgres::Database::new();
    database.execute("create table names (id bigint, name varchar(20), since date, rate numeric(6,3)); insert into names values (1, 'Ann', '2024-01-02', 1.250), (2, 'Bob', null, 2)");
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\nauth: {{type: bearer_token, token: \"{{{{ var('api_token') }}}}\"}}\n", server.url),
        )
        .file("sources/wh.yaml", &database.source())
        .file(
            "flows/main.yaml",
            indoc! {r#"
                - op: http_request
                  id: fetch
                  request: {source: api, url: "/{{ var('shop') }}", pagination: {type: page_number, param: page}}
                  response: {tables: [{source: wh, table: orders, data_path: rows, columns: {id: bigint, total: "numeric(10,2)"}}]}
                - op: transform
                  id: named
                  source: wh
                  target_table: named
                  query: select o.id, n.name, n.since, o.total * n.rate as due from orders o left join names n on n.id = o.id order by o.id
                - op: http_request
                  id: push
                  for_each: {source: wh, table: named, as: row}
                  request: {source: api, url: "/c/{{ var('row')['id'] }}", method: PUT, body_format: json, body: {due: "{{ var('row')['due'] }}"}}
                - {op: print, message: "{{ query_scalar('wh', 'select count(*) from named') }} named"}
            "#},
        );
    let variables = ["--var", "api_token=a-real-secret", "--var", "shop=eu"];
    let ran = project.sequor(&[&["run", "main", "--record", "recordings/main"], &variables[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    let live = project.rows("wh", "select id, name, since, due from named order by id");
    let asked = server.asked().len();
    let made = project.sequor(
        &[
            &["test", "new", "sub/main", "--from", "recordings/main"],
            &variables[..],
        ]
        .concat(),
    );
    assert_eq!(made.code, 0, "{}", made.all());
    assert!(made.stdout.contains("Made tests/sub/main.yaml"), "{}", made.all());
    let text = project.read("tests/sub/main.yaml");
    assert!(!text.contains("a-real-secret"), "{text}");
    for part in [
        "shop: eu",
        "rate: numeric(6,3)",
        "- {method: PUT,",
        "- 3 named",
        "file: main/wh.names.jsonl",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Tables that the flow makes anew need not be there.
    assert!(
        !text.contains("wh.orders.jsonl") && !text.contains("wh.named.jsonl"),
        "{text}"
    );
    // It needs neither the server nor the database.
    database.execute("drop table names; drop table orders; drop table named");
    let ran = project.sequor(&["test"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(server.asked().len(), asked);
    // The tables are those that were there.
    for row in &live {
        let due = row.split('|').next_back().unwrap_or_default().trim();
        let due = due.trim_end_matches('0').trim_end_matches('.');
        assert!(due.is_empty() || text.contains(due), "{due} is not in {text}");
    }
    // A flow that changed is found out.
    project.replace("flows/main.yaml", "o.total * n.rate", "o.total + n.rate");
    let ran = project.sequor(&["test"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(
        ran.stdout
            .contains("table wh.named: 2 rows missing, 2 not expected"),
        "{}",
        ran.all()
    );
    project
        .sequor(&["test", "new", "sub/main", "--from", "recordings/main"])
        .fails(2, &["is there already"]);
    project
        .sequor(&["test", "new", "x", "--from", "/tmp"])
        .fails(2, &["is not in the project's folder"]);
    project
        .sequor(&["test", "new", "x", "--from", "nowhere"])
        .fails(2, &["there is no folder nowhere"]);
    project
        .sequor(&["test", "new", "../x", "--from", "recordings"])
        .fails(2, &["can't be the name of a test"]);
}
