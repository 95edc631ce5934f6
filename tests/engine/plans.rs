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
        "made with the variable `n`: give it again",
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

#[test]
fn a_plan_shows_no_secrets_that_stand_in_files() {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            indoc! {"
                type: http
                base_url: http://127.0.0.1:9/?sig=hidden1
                auth: {type: bearer_token, token: hidden2}
                headers: {X-Pwd: hidden3, Accept: text/plain}
            "},
        )
        .file(
            "sources/db.yaml",
            "type: postgres\nconn_str: postgresql://u:hidden4@127.0.0.1:9/d\n",
        )
        .file(
            "flows/main.yaml",
            indoc! {"
                - op: http_request
                  request:
                    source: api
                    url: /x?token=hidden5
                    method: POST
                    parameters: {api_key: hidden6, page: 1}
                    body: {password: hidden7, user: shown}
                - {op: set_variable, set: {api_token: hidden8}}
                - {op: execute, source: db, statement: select 1}
            "},
        );
    for args in [
        &["plan", "main"][..],
        &["plan", "main", "--format", "json"],
        &["plan", "main", "--stages"],
        &["plan", "main", "--out", "plan.json"],
    ] {
        let ran = project.sequor(args);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert!(!ran.all().contains("hidden"), "{args:?}\n{}", ran.all());
    }
    let file = project.read("plan.json");
    assert!(
        !file.contains("hidden") && file.contains("shown") && file.contains("text/plain"),
        "{file}"
    );
}

#[test]
fn stages_show_what_each_changes() {
    let project = Project::new().file(
        "flows/main.yaml",
        "- {op: set_variable, set: {n_expression: 1 + 1}}\n- {op: print, message_expression: var('n')}\n",
    );
    let shown = project.sequor(&["plan", "main", "--stages"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    for says in [
        "-- resolve: ",
        "-- lower: ",
        "+            \"lowered\": {",
        "-- order: ",
        "+      \"from\": 0,",
        "-- in_order: ",
        "(nothing changes)",
    ] {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            squeezed(&shown.stdout).contains(&squeezed(says)),
            "{says}\n{}",
            shown.stdout
        );
    }
    project
        .sequor(&["plan", "main", "--stages", "--format", "dot"])
        .fails(2, &["--stages shows text or JSON"]);
    let in_order = project.sequor(&["plan", "main", "--in-order", "--format", "json"]);
    assert!(
        in_order.stdout.contains("\"in_order\": true"),
        "{}",
        in_order.all()
    );
}

#[test]
fn lines_of_quoted_and_folded_python_are_not_lines_of_the_file() {
    for (name, message, says) in [
        (
            "quoted",
            "message_expression: \"x = 1\\ny = x / 0\\nreturn y\"",
            "on line 2: ZeroDivisionError",
        ),
        (
            "anchor",
            "message_expression: &m |\n    x = 1\n    return x / 0",
            "on line 2 (line 4 of flows/anchor.yaml)",
        ),
        (
            "literal",
            "message_expression: |\n    x = 1\n    return x / 0",
            "on line 2 (line 4 of flows/literal.yaml)",
        ),
    ] {
        let project = Project::new().file(
            &format!("flows/{name}.yaml"),
            &format!("- op: print\n  {message}\n- {{op: print, message: innocent}}\n"),
        );
        let ran = project.sequor(&["run", name]);
        ran.fails(1, &[says]);
        assert!(!ran.stderr.contains("innocent"), "{}", ran.all());
    }
}
