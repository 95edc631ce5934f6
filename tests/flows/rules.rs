//! `response.rules`, `on_error: reject`, and the table of rejects.

use indoc::{formatdoc, indoc};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::postgres::Database;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

fn project(server: &Server, step: &str) -> Project {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &formatdoc!("
                    type: http
                    base_url: {}
                    retry: {{max_attempts: 3, backoff: {{initial: 5ms}}}}
                ",
                server.url
            ),
        )
        .file(
            "flows/fill.yaml",
            indoc! {"
                - op: execute
                  source: stage
                  statement: create table rows as select value as id, 'n' || value as name from generate_series(1, 9)
            "},
        )
        .file("flows/main.yaml", step);
    project.run("fill");
    project
}

const PUSH: &str = indoc! {r#"
    - op: http_request
      id: push
      for_each: {source: stage, table: rows, as: row}
      request: {source: api, method: POST, url: "/{{ var('row').id }}", body: {id: "{{ var('row').id }}"}}
"#};

fn number(asked: &Asked) -> u32 {
    asked.path.trim_start_matches('/').parse().expect("a number")
}

#[test]
fn retry_until_it_works() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |_: &Asked| match calls.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => json(r#"{"ok": false, "error": "locked"}"#),
        _ => json(r#"{"ok": true, "rows": [{"id": 1}]}"#),
    });
    let step = indoc! {r#"
        - op: http_request
          id: ask
          request: {source: api, url: /1, method: POST}
          response:
            rules:
              - {when_expression: "not response.json()['ok']", action: retry, message_expression: "response.json()['error']"}
            tables:
              - {source: stage, table: t, columns: {id: integer}, data_path: rows}
    "#};
    let project = project(&server, step);
    project.run("main");
    // The flow says so: also for a POST.
    assert_eq!(server.asked().len(), 3);
    assert_eq!(project.rows("stage", "select * from t"), ["1"]);
    let never = Server::start(|_| json(r#"{"ok": false, "error": "locked for ever"}"#));
    let project = self::project(&never, step);
    project
        .sequor(&["run", "main"])
        .fails(1, &["answered 200: locked for ever", "after 3 attempts"]);
    assert_eq!(never.asked().len(), 3);
}

#[test]
fn fail_and_skip() {
    let server = Server::start(|asked: &Asked| match number(asked) {
        4 => json(r#"{"status": "error", "why": "no such customer"}"#),
        5 => json("{}").status(404),
        n => json(format!(r#"{{"status": "ok", "rows": [{{"id": {n}}}]}}"#)),
    });
    let tables = "    tables:\n      - {source: stage, table: t, columns: {id: integer}, data_path: rows}\n";
    let rules = |first: &str| {
        formatdoc!(
            "
                {PUSH}  response:
                    rules:
                      - {first}
                      - {{when_expression: response.status_code == 404, action: skip}}
                {tables}"
        )
    };
    let error = "when_expression: response.json().get('status') == 'error'";
    let project = project(
        &server,
        &rules(&format!(
            "{{{error}, action: fail, message_expression: \"response.json()['why']\"}}"
        )),
    );
    project
        .sequor(&["run", "main"])
        .fails(1, &["row 4 of `rows`", "no such customer"]);
    project.write("flows/main.yaml", &rules(&format!("{{{error}, action: skip}}")));
    project.run("main");
    assert_eq!(
        project.rows("stage", "select count(*), sum(id) from t"),
        ["7|36"],
        "all but 4 and 5"
    );
}

#[test]
fn rows_whose_request_fails_are_kept() {
    let database = Database::new();
    for source in ["stage", "pg"] {
        let server = Server::start(|asked: &Asked| match number(asked) {
            2 => json(format!(
                r#"{{"error": "bad email", "why": "{}", "see": "the end"}}"#,
                "x".repeat(300)
            ))
            .status(422),
            3 => json("{}").status(500),
            4 => json(r#"{"status": "error"}"#),
            _ => json(r#"{"status": "ok"}"#),
        });
        let step = PUSH.replace("source: stage", &format!("source: {source}"));
        let step = step.replace("  for_each", "  on_error: reject\n  for_each")
            + "  response:\n    rules:\n      - {when_expression: response.json().get('status') == 'error', action: reject, message: told so}\n";
        let project = project(&server, &step)
            .file("sources/pg.yaml", &format!("type: postgres\nconn_str: {}\n", database.url))
            .file(
                "flows/copy.yaml",
                indoc! {"
                    - op: execute
                      source: pg
                      statement: create table rows as select i as id, 'n' || i as name from generate_series(1, 9) i
                "},
            );
        if source == "pg" {
            project.run("copy");
        }
        let ran = project.run("main");
        assert!(
            ran.all()
                .contains("push: 3 rows were rejected and are in table `push_rejects`"),
            "{}",
            ran.all()
        );
        let rows = project.rows(
            source,
            "select status, attempts, error from push_rejects order by status, attempts desc",
        );
        assert_eq!(rows.len(), 3, "{rows:?}");
        assert!(
            rows[0].starts_with("200|1|") && rows[0].contains("told so"),
            "{rows:?}"
        );
        assert!(
            rows[1].starts_with("422|1|") && rows[1].contains("bad email") && rows[1].contains("the end"),
            "{rows:?}"
        );
        // A POST that met a 500 may have been carried out.
        assert!(rows[2].starts_with("500|1|"), "{rows:?}");
        let rows = match source {
            "pg" => project.rows(source, "select row->>'id', row->>'name' from push_rejects where time is not null order by 1"),
            _ => project.rows(source, "select json_get_int(row, 'id'), json_get_str(row, 'name') from push_rejects where time is not null order by 1"),
        };
        assert_eq!(rows, ["2|n2", "3|n3", "4|n4"]);
        // A run without failures empties the table.
        project.write(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}/\n", Server::start(|_| json("{}")).url),
        );
        let good = Server::start(|_| json("{}"));
        project.write(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", good.url),
        );
        project.run("main");
        assert_eq!(project.rows(source, "select count(*) from push_rejects"), ["0"]);
    }
}

#[test]
fn what_befalls_every_row_is_no_reject() {
    let server = Server::start(|_| json("{}").status(401));
    let step = PUSH.replace("  for_each", "  on_error: reject\n  for_each");
    let project = project(&server, &step);
    project.sequor(&["run", "main"]).fails(1, &["401"]);
    let plan = project.sequor(&["plan", "main"]);
    assert!(
        plan.stdout
            .contains("rows whose request fails go to stage.push_rejects"),
        "{}",
        plan.stdout
    );
    project.write(
        "flows/main.yaml",
        indoc! {"
            - op: http_request
              on_error: reject
              request: {source: api, url: /1}
            - op: print
              message: x
              on_error: reject
        "},
    );
    project.sequor(&["validate"]).fails(
        2,
        &[
            "`on_error: reject` needs rows to keep",
            "main.yaml:2:",
            "main.yaml:6:",
        ],
    );
    project.write(
        "flows/main.yaml",
        indoc! {"
            - op: http_request
              request: {source: api, url: /1}
              response:
                rules:
                  - {when: maybe, action: reject}
                  - {action: retri}
        "},
    );
    project.sequor(&["validate"]).fails(
        2,
        &[
            "`action: reject` needs rows to keep",
            "the rule never counts: `when` is always maybe",
            "a rule needs `when_expression` or `status`",
            "`retri` is not allowed for `action`",
        ],
    );
}

#[test]
fn stop_asks_no_more() {
    let server = Server::start(|asked: &Asked| {
        let page: u64 = asked.parameter("page").and_then(|p| p.parse().ok()).unwrap_or(1);
        json(format!(
            r#"{{"last": {}, "rows": [{{"id": {page}}}]}}"#,
            page == 3
        ))
    });
    let step = indoc! {r#"
        - op: http_request
          request: {source: api, url: /1, pagination: {type: page_number, max_pages: 50}}
          response:
            rules:
              - {when_expression: "response.json()['last']", action: stop}
            tables:
              - {source: stage, table: t, columns: {id: integer}, data_path: rows}
    "#};
    let project = project(&server, step);
    project.run("main");
    assert_eq!(
        project.rows("stage", "select * from t order by 1"),
        ["1", "2", "3"]
    );
    assert_eq!(server.asked().len(), 3);
    // Rows behind the one that says so are not asked for.
    let server = Server::start(|asked: &Asked| json(format!(r#"{{"full": {}}}"#, number(asked) == 4)));
    let step = formatdoc!(
        r#"
            {PUSH}  response:
                rules:
                  - {{when_expression: "response.json()['full']", action: stop}}
        "#
    );
    let project = self::project(&server, &step);
    project.replace("sources/api.yaml", "type: http\n", "type: http\nconcurrency: 1\n");
    project.run("main");
    assert!(server.asked().len() <= 5, "{}", server.asked().len());
    let ran = project.run("main");
    assert!(
        ran.all()
            .contains("push: a rule stopped it: further rows were not asked for"),
        "{}",
        ran.all()
    );
    // A failure by a rule is the step's, also where rows are rejected.
    let step = formatdoc!(
        "
        {PUSH}  response:
            rules:
              - {{when: true, action: fail}}
    "
    );
    project.write(
        "flows/main.yaml",
        &step.replace("  for_each", "  on_error: reject\n  for_each"),
    );
    project
        .sequor(&["run", "main"])
        .fails(1, &["rule 1 says that it failed"]);
}

#[test]
fn a_rule_for_good_responses_leaves_bad_ones_to_their_status() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |_: &Asked| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => json("<html>").status(502),
        _ => json(r#"{"ok": true}"#),
    });
    let step = indoc! {r#"
        - op: http_request
          request: {source: api, url: /1}
          response:
            rules:
              - {when_expression: "not response.json()['ok']", action: fail}
    "#};
    let project = project(&server, step);
    project.run("main");
    assert_eq!(server.asked().len(), 2);
    let html = Server::start(|_| json("<html>"));
    let project = self::project(&html, step);
    project
        .sequor(&["run", "main"])
        .fails(1, &["`when` of rule 1", "not valid JSON"]);
}

/// With pages and without: what `rows_expression` names is rejected, the others are done.
#[test]
fn rows_of_a_batch_are_rejected_by_position() {
    for pagination in ["", ", pagination: {type: single_page}"] {
        let server = Server::start(|_: &Asked| json(r#"{"bad": [1]}"#).status(207));
        let step = formatdoc!(
            r#"
            - op: http_request
              id: push
              for_each: {{source: stage, table: rows, as: batch, batch_size: 9}}
              request: {{source: api, method: POST, url: /x, body: {{a: 1}}{pagination}}}
              response:
                rules:
                  - {{when_expression: "len(response.json()['bad']) > 0", action: reject, rows_expression: "response.json()['bad']"}}
            "#
        );
        let project = project(&server, &step);
        project.run("main");
        let rejected = project.rows("stage", "select status from push_rejects");
        assert_eq!(rejected, ["207"], "{pagination}");
    }
}
