//! Runs that write the same: one goes after the other.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::limits::push;
use crate::support::program::{Project, interrupt};
use crate::support::server::{Server, json};

/// Starts a run of `main`, and waits until the server has been asked so often.
fn begin(project: &Project, asked: &AtomicUsize, times: usize) -> Child {
    let child = project
        .command(&["run", "main"])
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    while asked.load(Ordering::Relaxed) < times {
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn two_runs_that_write_the_same_do_not_mix() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let server = Server::start(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        json("[{\"id\": 1}]").after(Duration::from_millis(1500))
    });
    let fetch = |table: &str| {
        format!(
            "steps:\n  - op: http_request\n    request: {{source: api, url: /rows}}\n    response: {{tables: [{{source: stage, table: {table}, data_path: $, columns: {{id: integer}}}}]}}\n"
        )
    };
    let project = push(&server, &fetch("t"))
        .file("flows/same.yaml", &fetch("T"))
        .file("flows/other.yaml", &fetch("u"))
        .file("flows/opaque.yaml", "steps:\n  - op: execute\n    source: stage\n    statement: \"{{ env_var('STATEMENT', 'select 1') }}\"\n");
    let mut child = begin(&project, &begun, 1);
    project.sequor(&["run", "same"]).fails(
        1,
        &[
            "SQ1023",
            "of flow `main`, under way since",
            "writes table stage.",
            "--wait",
        ],
    );
    // Nothing is in the way of another table.
    assert_eq!(project.run("other").code, 0);
    assert!(child.wait().expect("it ends").success());
    let mut child = begin(&project, &begun, 3);
    // Where only the run knows what it writes, it waits.
    let waited = project.sequor(&["run", "opaque"]);
    assert_eq!(waited.code, 0, "{}", waited.all());
    assert!(waited.stderr.contains("waiting: the run"), "{}", waited.all());
    assert!(child.wait().expect("it ends").success());
    // One that waits as long as it must.
    let mut child = begin(&project, &begun, 4);
    assert_eq!(project.sequor(&["run", "same", "--wait", "1m"]).code, 0);
    assert!(child.wait().expect("it ends").success());
    // A dead owner holds nothing.
    let mut child = begin(&project, &begun, 6);
    child.kill().expect("killed");
    child.wait().expect("it is gone");
    assert_eq!(project.run("same").code, 0);
    // An interrupt while it waits ends it as one in a run does: nothing was begun.
    let mut child = begin(&project, &begun, 8);
    let waits = project
        .command(&["run", "same", "--wait", "1m"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_millis(500));
    let output = interrupt(waits, "TERM");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("interrupted while it waited"), "{told}");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(begun.load(Ordering::Relaxed), 8);
}
