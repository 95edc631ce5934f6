//! Random histories of an API: after the last run the table is what the API has.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::api::{Api, Row};
use super::{SQLITE, project, totals};

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
    Runs,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let put = (0_u32..12, 0_u32..3, any::<i8>()).prop_map(|(id, later, total)| Event::Put {
        id,
        later,
        total: total.into(),
    });
    let event = prop_oneof![6 => put, 1 => (1_usize..6).prop_map(Event::Fails), 2 => Just(Event::Runs)];
    proptest::collection::vec(event, 4..24)
}

fn history(source: &str, incremental: &str, events: &[Event]) -> Result<(), TestCaseError> {
    let api = Api::start();
    let project = project(&api, source, incremental);
    let mut hour = 0;
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
    for (source, incremental) in [
        (SQLITE, "start_param: since"),
        (SQLITE, "on_missing: fail"),
        ("type: staging\n", "start_param: since, lookback: 2h"),
    ] {
        let config = Config {
            cases: 8,
            failure_persistence: None,
            ..Config::default()
        };
        let ran = TestRunner::new(config).run(&events(), |events| history(source, incremental, &events));
        ran.unwrap();
    }
}
