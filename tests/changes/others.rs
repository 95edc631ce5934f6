//! Queries, batches, snapshots elsewhere, dry runs and plans.

use super::api::Api;
use super::{SQLITE, each, fill, project};
use crate::support::databases;

const BATCHES: &str =
    "  for_each: {source: wh, table: customers, as: customers, batch_size: 3, changes: {key: [id]}}
  on_error: split
  request:
    source: api
    method: PATCH
    url: \"/contacts/{{ var('change') }}\"
    body_expression: \"{'rows': [{'id': row['id'], 'name': row['name']} for row in var('customers')]}\"
";

#[test]
fn the_rows_of_a_batch_are_of_one_kind() {
    let api = Api::start();
    let project = project(&api, SQLITE, BATCHES);
    fill(&project, &[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["PATCH /contacts/added", "PATCH /contacts/added"]);
    fill(
        &project,
        &[(1, "a"), (2, "B"), (3, "C"), (5, "e"), (6, "f"), (7, "g")],
    );
    // One row of a batch is refused, and the others are not.
    api.change(|world| world.refuses.insert("6".into()));
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts(), ["1|a", "2|B", "3|C", "5|e", "7|g"]);
    api.change(|world| world.refuses.clear());
    api.asked();
    let ran = project.run("main");
    assert!(
        ran.all().contains("1 added, 0 changed, 0 removed"),
        "{}",
        ran.all()
    );
    assert_eq!(api.asked(), ["PATCH /contacts/added"]);
    assert_eq!(api.contacts(), ["1|a", "2|B", "3|C", "5|e", "6|f", "7|g"]);
}

#[test]
fn a_query_and_a_snapshot_in_another_database() {
    let api = Api::start();
    let step =
        each(", snapshot: {source: stage, table: what_we_sent}, columns: [name], rows: [added, changed]")
            .replace(
                "table: customers,",
                "query: \"select id, upper(name) as name, note from customers where id < 10;\",",
            );
    let project = project(&api, SQLITE, &step).file("sources/stage.yaml", "type: staging\n");
    fill(&project, &[(1, "a"), (2, "b"), (30, "z")]);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts(), ["1|A", "2|B"]);
    fill(&project, &[(1, "x"), (3, "c")]);
    api.asked();
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    // Of one that is gone nothing is said.
    assert_eq!(api.asked(), ["PUT /contacts/1", "PUT /contacts/3"]);
    assert_eq!(
        project.rows("stage", "select id, name from what_we_sent order by id"),
        ["1|X", "2|B", "3|C"]
    );
    // Nothing else is left there.
    assert_eq!(
        project
            .sequor(&["query", "stage", "select * from what_we_sent_rows"])
            .code,
        1
    );
}

#[test]
fn numbers_of_any_precision_are_kept_elsewhere_as_they_are() {
    let api = Api::start();
    let source = databases::all().into_iter().find(|(name, _)| *name == "postgres");
    let step = each(", snapshot: {source: stage}, rows: [added, changed]");
    let project = project(&api, &source.unwrap().1, &step).file("sources/stage.yaml", "type: staging\n");
    let filled = |name: &str| {
        project.write(
            "flows/fill.yaml",
            &format!("- {{op: transform, source: wh, target_table: customers, query: \"select 1 as id, cast({name} as numeric) as name union all select 2, 0.00 union all select 3, -12.50\"}}\n"),
        );
        assert_eq!(project.run("fill").code, 0);
    };
    filled("1.10");
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    api.asked();
    filled("1.1000");
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked().len(), 0);
    filled("1.2");
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked().len(), 1);
    // More digits than there is room for.
    filled("0.12345678901");
    project
        .sequor(&["run", "main"])
        .fails(1, &["would be another value there"]);
}

#[test]
fn a_dry_run_and_a_plan_say_what_the_run_does() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        let project = project(&api, &source, &each(""));
        fill(&project, &[(1, "a"), (2, "b"), (3, "c")]);
        let dry = || project.sequor(&["run", "main", "--dry-run"]);
        let plan = || project.sequor(&["plan", "main", "--estimate"]).stdout;
        let says = "3 added, 0 changed, 0 removed, 0 unchanged";
        assert!(dry().all().contains(says), "{name}: {}", dry().all());
        assert!(
            plan().contains("only added, changed and removed rows are sent, by id"),
            "{}",
            plan()
        );
        assert!(plan().contains(says), "{name}: {}", plan());
        assert_eq!(project.run("main").code, 0, "{name}");
        fill(&project, &[(1, "a"), (3, "C"), (4, "d"), (5, "e")]);
        api.asked();
        let says = "2 added, 1 changed, 1 removed, 1 unchanged";
        let ran = dry();
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert!(ran.all().contains(says), "{name}: {}", ran.all());
        assert!(!ran.all().contains("_synced"), "{name}: {}", ran.all());
        assert!(plan().contains(says), "{name}: {}", plan());
        assert!(
            plan().contains("estimate: about 4 requests"),
            "{name}: {}",
            plan()
        );
        assert_eq!(api.asked().len(), 0, "{name}");
        let ran = project.run("main");
        assert!(ran.all().contains(says), "{name}: {}", ran.all());
        assert_eq!(api.asked().len(), 4, "{name}");
        // A plan as JSON has them, too.
        let json = project
            .sequor(&["plan", "main", "--estimate", "--format", "json"])
            .stdout;
        assert!(json.contains("\"unchanged\""), "{name}: {json}");
    }
}
