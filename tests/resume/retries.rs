//! Rows that are sent again: also when that is killed, and of a batch only those that were rejected.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indoc::indoc;

use super::limits::push as project;
use crate::support::program::{Project, Ran};
use crate::support::server::{Server, json};

/// A server that takes rows: how often it took each, and what it does with them.
#[derive(Clone)]
struct Rows {
    taken: Arc<Mutex<HashMap<String, u64>>>,
    /// 0: rows that end in 3 are refused; 1: all are taken; 2: all are taken, and not answered.
    mood: Arc<AtomicUsize>,
}

const REFUSES: usize = 0;
const TAKES: usize = 1;
const SILENT: usize = 2;

fn rows() -> (Server, Rows) {
    let rows = Rows {
        taken: Arc::default(),
        mood: Arc::default(),
    };
    let kept = rows.clone();
    let server = Server::start(move |asked| {
        let mood = kept.mood.load(Ordering::Relaxed);
        let ids: Vec<String> = asked
            .path
            .trim_start_matches('/')
            .split('-')
            .map(str::to_string)
            .collect();
        if mood == REFUSES && ids.iter().any(|id| id.ends_with('3')) {
            return json(r#"{"error": "no"}"#).status(422);
        }
        let mut taken = kept.taken.lock().expect("no panic");
        for id in &ids {
            *taken.entry(id.clone()).or_default() += 1;
        }
        let reply = json(format!(r#"[{{"id": {}}}]"#, ids[0]));
        match mood {
            SILENT => reply.after(Duration::from_secs(60)),
            _ => reply,
        }
    });
    (server, rows)
}

impl Rows {
    fn set(&self, mood: usize) {
        self.mood.store(mood, Ordering::Relaxed);
    }

    /// Rows that were taken more than once.
    fn twice(&self) -> Vec<String> {
        let taken = self.taken.lock().expect("no panic");
        let twice = taken.iter().filter(|(_, times)| **times > 1);
        twice.map(|(id, _)| id.clone()).collect()
    }

    fn count(&self) -> usize {
        self.taken.lock().expect("no panic").len()
    }
}

const PUSH: &str = indoc! {r#"
    steps:
      - op: transform
        source: stage
        target_table: t
        query: select value as id from generate_series(1, 40)
      - op: http_request
        id: push
        on_error: reject
        for_each: {source: stage, table: t, as: row}
        request: {source: api, url: "/{{ var('row')['id'] }}", method: POST}
        response: {tables: [{source: stage, table: answers, columns: {id: integer}, data_path: $, write_mode: append}]}
"#};

const SPLIT: &str = indoc! {r#"
    steps:
      - op: transform
        source: stage
        target_table: t
        query: select value as id from generate_series(1, 40)
      - op: http_request
        id: push
        on_error: split
        for_each: {source: stage, query: select id from t order by id, as: rows, batch_size: 10}
        request: {source: api, url_expression: "'/' + '-'.join(str(r['id']) for r in var('rows'))", method: POST}
"#};

fn id(project: &Project) -> String {
    let listed = project
        .sequor(&["runs", "--limit", "1", "--format", "json"])
        .stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    listed["run"].as_str().expect("an id").to_string()
}

fn counts(project: &Project) -> Vec<String> {
    project.rows(
        "stage",
        "select (select count(*) from answers) as a, (select count(*) from push_rejects) as b",
    )
}

/// Begins a command, and kills it when the server has taken so many rows.
fn killed(project: &Project, args: &[&str], rows: &Rows, most: usize) {
    let mut command = project.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    while rows.count() < most {
        assert!(child.try_wait().expect("a state").is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    child.kill().expect("killed");
    child.wait().expect("it is gone");
}

fn good(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}", ran.all());
}

#[test]
fn a_retry_that_is_killed_is_gone_on_with() {
    let (server, rows) = rows();
    let project = project(&server, PUSH);
    good(&project.sequor(&["run", "main"]));
    assert_eq!(counts(&project), ["36|4"]);
    let run = id(&project);
    rows.set(SILENT);
    killed(&project, &["retry", &run], &rows, 40);
    rows.set(TAKES);
    // They were taken, and were not answered: none is sent again without a word.
    project
        .sequor(&["run", "main", "--resume"])
        .fails(1, &["SQ1025", "4 rows"]);
    project.sequor(&["retry", &run]).fails(1, &["SQ1025", "4 rows"]);
    assert_eq!(rows.twice(), [""; 0]);
    good(&project.sequor(&["retry", &run, "--in-doubt", "skip"]));
    assert_eq!(
        (rows.twice(), counts(&project)),
        (vec![], vec!["36|0".to_string()])
    );
}

#[test]
fn what_a_retry_that_fails_was_given_is_in_its_table_later() {
    let (server, rows) = rows();
    let project = project(&server, PUSH);
    good(&project.sequor(&["run", "main"]));
    let run = id(&project);
    // The table can't be written: the rows were sent, and what they gave is kept.
    rows.set(TAKES);
    let broken = [("SEQUOR_FAULT", "effect:fails:1")];
    project
        .sequor_with(&["retry", &run], &broken)
        .fails(1, &["SQ1022"]);
    assert_eq!(counts(&project), ["36|4"]);
    good(&project.sequor(&["run", "main", "--resume", &run]));
    good(&project.sequor(&["retry", &run]));
    assert_eq!(
        (rows.twice(), counts(&project)),
        (vec![], vec!["40|0".to_string()])
    );
    let none = project.sequor(&["retry", &run]);
    none.fails(0, &["rejected no rows"]);
    project
        .sequor(&["retry", &run, "pusch"])
        .fails(2, &["no step `pusch`", "push"]);
}

#[test]
fn of_a_batch_only_the_rejected_rows_are_sent_again() {
    for share in ["", "    max_rejects: 2\n"] {
        let (server, rows) = rows();
        let flow = SPLIT.replace("    for_each", &format!("{share}    for_each"));
        let project = project(&server, &flow);
        let ran = project.sequor(&["run", "main"]);
        let run = id(&project);
        rows.set(TAKES);
        match share {
            "" => {
                good(&ran);
                good(&project.sequor(&["retry", &run]));
            }
            _ => {
                ran.fails(1, &["SQ1017"]);
                good(&project.sequor(&["run", "main", "--resume"]));
            }
        }
        assert_eq!((rows.twice(), rows.count()), (vec![], 40), "{share}");
        assert_eq!(
            project.rows("stage", "select count(*) as n from push_rejects"),
            ["0"],
            "{share}"
        );
    }
}

#[test]
fn rows_in_doubt_that_were_skipped_stay_skipped() {
    let (server, rows) = rows();
    let project = project(&server, &PUSH.replace(", write_mode: append", ""));
    rows.set(SILENT);
    killed(&project, &["run", "main"], &rows, 4);
    rows.set(REFUSES);
    let on = project.sequor(&["run", "main", "--resume", "--in-doubt", "skip"]);
    good(&on);
    assert!(on.stderr.contains("rows in doubt count as sent"), "{}", on.all());
    rows.set(TAKES);
    good(&project.sequor(&["retry", &id(&project)]));
    assert_eq!((rows.twice(), rows.count()), (vec![], 40));
}

#[test]
fn what_was_kept_and_is_gone_stops_the_run() {
    let (server, rows) = rows();
    let project = project(&server, PUSH);
    rows.set(SILENT);
    killed(&project, &["run", "main"], &rows, 4);
    rows.set(TAKES);
    std::fs::remove_dir_all(project.path().join("home/project_state/test/runs")).expect("removed");
    let before = server.asked().len();
    project
        .sequor(&["run", "main", "--resume"])
        .fails(1, &["SQ1024", "is gone", "--in-doubt send"]);
    assert_eq!(server.asked().len(), before);
    good(&project.sequor(&["run", "main", "--resume", "--in-doubt", "send"]));
}

#[test]
fn another_environment_is_noticed() {
    let (server, rows) = rows();
    let flow = indoc! {r#"
        - op: http_request
          request: {source: api, url: "/{{ var('shop') }}", method: PUT}
    "#};
    let project = project(&server, flow)
        .file("home/envs/dev.yaml", "variables: {shop: 13}\n")
        .file("env.yaml", "env: dev\n");
    project.sequor(&["run", "main"]).fails(1, &["422"]);
    rows.set(TAKES);
    // Written otherwise, it is the same.
    project.write("home/envs/dev.yaml", "# the shop\nvariables:\n  shop: 14\n");
    project
        .sequor(&["run", "main", "--resume"])
        .fails(2, &["SQ1024", "environment's variables"]);
    project.write("home/envs/dev.yaml", "# the shop\nvariables:\n  shop: 13\n");
    good(&project.sequor(&["run", "main", "--resume"]));
}
