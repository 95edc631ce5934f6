//! Tests of flows: each runs a flow on throw-away copies, through the same engine as a run, and compares what comes out with what
//! its file expects.

mod case;
mod check;
mod compare;
mod coverage;
mod execute;
mod files;
mod recording;
mod requests;
mod rows;
mod steps;
mod update;
mod yaml;

use std::collections::HashMap;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use sequor_planner::testing::FlowTest;

use crate::error::Result;
use crate::event::TestOutcome;
use update::Edit;

pub use coverage::{Reached, coverage};
pub use files::{Suite, TestFileText};
pub use recording::{Made, NewTest, new_test};

/// How tests are run.
#[derive(Debug, Clone)]
pub struct TestOptions {
    /// Only tests whose names hold one of these texts; all where there is none.
    pub keywords: Vec<String>,
    /// How many run at the same time.
    pub jobs: usize,
    /// How long one may take.
    pub timeout: Duration,
}

/// One test that ran.
pub struct Tested {
    pub outcome: TestOutcome,
    pub reached: Reached,
    edits: Vec<Edit>,
}

/// Runs the tests of a suite that are wanted; each is given when it is over.
pub fn run<'s>(suite: &'s Suite, options: &'s TestOptions) -> impl Stream<Item = Tested> + 's {
    stream::iter(wanted(suite, options).collect::<Vec<_>>())
        .map(move |(file, test)| case::run(suite, file, test, options.timeout))
        .buffer_unordered(options.jobs.max(1))
}

/// Returns how many tests are wanted.
pub fn count(suite: &Suite, options: &TestOptions) -> usize {
    wanted(suite, options).count()
}

fn wanted<'s>(
    suite: &'s Suite,
    options: &'s TestOptions,
) -> impl Iterator<Item = (&'s TestFileText, &'s FlowTest)> {
    let all = suite.files.iter();
    let all = all.flat_map(|file| file.file.tests.iter().map(move |test| (file, test)));
    all.filter(|(_, test)| {
        let name = test.name.to_lowercase();
        let mut keywords = options.keywords.iter();
        options.keywords.is_empty() || keywords.any(|keyword| name.contains(&keyword.to_lowercase()))
    })
}

/// Writes what came out to the files of tests that failed; returns the files that changed.
///
/// # Errors
/// Files that can't be written.
pub fn update(suite: &Suite, tested: &[Tested]) -> Result<Vec<String>> {
    let mut edits: HashMap<&str, Vec<&Edit>> = HashMap::new();
    for one in tested {
        edits.entry(&one.outcome.file).or_default().extend(&one.edits);
    }
    update::write(suite, edits)
}
