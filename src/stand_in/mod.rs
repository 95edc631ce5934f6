//! Databases of dry runs: a throw-away staging database in the place of a real one. It speaks the real one's SQL, and reads its
//! tables, or those of files, where the flow has not written them.

mod catalog;
mod check;
mod database;
mod diff;
mod division;
mod fixtures;
mod functions;
mod given;
mod loads;
mod meaning;
mod names;
mod numbers;
mod sql;
mod types;

pub use catalog::{Help, Keeps, Real, Tables};
pub use check::Functions;
pub use database::StandIn;
pub use division::function as division;
pub use fixtures::of_file;
pub use given::{BARE, Given, GivenRows};
pub use names::Names;
