//! What a test expects: each kind holds where it is as expected, and fails where it is not.

use indoc::indoc;

use crate::support::program::Project;

/// A flow with all that a test can look at.
pub fn project(tests: &str) -> Project {
    Project::new()
        .file("sources/api.yaml", "type: http\nbase_url: https://api.test/v1\n")
        .file("sources/wh.yaml", "type: postgres\nconn_str: postgresql://127.0.0.1:1/shop\n")
        .file(
            "flows/main.yaml",
            indoc! {r#"
                steps:
                  - op: http_request
                    id: fetch
                    request: {source: api, url: /items, parameters: {since: "{{ var('since') }}"}}
                    response: {tables: [{source: wh, table: items, data_path: $, columns: {id: integer, price: "decimal(10,2)", at: timestamp}}]}
                  - op: transform
                    id: dear
                    source: wh
                    target_table: dear
                    query: select i.id, i.price, c.name from items i join customers c on c.id = i.id where i.price > 1 order by i.id
                  - op: if
                    conditions:
                      - condition_expression: "query_scalar('wh', 'select count(*) from dear') > 0"
                        then:
                          - op: http_request
                            id: push
                            on_error: reject
                            for_each: {source: wh, table: dear, as: row}
                            request: {source: api, url: "/c/{{ var('row')['id'] }}", method: POST, body_format: json, body: {name: "{{ var('row')['name'] }}"}}
                    else:
                      - {op: print, id: none, message: nothing to push}
                  - op: set_variable
                    set: {since: "{{ today() }}"}
                  - op: print
                    message: "{{ query_scalar('wh', 'select max(name) from dear') }} at {{ now() }}"
            "#},
        )
        .file("tests/main.yaml", tests)
}

pub const GIVEN: &str = indoc! {r#"
    flow: main
    variables: {since: 2024-01-01}
    now: 2024-06-01T12:00:00Z
    tests:
      - name: it
        given:
          wh.customers: [{id: 1, name: Ann}, {id: 2, name: Bob}]
        mocks:
          fetch: {json: [{id: 1, price: "10.50", at: "2024-05-01T10:00:00"}, {id: 2, price: "2", at: null}, {id: 3, price: "7", at: null}]}
          push: {status_expression: "422 if var('request')['json']['name'] == 'Bob' else 201"}
        expect:
"#};

#[test]
fn what_is_as_expected_passes() {
    let tests = format!(
        "{GIVEN}{}",
        r#"
      tables:
        wh.items:
          row_count: 3
          contains: [{id: 1, at: 2024-05-01T10:00:00}, {id: 2, at: null}]
        wh.dear:
          rows:
            - {id: 2, price: 2, name: Bob}
            - {id: 1, price: 10.50, name: Ann}
        wh.others: {absent: true}
      no_rows:
        - {source: wh, sql: "select 1 from dear where price::text like '-%'"}
      variables: {since: 2024-06-01}
      requests:
        fetch: [{method: GET, url: "https://api.test/v1/items", query: {since: 2024-01-01}}]
        push:
          count: 2
          in_order: true
          sent: [{method: POST, url: /v1/c/1, json: {name: Ann}}, {body: '{"name":"Bob"}'}]
      rejects:
        push: [{id: 2, name: Bob, status: 422}]
      printed: ["Bob at 2024-06-01 12:00:00+00:00"]
"#
    );
    let ran = project(&tests).sequor(&["test", "--coverage"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for text in [
        "Coverage: 6 of 7 steps reached (85 %)",
        "not reached: flows/main.yaml:21 if_3/else/none (else of if, line 11)",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.all());
    }
}

#[test]
fn what_is_not_as_expected_fails() {
    // Each alone: what it expects, and what is said.
    let cases: &[(&str, &[&str])] = &[
        (
            "tables: {wh.dear: [{id: 1}]}",
            &["table wh.dear: 1 row not expected", "+ {id: 2}"],
        ),
        (
            "tables: {wh.dear: [{id: 1, price: 10.51}, {id: 2}]}",
            &["- {id: 1, price: 10.51}", "+ {id: 1, price: 10.5}"],
        ),
        (
            "tables: {wh.dear: [{id: '1'}, {id: 2}, {id: null}]}",
            &["1 row missing", "- {id: null}"],
        ),
        (
            "tables: {wh.dear: [{nme: Ann}]}",
            &["has no column `nme`: it has id, price, name"],
        ),
        (
            "tables: {wh.dear: {row_count: 3}}",
            &["2 rows where 3 are expected"],
        ),
        (
            "tables: {wh.dear: {contains: [{name: Bobby}]}}",
            &["1 row missing", "- {name: Bobby}"],
        ),
        (
            "tables: {wh.dear: {absent: true}}",
            &["must not be there, and has 2 rows"],
        ),
        ("tables: {wh.other: [{id: 1}]}", &["table wh.other is not there"]),
        ("tables: {wh.dear: {file: none.csv}}", &["none.csv"]),
        (
            "no_rows: [{source: wh, sql: select id from dear where id > 1}]",
            &["gives 1 row", "+ {id: 2}"],
        ),
        (
            "no_rows: [{source: wh, sql: select nothing from dear}]",
            &["nothing"],
        ),
        (
            "variables: {since: 2024-06-02}",
            &[
                "variable `since` has another value",
                "2024-06-02\"",
                "+ \"2024-06-01",
            ],
        ),
        ("variables: {sinec: 1}", &["variable `sinec` is not set"]),
        ("requests: {fetch: 2}", &["sent 1 request where 2 are expected"]),
        (
            "requests: {fetch: [{url: /v1/other}]}",
            &["- {url: /v1/other}", "+ {url: /v1/items}"],
        ),
        (
            "requests: {fetch: [{query: {since: 2023-01-01}}]}",
            &["+ {query: {since: \"2024-01-01\"}}"],
        ),
        (
            "requests: {push: [{json: {name: Ann}}]}",
            &["+ {json: {name: Bob}}"],
        ),
        (
            "requests: {push: {in_order: true, sent: [{url: /v1/c/2}, {url: /v1/c/1}]}}",
            &["- {url: /v1/c/2}"],
        ),
        (
            "requests: {push: {contains: [{method: PUT}]}}",
            &["did not send what is expected"],
        ),
        (
            "requests: {pusch: 1}",
            &["has no step `pusch`", "did you mean `push`?"],
        ),
        ("rejects: {push: 0}", &["rejected 1 row where 0 are expected"]),
        ("rejects: {push: [{id: 1}]}", &["- {id: 1}", "+ {id: 2}"]),
        ("printed: [Ann]", &["- Ann", "+ Bob at"]),
        ("error: SQ1006", &["the flow must fail, and does not"]),
        (
            "tables: {wx.dear: []}",
            &["no source is named `wx`", "sources: api, stage, wh"],
        ),
        (
            "tables: {api.dear: []}",
            &["source `api` is an API, and has no tables"],
        ),
    ];
    let mut tests = GIVEN
        .split_once("  - name: it")
        .map(|(head, _)| head.to_string())
        .unwrap();
    let body = GIVEN.split_once("  - name: it\n").map(|(_, body)| body).unwrap();
    for (at, (expect, _)) in cases.iter().enumerate() {
        tests.push_str(&format!("  - name: case {at}\n{body}      {expect}\n"));
    }
    let project = project(&tests);
    let ran = project.sequor(&["test"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(
        ran.stdout.contains(&format!(
            "{} tests run: 0 passed, {} failed",
            cases.len(),
            cases.len()
        )),
        "{}",
        ran.all()
    );
    for (at, (expect, says)) in cases.iter().enumerate() {
        let title = format!("--- main case {at} ---");
        let (_, section) = ran
            .stdout
            .split_once(&title)
            .unwrap_or_else(|| panic!("{expect} passed: {}", ran.all()));
        let section = section.split("\n---").next().unwrap_or_default();
        for text in *says {
            assert!(section.contains(text), "{expect}: {text} is not in {section}");
        }
    }
}

#[test]
fn a_flow_that_fails_is_an_error_unless_it_is_expected() {
    let failing = GIVEN
        .replace("fetch: {json:", "fetch: {status: 500, json:")
        .replace("    expect:\n", "");
    project(&failing).sequor(&["test"]).fails(1, &[]);
    let ran = project(&failing).sequor(&["test"]);
    for text in ["the flow failed in step `fetch`", "SQ1006", "answered 500"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.all());
    }
    for (expected, code) in [
        ("{code: SQ1006, step: fetch, message: answered 500}", 0),
        ("SQ1006", 0),
        ("{code: SQ1006, step: push}", 1),
        ("SQ1007", 1),
        ("{message: answered 404}", 1),
    ] {
        let ran = project(&format!("{failing}    expect: {{error: {expected}}}\n")).sequor(&["test"]);
        assert_eq!(ran.code, code, "{expected}: {}", ran.all());
    }
    // A mistake that the compiler finds may be what is expected.
    let wrong = project(&format!("{failing}    expect: {{error: SQ0201}}\n"));
    wrong.replace("flows/main.yaml", "op: set_variable", "op: set_varable");
    let ran = wrong.sequor(&["test"]);
    assert!(
        ran.all().contains("set_varable") || ran.code == 0,
        "{}",
        ran.all()
    );
}

#[test]
fn mistakes_in_tests_are_told_before_anything_runs() {
    let cases = [
        ("flow: main\ntests: [{nam: a}]\n", "did you mean `name`?"),
        (
            "flow: main\ntests: [{name: a}, {name: a}]\n",
            "two tests of this file are named `a`",
        ),
        ("tests: [{name: a}]\n", "names no `flow`"),
        (
            "flow: main\ntests: [{name: a, given: {customers: []}}]\n",
            "write its source in front of it",
        ),
        (
            "flow: main\ntests: [{name: a, given: {wh.customers: []}}]\n",
            "has no columns",
        ),
        (
            "flow: main\ntests: [{name: a, given: {wh.customers: [1]}}]\n",
            "a row is a map of columns to values",
        ),
        (
            "flow: main\ntests: [{name: a, expect: {tables: {wh.t: {}}}}]\n",
            "nothing is expected of",
        ),
        (
            "flow: main\ntests: [{name: a, expect: {tables: {wh.t: [{}]}}}]\n",
            "a row without columns",
        ),
        (
            "flow: main\ntests: [{name: a, expect: {table: 1}}]\n",
            "did you mean `tables`?",
        ),
        (
            "flow: main\ntests: [{name: a, mocks: {fetch: {json: 1, body: x}}}]\n",
            "an answer has one body",
        ),
        (
            "flow: main\ntests: [{name: a, now: [1]}]\n",
            "`now` must be a date or a timestamp",
        ),
    ];
    for (tests, says) in cases {
        project(tests).sequor(&["test"]).fails(2, &[says]);
    }
    project("flow: main\ntests: [{name: a}]\n")
        .sequor(&["test", "mian"])
        .fails(2, &["did you mean `main`?"]);
    project("flow: main\ntests: [{name: a}]\n")
        .sequor(&["test", "-k", "other"])
        .fails(2, &["no test has other in its name"]);
    Project::new()
        .file("flows/main.yaml", "[]")
        .sequor(&["test"])
        .fails(2, &["the project has no tests"]);
    // What only shows when it is run is a failure.
    for (test, says) in [
        ("flow: mian", "did you mean `main`?"),
        ("now: yesterday", "which is no time"),
        ("mocks: {fetsch: {}}", "did you mean `fetch`?"),
        ("mocks: {dear: {}}", "step `dear` sends no requests"),
        ("expect: {requests: {dear: 1}}", "step `dear` sends no requests"),
        ("expect: {error: SQ9999}", "no error has the code `SQ9999`"),
        (
            "given: {wh.customers: [{id: 1, name: a}], wh.custmers: [{id: 1}]}\n    mocks: {fetch: {json: []}}",
            "the given table `wh.custmers` is not read",
        ),
        (
            "given: {wh.customers: [{id: 1, name: a}]}\n    mocks: {fetch: {status: 999}}",
            "999 is no HTTP status",
        ),
        (
            "given: {wh.customers: {file: none.csv}}\n    mocks: {fetch: {json: []}}",
            "none.csv",
        ),
        (
            "given: {wh.customers: {columns: {id: integer}, rows: [{id: x}]}}\n    mocks: {fetch: {json: []}}",
            "column `id`",
        ),
    ] {
        let tests = format!("flow: main\nvariables: {{since: 1}}\ntests:\n  - name: a\n    {test}\n");
        let ran = project(&tests).sequor(&["test"]);
        assert_eq!(ran.code, 1, "{test}: {}", ran.all());
        assert!(
            ran.stdout.contains(says),
            "{test}: {says} is not in {}",
            ran.all()
        );
    }
}
