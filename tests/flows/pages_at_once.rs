//! Pages that are asked for at the same time, and those that come one by one.

use indoc::formatdoc;
use std::time::Duration;

use super::fan_out::project;
use crate::support::server::{Asked, Reply, Server, json};

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
        let step = formatdoc!(
            "
                - op: http_request
                  id: get
                  request: {{source: api, url: /x, pagination: {pagination}}}
                {LOAD}"
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
        let step = formatdoc!(
            "
                - op: http_request
                  request: {{source: api, url: /x, pagination: {{type: header_link}}}}
                {LOAD}"
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
fn what_pages_set_is_not_for_the_pages_behind_them() {
    let server = pages("\"meta\": {\"pages\": 3}, \"token\": \"x\"");
    let step = formatdoc!(
        r#"
            - op: http_request
              init: {{variables: {{token: a}}}}
              request: {{source: api, url: /x, headers: {{x-token: "{{{{ var('token') }}}}"}}, pagination: {{type: page_number, total_pages_path: meta.pages}}}}
            {LOAD}    variables: {{token_expression: "response.json()['token']"}}
        "#
    );
    let project = project(&server, "", &step);
    project.run("main");
    let asked = server.asked();
    let tokens: Vec<&str> = asked.iter().map(|a| a.header("x-token")).collect();
    assert_eq!(tokens, ["a", "a", "a"]);
    assert!(at_once(&asked, 30) > 1);
}

#[test]
fn max_pages_also_holds_for_pages_at_the_same_time() {
    let server = pages("\"meta\": {\"pages\": 20}");
    let step = formatdoc!("
            - op: http_request
              request: {{source: api, url: /x, pagination: {{type: page_number, total_pages_path: meta.pages, max_pages: 4}}}}
            {LOAD}"
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
        page => json(format!(
            "{{\"pages\": 20, \"rows\": [{{\"id\": {}}}]}}",
            page.unwrap_or_default()
        )),
    });
    let step = formatdoc!(
        "
            - op: http_request
              request: {{source: api, url: /x, pagination: {{type: page_number, total_pages_path: pages}}}}
            {LOAD}"
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
    let step = formatdoc!(
        "
            - op: http_request
              request: {{source: api, url: /x, pagination: {{type: auto}}}}
            {LOAD}"
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
        .fails(1, &["page 2 has the same rows as the page before it", "`param`"]);
}
