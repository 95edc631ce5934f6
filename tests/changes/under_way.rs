//! What is under way, and what becomes of it when the flow, the state or the API changes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::api::Api;
use super::endings::{killed, made, rows};
use super::{SQLITE, fill, project};

#[test]
fn what_a_batch_had_under_way_is_sent_row_by_row() {
    let api = Api::start();
    let batches = "  for_each: {source: wh, table: customers, as: rows, batch_size: 4, changes: {key: [id], rows: [added, changed]}}
  request:
    source: api
    method: PATCH
    url: /contacts/added
    concurrency: 2
    body_expression: \"{'rows': [{'id': row['id'], 'name': row['name']} for row in var('rows')]}\"
";
    let project = project(&api, SQLITE, batches);
    fill(&project, &rows());
    api.change(|world| world.delay = Duration::from_millis(60));
    killed(&project, &api, 12);
    let single = batches
        .replace(", batch_size: 4", "")
        .replace("for row in var('rows')]", "for row in [var('rows')]]");
    project.write(
        "flows/main.yaml",
        &format!("- op: http_request\n  id: push\n{single}"),
    );
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts().len(), 40);
    let ran = project.run("main");
    assert!(ran.all().contains("40 unchanged"), "{}", ran.all());
}

#[test]
fn nothing_is_forgotten_while_it_is_being_sent() {
    let api = Api::start();
    let project = project(&api, SQLITE, &made("headers: {}"));
    fill(&project, &rows());
    api.change(|world| world.delay = Duration::from_millis(100));
    let mut command = project.command(&["run", "main"]);
    let mut program = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while api.change(|world| world.made) < 4 && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(2));
    }
    project
        .sequor(&["state", "reset", "main"])
        .fails(1, &["of flow `main`, under way since", "wait until it has ended"]);
    assert!(program.wait().unwrap().success());
    assert_eq!(project.sequor(&["state", "reset", "main"]).code, 0);
}

#[test]
fn rows_in_doubt_that_are_refused_when_they_are_sent_are_in_doubt_no_longer() {
    let api = Api::start();
    let step = made("headers: {}").replace("rows: [added]}}", "rows: [added]}}\n  on_error: reject");
    let project = project(&api, SQLITE, &step);
    fill(&project, &[(1, "a"), (2, "b")]);
    api.change(|world| world.fails.insert("2".into()));
    project
        .sequor(&["run", "main"])
        .fails(1, &["1 row may have been sent"]);
    api.change(|world| {
        world.fails.clear();
        world.refuses.insert("2".into());
    });
    let ran = project.sequor(&["run", "main", "--in-doubt", "send"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.all().contains("1 row was rejected"), "{}", ran.all());
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.all().contains("1 added, 0 changed"), "{}", ran.all());
}
