//! Text to tree to what the project says: YAML with places, the shapes of its maps, and the readers of their keys.

mod auth;
mod brackets;
pub mod data_path;
mod databases;
mod deferring;
mod hidden;
mod keys;
mod limits;
mod maps;
mod most_rows;
mod network;
mod project;
mod props;

mod scalars;
mod shape;
mod slips;
mod source;
mod state;
mod tags;
mod tree;
mod yaml;

pub use auth::{
    AuthSpec, AwsSigv4Spec, ClientAuth, GRANTS, GrantType, JwtAlgorithm, JwtKey, JwtSpec, OAuth1Spec,
    OAuth2Spec, SessionSpec,
};
pub use data_path::DataPath;
pub(crate) use databases::host_and_port;
pub use databases::{
    AdbcSource, DatabaseKind, DatabaseSource, DuckDbSource, MySqlSource, PostgresSource,
    SNOWFLAKE_CREDENTIALS, SOURCES, Server, SnowflakeSource, SqliteSource, StagingSource,
};
pub(crate) use hidden::{hide, hide_named};
pub use keys::Keys;
pub use limits::{
    BackoffType, Concurrency, LIMITS, REQUEST_LIMITS, RateLimitSpec, RetryOn, RetrySpec, read_concurrency,
    read_rate_limit, read_retry, read_statuses,
};
pub use maps::{both_forms, bytes_of, map, tagged};
pub use most_rows::MostRows;
pub use network::{Network, Tls};
pub use project::{
    DEFAULT_ENV, ENVIRONMENT, PROJECT, Project, read_default_env, read_environment, read_project,
};
pub use scalars::plain_scalar as plain;
pub use shape::{EXPRESSION, Form, Key, Shape};
pub use source::{FLOW, HttpSource, Source, SourceKind, read_flow, read_source};
pub use state::StateSpec;
pub use tree::{KEYED, Node, Scalar, TYPED, UNKNOWN_LINES, Value};
pub use yaml::{parse, parse_environment};
