//! Batches of rows, pages at the same time, paging that shows itself, and limits of a request's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::program::Project;
use crate::support::server::{Asked, Reply, Server, json};

fn project(server: &Server, source: &str, step: &str) -> Project {
    Project::new()
        .file("sources/api.yaml", &format!("type: http\nbase_url: {}\n{source}", server.url))
        .file(
            "flows/fill.yaml",
            "- op: execute\n  source: stage\n  statement: create table rows as select value as id, 'n' || value as name from generate_series(1, 25)\n",
        )
        .file("flows/main.yaml", step)
}

#[test]
fn one_request_for_each_batch() {
    let server = Server::start(|asked: &Asked| {
        let rows: serde_json::Value = serde_json::from_str(&asked.body).expect("JSON");
        json(serde_json::json!({"done": rows["customers"]}).to_string())
    });
    let bodies = [
        "body_expression: \"{'customers': [{'id': r['id'], 'name': r['name']} for r in var('batch')]}\"",
        "body_expression: \"{'customers': [r.to_dict() for r in var('batch')]}\"",
        "body_expression: \"{'customers': var('batch')}\"",
    ];
    for body in bodies {
        let step = format!(
            "- op: http_request\n  id: push\n  for_each: {{source: stage, table: rows, as: batch, batch_size: 10}}\n  request: {{source: api, url: /x, method: POST, {body}}}\n  response:\n    tables:\n      - {{source: stage, table: done, columns: {{id: integer, name: text}}, data_path: done}}\n"
        );
        let project = project(&server, "", &step);
        project.run("fill");
        let before = server.asked().len();
        project.run("main");
        assert_eq!(server.asked().len() - before, 3, "{body}");
        let rows = project.rows("stage", "select count(*), sum(id), max(name) from done");
        assert_eq!(rows, ["25|325|n9"], "{body}");
    }
    let bad = project(
        &server,
        "",
        "- op: http_request\n  for_each: {source: stage, table: rows, as: b, batch_size: 0}\n  request: {source: api, url: /x}\n",
    );
    bad.sequor(&["validate"])
        .fails(2, &["`batch_size` of a for_each must be a whole number above 0"]);
}

#[test]
fn a_batch_that_fails_is_named_and_may_be_rejected() {
    let server = Server::start(|asked: &Asked| match asked.body.contains("n12") {
        true => json("{}").status(400),
        false => json("{}"),
    });
    let step = "- op: http_request\n  id: push\n  for_each: {source: stage, table: rows, as: batch, batch_size: 10}\n  request: {source: api, url: /x, method: POST, body_expression: \"[r['name'] for r in var('batch')]\"}\n";
    let project = project(&server, "", step);
    project.run("fill");
    project
        .sequor(&["run", "main"])
        .fails(1, &["batch 2 of `rows` (batch)"]);
    project.write(
        "flows/main.yaml",
        &step.replace("  for_each", "  on_error: reject\n  for_each"),
    );
    let ran = project.run("main");
    assert!(
        ran.all()
            .contains("1 batch was rejected and is in table `push_rejects`"),
        "{}",
        ran.all()
    );
    assert_eq!(
        project.rows("stage", "select json_length(row), status from push_rejects"),
        ["10|400"]
    );
}

/// How many requests were under way at the same time, at a server that answers each after so many milliseconds.
fn at_once(asked: &[Asked], milliseconds: u64) -> usize {
    let meanwhile = |first: &Asked| {
        let answered = first.at + Duration::from_millis(milliseconds);
        let others = asked.iter().filter(|a| a.at >= first.at && a.at < answered);
        others.count()
    };
    asked.iter().map(meanwhile).max().unwrap_or(0)
}

/// A server of 20 pages, each of which takes 50 ms.
fn pages(total: &'static str) -> Server {
    Server::start(move |asked: &Asked| {
        let page: u64 = asked.parameter("page").and_then(|p| p.parse().ok()).unwrap_or(1);
        let offset: u64 = asked
            .parameter("offset")
            .and_then(|p| p.parse().ok())
            .unwrap_or(0);
        let first = offset.max((page - 1) * 5);
        let rows: Vec<String> = (first..(first + 5).min(98))
            .map(|id| format!("{{\"id\": {id}}}"))
            .collect();
        json(format!("{{{total}, \"rows\": [{}]}}", rows.join(","))).after(Duration::from_millis(50))
    })
}

const LOAD: &str =
    "  response:\n    tables:\n      - {source: stage, table: t, columns: {id: integer}, data_path: rows}\n";

#[test]
fn pages_whose_number_is_known_come_at_the_same_time() {
    for (pagination, total) in [
        (
            "{type: page_number, size: 5, total_pages_path: meta.pages}",
            "\"meta\": {\"pages\": 20}",
        ),
        ("{type: offset, size: 5, total_path: total}", "\"total\": 98"),
        ("{type: auto}", "\"total_pages\": 20"),
    ] {
        let server = pages(total);
        let step = format!(
            "- op: http_request\n  id: get\n  request: {{source: api, url: /x, pagination: {pagination}}}\n{LOAD}"
        );
        let project = project(&server, "concurrency: 10\n", &step);
        let plan = project.sequor(&["plan", "main"]).stdout;
        assert!(
            plan.contains("pages: up to 10 at the same time, when the first tells how many there are"),
            "{plan}"
        );
        project.run("main");
        assert_eq!(
            project.rows("stage", "select count(*), sum(id) from t"),
            ["98|4753"],
            "{pagination}"
        );
        let asked = server.asked();
        assert_eq!(asked.len(), 20, "{pagination}");
        assert!(at_once(&asked, 50) > 3, "{pagination}");
        // The rows are in the order of the pages.
        let first = project.rows("stage", "select id from t limit 6");
        assert_eq!(first, ["0", "1", "2", "3", "4", "5"]);
    }
}

#[test]
fn a_link_to_the_last_page_counts_them() {
    for (last, together) in [("page=20", true), ("page=last", false), ("other=20", false)] {
        let server = Server::start(move |asked: &Asked| {
            let page: u64 = asked.parameter("page").and_then(|p| p.parse().ok()).unwrap_or(1);
            let reply = json(format!("{{\"rows\": [{{\"id\": {page}}}]}}")).after(Duration::from_millis(30));
            let link = format!(
                "</x?a=%20b&page={}>; rel=\"next\", </x?a=%20b&{last}>; rel=\"last\"",
                page + 1
            );
            match page {
                20 => reply,
                _ => reply.header("link", &link),
            }
        });
        let step = format!(
            "- op: http_request\n  request: {{source: api, url: /x, pagination: {{type: header_link}}}}\n{LOAD}"
        );
        let project = project(&server, "concurrency: 10\n", &step);
        project.run("main");
        assert_eq!(
            project.rows("stage", "select count(*), sum(id) from t"),
            ["20|210"],
            "{last}"
        );
        let asked = server.asked();
        assert_eq!(asked.len(), 20, "{last}");
        assert_eq!(at_once(&asked, 30) > 1, together, "{last}");
        assert!(
            asked[1..]
                .iter()
                .all(|a| a.parameter("a").as_deref() == Some(" b"))
        );
    }
}

#[test]
fn pages_that_depend_on_each_other_come_one_by_one() {
    let server = pages("\"meta\": {\"pages\": 3}, \"token\": \"x\"");
    let step = format!(
        "- op: http_request\n  init: {{variables: {{token: a}}}}\n  request: {{source: api, url: /x, headers: {{x-token: \"{{{{ var('token') }}}}\"}}, pagination: {{type: page_number, total_pages_path: meta.pages}}}}\n{LOAD}    variables: {{token_expression: \"response.json()['token']\"}}\n"
    );
    let project = project(&server, "", &step);
    let plan = project.sequor(&["plan", "main"]).stdout;
    assert!(!plan.contains("pages: "), "{plan}");
    project.run("main");
    let asked = server.asked();
    let tokens: Vec<&str> = asked.iter().map(|a| a.header("x-token")).collect();
    assert_eq!(tokens, ["a", "x", "x"]);
    assert!(asked[2].at - asked[1].at >= Duration::from_millis(50));
}

#[test]
fn max_pages_also_holds_for_pages_at_the_same_time() {
    let server = pages("\"meta\": {\"pages\": 20}");
    let step = format!(
        "- op: http_request\n  request: {{source: api, url: /x, pagination: {{type: page_number, total_pages_path: meta.pages, max_pages: 4}}}}\n{LOAD}"
    );
    let project = project(&server, "", &step);
    project.run("main");
    assert_eq!(server.asked().len(), 4);
    assert_eq!(project.rows("stage", "select count(*) from t"), ["20"]);
}

#[test]
fn a_page_that_fails_fails_the_step() {
    let server = Server::start(|asked: &Asked| match asked.parameter("page").as_deref() {
        Some("7") => json("{}").status(400),
        _ => json("{\"pages\": 20, \"rows\": [{\"id\": 1}]}"),
    });
    let step = format!(
        "- op: http_request\n  request: {{source: api, url: /x, pagination: {{type: page_number, total_pages_path: pages}}}}\n{LOAD}"
    );
    let project = project(&server, "", &step);
    project.sequor(&["run", "main"]).fails(1, &["answered 400"]);
    project
        .sequor(&["query", "stage", "select * from t"])
        .fails(1, &["t"]);
}

/// Three pages, linked as the first argument says.
fn linked(
    next: impl Fn(u64, &str) -> (String, Option<String>) + Send + Sync + 'static,
    page: impl Fn(&Asked) -> u64 + Send + Sync + 'static,
) -> Server {
    Server::start(move |asked: &Asked| -> Reply {
        let host = format!("http://{}", asked.header("host"));
        let page = page(asked);
        let (more, link) = next(page, &host);
        let reply = json(format!("{{\"rows\": [{{\"id\": {page}}}]{more}}}"));
        match link {
            Some(link) => reply.header("link", &link),
            None => reply,
        }
    })
}

#[test]
fn paging_shows_itself() {
    let by = |name: &'static str| {
        move |asked: &Asked| {
            asked
                .parameter(name)
                .and_then(|p| p.trim_start_matches('c').parse().ok())
                .unwrap_or(1)
        }
    };
    let servers = [
        linked(
            |page, host| {
                (
                    String::new(),
                    (page < 3).then(|| format!("<{host}/x?p={}>; rel=\"next\"", page + 1)),
                )
            },
            by("p"),
        ),
        linked(
            |page, host| match page {
                3 => (", \"links\": {\"next\": null}".into(), None),
                _ => (
                    format!(", \"links\": {{\"next\": \"{host}/x?p={}\"}}", page + 1),
                    None,
                ),
            },
            by("p"),
        ),
        linked(
            |page, _| match page {
                3 => (", \"@odata.nextLink\": null".into(), None),
                _ => (format!(", \"@odata.nextLink\": \"/x?p={}\"", page + 1), None),
            },
            by("p"),
        ),
        linked(
            |page, _| match page {
                3 => (", \"next_cursor\": \"\"".into(), None),
                _ => (format!(", \"next_cursor\": \"c{}\"", page + 1), None),
            },
            by("cursor"),
        ),
        linked(
            |page, _| match page {
                3 => (String::new(), None),
                _ => (
                    format!(", \"paging\": {{\"next\": {{\"after\": \"{}\"}}}}", page + 1),
                    None,
                ),
            },
            by("after"),
        ),
        linked(
            |_, _| (", \"meta\": {\"total_pages\": 3}".into(), None),
            by("page"),
        ),
    ];
    let step = format!(
        "- op: http_request\n  request: {{source: api, url: /x, pagination: {{type: auto}}}}\n{LOAD}"
    );
    for (number, server) in servers.iter().enumerate() {
        let project = project(server, "", &step);
        project.run("main");
        assert_eq!(
            project.rows("stage", "select id from t order by 1"),
            ["1", "2", "3"],
            "{number}"
        );
        assert_eq!(server.asked().len(), 3, "{number}");
    }
    // One page, and an API that does not know the parameter.
    let one = linked(|_, _| (String::new(), None), |_| 1);
    project(&one, "", &step).run("main");
    assert_eq!(one.asked().len(), 1);
    let deaf = linked(|_, _| (", \"total_pages\": 3".into(), None), |_| 1);
    project(&deaf, "", &step)
        .sequor(&["run", "main"])
        .fails(1, &["page 2 is the same as the page before it", "`param`"]);
}

/// A server that counts how many requests it has at the same time, and refuses more than it bears.
fn bearing(bears: usize, most: &Arc<AtomicUsize>) -> Server {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), most.clone());
    Server::start(move |_: &Asked| {
        let under_way = now.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(under_way, Ordering::SeqCst);
        let now = now.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            now.fetch_sub(1, Ordering::SeqCst);
        });
        let reply = json("{}").after(Duration::from_millis(20));
        match under_way > bears {
            true => reply.status(429).after(Duration::ZERO),
            false => reply,
        }
    })
}

#[test]
fn concurrency_auto_finds_what_the_api_bears() {
    let most = Arc::default();
    let server = bearing(24, &most);
    let project = project(
        &server,
        "concurrency: auto\nretry: {max_attempts: 20, backoff: {initial: 10ms, max: 100ms}}\n",
        "- op: http_request\n  for_each: {source: stage, table: many, as: row}\n  request: {source: api, url: /x}\n",
    );
    project.write(
        "flows/fill.yaml",
        "- op: execute\n  source: stage\n  statement: create table many as select * from generate_series(1, 2000)\n",
    );
    project.run("fill");
    let plan = project.sequor(&["plan", "main"]).stdout;
    assert!(
        plan.contains("as many at the same time as the API takes"),
        "{plan}"
    );
    project.run("main");
    let asked = server.asked().len();
    let most = most.load(Ordering::SeqCst);
    // It went up to the limit, and did not run into it all the time.
    assert!(most > 16, "{most}");
    assert!(asked < 3000, "{asked} requests for 2000 rows");
}

#[test]
fn a_request_has_limits_of_its_own() {
    let most = Arc::default();
    let server = bearing(1000, &most);
    let step = "- op: http_request\n  for_each: {source: stage, table: rows, as: row}\n  request: {source: api, url: /x, concurrency: 3}\n";
    let project = project(&server, "concurrency: 16\n", step);
    project.run("fill");
    project.run("main");
    let seen = most.load(Ordering::SeqCst);
    assert!(seen <= 7, "{seen}");
    // 25 requests at 50 per second.
    project.write(
        "flows/main.yaml",
        &step.replace("concurrency: 3", "rate_limit: {requests: 50}"),
    );
    let before = server.asked().len();
    project.run("main");
    let asked = server.asked();
    let took = asked[asked.len() - 1].at - asked[before].at;
    assert!(took >= Duration::from_millis(470), "{took:?}");
    project.write(
        "flows/main.yaml",
        &step.replace("concurrency: 3", "concurrency: 0"),
    );
    project
        .sequor(&["validate"])
        .fails(2, &["`concurrency` must be a whole number above 0, or auto"]);
}
