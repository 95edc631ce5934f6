//! Paging that could lose or repeat rows without a word.

use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};
use indoc::formatdoc;

const LOAD: &str =
    "  response:\n    tables:\n      - {source: stage, table: t, columns: {id: integer}, data_path: rows}\n";

fn project(server: &Server, pagination: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  id: get
                  request: {{source: api, url: /x, pagination: {pagination}}}
                {LOAD}"
            ),
        )
}

fn parameter(asked: &Asked, name: &str) -> Option<u64> {
    asked.parameter(name).and_then(|text| text.parse().ok())
}

/// Rows from..to as JSON.
fn rows(from: u64, to: u64) -> String {
    let rows: Vec<String> = (from..to).map(|id| format!("{{\"id\": {id}}}")).collect();
    format!("\"rows\": [{}]", rows.join(","))
}

#[test]
fn links_with_positions_or_marks_are_followed_one_by_one() {
    for (name, step, pages) in [("offset", 10, 5), ("start", 10, 5), ("after", 2, 3)] {
        let server = Server::start(move |asked: &Asked| {
            let at = parameter(asked, name).unwrap_or(0);
            let reply = json(format!("{{{}}}", rows(at, at + step)));
            match at + step < step * pages {
                true => reply.header(
                    "link",
                    &format!(
                        "</x?limit={step}&{name}={}>; rel=\"next\", </x?limit={step}&{name}={}>; rel=\"last\"",
                        at + step,
                        step * (pages - 1)
                    ),
                ),
                false => reply,
            }
        });
        for kind in ["{type: header_link}", "{type: auto}"] {
            let project = project(&server, kind);
            let before = server.asked().len() as u64;
            project.run("main");
            assert_eq!(server.asked().len() as u64 - before, pages, "{name} {kind}");
            let all = step * pages;
            let counted = project.rows("stage", "select count(*), count(distinct id) from t");
            assert_eq!(counted, [format!("{all}|{all}")], "{name} {kind}");
        }
    }
}

#[test]
fn an_api_with_smaller_pages_than_asked_for_is_told() {
    let server = Server::start(|asked: &Asked| {
        let at = parameter(asked, "offset").unwrap_or(0);
        json(format!("{{\"total\": 7, {}}}", rows(at, (at + 2).min(7))))
    });
    let capped = project(&server, "{type: offset, size: 3, total_path: total}");
    let told = capped.run("main").all();
    assert!(
        told.contains("the API gives 2 rows a page, though 3 are asked for"),
        "{told}"
    );
    assert_eq!(capped.rows("stage", "select count(*) from t"), ["7"]);
    project(&server, "{type: offset, size: 2, total_path: total}").run("main");
    // A total that is larger than what comes is told.
    let fewer = Server::start(|asked: &Asked| {
        let at = parameter(asked, "offset").unwrap_or(0);
        json(format!("{{\"total\": 6, {}}}", rows(at.min(5), (at + 2).min(5))))
    });
    let project = project(&fewer, "{type: offset, size: 2, total_path: total}");
    let ran = project.run("main");
    assert!(
        ran.all()
            .contains("get: 5 rows came, and the API says that there are 6"),
        "{}",
        ran.all()
    );
    assert_eq!(project.rows("stage", "select count(*) from t"), ["5"]);
}

#[test]
fn a_short_page_in_the_middle_does_not_end_a_known_number_of_pages() {
    let server = Server::start(|asked: &Asked| {
        let page = parameter(asked, "page").unwrap_or(1);
        let end = if page == 2 { 3 } else { page * 2 };
        json(format!("{{\"pages\": 4, {}}}", rows(page * 2 - 2, end)))
    });
    let project = project(&server, "{type: page_number, size: 2, total_pages_path: pages}");
    project.run("main");
    assert_eq!(server.asked().len(), 4);
    assert_eq!(project.rows("stage", "select count(*) from t"), ["7"]);
}

#[test]
fn auto_knows_totals_and_fails_where_it_would_lose_rows() {
    type Position = fn(&Asked) -> u64;
    let known: [(&str, Position); 3] = [
        ("\"total\": 7, \"limit\": 2, \"offset\": {at}", |asked| {
            parameter(asked, "offset").unwrap_or(0)
        }),
        ("\"total\": 7, \"per_page\": 2, \"page\": {page}", |asked| {
            (parameter(asked, "page").unwrap_or(1) - 1) * 2
        }),
        ("\"meta\": {\"pages\": 4}", |asked| {
            (parameter(asked, "page").unwrap_or(1) - 1) * 2
        }),
    ];
    for (shape, at) in known {
        let server = Server::start(move |asked: &Asked| {
            let at = at(asked);
            let shape = shape
                .replace("{at}", &at.to_string())
                .replace("{page}", &(at / 2 + 1).to_string());
            json(format!("{{{shape}, {}}}", rows(at, (at + 2).min(7))))
        });
        let project = project(&server, "{type: auto}");
        project.run("main");
        assert_eq!(
            project.rows("stage", "select count(*), count(distinct id) from t"),
            ["7|7"],
            "{shape}"
        );
    }
    for (body, says) in [
        ("\"has_more\": true", "`has_more` is true"),
        ("\"meta\": {\"total\": 12}", "`meta.total` is 12"),
    ] {
        let server = Server::start(move |_: &Asked| json(format!("{{{body}, {}}}", rows(0, 2))));
        project(&server, "{type: auto}").sequor(&["run", "main"]).fails(
            1,
            &[
                "says that there are more pages",
                says,
                "another `type` of `pagination`",
            ],
        );
    }
    let server =
        Server::start(|_: &Asked| json(format!("{{\"total\": 2, \"has_more\": false, {}}}", rows(0, 2))));
    project(&server, "{type: auto}").run("main");
}

#[test]
fn an_absurd_total_ends_with_an_empty_page() {
    let most = u64::MAX;
    let server = Server::start(move |asked: &Asked| {
        let page = parameter(asked, "page").unwrap_or(1);
        let rows = if page > 3 {
            rows(0, 0)
        } else {
            rows(page, page + 1)
        };
        json(format!("{{\"pages\": \"{most}\", {rows}}}"))
    });
    let project = project(&server, "{type: page_number, total_pages_path: pages}");
    project.run("main");
    assert_eq!(project.rows("stage", "select count(*) from t"), ["3"]);
}

#[test]
fn a_stop_among_pages_at_the_same_time() {
    let server = Server::start(|asked: &Asked| {
        let page = parameter(asked, "page").unwrap_or(1);
        json(format!(
            "{{\"pages\": 40, \"last\": {}, {}}}",
            page == 5,
            rows(page, page + 1)
        ))
    });
    let project = project(&server, "{type: page_number, total_pages_path: pages}");
    for (action, loaded) in [("stop", "5"), ("skip", "39")] {
        project.write(
            "flows/main.yaml",
            &formatdoc!("
                    - op: http_request
                      id: get
                      request: {{source: api, url: /x, pagination: {{type: page_number, total_pages_path: pages}}}}
                    {}",
                LOAD.replace(
                    "  response:\n",
                    &format!("  response:\n    rules:\n      - {{when_expression: \"response.json()['last']\", action: {action}}}\n"),
                )
            ),
        );
        project.run("main");
        assert_eq!(
            project.rows("stage", "select count(*) from t"),
            [loaded],
            "{action}"
        );
    }
}

#[test]
fn a_stop_is_no_reason_to_miss_rows() {
    let server = Server::start(|_: &Asked| json(format!("{{\"total\": 9, {}}}", rows(0, 2))));
    let project = project(&server, "{type: offset, size: 2, total_path: total}");
    project.replace(
        "flows/main.yaml",
        "  response:\n",
        "  response:\n    rules:\n      - {when: true, action: stop}\n",
    );
    let ran = project.run("main");
    assert!(!ran.all().contains("rows came"), "{}", ran.all());
}

#[test]
fn a_bad_total_is_shown() {
    let server = Server::start(|asked: &Asked| {
        let at = parameter(asked, "offset").unwrap_or(0);
        json(format!(
            "{{\"meta\": {{\"count\": null}}, {}}}",
            rows(at.min(5), (at + 2).min(5))
        ))
    });
    let bad = project(&server, "{type: offset, size: 2, total_path: meta.count}");
    let told = bad.run("main").all();
    assert!(
        told.contains("`total_path` is not believed: `meta.count` of the response is null"),
        "{told}"
    );
    assert_eq!(bad.rows("stage", "select count(*) from t"), ["5"]);
    project(&server, "{type: offset, size: 2, total_path: meta.countt}")
        .sequor(&["run", "main"])
        .fails(
            1,
            &["`meta` has no `countt`: it has `count`", "did you mean `count`?"],
        );
    project(&server, "{type: page_number, in: body}")
        .sequor(&["validate"])
        .fails(
            2,
            &["puts its parameters into the body, which a GET does not have"],
        );
    project(&server, "{type: offset, size: 0, max_pages: 0}")
        .sequor(&["validate"])
        .fails(
            2,
            &[
                "`size` of `pagination` of type offset must be a whole number above 0",
                "`max_pages`",
            ],
        );
}
