//! Sends a request again when that can help and does no harm.

use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder, ExponentialBuilder};
use tokio::sync::Semaphore;

use super::auth::Auth;
use super::live::shown;
use super::pace::Pace;
use super::told::{self, LONGEST};
use super::transport::Transport;
use crate::batch::json::start;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};

/// How waits between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    Exponential,
    Linear,
    Constant,
}

/// When a request is sent again.
#[derive(Debug, Clone)]
pub struct Policy {
    pub max_attempts: u64,
    pub growth: Growth,
    pub initial: Duration,
    pub max: Duration,
    pub jitter: bool,
    pub statuses: Vec<u16>,
    pub on_timeout: bool,
    pub on_connect: bool,
    /// Whether methods that are not idempotent are sent again whatever happened.
    pub non_idempotent: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            max_attempts: 3,
            growth: Growth::Exponential,
            initial: Duration::from_millis(200),
            max: Duration::from_secs(30),
            jitter: true,
            statuses: vec![408, 425, 429, 500, 502, 503, 504],
            on_timeout: true,
            on_connect: true,
            non_idempotent: false,
        }
    }
}

impl Policy {
    /// The waits between attempts: one less than attempts.
    fn waits(&self) -> Box<dyn Iterator<Item = Duration> + Send> {
        let times = usize::try_from(self.max_attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        match self.growth {
            Growth::Exponential => {
                let waits = ExponentialBuilder::default()
                    .with_min_delay(self.initial)
                    .with_max_delay(self.max)
                    .with_max_times(times);
                Box::new(if self.jitter { waits.with_jitter() } else { waits }.build())
            }
            growth => {
                let waits = ConstantBuilder::default()
                    .with_delay(self.initial)
                    .with_max_times(times);
                let waits = if self.jitter { waits.with_jitter() } else { waits }.build();
                let max = self.max;
                let numbered = waits.zip(1u32..);
                Box::new(numbered.map(move |(wait, number)| match growth {
                    Growth::Linear => (wait * number).min(max),
                    _ => wait.min(max),
                }))
            }
        }
    }

    /// Whether the request may be sent again. One that is not idempotent only when the first was surely not carried out.
    fn again(&self, error: &Error, request: &Request, told_to_wait: bool) -> bool {
        let worth = match error.kind() {
            ErrorKind::Connect | ErrorKind::Broken => self.on_connect,
            ErrorKind::Timeout => self.on_timeout,
            ErrorKind::Status(status) => self.statuses.contains(&status),
            _ => false,
        };
        let harmless = request.is_idempotent()
            || self.non_idempotent
            || match error.kind() {
                ErrorKind::Connect | ErrorKind::Status(429) => true,
                ErrorKind::Status(503) => told_to_wait,
                _ => false,
            };
        worth && harmless
    }
}

/// What the requests of a source share.
pub struct Limits {
    /// One permit per request under way, whatever step makes it.
    pub permits: Semaphore,
    pub pace: Pace,
}

/// A response, and how many times it was asked for besides the first.
pub struct Sent {
    pub result: Result<Response>,
    pub retries: u64,
}

/// Sends a request, within the limits of its source, until its status is one of `success` (any 2xx when empty).
pub async fn send(
    transport: &dyn Transport,
    limits: &Limits,
    policy: &Policy,
    auth: Option<&Auth>,
    step: &str,
    request: &Request,
    success: &[u16],
) -> Sent {
    // Most requests never wait.
    let mut waits = None;
    let mut retries = 0;
    loop {
        let response = attempt(transport, limits, auth, step, request).await;
        let told = response.as_ref().ok().and_then(told::retry_after);
        if let Some(wait) = told.or_else(|| response.as_ref().ok().and_then(told::exhausted))
            && wait <= LONGEST
        {
            limits.pace.hold(wait);
        }
        let error = match response.and_then(|response| check(response, request, success)) {
            Ok(response) => {
                return Sent {
                    result: Ok(response),
                    retries,
                };
            }
            Err(error) => error,
        };
        let too_long = told.filter(|wait| *wait > LONGEST);
        let wait = match too_long {
            None if policy.again(&error, request, told.is_some()) => {
                waits.get_or_insert_with(|| policy.waits()).next()
            }
            _ => None,
        };
        let Some(wait) = wait else {
            let error = match too_long {
                Some(wait) => error.help(format!(
                    "the API asks to wait {} s: run again then",
                    wait.as_secs()
                )),
                None => error,
            };
            let result = match retries {
                0 => Err(error),
                n => Err(error.context(format!("after {} attempts", n + 1))),
            };
            return Sent { result, retries };
        };
        retries += 1;
        tokio::time::sleep(wait.max(told.unwrap_or_default())).await;
    }
}

async fn attempt(
    transport: &dyn Transport,
    limits: &Limits,
    auth: Option<&Auth>,
    step: &str,
    request: &Request,
) -> Result<Response> {
    let permit = limits.permits.acquire().await;
    let _permit = permit.map_err(|_| Error::new(ErrorKind::Internal, "the source is closed"))?;
    limits.pace.ready().await;
    match auth {
        Some(auth) => auth.send(transport, step, request).await,
        None => transport.send(step, request).await,
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
