//! States of the rows of a for_each.

use super::api::{Api, Row};
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
