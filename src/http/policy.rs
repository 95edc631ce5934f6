//! When a request is sent again: when that can help and does no harm.

use std::fmt::Write as _;
use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder, ExponentialBuilder};

use super::wait;
use crate::error::{Blame, Error, ErrorKind, POLICIES, Retry};
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
    /// The longest single wait that is obeyed.
    pub max_wait: Duration,
    /// How long one request may take, its waits included.
    pub max_elapsed: Duration,
    pub growth: Growth,
    pub initial: Duration,
    pub max: Duration,
    pub jitter: bool,
    /// Statuses worth another attempt; none given: those of `STATUSES`.
    pub statuses: Option<Vec<u16>>,
    pub on_timeout: bool,
    pub on_connect: bool,
    /// Whether methods that are not idempotent are sent again whatever happened.
    pub non_idempotent: bool,
    /// Whether requests are idempotent, whatever their method.
    pub idempotent: Option<bool>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            max_attempts: 3,
            max_wait: Duration::from_secs(3600),
            max_elapsed: Duration::from_secs(2 * 3600),
            growth: Growth::Exponential,
            initial: Duration::from_millis(200),
            max: Duration::from_secs(30),
            jitter: true,
            statuses: None,
            on_timeout: true,
            on_connect: true,
            non_idempotent: false,
            idempotent: None,
        }
    }
}

/// What a status means where the flow says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Success,
    /// The API's pace: it is waited for, and no attempt is used up.
    Pace,
    /// The API's pace where the response says when to come again: by `Retry-After`, or by a rate budget that is spent.
    PaceIfTold,
    /// Worth another attempt.
    Retry,
    /// Credentials are missing or refused.
    Unauthorized,
    Failure,
}

/// What statuses mean: the first line that fits counts. The page of the docs is made of it.
pub static STATUSES: &[(std::ops::RangeInclusive<u16>, &[Meaning])] = &[
    (200..=299, &[Meaning::Success]),
    (401..=401, &[Meaning::Unauthorized]),
    (403..=403, &[Meaning::PaceIfTold, Meaning::Unauthorized]),
    (408..=408, &[Meaning::Retry]),
    (425..=425, &[Meaning::Retry]),
    (429..=429, &[Meaning::Pace]),
    (501..=501, &[Meaning::Failure]),
    (505..=505, &[Meaning::Failure]),
    (503..=503, &[Meaning::PaceIfTold, Meaning::Retry]),
    (500..=599, &[Meaning::Retry]),
    (100..=599, &[Meaning::Failure]),
];

fn meanings(status: u16) -> &'static [Meaning] {
    let found = STATUSES.iter().find(|(statuses, _)| statuses.contains(&status));
    found.map_or(&[Meaning::Failure], |(_, meanings)| meanings)
}

/// Tells whether a response is the API's pace, and how long it asks to wait, where it says so.
pub fn pace(response: &Response) -> Option<Option<Duration>> {
    let told = || wait::retry_after(response).or_else(|| wait::spent(response));
    meanings(response.status)
        .iter()
        .find_map(|meaning| match meaning {
            Meaning::Pace => Some(told().or_else(|| wait::reset_at(response))),
            Meaning::PaceIfTold => told().map(Some),
            _ => None,
        })
}

impl Policy {
    /// Returns the waits between attempts: one less than attempts.
    pub(super) fn waits(&self) -> Box<dyn Iterator<Item = Duration> + Send> {
        let times = usize::try_from(self.max_attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        self.growing(times)
    }

    /// Returns the waits where an API does not say how long: without an end.
    pub(super) fn paced_waits(&self) -> Box<dyn Iterator<Item = Duration> + Send> {
        let own = Policy {
            initial: self.initial.max(Duration::from_secs(1)),
            max: self.max.max(Duration::from_secs(1)),
            ..self.clone()
        };
        own.growing(usize::MAX)
    }

    fn growing(&self, times: usize) -> Box<dyn Iterator<Item = Duration> + Send> {
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

    /// Returns why a wait is not obeyed, after a request has taken so long; none where it is.
    pub(super) fn refuses(&self, wait: Duration, elapsed: Duration) -> Option<String> {
        let until = chrono::Utc::now() + chrono::TimeDelta::from_std(wait).unwrap_or(chrono::TimeDelta::MAX);
        let again = format!(
            "the API asks to wait {}: run again after {}",
            humantime::format_duration(Duration::from_secs(wait.as_secs())),
            until.format("%Y-%m-%d %H:%M:%S UTC")
        );
        let shown = |limit: Duration| humantime::format_duration(limit).to_string();
        if wait > self.max_wait {
            return Some(format!(
                "{again}, or allow longer waits by `retry: {{max_wait}}` ({} now)",
                shown(self.max_wait)
            ));
        }
        if elapsed.saturating_add(wait) > self.max_elapsed {
            return Some(format!(
                "{again}, or give a request more time by `retry: {{max_elapsed}}` ({} now)",
                shown(self.max_elapsed)
            ));
        }
        None
    }

    /// Tells whether the request may be sent again. One that is not idempotent only when the first was surely not
    /// carried out. `status`: that of the response, where there is one.
    pub(super) fn again(&self, error: &Error, request: &Request, status: Option<u16>) -> bool {
        let worth = match (error.kind().policy().retry, status, &self.statuses) {
            // What the flow lists counts for every status.
            (_, Some(status), Some(listed)) => listed.contains(&status),
            (Retry::Never, _, _) => false,
            (Retry::Connect, _, _) => self.on_connect,
            (Retry::Timeout, _, _) => self.on_timeout,
            (Retry::Status, Some(status), None) => meanings(status).contains(&Meaning::Retry),
            (Retry::Status, None, _) => false,
        };
        worth && (self.is_harmless(request) || error.kind() == ErrorKind::Connect)
    }

    /// Tells whether sending it again does no harm, whatever became of the first.
    fn is_harmless(&self, request: &Request) -> bool {
        let idempotent = self.idempotent.unwrap_or_else(|| request.is_idempotent());
        idempotent || self.non_idempotent
    }
}

/// Returns the table of the docs: what is waited for, tried again, rejected, and what fails.
pub fn table() -> String {
    let mut out = String::from("| What comes | What follows | With `on_error: reject` |\n|---|---|---|\n");
    let row = |out: &mut String, what: &str, follows: &str, rejected: &str| {
        let _ = writeln!(out, "| {what} | {follows} | {rejected} |");
    };
    let safe = "tried again, where that is safe";
    let (row_fails, step_fails) = ("the row is rejected", "the step fails");
    for (statuses, meanings) in STATUSES {
        let name = match (statuses.start(), statuses.end()) {
            (first, last) if first == last => first.to_string(),
            (500, _) => "any other 5xx".into(),
            (100, _) => "any other status".into(),
            (first, last) => format!("{first} to {last}"),
        };
        for meaning in *meanings {
            match meaning {
                Meaning::Success => row(
                    &mut out,
                    &name,
                    "taken, unless `success_status` says otherwise",
                    "-",
                ),
                Meaning::Pace => row(
                    &mut out,
                    &name,
                    "waited for: no attempt is used up, and the source's pace is lowered",
                    step_fails,
                ),
                Meaning::PaceIfTold => row(
                    &mut out,
                    &format!("{name} with `Retry-After`, or with a rate budget that is spent"),
                    "waited for, as a 429",
                    step_fails,
                ),
                Meaning::Retry => row(&mut out, &name, safe, row_fails),
                Meaning::Unauthorized => row(
                    &mut out,
                    &name,
                    "fails; a token that was fetched is fetched anew once",
                    step_fails,
                ),
                Meaning::Failure => row(&mut out, &name, "fails", row_fails),
            }
        }
    }
    for kind in [
        ErrorKind::Connect,
        ErrorKind::Certificate,
        ErrorKind::Broken,
        ErrorKind::Timeout,
        ErrorKind::Refused,
        ErrorKind::Data,
    ] {
        let Some(policy) = POLICIES.iter().find(|policy| policy.kind == kind) else {
            continue;
        };
        let follows = match policy.retry {
            Retry::Never => "fails",
            Retry::Connect if kind == ErrorKind::Connect => "tried again, since nothing was sent",
            _ => safe,
        };
        let rejected = if policy.blame == Blame::Row {
            row_fails
        } else {
            step_fails
        };
        row(&mut out, &policy.title.to_lowercase(), follows, rejected);
    }
    out
}
