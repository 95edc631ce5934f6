//! Batches that the API may have done when it failed: their rows are not sent again by other requests, where those would be other
//! ones to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

use super::{SQLITE, fill};
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json as answer};

/// How often each row was made, and by which keys.
#[derive(Default)]
struct World {
    made: BTreeMap<u64, usize>,
    keys: Vec<String>,
    removed: Vec<u64>,
    /// Answers to come, beside what is done: whether a batch is done, and the status.
    next: Vec<(bool, u16)>,
}

fn api() -> (Server, Arc<Mutex<World>>) {
    let world: Arc<Mutex<World>> = Arc::default();
    let seen = world.clone();
    let server = Server::start(move |asked: &Asked| {
        let mut world = seen.lock().unwrap();
        let body: Json = serde_json::from_str(&asked.body).unwrap_or_default();
        let rows: Vec<u64> = body
            .as_array()
            .map(|rows| rows.iter().filter_map(|row| row["id"].as_u64()).collect())
            .unwrap_or_default();
        let (does, status) = match world.next.is_empty() {
            true => (true, 200),
            false => world.next.remove(0),
        };
        let key = asked.header("idempotency-key").to_string();
        let known = !key.is_empty() && world.keys.contains(&key);
        if does && !known {
            for row in rows {
                match asked.path.contains("removed") {
                    true => world.removed.push(row),
                    false => *world.made.entry(row).or_default() += 1,
                }
            }
            world.keys.push(key);
        }
        answer("{}").status(status)
    });
    (server, world)
}

fn project(server: &Server, changes: &str, request: &str) -> Project {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!(
                "type: http\nbase_url: {}\nretry: {{max_attempts: 1}}\n",
                server.url
            ),
        )
        .file("sources/wh.yaml", SQLITE)
        .file(
            "flows/main.yaml",
            &format!(
                "- op: http_request
  id: push
  for_each: {{source: wh, table: customers, as: rows, batch_size: 4{changes}}}
  on_error: split
  request:
    source: api
    concurrency: 1
{request}
    body_expression: \"[{{'id': row['id'], 'name': row['name']}} for row in var('rows')]\"
"
            ),
        );
    fill(&project, &[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]);
    project
}

fn made(world: &Arc<Mutex<World>>) -> Vec<(u64, usize)> {
    world.lock().unwrap().made.clone().into_iter().collect()
}

const ONCE: [(u64, usize); 5] = [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)];
const POST: &str = "    method: POST\n    url: /rows";

#[test]
fn a_batch_that_may_be_done_is_not_halved() {
    let (server, world) = api();
    world.lock().unwrap().next = vec![(true, 500)];
    let project = project(&server, "", POST);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(made(&world), ONCE);
    // The batch is rejected as it was sent.
    assert_eq!(project.rows("wh", "select count(*) from push_rejects"), ["1"]);
}

#[test]
fn a_batch_that_may_be_done_is_in_doubt() {
    let (server, world) = api();
    world.lock().unwrap().next = vec![(true, 500)];
    let project = project(&server, ", changes: {key: [id], rows: [added]}", POST);
    project
        .sequor(&["run", "main"])
        .fails(1, &["4 rows may have been sent", "--in-doubt send"]);
    project
        .sequor(&["run", "main"])
        .fails(1, &["4 rows may have been sent"]);
    assert_eq!(made(&world), ONCE);
    assert_eq!(project.sequor(&["run", "main", "--in-doubt", "skip"]).code, 0);
    assert_eq!(made(&world), ONCE);
}

#[test]
fn a_batch_with_a_key_is_sent_again_by_the_same_key() {
    let (server, world) = api();
    world.lock().unwrap().next = vec![(true, 500)];
    let keyed = format!("{POST}\n    idempotency_key: true");
    let project = project(&server, ", changes: {key: [id], rows: [added]}", &keyed);
    for _ in 0..2 {
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(made(&world), ONCE);
    }
    let ran = project.run("main");
    assert!(ran.all().contains("5 unchanged"), "{}", ran.all());
}

#[test]
fn a_part_with_a_key_that_may_be_done_is_in_doubt() {
    let (server, world) = api();
    // The batch is refused, and so is one half; the other is done and fails.
    world.lock().unwrap().next = vec![(false, 422), (true, 500), (false, 422), (false, 422), (true, 200)];
    let keyed = format!("{POST}\n    idempotency_key: true");
    let project = project(&server, ", changes: {key: [id], rows: [added]}", &keyed);
    project
        .sequor(&["run", "main"])
        .fails(1, &["2 rows may have been sent", "(id: 1; 2)"]);
    let ran = project.sequor(&["run", "main", "--in-doubt", "skip"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(made(&world), ONCE);
}

#[test]
fn rows_of_a_batch_that_was_done_and_refused_in_parts_are_removed() {
    let (server, world) = api();
    // Done, though it fails; and not found from then on.
    let mut next = vec![(true, 500)];
    next.extend([(false, 404); 6]);
    world.lock().unwrap().next = next;
    let put = "    method: PUT\n    url: \"/rows/{{ var('change') }}\"";
    let project = project(&server, ", changes: {key: [id]}", put);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.all().contains("may have been sent before"), "{}", ran.all());
    fill(&project, &[(3, "c"), (5, "e")]);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    let mut removed = world.lock().unwrap().removed.clone();
    removed.sort_unstable();
    assert_eq!(removed, [1, 2, 4]);
}

#[test]
fn an_answer_that_a_rule_cannot_read_is_no_refusal() {
    let (server, world) = api();
    let unread =
        "  response:\n    rules: [{when_expression: \"response.json()['failed']\", action: reject}]\n";
    for (batch, on_error) in [("batch_size: 4", "split"), ("batch_size: 4", "reject")] {
        *world.lock().unwrap() = World::default();
        let project = project(&server, ", changes: {key: [id], rows: [added]}", POST);
        let flow = std::fs::read_to_string(project.path().join("flows/main.yaml")).unwrap();
        let flow = flow
            .replace("on_error: split", &format!("on_error: {on_error}"))
            .replace("batch_size: 4", batch);
        project.write("flows/main.yaml", &format!("{flow}{unread}"));
        for _ in 0..2 {
            project
                .sequor(&["run", "main"])
                .fails(1, &["5 rows may have been sent"]);
            assert_eq!(made(&world), ONCE, "{on_error}");
        }
    }
}

#[test]
fn rows_that_were_taken_of_a_batch_are_not_sent_again_where_its_answer_cannot_be_read() {
    let (server, world) = api();
    // It takes all of them, whatever it says.
    world.lock().unwrap().next = vec![(true, 422), (true, 422)];
    let project = project(&server, ", changes: {key: [id], rows: [added]}", POST);
    let flow = std::fs::read_to_string(project.path().join("flows/main.yaml")).unwrap();
    let response = "  response:
    rules: [{status: 422, action: reject, rows_expression: \"[1, 1]\"}]
    tables: [{source: wh, table: answers, data_path: ok, write_mode: append, columns: {id: bigint}}]
";
    project.write("flows/main.yaml", &format!("{flow}{response}"));
    project.sequor(&["run", "main"]).fails(1, &["answered 422"]);
    for _ in 0..2 {
        assert_eq!(project.sequor(&["run", "main"]).code, 1);
        assert!(
            made(&world).iter().all(|(_, times)| *times == 1),
            "{:?}",
            made(&world)
        );
    }
}

#[test]
fn what_fails_again_is_sent_by_the_same_key_until_it_is_known() {
    let (server, world) = api();
    // Batches of four and of one.
    world.lock().unwrap().next = vec![(true, 500), (true, 200), (true, 500)];
    let keyed = format!("{POST}\n    idempotency_key: true");
    let project = project(&server, ", changes: {key: [id], rows: [added, changed]}", &keyed);
    assert_eq!(project.run("main").code, 0);
    fill(&project, &[(1, "edited"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]);
    project
        .sequor(&["run", "main"])
        .fails(1, &["the server failed again", "--in-doubt skip"]);
    assert_eq!(made(&world), ONCE);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(made(&world)[1..], ONCE[1..]);
    assert_eq!(made(&world)[0], (1, 2), "what was edited, and then sent");
    let ran = project.run("main");
    assert!(ran.all().contains("5 unchanged"), "{}", ran.all());
}
