//! Commands beside `run`: explain, schema, validate for CI, estimates.

use crate::support::program::Project;
use indoc::indoc;

#[test]
fn findings_for_github_and_their_explanation() {
    let project = Project::new().file("flows/main.yaml", "- op: print\n  mesage: \"100%: a, b\"\n");
    let ran = project.sequor(&["validate", "--format", "github"]);
    assert_eq!(ran.code, 2, "{}", ran.all());
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "::error file=flows/main.yaml,line=2,col=3,title=SQ0102::unknown key `mesage` in a print%0Adid you mean `message`?",
        ]
    );
    let ran = project.sequor(&["validate", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(found[0]["code"], "SQ0102");
    assert_eq!(found[0]["place"]["line"], 2);

    let ran = project.sequor(&["explain", "sq0102"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.stdout.starts_with("SQ0102: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("mesage: hello"), "{}", ran.stdout);
    let ran = project.sequor(&["explain"]);
    assert!(ran.stdout.lines().count() > 20, "{}", ran.stdout);
    project
        .sequor(&["explain", "SQ0120"])
        .fails(2, &["there is no code `SQ0120`", "did you mean"]);
}

#[test]
fn the_schema_of_each_kind_of_file() {
    let project = Project::new();
    for file in ["any", "flow", "source", "project", "env", "environment"] {
        let ran = project.sequor(&["schema", file]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let schema: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(
            schema["$schema"], "http://json-schema.org/draft-07/schema#",
            "{file}"
        );
    }
}

#[test]
fn requests_are_counted_where_the_table_is_there() {
    let project = Project::new()
        .file("sources/api.yaml", "type: http\nbase_url: http://127.0.0.1:9\n")
        .file(
            "flows/fill.yaml",
            indoc! {"
                - op: execute
                  source: stage
                  statement: create table people as select 1 as id union all select 2 union all select 3
            "},
        )
        .file(
            "flows/main.yaml",
            r#"
- op: http_request
  id: push
  for_each: {source: stage, table: People, as: person}
  request: {source: api, url: "/people/{{ var('person')['id'] }}", method: PUT}
- op: http_request
  id: none
  for_each: {source: stage, table: "{{ var('x') }}", as: person}
  request: {source: api, url: "/people/{{ var('person')['id'] }}", method: PUT}
"#,
        );
    let ran = project.sequor(&["plan", "main", "--estimate", "--var", "x=y"]);
    assert!(!ran.stdout.contains("estimate"), "{}", ran.all());
    project.run("fill");
    let ran = project.sequor(&["plan", "main", "--estimate", "--var", "x=y"]);
    assert_eq!(
        ran.stdout.matches("estimate: about 3 requests").count(),
        1,
        "{}",
        ran.all()
    );
    assert_eq!(ran.stdout.matches("estimate").count(), 1, "{}", ran.all());
    let ran = project.sequor(&["plan", "main", "--estimate", "--var", "x=y", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        plan["root"]["steps"][0]["action"]["http"]["estimated_requests"],
        3
    );
}

#[test]
fn credentials_stay_out_of_previews() {
    let project = Project::new()
        .file(
            "sources/api.yaml",
            indoc! {r#"
                type: http
                base_url: http://127.0.0.1:9
                auth: {type: bearer_token, token: "{{ var('t') }}"}
            "#},
        )
        .file(
            "flows/main.yaml",
            indoc! {"
                - op: http_request
                  id: push
                  request: {source: api, url: /x, method: POST, body: {a: 1}}
            "},
        );
    for option in [
        "--debug-httprequest-preview-trace",
        "--debug-httprequest-preview-pretty",
    ] {
        let ran = project.sequor(&["run", "main", "--var", "t=topsecret1", option]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert!(ran.stdout.contains("authorization: ***"), "{}", ran.stdout);
        assert!(!ran.all().contains("topsecret1"), "{}", ran.all());
    }
    project
        .sequor(&[
            "run",
            "main",
            "--debug-httprequest-foreach-test-record",
            r#"{"a": 1}"#,
        ])
        .fails(2, &["nothing takes the test record"]);
    project
        .sequor(&["run", "main", "--debug-httprequest-foreach-test-record", "{"])
        .fails(2, &["is not valid JSON"]);
    for empty in ["{}", "[]", "[{}]"] {
        project
            .sequor(&["run", "main", "--debug-httprequest-foreach-test-record", empty])
            .fails(2, &["the test record has no columns"]);
    }
    project
        .sequor(&[
            "run",
            "main",
            "--debug-httprequest-preview-pretty",
            "--debug-httprequest-preview-trace",
        ])
        .fails(2, &["cannot be used with"]);
}
