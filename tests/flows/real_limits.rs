//! Limits, waits and broken answers, as real APIs have them.

use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use indoc::{formatdoc, indoc};

use crate::support::faults::{Act, Faults, whole};
use crate::support::program::Project;
use crate::support::server::{Asked, Reply, Server, json};

/// A flow that loads `t` from `/x`. `request`: more lines of the request.
fn project(url: &str, source: &str, request: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {url}\n{source}"),
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  id: fetch
                  request:
                    source: api
                    url: /x
                {request}  response:
                    tables:
                      - {{source: stage, table: t, columns: {{id: integer}}, data_path: $}}
                "
            ),
        )
}

/// Retries are quick where the API says nothing of its own.
const QUICK: &str = "retry: {backoff: {initial: 5ms}}\n";

/// A server whose first answers are made by `answer`.
fn failing(bad: usize, answer: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    let count = Mutex::new(0);
    Server::start(move |_: &Asked| {
        let mut count = count.lock().expect("no panic");
        *count += 1;
        match *count <= bad {
            true => answer(),
            false => json(r#"[{"id": 1}]"#),
        }
    })
}

/// More rows at the same time than the API takes: all are refused several times, and none may be tried twice.
#[test]
fn a_429_uses_up_no_attempt_and_rejects_no_row() {
    for on_error in ["", "  on_error: reject\n"] {
        let taken = std::sync::Arc::new(Mutex::new(Vec::new()));
        let kept = taken.clone();
        let window = Mutex::new((Instant::now(), 0));
        let server = Server::start(move |asked: &Asked| {
            let mut window = window.lock().expect("no panic");
            if window.0.elapsed() > Duration::from_millis(100) {
                *window = (Instant::now(), 0);
            }
            window.1 += 1;
            if window.1 > 5 {
                return json(r#"{"error": "slow down"}"#)
                    .status(429)
                    .header("retry-after-ms", "100");
            }
            kept.lock().expect("no panic").push(asked.path.clone());
            json("{}")
        });
        let project = project(&server.url, "retry: {max_attempts: 1}\n", "").file(
            "flows/main.yaml",
            &formatdoc!(
                r#"
                - op: execute
                  source: stage
                  statement: create table people as select value as id from generate_series(1, 25)
                - op: http_request
                  id: push
                {on_error}  for_each: {{source: stage, table: people, as: p}}
                  request: {{source: api, url: "/{{{{ var('p')['id'] }}}}", method: PUT}}
                "#
            ),
        );
        project.run("main");
        let mut taken = taken.lock().expect("no panic").clone();
        assert_eq!(taken.len(), 25, "{taken:?}");
        taken.sort();
        taken.dedup();
        assert_eq!(taken.len(), 25, "{taken:?}");
        // It is the API's pace, and never the row's fault.
        let rejects = project.sequor(&["query", "stage", "select count(*) from push_rejects"]);
        assert!(
            rejects.code != 0 || rejects.stdout.contains("| 0"),
            "{}",
            rejects.all()
        );
        assert!(server.asked().len() > 25, "the API was never too busy");
    }
}

/// The headers of a 429 that says in one of many forms to come again in about a second.
fn told() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    // A clock of whole seconds: between one and two of them are left.
    let at = SystemTime::now() + Duration::from_secs(2);
    let seconds = at.duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let moment = DateTime::from_timestamp(i64::try_from(seconds).expect("a time"), 0).expect("a time");
    let text = |text: &str| text.to_string();
    vec![
        ("seconds", vec![("retry-after", text("1"))]),
        ("a fraction", vec![("retry-after", text("0.9"))]),
        ("an HTTP date", vec![("retry-after", httpdate::fmt_http_date(at))]),
        (
            "an ISO date",
            vec![("retry-after", moment.format("%Y-%m-%dT%H:%M:%SZ").to_string())],
        ),
        ("milliseconds", vec![("retry-after-ms", text("900"))]),
        (
            "structured",
            vec![
                ("ratelimit-policy", text(r#""default";q=10;w=60"#)),
                ("ratelimit", text(r#""default";r=0;t=1"#)),
            ],
        ),
        (
            "the draft's 7th version",
            vec![("ratelimit", text("limit=10, remaining=0, reset=1"))],
        ),
        (
            "headers of their own",
            vec![
                ("ratelimit-limit", text("10")),
                ("ratelimit-remaining", text("0")),
                ("ratelimit-reset", text("1")),
            ],
        ),
        (
            "a time with its unit",
            vec![
                ("x-ratelimit-remaining-requests", text("0")),
                ("x-ratelimit-reset-requests", text("900ms")),
            ],
        ),
        (
            "a moment without what is left",
            vec![("x-ratelimit-reset", seconds.to_string())],
        ),
    ]
}

#[test]
fn a_429_is_asked_again_when_it_says_in_whatever_form() {
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..told().len())
            .map(|form| {
                scope.spawn(move || {
                    // The headers hold moments, so they are made when the answer is.
                    let server = failing(1, move || {
                        let (_, headers) = &told()[form];
                        headers
                            .iter()
                            .fold(json("{}").status(429), |reply, (name, value)| {
                                reply.header(name, value)
                            })
                    });
                    project(&server.url, QUICK, "").run("main");
                    let asked = server.asked();
                    (told()[form].0, asked.len(), asked[1].at - asked[0].at)
                })
            })
            .collect();
        for run in runs {
            let (form, requests, waited) = run.join().expect("a run that succeeds");
            assert_eq!(requests, 2, "{form}");
            assert!(waited >= Duration::from_millis(850), "{form}: {waited:?}");
        }
    });
}

#[test]
fn a_wait_longer_than_max_wait_fails_at_once_and_is_told() {
    let server = failing(usize::MAX, || {
        json("{}").status(429).header("retry-after", "86400")
    });
    let ran = project(&server.url, "", "").sequor(&["run", "main"]);
    ran.fails(1, &["asks to wait 1day", "max_wait", "1h now"]);
    assert_eq!(server.asked().len(), 1);
    let server = failing(usize::MAX, || json("{}").status(429).header("retry-after", "30"));
    let ran = project(&server.url, "", "    retry: {max_wait: 2s}\n").sequor(&["run", "main"]);
    ran.fails(1, &["asks to wait 30s", "max_wait", "2s now"]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_long_wait_is_obeyed_where_the_flow_allows_it() {
    let server = failing(usize::MAX, || {
        json("{}").status(429).header("retry-after", "86400")
    });
    let project = project(&server.url, "", "    retry: {max_wait: 25h, max_elapsed: 25h}\n");
    let mut run = project
        .command(&["run", "main"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sequor runs");
    let ended = loop {
        std::thread::sleep(Duration::from_millis(20));
        let ended = run.try_wait().expect("a state");
        if ended.is_some() || !server.asked().is_empty() {
            break ended;
        }
    };
    assert!(ended.is_none(), "it does not wait: {ended:?}");
    std::thread::sleep(Duration::from_millis(500));
    let ended = run.try_wait().expect("a state");
    let _ = run.kill();
    let _ = run.wait();
    assert!(ended.is_none(), "it does not wait: {ended:?}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn all_waits_of_a_request_together_are_bounded_by_max_elapsed() {
    let server = failing(usize::MAX, || {
        json("{}").status(429).header("retry-after-ms", "300")
    });
    let project = project(&server.url, "", "    retry: {max_elapsed: 1s}\n");
    project
        .sequor(&["run", "main"])
        .fails(1, &["max_elapsed", "1s now"]);
    // The first, and one behind each wait that a second has room for.
    let asked = server.asked().len();
    assert!((2..=4).contains(&asked), "{asked} requests");
}

/// An answer that is broken on its way the first time; the second is whole.
fn broken_once(first: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static) -> Faults {
    let rows: Vec<String> = (0..1000).map(|id| format!(r#"{{"id": {id}}}"#)).collect();
    let body = format!("[{}]", rows.join(","));
    Faults::start(move |number, _| match number {
        0 => first(&body),
        _ => whole("200 OK", "", &body),
    })
}

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

/// A chunk whose line with the size is empty.
fn no_size(_: &str) -> Vec<Act> {
    vec![Act::Write(format!("{CHUNKED}\r\n").into_bytes())]
}

/// JSON that the end of the connection cuts off: no length was announced that would show it.
fn closed(body: &str) -> Vec<Act> {
    let head = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n";
    vec![Act::Write(format!("{head}{}", &body[..300]).into_bytes())]
}

/// Chunks without the last one.
fn no_end(body: &str) -> Vec<Act> {
    vec![Act::Write(
        format!("{CHUNKED}1f4\r\n{}\r\n", &body[..500]).into_bytes(),
    )]
}

#[test]
fn a_get_whose_answer_is_cut_off_is_sent_again_and_no_row_is_missing() {
    for (what, server) in [
        ("a chunk without a size", broken_once(no_size)),
        ("JSON cut by the end of the connection", broken_once(closed)),
        ("the last chunk is missing", broken_once(no_end)),
    ] {
        let project = project(&server.url, QUICK, "");
        project.run("main");
        let rows = project.rows("stage", "select count(*), count(distinct id) from t");
        assert_eq!(
            (rows[0].as_str(), server.asked().len()),
            ("1000|1000", 2),
            "{what}"
        );
    }
}

#[test]
fn a_post_whose_answer_is_cut_off_is_not_sent_again() {
    for (what, server) in [
        ("a chunk without a size", broken_once(no_size)),
        ("JSON cut by the end of the connection", broken_once(closed)),
    ] {
        let project = project(&server.url, QUICK, "    method: POST\n    body: {a: 1}\n");
        project.sequor(&["run", "main"]).fails(1, &[]);
        assert_eq!(server.asked().len(), 1, "{what}");
    }
}

/// The run's exit code and the number of requests, where the first two answers are bad.
fn twice_bad(request: &str, answer: fn() -> Reply) -> (i32, usize) {
    let server = failing(2, answer);
    let ran = project(&server.url, QUICK, request).sequor(&["run", "main"]);
    (ran.code, server.asked().len())
}

#[test]
fn what_proxies_and_busy_apis_answer_is_tried_again() {
    assert_eq!(twice_bad("", || json("<html>").status(520)), (0, 3));
    assert_eq!(twice_bad("", || json("<html>").status(529)), (0, 3));
    // A POST may have been carried out.
    assert_eq!(
        twice_bad("    method: POST\n", || json("<html>").status(520)),
        (1, 1)
    );
    // These will be no better later.
    assert_eq!(twice_bad("", || json("{}").status(501)), (1, 1));
    assert_eq!(twice_bad("", || json("{}").status(505)), (1, 1));
}

#[test]
fn a_403_is_tried_again_where_it_says_when_or_the_flow_lists_it() {
    assert_eq!(twice_bad("", || json("{}").status(403)), (1, 1));
    let later = || json("{}").status(403).header("retry-after-ms", "50");
    assert_eq!(twice_bad("", later), (0, 3));
    let spent = || {
        json("{}")
            .status(403)
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", "0.05")
    };
    assert_eq!(twice_bad("", spent), (0, 3));
    let listed = "    retry: {statuses: [403, 429], max_attempts: 4}\n";
    assert_eq!(twice_bad(listed, || json("{}").status(403)), (0, 3));
}

/// An export that comes line by line, more than a second in all; `silent_after`: lines before it says no more.
fn trickling(silent_after: usize) -> Faults {
    Faults::start(move |_, _| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut acts = vec![Act::Write(head.as_bytes().to_vec())];
        for line in 0..8 {
            let text = if line == 0 {
                "id\n".to_string()
            } else {
                format!("{line}\n")
            };
            let chunk = format!("{:x}\r\n{text}\r\n", text.len());
            let pause = if line < silent_after { 150 } else { 2000 };
            let (first, rest) = chunk.split_at(1);
            acts.push(Act::Drip(first.as_bytes().to_vec(), Duration::from_millis(pause)));
            acts.push(Act::Write(rest.as_bytes().to_vec()));
        }
        acts.push(Act::Write(b"0\r\n\r\n".to_vec()));
        acts
    })
}

const LOAD_CSV: &str = indoc! {"
    - op: http_request
      request: {source: api, url: /export, retry: {max_attempts: 1}}
      response:
        format: csv
        tables:
          - {source: stage, table: t, columns: {id: integer}}
"};

#[test]
fn a_slow_but_steady_answer_is_read_whole() {
    let server = trickling(usize::MAX);
    let project = project(&server.url, "timeout: 1s\n", "").file("flows/main.yaml", LOAD_CSV);
    project.run("main");
    let rows = project.rows("stage", "select count(*), sum(id) from t");
    assert_eq!((rows[0].as_str(), server.asked().len()), ("7|28", 1));
}

#[test]
fn an_answer_that_falls_silent_in_the_middle_meets_the_timeout() {
    let server = trickling(3);
    let project = project(&server.url, "timeout: 1s\n", "").file("flows/main.yaml", LOAD_CSV);
    project
        .sequor(&["run", "main"])
        .fails(1, &["nothing came for 1s"]);
}

#[test]
fn total_timeout_bounds_the_whole_of_a_request() {
    let server = trickling(usize::MAX);
    let project =
        project(&server.url, "timeout: 1s\ntotal_timeout: 500ms\n", "").file("flows/main.yaml", LOAD_CSV);
    project
        .sequor(&["run", "main"])
        .fails(1, &["not done in 500ms", "`total_timeout`"]);
}
