//! A server that breaks the rules: nothing is lost, and nothing is sent twice where that may do harm.

use indoc::{formatdoc, indoc};
use std::time::{Duration, Instant};

use crate::support::faults::{Act, Faults, good, whole};
use crate::support::program::{Project, Ran};

/// A flow that pushes 50 rows and loads what comes back.
fn push(server: &Faults, request: &str) -> Project {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &formatdoc!(
                "
                    type: http
                    base_url: {}
                    timeout: 2
                    retry: {{max_attempts: 20, backoff: {{initial: 10ms}}}}
                ",
                server.url
            ),
        )
        .file(
            "flows/fill.yaml",
            indoc! {"
                - op: execute
                  source: stage
                  statement: create table rows as select value as id from generate_series(1, 50)
            "},
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                r#"
                    - op: http_request
                      id: push
                      for_each: {{source: stage, table: rows, as: row}}
                      request:
                        source: api
                        url_expression: f"/rows/{{var('row')['id']}}"
                    {request}  response:
                        tables:
                          - {{source: stage, table: sent, columns: {{id: integer}}, data_path: rows}}
                "#
            ),
        );
    project.run("fill");
    project
}

/// The answer to `/rows/<id>`.
fn answer(request: &str) -> Vec<Act> {
    good(&format!(r#"{{"rows": [{{"id": {}}}]}}"#, id(request)))
}

fn id(request: &str) -> String {
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_string()
}

/// All 50 rows are there, each once.
fn all_there(project: &Project) {
    let rows = project.rows("stage", "select count(*), count(distinct id), sum(id) from sent");
    assert_eq!(rows, ["50|50|1275"]);
}

fn half(request: &str) -> Vec<Act> {
    let body = format!(r#"{{"rows": [{{"id": {}}}]}}"#, id(request));
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    vec![Act::Write(format!("{head}{}", &body[..8]).into_bytes())]
}

#[test]
fn every_kind_of_fault_is_survived_by_requests_that_may_be_repeated() {
    // Every third request meets a fault, each time another.
    let server = Faults::start(|number, request| match number % 21 {
        0 => whole("429 Too Many Requests", "retry-after: 0\r\n", "{}"),
        3 => whole("500 Internal Server Error", "", "<html>"),
        6 => {
            let mut acts = half(request);
            acts.push(Act::Reset);
            acts
        }
        // The body is shorter than announced.
        9 => half(request),
        12 => vec![Act::Reset],
        // A chunked body that does not end.
        15 => vec![Act::Write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n8\r\n{\"rows\":\r\n"
                .to_vec(),
        )],
        18 => whole("503 Service Unavailable", "", ""),
        _ => answer(request),
    });
    let project = push(&server, "    method: PUT\n");
    project.run("main");
    all_there(&project);
    let asked = server.asked();
    assert!(asked.len() > 60, "{}", asked.len());
}

#[test]
fn a_post_that_may_have_been_carried_out_is_not_sent_again() {
    for fault in ["reset", "short", "500"] {
        let server = Faults::start(move |_, request| match (id(request).as_str(), fault) {
            ("7", "reset") => {
                let mut acts = half(request);
                acts.push(Act::Reset);
                acts
            }
            ("7", "short") => half(request),
            ("7", _) => whole("500 Internal Server Error", "", "{}"),
            _ => answer(request),
        });
        let project = push(&server, "    method: POST\n");
        let ran = project.sequor(&["run", "main"]);
        ran.fails(1, &["row 7 of `rows`", "/rows/7"]);
        let sevens = server.asked().iter().filter(|r| id(r) == "7").count();
        assert_eq!(sevens, 1, "{fault}");
        // The table is not there half-filled.
        project
            .sequor(&["query", "stage", "select * from sent"])
            .fails(1, &["sent"]);
    }
}

#[test]
fn a_key_makes_a_post_repeatable_and_stays_the_same() {
    let server = Faults::start(|number, request| match number % 5 {
        0 => half(request),
        _ => answer(request),
    });
    let project = push(
        &server,
        "    method: POST\n    idempotency_key_expression: str(var('row')['id'])\n",
    );
    project.run("main");
    all_there(&project);
    for request in server.asked() {
        let key = request
            .lines()
            .find_map(|l| l.strip_prefix("idempotency-key: "))
            .map(str::to_string);
        assert_eq!(key, Some(id(&request)));
    }
}

#[test]
fn a_post_that_was_refused_is_sent_again() {
    let server = Faults::start(|number, request| match number % 4 {
        0 => whole("429 Too Many Requests", "retry-after: 0\r\n", "{}"),
        2 => whole("503 Service Unavailable", "retry-after: 0\r\n", "{}"),
        _ => answer(request),
    });
    let project = push(&server, "    method: POST\n");
    project.run("main");
    all_there(&project);
}

fn get(server: &Faults, timeout: &str) -> (Ran, Duration) {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &formatdoc!(
                "
                    type: http
                    base_url: {}
                    timeout: {timeout}
                    retry: {{max_attempts: 2, backoff: {{initial: 10ms}}}}
                ",
                server.url
            ),
        )
        .file(
            "flows/main.yaml",
            indoc! {"
                - op: http_request
                  request: {source: api, url: /x}
                  response:
                    tables:
                      - {source: stage, table: t, columns: {id: integer}, data_path: rows}
            "},
        );
    let start = Instant::now();
    (project.sequor(&["run", "main"]), start.elapsed())
}

#[test]
fn a_server_that_writes_a_byte_now_and_then_meets_the_timeout() {
    let server = Faults::start(|_, _| {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_string() + &" ".repeat(1000);
        vec![Act::Drip(answer.into_bytes(), Duration::from_millis(100))]
    });
    let (ran, took) = get(&server, "500ms");
    ran.fails(1, &["nothing came for", "after 2 attempts"]);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn bad_json_is_told_and_not_asked_for_again() {
    for (body, says) in [
        (r#"{"rows": [{"id": 1}, {"id": "#, "not valid JSON"),
        (r#"{"rows": [{"id": 1}]} trailing"#, "not valid JSON"),
        ("<html>Sign in</html>", "not valid JSON"),
        ("", "not valid JSON"),
        (r#"{"error": "no"}"#, "has no key 'rows'"),
    ] {
        let server = Faults::start(move |_, _| good(body));
        let (ran, _) = get(&server, "5");
        ran.fails(1, &[says]);
        assert_eq!(server.asked().len(), 1, "{body}");
    }
}

#[test]
fn no_http_at_all_and_wrong_lengths() {
    let garbage = Faults::start(|_, _| vec![Act::Write(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())]);
    get(&garbage, "5").0.fails(1, &["the connection failed"]);
    // More than was announced: what is beyond does not belong to the response.
    let more = Faults::start(|_, _| {
        let body = r#"{"rows": [{"id": 1}]}"#;
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        vec![Act::Write(format!("{head}{body}GARBAGE").into_bytes())]
    });
    let (ran, _) = get(&more, "5");
    assert_eq!(ran.code, 0, "{}", ran.all());
    let wrong = Faults::start(|_, _| {
        vec![Act::Write(
            b"HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\n{}".to_vec(),
        )]
    });
    get(&wrong, "5").0.fails(1, &["the connection failed"]);
}

#[test]
fn redirects_in_circles_end() {
    let server = Faults::start(|number, _| whole("302 Found", &format!("location: /x?{number}\r\n"), ""));
    get(&server, "5").0.fails(1, &["more than 10 redirects"]);
    assert_eq!(server.asked().len(), 11);
}
