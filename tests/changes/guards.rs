//! What is refused before anything is sent, and what is told.

use super::api::Api;
use super::{SQLITE, each, fill, project};

#[test]
fn keys_that_are_none_send_nothing() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    fill(&project, &[(1, "a"), (1, "b"), (2, "c")]);
    let run = ["run", "main"];
    project.sequor(&run).fails(
        1,
        &[
            "several rows have the same key id: 1 (2 rows)",
            "nothing was sent",
        ],
    );
    project.write(
        "flows/nulls.yaml",
        "- {op: execute, source: wh, statement: update customers set id = null where name = 'b'}\n",
    );
    assert_eq!(project.run("nulls").code, 0);
    project
        .sequor(&run)
        .fails(1, &["1 of 3 rows have no key (id is null)"]);
    assert_eq!(api.asked().len(), 0);
    project.replace("flows/main.yaml", "key: [id]", "key: [idd]");
    project
        .sequor(&run)
        .fails(1, &["the rows have no column `idd`", "id"]);
}

#[test]
fn too_many_that_are_gone_send_nothing() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(", max_removed: 20%"));
    let ten: Vec<(u32, &str)> = (1..=10).map(|id| (id, "a")).collect();
    fill(&project, &ten);
    let run = ["run", "main"];
    assert_eq!(project.run("main").code, 0);
    api.asked();
    fill(&project, &ten[..7]);
    project.sequor(&run).fails(
        1,
        &[
            "3 of 10 rows that were sent are gone from `customers`, and at most 20% may be",
            "nothing was sent",
        ],
    );
    assert_eq!(api.asked().len(), 0);
    fill(&project, &ten[..8]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.contacts().len(), 8);
    // An empty table is no reason to remove all.
    project.replace("flows/main.yaml", ", max_removed: 20%", "");
    fill(&project, &[]);
    project
        .sequor(&run)
        .fails(1, &["8 of 8 rows", "may not be empty"]);
    project.replace(
        "flows/main.yaml",
        "keep_response: id",
        "keep_response: id, max_removed: 100%",
    );
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.contacts().len(), 0);
}

#[test]
fn a_baseline_counts_as_sent() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(", baseline: true"));
    fill(&project, &[(1, "a"), (2, "b")]);
    let ran = project.run("main");
    assert_eq!(ran.code, 0);
    assert!(
        ran.all().contains("2 rows count as sent (`baseline`)"),
        "{}",
        ran.all()
    );
    fill(&project, &[(1, "a"), (2, "B"), (3, "c")]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["PUT /contacts/2", "PUT /contacts/3"]);
}

#[test]
fn what_another_request_sent_is_told_and_sent_again_when_asked_for() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    fill(&project, &[(1, "a"), (2, "b")]);
    assert_eq!(project.run("main").code, 0);
    project.replace("flows/main.yaml", "body: {name:", "body: {more: 1, name:");
    fill(&project, &[(1, "a"), (2, "B")]);
    let ran = project.run("main");
    assert_eq!(ran.code, 0);
    assert!(
        ran.all().contains("1 row was sent by another request"),
        "{}",
        ran.all()
    );
    api.asked();
    let ran = project.sequor(&["run", "main", "--resend"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.asked(), ["PUT /contacts/1"]);
    let ran = project.run("main");
    assert!(!ran.all().contains("another request"), "{}", ran.all());
    assert_eq!(api.asked().len(), 0);
    assert_eq!(project.sequor(&["run", "main", "--full"]).code, 0);
    assert_eq!(api.asked(), ["PUT /contacts/1", "PUT /contacts/2"]);
}

#[test]
fn a_column_that_the_request_did_not_read_is_new_to_what_was_sent() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each("").replace("  on_error: reject\n", ""));
    fill(&project, &[(1, "a"), (2, "b")]);
    assert_eq!(project.run("main").code, 0);
    api.asked();
    let note = "body: {note: \"{{ var('customer')['note'] }}\", name:";
    project.replace("flows/main.yaml", "body: {name:", note);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["PUT /contacts/1", "PUT /contacts/2"]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn rejected_rows_come_again() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    fill(&project, &[(1, "a"), (2, "b"), (3, "c")]);
    api.change(|world| world.refuses.insert("2".into()));
    let ran = project.run("main");
    assert_eq!(ran.code, 0);
    assert!(ran.all().contains("1 row was rejected"), "{}", ran.all());
    api.change(|world| world.refuses.clear());
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["PUT /contacts/2"]);
    assert_eq!(api.contacts(), ["1|a", "2|b", "3|c"]);
}

#[test]
fn what_was_sent_is_shown_and_forgotten() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    fill(&project, &[(1, "a"), (2, "b")]);
    let state = |args: &[&str]| project.sequor(&[&["state"], args].concat());
    assert!(state(&["list", "main"]).stderr.contains("nothing is kept yet"));
    assert_eq!(project.run("main").code, 0);
    let shown = state(&["list", "main"]).stdout;
    assert!(
        shown.contains("push  wh.main__push_synced          2         0"),
        "{shown}"
    );
    assert!(
        state(&["reset", "main", "push"])
            .stderr
            .contains("1 state forgotten")
    );
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["PUT /contacts/1", "PUT /contacts/2"]);
    state(&["reset", "main", "none"]).fails(2, &["no step `none` that keeps a state"]);
}

#[test]
fn mistakes_are_told_before_a_run() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    let validate = |from: &str, to: &str, says: &[&str]| {
        let before = project.read("flows/main.yaml");
        project.replace("flows/main.yaml", from, to);
        project.sequor(&["validate"]).fails(2, says);
        project.write("flows/main.yaml", &before);
    };
    validate("key: [id], ", "", &["`changes` needs `key`"]);
    validate("key: [id]", "key: []", &["`key` names no column"]);
    validate(
        "key: [id]",
        "key: [id], rows: [add]",
        &["`add` is not allowed for `rows`", "added"],
    );
    validate(
        "key: [id]",
        "key: [id], rows: added, max_removed: 5",
        &["`max_removed` counts removed rows"],
    );
    validate(
        "changes: {key: [id], keep_response: id}",
        "changes:",
        &["`changes` needs `key`"],
    );
    validate(
        "key: [id]",
        "key: [id], rows: []",
        &["`rows` names nothing that is sent"],
    );
    validate(
        ", keep_response: id",
        "",
        &["reads `kept_response`, and nothing is kept"],
    );
    validate("key: [id]", "key: [\"\"]", &["a column that has no name"]);
    validate("key: [id]", "key: [id, ID]", &["names `ID` twice"]);
    validate("key: [id]", "key: [\"{{ var('k') }}\"]", &["is a template"]);
    validate("on_error: reject", "checkpoint: false", &["`checkpoint: false`"]);
    validate("  id: push\n", "", &["has no `id`"]);
    validate(
        "keep_response: id}}",
        "keep_response: id}, batch_size: 5}",
        &["`keep_response` keeps what is answered about a row"],
    );
    project.sequor(&["run", "fill", "--resend"]).fails(2, &[]);
    fill(&project, &[(1, "a")]);
    project
        .sequor(&["run", "fill", "--full"])
        .fails(2, &["--full is for steps that send only changes"]);
}

#[test]
fn an_answer_without_what_is_kept_is_told() {
    let api = Api::start();
    let project = project(
        &api,
        SQLITE,
        &each("").replace("keep_response: id", "keep_response: number"),
    );
    fill(&project, &[(1, "a"), (2, "b")]);
    let ran = project.run("main");
    assert!(
        ran.all().contains("the answers to 2 new rows have no `number`"),
        "{}",
        ran.all()
    );
}

#[test]
fn an_id_that_the_api_has_not_given_is_no_path() {
    let api = Api::start();
    let chosen = "{{ 'new' if var('change') == 'added' else var('kept_response') }}";
    let by_url = each(", rows: [added, changed]").replace(
        "{{ var('kept_response') if var('change') == 'removed' else var('customer')['id'] }}",
        chosen,
    );
    let by_parameter = by_url
        .replace(&format!("/contacts/{chosen}"), "/contacts/{id}")
        .replace(
            "    method:",
            &format!("    path_parameters: {{id: \"{chosen}\"}}\n    method:"),
        );
    for step in [by_url, by_parameter] {
        let step = step.replace("keep_response: id", "keep_response: number");
        let project = project(&api, SQLITE, &step.replace("  on_error: reject\n", ""));
        fill(&project, &[(1, "a")]);
        assert_eq!(project.run("main").code, 0);
        fill(&project, &[(1, "b")]);
        api.asked();
        project.sequor(&["run", "main"]).fails(1, &["is null"]);
        assert!(api.asked().is_empty());
    }
}

#[test]
fn a_request_that_does_not_look_at_what_became_of_a_row_removes_none() {
    let api = Api::start();
    let step = each("")
        .replace("{{ 'DELETE' if var('change') == 'removed' else 'PUT' }}", "PUT")
        .replace(
            "{{ var('kept_response') if var('change') == 'removed' else var('customer')['id'] }}",
            "{{ var('customer')['id'] }}",
        );
    let project = project(&api, SQLITE, &step);
    project.sequor(&["validate"]).fails(
        2,
        &[
            "removed rows would be sent like the others",
            "rows: [added, changed]",
        ],
    );
}

#[test]
fn a_step_around_that_has_no_id_is_refused() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    project.write("flows/around.yaml", "- {op: run_flow, flow: main}\n");
    let says = [
        "the step around it, `run_flow_1`, is named by its place",
        "add an `id`",
    ];
    project.sequor(&["validate"]).fails(2, &says);
    project.write("flows/around.yaml", "- {op: run_flow, id: sub, flow: main}\n");
    assert_eq!(project.sequor(&["validate"]).code, 0);
}

#[test]
fn a_request_is_the_same_wherever_it_stands() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    fill(&project, &[(1, "a")]);
    assert_eq!(project.run("main").code, 0);
    project.replace(
        "flows/main.yaml",
        "- op: http_request",
        "# A comment.\n\n- op: http_request",
    );
    project.replace("flows/main.yaml", "body: {name:", "body: {  name:");
    let ran = project.run("main");
    assert!(!ran.all().contains("another request"), "{}", ran.all());
    // Where it goes is a part of it, and an environment has a book of its own.
    project.replace(
        "sources/api.yaml",
        &api.server.url,
        &format!("{}/v2", api.server.url),
    );
    let ran = project.run("main");
    assert!(
        ran.all().contains("1 row was sent by another request"),
        "{}",
        ran.all()
    );
}

#[test]
fn tables_of_others_are_left_alone() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    fill(&project, &[(1, "a")]);
    let table = "main__push_synced";
    let make = format!("- {{op: execute, source: wh, statement: create table {table} as select 1 as x}}\n");
    project.write("flows/make.yaml", &make);
    assert_eq!(project.run("make").code, 0);
    let says = format!("`{table}` is a table of its own");
    project
        .sequor(&["run", "main"])
        .fails(1, &[&says, "nothing was sent"]);
    assert_eq!(project.rows("wh", &format!("select * from {table}")), ["1"]);
    project.write(
        "flows/make.yaml",
        &format!("- {{op: execute, source: wh, statement: drop table {table}}}\n"),
    );
    assert_eq!(project.run("make").code, 0);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn a_row_that_is_forgotten_and_sent_anew_has_another_key() {
    let api = Api::start();
    let step = each("").replace("request:\n", "request:\n    idempotency_key: true\n");
    let project = project(&api, SQLITE, &step);
    fill(&project, &[(1, "a")]);
    assert_eq!(project.run("main").code, 0);
    api.change(|world| world.contacts.clear());
    assert_eq!(project.sequor(&["state", "reset", "main"]).code, 0);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.contacts(), ["1|a"]);
}

#[test]
fn a_snapshot_of_a_step_inside_of_another_is_known() {
    let api = Api::start();
    let project = project(&api, SQLITE, &each(""));
    let step: String = each("").lines().map(|line| format!("      {line}\n")).collect();
    project.write(
        "flows/main.yaml",
        &format!("- op: if\n  id: outer\n  conditions:\n    - condition: \"true\"\n      then:\n        - op: http_request\n          id: push\n{}", step.replace("      ", "        ")),
    );
    fill(&project, &[(1, "a")]);
    let checked = project.sequor(&["validate", "main"]);
    assert_eq!(checked.code, 0, "{}", checked.all());
    assert!(!checked.all().contains("warning"), "{}", checked.all());
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
}
