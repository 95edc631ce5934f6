//! How results are told: text, JSON, annotations, JUnit.

use super::expectations::{GIVEN, project};

/// Times out of a text.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('[') {
        let (inside, after) = behind.split_once(']').unwrap_or(("", behind));
        let is_time = inside.trim_end_matches('s').trim().parse::<f64>().is_ok();
        out.push_str(before);
        match is_time {
            true => out.push_str("[time]"),
            false => out.push_str(&format!("[{inside}]")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[test]
fn a_test_that_must_fail_fails_as_it_is_written() {
    let tests = format!(
        "{GIVEN}      tables: {{wh.dear: [{{id: 1, name: Anna}}, {{id: 2, name: Bob}}]}}\n      printed: [Ann]\n  - name: another\n    mocks: {{fetch: {{status: 404}}}}\n    given: {{wh.customers: [{{id: 1, name: Ann}}]}}\n"
    );
    let project = project(&tests);
    let ran = project.sequor(&["test", "--jobs", "1"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    let golden = include_str!("failing.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testing/failing.txt"),
            timeless(&ran.stdout),
        )
        .unwrap();
        return;
    }
    assert_eq!(timeless(&ran.stdout), golden);
}

#[test]
fn results_are_told_to_programs() {
    let tests = format!(
        "{GIVEN}      printed: [Ann]\n  - name: another, fine\n    mocks: {{fetch: {{status: 404}}}}\n    expect: {{error: SQ1006}}\n    given: {{wh.customers: [{{id: 1, name: Ann}}]}}\n"
    );
    let project = project(&tests);
    let ran = project.sequor(&["test", "--format", "json", "--junit", "junit.xml", "--coverage"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    let lines: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{}", ran.all());
    let failed = lines.iter().find(|line| line["test"] == "it").unwrap();
    assert_eq!(failed["passed"], false);
    assert_eq!(failed["failures"][0]["place"]["file"], "tests/main.yaml");
    assert_eq!(failed["failures"][0]["detail"][0], "- Ann");
    assert_eq!(lines[2]["event"], "tests_finished");
    assert_eq!((&lines[2]["passed"], &lines[2]["failed"]), (&1.into(), &1.into()));
    assert_eq!(lines[2]["coverage"]["steps"], 7);
    let junit = std::fs::read_to_string(project.path().join("junit.xml")).unwrap();
    for text in [
        r#"tests="2""#,
        r#"failures="1""#,
        r#"<testcase name="another, fine""#,
        "- Ann",
    ] {
        assert!(junit.contains(text), "{text}: {junit}");
    }
    let ran = project.sequor(&["test", "--format", "github", "-k", "IT"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.starts_with("::error file=tests/main.yaml,line="),
        "{}",
        ran.all()
    );
    let ran = project.sequor(&["test", "--quiet", "-k", "fine"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
}
