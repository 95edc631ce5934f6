//! Random histories of an API: after the last run the table is what the API has.

use std::process::Stdio;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::api::{Api, Row};
use super::{SQLITE, project, totals};
use crate::support::postgres;

/// What happens between two runs.
#[derive(Debug, Clone)]
enum Event {
    /// A row is changed: at that hour, counted from the last one that was used.
    Put {
        id: u32,
        later: u32,
        total: i64,
    },
    /// The run fails at a page.
    Fails(usize),
    /// The program is killed so many milliseconds after its start.
    Killed(u64),
    Runs,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let put = (0_u32..12, 0_u32..3, any::<i8>()).prop_map(|(id, later, total)| Event::Put {
        id,
        later,
        total: total.into(),
    });
    let event = prop_oneof![6 => put, 1 => (1_usize..6).prop_map(Event::Fails), 1 => (0_u64..200).prop_map(Event::Killed), 2 => Just(Event::Runs)];
    proptest::collection::vec(event, 4..24)
}

fn history(source: &str, incremental: &str, events: &[Event]) -> Result<(), TestCaseError> {
    let api = Api::start();
    let project = project(&api, source, incremental);
    // Cases share a server's database.
    project.write(
        "flows/drop.yaml",
        "- {op: execute, source: wh, statement: drop table if exists orders}\n",
    );
    prop_assert_eq!(project.run("drop").code, 0);
    let mut hour = 0;
    let mut events: Vec<&Event> = events.iter().collect();
    if incremental.contains("until") {
        // What is dated within a range that was asked for comes too late.
        events.sort_by_key(|event| !matches!(event, Event::Put { .. }));
    }
    for event in events {
        match event {
            Event::Put { id, later, total } => {
                hour += later;
                let at = format!(
                    "2024-{:02}-{:02}T{:02}:00:00Z",
                    1 + hour / 480,
                    1 + hour / 24 % 20,
                    hour % 24
                );
                let row = Row {
                    shop: 0,
                    at: Some(at),
                    total: *total,
                };
                api.change(|world| world.rows.insert(*id, row));
            }
            Event::Fails(page) => {
                api.change(|world| world.fails_at = Some(*page));
                let code = project.sequor(&["run", "main"]).code;
                prop_assert!(code == 0 || code == 1);
                api.change(|world| world.fails_at = None);
            }
            Event::Killed(after) => {
                let mut command = project.command(&["run", "main"]);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                let mut program = command.spawn().unwrap();
                std::thread::sleep(Duration::from_millis(*after));
                let _ = program.kill();
                program.wait().unwrap();
            }
            Event::Runs => prop_assert_eq!(project.run("main").code, 0),
        }
    }
    prop_assert_eq!(project.run("main").code, 0);
    let there: Vec<String> = api.change(|world| {
        let rows = world.rows.iter();
        rows.map(|(id, row)| format!("{id}|{}", row.total)).collect()
    });
    prop_assert_eq!(totals(&project), there);
    Ok(())
}

#[test]
fn the_table_is_what_the_api_has() {
    let postgres = postgres::Database::new().source();
    for (source, incremental) in [
        (SQLITE, "start_param: since"),
        (SQLITE, "on_missing: fail"),
        ("type: staging\n", "start_param: since, lookback: 2h"),
        (
            postgres.as_str(),
            "start_param: since, end_param: until, window: 20d",
        ),
    ] {
        let config = Config {
            cases: 5,
            max_shrink_iters: 16,
            failure_persistence: None,
            ..Config::default()
        };
        let ran = TestRunner::new(config).run(&events(), |events| history(source, incremental, &events));
        ran.unwrap();
    }
}
