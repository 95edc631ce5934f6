//! Stopping a run from another thread.

use pyo3::prelude::*;
use tokio_util::sync::CancellationToken;

/// Stops the run that it was given to, in order.
#[pyclass(frozen, module = "sequor_engine._engine")]
#[derive(Default)]
pub struct Stop {
    pub token: CancellationToken,
}

#[pymethods]
impl Stop {
    #[new]
    fn new() -> Stop {
        Stop::default()
    }

    /// Tells the run to stop: steps take back what did not take effect.
    fn stop(&self) {
        self.token.cancel();
    }
}
