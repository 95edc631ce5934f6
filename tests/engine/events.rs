//! Events are data: they are read back as they were written, and everyone who listens hears them.

use indoc::indoc;
use std::sync::Arc;

use proptest::prelude::*;
use sequor::engine::{CompileOptions, Listener, Location, Project as Opened, Session};
use sequor::event::{Event, EventKind, RunReport, RunStatus, StepStatus};

use crate::support::program::Project;

const FLOW: &str = r#"
- {op: print, id: hello, message: "hello {{ var('who') }}"}
- op: for_each
  id: each
  source: stage
  table: t
  as: row
  steps:
    - {op: print, message: "{{ var('row')['n'] }}"}
- {op: execute, id: bad, source: stage, statement: selekt 1}
- {op: print, id: never, message: never}
"#;

fn project() -> Project {
    let project = Project::new()
        .file("sources/stage.yaml", "type: staging\n")
        .file(
            "flows/fill.yaml",
            "- {op: execute, source: stage, statement: \"create table t as select value as n from generate_series(1, 3)\"}\n",
        )
        .file("flows/main.yaml", FLOW);
    project.run("fill");
    project
}

fn location(project: &Project) -> Location {
    Location {
        project: project.path(),
        home: project.home(),
        env: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_runs_a_flow_and_hears_its_events() {
    let folder = tokio::task::spawn_blocking(project).await.unwrap();
    let opened = Arc::new(Opened::open(&location(&folder)).unwrap());
    let mut options = CompileOptions::default();
    options
        .variables
        .insert("who".into(), sequor::value::Value::text("you"));
    let compiled = opened.compile("main", &options).await.unwrap();
    let (listener, mut heard) = Listener::lossy();
    let session = Session::new(&compiled.loaded).listener(listener);
    let mut run = session.start(&compiled).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = run.next_event().await {
        events.push(event);
    }
    let report = run.wait().await.unwrap();
    assert_eq!(report.status, RunStatus::Failed);
    assert_eq!(report.status.exit() as i32, 1);

    let EventKind::RunStarted {
        flow, plan, program, ..
    } = &events[0].kind
    else {
        panic!("{:?}", events[0]);
    };
    assert_eq!(
        (flow.as_str(), program.as_str()),
        ("main", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(*plan, compiled.plan.digest());
    let Some(EventKind::RunFinished(last)) = events.last().map(|e| &e.kind) else {
        panic!("{:?}", events.last());
    };
    assert_eq!(*last, report);
    let printed: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Printed { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(printed, ["hello you", "1", "2", "3"]);
    let steps: Vec<(&str, StepStatus, u64)> = report
        .steps
        .iter()
        .map(|line| (line.step.as_str(), line.status, line.runs))
        .collect();
    assert_eq!(
        steps,
        [
            ("hello", StepStatus::Done, 1),
            ("each/print_1", StepStatus::Done, 3),
            ("each", StepStatus::Done, 1),
            ("bad", StepStatus::Failed, 1),
            ("never", StepStatus::Skipped, 1),
        ]
    );
    assert_eq!(report.error.as_ref().map(|e| e.code.as_str()), Some("SQ1010"));

    // One run, in the order of its time, each event read back as it was.
    for event in &events {
        assert_eq!(event.run, events[0].run);
        assert_eq!(event.run.get_version_num(), 7);
        let json = serde_json::to_string(&**event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), **event, "{json}");
    }
    // Steps that work at the same time tell theirs side by side; those of one step are in the order of time.
    for step in ["hello", "each", "each/print_1", "bad"] {
        let of_step = events.iter().filter(|event| event.step.as_deref() == Some(step));
        assert!(of_step.map(|event| event.at).is_sorted(), "{step}");
    }
    let mut count = 0;
    while heard.recv().await.is_some() {
        count += 1;
    }
    assert_eq!(count, events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_to_listen_and_a_run_can_be_cancelled() {
    let folder = tokio::task::spawn_blocking(|| {
        Project::new().file(
            "flows/main.yaml",
            indoc! {"
                - op: while
                  condition_expression: 'True'
                  steps:
                    - {op: print, message: round}
            "},
        )
    });
    let folder = folder.await.unwrap();
    let opened = Arc::new(Opened::open(&location(&folder)).unwrap());
    let compiled = opened.compile("main", &CompileOptions::default()).await.unwrap();
    // A listener that misses events holds nothing up, though nobody reads them.
    let (deaf, _kept) = Listener::lossy();
    let mut run = Session::new(&compiled.loaded)
        .listener(deaf)
        .start(&compiled)
        .await
        .unwrap();
    for _ in 0..2000 {
        run.next_event().await.unwrap();
    }
    run.cancel();
    let report = run.wait().await.unwrap();
    assert_eq!(report.status, RunStatus::Interrupted);
    assert_eq!(report.status.exit() as i32, 130);
}

#[test]
fn the_json_of_a_run_is_its_events_and_ends_with_the_report() {
    let project = project();
    let run = project.sequor(&["run", "main", "--format", "json", "--var", "who=you"]);
    assert_eq!(run.code, 1);
    let events: Vec<Event> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let Some(EventKind::RunFinished(RunReport {
        flow, status, steps, ..
    })) = events.last().map(|e| &e.kind)
    else {
        panic!("{}", run.stdout);
    };
    assert_eq!(
        (flow.as_str(), *status, steps.len()),
        ("main", RunStatus::Failed, 5)
    );
    let started = run
        .stdout
        .lines()
        .find(|line| line.contains("step_started") && line.contains("hello"));
    let json: serde_json::Value = serde_json::from_str(started.unwrap()).unwrap();
    assert_eq!(json["event"], "step_started");
    assert_eq!(json["step"], "hello");
    assert_eq!((&json["version"], &json["attempt"]), (&1.into(), &1.into()));
}

#[test]
fn a_step_that_works_tells_its_counts() {
    let server = crate::support::server::Server::start(|_| {
        crate::support::server::json(r#"{"rows": [{"id": 1}]}"#).after(std::time::Duration::from_millis(400))
    });
    let project = Project::new().file("sources/stage.yaml", "type: staging\n").file(
        "flows/main.yaml",
        &format!(
            r#"
- op: http_request
  id: fetch
  init: {{variables: {{page: 1}}}}
  request: {{url: "{}/x", parameters: {{page: "{{{{ var('page') }}}}"}}}}
  response:
    tables: [{{source: stage, table: t, columns: {{id: bigint}}, data_path: rows}}]
    variables: {{page_expression: var('page') + 1}}
    while_expression: var('page') <= 5
"#,
            server.url
        ),
    );
    let run = project.sequor(&["run", "main", "--format", "json"]);
    let counts: Vec<u64> = run
        .stdout
        .lines()
        .filter_map(|line| match serde_json::from_str::<Event>(line).unwrap().kind {
            EventKind::Progress { totals } => Some(totals.requests),
            _ => None,
        })
        .collect();
    assert!(counts.len() >= 2 && counts.is_sorted(), "{counts:?}");
}

proptest! {
    #[test]
    fn any_event_is_read_back(
        step in proptest::option::of(".*"),
        text in ".*",
        rows in any::<u64>(),
        micros in 0..1_000_000_000_000u64,
        which in 0..5,
    ) {
        let totals = sequor::event::Totals { rows, requests: 1, bytes: rows, ..Default::default() };
        let kind = match which {
            0 => EventKind::Printed { text },
            1 => EventKind::Warning { text },
            2 => EventKind::Progress { totals },
            3 => EventKind::StepStarted { op: "print".into(), title: Some(text), depth: 3 },
            _ => EventKind::StepFinished {
                op: "print".into(),
                depth: 0,
                status: StepStatus::Caught,
                totals,
                seconds: sequor::event::seconds(std::time::Duration::from_micros(micros)),
                error: None,
                because: Some(text),
            },
        };
        let event = Event { version: 1, run: uuid::Uuid::now_v7(), at: chrono::Utc::now(), step, attempt: 1, kind };
        let json = serde_json::to_string(&event).unwrap();
        prop_assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
