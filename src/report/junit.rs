//! Results of tests in the form of JUnit.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::error::SourceText;
use super::tests::test_failure_text;
use crate::event::TestOutcome;

/// Returns the results as XML: a suite a file of tests.
///
/// # Errors
/// What can't be written as XML, in words.
pub fn junit(outcomes: &[TestOutcome], seconds: f64, source: &SourceText) -> Result<String, String> {
    let mut report = Report::new("sequor");
    report.set_time(Duration::from_secs_f64(seconds));
    let mut files: Vec<&str> = outcomes.iter().map(|outcome| outcome.file.as_str()).collect();
    files.dedup();
    for file in files {
        let mut suite = TestSuite::new(file);
        let of_file = outcomes.iter().filter(|outcome| outcome.file == file);
        for outcome in of_file {
            let status = match outcome.passed {
                true => TestCaseStatus::success(),
                false => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    let messages: Vec<&str> = outcome.failures.iter().map(|f| f.message.as_str()).collect();
                    let texts: Vec<String> = outcome
                        .failures
                        .iter()
                        .map(|f| test_failure_text(f, source))
                        .collect();
                    status.set_message(messages.join("; "));
                    status.set_description(texts.concat());
                    status
                }
            };
            let mut case = TestCase::new(outcome.test.as_str(), status);
            case.set_classname(file);
            case.set_time(Duration::from_secs_f64(outcome.seconds));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|e| e.to_string())
}
