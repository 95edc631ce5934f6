//! Tests of flows, as their files say them: what a flow is given, and what must come out.

mod expect;
mod given;
mod read;
mod rows;

pub use expect::{
    Expected, ExpectedError, ExpectedRejects, ExpectedRequest, ExpectedRequests, ExpectedTable, NoRows,
};
pub use given::{Given, GivenRows};
pub use read::{Answers, FlowTest, TEST_FILE, TestFile, read_tests};
pub use rows::{ExpectedRows, RowValues, TableKey};
