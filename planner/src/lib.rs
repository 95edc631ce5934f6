//! The compiler of Sequor: project files in, a plan and diagnostics out.
//!
//! Pure: no async, no files, no environment, no clock, no network and no Python interpreter. Facts come in as arguments.
//! Data flows one way:
//!
//! text -> [`syntax`] (tree with places) -> [`ops`] and [`expr`] (typed steps) -> `resolve` and [`effects`] (what each
//! step reads and writes) -> `graph` (order, by petgraph) and `passes` (rewrites) -> [`plan`] -> [`explain`].

mod codes;
mod compile;
mod diagnostic;
mod dialect;
mod drawing;
pub mod effects;
pub mod explain;
pub mod expr;
mod foreign_hosts;
mod graph;
mod http_effects;
mod name_limit;
mod names;
pub mod ops;
mod passes;
pub mod plan;
mod read;
mod resolve;
mod schema;
mod secrets;
mod servers;
mod shared_ranges;
mod shared_rejects;
mod span;
pub mod sql;
mod statements;
pub mod syntax;
pub mod testing;

pub use codes::Code;
pub use compile::compile;
pub use diagnostic::{Diagnostic, Diagnostics, Severity, did_you_mean, nearest};
pub use dialect::Dialect;
pub use drawing::Drawing;
pub use name_limit::NameLimit;
pub use names::{NamePart, name_parts};
pub use passes::{CompilerStage, PASSES, PlanOptions, SelectError};
pub use read::{Compiler, File, ProjectFiles};
pub use schema::{SchemaOf, schema};
pub use secrets::{is_secret_name, is_secret_variable};
pub use span::Place;
pub use statements::{is_transaction, plain_colons, split_pieces, split_statements};
