//! Rows without a key: those that are added, and those that take the place of a range.

use super::api::{Api, Row};
use super::{SQLITE, START, flow, project, totals};
use crate::support::databases;
use crate::support::program::Project;

const UPSERT: &str = "write_mode: upsert, primary_key: [id]";

/// The project, its table written in another way.
fn writing(api: &Api, source: &str, incremental: &str, mode: &str) -> Project {
    let project = project(api, source, incremental);
    project.replace("flows/main.yaml", UPSERT, &format!("write_mode: {mode}"));
    project
}

fn run(project: &Project, name: &str) {
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
}

#[test]
fn rows_are_added_once_in_every_database() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        api.put(1, "2024-01-05T00:00:00Z", 10);
        api.put(2, "2024-02-01T10:00:00.123456Z", 20);
        let project = writing(&api, &source, START, "append");
        run(&project, name);
        // The row of the boundary comes again, with another of the same time.
        api.put(3, "2024-02-01T10:00:00.123456Z", 30);
        api.put(4, "2024-03-01T00:00:00Z", 40);
        run(&project, name);
        assert_eq!(totals(&project), ["1|10", "2|20", "3|30", "4|40"], "{name}");
        // Nothing is new; a range that is asked for again brings nothing twice.
        run(&project, name);
        let again = ["run", "main", "--from", "2024-01-01"];
        assert_eq!(project.sequor(&again).code, 0, "{name}");
        assert_eq!(totals(&project), ["1|10", "2|20", "3|30", "4|40"], "{name}");
    }
}

#[test]
fn a_range_takes_the_place_of_what_was_there_in_every_database() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        for day in 1..=6 {
            api.put(day, &format!("2024-01-0{day}T01:00:00.5Z"), 1);
        }
        let project = writing(&api, &source, "start_param: since, lookback: 2d", "replace_range");
        run(&project, name);
        // Deleted within the range that is asked for again, and before it.
        api.change(|world| {
            world.rows.remove(&5);
            world.rows.remove(&1);
        });
        api.put(4, "2024-01-04T01:00:00.5Z", 2);
        api.put(7, "2024-01-07T00:00:00Z", 1);
        run(&project, name);
        assert_eq!(
            totals(&project),
            ["1|1", "2|1", "3|1", "4|2", "6|1", "7|1"],
            "{name}"
        );
    }
}

#[test]
fn windows_of_a_range_meet_without_rows_lost_or_twice() {
    for (exclusive, mode) in [
        (false, "replace_range"),
        (true, "replace_range"),
        (false, "append"),
        (true, "append"),
    ] {
        let api = Api::start();
        api.change(|world| world.end_is_exclusive = exclusive);
        for day in 1..=9 {
            api.put(day, &format!("2024-01-0{day}T00:00:00Z"), 1);
        }
        let window = "start_param: since, end_param: until, window: 2d, format: \"%Y-%m-%dT%H:%M:%SZ\"";
        let project = writing(&api, SQLITE, window, mode);
        project.replace("flows/main.yaml", "initial: 2024-01-01", "initial: 2024-01-05");
        let days = ["--from", "2024-01-05", "--until", "2024-01-09"];
        assert_eq!(project.sequor(&[&["run", "main"][..], &days].concat()).code, 0);
        let last = if exclusive { 8 } else { 9 };
        let ids =
            |project: &Project| -> Vec<String> { project.rows("wh", "select id from orders order by id") };
        let expected = |from: u32, to: u32| -> Vec<String> { (from..=to).map(|n| n.to_string()).collect() };
        assert_eq!(ids(&project), expected(5, last), "{exclusive} {mode}");
        // The gap before ends where rows are covered.
        let before = ["--from", "2024-01-01", "--until", "2024-01-05"];
        assert_eq!(project.sequor(&[&["run", "main"][..], &before].concat()).code, 0);
        assert_eq!(ids(&project), expected(1, last), "{exclusive} {mode}");
    }
}

/// A flow that asks for each shop, and says in the table whose rows they are.
fn by_shop(mode: &str) -> String {
    flow("start_param: since, partition: [shop]", "")
        .replace(UPSERT, &format!("write_mode: {mode}"))
        .replace(
            "  request:\n",
            "  for_each: {source: wh, table: shops, as: one}\n  on_error: reject\n  request:\n",
        )
        .replace("url: /orders", "url: \"/orders/{{ var('one')['shop'] }}\"")
        .replace(
            "columns: {",
            "columns: {shop: {type: bigint, value: \"{{ var('one')['shop'] }}\"}, ",
        )
}

#[test]
fn rows_of_one_take_no_place_of_others() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        for mode in ["replace_range", "append"] {
            let api = Api::start();
            let put = |id: u32, shop: u32, day: u32| {
                let at = Some(format!("2024-01-0{day}T00:00:00Z"));
                api.change(|world| world.rows.insert(id, Row { shop, at, total: 1 }));
            };
            (1..=8).for_each(|id| put(id, id % 2 + 1, id));
            let project = project(&api, source, START);
            let shops = "- {op: transform, source: wh, target_table: shops, query: select 1 as shop union all select 2}\n";
            project.write("flows/main.yaml", &format!("{shops}{}", by_shop(mode)));
            // The second page of a shop can't be had.
            api.change(|world| world.fails_at = Some(2));
            run(&project, name);
            api.change(|world| world.fails_at = None);
            run(&project, name);
            assert_eq!(totals(&project).len(), 8, "{name} {mode}");
            // What is rejected half way stays as it was, though its rows have changed.
            if mode == "replace_range" {
                (1..=8).for_each(|id| put(id, id % 2 + 1, 9));
                api.change(|world| world.fails_at = Some(2));
                run(&project, name);
                api.change(|world| world.fails_at = None);
                let ids = project.rows("wh", "select id from orders where shop = 1 order by id");
                let twice = project.rows(
                    "wh",
                    "select id from orders group by id, shop, updated_at having count(*) > 1",
                );
                assert!(twice.is_empty() && ids.len() >= 4, "{name}: {ids:?}");
                (1..=8).for_each(|id| put(id, id % 2 + 1, id));
                assert_eq!(project.sequor(&["run", "main", "--full-refresh"]).code, 0);
                assert_eq!(totals(&project).len(), 8, "{name} {mode}");
            }
            put(9, 1, 9);
            run(&project, name);
            assert_eq!(totals(&project).len(), 9, "{name} {mode}");
            let of = project.rows("wh", "select distinct shop from orders where id % 2 = 0");
            assert_eq!(of, ["1"], "{name} {mode}");
        }
    }
}

#[test]
fn a_range_of_each_needs_to_know_whose_it_is() {
    let api = Api::start();
    let project = project(&api, SQLITE, START);
    let text = by_shop("replace_range");
    for (from, to, says) in [
        (
            "value: \"{{ var('one')['shop'] }}\"",
            "path: shop",
            "its column `shop` comes from the response",
        ),
        ("columns: {shop", "columns: {store", "it has no column `shop`"),
        (
            "partition: [shop]",
            "on_missing: include",
            "`on_missing: include` beside `write_mode: replace_range`",
        ),
    ] {
        project.write("flows/main.yaml", &text.replace(from, to));
        project.sequor(&["validate"]).fails(2, &[says]);
    }
    let text = flow(START, "").replace(UPSERT, "write_mode: append");
    project.write(
        "flows/main.yaml",
        &text.replace(START, "start_param: since, lookback: 1h"),
    );
    let warned = project.sequor(&["validate"]);
    assert_eq!(warned.code, 0);
    assert!(warned.stderr.contains("SQ0215"), "{}", warned.stderr);
    let without = flow(START, "").replace(UPSERT, "write_mode: replace_range");
    let (before, after) = without.split_once("    incremental").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    project.write("flows/main.yaml", &format!("{before}{after}"));
    project.sequor(&["validate"]).fails(
        2,
        &["`write_mode: replace_range` is for requests with `incremental`"],
    );
}

#[test]
fn a_row_without_a_cursor_is_told() {
    for mode in ["append", "replace_range"] {
        let api = Api::start();
        api.change(|world| {
            world.rows.insert(
                1,
                Row {
                    shop: 0,
                    at: None,
                    total: 1,
                },
            )
        });
        let project = writing(&api, SQLITE, START, mode);
        project
            .sequor(&["run", "main"])
            .fails(1, &["a row has no cursor `updated_at`"]);
    }
}

#[test]
fn rows_that_the_table_would_change_are_not_added() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    let project = writing(&api, SQLITE, START, "append");
    let table = "- {op: execute, source: wh, statement: create table orders (id integer, updated_at timestamptz, total \"decimal(10,2)\")}\n";
    project.write(
        "flows/table.yaml",
        &table
            .replace("\"decimal(10,2)\"", "decimal(10,2)")
            .replace("statement: ", "statement: \"")
            .replace(")}\n", ")\"}\n"),
    );
    assert_eq!(project.run("table").code, 0);
    project.replace("flows/main.yaml", "total: bigint", "total: \"decimal(10,4)\"");
    project
        .sequor(&["run", "main"])
        .fails(1, &["rows which come again could not be told from new ones"]);
}

#[test]
fn a_full_refresh_begins_anew_in_every_database() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        (1..=3).for_each(|day| api.put(day, &format!("2024-01-0{day}T00:00:00Z"), 1));
        let project = project(&api, &source, START);
        run(&project, name);
        api.change(|world| world.rows.remove(&1));
        api.asked();
        // What can't be had leaves everything as it was.
        api.change(|world| world.fails_at = Some(1));
        project
            .sequor(&["run", "main", "--full-refresh"])
            .fails(1, &["400"]);
        assert_eq!(totals(&project).len(), 3, "{name}");
        api.change(|world| world.fails_at = None);
        api.asked();
        assert_eq!(
            project.sequor(&["run", "main", "--full-refresh"]).code,
            0,
            "{name}"
        );
        assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."], "{name}");
        assert_eq!(totals(&project), ["2|1", "3|1"], "{name}");
        run(&project, name);
        assert_eq!(api.asked(), ["2024-01-03T00:00:00Z.."], "{name}");
        assert_eq!(totals(&project), ["2|1", "3|1"], "{name}");
    }
}

#[test]
fn a_full_refresh_forgets_whom_it_does_not_ask_for() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        let api = Api::start();
        for (id, shop) in [(1, 1), (2, 2)] {
            let at = Some("2024-01-05T00:00:00Z".to_string());
            api.change(|world| world.rows.insert(id, Row { shop, at, total: 1 }));
        }
        let project = project(&api, source, START);
        let shops = |query: &str| {
            format!(
                "- {{op: transform, source: wh, target_table: shops, query: {query}}}\n{}",
                by_shop("append")
            )
        };
        let both = shops("select 1 as shop union all select 2");
        project.write("flows/main.yaml", &both);
        run(&project, name);
        project.write("flows/main.yaml", &shops("select 1 as shop"));
        assert_eq!(
            project.sequor(&["run", "main", "--full-refresh"]).code,
            0,
            "{name}"
        );
        assert_eq!(totals(&project), ["1|1"], "{name}");
        project.write("flows/main.yaml", &both);
        run(&project, name);
        assert_eq!(totals(&project), ["1|1", "2|1"], "{name}");
    }
}

#[test]
fn a_table_of_several_steps_is_not_begun_anew() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    let project = project(&api, SQLITE, START);
    let other = flow(START, "").replace("id: orders", "id: others");
    project.write("flows/main.yaml", &format!("{}{other}", flow(START, "")));
    project
        .sequor(&["run", "main", "--full-refresh"])
        .fails(2, &["is filled by step orders and by step others"]);
    // Of a step alone, what the other has covered is forgotten, too: its rows come again.
    assert_eq!(project.run("main").code, 0);
    assert_eq!(
        project
            .sequor(&["run", "main", "--full-refresh", "--op-id", "orders"])
            .code,
        0
    );
    let state = project
        .sequor(&["state", "list", "main", "--format", "json"])
        .stdout;
    assert_eq!(state.lines().count(), 1, "{state}");
    // Its options are said again where it fails.
    api.change(|world| world.fails_at = Some(1));
    let failed = project.sequor(&["run", "main", "--full-refresh", "--op-id", "orders"]);
    assert_eq!(failed.code, 1);
    assert!(
        failed.all().contains("with --full-refresh, as this one"),
        "{}",
        failed.all()
    );
}

#[test]
fn a_start_that_is_null_is_told() {
    let api = Api::start();
    let project = project(&api, SQLITE, "lookback: 1h");
    let text = flow("lookback: 1h", "")
        .replace("initial: 2024-01-01, ", "")
        .replace(
            "url: /orders",
            "url: \"/orders?since={{ var('window')['start'] }}\"",
        );
    project.write("flows/main.yaml", &text);
    project
        .sequor(&["validate"])
        .fails(2, &["which is null in the first run"]);
}

#[test]
fn whose_rows_they_are_is_what_the_row_says() {
    let api = Api::start();
    let at = Some("2024-01-05T00:00:00Z".to_string());
    api.change(|world| {
        world.rows.insert(
            1,
            Row {
                shop: 1,
                at,
                total: 1,
            },
        )
    });
    let project = project(&api, SQLITE, START);
    let shops = "- {op: transform, source: wh, target_table: shops, query: select 1 as shop}\n";
    let text = by_shop("replace_range").replace("type: bigint, value: \"{{", "type: text, value: \"shop {{");
    project.write("flows/main.yaml", &format!("{shops}{text}"));
    project
        .sequor(&["run", "main"])
        .fails(1, &["column `shop` is shop 1, and the for_each's row has 1"]);
    assert!(project.sequor(&["query", "wh", "select * from orders"]).code != 0);
}

#[test]
fn a_for_each_without_rows_changes_nothing() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        let api = Api::start();
        let at = Some("2024-01-05T00:00:00Z".to_string());
        api.change(|world| {
            world.rows.insert(
                1,
                Row {
                    shop: 1,
                    at,
                    total: 1,
                },
            )
        });
        let project = project(&api, source, START);
        let shops = |query: &str| {
            format!(
                "- {{op: transform, source: wh, target_table: shops, query: {query}}}\n{}",
                by_shop("replace_range")
            )
        };
        project.write("flows/main.yaml", &shops("select 1 as shop"));
        run(&project, name);
        project.write("flows/main.yaml", &shops("select 1 as shop where 1 = 0"));
        run(&project, name);
        assert_eq!(totals(&project), ["1|1"], "{name}");
    }
}

#[test]
fn rows_on_which_others_hang_are_not_deleted() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    let project = writing(&api, SQLITE, START, "replace_range");
    let statements = [
        "create table orders (id bigint primary key, updated_at timestamptz, total bigint)",
        "create table notes (order_id bigint references orders (id) on delete cascade)",
    ];
    let steps = statements.map(|sql| format!("- {{op: execute, source: wh, statement: \"{sql}\"}}\n"));
    project.write("flows/tables.yaml", &steps.concat());
    assert_eq!(project.run("tables").code, 0);
    project
        .sequor(&["run", "main"])
        .fails(1, &["another table has a foreign key on it"]);
}
