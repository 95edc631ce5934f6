//! `run --dry-run`: nothing is changed, and what would be is shown.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indoc::indoc;

use crate::support::mysql;
use crate::support::postgres;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

/// A server that counts what changes something, and lists items.
pub fn api() -> (Server, Arc<AtomicUsize>) {
    let changes = Arc::new(AtomicUsize::new(0));
    let count = changes.clone();
    let server = Server::start(move |asked: &Asked| {
        if asked.method != "GET" && asked.path != "/search" {
            count.fetch_add(1, Ordering::Relaxed);
        }
        json(r#"[{"id": 1, "name": "ann"}, {"id": 2, "name": "bob"}]"#)
    });
    (server, changes)
}

const FLOW: &str = indoc! {r#"
    steps:
      - op: http_request
        id: fetch
        request: {source: api, url: /items}
        response: {tables: [{source: wh, table: items, data_path: $, columns: {id: integer, name: text}}]}
      - op: transform
        id: joined
        source: wh
        target_table: joined
        query: select i.id, c.city, count(*) over () as n from items i join customers c on c.id = i.id order by i.id
      - op: http_request
        id: push
        for_each: {source: wh, table: joined, as: row}
        request: {source: api, url: "/c/{{ var('row')['id'] }}", method: PATCH, body: {city: "{{ var('row')['city'] }}"}}
      - op: http_request
        id: search
        request: {source: api, url: /search, method: POST, safe: true}
        response: {variables: {found: {value_expression: "len(response.json())"}}}
      - op: http_request
        id: create
        request: {source: api, url: "/create?token=secret-token", method: POST, body: {a: 1}}
        response: {variables: {made: {value_expression: "response.json()['id']"}}}
      - op: http_request
        id: use
        request: {source: api, url: "/use/{{ var('made') }}", method: POST}
      - op: set_variable
        set: {kept: "{{ var('found') }}"}
      - op: print
        message: "found {{ var('found') }}"
"#};

pub fn project(server: &Server, source: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("sources/wh.yaml", source)
        .file("flows/main.yaml", FLOW)
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => all.extend(files(&entry.path())),
            false => all.push(entry.path().to_string_lossy().into_owned()),
        }
    }
    all.sort();
    all
}

#[test]
fn nothing_is_changed_and_what_would_be_is_shown() {
    let (server, changes) = api();
    // A server that is not there, and credentials that are not set.
    let warehouse = "type: postgres\nconn_str: postgresql://{{ env_var('NOT_SET_USER') }}@127.0.0.1:1/shop\n";
    let project =
        project(&server, warehouse).file("fixtures/wh/customers.csv", "id,city\n1,Bern\n2,Rome\n3,Oslo\n");
    let before = files(&project.path());
    project.sequor(&["run", "main", "--dry-run"]).fails(
        2,
        &[
            "nowhere to be found: `wh.customers`",
            "--fixtures DIR, with wh/customers.csv in it",
            "NOT_SET_USER",
        ],
    );
    let ran = project.sequor(&["run", "main", "--dry-run", "--fixtures", "fixtures"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for text in [
        "found 2",
        "Dry run: nothing was changed outside of it.",
        "wh.joined: created, 2 rows",
        "1   Bern  2",
        "push: 2 PATCH",
        &format!("PATCH {}/c/1", server.url),
        r#"{"city":"Bern"}"#,
        "create: 1 POST",
        "use: it needs variable made, which only a real answer gives",
        "not set: NOT_SET_USER",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    assert!(!ran.all().contains("secret-token"), "{}", ran.all());
    assert_eq!(changes.load(Ordering::Relaxed), 0);
    assert_eq!(files(&project.path()), before);
    let told = project.sequor(&[
        "run",
        "main",
        "--dry-run",
        "--fixtures",
        "fixtures",
        "--format",
        "json",
    ]);
    let last = told.stdout.lines().last().expect("a line");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["event"], "dry_run");
    assert_eq!(last["report"]["requests"]["push"]["count"], 2);
    assert_eq!(last["report"]["tables"][0]["how"], "created");
    // Nothing is asked at all.
    let asked = server.asked().len();
    let ran = project.sequor(&["run", "main", "--dry-run", "--offline", "--fixtures", "fixtures"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(server.asked().len(), asked);
    assert!(
        ran.stdout.contains("joined: it needs table wh.items"),
        "{}",
        ran.stdout
    );
}

#[test]
fn tables_are_read_from_the_real_database_and_stay_as_they_are_there() {
    let (server, _) = api();
    let postgres = postgres::Database::new();
    let mysql = mysql::Database::new();
    for source in [
        format!("type: postgres\nconn_str: {}\n", postgres.url),
        format!("type: mysql\nconn_str: {}\n", mysql.url),
        "type: sqlite\nconn_str: sqlite:///lite.db\n".to_string(),
        "type: staging\n".to_string(),
    ] {
        let project = project(&server, &source)
            .file(
                "flows/fill.yaml",
                indoc! {"
                    steps:
                      - op: execute
                        source: wh
                        statement: |
                          create table customers (id integer, city text);
                          insert into customers values (1, 'Bern'), (2, 'Rome'), (3, 'Oslo');
                "},
            )
            .file(
                "flows/upsert.yaml",
                indoc! {"
                    steps:
                      - op: transform
                        source: wh
                        target_table: customers
                        write_mode: upsert
                        primary_key: [id]
                        query: select 3 as id, 'Lima' as city union all select 4, 'Cairo'
                      - op: execute
                        source: wh
                        statement: delete from customers where id = 1
                "},
            );
        project.run("fill");
        let ran = project.sequor(&["run", "main", "--dry-run"]);
        assert_eq!(ran.code, 0, "{source}: {}", ran.all());
        assert!(
            ran.stdout.contains("wh.joined: created, 2 rows"),
            "{source}: {}",
            ran.stdout
        );
        let ran = project.sequor(&["run", "upsert", "--dry-run"]);
        assert_eq!(ran.code, 0, "{source}: {}", ran.all());
        assert!(
            ran.stdout.contains("wh.customers: changed, 3 rows"),
            "{source}: {}",
            ran.stdout
        );
        let rows = project.rows("wh", "select city from customers order by id");
        assert_eq!(rows, ["Bern", "Rome", "Oslo"], "{source}");
        let some = project.sequor(&["run", "main", "--dry-run", "--sample", "1"]);
        assert!(
            some.stdout.contains("only the first 1 rows were read"),
            "{source}: {}",
            some.stdout
        );
    }
}

#[test]
fn a_while_that_only_answers_end_has_an_end_and_a_failing_step_fails() {
    let (server, changes) = api();
    let project = project(&server, "type: staging\n").file(
        "flows/loop.yaml",
        indoc! {r#"
            steps:
              - op: while
                id: poll
                condition_expression: "True"
                steps:
                  - op: http_request
                    id: job
                    request: {source: api, url: /job, method: POST}
              - op: transform
                source: wh
                target_table: t
                query: select nothing from nowhere
        "#},
    );
    let ran = project.sequor(&["run", "loop", "--dry-run"]);
    assert_eq!(ran.code, 2, "{}", ran.all());
    let fails = std::fs::read_to_string(project.path().join("flows/loop.yaml")).expect("a file");
    project.write(
        "flows/loop.yaml",
        &fails.replace("nothing from nowhere", "1 / 'x' as a"),
    );
    let ran = project.sequor(&["run", "loop", "--dry-run"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(
        ran.stderr.contains("poll: it ends behind the first round"),
        "{}",
        ran.all()
    );
    assert!(ran.stdout.contains("poll/job: 1 POST"), "{}", ran.all());
    assert_eq!(changes.load(Ordering::Relaxed), 0);
}

#[test]
fn the_example_is_tried_without_servers_and_credentials() {
    let project = Project::copy("examples/shopify_mailchimp");
    for kind in [
        "type: staging\n",
        "type: snowflake\naccount: a\nuser: u\npassword: p\ndatabase: D\nschema: S\n",
    ] {
        project.write("sources/snowflake.yaml", kind);
        let before = files(&project.path());
        let ran = project.sequor(&[
            "run",
            "shopify_mailchimp",
            "--dry-run",
            "--offline",
            "--replay",
            "recordings",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert!(
            ran.stdout.to_lowercase().contains("customer_metrics: created"),
            "{}",
            ran.stdout
        );
        assert_eq!(files(&project.path()), before);
    }
}

#[test]
fn a_mock_is_the_answer_and_may_be_a_failure() {
    let (server, changes) = api();
    let project = project(&server, "type: staging\n").file(
        "flows/main.yaml",
        indoc! {r#"
            steps:
              - op: transform
                source: wh
                target_table: people
                query: select value as id from generate_series(1, 3)
              - op: http_request
                id: push
                on_error: reject
                mock:
                  status_expression: "422 if var('p')['id'] == 2 else 200"
                  json: [{made: "n{{ var('p')['id'] }}"}]
                for_each: {source: wh, table: people, as: p}
                request: {source: api, url: /people, method: POST, body: {id: "{{ var('p')['id'] }}"}}
                response: {tables: [{source: wh, table: made, data_path: $, columns: {made: text}}]}
        "#},
    );
    let ran = project.sequor(&["run", "main", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for text in [
        "wh.made: created, 2 rows",
        "wh.push_rejects: created, 1 row",
        "push: 3 POST",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.all());
    }
    assert_eq!(changes.load(Ordering::Relaxed), 0);
}

#[test]
fn python_that_reaches_outside_is_not_tried_and_no_copy_is_left() {
    let (server, changes) = api();
    let project = project(&server, "type: staging\n").file(
        "flows/main.yaml",
        indoc! {r#"
            steps:
              - op: http_request
                request: {source: api, url: /items}
                response: {variables: {n: {value_expression: "len(response.json())"}}}
              - op: set_variable
                id: outside
                set:
                  x_expression: |
                    open('left_behind', 'w').write('x')
                    return 1
              - op: transform
                source: wh
                target_table: t
                query: select 1 as id
        "#},
    );
    let copies = project.path().join("copies");
    std::fs::create_dir(&copies).expect("a folder");
    let output = project
        .command(&["run", "main", "--dry-run"])
        .env("TMPDIR", &copies)
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        told.contains("outside: its Python reaches outside of the run"),
        "{told}"
    );
    assert_eq!(files(&copies), Vec::<String>::new());
    assert!(std::fs::read_dir(&copies).expect("a folder").next().is_none());
    assert!(!project.path().join("left_behind").exists());
    assert_eq!(changes.load(Ordering::Relaxed), 0);
}
