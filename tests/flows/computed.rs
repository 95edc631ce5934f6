//! Names and options that only the run knows, flows that call themselves, databases whose address holds variables.

use indoc::{formatdoc, indoc};
use std::fmt::Write;

use crate::support::postgres::Database;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

const LITERAL: &str = "\
- op: set_variable
  set: {kept: {value: 5, scope: project}}
- op: http_request
  for_each: {source: stage, table: t, as: row, batch_size: 1}
  request:
    source: api
    url: /x
    method: POST
    body_format: form_urlencoded
    parameters: {id: 1}
    headers: {X-One: a}
    body: {k: v}
    timeout: 20
    concurrency: 2
    retry: {max_attempts: 2, statuses: [503], backoff: {type: constant, initial: 10ms}}
  response:
    success_status: [200]
    source: stage
    tables:
      - table: o
        write_mode: append
        columns: {id: integer}
        data_expression: response.json()
- op: transform
  source: stage
  query: select id + 1 as id from o
  target_table: p
  write_mode: append
- op: execute
  source: stage
  statement: insert into p values (9)
- op: for_each
  source: stage
  table: p order by id
  as: each
  steps:
    - op: print
      message: \"{{ var('each')['id'] }} {{ var('kept') }}\"
- op: while
  condition: \"{{ not is_var_defined('go') }}\"
  max_iterations: 3
  steps:
    - {op: set_variable, set: {go: 1}}
- op: run_flow
  flow: sub
  start_step: 1
  parameters: {a: 7}
";

/// A value as text in single quotes within YAML's double ones.
fn quoted(value: &str) -> String {
    format!("'{value}'")
}

/// The flow with its names and options by Jinja, or by Python.
fn computed(python: bool) -> String {
    let mut flow = LITERAL.to_string();
    let names = [
        ("source: stage", "source", "stage"),
        ("table: t,", "table", "t"),
        ("as: row", "as", "row"),
        ("source: api", "source", "api"),
        ("method: POST", "method", "POST"),
        ("body_format: form_urlencoded", "body_format", "form_urlencoded"),
        ("type: constant", "type", "constant"),
        ("table: o\n", "table", "o"),
        ("write_mode: append", "write_mode", "append"),
        ("target_table: p", "target_table", "p"),
        ("as: each", "as", "each"),
        ("flow: sub", "flow", "sub"),
        ("scope: project", "scope", "project"),
    ];
    for (written, key, value) in names {
        let ends = if written.ends_with(',') {
            ","
        } else if written.ends_with('\n') {
            "\n"
        } else {
            ""
        };
        let new = match python {
            true => format!("{key}_expression: \"{}\"{ends}", quoted(value)),
            false => format!("{key}: \"{{{{ {} }}}}\"{ends}", quoted(value)),
        };
        assert!(flow.contains(written), "{written}");
        flow = flow.replace(written, &new);
    }
    for (key, value) in [
        ("batch_size", "1"),
        ("timeout", "20"),
        ("concurrency", "2"),
        ("max_attempts", "2"),
        ("max_iterations", "3"),
        ("start_step", "1"),
    ] {
        let written = format!("{key}: {value}");
        assert!(flow.contains(&written), "{written}");
        flow = flow.replace(
            &written,
            &match python {
                true => format!("{key}_expression: {value} + 0"),
                false => format!("{key}: \"{{{{ {value} + 0 }}}}\""),
            },
        );
    }
    if python {
        for (written, new) in [
            ("parameters: {id: 1}", "parameters_expression: \"{'id': 1}\""),
            ("headers: {X-One: a}", "headers_expression: \"{'X-One': 'a'}\""),
            ("body: {k: v}", "body_expression: \"{'k': 'v'}\""),
            ("success_status: [200]", "success_status_expression: \"[200]\""),
            ("statuses: [503]", "statuses_expression: \"[503]\""),
            (
                "columns: {id: integer}",
                "columns_expression: \"{'id': 'integer'}\"",
            ),
            ("parameters: {a: 7}", "parameters_expression: \"{'a': 7}\""),
            ("set: {go: 1}", "set_expression: \"{'go': 1}\""),
        ] {
            assert!(flow.contains(written), "{written}");
            flow = flow.replace(written, new);
        }
    } else {
        flow = flow.replace("columns: {id: integer}", "columns: {id: \"{{ 'integer' }}\"}");
    }
    flow
}

/// What a flow prints and asks for.
fn end(flow: &str) -> String {
    let server = Server::start(|_: &Asked| json(r#"[{"id": 1}]"#));
    let project = Project::new()
        .file("sources/api.yaml", &format!("type: http\nbase_url: {}\n", server.url))
        .file(
            "flows/prepare.yaml",
            "- {op: execute, source: stage, statement: create or replace table t as select 1 as id union all select 2}\n",
        )
        .file(
            "flows/sub.yaml",
            "- {op: print, message: left out}\n- {op: print, message: \"sub {{ var('a') }}\"}\n",
        )
        .file("flows/main.yaml", flow);
    project.run("prepare");
    let mut out = project.run("main").stdout;
    for asked in server.asked() {
        let _ = writeln!(
            out,
            "{} {}?{} {} {}",
            asked.method,
            asked.path,
            asked.query,
            asked.header("x-one"),
            asked.body
        );
    }
    out
}

#[test]
fn names_and_options_may_come_from_jinja_and_python() {
    let literal = end(LITERAL);
    assert!(
        literal.contains("sub 7") && literal.contains("POST /x?id=1 a k=v"),
        "{literal}"
    );
    assert_eq!(end(&computed(false)), literal);
    assert_eq!(end(&computed(true)), literal);
}

#[test]
fn tables_as_a_list_that_python_makes() {
    let server = Server::start(|_: &Asked| json(r#"[{"id": 1}, {"id": 2}]"#));
    let project = Project::new().file(
        "flows/main.yaml",
        &formatdoc!(r#"
                - op: http_request
                  request: {{url: "{}/x"}}
                  response:
                    tables_expression: |
                      names = ['a', 'b']
                      return [{{'source': 'stage', 'table': n, 'columns': {{'id': 'integer'}}, 'data_expression': 'response.json()'}} for n in names]
                - op: print
                  message: "{{{{ query_scalar('stage', 'select count(*) from a') }}}} {{{{ query_scalar('stage', 'select count(*) from b') }}}}"
            "#,
            server.url
        ),
    );
    assert_eq!(project.run("main").stdout, "2 2\n");
}

#[test]
fn mistakes_in_what_is_computed_are_told_where_they_stand() {
    let failing = |step: &str, says: &[&str]| {
        let flow = format!("- {{op: print, message: before}}\n- {step}\n");
        let ran = Project::new()
            .file("flows/main.yaml", &flow)
            .sequor(&["run", "main"]);
        assert!(ran.stdout.contains("before"), "{}", ran.all());
        ran.fails(1, says);
    };
    failing(
        "{op: execute, source: \"{{ 'stag' }}\", statement: select 1}",
        &[
            "no source is named `stag`",
            "did you mean `stage`?",
            "flows/main.yaml:2",
        ],
    );
    failing(
        "{op: run_flow, flow: \"{{ 'nope' }}\"}",
        &["no flow is named `nope`", "flows/main.yaml:2"],
    );
    failing(
        "{op: transform, source: stage, query: select 1 as x, target_table: t, write_mode: \"{{ 'appendd' }}\"}",
        &[
            "`appendd` is not allowed for `write_mode`",
            "did you mean `append`?",
        ],
    );
    failing(
        "{op: run_flow, flow: main, start_step: \"{{ 'first' }}\"}",
        &["`start_step`", "whole number"],
    );
    failing(
        "{op: while, condition: \"true\", steps: [], max_iterations_expression: \"'many'\"}",
        &["`max_iterations`", "whole number"],
    );
    failing(
        "{op: execute, source_expression: \"nothing()\", statement: select 1}",
        &["source_expression", "NameError"],
    );
}

#[test]
fn in_a_source_an_option_must_be_plain() {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            indoc! {"
                type: http
                base_url: https://x.example
                concurrency_expression: 1 + 1
            "},
        )
        .file(
            "flows/main.yaml",
            "- {op: http_request, request: {source: api, url: /x}}\n",
        );
    project.sequor(&["validate"]).fails(
        2,
        &["`concurrency` of an http source must be known when planning"],
    );
}

const DOWN: &str = "\
- op: print
  message: \"{{ var('n') }}\"
- op: if
  conditions:
    - condition: \"{{ var('n') | int > 1 }}\"
      then:
        - {op: run_flow, flow: down, parameters: {n: \"{{ var('n') | int - 1 }}\"}}
";

#[test]
fn flows_call_themselves_up_to_a_depth() {
    let project = |n: u32| {
        Project::new().file("flows/down.yaml", DOWN).file(
            "flows/main.yaml",
            &format!("- {{op: run_flow, flow: down, parameters: {{n: {n}}}}}\n"),
        )
    };
    let ran = project(90).run("main");
    let numbers: Vec<String> = (1..=90).rev().map(|n: u32| n.to_string()).collect();
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), numbers);
    project(500)
        .sequor(&["run", "main"])
        .fails(1, &["100 calls deep", "needs a condition that ends it"]);
    // Taken again and again, the error would double the calls at each level.
    let twice = "- {op: if, conditions: [{condition: \"{{ var('n') | int > 0 }}\", then: [{op: run_flow, flow: main, on_error: continue, parameters: {n: 1}}, {op: run_flow, flow: main, on_error: continue, parameters: {n: 1}}]}]}\n";
    Project::new()
        .file("flows/main.yaml", twice)
        .sequor(&["run", "main", "--var", "n=1"])
        .fails(1, &["100 calls deep"]);
    let circle = "- {op: run_flow, flow: main}\n";
    Project::new()
        .file("flows/main.yaml", circle)
        .sequor(&["validate"])
        .fails(2, &["circle without a condition: main -> main"]);
}

#[test]
fn an_address_may_name_the_tenant() {
    // More tenants than may be open at the same time.
    let flow = "\
- op: for_each
  source: stage
  table: tenants order by id
  as: tenant
  steps:
    - {op: transform, source: own, target_table: t, query: \"select {{ var('tenant')['id'] }} as id\"}
- op: for_each
  source: stage
  table: tenants order by id
  as: tenant
  steps:
    - op: print
      message: \"{{ query_scalar('own', 'select id from t') }}\"
";
    let project = Project::new()
        .file(
            "sources/own.yaml",
            indoc! {r#"
                type: sqlite
                conn_str: "sqlite:///tenant_{{ var('tenant')['id'] }}.db"
            "#},
        )
        .file(
            "flows/prepare.yaml",
            "- {op: execute, source: stage, statement: \"create table tenants as select value as id from generate_series(1, 20)\"}\n",
        )
        .file("flows/main.yaml", flow);
    project.run("prepare");
    let ran = project.run("main");
    let all: Vec<String> = (1..=20).map(|n: u32| n.to_string()).collect();
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), all);
}

#[test]
fn a_template_that_needs_jinja2_is_found_before_anything_runs() {
    let project = Project::new().file(
        "flows/main.yaml",
        "- {op: print, message: before}\n- {op: print, message: \"{{ 'a b' | wordcount }}\"}\n",
    );
    assert_eq!(project.run("main").stdout, "before\n2\n");
    for command in [&["validate"][..], &["run", "main"], &["plan", "main"]] {
        let ran = project.sequor_with(command, &[("PYTHONPATH", ""), ("PYTHONNOUSERSITE", "1")]);
        if ran.code == 0 {
            // The interpreter has it of its own.
            return;
        }
        ran.fails(2, &["Python's Jinja2", "pip install jinja2", "flows/main.yaml:2"]);
        assert!(!ran.stdout.contains("before"), "{}", ran.all());
    }
}

#[test]
fn the_database_s_own_schema_wins_over_a_source_of_its_name() {
    let database = Database::new();
    database.execute("create schema stage; create table stage.t as select 3 as x");
    let project = Project::new()
        .file("sources/db.yaml", &database.source())
        .file(
            "flows/prepare.yaml",
            "- {op: execute, source: stage, statement: create table t as select 99 as x}\n",
        )
        .file(
            "flows/main.yaml",
            "- {op: transform, source: db, target_table: out, query: select x from stage.t}\n",
        );
    project.run("prepare");
    let ran = project.run("main");
    assert_eq!(database.rows("select x from out"), ["3"]);
    assert!(
        ran.stderr.contains("`stage.t` is taken as a table of db"),
        "{}",
        ran.all()
    );
    database.execute("drop table stage.t");
    project.run("main");
    assert_eq!(database.rows("select x from out"), ["99"]);
}

#[test]
fn a_variable_of_the_flow_and_the_project_s_of_its_name_keep_their_order() {
    // The project's is set while the flow's own is not there yet.
    let flow = "\
- {op: set_variable, set: {v: project}}
- {op: print, message: \"{{ var('v') }}\"}
- {op: set_variable, set: {v: {value: local, scope: local}}}
- {op: print, message: \"{{ var('v') }}\"}
";
    let project = Project::new()
        .file("env.yaml", "env: dev\n")
        .file("home/envs/dev.yaml", "variables: {v: env}\n")
        .file("flows/main.yaml", flow);
    for _ in 0..5 {
        assert_eq!(project.run("main").stdout, "project\nlocal\n");
    }
}
