//! The process is killed at random moments, and the run goes on until it is done: what comes out is what comes out undisturbed.
//!
//! `CRASH_KILLS` says how often each test kills; `tests/crash` runs the long form.

use std::process::Stdio;
use std::time::Duration;

use indoc::formatdoc;

use super::api::Api;
use crate::support::postgres;
use crate::support::program::Project;

/// Random numbers that a failed test names, so that it can be run again.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = std::env::var("CRASH_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = seed.unwrap_or_else(|| time.expect("a time").as_nanos() as u64 | 1);
        println!("CRASH_SEED={seed}");
        Random(seed)
    }

    /// A number below another (xorshift64).
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// How often a test kills, unless the environment says otherwise.
fn kills(short: u64) -> u64 {
    let given = std::env::var("CRASH_KILLS").ok();
    given.map_or(short, |text| text.parse().expect("CRASH_KILLS is a number"))
}

const PAGES: u64 = 200;

/// Rows of a page: 20,000 rows where there are many kills, and less for the tests of every day.
fn size() -> u64 {
    if kills(0) >= 100 { 100 } else { 20 }
}

/// The flow; `name` stands before its tables and rows.
fn flow(name: &str) -> String {
    formatdoc! {r#"
        steps:
          - op: http_request
            id: fetch
            request:
              source: api
              url: /items
              pagination: {{type: page_number, param: page, start: 1}}
            response:
              tables:
                - {{source: db, table: {name}items, data_path: items, columns: {{id: integer, kind: text, amount: integer}}}}
          - op: transform
            id: totals
            source: db
            target_table: {name}totals
            query: select kind, sum(amount) as amount, count(*) as n from {name}items group by kind
          - op: http_request
            id: keyed
            for_each: {{source: db, table: {name}items, as: item}}
            request: {{source: api, url: "/keyed/{name}{{{{ var('item')['id'] }}}}", method: POST, idempotency_key: true, body: {{n: 1}}}}
          - op: http_request
            id: patched
            for_each: {{source: db, table: {name}items, as: item}}
            request: {{source: api, url: "/patched/{name}{{{{ var('item')['id'] }}}}", method: PATCH, body: {{n: 1}}}}
          - op: set_variable
            id: count
            set: {{{name}runs_expression: "(var('{name}runs') or 0) + 1"}}
    "#}
}

/// A project with the flow, and with another.
fn project(api: &Api, db: &str, state: &str) -> Project {
    let retry = "concurrency: 8\nretry: {max_attempts: 20, backoff: {type: constant, initial: 1ms}, non_idempotent: true}\n";
    api.project(state, retry)
        .file("sources/db.yaml", db)
        .file("flows/main.yaml", &flow(""))
        .file("flows/other.yaml", &flow("other_"))
        .file("home/envs/dev.yaml", "variables: {runs: 0, other_runs: 0}\n")
        .file("env.yaml", "env: dev\n")
}

/// What goes wrong in the middle of a run.
enum Disturbed<'a> {
    /// The program is killed.
    Program,
    /// The server of the database is killed and started again.
    Server(&'a mut postgres::Own),
}

/// The arguments of the next attempt, by what is remembered of the flow's last run.
fn next(project: &Project, flow: &'static str) -> Vec<&'static str> {
    let there = project.sequor(&["runs", "--flow", flow, "--limit", "1", "--format", "json"]);
    assert_eq!(there.code, 0, "{}", there.all());
    // A run that had not begun to be remembered is begun again.
    match there.stdout.is_empty() || there.stdout.contains(r#""status":"done""#) {
        true => vec!["run", flow],
        false => vec!["run", flow, "--resume"],
    }
}

/// Runs until the run is done, disturbed at random moments up to so often. How often it was.
fn run_with_kills(
    (project, flow): (&Project, &'static str),
    random: &mut Random,
    (most, longest): (u64, u64),
    disturbed: &mut Disturbed<'_>,
) -> u64 {
    let mut kills = 0;
    let mut args = vec!["run", flow];
    loop {
        let mut child = project
            .command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut may_fail = false;
        if kills < most {
            // The first moments, in which little happened, are as likely as all others.
            let moment = Duration::from_millis(10 + random.below(longest));
            let begun = std::time::Instant::now();
            while begun.elapsed() < moment && child.try_wait().expect("a state").is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
            if child.try_wait().expect("a state").is_none() {
                kills += 1;
                match disturbed {
                    Disturbed::Program => {
                        child.kill().expect("killed");
                        child.wait().expect("it is gone");
                        args = next(project, flow);
                        continue;
                    }
                    Disturbed::Server(server) => {
                        server.kill_and_restart();
                        may_fail = true;
                    }
                }
            }
        }
        let output = child.wait_with_output().expect("output");
        let told = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return kills;
        }
        assert!(may_fail, "after {kills} kills: {told}");
        // Whatever the program was doing: it says what is wrong, and does not panic.
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("error[SQ10"), "{told}");
        args = next(project, flow);
    }
}

/// What a run of a flow that is done must have left. `name` stands before its tables and rows.
fn check(project: &Project, api: &Api, name: &str, rows: u64) {
    let tables = [
        (
            format!("select count(*) as n, sum(id) as s, sum(amount) as a from {name}items"),
            {
                let sum = rows * (rows - 1) / 2;
                format!("{rows}|{sum}|{}", sum * 3)
            },
        ),
        (
            format!("select count(*) as n, sum(n) as s, sum(amount) as a from {name}totals"),
            format!("7|{rows}|{}", rows * (rows - 1) / 2 * 3),
        ),
    ];
    for (sql, expected) in tables {
        assert_eq!(project.rows("db", &sql), [expected], "{sql}");
    }
    let done = api.done.lock().expect("no panic");
    for n in 0..rows {
        let id = format!("{name}{n}");
        assert_eq!(done.keyed.get(&id), Some(&1), "row {id} with a key");
        assert!(
            done.patched.get(&id).is_some_and(|times| *times >= 1),
            "row {id} is set"
        );
    }
    let again: u64 = done.keys.values().map(|times| times - 1).sum();
    let pages: u64 = done.pages.values().map(|times| times - 1).sum();
    println!("  {rows} rows, all once; {again} sent again with their keys, {pages} pages asked for again");
}

/// Runs are killed so often, each begun anew when the one before is done.
fn killed(db: &str, state: &str, failing: u64, short: u64) {
    let (wanted, rows) = (kills(short), PAGES * size());
    let mut random = Random::new();
    let api = Api::start(PAGES, size(), failing);
    let (mut total, mut runs) = (0, 0);
    let project = project(&api, db, state);
    while total < wanted {
        api.reset();
        // Few kills for a run leave it time to come far, many come early.
        let most = 1 + random.below(12);
        let most = (most.min(wanted - total), 1500);
        total += run_with_kills((&project, "main"), &mut random, most, &mut Disturbed::Program);
        runs += 1;
        check(&project, &api, "", rows);
        assert_eq!(api.done.lock().expect("no panic").keyed.len() as u64, rows);
    }
    let counted = project.sequor(&["runs", "--limit", "1000", "--format", "json"]);
    let done = counted
        .stdout
        .lines()
        .filter(|line| line.contains(r#""status":"done""#));
    assert_eq!(done.count() as u64, runs);
    println!("{total} kills in {runs} runs");
}

#[test]
fn on_staging() {
    killed("type: staging\n", "", 0, 10);
}

#[test]
fn on_postgres() {
    let database = postgres::Database::new();
    killed(&database.source(), "", 0, 5);
}

#[test]
fn with_an_api_that_fails_one_call_in_five() {
    killed("type: staging\n", "", 5, 3);
}

#[test]
fn with_the_state_in_postgres() {
    let database = postgres::Database::new();
    killed(&database.source(), "state: {source: db}\n", 0, 5);
}

#[test]
fn while_the_server_of_the_database_is_killed_and_started_again() {
    with_a_server_that_is_killed("one", "", 4);
}

#[test]
fn while_the_server_of_the_state_is_killed_and_started_again() {
    with_a_server_that_is_killed("two", "state: {source: db}\n", 4);
}

fn with_a_server_that_is_killed(name: &str, state: &str, short: u64) {
    let (wanted, rows) = (kills(short), PAGES * size());
    let mut random = Random::new();
    let mut server = postgres::Own::start(name);
    let api = Api::start(PAGES, size(), 0);
    let project = project(&api, &server.database().source(), state);
    let (mut total, mut runs) = (0, 0);
    while total < wanted {
        api.reset();
        let most = (1 + random.below(6)).min(wanted - total);
        let mut disturbed = Disturbed::Server(&mut server);
        total += run_with_kills((&project, "main"), &mut random, (most, 1500), &mut disturbed);
        runs += 1;
        check(&project, &api, "", rows);
    }
    println!("{total} times the server was killed in {runs} runs");
}

#[test]
fn two_runs_at_once() {
    let (wanted, rows) = (kills(6), PAGES * size());
    let mut random = Random::new();
    let database = postgres::Database::new();
    let api = Api::start(PAGES, size(), 0);
    let project = project(&api, &database.source(), "");
    let mut total = 0;
    while total < wanted {
        api.reset();
        let most = 1 + random.below(6);
        let mut run = |flow| {
            let (project, mut random) = (&project, Random(random.below(u64::MAX) | 1));
            move || {
                run_with_kills(
                    (project, flow),
                    &mut random,
                    (most, 2500),
                    &mut Disturbed::Program,
                )
            }
        };
        let (main, other) = (run("main"), run("other"));
        total += std::thread::scope(|scope| {
            let (main, other) = (scope.spawn(main), scope.spawn(other));
            main.join().expect("it is done") + other.join().expect("it is done")
        });
        check(&project, &api, "", rows);
        check(&project, &api, "other_", rows);
        assert_eq!(api.done.lock().expect("no panic").keyed.len() as u64, 2 * rows);
    }
    println!("{total} kills of two runs at once");
}

/// The rows of a step that are in doubt, by what `show` says.
fn in_doubt(project: &Project) -> Vec<String> {
    let shown = project.sequor(&["show", "--format", "json"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    let doubts = shown["in_doubt"].as_array().expect("a list");
    doubts
        .iter()
        .map(|doubt| doubt["row"]["id"].to_string())
        .collect()
}

#[test]
fn without_keys_no_row_is_sent_twice_and_each_that_is_missing_is_in_doubt() {
    without_keys("", 3000);
}

#[test]
fn without_keys_what_the_answers_gave_is_there_once() {
    without_keys(
        "response: {tables: [{source: db, table: answers, data_path: $.rows, columns: {ok: boolean}}]}",
        2000,
    );
}

/// The id and the status of the latest run.
fn latest(project: &Project) -> (String, String) {
    let shown = project.sequor(&["runs", "--limit", "1", "--format", "json"]);
    let run: serde_json::Value = serde_json::from_str(shown.stdout.trim()).unwrap_or_default();
    let text = |key: &str| run[key].as_str().unwrap_or_default().to_string();
    (text("run"), text("status"))
}

/// `response`: what is taken of the answers.
fn without_keys(response: &str, rows: u64) {
    let wanted = kills(5);
    let mut random = Random::new();
    let api = Api::start(1, rows, 0);
    let flow = flow("");
    let (before, _) = flow.split_once("  - op: transform").expect("a transform");
    let push = formatdoc! {r#"
          - op: http_request
            id: plain
            for_each: {{source: db, table: items, as: item}}
            request: {{source: api, url: "/plain/{{{{ var('item')['id'] }}}}", method: POST, body: {{n: 1}}}}
            {response}
    "#};
    let project = project(&api, "type: staging\n", "");
    let source = project.read("sources/api.yaml");
    project.write(
        "sources/api.yaml",
        source.split("retry:").next().expect("a source"),
    );
    let push: String = push.lines().map(|line| format!("  {line}\n")).collect();
    project.write("flows/main.yaml", &format!("{before}{push}"));
    let mut killed = 0;
    let mut listed = 0;
    while killed < wanted {
        api.reset();
        let mut args = vec!["run", "main"];
        let mut in_run = 0;
        let before = latest(&project);
        // None: it was over when it was killed.
        let ended = loop {
            let mut command = project.command(&args);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().expect("it starts");
            std::thread::sleep(Duration::from_millis(50 + random.below(600)));
            if in_run >= 3 || child.try_wait().expect("a state").is_some() {
                break Some(child.wait_with_output().expect("output"));
            }
            child.kill().expect("killed");
            child.wait().expect("it is gone");
            (killed, in_run) = (killed + 1, in_run + 1);
            let now = latest(&project);
            args = match now.1.as_str() {
                _ if now.0 == before.0 => vec!["run", "main"],
                "crashed" => vec!["run", "main", "--resume"],
                _ => break None,
            };
        };
        let told = ended.as_ref().map_or(String::new(), |ended| {
            String::from_utf8_lossy(&ended.stderr).into_owned()
        });
        let doubts = in_doubt(&project);
        {
            let done = api.done.lock().expect("no panic");
            let twice: Vec<_> = done.plain.iter().filter(|(_, times)| **times > 1).collect();
            assert!(twice.is_empty(), "sent twice: {twice:?}");
            let missing = (0..rows).map(|n| n.to_string());
            let missing = missing.filter(|id| !done.plain.contains_key(id) && !doubts.contains(id));
            assert_eq!(missing.collect::<Vec<_>>(), Vec::<String>::new(), "{told}");
        }
        listed += doubts.len();
        if let Some(ended) = &ended {
            assert_eq!(ended.status.code(), Some(i32::from(!doubts.is_empty())), "{told}");
        }
        if !doubts.is_empty() {
            let says = told.contains("SQ1025") && told.contains("--in-doubt");
            assert!(ended.is_none() || says, "{told}");
            let on = project.sequor(&["run", "main", "--resume", "--in-doubt", "skip"]);
            assert_eq!(on.code, 0, "{}", on.all());
        }
        if !response.is_empty() {
            let there = project.rows("db", "select count(*) as n from answers");
            assert_eq!(there, [(rows - doubts.len() as u64).to_string()], "{told}");
        }
    }
    println!("{killed} kills, none of {rows} rows sent twice, {listed} in doubt");
}
