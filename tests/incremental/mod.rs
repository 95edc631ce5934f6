//! `incremental`: only what is new is asked for, and how far it got is committed with the rows.

mod api;
mod commands;
mod covered;
mod exact;
mod meanwhile;
mod order;
mod partitions;
mod planned;
mod random;
mod transform;
mod written;

use indoc::formatdoc;

use crate::support::databases;
use crate::support::program::Project;
use api::{Api, Row};

const START: &str = "start_param: since";

/// A flow that asks by `incremental`, and loads into the source `wh`.
fn project(api: &Api, source: &str, incremental: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!(
                "type: http\nbase_url: {}\nretry: {{max_attempts: 1}}\n",
                api.server.url
            ),
        )
        .file("sources/wh.yaml", source)
        .file("flows/main.yaml", &flow(incremental, ""))
}

fn flow(incremental: &str, more: &str) -> String {
    formatdoc!(
        "
            - op: http_request
              id: orders
              request:
                source: api
                url: /orders
                pagination: {{type: page_number}}
                incremental: {{cursor: updated_at, initial: 2024-01-01, {incremental}}}
              response:
                tables:
                  - {{source: wh, table: orders, data_path: data, write_mode: upsert, primary_key: [id], columns: {{id: bigint, updated_at: timestamptz, total: bigint}}}}
            {more}
        "
    )
}

const SQLITE: &str = "type: sqlite\nconn_str: sqlite:///test.db\n";

fn totals(project: &Project) -> Vec<String> {
    project.rows("wh", "select id, total from orders order by id")
}

#[test]
fn what_is_new_is_asked_for_in_every_database() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        api.put(1, "2024-01-05T00:00:00Z", 10);
        api.put(2, "2024-02-01T10:00:00.123456Z", 20);
        let project = project(&api, &source, START);
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."]);
        // The row of the boundary comes again, changed; another has the same time.
        api.put(3, "2024-02-01T10:00:00.123456Z", 30);
        api.put(2, "2024-03-01T00:00:00Z", 21);
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked(), ["2024-02-01T10:00:00.123456Z.."], "{name}");
        assert_eq!(totals(&project), ["1|10", "2|21", "3|30"], "{name}");
        // Nothing is new.
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked(), ["2024-03-01T00:00:00Z.."], "{name}");
        assert_eq!(totals(&project), ["1|10", "2|21", "3|30"], "{name}");
        // Where the table is gone, so is what was known of it.
        project.write(
            "flows/drop.yaml",
            "- {op: execute, source: wh, statement: drop table orders}\n",
        );
        assert_eq!(project.run("drop").code, 0, "{name}");
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."], "{name}");
        assert_eq!(totals(&project), ["1|10", "2|21", "3|30"], "{name}");
    }
}

#[test]
fn what_fails_moves_nothing() {
    let api = Api::start();
    (1..=7).for_each(|id| api.put(id, &format!("2024-01-0{id}T00:00:00Z"), 1));
    let project = project(&api, SQLITE, START);
    api.change(|world| world.fails_at = Some(3));
    project.sequor(&["run", "main"]).fails(1, &["400 Bad Request"]);
    api.change(|world| world.fails_at = None);
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."]);
    assert_eq!(totals(&project).len(), 7);
}

#[test]
fn windows_are_committed_one_by_one() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        let api = Api::start();
        for month in 1..=5 {
            api.put(month, &format!("2024-0{month}-10T00:00:00Z"), 1);
        }
        let window = "start_param: since, end_param: until, window: 31d, format: \"%Y-%m-%dT%H:%M:%SZ\"";
        let project = project(&api, source, window);
        let run = ["run", "main"];
        // The third window can't be had: two pages each come before it.
        api.change(|world| world.fails_at = Some(5));
        project.sequor(&run).fails(1, &["400 Bad Request"]);
        assert_eq!(totals(&project).len(), 2, "{name}");
        api.change(|world| world.fails_at = None);
        api.asked();
        assert_eq!(project.sequor(&run).code, 0);
        let asked = api.asked();
        assert_eq!(asked[0], "2024-03-03T00:00:00Z..2024-04-03T00:00:00Z", "{name}");
        assert!(asked.len() > 20, "{asked:?}");
        assert_eq!(totals(&project).len(), 5, "{name}");
        // Up to now: what is left is less than a window.
        assert_eq!(project.sequor(&run).code, 0);
        assert_eq!(api.asked().len(), 1);
        // From an earlier day on: the gap alone is asked for.
        project.replace("flows/main.yaml", "initial: 2024-01-01", "initial: 2023-12-15");
        assert_eq!(project.sequor(&run).code, 0);
        let asked = api.asked();
        assert_eq!(asked[0], "2023-12-15T00:00:00Z..2024-01-01T00:00:00Z", "{name}");
        assert_eq!(asked.len(), 2, "{name}");
    }
}

#[test]
fn rows_of_the_future_poison_nothing() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    api.put(2, "2999-01-05T00:00:00Z", 1);
    let project = project(&api, SQLITE, START);
    assert_eq!(project.run("main").code, 0);
    api.put(3, "2024-01-06T00:00:00Z", 1);
    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    api.put(4, &now, 1);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(totals(&project), ["1|1", "2|1", "4|1"]);
    let asked = api.asked();
    assert!(
        asked.last().is_some_and(|last| *last <= format!("{now}..")),
        "{asked:?}"
    );
}

#[test]
fn without_a_parameter_older_rows_are_left_out_here() {
    let api = Api::start();
    api.put(1, "2023-12-31T00:00:00Z", 1);
    api.put(2, "2024-01-05T00:00:00Z", 1);
    let project = project(&api, SQLITE, "on_missing: exclude");
    let plan = project.sequor(&["plan", "main"]);
    assert!(
        plan.stdout
            .contains("everything is fetched, only new rows are kept"),
        "{}",
        plan.stdout
    );
    let nobody = Row {
        shop: 0,
        at: None,
        total: 9,
    };
    api.change(|world| world.rows.insert(9, nobody));
    assert_eq!(project.run("main").code, 0);
    assert_eq!(totals(&project), ["2|1"]);
    api.put(1, "2024-01-06T00:00:00Z", 2);
    api.put(2, "2024-01-04T00:00:00Z", 2);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(totals(&project), ["1|2", "2|1"]);
    project.replace("flows/main.yaml", "on_missing: exclude", "on_missing: fail");
    project
        .sequor(&["run", "main"])
        .fails(1, &["a row has no cursor `updated_at`"]);
}

#[test]
fn each_row_of_a_for_each_has_its_own_state() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        let api = Api::start();
        for id in 1..=6 {
            let at = Some(format!("2024-01-0{id}T00:00:00Z"));
            api.change(|world| {
                world.rows.insert(
                    id,
                    Row {
                        shop: id % 2 + 1,
                        at,
                        total: 1,
                    },
                )
            });
        }
        let project = project(&api, source, START);
        let text = flow(START, "")
            .replace("  request:\n", "  for_each: {source: wh, query: select id from shops, as: shop}\n  on_error: reject\n  request:\n")
            .replace("url: /orders", "url: \"/orders/{{ var('shop')['id'] }}\"");
        project.write("flows/main.yaml", &text);
        let begin = "create table shops as select 1 as id union all select 2";
        project.write(
            "flows/begin.yaml",
            &format!("- {{op: execute, source: wh, statement: \"{begin}\"}}\n"),
        );
        assert_eq!(project.run("begin").code, 0, "{name}");
        api.change(|world| world.refuses = Some(2));
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(totals(&project), ["2|1", "4|1", "6|1"], "{name}");
        api.change(|world| world.refuses = None);
        api.asked();
        assert_eq!(project.run("main").code, 0, "{name}");
        let mut asked = api.asked();
        asked.sort();
        asked.dedup();
        assert_eq!(
            asked,
            ["2024-01-01T00:00:00Z..", "2024-01-06T00:00:00Z.."],
            "{name}"
        );
        assert_eq!(totals(&project).len(), 6, "{name}");
    }
}

#[test]
fn another_request_is_refused_until_that_is_wanted() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    let project = project(&api, SQLITE, START);
    assert_eq!(project.run("main").code, 0);
    project.replace("flows/main.yaml", "url: /orders", "url: /orders/0/all");
    project
        .sequor(&["run", "main"])
        .fails(1, &["its request is another one", "--keep-state"]);
    assert_eq!(project.sequor(&["run", "main", "--keep-state"]).code, 0);
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["2024-01-05T00:00:00Z.."]);
}

#[test]
fn a_look_at_it_moves_nothing() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    let project = project(&api, SQLITE, START);
    assert_eq!(project.sequor(&["run", "main", "--dry-run"]).code, 0);
    assert_eq!(project.run("main").code, 0);
    api.put(2, "2024-01-06T00:00:00Z", 1);
    api.asked();
    assert_eq!(project.sequor(&["run", "main", "--dry-run"]).code, 0);
    assert_eq!(api.asked(), ["2024-01-05T00:00:00Z.."]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["2024-01-05T00:00:00Z.."]);
    assert_eq!(totals(&project), ["1|1", "2|1"]);
}

#[test]
fn what_is_known_to_be_missing_is_asked_for_again() {
    let api = Api::start();
    (1..=7).for_each(|id| api.put(id, &format!("2024-01-0{id}T00:00:00Z"), 1));
    let project = project(&api, SQLITE, START);
    let text = flow(
        START,
        "    rules: [{when_expression: \"'5' in response.text\", action: stop}]\n",
    );
    project.write("flows/main.yaml", &text);
    assert_eq!(project.run("main").code, 0);
    assert!(totals(&project).len() < 7);
    project.write("flows/main.yaml", &flow(START, ""));
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."]);
    assert_eq!(totals(&project).len(), 7);
}

#[test]
fn a_range_is_asked_for_again() {
    let api = Api::start();
    (1..=7).for_each(|id| api.put(id, &format!("2024-01-0{id}T00:00:00Z"), 1));
    let project = project(&api, SQLITE, "start_param: since, end_param: until");
    assert_eq!(project.run("main").code, 0);
    // Nobody could know that these have changed.
    (1..=7).for_each(|id| api.put(id, &format!("2024-01-0{id}T00:00:00Z"), 2));
    api.asked();
    let again = ["run", "main", "--from", "2024-01-03", "--until", "2024-01-04"];
    assert_eq!(project.sequor(&again).code, 0);
    assert_eq!(api.asked(), ["2024-01-03T00:00:00Z..2024-01-04T00:00:00Z"]);
    assert_eq!(
        totals(&project),
        ["1|1", "2|1", "3|2", "4|2", "5|1", "6|1", "7|1"]
    );
    let state = project
        .sequor(&["state", "list", "main", "--format", "json"])
        .stdout;
    assert!(
        state.contains(r#""covered":[["2024-01-01T00:00:00Z","20"#),
        "{state}"
    );
    project
        .sequor(&["run", "main", "--from", "soon"])
        .fails(1, &["the cursor `updated_at` holds times"]);
}

#[test]
fn tables_without_the_cursor_have_the_range_of_the_one_that_has_it() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        let api = Api::start();
        api.put(1, "2024-01-05T00:00:00Z", 1);
        let project = project(&api, source, START);
        let tables = "tables:\n      - {source: wh, table: ids, data_path: data, write_mode: upsert, primary_key: [id], columns: {id: bigint}}\n      - {source: wh, table: orders, data_path: data, write_mode: upsert, primary_key: [id]}";
        let text = flow(START, "");
        let (before, _) = text.split_once("tables:").unwrap();
        project.write("flows/main.yaml", &format!("{before}{tables}\n"));
        assert_eq!(project.run("main").code, 0, "{name}");
        api.put(2, "2024-01-06T00:00:00Z", 1);
        api.asked();
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked(), ["2024-01-05T00:00:00Z.."], "{name}");
        assert_eq!(
            project.rows("wh", "select id from ids order by id"),
            ["1", "2"],
            "{name}"
        );
        assert_eq!(totals(&project), ["1|1", "2|1"], "{name}");
        // One of them is gone: all is asked for, for both.
        project.write(
            "flows/drop.yaml",
            "- {op: execute, source: wh, statement: drop table ids}\n",
        );
        assert_eq!(project.run("drop").code, 0, "{name}");
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."], "{name}");
        assert_eq!(
            project.rows("wh", "select id from ids order by id"),
            ["1", "2"],
            "{name}"
        );
    }
}

#[test]
fn what_steps_before_do_to_the_table_is_seen() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    let project = project(&api, SQLITE, START);
    let drop = "- {op: execute, source: wh, statement: drop table if exists orders}\n";
    project.write("flows/main.yaml", &format!("{drop}{}", flow(START, "")));
    for _ in 0..3 {
        assert_eq!(project.run("main").code, 0);
        assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."]);
        assert_eq!(totals(&project), ["1|1"]);
    }
}
