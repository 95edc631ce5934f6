//! Rows that an API refuses, jobs that are polled, and what must not leave: secrets, control characters, credentials.

use std::path::Path;
use std::sync::{Arc, Mutex};

use indoc::{formatdoc, indoc};
use serde_json::{Value, from_str};

use crate::support::program::{Project, Ran};
use crate::support::server::{Asked, Reply, Server, answer, json};

fn project(server: &Server, source: &str, flow: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n{source}", server.url),
        )
        .file("flows/main.yaml", flow)
}

// Batches

/// The ids of a batch.
fn ids(asked: &Asked) -> Vec<i64> {
    let body: Value = from_str(&asked.body).expect("JSON");
    let customers = body["customers"].as_array().expect("a list");
    customers.iter().filter_map(|c| c["id"].as_i64()).collect()
}

/// A run that pushes 60 rows in batches of 20.
struct Pushed {
    ran: Ran,
    /// Ids of the batches that were answered with a 2xx, sorted.
    taken: Vec<i64>,
    rejected: Vec<String>,
}

fn push(on_error: &str, reply: impl Fn(&[i64]) -> Reply + Send + Sync + 'static) -> Pushed {
    let taken: Arc<Mutex<Vec<i64>>> = Arc::default();
    let kept = taken.clone();
    let server = Server::start(move |asked: &Asked| {
        let ids = ids(asked);
        let reply = reply(&ids);
        if reply.status < 300 {
            kept.lock().expect("no panic").extend(ids);
        }
        reply
    });
    let flow = formatdoc!(
        r#"
        - op: execute
          source: stage
          statement: create table people as select value as id from generate_series(1, 60)
        - op: http_request
          id: push
        {on_error}  for_each: {{source: stage, table: people, as: batch, batch_size: 20}}
          request:
            source: api
            url: /customers
            method: POST
            body_expression: "{{'customers': [c.to_dict() for c in var('batch')]}}"
        "#
    );
    let project = project(&server, "", &flow);
    let ran = project.sequor(&["run", "main"]);
    let query = "select json_get_int(row, 'id') from push_rejects";
    let rejected = match project.sequor(&["query", "stage", query]).code {
        0 => project.rows("stage", query),
        _ => Vec::new(),
    };
    let mut taken = taken.lock().expect("no panic").clone();
    taken.sort_unstable();
    Pushed { ran, taken, rejected }
}

#[test]
fn a_batch_that_is_too_large_is_halved_without_being_asked() {
    for on_error in ["", "  on_error: reject\n"] {
        let pushed = push(on_error, |ids| match ids.len() {
            0..=10 => json("{}"),
            _ => json(r#"{"error": "payload too large"}"#).status(413),
        });
        assert_eq!(pushed.ran.code, 0, "{}", pushed.ran.all());
        let all: Vec<i64> = (1..=60).collect();
        assert_eq!(pushed.taken, all, "each once");
        assert!(pushed.rejected.is_empty(), "{:?}", pushed.rejected);
    }
}

#[test]
fn one_row_that_is_too_large_by_itself_fails() {
    let pushed = push("", |_| json(r#"{"error": "payload too large"}"#).status(413));
    pushed.ran.fails(1, &["answered 413", "payload too large"]);
}

#[test]
fn a_batch_is_split_down_to_the_row_that_is_guilty() {
    let pushed = push("  on_error: split\n", |ids| match ids.contains(&17) {
        true => json(r#"{"error": "conflict: customer 17 has the email of another"}"#).status(409),
        false => json("{}"),
    });
    assert_eq!(pushed.ran.code, 0, "{}", pushed.ran.all());
    let good: Vec<i64> = (1..=60).filter(|id| *id != 17).collect();
    assert_eq!(pushed.taken, good);
    assert_eq!(pushed.rejected, ["17"]);
}

#[test]
fn a_207_that_no_rule_reads_is_warned_of() {
    let pushed = push("  on_error: reject\n", |_| {
        json(r#"{"results": [{"status": 422}]}"#).status(207)
    });
    assert_eq!(pushed.ran.code, 0, "{}", pushed.ran.all());
    let all = pushed.ran.all();
    assert!(
        all.contains("the API answered 207") && all.contains("no rule"),
        "{all}"
    );
}

// Jobs

#[test]
fn a_job_is_polled_and_its_result_fetched_by_the_url_as_it_is_spelled() {
    let polls = Mutex::new(0);
    let signed = "sig=a%20b%2Bc%2F%3D&expires=1";
    let server = Server::start(move |asked: &Asked| match asked.path.as_str() {
        "/jobs" => json(r#"{"id": 7}"#).status(202).header("location", "/jobs/7"),
        "/jobs/7" => {
            let mut polls = polls.lock().expect("no panic");
            *polls += 1;
            match *polls > 3 {
                true => json(format!(r#"{{"state": "done", "url": "/result?{signed}"}}"#)),
                false => json(r#"{"state": "running"}"#),
            }
        }
        _ if asked.query == signed => json(r#"[{"id": 1}]"#),
        _ => json(r#"{"error": "signature"}"#).status(403),
    });
    let flow = indoc! {r#"
        - op: http_request
          request: {source: api, url: /jobs, method: POST, body: {}}
          response:
            variables:
              job: {value_expression: "response.json()['id']", scope: local}
        - op: http_request
          request:
            source: api
            url: "/jobs/{{ var('job') }}"
            retry: {max_attempts: 20, backoff: {type: constant, initial: 10ms}}
          response:
            rules:
              - {when_expression: "response.json()['state'] == 'running'", action: retry}
            variables:
              url: {value_expression: "response.json()['url']", scope: local}
        - op: http_request
          request: {source: api, url: "{{ var('url') }}"}
          response:
            tables:
              - {source: stage, table: t, columns: {id: integer}, data_path: $}
    "#};
    let project = project(&server, "", flow);
    project.run("main");
    let polls = server.asked().iter().filter(|a| a.path == "/jobs/7").count();
    assert_eq!(polls, 4);
    assert_eq!(project.rows("stage", "select id from t"), ["1"]);
}

// What must not leave

/// The text of all files below a folder.
fn tree(folder: &Path) -> String {
    let mut text = String::new();
    // A folder that is not there holds nothing.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        text += &match path.is_dir() {
            true => tree(&path),
            false => String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned(),
        };
    }
    text
}

/// The API shows in its answers all that it got; at `/fine` with a 200.
fn echo() -> Server {
    Server::start(|asked: &Asked| {
        let body = serde_json::json!({
            "error": "bad request",
            "you_sent": format!("{}?{}", asked.path, asked.query),
            "auth": asked.header("authorization"),
            "sign": asked.header("x-sign"),
        });
        json(body.to_string()).status(if asked.path == "/fine" { 200 } else { 400 })
    })
}

/// Nothing that a run wrote holds the secret: its output, its log, its recording, and what is kept for the next run.
fn is_hidden(project: &Project, ran: &Ran, secret: &str) {
    let home = project.home();
    let written = [
        ("output", ran.all()),
        ("log", tree(&home.join("logs"))),
        ("recording", tree(&project.path().join("recorded"))),
        ("state", tree(&home.join("project_state"))),
    ];
    assert!(!written[2].1.is_empty(), "it was recorded");
    for (what, text) in written {
        assert!(!text.contains(secret), "{what}: {text}");
    }
}

#[test]
fn a_secret_of_the_process_is_hidden_also_where_the_api_echoes_it() {
    let secret = "hunter2secret";
    let request = r#"
    headers: {Authorization: "Token {{ env_var('KEY') }}"}
    url: "PATH?api_key={{ env_var('KEY') }}""#;
    let ask = format!("- op: http_request\n  request:\n    source: api{request}\n");
    let rest = indoc! {r#"
          response:
            variables:
              echo: {value_expression: "response.json()['auth']", scope: local}
        - op: print
          message: "the API says {{ var('echo') }}"
    "#};
    for (path, rest, code) in [("/echo", "", 1), ("/fine", rest, 0)] {
        let server = echo();
        let flow = ask.replace("PATH", path) + rest;
        let project = project(&server, "", &flow);
        let ran = project.sequor_with(&["run", "main", "--record", "recorded"], &[("KEY", secret)]);
        assert_eq!(ran.code, code, "{}", ran.all());
        // The API itself gets it, of course.
        let asked = &server.asked()[0];
        assert_eq!(asked.header("authorization"), format!("Token {secret}"));
        assert_eq!(asked.parameter("api_key").as_deref(), Some(secret));
        is_hidden(&project, &ran, secret);
    }
}

#[test]
fn a_secret_of_the_environment_is_hidden_also_where_the_api_echoes_it() {
    let secret = "0p3n-S3same-99";
    let server = echo();
    let flow = indoc! {r#"
        - op: http_request
          request: {source: api, url: /echo, headers: {X-Sign: "{{ var('api_secret') }}"}}
    "#};
    let project = project(&server, "", flow).file(
        "home/envs/dev.yaml",
        &format!("variables: {{api_secret: {secret}, shop: corner-shop}}\n"),
    );
    let ran = project.sequor(&["run", "main", "--env", "dev", "--record", "recorded"]);
    ran.fails(1, &["bad request"]);
    assert_eq!(server.asked()[0].header("x-sign"), secret);
    is_hidden(&project, &ran, secret);
}

#[test]
fn control_characters_of_an_answer_are_shown_escaped() {
    let text = "\u{1b}[2J\u{1b}[31mFAKE: all good\u{1b}[0m\r\ndone    fetch  1,000 rows\u{7}\u{9b}31m";
    let server = Server::start(move |_| answer("text/plain", text).status(400));
    let flow = "- {op: http_request, id: fetch, request: {source: api, url: /y}}\n";
    let project = project(&server, "", flow);
    let ran = project.sequor(&["run", "main"]);
    // The text is still there to read.
    ran.fails(1, &["FAKE: all good", "\\x1b[31m"]);
    for shown in [ran.all(), project.read("home/logs/sequor.log")] {
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        assert!(!shown.contains(control), "{shown:?}");
        // No line looks like one of ours that it isn't.
        assert!(
            !shown.lines().any(|l| l.starts_with("done    fetch  1,000")),
            "{shown}"
        );
    }
}

// Credentials

const CREDENTIALS: &str = indoc! {"
    headers: {X-Api-Token: t0p-secret}
    auth: {type: bearer_token, token: s3cret-token}
"};

/// The API, for who has its token, and the server of its downloads: another origin on the same host.
fn with_download() -> (Server, Server) {
    let other = Server::start(|_| json(r#"[{"id": 1}]"#));
    let url = format!("{}/file?X-Signature=abc%20d", other.url);
    let server =
        Server::start(
            move |asked: &Asked| match asked.header("authorization") == "Bearer s3cret-token" {
                true => json(format!(r#"{{"download": "{url}"}}"#)),
                false => json(r#"{"error": "no token"}"#).status(401),
            },
        );
    (server, other)
}

const DOWNLOAD: &str = indoc! {r#"
    - op: http_request
      request: {source: api, url: /report}
      response:
        variables:
          url: {value_expression: "response.json()['download']", scope: local}
    - op: http_request
      request: {source: api, url: "{{ var('url') }}"}
      response:
        tables:
          - {source: stage, table: t, columns: {id: integer}, data_path: $}
"#};

/// The credentials of the one download that was made.
fn carried(other: &Server) -> Vec<String> {
    let asked = other.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(
        (asked[0].path.as_str(), asked[0].query.as_str()),
        ("/file", "X-Signature=abc%20d")
    );
    let headers = asked[0].headers.values().filter_map(|v| v.to_str().ok());
    let secrets = headers.filter(|v| v.contains("s3cret") || v.contains("t0p"));
    secrets.map(str::to_string).collect()
}

#[test]
fn a_url_out_of_an_answer_gets_no_credentials() {
    let (server, other) = with_download();
    let project = project(&server, CREDENTIALS, DOWNLOAD);
    project.run("main");
    assert!(carried(&other).is_empty(), "{:?}", carried(&other));
    assert_eq!(project.rows("stage", "select id from t"), ["1"]);
}

#[test]
fn a_host_that_the_source_allows_gets_the_credentials() {
    let (server, other) = with_download();
    let host = other.url.trim_start_matches("http://");
    let source = format!("allowed_hosts: [\"{host}\"]\n{CREDENTIALS}");
    project(&server, &source, DOWNLOAD).run("main");
    assert_eq!(carried(&other).len(), 2);
}

#[test]
fn without_a_base_url_the_hosts_that_the_flow_names_get_the_credentials() {
    let (server, other) = with_download();
    let flow = DOWNLOAD.replace("/report", &format!("\"{}/report\"", server.url));
    let project = Project::new()
        .file("sources/api.yaml", &format!("type: http\n{CREDENTIALS}"))
        .file("flows/main.yaml", &flow);
    // The host of the download is not known before the run: the plan says what that means.
    let plan = project.sequor(&["plan", "main"]);
    assert_eq!(plan.code, 0, "{}", plan.all());
    assert!(
        plan.all().contains("where no `allowed_hosts` names it"),
        "{}",
        plan.all()
    );
    project.run("main");
    assert_eq!(server.asked()[0].header("authorization"), "Bearer s3cret-token");
    assert!(carried(&other).is_empty(), "{:?}", carried(&other));
}
