//! Pages as real APIs give them: links of every spelling, marks that are easily mistaken, slips in paths.

use indoc::{formatdoc, indoc};
use serde_json::{Value as Json, json as value};

use crate::support::postgres;
use crate::support::program::Project;
use crate::support::server::{Asked, Reply, Server, json};

/// A project that reads `request` into the table `t`, from the list at `path`. `$API` is the server.
fn project(server: &Server, base: &str, request: &str, path: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}{base}\n", server.url),
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  id: get
                  request: {{source: api, {request}}}
                  response: {{source: stage, tables: [{{table: t, columns: {{id: integer}}, data_path: {path}}}]}}
                "
            ),
        )
}

fn count(project: &Project) -> String {
    project.rows("stage", "select count(*) from t").concat()
}

#[test]
fn next_links_are_followed_as_a_browser_follows_them() {
    // `$` stands for the number of the next page.
    for (name, link) in [
        ("whole", "$API/spi/v3/whole?since=$"),
        ("top", "/spi/v3/top?since=$"),
        ("relative", "relative?since=$"),
        ("query", "?since=$"),
    ] {
        let server = Server::start(move |asked: &Asked| {
            if asked.path != format!("/spi/v3/{name}") {
                return json("{}").status(404);
            }
            let page: u64 = asked
                .parameter("since")
                .map_or(1, |n| n.parse().expect("a number"));
            let api = format!("http://{}", asked.header("host"));
            let next = link.replace("$API", &api).replace('$', &(page + 1).to_string());
            let next = if page < 3 { Json::from(next) } else { Json::Null };
            json(value!({"items": [{"id": page}], "paging": {"next": next}}).to_string())
        });
        let request = format!("url: /{name}, pagination: {{type: json_link, next_path: paging.next}}");
        let project = project(&server, "/spi/v3", &request, "items");
        project.run("main");
        assert_eq!(count(&project), "3", "{name}");
    }
    // A url that is neither a path nor whole is a mistake.
    let server = Server::start(|_: &Asked| json("{}"));
    project(&server, "/spi/v3", "url: relative", "items")
        .sequor(&["validate", "main"])
        .fails(2, &["`relative` is not a url"]);
}

#[test]
fn signed_links_go_out_as_they_came() {
    let target = |page: u64| format!("/list?filter%5Bname%5D=a%20b,c&sig=x%2Fy%3D&page={page}");
    for last in [true, false] {
        let server = Server::start(move |asked: &Asked| {
            let page: u64 = asked
                .parameter("page")
                .map_or(1, |n| n.parse().expect("a number"));
            let came = format!("{}?{}", asked.path, asked.query);
            if page > 1 && came != target(page) {
                return json("{}").status(403);
            }
            let reply = json(format!("[{{\"id\": {page}}}]"));
            let link =
                |page, rel| format!("<http://{}{}>; rel=\"{rel}\"", asked.header("host"), target(page));
            match (page, last) {
                (4, _) => reply,
                (_, true) => reply.header(
                    "link",
                    &format!("{}, {}", link(page + 1, "next"), link(4, "last")),
                ),
                (_, false) => reply.header("link", &link(page + 1, "next")),
            }
        });
        let project = project(&server, "", "url: /list, pagination: {type: header_link}", "$");
        project.run("main");
        assert_eq!(count(&project), "4");
    }
}

#[test]
fn auto_knows_the_links_of_odata() {
    let server = Server::start(|asked: &Asked| {
        let page: u64 = asked
            .parameter("$skiptoken")
            .map_or(1, |token| token.trim_end_matches('x').parse().expect("a number"));
        let mut body = value!({"@odata.context": "http://x.test/$metadata", "value": [{"id": page}]});
        if page < 3 {
            let next = format!(
                "http://{}/users/?$top=1&$skiptoken={}x",
                asked.header("host"),
                page + 1
            );
            body["@odata.nextLink"] = next.into();
        }
        json(body.to_string())
    });
    let project = project(&server, "", "url: /users, pagination: {type: auto}", "value");
    project.run("main");
    assert_eq!(count(&project), "3");
}

/// A server whose pages are found by the mark `after`, of which the list gives the next.
fn marks(marks: &'static [Json], place: fn(&Asked) -> Option<String>) -> Server {
    Server::start(move |asked: &Asked| {
        let text = |mark: &Json| mark.as_str().map_or_else(|| mark.to_string(), str::to_string);
        let at = match place(asked) {
            None => 0,
            Some(mark) => marks.iter().position(|m| text(m) == mark).map_or(99, |at| at + 1),
        };
        let next = marks.get(at).cloned().unwrap_or_default();
        json(value!({"items": [{"id": at}], "next": next}).to_string())
    })
}

#[test]
fn marks_that_are_easily_mistaken() {
    for (list, pages) in [
        (vec![value!(0), value!(5), value!(null)], "3"),
        (vec![value!("a"), value!("")], "2"),
        (vec![value!("a"), value!(false)], "2"),
        (vec![value!(7), value!("x-7")], "3"),
    ] {
        let list: &'static [Json] = Vec::leak(list);
        let server = marks(list, |asked| asked.parameter("after"));
        let request = "url: /x, pagination: {type: cursor, cursor_path: next, param: after}";
        let project = project(&server, "", request, "items");
        project.run("main");
        assert_eq!(count(&project), pages, "{list:?}");
    }
}

#[test]
fn a_mark_goes_deep_into_a_body() {
    let server = Server::start(|asked: &Asked| {
        let body: Json = serde_json::from_str(&asked.body).unwrap_or_default();
        assert_eq!(body["variables"]["first"], 1);
        let page = body["variables"]["after"].as_u64().unwrap_or(0) + 1;
        let more = page < 3;
        let info = value!({"endCursor": page, "hasNextPage": more});
        json(value!({"data": {"orders": {"nodes": [{"id": page}], "pageInfo": info}}}).to_string())
    });
    let request = "url: /graphql, method: POST, safe: true, body: {query: q, variables: {first: 1}}, \
        pagination: {type: cursor, cursor_path: data.orders.pageInfo.endCursor, param: variables.after, in: body, \
        has_more_path: data.orders.pageInfo.hasNextPage}";
    let project = project(&server, "", request, "data.orders.nodes");
    project.run("main");
    assert_eq!(count(&project), "3");
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_slip_in_the_path_of_a_mark_is_told_and_an_end_is_not() {
    let answer = |asked: &Asked| -> Reply {
        let page: u64 = asked
            .parameter("page")
            .map_or(1, |n| n.parse().expect("a number"));
        let mut body = value!({"items": [{"id": page}], "meta": {"pagination": {"next": page + 1}}});
        if page == 3 || asked.path == "/single" {
            body["meta"]["pagination"] = value!({});
        }
        json(body.to_string())
    };
    let server = Server::start(answer);
    let run = |url: &str, path: &str| {
        let request = format!("url: {url}, pagination: {{type: cursor, cursor_path: {path}, param: page}}");
        let project = project(&server, "", &request, "items");
        let ran = project.run("main");
        (count(&project), ran.stderr)
    };
    let (_, told) = run("/items", "meta.paginaton.next");
    assert!(
        told.contains("paginaton") && told.replace("paginaton", "").contains("pagination"),
        "{told}"
    );
    for (url, rows) in [("/items", "3"), ("/single", "1")] {
        let (got, told) = run(url, "meta.pagination.next");
        assert_eq!(got, rows);
        assert!(!told.contains("warning"), "{told}");
    }
}

#[test]
fn the_request_of_a_paging_is_made_once() {
    let server = Server::start(|asked: &Asked| {
        let page: usize = asked
            .parameter("page")
            .map_or(1, |n| n.parse().expect("a number"));
        let since: usize = asked
            .parameter("since")
            .map_or(0, |n| n.parse().expect("a number"));
        let rows: Vec<Json> = (since + 1..=7).map(|id| value!({"id": id})).collect();
        let rows: Vec<Json> = rows.into_iter().skip((page - 1) * 2).take(2).collect();
        json(value!({"items": rows, "as_of": 5}).to_string())
    });
    let request = "url: /items, pagination: {type: page_number}, \
        parameters: {since_expression: \"var('since') if is_var_defined('since') else None\"}";
    let project = project(&server, "", request, "items");
    let flow = project.read("flows/main.yaml").replace(
        "response: {source: stage,",
        "response: {variables: {since_expression: \"response.json()['as_of']\"}, source: stage,",
    );
    project.write("flows/main.yaml", &flow);
    project.run("main");
    assert_eq!(count(&project), "7");
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.parameter("since").is_none())
    );
    let before = server.asked().len();
    project.run("main");
    assert_eq!(count(&project), "2");
    let later = server.asked().split_off(before);
    assert!(
        later
            .iter()
            .all(|asked| asked.parameter("since").as_deref() == Some("5"))
    );
}

#[test]
fn a_total_that_says_less_than_what_comes_is_not_believed() {
    for total in ["0", "3", "null", "\"many\"", "-1"] {
        let server = Server::start(move |asked: &Asked| {
            let page: u64 = asked
                .parameter("page")
                .map_or(1, |n| n.parse().expect("a number"));
            let ids = (page * 2 - 1..=page * 2).filter(|id| *id <= 7);
            let rows: Vec<String> = ids.map(|id| format!("{{\"id\": {id}}}")).collect();
            json(format!("{{\"items\": [{}], \"total\": {total}}}", rows.join(",")))
        });
        let request = "url: /items, pagination: {type: page_number, size: 5, size_param: per_page, total_pages_path: total}";
        let project = project(&server, "", request, "items");
        let ran = project.run("main");
        assert_eq!(count(&project), "7", "{total}: {}", ran.stderr);
        assert!(ran.stderr.contains("warning"), "{total}");
    }
}

#[test]
fn a_status_past_the_end_has_to_be_named() {
    let server = Server::start(|asked: &Asked| {
        let page: u64 = asked
            .parameter("page")
            .map_or(1, |n| n.parse().expect("a number"));
        match page {
            1 | 2 => json(format!(
                "[{{\"id\": {}}}, {{\"id\": {}}}]",
                page * 2 - 1,
                page * 2
            )),
            _ => json("{}").status(400),
        }
    });
    let named = project(
        &server,
        "",
        "url: /x, pagination: {type: page_number, stop_status: [400]}",
        "$",
    );
    named.run("main");
    assert_eq!(count(&named), "4");
    project(&server, "", "url: /x, pagination: {type: page_number}", "$")
        .sequor(&["run", "main"])
        .fails(1, &["400", "stop_status"]);
}

#[test]
fn values_of_a_query_as_apis_read_them() {
    let server = Server::start(|_: &Asked| json("[]"));
    let project = Project::new()
        .file("sources/api.yaml", &format!("type: http\nbase_url: {}\n", server.url))
        .file(
            "flows/main.yaml",
            indoc! {r#"
                - op: http_request
                  request:
                    source: api
                    url: /search
                    parameters: {flag: true, off: false, computed_expression: 1 < 2, many: [true, false], empty: "", none: null, filter: 'a eq "R&D" + x=1;é'}
                - op: http_request
                  request: {source: api, url: /whole, parameters_expression: "{'deep': 1 > 2}"}
            "#},
        );
    project.run("main");
    let mut asked = server.asked();
    asked.sort_by(|a, b| a.path.cmp(&b.path));
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(asked[0].query.as_bytes())
        .into_owned()
        .collect();
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    let wanted = [
        pair("flag", "true"),
        pair("off", "false"),
        pair("computed", "true"),
        pair("many", "true"),
        pair("many", "false"),
        pair("empty", ""),
        pair("filter", "a eq \"R&D\" + x=1;é"),
    ];
    assert_eq!(pairs, wanted);
    assert_eq!(asked[1].parameter("deep").as_deref(), Some("false"));
}

#[test]
fn a_key_that_stands_twice_means_the_same_to_every_reader() {
    let server = Server::start(|_: &Asked| json(r#"[{"id": 1, "id": 2, "deep": {"a": 1, "a": 2}}]"#));
    let mut read = Vec::new();
    for (name, table) in [
        (
            "declared",
            "columns: {id: integer, a: {type: integer, path: deep.a}}, data_path: $",
        ),
        (
            "python",
            "columns: {id: integer, a: integer}, data_expression: \"[{'id': r['id'], 'a': r['deep']['a']} for r in response.json()]\"",
        ),
    ] {
        let project = project(&server, "", "url: /x", "$");
        let flow = project.read("flows/main.yaml");
        let flow = flow.replace("columns: {id: integer}, data_path: $", table);
        project.write("flows/main.yaml", &flow);
        project.run("main");
        read.push((name, project.rows("stage", "select id, a from t")));
    }
    assert!(read.iter().all(|(_, rows)| rows == &["2|2"]), "{read:?}");
}

#[test]
fn values_of_postgresql_go_out_as_they_are() {
    let database = postgres::Database::new();
    database.execute(indoc! {"
        create table tame as select 1.1::real r, 0.1::real s, 3.50::numeric(10,2) n;
        create table endless as select 1 as id, 'infinity'::date as until_when
    "});
    let server = Server::start(|_: &Asked| json("{}"));
    let flow = |table: &str| {
        format!(
            "- op: http_request\n  for_each: {{source: pg, table: {table}, as: k}}\n  request: {{source: api, url: /x, method: POST, body_expression: \"var('k').to_dict()\"}}\n"
        )
    };
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("sources/pg.yaml", &database.source())
        .file("flows/tame.yaml", &flow("tame"))
        .file("flows/endless.yaml", &flow("endless"));
    project.run("tame");
    assert_eq!(server.asked()[0].body, r#"{"r":1.1,"s":0.1,"n":3.50}"#);
    // No date of Python's or JSON's is endless.
    project
        .sequor(&["run", "endless"])
        .fails(1, &["until_when", "infinit"]);
    assert_eq!(server.asked().len(), 1);
}
