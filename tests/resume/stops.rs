//! Runs that stop and go on where they stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use indoc::indoc;

use crate::support::program::{Project, interrupt};
use crate::support::server::{Server, json};

/// A server that answers `/fails` with 400 until it is told otherwise, and counts what it is asked by path.
struct Api {
    server: Server,
    good: Arc<AtomicBool>,
}

impl Api {
    fn start() -> Api {
        let good = Arc::new(AtomicBool::new(false));
        let is_good = good.clone();
        let server = Server::start(move |asked| match asked.path.starts_with("/fails") {
            true if !is_good.load(Ordering::Relaxed) => json("{}").status(400),
            _ => json(r#"{"id": 1, "items": [{"a": 1}]}"#),
        });
        Api { server, good }
    }

    fn count(&self, path: &str) -> usize {
        self.server
            .asked()
            .iter()
            .filter(|asked| asked.path == path)
            .count()
    }

    fn project(&self, flow: &str) -> Project {
        Project::new()
            .file(
                "sources/api.yaml",
                &format!("type: http\nbase_url: {}\n", self.server.url),
            )
            .file("flows/main.yaml", flow)
    }

    /// The flow fails, and goes on to its end.
    fn fails_then_resumes(&self, project: &Project) -> (String, String) {
        let first = project.sequor(&["run", "main"]);
        assert_eq!(first.code, 1, "{}", first.all());
        self.good.store(true, Ordering::Relaxed);
        let second = project.sequor(&["run", "main", "--resume"]);
        assert_eq!(second.code, 0, "{}", second.all());
        (first.all(), second.all())
    }
}

#[test]
fn steps_that_are_over_are_not_repeated_and_their_variables_are_there() {
    let api = Api::start();
    let project = api.project(indoc! {r#"
        steps:
          - op: http_request
            id: once
            request: {source: api, url: /once, method: POST}
            response: {variables: {id: {value_expression: "response.json()['id']", scope: local}}}
          - op: set_variable
            id: local
            set: {x: {value_expression: "var('id') + 41", scope: local}, d: {value_expression: "__import__('datetime').date(2026, 1, 2)", scope: local}}
          - op: http_request
            id: fails
            request: {source: api, url: /fails}
          - op: print
            message: "x is {{ var('x') }} {{ var('d').year }}"
    "#});
    let (_, second) = api.fails_then_resumes(&project);
    assert_eq!(api.count("/once"), 1);
    assert!(second.contains("x is 42 2026"), "{second}");
    assert!(second.contains("an earlier attempt did it"), "{second}");
    let shown = project.sequor(&["show"]).stdout;
    assert!(
        shown.contains("Attempt 1") && shown.contains("Attempt 2") && shown.contains("done"),
        "{shown}"
    );
    project
        .sequor(&["run", "main", "--resume"])
        .fails(2, &["SQ1024", "is done: nothing is left of it"]);
}

#[test]
fn loops_and_branches_go_on_where_they_stopped() {
    let api = Api::start();
    let project = api.project(indoc! {r#"
        steps:
          - op: set_variable
            set: {n: 0, seen: ""}
          - op: for_each
            id: each
            values: [a, b, c]
            as: item
            steps:
              - op: http_request
                id: ask
                request: {source: api, url: "/{{ var('item') }}", method: POST}
              - op: if
                id: branch
                conditions:
                  - condition_expression: "var('n') == 1"
                    then:
                      - op: set_variable
                        set: {n: 5}
                      - op: http_request
                        id: fails
                        request: {source: api, url: /fails, method: POST}
                      - op: set_variable
                        set: {seen_expression: "var('seen') + '!'"}
                else:
                  - op: set_variable
                    set: {n_expression: "var('n') + 1"}
              - op: set_variable
                set: {seen_expression: "var('seen') + var('item')"}
          - op: while
            id: loop
            condition_expression: var('n') < 9
            steps:
              - op: set_variable
                set: {n_expression: "var('n') + 1"}
          - op: print
            message: "seen {{ var('seen') }}, n {{ var('n') }}"
    "#});
    let (_, second) = api.fails_then_resumes(&project);
    // The branch that was begun goes on, though its condition is false by now; no row is asked for again.
    assert!(second.contains("seen a!bc, n 9"), "{second}");
    for item in ["/a", "/b", "/c"] {
        assert_eq!(api.count(item), 1, "{item}");
    }
}

#[test]
fn the_rows_of_a_loop_are_those_it_began_with() {
    let api = Api::start();
    let project = api.project(indoc! {r#"
        steps:
          - op: transform
            source: stage
            target_table: t
            query: select 'x' as id union all select 'y' union all select 'z'
          - op: http_request
            id: push
            for_each: {source: stage, table: t, as: row}
            request: {source: api, url: "/{{ var('row')['id'] }}", method: POST, concurrency: 1}
          - op: for_each
            source: stage
            table: t
            as: row
            steps:
              - op: execute
                source: stage
                statement: delete from t
              - op: http_request
                id: fails
                request: {source: api, url: "/fails/{{ var('row')['id'] }}"}
    "#});
    api.fails_then_resumes(&project);
    for id in ["x", "y", "z"] {
        assert_eq!(api.count(&format!("/{id}")), 1);
        // The first failed once before.
        assert!((1..=2).contains(&api.count(&format!("/fails/{id}"))), "{id}");
    }
}

#[test]
fn what_changed_is_named_and_force_goes_on() {
    let api = Api::start();
    let flow = indoc! {r#"
        steps:
          - op: http_request
            id: once
            request: {source: api, url: "/once/{{ var('day') }}", method: POST}
          - op: http_request
            id: fails
            request: {source: api, url: "/fails?v={{ var('kept') }}"}
    "#};
    let project = api.project(flow);
    project.write("home/project_state/test/variables.yaml", "kept: 1\n");
    let vars = ["--var", "day=monday", "--var", "api_token=secret-token"];
    let first = project.sequor(&[&["run", "main"][..], &vars].concat());
    assert_eq!(first.code, 1, "{}", first.all());
    api.good.store(true, Ordering::Relaxed);
    let resume = |more: &[&str]| project.sequor(&[&["run", "main", "--resume"][..], more].concat());
    // A secret is not written down.
    resume(&[]).fails(2, &["SQ1024", "made with the variable `api_token`"]);
    let token = ["--var", "api_token=secret-token"];
    resume(&["--var", "api_token=other"]).fails(2, &["variable `api_token` changed"]);
    resume(&[&token[..], &["--var", "day=tuesday"]].concat()).fails(2, &["variable `day` changed"]);
    project.write("home/project_state/test/variables.yaml", "kept: 2\n");
    resume(&token).fails(2, &["the variable `kept` was changed since"]);
    project.write("home/project_state/test/variables.yaml", "kept: 1\n");
    project.write("flows/main.yaml", &flow.replace("/fails?", "/fails/2?"));
    resume(&token).fails(2, &["file `flows/main.yaml` changed", "--force"]);
    let forced = resume(&[&token[..], &["--force"]].concat());
    assert_eq!(forced.code, 0, "{}", forced.all());
    assert_eq!((api.count("/once/monday"), api.count("/fails/2")), (1, 1));
    project
        .sequor(&["run", "main", "--force"])
        .fails(2, &["it needs --resume"]);
    project.sequor(&["run", "other", "--resume"]).fails(2, &["other"]);
}

#[test]
fn an_interrupt_ends_what_is_under_way_and_the_run_goes_on_behind_it() {
    let (begun, slow) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (count, is_slow) = (begun.clone(), slow.clone());
    let server = Server::start(move |asked| {
        if asked.method == "GET" {
            let rows: Vec<String> = (0..200).map(|n| format!(r#"{{"id": {n}}}"#)).collect();
            return json(format!("[{}]", rows.join(",")));
        }
        count.fetch_add(1, Ordering::Relaxed);
        let delay = if is_slow.load(Ordering::Relaxed) { 100 } else { 0 };
        json("{}").after(Duration::from_millis(delay))
    });
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\nconcurrency: 4\n", server.url),
        )
        .file(
            "flows/main.yaml",
            indoc! {r#"
                steps:
                  - op: http_request
                    request: {source: api, url: /rows}
                    response: {tables: [{source: stage, table: t, data_path: $, columns: {id: integer}}]}
                  - op: http_request
                    id: push
                    for_each: {source: stage, table: t, as: row}
                    request: {source: api, url: "/push/{{ var('row')['id'] }}", method: POST}
            "#},
        );
    let child = project
        .command(&["run", "main"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    while begun.load(Ordering::Relaxed) < 20 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = interrupt(child, "INT");
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let sent = begun.load(Ordering::Relaxed);
    assert!((20..60).contains(&sent), "{sent}");
    slow.store(false, Ordering::Relaxed);
    // None is in doubt, though none has a key: what was under way came to its end.
    let ran = project.sequor(&["run", "main", "--resume"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(begun.load(Ordering::Relaxed), 200);
}

#[test]
fn steps_that_failed_and_were_passed_over_can_be_run_again() {
    let api = Api::start();
    let project = api.project(indoc! {r#"
        steps:
          - op: http_request
            id: fails
            on_error: continue
            request: {source: api, url: /fails}
          - op: http_request
            id: other
            request: {source: api, url: /other, method: POST}
    "#});
    assert_eq!(project.sequor(&["run", "main"]).code, 0);
    api.good.store(true, Ordering::Relaxed);
    let ran = project.sequor(&["run", "main", "--retry-failed"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!((api.count("/fails"), api.count("/other")), (2, 1));
}

#[test]
fn nothing_is_kept_of_a_step_that_says_so_and_a_disk_budget_is_obeyed() {
    let api = Api::start();
    let flow = indoc! {r#"
        steps:
          - op: transform
            source: stage
            target_table: t
            query: select value as id from generate_series(1, 2000)
          - op: http_request
            id: push
            for_each: {source: stage, table: t, as: row}
            request: {source: api, url: "/{{ var('row')['id'] }}", method: PUT}
    "#};
    let project = api.project(flow);
    project.write("project.yaml", "name: test\nstate: {max_disk: 1KB}\n");
    project.sequor(&["run", "main"]).fails(
        1,
        &[
            "SQ1022",
            "more than 1024 bytes of disk",
            "max_disk",
            "checkpoint: false",
        ],
    );
    assert_eq!(api.count("/1"), 0);
    project.write(
        "flows/main.yaml",
        &flow.replace("    id: push", "    id: push\n    checkpoint: false"),
    );
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.count("/1"), 1);
    // What was sent of it before is not known: it is not sent again without a word.
    let fails = flow
        .replace("    id: push", "    id: push\n    checkpoint: false")
        .replace("/{{", "/fails/{{")
        .replace("PUT", "POST");
    project.write("flows/main.yaml", &fails);
    assert_eq!(project.sequor(&["run", "main"]).code, 1);
    api.good.store(true, Ordering::Relaxed);
    project
        .sequor(&["run", "main", "--resume"])
        .fails(1, &["SQ1025", "keeps nothing (`checkpoint: false`)"]);
    let ran = project.sequor(&["run", "main", "--resume", "--in-doubt", "send"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
}

#[test]
fn a_run_can_begin_at_a_step() {
    let api = Api::start();
    let project = api.project(indoc! {r#"
        steps:
          - op: http_request
            id: first
            request: {source: api, url: /first, method: POST}
          - op: set_variable
            id: local
            set: {x: {value: 42, scope: local}}
          - op: print
            id: last
            message: "x is {{ var('x') }}"
    "#});
    project.run("main");
    let ran = project.sequor(&["run", "main", "--from-step", "last"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!((ran.stdout.trim(), api.count("/first")), ("x is 42", 1));
    project.sequor(&["run", "main", "--from-step", "lst"]).fails(
        2,
        &[
            "no step of the flow itself has the id `lst`",
            "did you mean `last`?",
        ],
    );
    let listed = project.sequor(&["runs", "--format", "json"]).stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
}
