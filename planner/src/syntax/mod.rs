//! Text to tree to what the project says: YAML with places, and the readers of its keys.

mod keys;
mod project;
mod source;
mod tree;
mod yaml;

pub use keys::{Keys, both_forms};
pub use project::{Project, read_default_env, read_environment, read_project};
pub use source::{
    Auth, DEFAULT_CONCURRENCY, HttpSource, PostgresSource, Source, SourceKind, read_flow, read_source,
};
pub use tree::{Node, Scalar, Value};
pub use yaml::parse;
