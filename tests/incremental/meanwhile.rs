//! What people say of a state while a run loads.

use std::time::Duration;

use super::api::Api;
use super::{START, project};
use crate::support::databases;
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
        let set = project.sequor(&["state", "set", "main", "orders", "--until", "2024-01-05"]);
        assert_eq!(set.code, 0, "{name}: {}", set.all());
        let ended = loading.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{name}");
        let shown = project.sequor(&["state", "show", "main", "orders"]).stdout;
        assert!(shown.contains("2024-01-05"), "{name}: {shown}");
    }
}
