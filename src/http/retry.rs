//! Sends a request again when that can help and does no harm.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::live::shown;
use super::transport::Transport;
use crate::batch::json::start;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};

/// How often a request is sent at most.
const MAX_ATTEMPTS: usize = 3;
const FIRST_DELAY: Duration = Duration::from_millis(200);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// A response, and how many times it was asked for besides the first.
pub struct Sent {
    pub result: Result<Response>,
    pub retries: u64,
}

/// Sends a request until its status is one of `success` (any 2xx when empty). Only idempotent methods are sent again:
/// a POST that timed out may have been carried out.
pub async fn send(transport: &dyn Transport, step: &str, request: &Request, success: &[u16]) -> Sent {
    let mut attempts: u64 = 0;
    let backoff = ExponentialBuilder::default()
        .with_min_delay(FIRST_DELAY)
        .with_max_delay(MAX_DELAY)
        .with_jitter()
        .with_max_times(MAX_ATTEMPTS - 1);
    let attempt = || {
        attempts += 1;
        async { check(transport.send(step, request).await?, request, success) }
    };
    let result = attempt
        .retry(backoff)
        .when(|error: &Error| request.is_idempotent() && error.kind().is_transient())
        .await;
    let result = match attempts {
        0 | 1 => result,
        n => result.map_err(|e| e.context(format!("after {n} attempts"))),
    };
    Sent {
        result,
        retries: attempts.saturating_sub(1),
    }
}

/// Whether the status is a success.
fn check(response: Response, request: &Request, success: &[u16]) -> Result<Response> {
    let status = response.status;
    let good = match success {
        [] => (200..300).contains(&status),
        listed => listed.contains(&status),
    };
    if good {
        return Ok(response);
    }
    let reason = reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .unwrap_or("");
    let wanted = match success {
        [] => String::new(),
        listed => {
            let listed: Vec<String> = listed.iter().map(u16::to_string).collect();
            format!(" (success is {})", listed.join(", "))
        }
    };
    let message = format!(
        "{} answered {status} {reason}{wanted}: {}",
        shown(request),
        start(&response.body)
    );
    Err(match status {
        401 | 403 => Error::new(ErrorKind::Unauthorized, message),
        _ => Error::new(ErrorKind::Status(status), message),
    })
}
