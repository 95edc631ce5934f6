//! Keys that change between two runs.

use super::api::Api;
use super::{each, fill, project};
use crate::support::databases;

#[test]
fn another_key_begins_anew_when_what_was_sent_is_forgotten() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        let project = project(&api, &source, &each(""));
        fill(&project, &[(1, "a"), (2, "b")]);
        assert_eq!(project.run("main").code, 0, "{name}");
        project.replace("flows/main.yaml", "key: [id]", "key: [name]");
        project
            .sequor(&["run", "main"])
            .fails(1, &["`changes.key` is another one", "state reset"]);
        assert_eq!(project.sequor(&["state", "reset", "main"]).code, 0, "{name}");
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        fill(&project, &[(3, "a"), (2, "b")]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert!(
            ran.all().contains("0 added, 1 changed, 0 removed, 1 unchanged"),
            "{name}: {}",
            ran.all()
        );
        let ran = project.run("main");
        assert!(ran.all().contains("2 unchanged"), "{name}: {}", ran.all());
    }
}

#[test]
fn another_key_begins_anew_where_nothing_was_ever_sent() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        let project = project(&api, &source, &each(""));
        fill(&project, &[]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        project.replace("flows/main.yaml", "key: [id]", "key: [note, name]");
        fill(&project, &[(1, "a"), (2, "b")]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        let ran = project.run("main");
        assert!(ran.all().contains("2 unchanged"), "{name}: {}", ran.all());
    }
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let api = Api::start();
    let source = crate::support::postgres::Database::new().source();
    let project = project(&api, &source, &each(""));
    fill(&project, &[(1, "a")]);
    project.replace(
        "flows/main.yaml",
        "table: customers",
        "query: \"select id, name, name from customers\"",
    );
    for command in [&["run", "main"][..], &["plan", "main", "--estimate"][..]] {
        let ran = project.sequor(command);
        assert!(
            ran.all().contains("two columns of the rows are called `name`"),
            "{}",
            ran.all()
        );
    }
}

#[test]
fn a_table_of_two_steps_has_one_key() {
    let api = Api::start();
    let sent = ", snapshot: {table: sent}";
    let project = project(&api, super::SQLITE, &each(sent));
    let other = each(sent).replace("key: [id]", "key: [name]");
    project.write(
        "flows/other.yaml",
        &format!("- op: http_request\n  id: push\n{other}"),
    );
    fill(&project, &[(1, "a"), (2, "b")]);
    assert_eq!(project.run("main").code, 0);
    api.asked();
    project.sequor(&["run", "other"]).fails(
        1,
        &[
            "keeps what another step has sent, and by another key",
            "snapshot: {table: ...}",
        ],
    );
    assert!(api.asked().is_empty());
}

#[test]
fn a_key_is_the_same_in_any_order_of_the_columns() {
    let api = Api::start();
    let project = project(
        &api,
        super::SQLITE,
        &each("").replace("key: [id]", "key: [id, note]"),
    );
    fill(&project, &[(1, "a"), (2, "b")]);
    assert_eq!(project.run("main").code, 0);
    project.write(
        "flows/again.yaml",
        "- {op: transform, source: wh, target_table: customers, query: \"select 'not sent' as note, 'a' as name, 1 as ID union all select 'not sent', 'B', 2\"}\n",
    );
    assert_eq!(project.run("again").code, 0);
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(
        ran.all().contains("0 added, 1 changed, 0 removed, 1 unchanged"),
        "{}",
        ran.all()
    );
}

#[test]
fn a_key_that_is_spelled_otherwise_is_the_same() {
    for (name, source) in databases::all() {
        let kind = match name {
            "mysql" => "varchar(40) character set utf8mb4 collate utf8mb4_general_ci",
            "sqlite" => "text collate nocase",
            _ => continue,
        };
        let api = Api::start();
        let project = project(&api, &source, &each(""));
        let make = |rows: &str| {
            project.write(
                "flows/make.yaml",
                &format!(
                    "- {{op: execute, source: wh, statement: drop table if exists customers}}
- {{op: execute, source: wh, statement: \"create table customers (id {kind}, name varchar(20))\"}}
- {{op: execute, source: wh, statement: \"insert into customers values {rows}\"}}
"
                ),
            );
            assert_eq!(project.run("make").code, 0, "{name}");
            api.asked();
            let ran = project.run("main");
            assert_eq!(ran.code, 0, "{name}: {}", ran.all());
            (ran.all(), api.asked())
        };
        make("('Bob', 'a'), ('eve', 'b')");
        let (said, asked) = make("('bob', 'a'), ('eve', 'b')");
        assert!(
            said.contains("0 added, 1 changed, 0 removed, 1 unchanged"),
            "{name}: {said}"
        );
        assert_eq!(asked, ["PUT /contacts/bob"], "{name}");
        let (said, _) = make("('bob', 'a'), ('eve', 'b')");
        assert!(said.contains("2 unchanged"), "{name}: {said}");
        let (said, _) = make("('eve', 'b')");
        assert!(
            said.contains("0 added, 0 changed, 1 removed, 1 unchanged"),
            "{name}: {said}"
        );
        let (said, _) = make("('BOB', 'c'), ('eve', 'b')");
        assert!(
            said.contains("1 added, 0 changed, 0 removed, 1 unchanged"),
            "{name}: {said}"
        );
        let (said, _) = make("('BOB', 'c'), ('eve', 'b')");
        assert!(said.contains("2 unchanged"), "{name}: {said}");
    }
}
