//! The program ends, or a write fails, at what few runs keep: tokens that an API rotates, marks of answers, the salt of the key,
//! variables in a table, signs of life, and that a run goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use indoc::indoc;

use super::faults::KEPT;
use crate::support::postgres;
use crate::support::program::{Project, Ran};
use crate::support::server::{Asked, Server, json};

/// What is kept seldom.
const SELDOM: [&str; 6] = [
    "token",
    "mark",
    "salt",
    "variables",
    "sign of life",
    "run goes on",
];

const FLOW: &str = indoc! {r#"
    steps:
      - op: http_request
        id: fetch
        request: {source: api, url: /rows, conditional: true}
        response: {tables: [{source: stage, table: rows, data_path: $, columns: {id: integer}}]}
      - op: set_variable
        id: count
        set: {runs_expression: "(var('runs') or 0) + 1"}
"#};

/// A server with refresh tokens that work until the one after the next is given, as many do for clients that lose one; the first
/// request after `slow` takes long.
fn server(slow: bool) -> Server {
    let given: Arc<Mutex<u64>> = Arc::default();
    Server::start(move |asked: &Asked| {
        let mut given = given.lock().expect("no panic");
        if asked.path == "/token" {
            let known = (given.saturating_sub(1)..=*given)
                .any(|n| asked.body.contains(&format!("refresh_token=token-{n}&")));
            if !known {
                return json(r#"{"error": "invalid_grant"}"#).status(400);
            }
            *given += 1;
            let answer = format!(
                r#"{{"access_token": "access", "expires_in": 3600, "refresh_token": "token-{given}"}}"#
            );
            return json(answer);
        }
        if asked.header("if-none-match") == "\"v1\"" {
            return json("").status(304);
        }
        let wait = if slow {
            Duration::from_secs(6)
        } else {
            Duration::ZERO
        };
        json(r#"[{"id": 1}]"#).header("ETag", "\"v1\"").after(wait)
    })
}

fn project(server: &Server, state: &str, db: &str) -> Project {
    Project::new()
        .file("project.yaml", &format!("name: test\n{state}"))
        .file("sources/db.yaml", db)
        .file(
            "sources/api.yaml",
            &format!(
                "type: http\nbase_url: {0}\nauth: {{type: oauth2, grant_type: refresh_token, token_endpoint: \"{0}/token\", \
                 client_id: me, refresh_token: token-0}}\n",
                server.url
            ),
        )
        .file("flows/main.yaml", FLOW)
        .file("home/envs/dev.yaml", "variables: {runs: 0}\n")
        .file("env.yaml", "env: dev\n")
}

const KEY: (&str, &str) = ("SEQUOR_STATE_KEY", "a long key that nobody guesses");

/// The run, or another attempt at it where it is remembered and not done.
fn again(project: &Project, fault: &[(&str, &str)]) -> Ran {
    let there = project.sequor(&["runs", "--limit", "1", "--format", "json"]);
    let is_left = !there.stdout.is_empty() && !there.stdout.contains(r#""status":"done""#);
    let mut environment = vec![KEY];
    environment.extend_from_slice(fault);
    match is_left {
        false => project.sequor_with(&["run", "main"], &environment),
        true => project.sequor_with(&["run", "main", "--resume"], &environment),
    }
}

fn seldom(state: &str, db: impl Fn() -> String, expected: &[&str]) {
    let mut met = Vec::new();
    for what in SELDOM {
        for when in ["before", "after", "fails"] {
            let server = server(what == "sign of life");
            let project = project(&server, state, &db());
            let fault = format!("{what}:{when}:1");
            let broken = [("SEQUOR_FAULT", fault.as_str())];
            let ran = match what {
                "run goes on" => {
                    // A run that is left, and then goes on: that is when it is written.
                    let stop = ("SEQUOR_FAULT", "effect:before:1");
                    let left = project.sequor_with(&["run", "main"], &[KEY, stop]);
                    assert_eq!(left.code, -1, "{fault}: {}", left.all());
                    again(&project, &broken)
                }
                _ => project.sequor_with(&["run", "main"], &[KEY, broken[0]]),
            };
            if ran.code != 0 {
                met.push(what);
            }
            match (when, ran.code) {
                // One sign of life that is missing is no matter.
                (_, 0) => {}
                ("fails", _) => ran.fails(1, &["SQ1022", "No space left on device"]),
                _ => assert_eq!(ran.code, -1, "{fault}: {}", ran.all()),
            }
            let done = project.sequor(&["runs", "--limit", "1", "--format", "json"]);
            if !done.stdout.contains(r#""status":"done""#) {
                let ran = again(&project, &[]);
                assert_eq!(ran.code, 0, "{fault}: {}", ran.all());
            }
            assert_eq!(project.rows("stage", "select id from rows"), ["1"], "{fault}");
            project.write(
                "flows/show.yaml",
                "steps:\n  - op: print\n    message: \"runs {{ var('runs') }}\"\n",
            );
            let shown = project.sequor_with(&["run", "show"], &[KEY]);
            assert_eq!(shown.stdout.trim(), "runs 1", "{fault}: {}", shown.all());
            // The next run knows the mark and the token.
            let next = project.sequor_with(&["run", "main"], &[KEY]);
            assert_eq!(next.code, 0, "{fault}: {}", next.all());
            let last = server.asked().pop().expect("a request");
            assert_eq!(last.header("if-none-match"), "\"v1\"", "{fault}");
        }
    }
    met.dedup();
    assert_eq!(met, expected);
}

#[test]
fn in_the_projects_own_state() {
    let db = || "type: sqlite\nconn_str: sqlite:///db.db\n".to_string();
    seldom("", db, &["token", "mark", "salt", "sign of life", "run goes on"]);
}

#[test]
fn in_a_state_that_is_shared() {
    let db = || postgres::Database::new().source();
    seldom("state: {source: db}\n", db, &SELDOM);
}

#[test]
fn every_write_has_a_fail_point_that_a_test_meets() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/state");
    let mut folders = vec![folder];
    let mut names = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a file");
            for call in text.split("write(").skip(1) {
                let name = call.trim_start().strip_prefix('"');
                names.extend(name.and_then(|name| name.split('"').next()).map(str::to_string));
            }
        }
    }
    assert!(names.len() > 12, "{names:?}");
    let met = |name: &str| KEPT.iter().any(|(kept, _)| *kept == name) || SELDOM.contains(&name);
    let missing: Vec<&String> = names.iter().filter(|name| !met(name)).collect();
    assert!(missing.is_empty(), "no test stops the program there: {missing:?}");
}
