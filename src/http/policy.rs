//! When a request is sent again: when that can help and does no harm.

use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder, ExponentialBuilder};

use crate::error::{Error, ErrorKind, Retry};
use crate::exchange::Request;

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
    /// Returns the waits between attempts: one less than attempts.
    pub(super) fn waits(&self) -> Box<dyn Iterator<Item = Duration> + Send> {
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

    /// Tells whether the request may be sent again. One that is not idempotent only when the first was surely not
    /// carried out.
    pub(super) fn again(&self, error: &Error, request: &Request, told_to_wait: bool) -> bool {
        let worth = match (error.kind().policy().retry, error.kind()) {
            (Retry::Never, _) => false,
            (Retry::Connect, _) => self.on_connect,
            (Retry::Timeout, _) => self.on_timeout,
            (Retry::Status, ErrorKind::Status(status)) => self.statuses.contains(&status),
            (Retry::Status, _) => false,
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
