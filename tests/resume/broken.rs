//! What goes wrong outside of the program: a clear error, nothing half-written, and the next run goes on.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use indoc::{formatdoc, indoc};

use super::api::Api;
use crate::support::postgres;
use crate::support::program::Project;
use crate::support::server::{Server, json};

const ROWS: u64 = 500;

/// Pushes rows, with keys or without.
fn push(key: &str) -> String {
    formatdoc! {r#"
        steps:
          - op: transform
            source: stage
            target_table: t
            query: select value as id from generate_series(0, {last})
          - op: http_request
            id: push
            for_each: {{source: stage, table: t, as: row}}
            request: {{source: api, url: "/{{{{ var('row')['id'] }}}}", method: POST, {key} body: {{n: 1}}}}
    "#, last = ROWS - 1}
}

/// A server that counts rows, and goes quiet behind some of them.
fn quiet_after(most: usize) -> (Server, Arc<AtomicBool>) {
    let quiet = Arc::new(AtomicBool::new(true));
    let (is_quiet, count) = (quiet.clone(), AtomicUsize::new(0));
    let server = Server::start(move |_| {
        if count.fetch_add(1, Ordering::Relaxed) >= most {
            while is_quiet.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        json("{}")
    });
    (server, quiet)
}

fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path(), name)),
            false if entry.file_name() == name => found.push(entry.path()),
            false => {}
        }
    }
    found
}

/// Kills a run in the middle of its rows; how many the server has got.
fn killed(project: &Project, server: &Server) -> usize {
    let mut command = project.command(&["run", "main"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    while server.asked().len() < 300 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // What was answered is written meanwhile.
    std::thread::sleep(Duration::from_millis(400));
    child.kill().expect("killed");
    child.wait().expect("it is gone");
    server.asked().len()
}

#[test]
fn a_ledger_whose_end_is_torn_or_wrong() {
    for broken in ["cut", "bit", "zeros"] {
        let (server, quiet) = quiet_after(300);
        let project = Project::new()
            .file(
                "sources/api.yaml",
                &format!("type: http\nbase_url: {}\nconcurrency: 4\n", server.url),
            )
            .file("flows/main.yaml", &push(""));
        killed(&project, &server);
        quiet.store(false, Ordering::Relaxed);
        let ledgers = files(&project.path().join("home"), "ledger");
        let [ledger] = &ledgers[..] else {
            panic!("{ledgers:?}")
        };
        let mut bytes = std::fs::read(ledger).expect("a ledger");
        let end = bytes.len();
        match broken {
            "cut" => bytes.truncate(end - 3),
            "bit" => bytes[end - 3] ^= 4,
            _ => bytes.extend([0; 512]),
        }
        std::fs::write(ledger, bytes).expect("written");
        // Rows whose outcome is torn may have been sent, and are not sent again.
        let on = project.sequor(&["run", "main", "--resume"]);
        on.fails(1, &["SQ1025", "must not be sent twice"]);
        let mut paths: Vec<String> = server.asked().iter().map(|asked| asked.path.clone()).collect();
        let sent = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), sent, "{broken}: a row was sent twice");
        let shown = project.sequor(&["show", "--format", "json"]).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        let doubts = shown["in_doubt"].as_array().expect("a list");
        for row in 0..ROWS {
            let known = paths.contains(&format!("/{row}"));
            let doubtful = doubts.iter().any(|doubt| doubt["row"]["id"] == row);
            assert!(known || doubtful, "{broken}: row {row} is lost");
        }
        let on = project.sequor(&["run", "main", "--resume", "--in-doubt", "skip"]);
        assert_eq!(on.code, 0, "{broken}: {}", on.all());
    }
}

#[test]
fn a_state_that_is_no_database() {
    let (server, _) = quiet_after(usize::MAX);
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("flows/main.yaml", &push(""));
    project.run("main");
    let states = files(&project.path().join("home"), "state.db");
    std::fs::write(
        &states[0],
        "this is no database, and longer than a header of one is\n".repeat(20),
    )
    .expect("written");
    let sent = server.asked().len();
    project
        .sequor(&["run", "main"])
        .fails(1, &["SQ1022", "state.db", "not a database", "move it away"]);
    assert_eq!(server.asked().len(), sent, "nothing is sent");
    // Put away, the state begins anew.
    std::fs::remove_file(&states[0]).expect("removed");
    for beside in ["state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(states[0].with_file_name(beside));
    }
    project.run("main");
}

#[test]
fn a_folder_that_is_none() {
    let (server, _) = quiet_after(usize::MAX);
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("flows/main.yaml", &push(""))
        .file("home/project_state", "a file where a folder belongs\n");
    project
        .sequor(&["run", "main"])
        .fails(2, &["SQ1001", "project_state", "Not a directory"]);
    assert!(server.asked().is_empty(), "nothing is sent");
    std::fs::remove_file(project.path().join("home/project_state")).expect("removed");
    project.run("main");
}

/// A flow whose tables are in PostgreSQL.
const FILL: &str = indoc! {"
    steps:
      - op: http_request
        id: fetch
        request:
          source: api
          url: /items
          pagination: {type: page_number, param: page, start: 1}
        response:
          tables:
            - {source: db, table: items, data_path: items, columns: {id: integer}}
            - {source: db, table: added, data_path: items, columns: {id: integer}, write_mode: append}
"};

#[test]
fn a_server_without_a_connection_to_give() {
    let database = postgres::Database::new();
    let role = format!("few{}", std::process::id());
    database.execute(&format!(
        "create role {role} login connection limit 1; grant all on schema public to {role}"
    ));
    let api = Api::start(4, 25, 0);
    let url = database.url.replace("sequor@", &format!("{role}@"));
    let project = api
        .project("", "")
        .file("sources/db.yaml", &format!("type: postgres\nconn_str: {url}\n"))
        .file("flows/main.yaml", FILL);
    let failed = project.sequor(&["run", "main"]);
    failed.fails(
        1,
        &["error[SQ1002]", "too many connections", "no connection to give"],
    );
    database.execute(&format!("alter role {role} connection limit -1"));
    // Nothing is half there.
    let there = "select count(*) as n from pg_class where relnamespace = 'public'::regnamespace";
    assert_eq!(database.rows(there), ["0"]);
    let on = project.sequor(&["run", "main", "--resume"]);
    assert_eq!(on.code, 0, "{}", on.all());
    assert_eq!(
        database.rows("select (select count(*) from items) as a, (select count(*) from added) as b"),
        ["100|100"]
    );
}
