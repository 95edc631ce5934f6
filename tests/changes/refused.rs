//! Rows that may have been sent, and that the API refuses or that do not come to be sent: none of them is forgotten.

use super::api::Api;
use super::{SQLITE, fill, project};
use crate::support::databases;

/// Puts and removes contacts by their keys, one after the other.
fn by_key(changes: &str) -> String {
    format!(
        "  for_each: {{source: wh, table: customers, as: customer, changes: {{key: [id]{changes}}}}}
  request:
    source: api
    method: \"{{{{ 'DELETE' if var('change') == 'removed' else 'PUT' }}}}\"
    url: \"/contacts/{{{{ 'key-' if var('change') == 'removed' else '' }}}}{{{{ var('customer')['id'] }}}}\"
    concurrency: 1
    body: {{name: \"{{{{ var('customer')['name'] }}}}\"}}
"
    )
}

#[test]
fn what_may_have_been_added_is_taken_back() {
    for (more, gone) in [("", true), ("", false), ("  on_error: reject\n", true)] {
        let api = Api::start();
        let project = project(&api, SQLITE, &(by_key("") + more));
        fill(&project, &[(1, "a"), (2, "b")]);
        // It was done, and the server failed behind that.
        api.change(|world| world.fails.insert("2".into()));
        project.sequor(&["run", "main"]);
        assert_eq!(api.contacts(), ["1|a", "2|b"]);
        api.change(|world| {
            world.fails.clear();
            world.refuses.insert("2".into());
        });
        if gone {
            fill(&project, &[(1, "a")]);
        }
        let ran = project.sequor(&["run", "main"]);
        assert!(
            ran.all()
                .contains("1 row may have been sent before, and the API refused"),
            "{}",
            ran.all()
        );
        // The API refuses to remove it, too.
        assert_eq!(ran.code, i32::from(more.is_empty()), "{}", ran.all());
        api.change(|world| world.refuses.clear());
        fill(&project, &[(1, "a")]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(api.contacts(), ["1|a"]);
        api.asked();
        assert_eq!(project.run("main").code, 0);
        assert_eq!(api.asked().len(), 0);
    }
}

#[test]
fn what_may_have_been_removed_is_sent_when_it_comes_back() {
    let api = Api::start();
    let project = project(&api, SQLITE, &by_key(""));
    let both = [(1, "a"), (2, "b")];
    fill(&project, &both);
    assert_eq!(project.run("main").code, 0);
    fill(&project, &both[..1]);
    api.change(|world| world.fails.insert("2".into()));
    assert_eq!(project.sequor(&["run", "main"]).code, 1);
    assert_eq!(api.contacts(), ["1|a"]);
    api.change(|world| {
        world.fails.clear();
        world.refuses.insert("2".into());
    });
    assert_eq!(project.sequor(&["run", "main"]).code, 1);
    api.change(|world| world.refuses.clear());
    fill(&project, &both);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.contacts(), ["1|a", "2|b"]);
}

#[test]
fn what_is_tried_again_and_refused_then_may_have_been_done() {
    let api = Api::start();
    let project = project(&api, SQLITE, &by_key(""));
    project.replace(
        "sources/api.yaml",
        "max_attempts: 1",
        "max_attempts: 2, backoff: {type: constant, initial: 500ms}",
    );
    let world = api.world.clone();
    fill(&project, &[(1, "a"), (2, "b")]);
    // The first attempt is done, and the second refused.
    api.change(|world| world.fails.insert("2".into()));
    let refuses = std::thread::spawn(move || {
        while !world.lock().unwrap().contacts.contains_key("2") {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let mut world = world.lock().unwrap();
        world.fails.clear();
        world.refuses.insert("2".into());
    });
    project.sequor(&["run", "main"]).fails(1, &["422"]);
    refuses.join().unwrap();
    api.change(|world| world.refuses.clear());
    fill(&project, &[(1, "a")]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.contacts(), ["1|a"]);
}

#[test]
fn what_full_and_resend_did_not_send_comes_with_the_next_run() {
    for (name, source) in databases::all() {
        let api = Api::start();
        let project = project(&api, &source, &by_key(""));
        fill(&project, &[(1, "a"), (2, "b"), (3, "c")]);
        assert_eq!(project.run("main").code, 0, "{name}");
        api.change(|world| world.refuses.insert("2".into()));
        project.sequor(&["run", "main", "--full"]).fails(1, &["422"]);
        api.change(|world| world.refuses.clear());
        api.asked();
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert_eq!(api.asked(), ["PUT /contacts/2", "PUT /contacts/3"], "{name}");
        project.replace("flows/main.yaml", "body: {", "body: {more: 1, ");
        api.change(|world| world.refuses.insert("2".into()));
        project.sequor(&["run", "main", "--resend"]).fails(1, &["422"]);
        api.change(|world| world.refuses.clear());
        api.asked();
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked(), ["PUT /contacts/2", "PUT /contacts/3"], "{name}");
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked().len(), 0, "{name}");
    }
}

#[test]
fn a_baseline_is_that_of_the_first_run_though_it_found_nothing() {
    let api = Api::start();
    let project = project(&api, SQLITE, &by_key(", baseline: true"));
    fill(&project, &[]);
    assert_eq!(project.run("main").code, 0);
    fill(&project, &[(1, "a")]);
    let plan = project.sequor(&["plan", "main", "--estimate"]).stdout;
    assert!(plan.contains("1 added"), "{plan}");
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["PUT /contacts/1"]);
    // Where the snapshot is gone, it is the first again.
    project.write(
        "flows/drop.yaml",
        "- {op: execute, source: wh, statement: drop table main__push_synced}\n",
    );
    assert_eq!(project.run("drop").code, 0);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn a_loop_around_a_flow_with_a_computed_name_is_refused() {
    let api = Api::start();
    let project = project(&api, SQLITE, &by_key(""));
    fill(&project, &[(1, "a"), (2, "b")]);
    project.write(
        "flows/around.yaml",
        "- op: for_each
  id: each
  source: wh
  table: customers
  as: one
  steps:
    - {op: run_flow, id: call, flow: \"{{ 'main' }}\"}
",
    );
    let ran = project.sequor(&["run", "around"]);
    ran.fails(1, &["`changes` in a loop"]);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn columns_named_as_the_snapshots_own_are_refused() {
    let api = Api::start();
    let step = by_key("").replace(
        "body: {name: \"{{ var('customer')['name'] }}\"}",
        "body_expression: dict(var('customer'))",
    );
    let project = project(&api, SQLITE, &step);
    project.write(
        "flows/fill.yaml",
        "- {op: transform, source: wh, target_table: customers, query: \"select 1 as id, 'a' as name, 'sent' as _Sequor_status\"}\n",
    );
    assert_eq!(project.run("fill").code, 0);
    project
        .sequor(&["run", "main"])
        .fails(1, &["column `_Sequor_status`", "give it another name"]);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn a_recording_is_no_api() {
    let api = Api::start();
    let project = project(&api, SQLITE, &by_key(""));
    fill(&project, &[(1, "a")]);
    assert_eq!(project.sequor(&["run", "main", "--record", "rec"]).code, 0);
    fill(&project, &[(1, "b")]);
    let ran = project.sequor(&["run", "main", "--replay", "rec"]);
    ran.fails(1, &["answers from a recording", "--dry-run --replay"]);
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["PUT /contacts/1"]);
}

#[test]
fn a_value_that_cannot_be_read_holds_nothing_up_when_it_is_mended() {
    let api = Api::start();
    let source = databases::all().into_iter().find(|(name, _)| *name == "postgres");
    let step = by_key("").replace("['name'] }}", "['name'] }}{{ var('customer')['note'] }}");
    let project = project(&api, &source.unwrap().1, &step);
    let filled = |note: &str| {
        project.write(
            "flows/fill.yaml",
            &format!("- {{op: transform, source: wh, target_table: customers, query: \"select 1 as id, 'a' as name, date '{note}' as note\"}}\n"),
        );
        assert_eq!(project.run("fill").code, 0);
    };
    filled("infinity");
    project.sequor(&["run", "main"]).fails(1, &["can't be read"]);
    filled("2024-01-02");
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts(), ["1|a2024-01-02"]);
}

#[test]
fn another_key_is_refused_though_rows_were_under_way() {
    let api = Api::start();
    let project = project(&api, SQLITE, &by_key(""));
    fill(&project, &[(1, "a"), (2, "b")]);
    assert_eq!(project.run("main").code, 0);
    fill(&project, &[(1, "a"), (2, "c")]);
    api.change(|world| world.fails.insert("2".into()));
    assert_eq!(project.sequor(&["run", "main"]).code, 1);
    api.change(|world| world.fails.clear());
    project.replace("flows/main.yaml", "key: [id]", "key: [id, name]");
    api.asked();
    project
        .sequor(&["run", "main"])
        .fails(1, &["`changes.key` is another one"]);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn names_that_would_hide_or_be_hidden_are_mistakes() {
    let api = Api::start();
    let project = project(&api, SQLITE, &by_key(""));
    fill(&project, &[(1, "a")]);
    let flow = project.read("flows/main.yaml");
    for (from, to, says) in [
        ("as: customer", "as: change", "`as: change`"),
        ("as: customer", "as: kept_response", "`as: kept_response`"),
        (
            "key: [id]",
            "key: [id], snapshot: {table: push_rejects}",
            "which the step writes other rows into",
        ),
    ] {
        let flow = flow.replace(from, to) + "  on_error: reject\n";
        project.write("flows/main.yaml", &flow);
        project.sequor(&["validate"]).fails(2, &[says]);
    }
}
