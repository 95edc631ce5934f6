//! Batches of rows, pages at the same time, paging that shows itself, and limits of a request's own.

use indoc::{formatdoc, indoc};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

pub fn project(server: &Server, source: &str, step: &str) -> Project {
    Project::new()
        .file("sources/api.yaml", &format!("type: http\nbase_url: {}\n{source}", server.url))
        .file(
            "flows/fill.yaml",
            indoc! {"
                - op: execute
                  source: stage
                  statement: create table rows as select value as id, 'n' || value as name from generate_series(1, 25)
            "},
        )
        .file("flows/main.yaml", step)
}

#[test]
fn one_request_for_each_batch() {
    let server = Server::start(|asked: &Asked| {
        let rows: serde_json::Value = serde_json::from_str(&asked.body).expect("JSON");
        json(serde_json::json!({"done": rows["customers"]}).to_string())
    });
    let bodies = [
        "body_expression: \"{'customers': [{'id': r['id'], 'name': r['name']} for r in var('batch')]}\"",
        "body_expression: \"{'customers': [r.to_dict() for r in var('batch')]}\"",
        "body_expression: \"{'customers': var('batch')}\"",
    ];
    for body in bodies {
        let step = formatdoc!(
            "
                - op: http_request
                  id: push
                  for_each: {{source: stage, table: rows, as: batch, batch_size: 10}}
                  request: {{source: api, url: /x, method: POST, {body}}}
                  response:
                    tables:
                      - {{source: stage, table: done, columns: {{id: integer, name: text}}, data_path: done}}
            "
        );
        let project = project(&server, "", &step);
        project.run("fill");
        let before = server.asked().len();
        project.run("main");
        assert_eq!(server.asked().len() - before, 3, "{body}");
        let rows = project.rows("stage", "select count(*), sum(id), max(name) from done");
        assert_eq!(rows, ["25|325|n9"], "{body}");
    }
    let bad = project(
        &server,
        "",
        indoc! {"
            - op: http_request
              for_each: {source: stage, table: rows, as: b, batch_size: 0}
              request: {source: api, url: /x}
        "},
    );
    bad.sequor(&["validate"])
        .fails(2, &["`batch_size` of a for_each must be a whole number above 0"]);
}

#[test]
fn a_batch_that_fails_is_named_and_may_be_rejected() {
    let server = Server::start(|asked: &Asked| match asked.body.contains("n12") {
        true => json("{}").status(400),
        false => json("{}"),
    });
    let step = indoc! {r#"
        - op: http_request
          id: push
          for_each: {source: stage, table: rows, as: batch, batch_size: 10}
          request: {source: api, url: /x, method: POST, body_expression: "[r['name'] for r in var('batch')]"}
    "#};
    let project = project(&server, "", step);
    project.run("fill");
    project
        .sequor(&["run", "main"])
        .fails(1, &["batch 2 of `rows` (batch)"]);
    project.write(
        "flows/main.yaml",
        &step.replace("  for_each", "  on_error: reject\n  for_each"),
    );
    let ran = project.run("main");
    assert!(
        ran.all()
            .contains("1 batch was rejected and is in table `push_rejects`"),
        "{}",
        ran.all()
    );
    assert_eq!(
        project.rows("stage", "select json_length(row), status from push_rejects"),
        ["10|400"]
    );
}

/// A server that counts how many requests it has at the same time, and refuses more than it bears.
fn bearing(bears: usize, most: &Arc<AtomicUsize>) -> Server {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), most.clone());
    Server::start(move |_: &Asked| {
        let under_way = now.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(under_way, Ordering::SeqCst);
        let now = now.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            now.fetch_sub(1, Ordering::SeqCst);
        });
        let reply = json("{}").after(Duration::from_millis(20));
        match under_way > bears {
            true => reply.status(429).after(Duration::ZERO),
            false => reply,
        }
    })
}

#[test]
fn concurrency_auto_finds_what_the_api_bears() {
    let most = Arc::default();
    let server = bearing(24, &most);
    let project = project(
        &server,
        indoc! {"
            concurrency: auto
            retry: {max_attempts: 20, backoff: {initial: 10ms, max: 100ms}}
        "},
        indoc! {"
            - op: http_request
              for_each: {source: stage, table: many, as: row}
              request: {source: api, url: /x}
        "},
    );
    project.write(
        "flows/fill.yaml",
        indoc! {"
            - op: execute
              source: stage
              statement: create table many as select * from generate_series(1, 2000)
        "},
    );
    project.run("fill");
    let plan = project.sequor(&["plan", "main"]).stdout;
    assert!(
        plan.contains("as many at the same time as the API takes"),
        "{plan}"
    );
    project.run("main");
    let asked = server.asked().len();
    let most = most.load(Ordering::SeqCst);
    // It went up to the limit, and did not run into it all the time.
    assert!(most > 16, "{most}");
    assert!(asked < 3000, "{asked} requests for 2000 rows");
}

#[test]
fn a_request_has_limits_of_its_own() {
    let most = Arc::default();
    let server = bearing(1000, &most);
    let step = indoc! {"
        - op: http_request
          for_each: {source: stage, table: rows, as: row}
          request: {source: api, url: /x, concurrency: 3}
    "};
    let project = project(&server, "concurrency: 16\n", step);
    project.run("fill");
    project.run("main");
    let seen = most.load(Ordering::SeqCst);
    assert!(seen <= 7, "{seen}");
    // 25 requests at 50 per second.
    project.write(
        "flows/main.yaml",
        &step.replace("concurrency: 3", "rate_limit: {requests: 50}"),
    );
    let before = server.asked().len();
    project.run("main");
    let asked = server.asked();
    let took = asked[asked.len() - 1].at - asked[before].at;
    assert!(took >= Duration::from_millis(470), "{took:?}");
    project.write(
        "flows/main.yaml",
        &step.replace("concurrency: 3", "concurrency: 0"),
    );
    project
        .sequor(&["validate"])
        .fails(2, &["`concurrency` must be a whole number above 0, or auto"]);
}
