//! The one door to the network: live, recorded or replayed.

use async_trait::async_trait;

use super::message::{Request, Response};
use crate::error::Result;

/// Sends one request, once.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` for a step and reads the whole response. `step` names where it belongs.
    async fn send(&self, step: &str, request: &Request) -> Result<Response>;
}
