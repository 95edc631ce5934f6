//! `test --update`, and `--watch`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::expectations::{GIVEN, project};

#[test]
fn what_came_out_is_written_where_something_else_was_expected() {
    let tests = format!(
        "{GIVEN}{}",
        r#"
      # Comments, and what holds, stay.
      tables:
        wh.items: {row_count: 3}
        wh.dear:
          - {id: 2, name: Bobby}   # his name
        wh.dear_in_file: {absent: true}
      variables:
        since: 2023-01-01
      requests:
        push:
          - {method: POST, url: /v1/c/1}
        fetch: 7
      rejects:
        push: 3
      printed: nothing
"#
    );
    let project = project(&tests);
    let ran = project.sequor(&["test", "--update"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.stderr.contains("updated: tests/main.yaml"), "{}", ran.all());
    let text = project.read("tests/main.yaml");
    let expected = tests
        .replace(
            "          - {id: 2, name: Bobby}   # his name\n",
            "          - {id: 1, name: Ann}\n          - {id: 2, name: Bob}\n",
        )
        .replace("since: 2023-01-01", "since: \"2024-06-01\"")
        .replace(
            "          - {method: POST, url: /v1/c/1}\n",
            "          - {method: POST, url: /v1/c/1}\n          - {method: POST, url: /v1/c/2}\n",
        )
        .replace("fetch: 7", "fetch: 1")
        .replace("push: 3", "push: 1")
        .replace(
            "      printed: nothing\n",
            "      printed:\n        - Bob at 2024-06-01 12:00:00+00:00\n",
        );
    assert_eq!(text, expected);
    let ran = project.sequor(&["test"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
}

#[test]
fn files_with_rows_are_written_too() {
    let project = project(&format!(
        "{GIVEN}      tables: {{wh.dear: {{file: dear.csv}}, wh.items: {{file: items.jsonl}}}}\n"
    ))
    .file("tests/dear.csv", "id,name\n2,Bobby\n");
    let ran = project.sequor(&["test", "--update"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert_eq!(project.read("tests/dear.csv"), "id,name\n1,Ann\n2,Bob\n");
    assert_eq!(project.read("tests/items.jsonl").lines().count(), 3);
    let ran = project.sequor(&["test"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
}

#[test]
fn tests_run_again_when_a_file_changes() {
    let project = project(&format!("{GIVEN}      printed: other\n"));
    let mut child = project
        .command(&["test", "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("waiting for changes")));
    project.write(
        "tests/main.yaml",
        &format!("{GIVEN}      requests: {{fetch: 1}}\n"),
    );
    assert!(told.any(|line| line.unwrap().contains("waiting for changes")));
    child.kill().unwrap();
    let out = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    child.wait().unwrap();
    assert!(out.contains("1 test run: 0 passed, 1 failed"), "{out}");
    assert!(out.contains("1 test run: 1 passed"), "{out}");
}
