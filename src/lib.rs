//! Sequor: flows in YAML, Jinja, Python and SQL, compiled to a plan and run concurrently.

pub mod batch;
pub mod error;
pub mod sources;
pub mod staging;
