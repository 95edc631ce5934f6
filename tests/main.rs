//! The tests of the engine: one binary, against real servers and the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batch;
mod changes;
mod contract;
mod docs;
mod engine;
mod flows;
mod incremental;
mod language;
mod resume;
mod same;
mod staging;
mod state;
mod support;
mod testing;
mod tidy;
