//! Columns whose types change between two runs.

use super::api::Api;
use super::{each, project};
use crate::support::databases;
use crate::support::program::Project;

/// Runs a statement.
fn execute(project: &Project, statement: &str) {
    project.write(
        "flows/execute.yaml",
        &format!("- {{op: execute, source: wh, statement: \"{statement}\"}}\n"),
    );
    let ran = project.run("execute");
    assert_eq!(ran.code, 0, "{statement}: {}", ran.all());
}

/// Makes the table anew, by its columns and rows.
fn make(project: &Project, columns: &str, rows: &[&str]) {
    execute(project, "drop table if exists customers");
    execute(project, &format!("create table customers ({columns})"));
    execute(
        project,
        &format!("insert into customers values ({})", rows.join("), (")),
    );
}

#[test]
fn columns_become_wider() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        let step = each(", columns: [name, price]");
        let project = project(&api, &source, &step);
        make(
            &project,
            "id integer, name varchar(8), price decimal(10,2)",
            &["1, 'a', 1.25", "2, 'b', 2.5"],
        );
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        let long = "x".repeat(300);
        make(
            &project,
            "id bigint, name varchar(400), price decimal(14,2)",
            &[
                "1, 'a', 1.25",
                &format!("2, '{long}', 2.5"),
                "3000000000, 'c', 123456789012.25",
            ],
        );
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert!(
            ran.all().contains("1 added, 1 changed, 0 removed, 1 unchanged"),
            "{name}: {}",
            ran.all()
        );
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert!(
            ran.all().contains("0 added, 0 changed, 0 removed, 3 unchanged"),
            "{name}: {}",
            ran.all()
        );
        assert_eq!(
            api.contacts(),
            ["1|a".to_string(), format!("2|{long}"), "3000000000|c".into()],
            "{name}"
        );
        // And narrower again: what is gone was wider.
        make(
            &project,
            "id integer, name varchar(8), price decimal(10,2)",
            &["1, 'A', 1.25"],
        );
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert!(
            ran.all().contains("0 added, 1 changed, 2 removed, 0 unchanged"),
            "{name}: {}",
            ran.all()
        );
        assert_eq!(api.contacts(), ["1|A"], "{name}");
    }
}

#[test]
fn numbers_get_more_places() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        let project = project(&api, &source, &each(", columns: [name, price]"));
        make(
            &project,
            "id integer, name varchar(8), price decimal(10,2)",
            &["1, 'a', 1.25"],
        );
        assert_eq!(project.run("main").code, 0, "{name}");
        make(
            &project,
            "id integer, name varchar(8), price decimal(14,4)",
            &["1, 'a', 1.2512"],
        );
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert!(
            ran.all().contains("0 added, 1 changed, 0 removed, 0 unchanged"),
            "{name}: {}",
            ran.all()
        );
        let ran = project.run("main");
        assert!(
            ran.all().contains("0 added, 0 changed, 0 removed, 1 unchanged"),
            "{name}: {}",
            ran.all()
        );
    }
}

/// What is sent of a row is what the step would send without `changes`.
#[test]
fn values_are_sent_as_they_are() {
    let columns = [
        (
            "mysql",
            "id integer, yes boolean, kind enum('a', 'b'), day date",
            "1, true, 'b', '2024-01-31'",
        ),
        (
            "postgres",
            "id integer, yes boolean, kind jsonb, day date",
            "1, true, '{\\\"a\\\": 1}', '2024-01-31'",
        ),
        (
            "staging",
            "id integer, yes boolean, kind jsonb, day date",
            "1, true, '{\\\"a\\\": 1}', '2024-01-31'",
        ),
        (
            "duckdb",
            "id integer, yes boolean, kind json, day date",
            "1, true, '{\\\"a\\\": 1}', '2024-01-31'",
        ),
        (
            "sqlite",
            "id integer, yes boolean, kind text, day date",
            "1, true, 'b', '2024-01-31'",
        ),
    ];
    for (name, source) in databases::all() {
        let Some((_, columns, row)) = columns.iter().find(|(of, ..)| *of == name) else {
            continue;
        };
        println!("{name}");
        let api = Api::start();
        let body = "body: {yes: \"{{ var('customer')['yes'] }}\", kind: \"{{ var('customer')['kind'] }}\", day: \"{{ var('customer')['day'] }}\"}";
        let step = each("").replace("body: {name: \"{{ var('customer')['name'] }}\"}", body);
        let project = project(&api, &source, &step);
        make(&project, columns, &[row]);
        let bodies = || {
            let asked = api.server.asked();
            api.server.forget();
            asked.into_iter().map(|asked| asked.body).collect::<Vec<_>>()
        };
        assert_eq!(project.run("main").code, 0, "{name}");
        let changed = bodies();
        let plain = step.replace(", changes: {key: [id], keep_response: id}", "");
        let plain = plain.replace("'DELETE' if var('change') == 'removed' else 'PUT'", "'PUT'");
        let plain = plain.replace("var('kept_response') if var('change') == 'removed' else ", "");
        project.write(
            "flows/plain.yaml",
            &format!("- op: http_request\n  id: push\n{plain}"),
        );
        let ran = project.run("plain");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert_eq!(changed, bodies(), "{name}");
        let ran = project.run("main");
        assert!(
            ran.all().contains("0 added, 0 changed, 0 removed, 1 unchanged"),
            "{name}: {}",
            ran.all()
        );
    }
}

#[test]
fn texts_of_another_character_set_do_not_change_by_themselves() {
    let source = crate::support::mysql::Database::new().source();
    let api = Api::start();
    let project = project(&api, &source, &each(""));
    make(
        &project,
        "id integer, name varchar(50) character set latin1",
        &["1, 'é'", "2, 'b'"],
    );
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.contacts(), ["1|é", "2|b"]);
    let ran = project.run("main");
    assert!(ran.all().contains("2 unchanged"), "{}", ran.all());
}

#[test]
fn texts_of_another_collation_are_compared() {
    let source = crate::support::mysql::Database::new().source();
    for kind in [
        "json",
        "varchar(40) collate utf8mb4_bin",
        "text character set latin1",
    ] {
        let api = Api::start();
        let project = project(&api, &source, &each(""));
        project.write(
            "flows/drop.yaml",
            "- {op: execute, source: wh, statement: drop table if exists main__push_synced}\n",
        );
        assert_eq!(project.run("drop").code, 0);
        let columns = format!("id integer, name {kind}");
        make(&project, &columns, &["1, '1'", "2, '2'", "3, '3'"]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{kind}: {}", ran.all());
        make(&project, &columns, &["1, '1'", "2, '22'", "4, '4'"]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{kind}: {}", ran.all());
        assert!(
            ran.all().contains("1 added, 1 changed, 1 removed, 1 unchanged"),
            "{kind}: {}",
            ran.all()
        );
        assert_eq!(api.contacts(), ["1|1", "2|22", "4|4"], "{kind}");
    }
}

#[test]
fn letters_count_whatever_a_column_takes_for_the_same() {
    let api = Api::start();
    let project = project(&api, &crate::support::duckdb::source(), &each(""));
    // And integers that are larger than those of other databases.
    let columns = "id ubigint, name varchar collate nocase";
    make(&project, columns, &["18446744073709551615, 'a'", "2, 'b'"]);
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.contacts(), ["18446744073709551615|a", "2|b"]);
    make(&project, columns, &["18446744073709551615, 'A'", "2, 'b'"]);
    let ran = project.run("main");
    assert!(ran.all().contains("1 changed"), "{}", ran.all());
    assert_eq!(api.contacts(), ["18446744073709551615|A", "2|b"]);
}

#[test]
fn a_number_becomes_a_text() {
    for (name, source) in databases::all() {
        let api = Api::start();
        let project = project(&api, &source, &each(", columns: [name]"));
        make(&project, "id integer, name integer", &["1, 7", "2, 8"]);
        assert_eq!(project.run("main").code, 0, "{name}");
        make(&project, "id integer, name varchar(20)", &["1, '007'", "2, '8'"]);
        let ran = project.sequor(&["run", "main"]);
        match name {
            // These compare no text with a number.
            "snowflake" | "adbc postgresql" if ran.code != 0 => {
                ran.fails(1, &["drop the table"]);
                continue;
            }
            _ => assert_eq!(ran.code, 0, "{name}: {}", ran.all()),
        }
        assert_eq!(api.contacts(), ["1|007", "2|8"], "{name}");
        let ran = project.run("main");
        assert!(ran.all().contains("2 unchanged"), "{name}: {}", ran.all());
        // And back: what was sent is none.
        make(&project, "id integer, name integer", &["1, 7", "2, 8"]);
        project.sequor(&["run", "main"]).fails(1, &["drop the table"]);
    }
}

#[test]
fn keys_become_texts() {
    let api = Api::start();
    let project = project(&api, super::SQLITE, &each(""));
    make(&project, "id integer, name integer", &["1, 7", "2, 8"]);
    assert_eq!(project.run("main").code, 0);
    make(&project, "id text, name text", &["'01', '007'", "'2', '8'"]);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(api.contacts(), ["01|007", "2|8"]);
    let ran = project.run("main");
    assert!(
        ran.all().contains("0 added, 0 changed, 0 removed, 2 unchanged"),
        "{}",
        ran.all()
    );
}
