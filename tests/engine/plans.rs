//! `plan --out` and `run --plan`: what was reviewed is what runs, or nothing.

use crate::support::program::Project;
use indoc::indoc;

fn project() -> Project {
    let project = Project::new()
        .file("sources/stage.yaml", "type: staging\n")
        .file(
            "flows/main.yaml",
            "- {op: execute, id: fill, source: stage, statement: \"create or replace table t as select {{ var('n') }} as n\"}\n- {op: print, id: say, message: \"{{ query_scalar('stage', 'select n from t') }}\"}\n",
        )
        .file("flows/other.yaml", "- {op: print, message: other}\n");
    let planned = project.sequor(&["plan", "main", "--var", "n=7", "--out", "plan.json"]);
    assert_eq!(planned.code, 0, "{}", planned.all());
    project
}

#[test]
fn what_was_planned_is_run() {
    let project = project();
    let run = project.sequor(&["run", "--plan", "plan.json", "--var", "n=7"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "7\n"), "{}", run.all());
    // With a choice of steps, and in order.
    let planned = project.sequor(&[
        "plan",
        "main",
        "--var",
        "n=7",
        "--select",
        "say",
        "--out",
        "plan.json",
    ]);
    assert_eq!(planned.code, 0);
    let run = project.sequor(&["run", "--plan", "plan.json", "--var", "n=7", "--format", "json"]);
    assert!(
        run.stdout.contains("\"say\"") && !run.stdout.contains("\"fill\""),
        "{}",
        run.stdout
    );
}

#[test]
fn a_plan_holds_no_values_of_variables() {
    let project = project();
    project.sequor(&["plan", "main", "--var", "n=7340033", "--out", "plan.json"]);
    assert!(!project.read("plan.json").contains("7340033"));
}

#[test]
fn what_changed_since_is_refused() {
    let refused = |change: &dyn Fn(&Project), args: &[&str], says: &str| {
        let project = project();
        change(&project);
        project.sequor(args).fails(2, &[says, "sequor plan"]);
    };
    let same = ["run", "--plan", "plan.json", "--var", "n=7"];
    refused(
        &|p| p.replace("flows/main.yaml", "say", "tell"),
        &same,
        "file `flows/main.yaml` changed",
    );
    refused(
        &|p| p.write("flows/other.yaml", "[]"),
        &same,
        "file `flows/other.yaml` changed",
    );
    refused(
        &|p| p.write("sources/new.yaml", "type: staging\n"),
        &same,
        "file `sources/new.yaml` was not there",
    );
    refused(
        &|p| std::fs::remove_file(p.path().join("flows/other.yaml")).unwrap(),
        &same,
        "file `flows/other.yaml` is not there any more",
    );
    refused(
        &|_| {},
        &["run", "--plan", "plan.json", "--var", "n=8"],
        "variable `n` changed",
    );
    refused(
        &|_| {},
        &["run", "--plan", "plan.json"],
        "variable `n` is not there any more",
    );
    refused(
        &|_| {},
        &["run", "--plan", "plan.json", "--var", "n=7", "--var", "m=1"],
        "variable `m` was not there",
    );
    let version = format!("\"program\": \"{}\"", env!("CARGO_PKG_VERSION"));
    refused(
        &|p| p.replace("plan.json", &version, "\"program\": \"77.0.0\""),
        &same,
        "it was made by version 77.0.0",
    );
    refused(
        &|p| p.replace("plan.json", "select {{ var('n') }}", "select 666, {{ var('n') }}"),
        &same,
        "what is planned now differs",
    );
    refused(
        &|p| p.replace("plan.json", "\"version\": 1", "\"version\": 99"),
        &same,
        "has the version 99",
    );
    refused(&|p| p.write("plan.json", "{"), &same, "is not JSON");
    refused(
        &|p| p.write("plan.json", "{\"version\": 1}"),
        &same,
        "is not one that was written by --out",
    );
    refused(&|_| {}, &["run", "--plan", "nowhere.json"], "can't be read");
}

#[test]
fn a_plan_names_its_flow_itself() {
    let project = project();
    let run = project.sequor(&["run", "main", "--plan", "plan.json"]);
    assert_eq!(run.code, 2, "{}", run.all());
    assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
    let run = project.sequor(&["run"]);
    assert_eq!(run.code, 2, "{}", run.all());
}

#[test]
fn what_is_estimated_is_no_difference() {
    let project = project().file(
        "flows/push.yaml",
        indoc! {r#"
            - op: http_request
              for_each: {source: stage, table: t, as: r}
              request: {url: "http://127.0.0.1:1/{{ var('r')['n'] }}"}
        "#},
    );
    project.sequor(&["run", "main", "--var", "n=7"]);
    let planned = project.sequor(&["plan", "push", "--estimate", "--out", "plan.json"]);
    assert_eq!(planned.code, 0, "{}", planned.all());
    assert!(project.read("plan.json").contains("\"estimated_requests\": 1"));
    // It starts: that nobody answers is found by the step.
    project
        .sequor(&["run", "--plan", "plan.json"])
        .fails(1, &["SQ1002"]);
}

#[test]
fn an_environment_is_known_by_its_name() {
    let project = Project::new()
        .file("home/envs/dev.yaml", "variables: {n: 5}\n")
        .file("flows/main.yaml", "- {op: print, message: \"{{ var('n') }}\"}\n");
    let planned = project.sequor(&["plan", "main", "--env", "dev", "--out", "plan.json"]);
    assert_eq!(planned.code, 0, "{}", planned.all());
    std::fs::rename(project.home(), project.path().join("elsewhere")).unwrap();
    let run = || {
        std::process::Command::new(env!("CARGO_BIN_EXE_sequor"))
            .current_dir(project.path())
            .args([
                "--home-dir",
                "elsewhere",
                "run",
                "--plan",
                "plan.json",
                "--env",
                "dev",
            ])
            .output()
            .unwrap()
    };
    assert_eq!(String::from_utf8_lossy(&run().stdout), "5\n");
    project.write("elsewhere/envs/dev.yaml", "variables: {n: 6}\n");
    let refused = run();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("file `envs/dev.yaml` changed"), "{said}");
}
