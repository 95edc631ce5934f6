//! The state of the project is lost between two runs, as in CI jobs whose disk is thrown away: what was sent is known from the
//! database, as far as the run before could say so.

use std::process::{Command, Stdio};

use super::api::Api;
use super::endings::{killed, made, rows};
use super::{SQLITE, each, fill, project};
use crate::support::program::Project;

/// Throws away what is known of runs; the tables of staging stay.
pub fn lose_state(project: &Project) {
    let projects = std::fs::read_dir(project.home().join("project_state")).unwrap();
    for entry in projects.flat_map(|project| std::fs::read_dir(project.unwrap().path()).unwrap()) {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("staging") => {}
            true => std::fs::remove_dir_all(path).unwrap(),
            false => std::fs::remove_file(path).unwrap(),
        }
    }
}

#[test]
fn rows_in_doubt_behind_a_failure_are_known_without_the_state() {
    for source in [SQLITE, "type: staging\n"] {
        let api = Api::start();
        let step = made("headers: {}").replace("concurrency: 4", "concurrency: 1");
        let project = project(&api, source, &step);
        fill(&project, &rows());
        api.change(|world| world.fails.insert("17".into()));
        project.sequor(&["run", "main"]).fails(1, &["500"]);
        api.change(|world| world.fails.clear());
        api.asked();
        lose_state(&project);
        let ran = project.sequor(&["run", "main"]);
        ran.fails(1, &["1 row may have been sent", "(id: 17)", "--in-doubt send"]);
        assert!(ran.all().contains("23 added"), "{}", ran.all());
        assert_eq!(api.asked().len(), 23, "those that were never sent");
        lose_state(&project);
        project
            .sequor(&["run", "main"])
            .fails(1, &["1 row may have been sent"]);
        assert_eq!(api.asked().len(), 0);
        let ran = project.sequor(&["run", "main", "--in-doubt", "skip"]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(api.change(|world| world.made), 40);
    }
}

#[test]
fn rows_that_were_never_sent_are_not_in_doubt_where_answers_wait_for_their_table() {
    let api = Api::start();
    let step = made("headers: {}").replace("concurrency: 4", "concurrency: 1")
        + "  response:
    tables: [{source: wh, table: made, data_expression: \"[response.json()]\", write_mode: append, columns: {id: bigint}}]
";
    let project = project(&api, SQLITE, &step);
    fill(&project, &rows());
    api.change(|world| world.refuses.insert("17".into()));
    project.sequor(&["run", "main"]).fails(1, &["422"]);
    api.change(|world| world.refuses.clear());
    api.asked();
    lose_state(&project);
    // The one that was refused was begun, and that it was refused is forgotten.
    let ran = project.sequor(&["run", "main"]);
    ran.fails(1, &["1 row may have been sent", "(id: 17)"]);
    assert_eq!(api.asked().len(), 23);
}

#[test]
fn a_killed_run_whose_state_is_lost_sends_nothing_twice() {
    let api = Api::start();
    let project = project(&api, SQLITE, &made("headers: {}"));
    fill(&project, &rows());
    api.change(|world| world.delay = std::time::Duration::from_millis(40));
    killed(&project, &api, 12);
    lose_state(&project);
    let ran = project.sequor(&["run", "main"]);
    ran.fails(
        1,
        &[
            "its state is gone",
            "40 rows may have been sent",
            "--in-doubt send",
        ],
    );
    let (made, there) = api.change(|world| (world.made, world.contacts.len()));
    assert_eq!(made, there, "none was made twice");
    // New rows are sent, and those in doubt are not.
    let mut more = rows();
    more.push((50, "a"));
    fill(&project, &more);
    project
        .sequor(&["run", "main"])
        .fails(1, &["40 rows may have been sent"]);
    assert_eq!(api.change(|world| world.made), made + 1);
    let ran = project.sequor(&["run", "main", "--in-doubt", "send"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts().len(), 41);
}

#[test]
fn what_was_sent_and_is_gone_is_removed_though_the_state_is_lost() {
    let api = Api::start();
    let project = project(
        &api,
        SQLITE,
        &each("").replace("source: api\n", "source: api\n    concurrency: 4\n"),
    );
    fill(&project, &rows());
    api.change(|world| world.delay = std::time::Duration::from_millis(40));
    killed(&project, &api, 12);
    lose_state(&project);
    fill(&project, &[(39, "a"), (40, "b")]);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts(), ["39|a", "40|b"]);
    assert_eq!(api.change(|world| world.strangers.clone()), Vec::<String>::new());
}

#[test]
fn another_machine_sends_nothing_that_is_under_way() {
    let api = Api::start();
    let project = project(&api, SQLITE, &made("headers: {}"));
    fill(&project, &rows());
    api.change(|world| world.delay = std::time::Duration::from_millis(100));
    let first = project
        .command(&["run", "main"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while api.change(|world| world.made) < 8 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = Command::new(env!("CARGO_BIN_EXE_sequor"))
        .current_dir(project.path())
        .args(["--home-dir", "elsewhere", "run", "main"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).to_string() + &String::from_utf8_lossy(&second.stdout);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("40 rows may have been sent"), "{said}");
    let first = first.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&first.stderr).to_string() + &String::from_utf8_lossy(&first.stdout);
    assert_eq!(first.status.code(), Some(1), "{said}");
    assert!(
        said.contains("another run of the step has begun meanwhile"),
        "{said}"
    );
    let (made, there) = api.change(|world| (world.made, world.contacts.len()));
    assert_eq!(made, there, "none was made twice");
}
