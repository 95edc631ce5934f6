//! Limits and retries of http sources, seen from the server's side.

use indoc::{formatdoc, indoc};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::program::Project;
use crate::support::server::{Asked, Reply, Server, json};

/// A server whose first `bad` answers are made by `answer`.
fn failing(bad: usize, answer: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(
        move |_: &Asked| match count.fetch_add(1, Ordering::Relaxed) < bad {
            true => answer(),
            false => json("[]"),
        },
    )
}

fn project(server: &Server, source: &str, request: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n{source}", server.url),
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  id: ask
                  request:
                    source: api
                    url: /x
                {request}"
            ),
        )
}

#[test]
fn retry_after_is_obeyed_also_by_a_post() {
    let server = failing(1, || json("{}").status(429).header("retry-after", "1"));
    let project = project(&server, "", "    method: POST\n");
    project.run("main");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].at - asked[0].at >= Duration::from_millis(990));
}

#[test]
fn all_requests_of_a_source_wait_when_one_is_told_to() {
    let server = failing(1, || json("{}").status(503).header("retry-after", "1"));
    let project = project(&server, "concurrency: 1\n", "")
        .file(
            "flows/fill.yaml",
            indoc! {"
                - op: execute
                  source: stage
                  statement: create table rows as select * from generate_series(1, 5)
            "},
        )
        .file(
            "flows/main.yaml",
            indoc! {"
                - op: http_request
                  for_each: {source: stage, table: rows, as: row}
                  request: {source: api, url: /x}
            "},
        );
    project.run("fill");
    project.run("main");
    let asked = server.asked();
    assert_eq!(asked.len(), 6);
    for later in &asked[1..] {
        assert!(
            later.at - asked[0].at >= Duration::from_millis(990),
            "nobody went before"
        );
    }
}

#[test]
fn the_last_request_of_a_window_makes_the_others_wait() {
    let server = failing(1, || {
        json("[]")
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", "1")
    });
    let project = project(&server, "", "  response: {while_expression: var('n') == 1}\n").file(
        "flows/main.yaml",
        indoc! {"
            - op: http_request
              request: {source: api, url: /a}
            - op: http_request
              request: {source: api, url: /b, method: PUT}
        "},
    );
    project.run("main");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].at - asked[0].at >= Duration::from_millis(990));
}

#[test]
fn what_may_have_been_carried_out_is_not_sent_again() {
    let twice = |request: &str, source: &str| {
        let server = failing(1, || json("{}").status(500));
        let project = project(&server, source, request);
        let code = project.sequor(&["run", "main"]).code;
        (code, server.asked())
    };
    assert_eq!(twice("    method: POST\n", "").1.len(), 1);
    assert_eq!(twice("    method: PUT\n", "").1.len(), 2);
    assert_eq!(
        twice("    method: PUT\n    retry: {max_attempts: 1}\n", "")
            .1
            .len(),
        1
    );
    assert_eq!(
        twice("    method: PUT\n    retry: {statuses: [503]}\n", "")
            .1
            .len(),
        1
    );
    assert_eq!(
        twice("    method: POST\n", "retry: {non_idempotent: true}\n")
            .1
            .len(),
        2
    );
    let (code, asked) = twice("    method: POST\n    idempotency_key: true\n", "");
    assert_eq!((code, asked.len()), (0, 2));
    assert_eq!(
        asked[0].header("idempotency-key"),
        asked[1].header("idempotency-key")
    );
    assert!(asked[0].header("idempotency-key").len() > 30);
    let (_, asked) = twice(
        "    method: POST\n    idempotency_key: \"order-{{ 1 + 1 }}\"\n",
        "",
    );
    assert_eq!(asked[1].header("idempotency-key"), "order-2");
}

#[test]
fn the_rate_is_never_passed() {
    let server = Server::start(|_| json("{}").after(Duration::from_millis(50)));
    let project = project(
        &server,
        indoc! {"
        concurrency: 32
        rate_limit: {requests: 50, per: second}
    "},
        "",
    )
    .file(
        "flows/fill.yaml",
        indoc! {"
                - op: execute
                  source: stage
                  statement: create table rows as select * from generate_series(1, 75)
            "},
    )
    .file(
        "flows/main.yaml",
        indoc! {"
                - op: http_request
                  for_each: {source: stage, table: rows, as: row}
                  request: {source: api, url: /x, method: PUT}
            "},
    );
    project.run("fill");
    project.run("main");
    let mut times: Vec<_> = server.asked().iter().map(|a| a.at).collect();
    times.sort();
    assert_eq!(times.len(), 75);
    // 51 requests span the second that 50 may take, less what the first of them was late on a busy machine.
    for (first, last) in times.iter().zip(&times[50..]) {
        assert!(
            *last - *first >= Duration::from_millis(700),
            "{:?}",
            *last - *first
        );
    }
}

#[test]
fn a_request_has_a_time_of_its_own() {
    let server = Server::start(|_| json("{}").after(Duration::from_millis(800)));
    let project = project(&server, "", "    timeout: 100ms\n    retry: {on: connect}\n");
    project.sequor(&["run", "main"]).fails(1, &["nothing came for"]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn limits_that_make_no_sense_are_told() {
    let server = failing(0, || json("[]"));
    let source = indoc! {"
        rate_limit: {requests: 0, per: fortnight}
        retry: {on: [sunday], statuses: [1], backof: {}}
        timeout: soon
    "};
    project(&server, source, "").sequor(&["validate"]).fails(
        2,
        &[
            "`requests` of a rate_limit must be a number above 0",
            "`per` of a rate_limit must be a time above 0",
            "`sunday` is not allowed for `on` of a retry",
            "`statuses` must be a list of HTTP statuses",
            "unknown key `backof` in a retry",
            "`timeout` of an http source must be a time above 0",
        ],
    );
}

/// The page of the docs shows the table that the client uses.
#[test]
fn the_docs_show_the_policy() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/requests.md");
    let page = std::fs::read_to_string(&file).expect("the page");
    let (head, rest) = page.split_once(" -->\n").expect("where the table begins");
    let (_, tail) = rest.split_once("<!-- end -->").expect("where it ends");
    let wanted = format!(
        "{head} -->\n\n{}\n<!-- end -->{tail}",
        sequor::http::policy_table()
    );
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &wanted).expect("the page");
    }
    assert!(
        page == wanted || std::env::var_os("UPDATE_DOCS").is_some(),
        "UPDATE_DOCS=1 makes it anew"
    );
}
