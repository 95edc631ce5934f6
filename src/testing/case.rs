//! One test, from its file to what came out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use sequor_planner::testing::{self, FlowTest};
use sequor_planner::{Code, Diagnostics, Place, PlanOptions, Severity, did_you_mean};

use super::coverage::Reached;
use super::execute::{Observed, execute};
use super::files::{Suite, TestFileText};
use super::{Tested, check, compare, steps};
use crate::engine::{Answers, CompileOptions, Compiled, DryRun, GivenRows, GivenTable, Script, TestSetup};
use crate::error::{Error, POLICIES};
use crate::event::{ErrorReport, TestFailure, TestOutcome, seconds};
use crate::value::Value;

/// Runs a test.
pub async fn run(suite: &Suite, file: &TestFileText, test: &FlowTest, timeout: Duration) -> Tested {
    let started = Instant::now();
    let mut found = Found::default();
    if let Err(failures) = try_it(suite, file, test, timeout, &mut found).await {
        found.failures.extend(failures);
    }
    Tested {
        outcome: TestOutcome {
            file: file.name.clone(),
            test: test.name.clone(),
            flow: test.flow.0.clone(),
            passed: found.failures.is_empty(),
            seconds: seconds(started.elapsed()),
            failures: found.failures,
            place: test.place.clone(),
        },
        reached: found.reached,
        edits: found.edits,
    }
}

/// What was found of a test.
#[derive(Default)]
pub struct Found {
    pub failures: Vec<TestFailure>,
    pub reached: Reached,
    pub edits: Vec<super::update::Edit>,
}

/// Returns a failure without more to show.
pub fn failure(message: impl Into<String>, place: Option<&Place>) -> TestFailure {
    TestFailure {
        message: message.into(),
        detail: Vec::new(),
        error: None,
        place: place.cloned(),
        help: None,
    }
}

/// Returns the failure that an error is.
pub fn of_error(error: &Error) -> TestFailure {
    TestFailure {
        error: Some(ErrorReport::from(error)),
        ..failure(error.message(), error.place())
    }
}

/// A flow that ran for a test.
pub struct Ran {
    pub compiled: Compiled,
    /// The test, its steps named as the plan names them.
    pub test: FlowTest,
    pub dry_run: Arc<DryRun>,
    pub observed: Observed,
}

/// Runs the flow of a test, as it lays down.
///
/// # Errors
/// Why it can't be run, or planned.
pub async fn ran(
    suite: &Suite,
    file: &TestFileText,
    test: &FlowTest,
    timeout: Duration,
) -> Result<Ran, Vec<TestFailure>> {
    let compiled = compile(suite, test)?;
    names(suite, test)?;
    let test = &steps::resolved(test, &compiled.plan)?;
    let setup = setup(file, test).map_err(|failure| vec![*failure])?;
    let dry_run = DryRun::of_test(setup).map_err(|error| vec![of_error(&error)])?;
    let replay = test
        .replay
        .as_ref()
        .map(|(folder, _)| suite.loaded.project.folder().join(folder));
    let observed = execute(suite, &compiled, dry_run.clone(), (replay, timeout)).await;
    Ok(Ran {
        compiled,
        test: test.clone(),
        dry_run,
        observed,
    })
}

async fn try_it(
    suite: &Suite,
    file: &TestFileText,
    test: &FlowTest,
    timeout: Duration,
    found: &mut Found,
) -> Result<(), Vec<TestFailure>> {
    let Ran {
        compiled,
        test,
        dry_run,
        observed,
    } = match ran(suite, file, test, timeout).await {
        Ok(ran) => ran,
        Err(failures) => return expected_early(test, failures),
    };
    found.reached = Reached::of(&compiled.plan, &observed.steps);
    let checked = check::all(file, &test, &dry_run, &observed).await;
    let (mut failures, edits) = checked;
    if failures.is_empty() && observed.error.is_none() {
        failures = unread(&test, &dry_run).await;
    }
    dry_run.close().await;
    found.failures = failures;
    found.edits = edits;
    Ok(())
}

/// A flow that can't be planned may be what is expected.
fn expected_early(test: &FlowTest, failures: Vec<TestFailure>) -> Result<(), Vec<TestFailure>> {
    let Some(expected) = &test.expect.error else {
        return Err(failures);
    };
    let is = |failure: &TestFailure| {
        failure
            .error
            .as_ref()
            .is_some_and(|error| check::is_error(expected, error, None))
    };
    match failures.iter().any(is) {
        true => Ok(()),
        false => Err(failures),
    }
}

/// Plans the flow, with the variables of the test.
fn compile(suite: &Suite, test: &FlowTest) -> Result<Compiled, Vec<TestFailure>> {
    let mut loaded = suite.loaded.clone();
    loaded.kept = test
        .variables
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value)))
        .collect();
    loaded.overrides = IndexMap::new();
    // One after the other, so that answers come in the same order each time.
    let options = CompileOptions {
        plan: PlanOptions {
            in_order: true,
            ..PlanOptions::default()
        },
        ..CompileOptions::default()
    };
    let mut d = Diagnostics::default();
    let (flow, place) = &test.flow;
    if !loaded.project.files.flows.contains_key(flow) {
        let near = did_you_mean(
            flow,
            "flows",
            loaded.project.files.flows.keys().map(String::as_str),
        );
        let no_flow = TestFailure {
            help: near,
            ..failure(format!("there is no flow `{flow}`"), Some(place))
        };
        return Err(vec![no_flow]);
    }
    let plan = loaded.plan(flow, &options.plan, &mut d, &mut |_, _| {});
    let plan = plan.map_err(|e| vec![failure(format!("{e:?}"), Some(place))])?;
    let failed = d.has_errors();
    let findings = d.into_sorted();
    match plan.filter(|_| !failed) {
        Some(plan) => Ok(Compiled {
            loaded,
            plan,
            options,
            findings,
        }),
        None => {
            let errors = findings.iter().filter(|found| found.severity == Severity::Error);
            Err(errors.map(of_diagnostic).collect())
        }
    }
}

fn of_diagnostic(found: &sequor_planner::Diagnostic) -> TestFailure {
    let error = ErrorReport {
        code: found.code.as_str().to_string(),
        message: found.message.clone(),
        place: found.place.clone(),
        help: found.help.clone(),
        traceback: None,
    };
    TestFailure {
        error: Some(error),
        ..failure("the flow can't be planned", found.place.as_ref())
    }
}

/// Checks that the sources that a test names are there.
fn names(suite: &Suite, test: &FlowTest) -> Result<(), Vec<TestFailure>> {
    let mut failures = Vec::new();
    let sources = &suite.loaded.compiler.sources;
    let tables = test.given.iter().map(|given| &given.table);
    let tables = tables.chain(test.expect.tables.iter().map(|table| &table.table));
    let named = tables.map(|table| (&table.source, &table.place));
    let named = named.chain(
        test.expect
            .no_rows
            .iter()
            .map(|query| (&query.source, &query.place)),
    );
    for (source, place) in named {
        match sources.get(source) {
            Some(known) if known.dialect().is_some() => {}
            Some(_) => failures.push(failure(
                format!("source `{source}` is an API, and has no tables"),
                Some(place),
            )),
            None => failures.push(TestFailure {
                help: did_you_mean(source, "sources", sources.keys().map(String::as_str)),
                ..failure(format!("no source is named `{source}`"), Some(place))
            }),
        }
    }
    failures.extend(code(test));
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures),
    }
}

/// An expected error with a code that no error has.
fn code(test: &FlowTest) -> Option<TestFailure> {
    let expected = test.expect.error.as_ref()?;
    let code = expected.code.as_ref()?.to_uppercase();
    let of_flows = Code::ALL.iter().map(|code| code.as_str());
    let mut all = of_flows.chain(POLICIES.iter().map(|policy| policy.code));
    if all.any(|known| known == code) {
        return None;
    }
    Some(TestFailure {
        help: Some("`sequor explain` lists the codes".into()),
        ..failure(format!("no error has the code `{code}`"), Some(&expected.place))
    })
}

/// The tables that a test gives and nothing read.
async fn unread(test: &FlowTest, dry_run: &DryRun) -> Vec<TestFailure> {
    let mut failures = Vec::new();
    for given in &test.given {
        let table = &given.table;
        if !dry_run.was_read(&table.source, &table.name).await {
            failures.push(TestFailure {
                help: Some("leave it out, or look at its name: nothing is read of it".into()),
                ..failure(
                    format!("the given table `{table}` is not read"),
                    Some(&table.place),
                )
            });
        }
    }
    failures
}

/// What a test lays down.
fn setup(file: &TestFileText, test: &FlowTest) -> Result<TestSetup, Box<TestFailure>> {
    let now = match &test.now {
        None => None,
        Some((text, place)) => Some(compare::time(text).ok_or_else(|| {
            Box::new(TestFailure {
                help: Some("like 2024-05-01T10:00:00Z, or 2024-05-01".into()),
                ..failure(format!("`now` is `{text}`, which is no time"), Some(place))
            })
        })?),
    };
    let mut script = Script::new(now, HashMap::from_iter(test.env.clone()));
    for mock in &test.mocks {
        script = script.answer(&mock.step, Answers::new(mock.answers.clone(), mock.in_turn));
    }
    let given = test.given.iter().map(|given| GivenTable {
        source: given.table.source.clone(),
        name: given.table.name.clone(),
        rows: match &given.rows {
            testing::GivenRows::Inline(rows) => GivenRows::Inline(rows.clone()),
            testing::GivenRows::File(path, _) => GivenRows::File(file.folder().join(path)),
            testing::GivenRows::Sql(sql, _) => GivenRows::Sql(sql.clone()),
        },
        columns: given.columns.clone(),
    });
    Ok(TestSetup {
        script,
        given: given.collect(),
    })
}

/// What an observed run failed with, as a failure of the test.
pub fn of_run(observed: &Observed) -> Option<TestFailure> {
    let error = observed.error.clone()?;
    Some(TestFailure {
        place: error.place.clone(),
        message: match &observed.failed_step {
            Some(step) => format!("the flow failed in step `{step}`"),
            None => "the flow can't be run".into(),
        },
        help: None,
        detail: Vec::new(),
        error: Some(error),
    })
}
