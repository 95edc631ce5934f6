//! The staging database.

mod dialect;
mod loads;
mod statements;
mod support;
mod tables;
