//! What came out of tests, in words.

use std::fmt::Write;

use super::error::{SourceText, render};
use super::{count, paint};
use crate::event::{Coverage, TestFailure, TestOutcome, TestSummary};

/// Returns one line: whether a test passed, how long it took, its name.
pub fn test_line(outcome: &TestOutcome, color: bool) -> String {
    let (word, code) = match outcome.passed {
        true => ("PASS", "1;32"),
        false => ("FAIL", "1;31"),
    };
    let word = paint(&format!("{word:>12}"), code, color);
    format!(
        "{word} [{:>8.3}s] {} {}",
        outcome.seconds,
        paint(&outcome.file, "35", color),
        outcome.test
    )
}

/// Returns why a test failed.
pub fn test_failures(outcome: &TestOutcome, source: &SourceText, color: bool) -> String {
    let mut out = String::new();
    let title = format!("{} {}", outcome.file, outcome.test);
    let _ = writeln!(out, "\n{}", paint(&format!("--- {title} ---"), "1;31", color));
    for failure in &outcome.failures {
        one(&mut out, failure, source, color);
    }
    out.trim_end_matches('\n').to_string()
}

fn one(out: &mut String, failure: &TestFailure, source: &SourceText, color: bool) {
    let _ = writeln!(out, "{}", paint(&failure.message, "1", color));
    if let Some(place) = &failure.place {
        let _ = writeln!(out, "  at {place}");
    }
    for line in &failure.detail {
        let code = match line.as_bytes().first() {
            Some(b'-') => "31",
            Some(b'+') => "32",
            _ => "0",
        };
        let _ = writeln!(out, "  {}", paint(line, code, color));
    }
    if let Some(error) = &failure.error {
        for line in render(error, "", source, color).lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    if let Some(help) = &failure.help {
        let _ = writeln!(out, "  {}: {help}", paint("help", "1;36", color));
    }
}

/// Returns the last lines: how many tests passed, and what they reach.
pub fn test_summary(summary: &TestSummary, color: bool) -> String {
    let all = summary.passed + summary.failed;
    let passed = paint(&format!("{} passed", summary.passed), "1;32", color);
    let mut out = format!("{}\n", "-".repeat(12));
    let word = paint(
        &format!("{:>12}", "Summary"),
        if summary.failed > 0 { "1;31" } else { "1;32" },
        color,
    );
    let _ = write!(
        out,
        "{word} [{:>8.3}s] {} run: {passed}",
        summary.seconds,
        count(all as u64, "test")
    );
    if summary.failed > 0 {
        let _ = write!(
            out,
            ", {}",
            paint(&format!("{} failed", summary.failed), "1;31", color)
        );
    }
    if summary.failed > 0 {
        let _ = write!(
            out,
            "\n\nOn each line of a difference, - is what the test expects, + what came. If what came is right: sequor test --update"
        );
    }
    if let Some(coverage) = &summary.coverage {
        out.push('\n');
        reached(&mut out, coverage, color);
    }
    out
}

fn reached(out: &mut String, coverage: &Coverage, color: bool) {
    let percent = (100 * coverage.reached)
        .checked_div(coverage.steps)
        .unwrap_or(100);
    let text = format!(
        "Coverage: {} of {} steps reached ({percent} %)",
        coverage.reached, coverage.steps
    );
    let _ = write!(out, "\n{}", paint(&text, "1", color));
    for missed in &coverage.missed {
        let branch = missed
            .branch
            .as_ref()
            .map_or(String::new(), |branch| format!(" ({branch})"));
        let _ = write!(
            out,
            "\n  not reached: {}:{} {}{branch}",
            missed.place.file, missed.place.line, missed.step
        );
    }
    if !coverage.untested.is_empty() {
        let names: Vec<&str> = coverage.untested.iter().map(String::as_str).collect();
        let _ = write!(out, "\n  without a test: {}", names.join(", "));
    }
}

/// Returns the annotations of GitHub Actions for a test that failed.
pub fn test_github(outcome: &TestOutcome) -> Vec<String> {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let of_property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let annotation = |failure: &TestFailure| {
        let place = failure.place.as_ref().unwrap_or(&outcome.place);
        let mut text = failure.message.clone();
        let error = failure
            .error
            .iter()
            .map(|error| format!("{}: {}", error.code, error.message));
        for line in failure
            .detail
            .iter()
            .cloned()
            .chain(error)
            .chain(failure.help.clone())
        {
            text.push('\n');
            text.push_str(&line);
        }
        format!(
            "::error file={},line={},col={},title={}::{}",
            of_property(&place.file),
            place.line,
            place.column,
            of_property(&format!("{} {}", outcome.file, outcome.test)),
            escape(&text)
        )
    };
    outcome.failures.iter().map(annotation).collect()
}

/// Returns the text of a failure, without colours.
pub fn test_failure_text(failure: &TestFailure, source: &SourceText) -> String {
    let mut out = String::new();
    one(&mut out, failure, source, false);
    out
}
