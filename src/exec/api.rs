//! An http source in use: its transport, its limits, its definition.

use std::sync::Arc;

use sequor_planner::syntax::{DEFAULT_CONCURRENCY, HttpSource};
use tokio::sync::Semaphore;

use crate::http::Transport;

/// An API as the steps of a run share it.
pub struct Api {
    pub transport: Arc<dyn Transport>,
    /// None for requests without source.
    pub source: Option<HttpSource>,
    /// One permit per request under way, whatever step makes it.
    pub permits: Arc<Semaphore>,
}

impl Api {
    /// An API that is reached by `transport`.
    pub fn new(transport: Arc<dyn Transport>, source: Option<HttpSource>) -> Api {
        let concurrency = source
            .as_ref()
            .and_then(|s| s.concurrency)
            .unwrap_or(DEFAULT_CONCURRENCY);
        Api {
            transport,
            source,
            permits: Arc::new(Semaphore::new(concurrency)),
        }
    }
}
