//! The staging database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dialect;
mod groups;
mod loads;
mod memory;
mod statements;
mod support;
mod tables;
