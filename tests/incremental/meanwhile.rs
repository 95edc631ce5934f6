//! What people say of a state while a run loads.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::api::Api;
use super::{START, project};
use crate::support::databases;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

#[test]
fn a_state_that_is_set_meanwhile_is_not_written_over() {
    for (name, source) in databases::all() {
        // Its file is that of one process.
        if name == "duckdb" {
            continue;
        }
        let api = Api::start();
        api.put(1, "2024-01-03T00:00:00Z", 1);
        let project = project(&api, &source, START);
        assert_eq!(project.run("main").code, 0, "{name}");
        let slow = Server::start(|_: &Asked| {
            json(r#"{"data": [{"id": 2, "updated_at": "2024-01-09T00:00:00Z", "total": 1}]}"#)
                .after(Duration::from_secs(2))
        });
        project.replace("sources/api.yaml", &api.server.url, &slow.url);
        project.replace("flows/main.yaml", "type: page_number", "type: single_page");
        let loading = project.command(&["run", "main", "--keep-state"]).spawn().unwrap();
        while slow.asked().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let set = ["state", "set", "main", "orders", "--until", "2024-01-05"];
        project.sequor(&set).fails(1, &["under way since"]);
        // Another machine, with the same databases, does not see the run.
        let (staging, elsewhere) = staging_of(&project);
        std::fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
        if staging.is_dir() {
            std::os::unix::fs::symlink(&staging, &elsewhere).unwrap();
        }
        let set = Command::new(env!("CARGO_BIN_EXE_sequor"))
            .current_dir(project.path())
            .args(["--home-dir", "elsewhere"])
            .args(set)
            .output()
            .unwrap();
        assert!(
            set.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&set.stderr)
        );
        let ended = loading.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{name}");
        let shown = project.sequor(&["state", "show", "main", "orders"]).stdout;
        assert!(shown.contains("2024-01-05"), "{name}: {shown}");
    }
}

/// Where the tables of staging are, and where they would be in another home.
fn staging_of(project: &Project) -> (PathBuf, PathBuf) {
    let mut states = std::fs::read_dir(project.home().join("project_state")).unwrap();
    let state = states.next().unwrap().unwrap();
    let elsewhere = project.path().join("elsewhere/project_state");
    (
        state.path().join("staging"),
        elsewhere.join(state.file_name()).join("staging"),
    )
}
