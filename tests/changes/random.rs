//! Random edits, refusals and crashes: after the last run the API has what the table has, and what others put there is still there.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::api::Api;
use super::lost::lose_state;
use super::{SQLITE, fill, project};
use crate::support::{databases, duckdb, mysql, postgres, snowflake};

/// What happens between two runs.
#[derive(Debug, Clone)]
enum Event {
    Put(u32, u32),
    Remove(u32),
    /// The API refuses a row, from now on or no longer.
    Refuses(u32),
    /// The API does what is asked of a row and fails then, from now on or no longer.
    Breaks(u32),
    /// The program is killed when the API has answered so many requests more.
    Killed(usize),
    /// What is known of earlier runs is thrown away.
    Loses,
    Runs,
    Resends,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        8 => (0_u32..30, 0_u32..4).prop_map(|(id, name)| Event::Put(id, name)),
        4 => (0_u32..30).prop_map(Event::Remove),
        1 => (0_u32..30).prop_map(Event::Refuses),
        2 => (0_u32..6).prop_map(Event::Refuses),
        3 => (0_u32..6).prop_map(Event::Breaks),
        2 => (0_u32..6).prop_map(Event::Remove),
        2 => (0_u32..6, 0_u32..4).prop_map(|(id, name)| Event::Put(id, name)),
        3 => (0_usize..12).prop_map(Event::Killed),
        1 => Just(Event::Loses),
        4 => Just(Event::Runs),
        1 => Just(Event::Resends),
    ];
    proptest::collection::vec(event, 8..40)
}

/// Sends each row by itself, and takes it back by its key.
const EACH: &str = "  for_each: {source: wh, table: customers, as: customer, changes: {key: [id]}}
  on_error: reject
  request:
    source: api
    concurrency: 3
    method: \"{{ 'DELETE' if var('change') == 'removed' else 'PUT' }}\"
    url: \"/contacts/{{ 'key-' if var('change') == 'removed' else '' }}{{ var('customer')['id'] }}\"
    body: {name: \"{{ var('customer')['name'] }}\"}
";

/// Sends batches.
const BATCHES: &str =
    "  for_each: {source: wh, table: customers, as: rows, batch_size: 4, changes: {key: [id]}}
  on_error: split
  request:
    source: api
    concurrency: 3
    method: PATCH
    url: \"/contacts/{{ var('change') }}\"
    body_expression: \"{'rows': [{'id': row['id'], 'name': row['name']} for row in var('rows')]}\"
";

/// Makes contacts, each by a key that lets the API answer it once.
const KEYED: &str = "  for_each: {source: wh, table: customers, as: customer, changes: {key: [id]}}
  on_error: reject
  request:
    source: api
    concurrency: 3
    method: \"{{ 'DELETE' if var('change') == 'removed' else 'POST' }}\"
    url: \"/contacts/{{ 'key-' ~ var('customer')['id'] if var('change') == 'removed' else '' }}\"
    idempotency_key: true
    body: {id: \"{{ var('customer')['id'] }}\", name: \"{{ var('customer')['name'] }}\"}
";

fn history(source: &str, step: &str, events: &[Event]) -> Result<(), TestCaseError> {
    let api = Api::start();
    api.change(|world| {
        world.delay = Duration::from_millis(3);
        // What others have put there.
        for key in ["other 1", "other 2"] {
            world.contacts.insert(key.into(), (0, key.into()));
        }
    });
    let project = project(&api, source, step);
    // Cases share a server's database.
    project.write(
        "flows/drop.yaml",
        "- op: execute
  source: wh
  statement: drop table if exists main__push_synced
",
    );
    prop_assert_eq!(project.run("drop").code, 0);
    let mut table: BTreeMap<u32, u32> = BTreeMap::from([(100, 0)]);
    let names: Vec<String> = (0..4).map(|name| format!("name {name}")).collect();
    let write = |table: &BTreeMap<u32, u32>| {
        let rows: Vec<(u32, &str)> = table
            .iter()
            .map(|(id, name)| (*id, names[*name as usize].as_str()))
            .collect();
        fill(&project, &rows);
    };
    for event in events {
        match event {
            Event::Put(id, name) => drop(table.insert(*id, *name)),
            Event::Remove(id) => drop(table.remove(id)),
            Event::Refuses(id) => api.change(|world| {
                let key = id.to_string();
                if !world.refuses.remove(&key) {
                    world.refuses.insert(key);
                }
            }),
            Event::Breaks(id) => api.change(|world| {
                let key = id.to_string();
                if !world.fails.remove(&key) {
                    world.fails.insert(key);
                }
            }),
            Event::Killed(after) => {
                write(&table);
                api.server.forget();
                let mut command = project.command(&["run", "main"]);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                let mut program = command.spawn().unwrap();
                while api.server.asked().len() < *after && program.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let _ = program.kill();
                program.wait().unwrap();
            }
            Event::Loses => lose_state(&project),
            Event::Runs => {
                write(&table);
                let ran = project.run("main");
                prop_assert_eq!(ran.code, 0, "{}", ran.all());
            }
            Event::Resends => {
                write(&table);
                let ran = project.sequor(&["run", "main", "--full"]);
                prop_assert_eq!(ran.code, 0, "{}", ran.all());
            }
        }
    }
    api.change(|world| {
        world.refuses.clear();
        world.fails.clear();
    });
    write(&table);
    let says = |text: &str| {
        let line = text.lines().find(|line| line.contains("unchanged"));
        line.map(|line| {
            line.rsplit_once("push: ")
                .map_or(line, |(_, counts)| counts)
                .to_string()
        })
    };
    let planned = project.sequor(&["run", "main", "--dry-run"]).all();
    let estimated = project.sequor(&["plan", "main", "--estimate"]).stdout;
    let left_behind = events
        .iter()
        .any(|event| matches!(event, Event::Killed(_) | Event::Breaks(_)));
    let ran = project.run("main");
    prop_assert_eq!(ran.code, 0, "{}", ran.all());
    // What a run that was killed has sent, and what was answered by a failure, only the next one notes.
    if !left_behind {
        prop_assert_eq!(says(&planned), says(&ran.all()), "{}", planned);
        let counts = says(&ran.all()).unwrap_or_default();
        prop_assert!(estimated.contains(&counts), "{counts}\n{estimated}");
    }
    let mut there: Vec<String> = table
        .iter()
        .map(|(id, name)| format!("{id}|{}", names[*name as usize]))
        .collect();
    there.extend(["other 1", "other 2"].map(|key| format!("{key}|{key}")));
    there.sort();
    let mut contacts = api.contacts();
    contacts.sort();
    prop_assert_eq!(contacts, there);
    api.server.forget();
    prop_assert_eq!(project.run("main").code, 0);
    prop_assert_eq!(api.server.asked().len(), 0, "nothing is left to be sent");
    Ok(())
}

#[test]
fn the_api_has_what_the_table_has() {
    let (postgres, mysql) = (
        postgres::Database::new().source(),
        mysql::Database::new().source(),
    );
    let (snowflake, adbc) = (
        snowflake::Database::new().source(),
        databases::adbc("adbc_driver_postgresql", &postgres::Database::new().url),
    );
    for (name, source, step) in [
        ("snowflake", snowflake.as_str(), KEYED),
        ("adbc postgresql", adbc.as_str(), EACH),
        ("sqlite", SQLITE, EACH),
        ("sqlite, keys", SQLITE, KEYED),
        ("sqlite, batches", SQLITE, BATCHES),
        ("staging", "type: staging\n", EACH),
        ("postgres", postgres.as_str(), KEYED),
        ("mysql", mysql.as_str(), BATCHES),
        ("duckdb", duckdb::source().as_str(), EACH),
    ] {
        println!("{name}");
        let config = Config {
            cases: match name {
                "snowflake" | "adbc postgresql" => 1,
                _ => 3,
            },
            max_shrink_iters: 12,
            failure_persistence: None,
            ..Config::default()
        };
        let ran = TestRunner::new(config).run(&events(), |events| history(source, step, &events));
        ran.unwrap();
    }
}

#[test]
fn what_was_sent_in_parts_is_known_behind_a_kill() {
    // The batch of the killed run is refused as a whole, when parts of it are there.
    let events = [
        Event::Refuses(19),
        Event::Put(19, 0),
        Event::Runs,
        Event::Put(26, 3),
        Event::Put(4, 3),
        Event::Killed(5),
        Event::Remove(4),
        Event::Put(14, 2),
        Event::Put(19, 1),
        Event::Killed(10),
    ];
    history(SQLITE, BATCHES, &events).unwrap();
}
