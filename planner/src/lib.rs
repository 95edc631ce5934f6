//! The compiler of Sequor: project files in, a plan and diagnostics out.
//!
//! Pure: no async, no files, no environment, no clock, no network and no Python interpreter. Facts come in as arguments.

mod dialect;
mod span;

pub use dialect::Dialect;
pub use span::Place;
