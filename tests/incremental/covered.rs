//! What counts as covered, and what does not.

use super::api::{Api, Row};
use super::{SQLITE, START, flow, project, totals};
use crate::support::databases;
use crate::support::program::Project;
use crate::support::server::{Server, json as answer};

const UPSERT: &str = "write_mode: upsert, primary_key: [id]";

/// A flow that asks for each shop of a list.
fn each_of(list: &str, incremental: &str, more: &str) -> String {
    flow(incremental, "")
        .replace(
            "  request:\n",
            &format!("  for_each: {{values: {list}, as: shop}}\n  request:\n"),
        )
        .replace("url: /orders", "url: \"/orders/{{ var('shop') }}\"")
        .replace("  response:\n", &format!("  response:\n{more}"))
}

fn put(api: &Api, id: u32, shop: u32, day: u32) {
    let at = Some(format!("2024-01-{day:02}T00:00:00Z"));
    api.change(|world| world.rows.insert(id, Row { shop, at, total: 1 }));
}

fn ran(project: &Project, options: &[&str]) {
    let ran = project.sequor(&[&["run", "main"], options].concat());
    assert_eq!(ran.code, 0, "{options:?}: {}", ran.all());
}

#[test]
fn values_of_a_list_have_ranges_of_their_own() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        let api = Api::start();
        (1..=5).for_each(|day| put(&api, day, 1, day));
        (6..=9).for_each(|day| put(&api, day, 2, day));
        let project = project(&api, source, START);
        let text = each_of("[1, 2]", "start_param: since, partition: [shop]", "")
            .replace(UPSERT, "write_mode: replace_range")
            .replace(
                "columns: {",
                "columns: {shop: {type: bigint, value: \"{{ var('shop') }}\"}, ",
            );
        project.write("flows/main.yaml", &text);
        ran(&project, &[]);
        assert_eq!(totals(&project).len(), 9, "{name}");
        // Shop 1 is asked from its own end, which is before that of the other.
        put(&api, 10, 1, 7);
        ran(&project, &[]);
        assert_eq!(totals(&project).len(), 10, "{name}");
        let shown = project
            .sequor(&["state", "show", "main", "orders", "--format", "json"])
            .stdout;
        assert!(shown.contains(r#""partition":"1""#), "{name}: {shown}");
    }
}

#[test]
fn a_response_that_is_skipped_for_its_status_covers_nothing() {
    let api = Api::start();
    put(&api, 1, 1, 3);
    put(&api, 2, 2, 3);
    let project = project(&api, SQLITE, START);
    let skips = "    rules: [{status: 400, action: skip}]\n";
    let text = each_of("[1, 2]", "start_param: since, end_param: until", skips);
    project.write("flows/main.yaml", &text);
    api.change(|world| world.refuses = Some(1));
    ran(&project, &[]);
    assert_eq!(totals(&project), ["2|1"]);
    api.change(|world| world.refuses = None);
    ran(&project, &[]);
    assert_eq!(totals(&project), ["1|1", "2|1"]);
}

#[test]
fn rows_that_are_cut_off_by_another_count_as_missing() {
    // Shop 1 stops all, when the others have pages left.
    let server = Server::start(|asked| {
        let page = asked.parameter("page").unwrap_or("1".into());
        let shop = asked
            .path
            .split('?')
            .next()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_string();
        let number: u32 = page.parse::<u32>().unwrap() + 10 * shop.parse::<u32>().unwrap();
        let stops = shop == "1" && asked.parameter("since").unwrap_or_default().starts_with("2023");
        let rows = match page.as_str() {
            "1" | "2" => {
                format!(r#"{{"id": {number}, "updated_at": "2024-01-0{page}T00:00:00Z", "total": 1}}"#)
            }
            _ => String::new(),
        };
        let answer = answer(format!(r#"{{"stop": {stops}, "data": [{rows}]}}"#));
        match shop.as_str() {
            "1" => answer,
            _ => answer.after(std::time::Duration::from_millis(300)),
        }
    });
    let api = Api::start();
    let project = project(&api, SQLITE, START);
    project.replace("sources/api.yaml", &api.server.url, &server.url);
    let stops = "    rules: [{status: 200, when_expression: \"response.json()['stop']\", action: stop}]\n";
    let text = each_of("[1, 2, 3]", "start_param: since, end_param: until", stops)
        .replace("initial: 2024-01-01", "initial: 2023-01-01");
    project.write("flows/main.yaml", &text);
    ran(&project, &[]);
    let text = text.replace(stops, "");
    project.write("flows/main.yaml", &text);
    ran(&project, &[]);
    assert_eq!(totals(&project), ["11|1", "12|1", "21|1", "22|1", "31|1", "32|1"]);
}

#[test]
fn rows_of_the_future_in_order_are_asked_for_once() {
    let api = Api::start();
    api.change(|world| {
        world.size = 60_000;
        for id in 0..130_000_u32 {
            let at = Some(format!(
                "2099-01-01T{:02}:{:02}:{:02}Z",
                id / 7200,
                id / 120 % 60,
                id / 2 % 60
            ));
            world.rows.insert(
                id,
                Row {
                    shop: 0,
                    at,
                    total: 1,
                },
            );
        }
    });
    let project = project(&api, SQLITE, "start_param: since, order: ascending");
    ran(&project, &[]);
    assert_eq!(project.rows("wh", "select count(*) from orders"), ["130000"]);
    assert!(api.server.asked().len() < 12, "{:?}", api.asked());
}

#[test]
fn what_came_in_another_order_covers_nothing() {
    let server = Server::start(|asked| {
        let rows = match asked.parameter("page").unwrap_or("1".into()).as_str() {
            "1" => r#"{"id": 1, "updated_at": "2024-03-01T00:00:00Z", "total": 1}"#,
            "2" => r#"{"id": 2, "updated_at": "2024-02-01T00:00:00Z", "total": 1}"#,
            _ => "",
        };
        answer(format!(r#"{{"data": [{rows}]}}"#))
    });
    let api = Api::start();
    let project = project(&api, SQLITE, "start_param: since, order: ascending");
    project.replace("sources/api.yaml", &api.server.url, &server.url);
    project
        .sequor(&["run", "main"])
        .fails(1, &["which is not `order: ascending`", "--full-refresh"]);
    project.replace("flows/main.yaml", ", order: ascending", "");
    ran(&project, &[]);
    assert_eq!(totals(&project), ["1|1", "2|1"]);
}

#[test]
fn a_table_that_is_dropped_takes_the_states_of_all_flows_with_it() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        put(&api, 1, 1, 3);
        put(&api, 2, 2, 3);
        let project = project(&api, &source, START);
        for shop in [1, 2] {
            let text = flow(START, "").replace("url: /orders", &format!("url: /orders/{shop}"));
            project.write(&format!("flows/shop{shop}.yaml"), &text);
        }
        for drops in [false, true] {
            if drops {
                project.write(
                    "flows/drop.yaml",
                    "- {op: execute, source: wh, statement: drop table orders}\n",
                );
                assert_eq!(project.run("drop").code, 0, "{name}");
            }
            for shop in ["shop1", "shop2"] {
                let ran = project.run(shop);
                assert_eq!(ran.code, 0, "{name}: {}", ran.all());
            }
            assert_eq!(totals(&project), ["1|1", "2|1"], "{name}");
        }
    }
}

#[test]
fn a_state_that_others_change_meanwhile_is_not_written_over() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        put(&api, 1, 1, 3);
        put(&api, 2, 2, 3);
        // Of two projects, which do not wait for each other. A file of the project is that of one alone.
        let source = match name {
            "sqlite" => {
                let folder = tempfile::tempdir().unwrap().keep();
                format!("type: sqlite\nconn_str: sqlite:///{}/test.db\n", folder.display())
            }
            "staging" | "duckdb" => continue,
            _ => source,
        };
        let projects = [1, 2].map(|shop| {
            let text = flow(START, "").replace("url: /orders", &format!("url: /orders/{shop}"));
            project(&api, &source, START)
                .file("project.yaml", &format!("name: shop{shop}\n"))
                .file("flows/main.yaml", &text)
        });
        for project in &projects {
            let ran = project.run("main");
            assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        }
        put(&api, 3, 2, 4);
        // While the second loads, the first begins anew: all rows go.
        let slow = slow_after(&api);
        projects[1].replace("sources/api.yaml", &api.server.url, &slow.url);
        let loading = projects[1].command(&["run", "main"]).spawn().unwrap();
        while slow.asked().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        ran(&projects[0], &["--full-refresh"]);
        let ended = loading.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{name}");
        assert_eq!(totals(&projects[0]), ["1|1"], "{name}");
        projects[1].replace("sources/api.yaml", &slow.url, &api.server.url);
        ran(&projects[1], &[]);
        assert_eq!(totals(&projects[0]), ["1|1", "2|1", "3|1"], "{name}");
    }
}

/// The same API, slow.
fn slow_after(api: &Api) -> Server {
    let world = api.world.clone();
    Server::start(move |asked| {
        let since = asked.parameter("since").unwrap_or_default();
        let rows: Vec<_> = match asked.parameter("page").as_deref() {
            None | Some("1") => {
                let world = world.lock().unwrap();
                let rows = world.rows.iter().filter(|(_, row)| row.shop == 2);
                let rows = rows.filter(|(_, row)| row.at.as_ref().is_some_and(|at| *at >= since));
                rows.map(|(id, row)| serde_json::json!({"id": id, "updated_at": row.at, "total": row.total}))
                    .collect()
            }
            _ => Vec::new(),
        };
        answer(serde_json::json!({"data": rows}).to_string()).after(std::time::Duration::from_millis(2500))
    })
}

#[test]
fn what_was_written_ahead_of_its_rows_never_comes_to_count() {
    let api = Api::start();
    let project = project(&api, "type: staging\n", START);
    (1..=2).for_each(|shop| put(&api, shop, shop, 3));
    project.write("flows/main.yaml", &each_of("[1, 2]", START, ""));
    ran(&project, &[]);
    // As a run leaves it that was killed between its two commits.
    project.write(
        "flows/ahead.yaml",
        "- op: execute
  source: wh
  statement: >
    update _sequor_state set before = covered, generation = generation + 1,
    covered = '[[\"2024-01-01T00:00:00Z\", \"2024-01-20T00:00:00Z\"]]' where part = '2'
",
    );
    let ahead = project.run("ahead");
    assert_eq!(ahead.code, 0, "{}", ahead.all());
    put(&api, 3, 2, 10);
    project.write("flows/main.yaml", &each_of("[1]", START, ""));
    ran(&project, &["--keep-state"]);
    project.write("flows/main.yaml", &each_of("[1, 2]", START, ""));
    ran(&project, &["--keep-state"]);
    assert_eq!(totals(&project), ["1|1", "2|1", "3|1"]);
}

#[test]
fn times_say_which_moment_they_are() {
    let server = Server::start(|asked| {
        let since = asked.parameter("since").unwrap_or_default();
        let at = [
            "2024-01-02T00:00:00.1234567Z",
            "2024-01-02T00:00:00.1234567Z",
            "2024-01-03T00:00:00-05:00",
        ];
        let seen = usize::from(since.contains(".123")) + usize::from(since.contains("-99"));
        let rows: Vec<_> = (0..=seen.min(1))
            .map(|id| serde_json::json!({"id": id, "updated_at": at[id], "total": 1}))
            .collect();
        let rows = match since.starts_with("2025") {
            true => vec![serde_json::json!({"id": 9, "updated_at": at[2], "total": 1})],
            false => rows,
        };
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|row| {
                since.starts_with("2025")
                    || row["updated_at"].as_str().unwrap().trim_end_matches('Z')
                        >= since.trim_end_matches('Z')
            })
            .collect();
        let rows = if asked.parameter("page").unwrap_or("1".into()) == "1" {
            rows
        } else {
            Vec::new()
        };
        answer(serde_json::json!({"data": rows}).to_string())
    });
    for (name, source) in databases::all() {
        let api = Api::start();
        let project = project(&api, &source, START);
        project.replace("sources/api.yaml", &api.server.url, &server.url);
        // Two rows of one moment that is finer than microseconds: the second comes later.
        ran(&project, &[]);
        ran(&project, &[]);
        assert_eq!(totals(&project), ["0|1", "1|1"], "{name}");
        // A column without a zone can't say which moment it is.
        project.replace(
            "flows/main.yaml",
            "updated_at: timestamptz",
            "updated_at: timestamp",
        );
        project.replace("flows/main.yaml", "table: orders", "table: clocks");
        project.replace("flows/main.yaml", "initial: 2024-01-01", "initial: 2025-01-01");
        let failed = project.sequor(&["run", "main", "--keep-state"]);
        if name != "mysql" {
            failed.fails(1, &["the column has no zone", "timestamptz"]);
        }
    }
}

#[test]
fn options_that_say_nothing_are_refused() {
    let api = Api::start();
    let project = project(&api, SQLITE, START);
    let text = |incremental: &str, column: &str| {
        flow(incremental, "")
            .replace("updated_at: timestamptz", &format!("updated_at: {column}"))
            .replace(", initial: 2024-01-01", "")
    };
    project.write(
        "flows/main.yaml",
        &text("start_param: since, lookback: 1h", "text"),
    );
    project
        .sequor(&["run", "main"])
        .fails(1, &["`lookback` moves times, dates and numbers"]);
    project.write("flows/main.yaml", &text("start_param: since, delay: 1h", "text"));
    project.sequor(&["run", "main"]).fails(1, &["`delay` is a time"]);
    project.write(
        "flows/main.yaml",
        &text("start_param: since", "\"numeric(10,2)\""),
    );
    project
        .sequor(&["validate"])
        .fails(2, &["the cursor `updated_at` is a numeric(10,2)"]);
    project.write("flows/main.yaml", &text("start_param: since", "numeric"));
    project
        .sequor(&["run", "main"])
        .fails(1, &["may have places behind the point"]);
    assert!(api.asked().is_empty());
}

#[test]
fn rows_are_told_apart_letter_by_letter() {
    for (name, source) in databases::all() {
        let kind = match name {
            "mysql" => "varchar(40) character set utf8mb4 collate utf8mb4_general_ci",
            "sqlite" => "text collate nocase",
            _ => continue,
        };
        for mode in ["replace_range", "append"] {
            let api = Api::start();
            (1..=4).for_each(|id| put(&api, id, 0, id));
            let project = project(&api, &source, START);
            let text = each_of("[berlin, Berlin]", "start_param: since, partition: [shop]", "")
                .replace("url: \"/orders/{{ var('shop') }}\"", "url: /orders")
                .replace(UPSERT, &format!("write_mode: {mode}"))
                .replace(
                    "columns: {",
                    "columns: {shop: {type: text, value: \"{{ var('shop') }}\"}, ",
                );
            project.write("flows/main.yaml", &text);
            project.write(
                "flows/make.yaml",
                &format!(
                    "- {{op: execute, source: wh, statement: \"drop table if exists orders\"}}
- {{op: execute, source: wh, statement: \"drop table if exists _sequor_state\"}}
- {{op: execute, source: wh, statement: \"create table orders (shop {kind}, id bigint, updated_at {}, total bigint)\"}}
",
                    if name == "mysql" { "timestamp(6) null" } else { "timestamptz" }
                ),
            );
            assert_eq!(project.run("make").code, 0, "{name}");
            ran(&project, &[]);
            assert_eq!(totals(&project).len(), 8, "{name} {mode}");
            // One alone is asked for again.
            project.write("flows/main.yaml", &text.replace("[berlin, Berlin]", "[berlin]"));
            ran(&project, &["--from", "2024-01-01"]);
            assert_eq!(totals(&project).len(), 8, "{name} {mode}");
        }
    }
}
