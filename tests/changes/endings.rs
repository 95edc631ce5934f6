//! Runs that end early: what was sent is known, or known to be in doubt.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::api::Api;
use super::{SQLITE, fill, project};
use crate::support::program::Project;

/// Makes a contact for each row: twice, where a row is sent twice.
pub fn made(more: &str) -> String {
    format!(
        "  for_each: {{source: wh, table: customers, as: customer, changes: {{key: [id], rows: [added]}}}}
  request:
    source: api
    method: POST
    url: /contacts
    concurrency: 4
    {more}
    body: {{id: \"{{{{ var('customer')['id'] }}}}\", name: \"{{{{ var('customer')['name'] }}}}\"}}
"
    )
}

pub fn rows() -> Vec<(u32, &'static str)> {
    (1..=40).map(|id| (id, "a")).collect()
}

/// Runs until the API has made some contacts, and kills the run then.
pub fn killed(project: &Project, api: &Api, after: usize) {
    let mut command = project.command(&["run", "main"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut program = command.spawn().unwrap();
    let began = Instant::now();
    while api.change(|world| world.made) < after && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(2));
    }
    program.kill().unwrap();
    program.wait().unwrap();
}

#[test]
fn rows_in_doubt_are_not_sent_until_somebody_says_so() {
    let api = Api::start();
    let project = project(&api, SQLITE, &made("headers: {}"));
    fill(&project, &rows());
    api.change(|world| world.delay = Duration::from_millis(40));
    killed(&project, &api, 12);
    let ran = project.sequor(&["run", "main"]);
    ran.fails(1, &["must not be sent twice (id: ", "--in-doubt send"]);
    let (made, there) = api.change(|world| (world.made, world.contacts.len()));
    assert_eq!(made, there, "none was made twice");
    // It is said each time, and the rows stay where they are.
    api.asked();
    project
        .sequor(&["run", "main"])
        .fails(1, &["must not be sent twice"]);
    assert_eq!(api.asked().len(), 0);
    let shown = project.sequor(&["state", "list", "main"]).stdout;
    assert!(shown.contains("main__push_synced"), "{shown}");
    let ran = project.sequor(&["run", "main", "--in-doubt", "send"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts().len(), 40);
    let again = api.asked().len();
    assert!((1..=4).contains(&again), "{again}");
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn an_idempotency_key_makes_a_crash_harmless() {
    let api = Api::start();
    let project = project(&api, SQLITE, &made("idempotency_key: true"));
    fill(&project, &rows());
    api.change(|world| world.delay = Duration::from_millis(40));
    killed(&project, &api, 12);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.change(|world| world.made), 40);
    // What was done is not asked again.
    assert!(api.asked().len() < 40 + 30);
    assert_eq!(api.contacts().len(), 40);
}

#[test]
fn resumed_or_not_a_run_goes_on_where_the_last_one_was() {
    for again in [&["run", "main", "--resume"][..], &["run", "main"][..]] {
        let api = Api::start();
        let step = made("headers: {}").replace("concurrency: 4", "concurrency: 1");
        let project = project(&api, "type: staging\n", &step);
        fill(&project, &rows());
        api.change(|world| world.refuses.insert("31".into()));
        project.sequor(&["run", "main"]).fails(1, &["422"]);
        assert_eq!(api.asked().len(), 31);
        api.change(|world| world.refuses.clear());
        let ran = project.sequor(again);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert!(
            ran.all().contains("10 added, 0 changed, 0 removed, 30 unchanged"),
            "{}",
            ran.all()
        );
        assert_eq!(api.asked().len(), 10);
        assert_eq!(api.change(|world| world.made), 40);
    }
}

#[test]
fn answers_of_a_run_that_was_killed_are_in_their_table() {
    let api = Api::start();
    let step = made("idempotency_key: true")
        + "  response:
    tables: [{source: wh, table: made, data_expression: \"[response.json()]\", write_mode: append, columns: {id: bigint}}]
";
    let project = project(&api, SQLITE, &step);
    fill(&project, &rows());
    api.change(|world| world.delay = Duration::from_millis(40));
    killed(&project, &api, 12);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(
        project.rows("wh", "select count(*), count(distinct id) from made"),
        ["40|40"]
    );
}

#[test]
fn a_row_that_was_under_way_and_has_changed_since_is_made_once() {
    let api = Api::start();
    let step = made("idempotency_key: true")
        .replace("rows: [added]", "rows: [added, changed]")
        .replace(
            "method: POST",
            "method: \"{{ 'POST' if var('change') == 'added' else 'PUT' }}\"",
        )
        .replace(
            "url: /contacts",
            "url: \"/contacts/{{ '' if var('change') == 'added' else var('customer')['id'] }}\"",
        );
    let project = project(&api, SQLITE, &step);
    fill(&project, &rows());
    api.change(|world| world.delay = Duration::from_millis(40));
    killed(&project, &api, 12);
    let edited: Vec<(u32, &str)> = (1..=40).map(|id| (id, "b")).collect();
    fill(&project, &edited);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(!ran.all().contains("warning"), "{}", ran.all());
    assert_eq!(api.change(|world| world.made), 40);
    assert!(api.contacts().iter().all(|contact| contact.ends_with("|b")));
}

#[test]
fn a_row_that_a_failing_server_may_have_taken_is_in_doubt() {
    let api = Api::start();
    let step = made("headers: {}") + "  on_error: reject\n";
    let project = project(&api, SQLITE, &step);
    fill(&project, &[(1, "a"), (2, "b")]);
    api.change(|world| world.fails.insert("2".into()));
    project
        .sequor(&["run", "main"])
        .fails(1, &["1 row may have been sent", "(id: 2)"]);
    // To go on with the run comes first: nothing else is said of the row.
    let shown = project.sequor(&["show"]).stdout;
    assert!(shown.contains("--in-doubt send|skip"), "{shown}");
    assert!(!shown.contains("sequor retry"), "{shown}");
    api.asked();
    project
        .sequor(&["run", "main"])
        .fails(1, &["1 row may have been sent"]);
    assert_eq!(api.asked().len(), 0);
    assert_eq!(project.sequor(&["run", "main", "--in-doubt", "skip"]).code, 0);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn a_retry_sends_rows_in_doubt() {
    for more in [
        "",
        "- {op: execute, source: wh, statement: create table behind (n bigint)}\n",
    ] {
        let api = Api::start();
        let step = made("headers: {}") + "  on_error: reject\n" + more;
        let project = project(&api, SQLITE, &step);
        fill(&project, &[(1, "a"), (2, "b")]);
        api.change(|world| world.fails.insert("2".into()));
        assert_eq!(project.sequor(&["run", "main"]).code, 1);
        // One that rejects nothing has them, too.
        assert_eq!(project.sequor(&["run", "main"]).code, 1);
        let runs = project
            .sequor(&["runs", "--format", "json", "--limit", "1"])
            .stdout;
        let run: serde_json::Value = serde_json::from_str(&runs).unwrap();
        let run = run["run"].as_str().unwrap();
        api.change(|world| world.fails.clear());
        api.asked();
        let ran = project.sequor(&["retry", run]);
        if !more.is_empty() {
            // What comes behind the step would be left out.
            ran.fails(2, &["is not done", "sequor run main --resume"]);
            continue;
        }
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(api.asked().len(), 1);
        assert_eq!(project.run("main").code, 0);
        assert_eq!(api.asked().len(), 0);
    }
}

#[test]
fn what_was_sent_in_batches_is_known_though_they_are_of_another_size_now() {
    for size in [2, 7] {
        let api = Api::start();
        let step = "  for_each: {source: wh, table: customers, as: rows, batch_size: 4, changes: {key: [id]}}
  request:
    source: api
    concurrency: 2
    method: PATCH
    url: \"/contacts/{{ var('change') }}\"
    body_expression: \"{'rows': [{'id': row['id'], 'name': row['name']} for row in var('rows')]}\"
";
        let project = project(&api, SQLITE, step);
        fill(&project, &rows());
        api.change(|world| world.delay = Duration::from_millis(300));
        killed(&project, &api, 12);
        project.replace("flows/main.yaml", "batch_size: 4", &format!("batch_size: {size}"));
        api.change(|world| world.delay = Duration::ZERO);
        // What was added and is gone again is taken back.
        fill(&project, &rows()[5..]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(api.contacts().len(), 35, "{}", ran.all());
        api.asked();
        assert_eq!(project.run("main").code, 0);
        assert_eq!(api.asked().len(), 0);
    }
}

#[test]
fn a_step_that_failed_goes_on_when_it_is_mended() {
    let api = Api::start();
    let step = made("headers: {}").replace("concurrency: 4", "concurrency: 1");
    let project = project(&api, SQLITE, &step);
    fill(&project, &rows());
    api.change(|world| world.refuses.insert("20".into()));
    project.sequor(&["run", "main"]).fails(1, &["422"]);
    // It reads answers from now on: those of before were not kept.
    let flow = project.read("flows/main.yaml") + "  response: {rules: [{status: 422, action: skip}]}\n";
    project.write("flows/main.yaml", &flow);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.change(|world| world.made), 39);
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked().len(), 0);
}

#[test]
fn what_one_environment_was_sending_is_none_of_the_others_business() {
    let api = Api::start();
    let project = project(&api, SQLITE, &made("headers: {}"));
    std::fs::create_dir_all(project.home().join("envs")).unwrap();
    std::fs::write(project.home().join("envs/prod.yaml"), "variables: {a: 1}\n").unwrap();
    fill(&project, &rows());
    api.change(|world| world.delay = Duration::from_millis(40));
    let run = ["run", "main", "--env", "prod"];
    killed(&project, &api, 12);
    let made = api.change(|world| world.made);
    assert_eq!(project.sequor(&run).code, 0);
    assert_eq!(api.change(|world| world.made), made + 40);
    project
        .sequor(&["run", "main"])
        .fails(1, &["must not be sent twice"]);
}

#[test]
fn what_a_server_may_have_done_is_sent_again_as_it_was() {
    let api = Api::start();
    let step = made("idempotency_key: true")
        .replace("  request:\n", "  on_error: reject\n  request:\n")
        .replace("rows: [added]", "rows: [added, changed, removed]")
        .replace(
            "method: POST",
            "method: \"{{ {'added': 'POST', 'changed': 'PUT', 'removed': 'DELETE'}[var('change')] }}\"",
        )
        .replace(
            "url: /contacts",
            "url: \"/contacts/{{ {'added': '', 'changed': var('customer')['id'], 'removed': 'key-' ~ var('customer')['id']}[var('change')] }}\"",
        );
    let project = project(&api, SQLITE, &step);
    fill(&project, &[(1, "a"), (2, "b"), (3, "c")]);
    // Both were made, and the server failed behind that.
    api.change(|world| world.fails.extend(["1".to_string(), "2".to_string()]));
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    api.change(|world| world.fails.clear());
    // One has changed since, the other is gone.
    fill(&project, &[(1, "A"), (3, "c")]);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts(), ["1|A", "3|c"]);
    assert_eq!(api.change(|world| world.made), 3, "none was made twice");
    let ran = project.run("main");
    assert!(
        ran.all().contains("0 added, 0 changed, 0 removed, 2 unchanged"),
        "{}",
        ran.all()
    );
}

#[test]
fn an_api_that_lets_nobody_in_has_judged_nothing() {
    let api = Api::start();
    let step = made("idempotency_key: true").replace("rows: [added]", "rows: [added, changed]");
    let project = project(&api, SQLITE, &step);
    fill(&project, &rows());
    api.change(|world| world.delay = Duration::from_millis(40));
    killed(&project, &api, 12);
    api.change(|world| {
        world.delay = Duration::ZERO;
        world.locked = true;
    });
    let edited: Vec<(u32, &str)> = rows().into_iter().map(|(id, _)| (id, "edited")).collect();
    fill(&project, &edited);
    project.sequor(&["run", "main"]).fails(1, &["401"]);
    project.sequor(&["run", "main"]).fails(1, &["401"]);
    api.change(|world| world.locked = false);
    api.asked();
    let made = api.change(|world| world.made);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    // Those that were under way are known by their keys; what is sent then is what has changed of them.
    let posts = api.asked().len();
    assert!(posts >= 40, "{posts}");
    assert!(made >= 12);
    let again = project.run("main");
    assert!(again.all().contains("40 unchanged"), "{}", again.all());
}

#[test]
fn a_request_that_reads_more_by_now_goes_on() {
    let api = Api::start();
    let step = made("headers: {}").replace("concurrency: 4", "concurrency: 1")
        + "  response: {rules: [{status: 404, action: skip}]}\n";
    let project = project(&api, SQLITE, &step);
    fill(&project, &rows());
    api.change(|world| world.refuses.insert("31".into()));
    project.sequor(&["run", "main"]).fails(1, &["422"]);
    api.change(|world| world.refuses.clear());
    project.replace(
        "flows/main.yaml",
        "body: {",
        "body: {note: \"{{ var('customer')['note'] }}\", ",
    );
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts().len(), 40);
    let ran = project.run("main");
    assert!(ran.all().contains("40 unchanged"), "{}", ran.all());
}
