//! What is remembered of runs.

use indoc::indoc;
use serde_json::Value as Json;

use crate::support::postgres;
use crate::support::program::Project;

const FLOW: &str = indoc! {r#"
    steps:
      - op: set_variable
        id: count
        set: {n: 1}
      - op: transform
        id: make
        source: stage
        target_table: t
        query: select 1 as a
      - op: print
        id: say
        message: "made {{ var('n') }}"
"#};

fn project(flow: &str) -> Project {
    Project::new().file("flows/main.yaml", flow)
}

fn lines(text: &str) -> Vec<Json> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Both places that a state can have: the files of the project, and the source that the state is in.
fn places() -> Vec<(&'static str, Project)> {
    let database = postgres::Database::new();
    let shared = project(FLOW).file("sources/db.yaml", &database.source()).file(
        "project.yaml",
        "name: test\nstate: {source: db, namespace: seq}\n",
    );
    vec![("a file", project(FLOW)), ("PostgreSQL", shared)]
}

#[test]
fn runs_are_listed_shown_and_told_again() {
    for (place, project) in places() {
        project.run("main");
        project.write(
            "flows/bad.yaml",
            "steps:\n  - op: execute\n    id: bad\n    source: stage\n    statement: select * from nowhere\n",
        );
        assert_eq!(project.sequor(&["run", "bad"]).code, 1);
        let listed = project.sequor(&["runs", "--format", "json"]);
        let runs = lines(&listed.stdout);
        let keys = |run: &Json| (run["flow"].clone(), run["status"].clone());
        assert_eq!(
            runs.iter().map(keys).collect::<Vec<_>>(),
            [("bad".into(), "failed".into()), ("main".into(), "done".into())],
            "{place}"
        );
        for run in &runs {
            assert!(run["seconds"].is_f64() && run["started"].is_string(), "{run}");
        }
        assert_eq!(runs[0]["error"]["code"], "SQ1011");
        // Filters.
        let only = |args: &[&str]| {
            let all = [&["runs", "--format", "json"], args].concat();
            lines(&project.sequor(&all).stdout).len()
        };
        assert_eq!(only(&["--flow", "main"]), 1);
        assert_eq!(only(&["--status", "failed"]), 1);
        assert_eq!(only(&["--status", "crashed"]), 0);
        assert_eq!(only(&["--since", "1h"]), 2);
        assert_eq!(only(&["--since", "2999-01-01"]), 0);
        assert_eq!(only(&["--limit", "1"]), 1);
        project
            .sequor(&["runs", "--since", "soon"])
            .fails(2, &["`soon` is no time"]);
        // A short id.
        let id = runs[1]["run"].as_str().expect("an id");
        let shown = project.sequor(&["show", &id[..13], "--format", "json"]);
        let shown: Json = serde_json::from_str(&shown.stdout).expect("JSON");
        assert_eq!(
            (&shown["run"], &shown["flow"]),
            (&Json::from(id), &Json::from("main"))
        );
        let steps: Vec<&str> = shown["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .map(|s| s["step"].as_str().unwrap())
            .collect();
        assert_eq!(steps.len(), 3, "{shown}");
        assert_eq!(
            shown["steps"]
                .as_array()
                .unwrap()
                .iter()
                .find(|s| s["step"] == "make")
                .unwrap()["rows"],
            1
        );
        // The latest, in words.
        let shown = project.sequor(&["show"]);
        for part in [
            "of flow bad: failed",
            "table `nowhere` does not exist",
            "sequor run bad --resume",
        ] {
            assert!(shown.stdout.contains(part), "{place}: {}", shown.all());
        }
        // What it told.
        let told = project.sequor(&["logs", id]);
        assert!(told.stdout.contains("made 1"), "{}", told.all());
        let told = lines(&project.sequor(&["logs", id, "--format", "json"]).stdout);
        assert_eq!(told.first().unwrap()["event"], "run_started");
        assert_eq!(told.last().unwrap()["event"], "run_finished");
        // As tables.
        let rows = project.rows("_sequor", "select flow, status, attempt from runs order by run");
        assert_eq!(rows, ["main|done|1", "bad|failed|1"], "{place}");
        let rows = project.rows(
            "_sequor",
            "select step, status, rows_written from steps where step = 'make'",
        );
        assert_eq!(rows, ["make|done|1"]);
        project.sequor(&["show", "ffff"]).fails(2, &["no run has an id"]);
        project
            .sequor(&["show", "no-id!"])
            .fails(2, &["no run has an id"]);
        project
            .sequor(&["show", "0"])
            .fails(2, &["is the beginning of several runs"]);
    }
}

#[test]
fn variables_are_kept_when_the_step_that_set_them_is_over() {
    let flow = indoc! {r#"
        steps:
          - op: set_variable
            set: {n_expression: "var('n') + 1"}
          - op: execute
            source: stage
            statement: select * from nowhere
    "#};
    for (place, project) in places() {
        project.write("home/envs/dev.yaml", "variables: {n: 0}\n");
        project.write("flows/main.yaml", flow);
        project.write(
            "flows/show.yaml",
            "steps:\n  - op: print\n    message: \"n is {{ var('n') }}\"\n",
        );
        for n in 1..3 {
            assert_eq!(project.sequor(&["run", "main", "--env", "dev"]).code, 1);
            let shown = project.sequor(&["run", "show", "--env", "dev"]);
            assert_eq!(
                shown.stdout.trim(),
                format!("n is {n}"),
                "{place}: {}",
                shown.all()
            );
        }
        let file = project.home().join("project_state/test/variables.yaml");
        assert_eq!(file.exists(), place == "a file");
    }
}

#[test]
fn variables_of_a_file_are_taken_over_once() {
    let database = postgres::Database::new();
    let project = project("steps:\n  - op: set_variable\n    set: {a_expression: \"var('a') + 1\"}\n  - op: print\n    message: \"a is {{ var('a') }}\"\n")
        .file("sources/db.yaml", &database.source())
        .file("home/project_state/test/variables.yaml", "a: 5\n");
    project.write("project.yaml", "name: test\nstate: {source: db}\n");
    let first = project.run("main");
    assert!(
        first.stderr.contains("were taken over into the state"),
        "{}",
        first.all()
    );
    assert_eq!(first.stdout.trim(), "a is 6");
    project.write("home/project_state/test/variables.yaml", "a: 100\n");
    let second = project.run("main");
    assert!(!second.stderr.contains("taken over"), "{}", second.all());
    assert_eq!(second.stdout.trim(), "a is 7");
}

#[test]
fn a_state_of_a_later_version_is_refused_and_not_touched() {
    for (place, project) in places() {
        project.run("main");
        let newer = "update meta set value = '99' where key = 'version'";
        match place {
            "a file" => project.write(
                "sources/own.yaml",
                "type: sqlite\nconn_str: sqlite:///home/project_state/test/state.db\n",
            ),
            _ => project.write("sources/own.yaml", &project.read("sources/db.yaml")),
        }
        let table = if place == "a file" { "meta" } else { "seq.meta" };
        project.write(
            "flows/later.yaml",
            &format!(
                "steps:\n  - op: execute\n    source: own\n    statement: {}\n",
                newer.replace("meta", table)
            ),
        );
        // It changes the very state that it is remembered in.
        project.run("later");
        let ran = project.sequor(&["run", "main"]);
        ran.fails(1, &["SQ1022", "made by a later version", "its form is 99"]);
        project.sequor(&["runs"]).fails(1, &["made by a later version"]);
    }
}

#[test]
fn old_runs_are_forgotten() {
    let project = project(FLOW).file("project.yaml", "name: test\nstate: {keep_runs: 3}\n");
    for _ in 0..5 {
        project.run("main");
    }
    let runs = lines(&project.sequor(&["runs", "--format", "json"]).stdout);
    assert_eq!(runs.len(), 3);
    let rows = project.rows("_sequor", "select count(distinct run) as n from steps");
    assert_eq!(rows, ["3"]);
    project.sequor(&["validate"]).fails(0, &["all good"]);
    project.write("project.yaml", "name: test\nstate: {namespace: x}\n");
    project
        .sequor(&["validate"])
        .fails(2, &["`namespace` of `state` is a schema of its `source`"]);
    project.write("project.yaml", "name: test\nstate: {source: stage}\n");
    project
        .sequor(&["validate"])
        .fails(2, &["which is no PostgreSQL database"]);
    project.write("project.yaml", "name: test\nstate: {source: stag}\n");
    project.sequor(&["validate"]).fails(2, &["did you mean `stage`?"]);
}

#[test]
fn a_state_that_cannot_be_written_is_told_before_anything_is_done() {
    let project = project(FLOW);
    project.write(
        "home/project_state/test/state.db/x",
        "a folder where the file should be",
    );
    let ran = project.sequor(&["run", "main"]);
    ran.fails(1, &["SQ1022", "state.db", "runs are remembered there"]);
    assert!(!ran.all().contains("made 1"));
}
