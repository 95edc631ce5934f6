//! Answers to requests: one for all, in turn, by an expression; none.

use indoc::indoc;

use crate::support::program::Project;

fn project(tests: &str) -> Project {
    Project::new()
        .file("sources/api.yaml", "type: http\nbase_url: https://api.test\nrate_limit: {requests: 1, per: second}\nauth: {type: bearer_token, token: \"{{ env_var('A_TOKEN') }}\"}\n")
        .file("sources/stage.yaml", "type: staging\n")
        .file(
            "flows/main.yaml",
            indoc! {r#"
                - op: http_request
                  id: fetch
                  for_each: {source: stage, query: "select value as id from generate_series(1, 3)", as: row}
                  request: {source: api, url: "/items/{{ var('row')['id'] }}", retry: {max_attempts: 3}}
                  response: {tables: [{source: stage, table: items, data_path: $, columns: {id: integer, name: text}}]}
            "#},
        )
        .file("tests/main.yaml", tests)
}

#[test]
fn answers_are_one_for_all_or_in_turn_or_computed() {
    // Nothing is waited for: neither the limit of the source, nor what the API asks for.
    let tests = indoc! {r#"
        flow: main
        tests:
          - name: one for all
            mocks: {fetch: {json: [{id: 7, name: all}]}}
            expect: {tables: {stage.items: [{id: 7}, {id: 7}, {id: 7}]}}
          - name: in turn, with failures that are tried again
            mocks:
              fetch:
                - {status: 503}
                - {json: [{id: 1, name: a}]}
                - {status: 429, headers: {Retry-After: "3600"}}
                - {json: [{id: 2, name: b}]}
                - {json: [{id: 3, name: c}]}
            expect:
              tables: {stage.items: [{id: 1, name: a}, {id: 2, name: b}, {id: 3, name: c}]}
              requests: {fetch: 5}
          - name: computed
            mocks: {fetch: {json_expression: "[{'id': int(var('request')['path'].split('/')[-1]), 'name': var('request')['method']}]"}}
            expect: {tables: {stage.items: [{id: 1, name: GET}, {id: 2, name: GET}, {id: 3, name: GET}]}}
    "#};
    let ran = project(tests).sequor(&["test", "--timeout", "20s"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
}

#[test]
fn answers_must_be_as_many_as_requests() {
    let few = "flow: main\ntests:\n  - {name: a, mocks: {fetch: [{json: [{id: 1}]}, {json: [{id: 2}]}]}}\n";
    let ran = project(few).sequor(&["test"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(
        ran.stdout
            .contains("`mocks` has 2 answers for `fetch`, and it asks once more"),
        "{}",
        ran.all()
    );
    let many = format!(
        "flow: main\ntests:\n  - {{name: a, mocks: {{fetch: [{}]}}}}\n",
        "{json: [{id: 1}]},".repeat(5)
    );
    let ran = project(&many).sequor(&["test"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(
        ran.stdout
            .contains("has 2 answers more for `fetch` than it asked for"),
        "{}",
        ran.all()
    );
}

#[test]
fn what_was_not_answered_was_not_tried() {
    let project = project("flow: main\ntests:\n  - {name: a}\n");
    project.write(
        "flows/main.yaml",
        &format!(
            "{}- {{op: print, message: \"{{{{ query_scalar('stage', 'select count(*) from items') }}}}\"}}\n",
            project.read("flows/main.yaml")
        ),
    );
    let ran = project.sequor(&["test"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.stdout.contains("was not tried: it needs"), "{}", ran.all());
}

#[test]
fn a_test_sees_neither_the_machine_nor_other_tests() {
    let project = project(indoc! {r#"
        flow: counted
        tests:
          - {name: a, expect: {variables: {n: 1}, printed: none}}
          - {name: b, variables: {n: 5}, env: {SEEN: yes}, expect: {variables: {n: 6}, printed: "yes"}}
          - {name: c, expect: {variables: {n: 1}, tables: {stage.t: [{id: 1}]}}}
    "#})
    .file(
        "flows/counted.yaml",
        indoc! {r#"
            - {op: set_variable, set: {n_expression: "(var('n') if is_var_defined('n') else 0) + 1"}}
            - {op: execute, source: stage, statement: "create table t as select 1 as id"}
            - {op: print, message: "{{ env_var('SEEN', 'none') }}"}
        "#},
    )
    .file("flows/fill.yaml", "- {op: execute, source: stage, statement: create table t as select 9 as id}\n- {op: set_variable, set: {n: 70}}\n");
    assert_eq!(project.run("fill").code, 0);
    let ran = project.sequor_with(&["test"], &[("SEEN", "the machine's")]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(project.rows("stage", "select id from t"), ["9"]);
}

#[test]
fn what_is_wrong_with_an_answer_is_no_failure_of_the_api() {
    let flow = indoc! {r#"
        - op: try
          steps: [{op: http_request, id: send, request: {source: api, url: /a, method: POST}}]
          catch: [{op: print, message: caught}]
    "#};
    for answer in ["[]", "{status: 0}", "{status_expression: 1/0}"] {
        let tests = format!(
            "flow: tried\ntests:\n  - {{name: a, mocks: {{send: {answer}}}, expect: {{printed: caught}}}}\n  - {{name: b, flow: plain, mocks: {{send: {answer}}}, expect: {{error: {{step: send}}}}}}\n"
        );
        let project = project(&tests).file("flows/tried.yaml", flow).file(
            "flows/plain.yaml",
            "- {op: http_request, id: send, request: {source: api, url: /a, method: POST}}\n",
        );
        let ran = project.sequor(&["test"]);
        assert!(
            ran.stdout.contains("2 tests run: 0 passed, 2 failed"),
            "{answer}: {}",
            ran.all()
        );
    }
}
