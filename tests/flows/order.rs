//! What runs at the same time, what waits, and what happens after a failure.

use indoc::formatdoc;
use std::time::{Duration, Instant};

use crate::support::postgres::Database;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

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

/// An API whose answers to `/slow` take their time, and to `/no` are refusals.
fn mixed() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/slow" => json("{}").after(Duration::from_millis(700)),
        "/slow/no" => json("{}").status(403).after(Duration::from_millis(400)),
        "/no" => json("{}").status(400),
        _ => json(r#"{"rows": [{"id": 7}], "n": 5}"#),
    })
}

#[test]
fn a_failed_guard_keeps_what_comes_behind_it_from_happening() {
    let server = mixed();
    let project = Project::new().file(
        "flows/main.yaml",
        &format!(
            r#"
- {{op: execute, source: stage, statement: create or replace table t as select 1 as id}}
- op: http_request
  id: guard
  request: {{url: "{0}/slow/no"}}
- op: http_request
  id: fetch
  request: {{url: "{0}/rows"}}
  response:
    tables: [{{source: stage, table: u, columns: {{id: bigint}}, data_path: rows}}]
    variables: {{n_expression: "response.json()['n']"}}
- {{op: set_variable, set: {{last_sync: done}}}}
- {{op: print, message: all done}}
- op: http_request
  request: {{url: "{0}/push", method: POST}}
- {{op: execute, source: stage, statement: delete from t}}
"#,
            server.url
        ),
    );
    let ran = project.sequor(&["run", "main"]);
    ran.fails(
        1,
        &["step guard: ", "403", "skipped fetch: guard failed before it"],
    );
    assert_eq!(ran.stdout, "", "{}", ran.all());
    assert_eq!(project.rows("stage", "select count(*) from t"), ["1"]);
    assert!(
        !project
            .path()
            .join("home/project_state/test/variables.yaml")
            .exists()
    );
    assert!(server.asked().iter().all(|asked| asked.method == "GET"));
    // The fetch ran ahead, and is taken back.
    assert!(server.asked().iter().any(|asked| asked.path == "/rows"));
    project
        .sequor(&["query", "stage", "select * from u"])
        .fails(1, &["table `u` does not exist"]);
}

#[test]
fn a_push_that_fails_leaves_the_high_water_mark() {
    let server = mixed();
    let project = Project::new().file(
        "flows/main.yaml",
        &format!(
            r#"
- {{op: execute, source: stage, statement: "create or replace table t as select * from (values ('yes'), ('no')) as t(path)"}}
- op: http_request
  for_each: {{source: stage, table: t, as: r}}
  request: {{url: "{0}/{{{{ var('r')['path'] }}}}", method: POST}}
- {{op: set_variable, set: {{last_sync: done}}}}
"#,
            server.url
        ),
    );
    project.sequor(&["run", "main"]).fails(1, &["400"]);
    assert!(
        !project
            .path()
            .join("home/project_state/test/variables.yaml")
            .exists()
    );
}

#[test]
fn the_plan_shows_barriers_and_after_takes_them_away() {
    let (server, other) = (mixed(), mixed());
    let flow = |after: &str| {
        format!(
            r#"
- op: http_request
  id: one
  request: {{url: "{0}/slow", method: POST}}
- op: http_request
  id: two
  request: {{url: "{1}/slow", method: POST}}
{after}- {{op: print, id: end, message: end}}
"#,
            server.url, other.url
        )
    };
    let project = Project::new()
        .file("flows/strict.yaml", &flow(""))
        .file("flows/free.yaml", &flow("  after: []\n"));
    let plan = project.sequor(&["plan", "strict"]).stdout;
    for line in [
        "barrier, since it sends POST requests",
        "waits for one: comes after one, which sends POST requests",
        "waits for two: comes after two, which sends POST requests",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    let started = Instant::now();
    project.run("strict");
    let strict = started.elapsed();
    let started = Instant::now();
    assert_eq!(project.run("free").stdout, "end\n");
    let free = started.elapsed();
    assert!(
        free + Duration::from_millis(300) < strict,
        "free {free:?}, strict {strict:?}"
    );
    // A request that only reads says so.
    let safe = flow("").replace("method: POST}", "method: POST, safe: true}");
    project.write("flows/safe.yaml", &safe);
    assert!(!project.sequor(&["plan", "safe"]).stdout.contains("barrier"));
    // So does the project for all of its steps.
    project.write("project.yaml", "name: test\norder: relaxed\n");
    let plan = project.sequor(&["plan", "strict"]).stdout;
    assert!(plan.contains("its place in the flow is given up"), "{plan}");
}

#[test]
fn a_load_that_waits_for_its_turn_holds_nothing() {
    for (name, source) in crate::support::databases::all() {
        let server = mixed();
        let mut flow = format!(
            r#"
- op: execute
  source: db
  statement: create table t (id bigint)
- op: http_request
  request: {{url: "{0}/slow"}}
- op: execute
  source: db
  statement: alter table t add column extra varchar(10)
- op: http_request
  after: []
  request: {{url: "{0}/rows"}}
  response:
    tables: [{{source: db, table: t, columns: {{id: bigint}}, write_mode: append, data_path: rows}}]
"#,
            server.url
        );
        // More loads than the database has connections for: each comes when it is its turn.
        for n in 0..12 {
            flow.push_str(&format!(
                r#"
- op: http_request
  request: {{url: "{0}/rows"}}
  response:
    tables: [{{source: db, table: t{n}, columns: {{id: bigint}}, data_path: rows}}]
"#,
                server.url
            ));
        }
        flow.push_str(
            r#"
- op: print
  message: "{{ query_scalar('db', 'select id from t where extra is null') }} {{ query_scalar('db', 'select count(*) from t11') }}"
"#,
        );
        let project = Project::new()
            .file("sources/db.yaml", &source)
            .file("flows/main.yaml", &flow);
        assert_eq!(project.run("main").stdout, "7 1\n", "{name}");
    }
}

#[test]
fn what_fails_in_a_try_is_caught_when_what_was_before_it_is_done() {
    let server = mixed();
    let project = Project::new().file(
        "flows/main.yaml",
        &format!(
            r#"
- op: try
  steps:
    - op: http_request
      request: {{url: "{0}/slow"}}
      response: {{variables: {{seen: "yes"}}}}
    - op: http_request
      request: {{url: "{0}/no"}}
    - {{op: print, message: not printed}}
  catch:
    - {{op: print, message: "caught after {{{{ var('seen') }}}}"}}
  finally:
    - {{op: print, message: at the end}}
- {{op: print, message: behind}}
"#,
            server.url
        ),
    );
    assert_eq!(
        project.run("main").stdout,
        "caught after yes\nat the end\nbehind\n"
    );
}

#[test]
fn two_sources_of_one_server_keep_their_order() {
    let database = Database::new();
    let server = Server::start(|_: &Asked| {
        json(r#"[{"id": 1}, {"id": 2}]"#).after(std::time::Duration::from_millis(300))
    });
    let flow = formatdoc!(
        r#"
            - op: http_request
              request: {{url: "{}/x"}}
              response:
                tables:
                  - {{source: one, table: t, columns: {{id: integer}}, data_expression: response.json()}}
            - op: transform
              source: two
              target_table: u
              query: select count(*) as n from t
        "#,
        server.url
    );
    let project = Project::new()
        .file("sources/one.yaml", &database.source())
        .file("sources/two.yaml", &database.source())
        .file("flows/main.yaml", &flow);
    project.run("main");
    assert_eq!(database.rows("select n from u"), ["2"]);
    // What the plan knows of one, it knows of the other.
    let plan = project.sequor(&["plan", "main"]).stdout;
    assert!(plan.contains("waits for http_request_1"), "{plan}");
}
