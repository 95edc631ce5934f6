//! `changes`: only rows that were added, changed or removed since they were sent are sent.

mod api;
mod batches;
mod endings;
mod estimates;
mod guards;
mod keys;
mod lost;
mod others;
mod random;
mod refused;
mod types;
mod under_way;
mod unread;

use indoc::formatdoc;

use crate::support::databases;
use crate::support::program::Project;
use api::Api;

const SQLITE: &str = "type: sqlite\nconn_str: sqlite:///test.db\n";

/// A project that sends the table `customers` of the source `wh`. `step`: the keys of the step.
fn project(api: &Api, source: &str, step: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!(
                "type: http\nbase_url: {}\nretry: {{max_attempts: 1}}\n",
                api.server.url
            ),
        )
        .file("sources/wh.yaml", source)
        .file(
            "flows/main.yaml",
            &format!("- op: http_request\n  id: push\n{step}"),
        )
}

/// Sends each row by itself, and takes it back by the id that the API gave.
fn each(changes: &str) -> String {
    formatdoc!(
        "
          for_each: {{source: wh, table: customers, as: customer, changes: {{key: [id], keep_response: id{changes}}}}}
          on_error: reject
          request:
            source: api
            method: \"{{{{ 'DELETE' if var('change') == 'removed' else 'PUT' }}}}\"
            url: \"/contacts/{{{{ var('kept_response') if var('change') == 'removed' else var('customer')['id'] }}}}\"
            body: {{name: \"{{{{ var('customer')['name'] }}}}\"}}
        "
    )
    .lines()
    .map(|line| format!("  {line}\n"))
    .collect()
}

/// Makes the table anew, with these rows: id and name.
fn fill(project: &Project, rows: &[(u32, &str)]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|(id, name)| format!("select {id} as id, '{name}' as name, 'not sent' as note"))
        .collect();
    let query = match rows.is_empty() {
        true => "select * from (select 1 as id, 'a' as name, 'b' as note) q where 1 = 0".to_string(),
        false => rows.join(" union all "),
    };
    project.write(
        "flows/fill.yaml",
        &format!("- {{op: transform, source: wh, target_table: customers, query: \"{query}\"}}\n"),
    );
    let ran = project.run("fill");
    assert_eq!(ran.code, 0, "{}", ran.all());
}

#[test]
fn only_changes_are_sent_in_every_database() {
    for (name, source) in databases::all() {
        println!("{name}");
        let api = Api::start();
        let project = project(&api, &source, &each(""));
        fill(&project, &[(1, "a"), (2, "b"), (3, "c")]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert!(
            ran.all()
                .contains("push: 3 added, 0 changed, 0 removed, 0 unchanged"),
            "{name}: {}",
            ran.all()
        );
        assert_eq!(api.contacts(), ["1|a", "2|b", "3|c"], "{name}");
        api.asked();
        // Nothing has changed.
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert_eq!(api.asked().len(), 0, "{name}: {}", ran.all());
        fill(&project, &[(1, "a"), (3, "C"), (4, "d")]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert!(
            ran.all().contains("1 added, 1 changed, 1 removed, 1 unchanged"),
            "{name}: {}",
            ran.all()
        );
        let asked = api.asked();
        assert_eq!(asked.len(), 3, "{name}: {asked:?}");
        assert_eq!(asked[1..], ["PUT /contacts/3", "PUT /contacts/4"], "{name}");
        assert_eq!(api.contacts(), ["1|a", "3|C", "4|d"], "{name}");
        // One that was removed comes again.
        fill(&project, &[(1, "a"), (2, "b"), (3, "C")]);
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        assert_eq!(api.contacts(), ["1|a", "2|b", "3|C"], "{name}");
        assert_eq!(
            api.change(|world| world.strangers.clone()),
            Vec::<String>::new(),
            "{name}"
        );
        project.write(
            "flows/drop.yaml",
            "- {op: execute, source: wh, statement: drop table main__push_synced}\n",
        );
        assert_eq!(project.run("drop").code, 0, "{name}");
    }
}
