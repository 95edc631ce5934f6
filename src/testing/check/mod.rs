//! What came out of a flow, beside what its test expects.

mod others;
mod tables;

use sequor_planner::Place;
use sequor_planner::testing::{ExpectedError, FlowTest};
use serde_json::Value as Json;

use super::case::{failure, of_error, of_run};
use super::execute::Observed;
use super::files::TestFileText;
use super::update::{Edit, NewValue};
use super::yaml;
use crate::engine::DryRun;
use crate::event::{ErrorReport, TestFailure};

/// What was found so far.
struct Findings<'t> {
    file: &'t TestFileText,
    dry_run: &'t DryRun,
    failures: Vec<TestFailure>,
    edits: Vec<Edit>,
}

/// Compares all that a test expects; returns what is not as expected, and what would be.
pub async fn all(
    file: &TestFileText,
    test: &FlowTest,
    dry_run: &DryRun,
    observed: &Observed,
) -> (Vec<TestFailure>, Vec<Edit>) {
    let mut found = Findings {
        file,
        dry_run,
        failures: Vec::new(),
        edits: Vec::new(),
    };
    let mistakes = dry_run
        .script()
        .map(|script| script.mistakes())
        .unwrap_or_default();
    for mistake in &mistakes {
        let place = mocks_place(test);
        found.failures.push(TestFailure {
            place: Some(place.clone()),
            ..of_error(mistake)
        });
    }
    if mistakes.is_empty() && found.error(test, observed) {
        let not_tried = dry_run.findings().not_tried;
        for (step, because) in not_tried {
            found.failures.push(TestFailure {
                help: Some(format!("give what it needs: `mocks` for the step that asks for it, or `given`; or leave `{step}` to another test")),
                ..failure(format!("step `{step}` was not tried: {because}"), Some(&test.place))
            });
        }
        for table in &test.expect.tables {
            found.table(table).await;
        }
        for query in &test.expect.no_rows {
            found.no_rows(query).await;
        }
        found.variables(test);
        let asked = dry_run.script().map(|script| script.asked()).unwrap_or_default();
        for expected in &test.expect.requests {
            found.requests(expected, &asked);
        }
        found.printed(test, observed);
        found.rejects(test, observed).await;
        found.left_over(test);
    }
    (found.failures, found.edits)
}

/// Where the answers of a test stand.
fn mocks_place(test: &FlowTest) -> &Place {
    test.mocks.first().map_or(&test.place, |mock| &mock.place)
}

/// Tells whether an error is the one that is expected.
pub fn is_error(expected: &ExpectedError, error: &ErrorReport, step: Option<&str>) -> bool {
    let code = expected
        .code
        .as_ref()
        .is_none_or(|code| code.eq_ignore_ascii_case(&error.code));
    let message = expected
        .message
        .as_ref()
        .is_none_or(|text| error.message.contains(text.as_str()));
    let same_step = expected.step.as_deref().is_none_or(|wanted| step == Some(wanted));
    code && message && same_step
}

fn error_line(expected: &ExpectedError) -> String {
    let parts = [
        ("code", &expected.code),
        ("message", &expected.message),
        ("step", &expected.step),
    ];
    yaml::entries(
        parts
            .into_iter()
            .filter_map(|(name, text)| Some((name, Json::from(text.as_ref()?.as_str())))),
    )
}

impl Findings<'_> {
    fn fail(&mut self, message: String, detail: Vec<String>, place: &Place) {
        self.failures.push(TestFailure {
            detail,
            ..failure(message, Some(place))
        });
    }

    fn set(&mut self, key: &Place, value: NewValue) {
        self.edits.push(Edit::Value {
            key: key.clone(),
            value,
        });
    }

    /// Whether the rest is worth a look.
    fn error(&mut self, test: &FlowTest, observed: &Observed) -> bool {
        match (&test.expect.error, &observed.error) {
            (None, None) => true,
            (None, Some(_)) => {
                self.failures.extend(of_run(observed));
                false
            }
            (Some(expected), None) => {
                let message = "the flow must fail, and does not".to_string();
                self.fail(
                    message,
                    vec![format!("- {}", error_line(expected))],
                    &expected.place,
                );
                true
            }
            (Some(expected), Some(error)) => {
                let step = observed.failed_step.as_deref();
                if is_error(expected, error, step) {
                    return true;
                }
                let came = ExpectedError {
                    code: Some(error.code.clone()),
                    message: expected.message.as_ref().map(|_| error.message.clone()),
                    step: expected.step.as_ref().and(observed.failed_step.clone()),
                    place: expected.place.clone(),
                };
                let lines = vec![
                    format!("- {}", error_line(expected)),
                    format!("+ {}", error_line(&came)),
                ];
                self.failures.push(TestFailure {
                    detail: lines,
                    error: Some(error.clone()),
                    ..failure("the flow fails with another error", Some(&expected.place))
                });
                self.set(&expected.place, NewValue::Inline(error_line(&came)));
                true
            }
        }
    }
}
