//! Limits of rejects and time, and rows that are sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indoc::indoc;

use crate::support::program::Project;
use crate::support::server::{Server, json};

/// A server whose rows fail by their ids: those that end in 3, until it is good.
pub fn picky() -> (Server, Arc<AtomicBool>) {
    let good = Arc::new(AtomicBool::new(false));
    let is_good = good.clone();
    let server = Server::start(move |asked| {
        let fails = asked.path.ends_with('3') && !is_good.load(Ordering::Relaxed);
        json(r#"[{"ok": 1}]"#).status(if fails { 422 } else { 200 })
    });
    (server, good)
}

const PUSH: &str = indoc! {r#"
    steps:
      - op: transform
        source: stage
        target_table: t
        query: select value as id from generate_series(1, 40)
      - op: http_request
        id: push
        on_error: reject
        for_each: {source: stage, table: t, as: row}
        request: {source: api, url: "/{{ var('row')['id'] }}", method: POST}
        response: {tables: [{source: stage, table: answers, columns: {ok: integer}, data_path: $}]}
"#};

/// A project with the flow `main` and a server as its API.
pub fn push(server: &Server, flow: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\nconcurrency: 4\n", server.url),
        )
        .file("flows/main.yaml", flow)
}

#[test]
fn rejected_rows_are_sent_again_and_cleared() {
    let (server, good) = picky();
    let project = push(&server, PUSH);
    project.run("main");
    let rejected = || project.rows("stage", "select count(*) as n from push_rejects");
    let answers = || project.rows("stage", "select count(*) as n from answers");
    assert_eq!(
        (rejected(), answers()),
        (vec!["4".to_string()], vec!["36".to_string()])
    );
    let id = project.sequor(&["runs", "--format", "json"]).stdout;
    let id = serde_json::from_str::<serde_json::Value>(&id).expect("JSON")["run"]
        .as_str()
        .expect("an id")
        .to_string();
    // Still bad: they stay.
    assert_eq!(project.sequor(&["retry", &id]).code, 0);
    assert_eq!(
        (rejected(), answers()),
        (vec!["4".to_string()], vec!["36".to_string()])
    );
    assert_eq!(server.asked().len(), 44);
    project
        .sequor(&["retry", &id, "other"])
        .fails(2, &["no step `other`"]);
    good.store(true, Ordering::Relaxed);
    let ran = project.sequor(&["retry", &id, "push"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    // What the others gave is there, too, though they were not asked again.
    assert_eq!(
        (rejected(), answers()),
        (vec!["0".to_string()], vec!["40".to_string()])
    );
    assert_eq!(server.asked().len(), 48);
    project.sequor(&["retry", &id]).fails(0, &["rejected no rows"]);
    project.sequor(&["retry", "0000"]).fails(2, &["no run has an id"]);
}

#[test]
fn too_many_rejects_fail_the_step() {
    for (most, fails) in [
        ("3", true),
        ("4", false),
        ("\"9%\"", true),
        ("\"10%\"", false),
        ("0", true),
    ] {
        let (server, good) = picky();
        let flow = PUSH.replace(
            "on_error: reject",
            &format!("on_error: reject\n    max_rejects: {most}"),
        );
        let project = push(&server, &flow);
        let ran = project.sequor(&["run", "main"]);
        match fails {
            true => {
                ran.fails(1, &["SQ1017", "were rejected; the last: POST", "max_rejects"]);
                // The rows that were too many are tried again, and no other.
                good.store(true, Ordering::Relaxed);
                let on = project.sequor(&["run", "main", "--resume"]);
                assert_eq!(on.code, 0, "{most}: {}", on.all());
                let counts =
                    "select (select count(*) from answers) as a, (select count(*) from push_rejects) as b";
                assert_eq!(project.rows("stage", counts), ["40|0"], "{most}");
                let rejected = |path: &str| path.ends_with('3');
                let asked = server.asked();
                let again = asked.iter().filter(|asked| !rejected(&asked.path)).count();
                assert_eq!(again, 36, "{most}");
            }
            false => assert_eq!(ran.code, 0, "{most}: {}", ran.all()),
        }
    }
    let (server, _) = picky();
    let flow = PUSH.replace("on_error: reject", "on_error: reject\n    max_rejects: many");
    push(&server, &flow)
        .sequor(&["validate"])
        .fails(2, &["`max_rejects` of an http_request must be a number of rows"]);
    let flow = PUSH.replace("on_error: reject", "max_rejects: 3");
    push(&server, &flow)
        .sequor(&["validate"])
        .fails(2, &["this step rejects none", "on_error: reject"]);
}

#[test]
fn time_limits_of_steps_and_runs_are_obeyed() {
    let server = Server::start(|_| json("{}").after(Duration::from_secs(30)));
    let step = "op: http_request\n    id: slow\n    request: {source: api, url: /slow}";
    let flow = |timeout: &str| format!("steps:\n  - {step}{timeout}\n");
    let project = push(&server, &flow("\n    timeout: 300ms"));
    project
        .sequor(&["run", "main"])
        .fails(1, &["SQ1017", "took longer than its `timeout` of 0.3 s"]);
    project.write("flows/main.yaml", &flow("\n    timeout_expression: 0.2 + 0.1"));
    project
        .sequor(&["run", "main"])
        .fails(1, &["took longer than its `timeout`"]);
    // Of the steps inside a block together.
    let block = format!(
        "steps:\n  - op: block\n    timeout: 300ms\n    steps:\n      - {}\n",
        step.replace("\n    ", "\n        ")
    );
    project.write("flows/main.yaml", &block);
    project
        .sequor(&["run", "main"])
        .fails(1, &["took longer than its `timeout`"]);
    project.write("flows/main.yaml", &flow(""));
    project
        .sequor(&["run", "main", "--timeout", "300ms"])
        .fails(1, &["SQ1017", "took longer than its timeout of 300ms"]);
    let listed = project.sequor(&["runs", "--limit", "1"]).stdout;
    assert!(listed.contains("failed") && listed.contains("SQ1017"), "{listed}");
}

#[test]
fn what_is_under_way_ends_in_order_when_its_step_takes_too_long() {
    let slow = Arc::new(AtomicBool::new(true));
    let is_slow = slow.clone();
    let server = Server::start(move |_| {
        let delay = if is_slow.load(Ordering::Relaxed) { 200 } else { 0 };
        json(r#"[{"ok": 1}]"#).after(Duration::from_millis(delay))
    });
    let step = PUSH.replace("on_error: reject", "timeout: 500ms");
    let inside = step.replace("timeout: 500ms", "on_error: stop");
    let (make, push_it) = inside.split_once("  - op: http_request").expect("two steps");
    let block = format!(
        "{make}  - op: block\n    id: around\n    timeout: 500ms\n    steps:\n{}",
        format!("  - op: http_request{push_it}")
            .replace("\n  ", "\n      ")
            .replacen("  - op", "      - op", 1)
    );
    for flow in [step, block] {
        slow.store(true, Ordering::Relaxed);
        let before = server.asked().len();
        let project = push(&server, &flow);
        project.sequor(&["run", "main"]).fails(
            1,
            &["SQ1017", "took longer than its `timeout` of 0.5 s", "--resume"],
        );
        let sent = server.asked().len() - before;
        assert!((8..30).contains(&sent), "{sent}");
        let shown = project.sequor(&["show"]).stdout;
        if flow.contains("around") {
            assert!(shown.contains("cancelled"), "{shown}");
        } else {
            assert!(
                shown.contains(&format!("push: {sent} of 40 rows done")),
                "{shown}"
            );
        }
        slow.store(false, Ordering::Relaxed);
        // None has a key, and none is in doubt: each was answered.
        let ran = project.sequor(&["run", "main", "--resume"]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(server.asked().len() - before, 40);
        assert_eq!(project.rows("stage", "select count(*) as n from answers"), ["40"]);
    }
}
