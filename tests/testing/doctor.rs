//! `doctor`: one line a check, with what to do, in seconds.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};
use crate::support::{mysql, postgres};

#[test]
fn what_a_project_needs_is_looked_at_and_nothing_is_changed() {
    let server = Server::start(|asked: &Asked| match asked.header("authorization") {
        "Bearer good" => json("{}").status(404),
        _ => json("{}").status(401),
    });
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let database = postgres::Database::new();
    let api = |token: &str| {
        format!(
            "type: http\nbase_url: {}\nauth: {{type: bearer_token, token: \"{token}\"}}\n",
            server.url
        )
    };
    let project = Project::new()
        .file("flows/main.yaml", "- {op: print, message: hi}\n")
        .file("sources/good.yaml", &api("good"))
        .file("sources/bad.yaml", &api("bad"))
        .file("sources/unset.yaml", &api("{{ env_var('NOT_SET_TOKEN') }}"))
        .file("sources/wh.yaml", &database.source())
        .file(
            "sources/gone.yaml",
            "type: postgres\nconn_str: postgresql://127.0.0.1:1/shop\n",
        )
        .file(
            "sources/silent.yaml",
            &format!("type: postgres\nconn_str: postgresql://127.0.0.1:{port}/shop\n"),
        )
        .file(
            "sources/silent_api.yaml",
            &format!("type: http\nbase_url: http://127.0.0.1:{port}\n"),
        )
        .file("sources/file.yaml", "type: sqlite\nconn_str: sqlite:///none.db\n")
        .file("sources/stage.yaml", "type: staging\n");
    let begun = Instant::now();
    let ran = project.sequor(&["doctor"]);
    // The two that are silent are waited for at the same time.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(ran.code, 1, "{}", ran.all());
    for line in [
        "ok       project: ",
        "ok       environment: none in use",
        "ok       python: 3.",
        "ok       state: none yet",
        "ok       source good: answers (HTTP 404)",
        "failed   source bad: ",
        "warning  source unset: not set in the environment: NOT_SET_TOKEN",
        "ok       source wh: PostgreSQL ",
        "failed   source gone: ",
        "failed   source silent: no answer within 5 s",
        "failed   source silent_api: no answer within 5 s",
        "warning  source file: ",
        "ok       source stage: the embedded database, no tables yet",
        "ok       clock: as those of servers",
    ] {
        assert!(
            ran.stdout.lines().any(|told| told.starts_with(line)),
            "{line}: {}",
            ran.all()
        );
    }
    assert_eq!(ran.stdout.lines().count(), 14, "{}", ran.all());
    assert!(server.asked().iter().all(|asked| asked.method == "GET"));
    assert!(!project.path().join("none.db").exists() && !project.home().join("project_state").exists());
    let ran = project.sequor(&["doctor", "--format", "json"]);
    let lines: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines.iter().filter(|line| line["status"] == "failed").count(),
        4,
        "{}",
        ran.all()
    );
    assert!(
        lines
            .iter()
            .filter(|line| line["status"] == "failed")
            .all(|line| line["fix"].is_string()),
        "{}",
        ran.all()
    );
}

#[test]
fn a_project_that_is_none_is_told_as_that() {
    let project = Project::new();
    let ran = project.sequor(&["-p", "nowhere", "doctor"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(
        ran.stdout
            .contains("failed   project: there is no project.yaml in nowhere"),
        "{}",
        ran.all()
    );
}

#[test]
fn what_users_may_not_do_and_credentials_without_an_address_are_told() {
    let database = mysql::Database::new();
    let name = database.url.rsplit('/').next().unwrap();
    let project = Project::new()
        .file("sources/wh.yaml", &database.source())
        .file(
            "flows/main.yaml",
            &format!(
                "- op: execute\n  source: wh\n  statement: \"create user reader_{name}@'%' identified by 'pw'; grant select on {name}.* to reader_{name}@'%'; create user writer_{name}@'%' identified by 'pw'; grant create, select on {name}.* to writer_{name}@'%'\"\n"
            ),
        )
        .file(
            "sources/unset.yaml",
            "type: http\nallowed_hosts: [api.test]\nauth: {type: bearer_token, token: \"{{ env_var('NOT_SET_TOKEN') }}\"}\n",
        )
        .file(
            "sources/set.yaml",
            "type: http\nallowed_hosts: [api.test]\nauth: {type: bearer_token, token: abc}\n",
        );
    project.run("main");
    let as_user = |user: &str| {
        let (_, host) = database.url.split_once('@').unwrap();
        format!("type: mysql\nconn_str: mysql://{user}_{name}:pw@{host}\n")
    };
    let project = project
        .file("sources/reader.yaml", &as_user("reader"))
        .file("sources/writer.yaml", &as_user("writer"));
    let ran = project.sequor(&["doctor"]);
    let line = |source: &str| {
        let of_source = format!("source {source}: ");
        let found = ran.stdout.lines().find(|line| line.contains(&of_source));
        found
            .unwrap_or_else(|| panic!("{source}: {}", ran.all()))
            .to_string()
    };
    for (source, status, told) in [
        ("reader", "warning", "its user may not create tables"),
        ("writer", "ok", ""),
        ("wh", "ok", ""),
        ("unset", "warning", "not set in the environment: NOT_SET_TOKEN"),
        ("set", "ok", "nothing is asked"),
    ] {
        let line = line(source);
        assert!(
            line.starts_with(status) && line.contains(told),
            "{line}: {}",
            ran.all()
        );
    }
    assert!(ran.stdout.contains("GRANT CREATE, INSERT"), "{}", ran.all());
}
