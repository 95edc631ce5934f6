//! States of the rows of a for_each.

use super::api::{Api, Row};
use super::planned::{planned, ranges};
use super::{SQLITE, START, flow, project, totals};

/// A flow that asks for each row of `shops`.
fn each(incremental: &str) -> String {
    flow(incremental, "")
        .replace(
            "  request:\n",
            "  for_each: {source: wh, table: shops, as: shop}\n  on_error: reject\n  request:\n",
        )
        .replace("url: /orders", "url: \"/orders/{{ var('shop')['id'] }}\"")
}

fn shops(select: &str) -> String {
    format!("- {{op: transform, source: wh, target_table: shops, query: \"{select}\"}}\n")
}

#[test]
fn rows_that_share_a_state_come_as_far_as_the_one_that_came_least_far() {
    let api = Api::start();
    for (id, shop, day) in [(1, 1, 3), (2, 2, 7)] {
        let at = Some(format!("2024-01-0{day}T00:00:00Z"));
        let row = Row { shop, at, total: 1 };
        api.change(|world| world.rows.insert(id, row));
    }
    let project = project(&api, SQLITE, START);
    let begin = shops("select 1 as id, 'a' as owner union all select 2, 'a'");
    let text = each("start_param: since, partition: [owner]");
    project.write("flows/main.yaml", &format!("{begin}{text}"));
    api.change(|world| world.refuses = Some(1));
    assert_eq!(project.run("main").code, 0);
    assert_eq!(totals(&project), ["2|1"]);
    api.change(|world| world.refuses = None);
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."]);
    assert_eq!(totals(&project), ["1|1", "2|1"]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["2024-01-03T00:00:00Z.."]);
}

#[test]
fn a_partition_that_no_row_has_is_a_mistake() {
    let api = Api::start();
    let project = project(&api, SQLITE, START);
    let text = each("start_param: since, partition: [idd]");
    project.write("flows/main.yaml", &format!("{}{text}", shops("select 1 as id")));
    project
        .sequor(&["run", "main"])
        .fails(1, &["`partition` names `idd`", "they have id"]);
    assert!(api.asked().is_empty());
}

#[test]
fn only_rows_that_have_moved_are_asked_for() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        // Rows that are dated before the last run come late.
        for windows in ["", ", end_param: until, window: 400d, lookback: 2000d"] {
            let api = Api::start();
            let put = |id: u32, shop: u32, day: u32| {
                let at = Some(format!("2024-01-0{day}T00:00:00Z"));
                api.change(|world| world.rows.insert(id, Row { shop, at, total: 1 }));
            };
            (1..=3).for_each(|shop| put(shop, shop, 1));
            let project = project(&api, source, START);
            let asked = |first: &str, second: &str, third: &str| -> Vec<String> {
                let shops = shops(&format!(
                    "select 1 as id, {first} as updated_at union all select 2, {second} union all select 3, {third}"
                ));
                let text = each(&format!(
                    "start_param: since, partition: [id], changed_parents: true{windows}"
                ));
                project.write("flows/shops.yaml", &shops);
                assert_eq!(project.run("shops").code, 0, "{name}");
                project.write("flows/main.yaml", &text);
                let planned = planned(&project);
                let mut of_plan: Vec<String> = ranges(&planned)
                    .iter()
                    .map(|range| range["partition"].as_str().unwrap_or_default().to_string())
                    .collect();
                of_plan.sort();
                api.server.forget();
                assert_eq!(project.run("main").code, 0, "{name}");
                let asked = api.server.asked();
                let begun = asked
                    .iter()
                    .filter(|asked| asked.parameter("page").is_none_or(|page| page == "1"));
                assert_eq!(
                    planned["estimated_requests"].as_u64(),
                    Some(begun.count() as u64),
                    "{name}"
                );
                let mut paths: Vec<String> = asked.iter().map(|asked| asked.path.clone()).collect();
                paths.sort();
                paths.dedup();
                let shops: Vec<String> = paths
                    .iter()
                    .map(|path| path.rsplit('/').next().unwrap_or_default().to_string())
                    .collect();
                // In windows a partition has several ranges, and a plan lists the first few.
                if windows.is_empty() {
                    assert_eq!(of_plan, shops, "{name}");
                }
                shops
            };
            assert_eq!(asked("1", "1", "null"), ["1", "2", "3"], "{name}");
            put(4, 2, 2);
            // One without a cursor may have moved.
            assert_eq!(asked("1", "2", "null"), ["2", "3"], "{name}");
            assert_eq!(totals(&project).len(), 4, "{name}");
            // What is refused is asked for again, though it has not moved since.
            api.change(|world| world.refuses = Some(1));
            put(5, 1, 3);
            assert_eq!(asked("2", "2", "1"), ["1", "3"], "{name}");
            api.change(|world| world.refuses = None);
            assert_eq!(asked("2", "2", "1"), ["1"], "{name}");
            assert_eq!(totals(&project).len(), 5, "{name}");
            assert!(asked("2", "2", "1").is_empty(), "{name}");
            if !windows.is_empty() {
                // Nothing is new, in however many windows that is.
                let set = [
                    "state",
                    "set",
                    "main",
                    "orders",
                    "--until",
                    "2024-03-01",
                    "--partition",
                    "1",
                ];
                assert_eq!(project.sequor(&set).code, 0, "{name}");
                assert!(asked("2", "2", "1").is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn rows_that_can_move_need_a_cursor() {
    let api = Api::start();
    let project = project(&api, SQLITE, START);
    let text = each("start_param: since, partition: [id], changed_parents: true");
    project.write("flows/main.yaml", &format!("{}{text}", shops("select 1 as id")));
    project.sequor(&["run", "main"]).fails(
        1,
        &[
            "looks at the cursor `updated_at` of the for_each's rows",
            "they have id",
        ],
    );
    project.write(
        "flows/main.yaml",
        &flow("start_param: since, changed_parents: true", ""),
    );
    project
        .sequor(&["validate"])
        .fails(2, &["requests with a `for_each`"]);
}

#[test]
fn a_row_is_asked_for_once_where_its_rows_would_be_there_twice() {
    for (mode, fits) in [
        ("append", false),
        ("replace_range", false),
        ("upsert, primary_key: [id]", true),
    ] {
        let api = Api::start();
        api.put(1, "2024-01-03T00:00:00Z", 10);
        let project = project(&api, SQLITE, START);
        let asks = |columns: &str| {
            let text = each("start_param: since, partition: [shop]").replace("['id']", "['shop']");
            let text = text.replace("upsert, primary_key: [id]", mode);
            let shops = shops("select 1 as shop, 'a' as note union all select 1, 'b'");
            let own = format!(
                "columns: {{shop: {{type: bigint, value: \"{{{{ var('shop')['shop'] }}}}\"}}, {columns}"
            );
            format!("{shops}{}", text.replace("columns: {", &own))
        };
        project.write("flows/main.yaml", &asks(""));
        let ran = project.sequor(&["run", "main"]);
        match fits {
            true => assert_eq!(ran.code, 0, "{mode}: {}", ran.all()),
            false => ran.fails(
                1,
                &["alike in all that the step reads of them", "select distinct"],
            ),
        }
        let plan = project.sequor(&["plan", "main", "--estimate"]);
        let tells = plan
            .stdout
            .contains("it would fail: several of the for_each's rows are alike");
        assert_eq!(tells, !fits, "{mode}: {}", plan.all());
        // What tells them apart is kept: they are two.
        let apart = asks("note: {type: text, value: \"{{ var('shop')['note'] }}\"}, ");
        project.write(
            "flows/other.yaml",
            &apart.replace("table: orders", "table: others"),
        );
        let ran = project.run("other");
        assert_eq!(ran.code, 0, "{mode}: {}", ran.all());
    }
}

#[test]
fn a_state_is_set_of_rows_that_are_there() {
    let api = Api::start();
    let project = project(&api, SQLITE, START);
    let text = each("start_param: since, partition: [id]");
    let begin = shops("select '7' as id union all select '9'");
    project.write("flows/main.yaml", &format!("{begin}{text}"));
    let set = |partition: &str| {
        let words = ["state", "set", "main", "orders", "--until", "2024-01-03"];
        project.sequor(&[&words[..], &["--partition", partition]].concat())
    };
    set("7").fails(1, &["there is no table `orders`"]);
    let table = "- {op: execute, source: wh, statement: \"create table orders (id bigint, updated_at timestamptz, total bigint)\"}\n";
    project.write("flows/table.yaml", table);
    assert_eq!(project.run("table").code, 0);
    // Its rows are made by the flow, and are not there yet.
    let unknown = set("9");
    assert_eq!(unknown.code, 0, "{}", unknown.all());
    assert!(unknown.all().contains("is not known"), "{}", unknown.all());
    project.write("flows/shops.yaml", &begin);
    assert_eq!(project.run("shops").code, 0);
    set("8").fails(2, &["no row of the for_each is the partition 8", "\"7\", \"9\""]);
    // A text that looks like a number is one.
    let seven = set("7");
    assert_eq!(seven.code, 0, "{}", seven.all());
    assert!(seven.all().contains("partition \"7\""), "{}", seven.all());
    assert_eq!(project.run("main").code, 0);
    let mut asked = api.asked();
    asked.sort();
    // What was said of the number 9 is none of the text's.
    assert_eq!(asked, ["2024-01-01T00:00:00Z..", "2024-01-03T00:00:00Z.."]);
}
