//! Mistakes in the project and on the command line: exit 2, and a message that says what, where and what to do.

use crate::support::program::Project;

fn flow(text: &str) -> Project {
    Project::new().file("flows/f.yaml", text)
}

#[test]
fn missing_things() {
    let empty = Project::new();
    empty
        .sequor(&["run", "f"])
        .fails(2, &["no flow is named `f`", "add flows/f.yaml"]);
    empty
        .sequor(&["-p", "nowhere", "run", "f"])
        .fails(2, &["there is no project.yaml in nowhere", "sequor init"]);
    empty.sequor(&["run"]).fails(2, &["Usage"]);
    let project = flow("- {op: print, message: \"{{ var('x') }}\"}\n").file("flows/orders.yaml", "[]\n");
    project
        .sequor(&["plan", "order"])
        .fails(2, &["did you mean `orders`?"]);
    project
        .sequor(&["run", "f", "--env", "prod"])
        .fails(2, &["no environment `prod`", "sequor env init prod"]);
    project
        .sequor(&["run", "f", "--var", "x"])
        .fails(2, &["`--var x` is not NAME=VALUE"]);
    project
        .sequor(&["run", "f"])
        .fails(1, &["variable 'x' is not defined", "flows/f.yaml:1:"]);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let project = flow(
        r#"- op: http_request
  request:
    sorce: api
    url: http://x
    url_expression: "'http://y'"
  response:
    sucess_status: [200]
- op: transfrom
- op: transform
  source: stgae
  target_table: t
  query: select 1
- op: print
  message_expression: "1 +"
"#,
    );
    let ran = project.sequor(&["validate"]);
    ran.fails(
        2,
        &[
            "unknown key `sucess_status` in a response",
            "did you mean `success_status`?",
            "flows/f.yaml:7:5",
            "unknown key `sorce`",
            "both `url` and `url_expression` are given",
            "unknown operation `transfrom`",
            "did you mean `transform`?",
            "no source is named `stgae`",
            "did you mean `stage`?",
            "Python of `message_expression`",
            "SQ0102",
        ],
    );
    project
        .sequor(&["run", "f"])
        .fails(2, &["unknown operation `transfrom`"]);
    let json = project.sequor(&["validate", "f", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert!(
        found
            .as_array()
            .expect("a list")
            .iter()
            .any(|d| d["code"] == "SQ0108" && d["place"]["line"] == 8)
    );
}

#[test]
fn yaml_that_does_not_parse() {
    flow("- op: print\n  message: {a: [1\n- op\n")
        .sequor(&["run", "f"])
        .fails(2, &["SQ0101", "flows/f.yaml:"]);
    flow("- op: print\n  message: a\n  message: b\n")
        .sequor(&["run", "f"])
        .fails(2, &["key `message` is given twice", "flows/f.yaml:3:3"]);
    flow("")
        .file("sources/x.yaml", "type: postgress\n")
        .sequor(&["validate"])
        .fails(2, &["did you mean `postgres`?"]);
    // A mistake in a source stops those who use it, and is a warning to the others.
    let one = flow("- {op: print, message: a}\n").file("sources/x.yaml", "type: postgress\n");
    let ran = one.sequor(&["run", "f"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "a\n"), "{}", ran.all());
    assert!(ran.stderr.contains("warning[SQ0106]"), "{}", ran.all());
    flow("- {op: execute, source: x, statement: select 1}\n")
        .file("sources/x.yaml", "type: postgress\n")
        .sequor(&["run", "f"])
        .fails(2, &["did you mean `postgres`?"]);
}
