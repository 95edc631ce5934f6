//! The one door to the network: live, recorded or replayed.

use async_trait::async_trait;

use crate::error::Result;
use crate::exchange::{Request, Response};

/// Sends one request, once.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` for a step and reads the whole response. `step` names where it belongs.
    async fn send(&self, step: &str, request: &Request) -> Result<Response>;
}
