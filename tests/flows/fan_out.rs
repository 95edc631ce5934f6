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

/// Answers come in any order: of rows with one key, the later row's counts, and of one row's pages the later page's.
#[test]
fn an_upsert_takes_rows_in_their_order() {
    let most = Arc::new(AtomicUsize::new(0));
    let now = Arc::new(AtomicUsize::new(0));
    let (seen, under_way) = (most.clone(), now.clone());
    let server = Server::start(move |asked: &Asked| {
        let row: u64 = asked
            .path
            .rsplit('/')
            .next()
            .expect("an id")
            .parse()
            .expect("a number");
        let page: u64 = asked
            .parameter("page")
            .map_or(1, |page| page.parse().expect("a number"));
        seen.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let delay = Duration::from_millis(row * 7919 % 23 + if row == 0 { 60 } else { 0 });
        let under_way = under_way.clone();
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            under_way.fetch_sub(1, Ordering::SeqCst);
        });
        // Rejected, in between.
        if row % 10 == 9 {
            return json("{}").status(422).after(delay);
        }
        let rows = match page {
            1..3 => format!(r#"[{{"id": {}, "by": {row}, "page": {page}}}]"#, row % 5),
            _ => "[]".to_string(),
        };
        json(rows).after(delay)
    });
    for source in ["stage", "lite"] {
        for response in [
            "tables: [{source: SOURCE, table: kept, write_mode: upsert, primary_key: [id], columns: {id: integer, by: integer, page: integer}, data_path: $}]",
            "parser_expression: \"{'tables': [{'source': 'SOURCE', 'table': 'kept', 'write_mode': 'upsert', 'primary_key': ['id'], 'columns': {'id': 'integer', 'by': 'integer', 'page': 'integer'}, 'data': response.json()}]}\"",
        ] {
            let response = response.replace("SOURCE", source);
            let step = formatdoc!(
                "
                    - op: transform
                      source: {source}
                      target_table: many
                      query: with recursive s(id) as (select 0 as id union all select id + 1 from s where id < 99) select id from s
                    - op: http_request
                      id: push
                      on_error: reject
                      for_each: {{source: {source}, table: many, as: row}}
                      request: {{source: api, url: \"/{{{{ var('row')['id'] }}}}\", pagination: {{type: page_number, param: page}}}}
                      response: {{{response}}}
                "
            );
            let project = project(&server, "concurrency: 8\n", &step)
                .file("sources/lite.yaml", "type: sqlite\nconn_str: sqlite:///lite.db\n");
            most.store(0, Ordering::SeqCst);
            let ran = project.sequor(&["run", "main"]);
            assert_eq!(ran.code, 0, "{}", ran.all());
            let kept = project.rows(source, "select id, \"by\", page from kept order by id");
            assert_eq!(
                kept,
                ["0|95|2", "1|96|2", "2|97|2", "3|98|2", "4|94|2"],
                "{source}"
            );
            let most = most.load(Ordering::SeqCst);
            // The server's own count lags behind a little; many more are begun.
            assert!((5..=16).contains(&most), "{most}");
        }
    }
}
