//! How DataFusion is set up: PostgreSQL's reading of SQL, JSON functions, few types.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::config::Dialect;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionConfig;

use super::error;
use super::memory::Memory;
use super::names::{CATALOG, DEFAULT_NAMESPACE};
use super::types::SqlTypes;
use crate::error::Result;

/// Returns the names of all functions.
///
/// # Errors
/// DataFusion's.
pub fn function_names(memory: &Memory) -> Result<BTreeSet<String>> {
    let state = session(memory)?;
    let scalar = state.scalar_functions().keys();
    let others = state
        .aggregate_functions()
        .keys()
        .chain(state.window_functions().keys());
    Ok(scalar.chain(others).map(|name| name.to_lowercase()).collect())
}

/// The time that queries see, where it is not that of the clock.
pub struct FixedTime(pub DateTime<Utc>);

/// Returns a session without tables; each statement brings its own catalog.
pub fn session(memory: &Memory) -> Result<SessionState> {
    let now = memory.now;
    let memory = memory.open()?;
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, DEFAULT_NAMESPACE)
        .with_information_schema(false);
    if let Some(now) = now {
        config = config.with_extension(Arc::new(FixedTime(now)));
    }
    let options = config.options_mut();
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.sql_parser.map_string_types_to_utf8view = false;
    // `1.10` is a decimal, as in PostgreSQL: money stays exact in arithmetic.
    options.sql_parser.parse_float_as_decimal = true;
    // What `now()` gives is a moment, not the clock of some wall.
    options.execution.time_zone = Some("UTC".to_string());
    options.execution.parquet.schema_force_view_types = false;
    options.execution.sort_spill_reservation_bytes = memory.merge_reservation();
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(memory.runtime.clone())
        .with_default_features()
        .with_type_planner(Arc::new(SqlTypes))
        .build();
    datafusion_functions_json::register_all(&mut state).map_err(error::sql)?;
    Ok(state)
}
