//! APIs that give rows in the order of their cursor.

use super::api::{Api, Row};
use super::{SQLITE, flow, project, totals};

const ASCENDING: &str = "start_param: since, order: ascending";

#[test]
fn no_page_is_asked_for_behind_rows_that_are_there() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        let api = Api::start();
        api.change(|world| world.descending = true);
        (1..=9).for_each(|day| api.put(day, &format!("2024-01-0{day}T00:00:00Z"), 1));
        let project = project(&api, source, "order: descending");
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.server.asked().len(), 4, "{name}");
        api.server.forget();
        api.put(10, "2024-01-10T00:00:00Z", 1);
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.server.asked().len(), 1, "{name}");
        assert_eq!(totals(&project).len(), 10, "{name}");
        // All of a page is new: there may be more on the next.
        api.server.forget();
        (11..=13).for_each(|day| api.put(day, &format!("2024-01-{day}T00:00:00Z"), 1));
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.server.asked().len(), 2, "{name}");
        assert_eq!(totals(&project).len(), 13, "{name}");
    }
}

#[test]
fn what_came_in_order_before_a_failure_stays() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        for mode in [
            "write_mode: upsert, primary_key: [id]",
            "write_mode: append",
            "write_mode: replace_range",
        ] {
            let api = Api::start();
            (1..=9).for_each(|day| api.put(day, &format!("2024-01-0{day}T00:00:00Z"), 1));
            let project = project(&api, source, ASCENDING);
            project.replace("flows/main.yaml", "write_mode: upsert, primary_key: [id]", mode);
            api.change(|world| world.fails_at = Some(3));
            project.sequor(&["run", "main"]).fails(1, &["400 Bad Request"]);
            assert_eq!(totals(&project).len(), 6, "{name} {mode}");
            api.change(|world| world.fails_at = None);
            api.asked();
            assert_eq!(project.run("main").code, 0, "{name} {mode}");
            assert_eq!(api.asked(), ["2024-01-06T00:00:00Z.."], "{name} {mode}");
            assert_eq!(totals(&project).len(), 9, "{name} {mode}");
        }
    }
}

#[test]
fn what_comes_in_order_for_long_is_committed_in_parts() {
    let api = Api::start();
    api.change(|world| {
        world.size = 20_000;
        for id in 0..110_000_u32 {
            let at = Some(format!(
                "2024-01-01T{:02}:{:02}:{:02}Z",
                id / 3600 % 24,
                id / 60 % 60,
                id % 60
            ));
            let at = if id < 86_400 {
                at
            } else {
                Some("2024-01-02T00:00:00Z".into())
            };
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
    let project = project(&api, SQLITE, ASCENDING);
    project.replace("flows/main.yaml", "initial: 2024-01-01", "initial: 2023-01-01");
    assert_eq!(project.run("main").code, 0);
    assert_eq!(
        api.asked(),
        [
            "2023-01-01T00:00:00Z..",
            "2024-01-01T16:39:59Z..",
            "2024-01-02T00:00:00Z.."
        ]
    );
    assert_eq!(
        project.rows("wh", "select count(*), sum(total) from orders"),
        ["110000|110000"]
    );
}

#[test]
fn an_order_needs_columns_and_a_start() {
    let api = Api::start();
    let project = project(&api, SQLITE, "order: ascending");
    project
        .sequor(&["validate"])
        .fails(2, &["the request does not say where it starts"]);
    let text = flow("order: descending", "");
    let (before, _) = text.split_once(", columns: {").unwrap();
    project.write("flows/main.yaml", &format!("{before}}}\n"));
    project.sequor(&["validate"]).fails(
        2,
        &["the columns of wh.orders are only known when all rows are there"],
    );
}

#[test]
fn another_order_is_told() {
    for (order, descending) in [(ASCENDING, true), ("order: descending", false)] {
        let api = Api::start();
        api.change(|world| world.descending = descending);
        (1..=9).for_each(|day| api.put(day, &format!("2024-01-0{day}T00:00:00Z"), 1));
        let project = project(&api, SQLITE, order);
        project
            .sequor(&["run", "main"])
            .fails(1, &["the API gives a row of", "which is not `order:"]);
    }
}

#[test]
fn what_fails_to_begin_anew_leaves_all_as_it_was() {
    let api = Api::start();
    (1..=9).for_each(|day| api.put(day, &format!("2024-01-0{day}T00:00:00Z"), 1));
    let project = project(&api, SQLITE, ASCENDING);
    assert_eq!(project.run("main").code, 0);
    for page in [1, 3] {
        api.change(|world| world.fails_at = Some(page));
        project
            .sequor(&["run", "main", "--full-refresh"])
            .fails(1, &["400 Bad Request"]);
        assert_eq!(totals(&project).len(), 9, "{page}");
    }
}

#[test]
fn a_range_that_is_asked_for_again_is_asked_for_to_its_end() {
    let api = Api::start();
    api.change(|world| {
        world.size = 30_000;
        for id in 0..70_000_u32 {
            let at = Some(format!(
                "2024-01-01T{:02}:{:02}:{:02}Z",
                id / 3600 % 24,
                id / 60 % 60,
                id % 60
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
    let project = project(
        &api,
        SQLITE,
        "start_param: since, order: ascending, lookback: 20h",
    );
    assert_eq!(project.run("main").code, 0);
    api.asked();
    let again = ["run", "main", "--from", "2024-01-01"];
    assert_eq!(project.sequor(&again).code, 0);
    assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(project.rows("wh", "select count(*) from orders"), ["70000"]);
}
