//! Databases of dry runs: a throw-away staging database in the place of a real one. It speaks the real one's SQL, and reads its
//! tables, or those of files, where the flow has not written them.

mod calls;
mod casts;
mod catalog;
mod check;
mod columns;
mod database;
mod diff;
mod fixtures;
mod functions;
mod given;
mod loads;
mod meaning;
mod names;
mod numbers;
mod operators;
mod paths;
mod patterns;
mod said;
mod spelling;
mod sql;
mod tree;
mod truth;
mod types;
mod udf;
mod upserts;
mod written;

pub use catalog::{Help, Keeps, Real, Tables};
pub use check::Functions;
pub use database::StandIn;
pub use fixtures::of_file;
pub use given::{BARE, Given, GivenRows};
pub use names::Names;
pub use udf::functions;
