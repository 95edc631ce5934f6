//! A plan counts what the run then does, and says why it would fail.

use super::api::Api;
use super::{SQLITE, each, fill, project};
use crate::support::databases;
use crate::support::program::Project;

fn planned(project: &Project) -> String {
    let plan = project.sequor(&["plan", "main", "--estimate"]);
    assert_eq!(plan.code, 0, "{}", plan.all());
    plan.stdout
}

#[test]
fn a_column_that_was_not_sent_yet_is_counted_as_the_run_does() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        let project = project(&api, &source, &each(""));
        fill(&project, &[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
        assert_eq!(project.run("main").code, 0, "{name}");
        project.replace(
            "flows/main.yaml",
            "body: {name:",
            "body: {note: \"{{ var('customer')['note'] }}\", name:",
        );
        fill(&project, &[(1, "a"), (2, "b"), (3, "C"), (5, "e")]);
        // Of two of them the new column says nothing.
        let nulls = "- {op: execute, source: wh, statement: \"update customers set note = null where id in (1, 5)\"}\n";
        project.write("flows/nulls.yaml", nulls);
        project.run("nulls");
        let plan = planned(&project);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        let says = ran.all();
        let says = says.lines().find_map(|line| line.split_once("push: "));
        let (_, says) = says.unwrap();
        assert!(plan.contains(says), "{name}: {says}\n{plan}");
        assert_eq!(says, "1 added, 2 changed, 1 removed, 1 unchanged", "{name}");
        let by_another = "1 row was sent by another request";
        assert!(plan.contains(by_another), "{name}: {plan}");
        assert!(ran.all().contains(by_another), "{name}: {}", ran.all());
        project.write(
            "flows/drop.yaml",
            "- {op: execute, source: wh, statement: drop table main__push_synced}\n",
        );
        assert_eq!(project.run("drop").code, 0, "{name}");
    }
}

#[test]
fn what_would_fail_is_told() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(", max_removed: 20%"));
    let ten: Vec<(u32, &str)> = (1..=10).map(|id| (id, "a")).collect();
    fill(&project, &ten);
    assert_eq!(project.run("main").code, 0);
    fill(&project, &ten[..7]);
    let plan = planned(&project);
    for says in [
        "estimate: 0 added, 0 changed, 3 removed, 7 unchanged",
        "it would fail: 3 of 10 rows that were sent are gone from `customers`, and at most 20% may be",
    ] {
        assert!(plan.contains(says), "{plan}");
    }
    assert!(!plan.contains("estimate: about"), "{plan}");
    fill(&project, &[(1, "a"), (1, "b")]);
    let plan = planned(&project);
    let says = "it would fail: several rows have the same key id: 1 (2 rows)";
    assert!(plan.contains(says), "{plan}");
}

#[test]
fn rows_of_which_nobody_knows_are_told() {
    let api = Api::start();
    let step = "  for_each: {source: wh, table: customers, as: customer, changes: {key: [id], rows: [added]}}
  on_error: reject
  request:
    source: api
    method: POST
    url: /contacts
    body: {id: \"{{ var('customer')['id'] }}\", name: \"{{ var('customer')['name'] }}\"}
";
    let project = project(&api, SQLITE, step);
    fill(&project, &[(1, "a"), (2, "b")]);
    api.change(|world| world.fails.insert("2".into()));
    project
        .sequor(&["run", "main"])
        .fails(1, &["1 row may have been sent"]);
    let plan = planned(&project);
    let says = "1 row was sent, or not, which nobody knows: it is not sent again";
    assert!(plan.contains(says), "{plan}");
    // With a key it is sent again, as it was, and then it is over.
    project.replace(
        "flows/main.yaml",
        "    url:",
        "    idempotency_key: true\n    url:",
    );
    fill(&project, &[(1, "a"), (2, "b"), (3, "c")]);
    assert_eq!(project.sequor(&["run", "main", "--in-doubt", "skip"]).code, 0);
    api.change(|world| world.fails.insert("4".into()));
    fill(&project, &[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    assert_eq!(project.run("main").code, 0);
    let plan = planned(&project);
    let says = "1 row was being sent by a run that is under way, or ended early";
    assert!(plan.contains(says), "{plan}");
    let json = project.sequor(&["plan", "main", "--estimate", "--format", "json"]);
    assert!(json.stdout.contains("\"rows_under_way\": 1"), "{}", json.stdout);
}
