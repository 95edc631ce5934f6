//! Sends a request within the limits of its source, as often as its policy allows, and says what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use sequor_planner::ops::Payload;

use super::auth::Auth;
use super::concurrency_limiter::{Answer, ConcurrencyLimiter};
use super::hosts::Hosts;
use super::live::shown;
use super::payload;
use super::policy::{self, Policy};
use super::rate_limiter::RateLimiter;
use super::redirect;
use super::transport::Transport;
use super::wait;
use crate::error::{Blame, Error, ErrorKind, Result};
use crate::exchange::excerpt;
use crate::exchange::{Request, Response};

/// What the requests of a source share.
pub struct Limits {
    /// How many are under way at the same time, whatever step makes them.
    pub concurrency: Arc<ConcurrencyLimiter>,
    pub rate: Arc<RateLimiter>,
}

/// What a response means, where a rule says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is a success.
    Take,
    /// It is one, and no more is asked.
    Stop,
    /// Nothing is taken from it.
    Skip,
    /// There is no such page.
    PastTheEnd,
    /// The step is done, and its tables stay as they are.
    Keep,
    /// Worth another attempt; the text says why.
    Retry(String),
    /// A failure of this row alone.
    Reject(String),
    /// A success, save for the rows at these positions of the batch.
    RejectRows(Vec<usize>, String),
    Fail(String),
}

/// The rules of a flow.
#[async_trait]
pub trait Judge: Send + Sync {
    /// What a response means; none: what its status says.
    async fn judge(&self, response: &Arc<Response>) -> Result<Option<Verdict>>;
}

/// Tells whether a server that answered with a status may have done what was asked for, and failed then.
pub fn may_have_done(status: u16) -> bool {
    status >= 500 && status != 501
}

/// What became of a request.
pub struct Sent {
    /// The response, and whether it is to be taken: [`Verdict::Take`], [`Verdict::Stop`],
    /// [`Verdict::Skip`] or [`Verdict::PastTheEnd`].
    pub result: Result<(Arc<Response>, Verdict)>,
    /// How often it was tried; what an API puts off is no attempt.
    pub attempts: u64,
    /// How often it was sent.
    pub requests: u64,
    /// How long it waited for limits.
    pub waited: Duration,
    /// The status of the last response.
    pub status: Option<u16>,
    /// Whose failure it is, where a rule says so.
    pub blame: Option<Blame>,
    /// Whether nobody knows of an attempt before the last what the API did.
    pub was_unclear: bool,
}

/// How requests of a step are sent.
pub struct Sending<'a> {
    pub transport: &'a dyn Transport,
    pub limits: &'a Limits,
    pub policy: &'a Policy,
    pub auth: Option<&'a Auth>,
    pub step: &'a str,
    /// Statuses that are a success; any 2xx when empty.
    pub success: &'a [u16],
    /// How the bytes of responses become text, and how many they may hold.
    pub payload: (&'a Payload, usize),
    /// Statuses that mean that there is no such page.
    pub past_the_end: &'a [u16],
    /// Where redirects may go, and where credentials do.
    pub hosts: &'a Hosts,
    /// Whether the source has any.
    pub has_credentials: bool,
    /// Called with each wait that an API asks for.
    pub waiting: &'a (dyn Fn(Duration) + Sync),
    pub judge: Option<&'a dyn Judge>,
    /// Whether nothing is waited for, neither limits nor what an API asks for: it is no server that answers.
    pub at_once: bool,
}

impl Sending<'_> {
    /// Sends a request, within the limits of its source, until it succeeds or there is no point in going on.
    pub async fn send(&self, request: &Request) -> Sent {
        let started = Instant::now();
        // Most requests never wait.
        let (mut waits, mut paced_waits) = (None, None);
        let (mut attempts, mut requests) = (0, 0);
        let mut was_unclear = false;
        let mut waited = Duration::ZERO;
        loop {
            requests += 1;
            let response = self.attempt(request, &mut waited).await.map(Arc::new);
            let status = response.as_ref().ok().map(|r| r.status);
            let pace = response.as_ref().ok().and_then(|r| policy::pace(r));
            if let (None, Ok(response)) = (pace, &response) {
                // The last request of a window: the others need not find out.
                self.hold(wait::spent(response).filter(|wait| *wait <= self.policy.max_wait));
            }
            let verdict = match response {
                Ok(response) => self.verdict(response, request).await,
                Err(error) => Err(Failure::from(error)),
            };
            let failure = match verdict {
                Ok(result) => {
                    return Sent {
                        result: Ok(result),
                        attempts: attempts + 1,
                        requests,
                        waited,
                        status,
                        blame: None,
                        was_unclear,
                    };
                }
                Err(failure) => failure,
            };
            let is_sent = matches!(failure.error.kind(), ErrorKind::Timeout | ErrorKind::Broken);
            // A rule that has something to say of it comes first.
            let pace = pace.filter(|_| failure.blame.is_none() && !failure.again);
            let (wait, refused) = match pace {
                Some(asked) => {
                    let next = || {
                        paced_waits
                            .get_or_insert_with(|| self.policy.paced_waits())
                            .next()
                    };
                    let wait = asked.or_else(next).unwrap_or(self.policy.max);
                    (Some(wait), self.policy.refuses(wait, started.elapsed()))
                }
                None => {
                    attempts += 1;
                    let again = failure.again || self.policy.again(&failure.error, request, status);
                    let wait = match again && failure.blame.is_none() {
                        true => waits.get_or_insert_with(|| self.policy.waits()).next(),
                        false => None,
                    };
                    let late = wait.and_then(|wait| self.policy.refuses(wait, started.elapsed()));
                    (wait.filter(|_| late.is_none()), None)
                }
            };
            let (Some(wait), None) = (wait, &refused) else {
                let error = self.explained(failure.error, request, attempts);
                let (error, blame) = match refused {
                    // The row has no part in it.
                    Some(why) => (error.replace_help(why), Some(Blame::Step)),
                    None => (error, failure.blame),
                };
                return Sent {
                    result: Err(error),
                    attempts,
                    requests,
                    waited,
                    status,
                    blame,
                    was_unclear,
                };
            };
            was_unclear |= match status {
                Some(status) => pace.is_none() && may_have_done(status),
                None => is_sent,
            };
            if pace.is_some() {
                self.hold(Some(wait));
                waited += wait;
            }
            if !self.at_once {
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Returns what a response means that was kept: it is not asked for again.
    ///
    /// # Errors
    /// What sending it would fail with.
    pub async fn judged(
        &self,
        response: Arc<Response>,
        request: &Request,
    ) -> Result<(Arc<Response>, Verdict)> {
        self.verdict(response, request)
            .await
            .map_err(|failure| failure.error)
    }

    /// Lets no request of the source go for a time, and tells so.
    fn hold(&self, wait: Option<Duration>) {
        if let Some(wait) = wait.filter(|_| !self.at_once)
            && self.limits.rate.hold(wait)
        {
            (self.waiting)(wait);
        }
    }

    /// The error of a request that is not sent again.
    fn explained(&self, error: Error, request: &Request, attempts: u64) -> Error {
        let error = match error.kind() {
            ErrorKind::Unauthorized if self.has_credentials && !self.hosts.trusts(&request.url) => {
                let host = request.url.host_str().unwrap_or_default();
                error.replace_help(format!(
                    "the source's credentials were left off, since {host} comes out of data: if they are meant for it, list it in `allowed_hosts` of the source"
                ))
            }
            _ => error,
        };
        match attempts {
            0 | 1 => error,
            n => error.context(format!("after {n} attempts")),
        }
    }

    async fn attempt(&self, request: &Request, waited: &mut Duration) -> Result<Response> {
        let (payload, most) = self.payload;
        let readable =
            |response| payload::ready(response, payload, most).map_err(|e| e.context(shown(request)));
        if self.at_once {
            return self.follow(request).await.and_then(readable);
        }
        let limits = self.limits;
        let due = Instant::now();
        let _place = limits.concurrency.enter().await?;
        limits.rate.ready().await;
        let sent = Instant::now();
        *waited += sent - due;
        let result = self.follow(request).await.and_then(readable);
        let answer = match &result {
            Ok(response) if policy::pace(response).is_some() => Answer::Paced,
            Ok(response) if response.status == 503 => Answer::Overload,
            Ok(_) => Answer::Good,
            Err(error) if error.kind() == ErrorKind::Timeout => Answer::Overload,
            Err(_) => Answer::Other,
        };
        limits.concurrency.learn(sent, answer);
        result
    }

    /// Sends a request, and those that the response redirects to. Credentials stay with their server, and sign each
    /// request anew.
    async fn follow(&self, request: &Request) -> Result<Response> {
        let mut auth = self.auth.filter(|_| self.hosts.trusts(&request.url));
        let mut hops = 0;
        let mut next: Option<Request> = None;
        loop {
            let now = next.as_ref().unwrap_or(request);
            let response = match auth {
                Some(auth) => auth.send(self.transport, self.step, now).await?,
                None => self.transport.send(self.step, now).await?,
            };
            let Some(mut then) = redirect::next(now, &response, self.hosts)? else {
                return Ok(response);
            };
            hops += 1;
            if hops > redirect::MOST {
                return Err(redirect::too_many(request));
            }
            match auth.filter(|_| self.hosts.trusts(&then.url)) {
                Some(auth) => auth.renew(&mut then),
                None => auth = None,
            }
            next = Some(then);
        }
    }

    async fn verdict(
        &self,
        response: Arc<Response>,
        request: &Request,
    ) -> std::result::Result<(Arc<Response>, Verdict), Failure> {
        if response.made_up {
            // No rule knows what it would say.
            return Ok((response, Verdict::Take));
        }
        if response.status == 304 && is_conditional(request) {
            return Ok((response, Verdict::Keep));
        }
        if self.past_the_end.contains(&response.status) {
            return Ok((response, Verdict::PastTheEnd));
        }
        let verdict = match self.judge {
            Some(judge) => match judge.judge(&response).await {
                Ok(verdict) => verdict,
                // A rule for good responses may not understand a bad one: then the status counts.
                Err(error) => {
                    check(&response, request, self.success)?;
                    return Err(error.into());
                }
            },
            None => None,
        };
        let refused = |why: String| {
            let message = format!("{} answered {}: {why}", shown(request), response.status);
            Failure::from(with_body(ErrorKind::Refused, &message, &response.body))
        };
        match verdict {
            None => {
                check(&response, request, self.success)?;
                Ok((response, Verdict::Take))
            }
            Some(Verdict::Retry(why)) => Err(Failure {
                again: true,
                ..refused(why)
            }),
            Some(Verdict::Reject(why)) => Err(Failure {
                blame: Some(Blame::Row),
                ..refused(why)
            }),
            Some(Verdict::Fail(why)) => Err(Failure {
                blame: Some(Blame::Step),
                ..refused(why)
            }),
            Some(verdict) => Ok((response, verdict)),
        }
    }
}

/// Whether a request asks only for what has changed.
fn is_conditional(request: &Request) -> bool {
    let headers = &request.headers;
    headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MODIFIED_SINCE)
}

/// Why an attempt is no success.
struct Failure {
    error: Error,
    /// Whether a rule wants another attempt.
    again: bool,
    blame: Option<Blame>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            error,
            again: false,
            blame: None,
        }
    }
}

/// Whether the status is a success.
fn check(response: &Response, request: &Request, success: &[u16]) -> Result<()> {
    let status = response.status;
    let good = match success {
        [] => (200..300).contains(&status),
        listed => listed.contains(&status),
    };
    if good {
        return Ok(());
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
    let message = format!("{} answered {status} {reason}{wanted}", shown(request));
    let kind = match status {
        401 | 403 => ErrorKind::Unauthorized,
        _ => ErrorKind::Status(status),
    };
    Err(with_body(kind, &message, &response.body))
}

/// An error that shows the beginning of a body, and has all of it for who keeps it.
fn with_body(kind: ErrorKind, message: &str, body: &[u8]) -> Error {
    /// Bytes of a body that are kept: no error is longer than that for a reason.
    const MOST: usize = 1024 * 1024;
    let text = String::from_utf8_lossy(&body[..body.len().min(MOST)]);
    // No database holds NUL.
    let whole = format!("{message}: {}", text.replace('\0', "\u{fffd}"));
    Error::new(kind, format!("{message}: {}", excerpt(body))).whole(whole)
}
