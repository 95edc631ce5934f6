//! What came out of tests of flows.

use std::collections::BTreeSet;

use sequor_planner::Place;
use serde::Serialize;

use super::ErrorReport;

/// What came out of one test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestOutcome {
    /// Its file, as its path below `tests` without `.yaml`.
    pub file: String,
    pub test: String,
    pub flow: String,
    pub passed: bool,
    pub seconds: f64,
    pub failures: Vec<TestFailure>,
    pub place: Place,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestFailure {
    /// What is not as it must be.
    pub message: String,
    /// Lines that show it: what is missing begins with `-`, what is there instead with `+`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// The error that ended the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
    /// Where in the tests or in the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// All tests together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestSummary {
    pub passed: usize,
    pub failed: usize,
    pub seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// Which steps tests reach.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Coverage {
    pub steps: usize,
    pub reached: usize,
    pub missed: Vec<Missed>,
    /// Flows that no test runs.
    pub untested: BTreeSet<String>,
}

/// A step that no test reaches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Missed {
    pub flow: String,
    pub step: String,
    /// The branch that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    pub place: Place,
}
