//! Answers that are good and can't be read: what was asked for was done, and the step does not stick to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{SQLITE, fill};
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json as answer};

const HTML: &str = "<html>maintenance</html>";
/// Its last row does not fit the table.
const UNFIT: &str = "{\"ok\": [{\"n\": 1, \"m\": 1}, {\"n\": 1, \"m\": \"abc\"}]}";

/// An API that answers a request about row 2 in another way, as long as it does.
fn api(odd: &'static str) -> (Server, Arc<AtomicBool>) {
    let html = Arc::new(AtomicBool::new(true));
    let seen = html.clone();
    let server = Server::start(move |asked: &Asked| {
        let about_2 = asked.body.contains("\"id\":2") || asked.body.contains("\"id\":\"2\"");
        match about_2 && seen.load(Ordering::Relaxed) {
            true => answer(odd),
            false => answer("{\"ok\": [{\"n\": 1}]}"),
        }
    });
    (server, html)
}

fn project(server: &Server, method: &str) -> Project {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\nconcurrency: 1\n", server.url),
        )
        .file("sources/wh.yaml", SQLITE)
        .file(
            "flows/main.yaml",
            &format!(
                "- op: http_request
  id: push
  for_each: {{source: wh, table: customers, as: c, changes: {{key: [id], rows: [added, changed]}}}}
  request:
    source: api
    method: {method}
    url: /rows
    body: {{id: \"{{{{ var('c')['id'] }}}}\", name: \"{{{{ var('c')['name'] }}}}\"}}
  response:
    tables: [{{source: wh, table: answers, data_path: ok, write_mode: append, columns: {{n: bigint, m: bigint}}}}]
"
            ),
        );
    fill(&project, &[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    project
}

fn asked(server: &Server, id: u32) -> usize {
    let about = format!("\"{id}\"");
    let plain = format!("\"id\":{id},");
    let asked = server.asked();
    let about = asked
        .iter()
        .filter(|asked| asked.body.replace(' ', "").contains(&plain) || asked.body.contains(&about));
    about.count()
}

#[test]
fn a_row_that_may_be_sent_twice_is_sent_again() {
    for odd in [HTML, UNFIT] {
        let (server, html) = api(odd);
        let project = project(&server, "PUT");
        assert_eq!(project.sequor(&["run", "main"]).code, 1);
        html.store(false, Ordering::Relaxed);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert!(ran.all().contains("can't be read"), "{}", ran.all());
        assert_eq!(project.rows("wh", "select count(*) from answers"), ["4"]);
        let ran = project.run("main");
        assert!(ran.all().contains("4 unchanged"), "{}", ran.all());
    }
}

#[test]
fn a_row_that_must_not_is_in_doubt_and_the_others_go_on() {
    for (odd, what) in [(HTML, "skip"), (HTML, "send"), (UNFIT, "skip"), (UNFIT, "send")] {
        let (server, html) = api(odd);
        let project = project(&server, "POST");
        assert_eq!(project.sequor(&["run", "main"]).code, 1);
        html.store(false, Ordering::Relaxed);
        let ran = project.sequor(&["run", "main"]);
        ran.fails(1, &["can't be read", "1 row may have been sent", "(id: 2)"]);
        assert_eq!(project.rows("wh", "select count(*) from answers"), ["3"]);
        assert_eq!(asked(&server, 2), 1);
        let ran = project.sequor(&["run", "main", "--in-doubt", what]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let (times, answers) = if what == "skip" { (1, "3") } else { (2, "4") };
        assert_eq!(asked(&server, 2), times);
        assert_eq!(project.rows("wh", "select count(*) from answers"), [answers]);
    }
}

#[test]
fn a_flow_that_reads_no_answers_any_more_sends_nothing_twice() {
    let (server, _html) = api(HTML);
    let project = project(&server, "POST");
    project.sequor(&["run", "main"]).fails(1, &["answered 200"]);
    let flow = std::fs::read_to_string(project.path().join("flows/main.yaml")).unwrap();
    let (flow, _) = flow.split_once("  response:").unwrap();
    project.write("flows/main.yaml", flow);
    project
        .sequor(&["run", "main"])
        .fails(1, &["1 row may have been sent", "(id: 2)"]);
    assert_eq!(asked(&server, 2), 1);
}

#[test]
fn answers_that_the_table_refuses_are_given_up_when_their_rows_count_as_sent() {
    let (server, html) = api("{\"ok\": [{\"n\": null}]}");
    let project = project(&server, "POST");
    project.replace("flows/main.yaml", "append", "upsert, primary_key: [n]");
    project.sequor(&["run", "main"]).fails(1, &["primary key"]);
    html.store(false, Ordering::Relaxed);
    project
        .sequor(&["run", "main"])
        .fails(1, &["--in-doubt skip: it counts as sent", "primary key"]);
    let ran = project.sequor(&["run", "main", "--in-doubt", "skip"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(
        ran.all().contains("is not loaded, and its rows count as sent"),
        "{}",
        ran.all()
    );
    assert_eq!(server.asked().len(), 4);
    let ran = project.run("main");
    assert!(ran.all().contains("4 unchanged"), "{}", ran.all());
}

#[test]
fn an_edited_row_goes_under_no_other_key() {
    let (server, html) = api(HTML);
    let project = project(&server, "POST\n    idempotency_key: true");
    project.sequor(&["run", "main"]).fails(1, &["answered 200"]);
    html.store(false, Ordering::Relaxed);
    fill(&project, &[(1, "a"), (2, "edited"), (3, "c"), (4, "d")]);
    project
        .sequor(&["run", "main"])
        .fails(1, &["1 row may have been sent", "(id: 2)"]);
    assert_eq!(asked(&server, 2), 1);
}
