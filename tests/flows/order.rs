//! What runs at the same time, what waits, and what happens after a failure.

use std::time::{Duration, Instant};

use crate::support::program::Project;
use crate::support::server::{Server, json};

fn fetch(id: &str, url: &str, table: &str) -> String {
    format!(
        r#"
- op: http_request
  id: {id}
  init: {{variables: {{page: 1}}}}
  request:
    url: "{url}"
    parameters: {{page: "{{{{ var('page') }}}}"}}
  response:
    tables:
      - {{source: stage, table: {table}, columns: {{id: bigint}}, data_expression: "response.json()['rows']"}}
    variables: {{page_expression: var('page') + 1}}
    while_expression: var('page') <= 2
"#
    )
}

#[test]
fn independent_fetches_overlap() {
    const DELAY: Duration = Duration::from_millis(900);
    let server = Server::start(|_| json(r#"{"rows": [{"id": 1}]}"#).after(DELAY));
    let flow = fetch("one", &format!("{}/one", server.url), "a")
        + &fetch("two", &format!("{}/two", server.url), "b");
    let slower = fetch("one", &format!("{}/one", server.url), "a");
    let project = Project::new()
        .file("flows/both.yaml", &flow)
        .file("flows/single.yaml", &slower);

    let plan = project.sequor(&["plan", "both"]);
    assert!(
        plan.stdout.contains("Stage 1, at the same time"),
        "{}",
        plan.stdout
    );
    assert!(!plan.stdout.contains("Stage 2"), "{}", plan.stdout);

    let time = |flow: &str| {
        let started = Instant::now();
        project.run(flow);
        started.elapsed()
    };
    let single = time("single");
    let both = time("both");
    assert!(
        both.as_secs_f64() < 1.3 * single.as_secs_f64(),
        "both {both:?}, one {single:?}"
    );
    assert_eq!(project.rows("stage", "select count(*) from a"), ["2"]);
    assert_eq!(project.rows("stage", "select count(*) from b"), ["2"]);
}

#[test]
fn nothing_behind_a_failure_takes_effect_and_what_was_before_does() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/bad" => json(r#"{"error": "no"}"#).status(404),
        _ => json(r#"{"rows": [{"id": 7}]}"#).after(Duration::from_millis(600)),
    });
    let flow = fetch("good", &format!("{}/good", server.url), "b")
        + &fetch("bad", &format!("{}/bad", server.url), "a")
        + &fetch("behind", &format!("{}/good", server.url), "d")
        + "
- op: transform
  id: after
  source: stage
  target_table: c
  query: select * from a
";
    let project = Project::new().file("flows/f.yaml", &flow);
    let ran = project.sequor(&["run", "f"]);
    ran.fails(
        1,
        &[
            "step bad: ",
            "404 Not Found",
            "skipped after: it depends on bad, which failed",
            "done    good",
            "skipped behind: bad failed before it: what it did is taken back",
        ],
    );
    assert_eq!(project.rows("stage", "select id from b"), ["7", "7"]);
    project
        .sequor(&["query", "stage", "select id from d"])
        .fails(1, &["table `d` does not exist"]);
}

#[test]
fn fan_out_uses_the_concurrency_of_the_source_and_no_more() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let server = Server::start(|_| json("{}").after(Duration::from_millis(100)));
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\nconcurrency: 20\n", server.url),
        )
        .file(
            "flows/f.yaml",
            r#"
- op: execute
  source: stage
  statement: create or replace table n as select value as id from generate_series(1, 100)
- op: http_request
  for_each: {source: stage, table: n, as: row}
  request:
    source: api
    url: "/items/{{ var('row')['id'] }}"
    method: put
    body: {id_text: "{{ var('row')['id'] }}", nothing: __NULL__}
"#,
        );
    let started = Instant::now();
    project.run("f");
    // 100 requests of 100 ms, 20 at a time: 0.5 s, and 10 s one by one.
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let asked = server.asked();
    let seen = Arc::new(AtomicUsize::new(0));
    for id in 1..=100 {
        let body = format!(r#"{{"id_text":"{id}","nothing":null}}"#);
        let found = asked
            .iter()
            .filter(|a| a.path == format!("/items/{id}") && a.body == body && a.method == "PUT");
        seen.fetch_add(found.count(), Ordering::Relaxed);
    }
    assert_eq!((seen.load(Ordering::Relaxed), asked.len()), (100, 100));
}

#[test]
fn one_step_by_its_id() {
    let project = Project::new().file(
        "flows/f.yaml",
        "- {op: print, id: a, message: first}\n- {op: print, id: b, message: second}\n",
    );
    let ran = project.sequor(&["run", "f", "--op-id", "b", "--quiet"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "second\n"));
    project
        .sequor(&["run", "f", "--op-id", "c"])
        .fails(2, &["no step has the id `c`"]);
    let ran = project.sequor(&["run", "f", "--exclude", "b", "-q"]);
    assert_eq!(ran.stdout, "first\n");
}
