//! Random histories of an API: after the last run the table is what the API has, as far as the guide promises it.

use std::process::Stdio;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::api::Api;
use super::planned::{planned, ranges};
use super::{SQLITE, project, totals};
use crate::support::databases;
use crate::support::program::Project;

/// What happens between two runs.
#[derive(Debug, Clone)]
enum Event {
    /// A row comes or changes: so many hours later than the last one.
    Put {
        id: u32,
        later: u32,
        total: i64,
    },
    /// A row comes that is dated so many hours before the last one.
    Late(u32),
    /// A row is gone.
    Delete(u32),
    /// The run fails at a page.
    Fails(usize),
    /// The program is killed when the API has answered so many requests more, and a moment later.
    Killed(usize, u64),
    /// All begins anew.
    Refreshes,
    Runs,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let put = (0_u32..12, 0_u32..3, any::<i8>()).prop_map(|(id, later, total)| Event::Put {
        id,
        later,
        total: total.into(),
    });
    let event = prop_oneof![
        8 => put,
        2 => (0_u32..3).prop_map(Event::Late),
        2 => (0_u32..12).prop_map(Event::Delete),
        1 => (1_usize..6).prop_map(Event::Fails),
        2 => (0_usize..5, 0_u64..60).prop_map(|(after, moment)| Event::Killed(after, moment)),
        1 => Just(Event::Refreshes),
        2 => Just(Event::Runs),
    ];
    proptest::collection::vec(event, 6..24)
}

/// How rows get into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Upsert,
    Append,
    ReplaceRange,
}

impl Mode {
    fn text(self) -> &'static str {
        match self {
            Mode::Upsert => "write_mode: upsert, primary_key: [id]",
            Mode::Append => "write_mode: append",
            Mode::ReplaceRange => "write_mode: replace_range",
        }
    }
}

fn time(hour: u32) -> String {
    format!(
        "2024-{:02}-{:02}T{:02}:00:00Z",
        1 + hour / 480,
        1 + hour / 24 % 20,
        hour % 24
    )
}

fn killed(project: &Project, api: &Api, after: usize, moment: u64) {
    api.server.forget();
    let mut command = project.command(&["run", "main"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut program = command.spawn().unwrap();
    while api.server.asked().len() < after && program.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(moment));
    let _ = program.kill();
    program.wait().unwrap();
}

fn history(source: &str, incremental: &str, mode: Mode, events: &[Event]) -> Result<(), TestCaseError> {
    let api = Api::start();
    api.change(|world| world.descending = incremental.contains("descending"));
    let project = project(&api, source, incremental);
    project.replace("flows/main.yaml", Mode::Upsert.text(), mode.text());
    // Cases share a server's database.
    project.write(
        "flows/drop.yaml",
        "- {op: execute, source: wh, statement: drop table if exists orders}\n",
    );
    prop_assert_eq!(project.run("drop").code, 0);
    // From here on rows can be late, where the request looks back.
    let (mut hour, mut next) = (10, 100);
    let mut events: Vec<&Event> = events.iter().collect();
    if incremental.contains("until") {
        // What is dated within a range that was asked for comes too late.
        events.sort_by_key(|event| !matches!(event, Event::Put { .. } | Event::Late(_)));
    }
    let mut deleted = false;
    for event in events {
        match event {
            Event::Put { id, later, total } => {
                hour += later;
                // Where rows are only added, each is another.
                let id = match mode {
                    Mode::Append => {
                        next += 1;
                        next
                    }
                    _ => *id,
                };
                api.put(id, &time(hour), *total);
            }
            Event::Late(before) if incremental.contains("lookback") => {
                next += 1;
                api.put(next, &time(hour - before), 7);
            }
            // Nothing says that a row is gone, but that its range has it no more.
            Event::Delete(id) if mode == Mode::ReplaceRange => {
                deleted |= api.change(|world| world.rows.remove(id).is_some());
            }
            Event::Late(_) | Event::Delete(_) => {}
            Event::Fails(page) => {
                api.change(|world| world.fails_at = Some(*page));
                let code = project.sequor(&["run", "main"]).code;
                prop_assert!(code == 0 || code == 1);
                api.change(|world| world.fails_at = None);
            }
            Event::Killed(after, moment) => killed(&project, &api, *after, *moment),
            Event::Refreshes => {
                prop_assert_eq!(project.sequor(&["run", "main", "--full-refresh"]).code, 0);
                deleted = false;
            }
            Event::Runs => prop_assert_eq!(project.run("main").code, 0),
        }
    }
    as_planned(&project, &api)?;
    let ran = project.run("main");
    prop_assert_eq!(ran.code, 0, "{}", ran.all());
    if deleted || mode == Mode::ReplaceRange {
        // A row whose range is not asked for any more may have changed or gone since.
        let all = project.sequor(&["run", "main", "--from", "2024-01-01"]);
        prop_assert_eq!(all.code, 0, "{}", all.all());
    }
    let there: Vec<String> = api.change(|world| {
        let rows = world.rows.iter();
        rows.map(|(id, row)| format!("{id}|{}", row.total)).collect()
    });
    prop_assert_eq!(totals(&project), there);
    Ok(())
}

/// The plan tells what is asked for, and a dry run what is loaded.
fn as_planned(project: &Project, api: &Api) -> Result<(), TestCaseError> {
    let planned = planned(project);
    let starts: Vec<&str> = ranges(&planned)
        .iter()
        .map(|range| range["start"].as_str().unwrap_or_default())
        .collect();
    api.asked();
    let rows = |text: &str| -> Vec<u64> {
        let events = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let steps = events.filter(|event| event["event"] == "step_finished");
        steps.filter_map(|event| event["rows"].as_u64()).collect()
    };
    let dry = project.sequor(&["run", "main", "--dry-run", "--format", "json"]);
    prop_assert_eq!(dry.code, 0, "{}", dry.all());
    let of_dry_run = api.asked();
    let ran = project.sequor(&["run", "main", "--format", "json"]);
    prop_assert_eq!(ran.code, 0, "{}", ran.all());
    let of_run = api.asked();
    prop_assert_eq!(rows(&dry.stdout), rows(&ran.stdout));
    prop_assert_eq!(of_dry_run.len(), of_run.len());
    let begins = |range: &String| range.split("..").next().unwrap_or_default().to_string();
    let mut begun: Vec<String> = of_run.iter().map(begins).collect();
    // A plan lists the first few.
    begun.truncate(starts.len());
    if begun.iter().any(|start| !start.is_empty()) {
        prop_assert_eq!(begun, starts);
    }
    Ok(())
}

#[test]
fn the_table_is_what_the_api_has() {
    let start = "start_param: since, lookback: 3h";
    let windows = "start_param: since, end_param: until, window: 20d";
    let mut all: Vec<(String, String, &str, Mode, u32)> = Vec::new();
    for (name, source) in databases::all() {
        let cases = if matches!(name, "staging" | "sqlite" | "postgres") {
            2
        } else {
            1
        };
        for mode in [Mode::Upsert, Mode::Append, Mode::ReplaceRange] {
            all.push((name.to_string(), source.clone(), start, mode, cases));
        }
    }
    for (incremental, mode) in [
        ("on_missing: fail", Mode::Upsert),
        ("start_param: since", Mode::Append),
        ("start_param: since, order: ascending", Mode::Append),
        ("start_param: since, order: ascending", Mode::ReplaceRange),
        ("order: descending", Mode::Upsert),
        (windows, Mode::Upsert),
        (windows, Mode::Append),
        (windows, Mode::ReplaceRange),
    ] {
        all.push(("sqlite".to_string(), SQLITE.to_string(), incremental, mode, 1));
    }
    for (name, source, incremental, mode, cases) in all {
        println!("{name}, {incremental}, {mode:?}");
        let config = Config {
            cases,
            max_shrink_iters: 12,
            failure_persistence: None,
            ..Config::default()
        };
        let ran =
            TestRunner::new(config).run(&events(), |events| history(&source, incremental, mode, &events));
        ran.unwrap();
    }
}
