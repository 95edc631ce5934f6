//! An http source in use: its transport, its limits, its definition.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sequor_planner::ops::RequestSpec;
use sequor_planner::syntax::{BackoffType, Concurrency, HttpSource, RateLimitSpec, RetryOn, RetrySpec};

use crate::http::{
    self, ConcurrencyLimiter, Growth, Hosts, Jwt, JwtSettings, Limits, NamedHosts, OAuth2, OAuth2Settings,
    Policy, RateLimiter, Session, SessionSettings, TokenStore, Transport,
};
use crate::secret::Redactor;

/// An API as the steps of a run share it.
pub struct Api {
    pub transport: Arc<dyn Transport>,
    /// None for requests without source.
    pub source: Option<HttpSource>,
    limits: Limits,
    policy: Policy,
    /// Clients that have fetched tokens: those serve all steps of the source.
    clients: Mutex<Vec<Arc<OAuth2>>>,
    sessions: Mutex<Vec<Arc<Session>>>,
    signers: Mutex<Vec<Arc<Jwt>>>,
    /// Where tokens are kept from run to run.
    tokens: Arc<dyn TokenStore>,
}

impl Api {
    /// Creates an API that is reached by `transport`.
    pub fn new(
        transport: Arc<dyn Transport>,
        source: Option<HttpSource>,
        tokens: Arc<dyn TokenStore>,
    ) -> Api {
        let concurrency = source.as_ref().map(|s| s.concurrency).unwrap_or_default();
        let rate = source.as_ref().and_then(|s| s.rate_limit.as_ref());
        let mut policy = Policy::default();
        if let Some(retry) = source.as_ref().and_then(|s| s.retry.as_ref()) {
            adjust(&mut policy, retry);
        }
        Api {
            transport,
            limits: Limits {
                concurrency: Arc::new(concurrency_limiter(concurrency)),
                rate: Arc::new(rate_limiter(rate)),
            },
            source,
            policy,
            clients: Mutex::default(),
            sessions: Mutex::default(),
            signers: Mutex::default(),
            tokens,
        }
    }

    /// Returns the limits of a step's requests: the source's, save where the request has its own.
    pub fn limits(&self, own: &RequestSpec) -> Limits {
        let shared = &self.limits;
        Limits {
            concurrency: match own.concurrency {
                Some(concurrency) => Arc::new(concurrency_limiter(concurrency)),
                None => shared.concurrency.clone(),
            },
            rate: match &own.rate_limit {
                Some(rate) => Arc::new(shared.rate.together_with(rate_limiter(Some(rate)))),
                None => shared.rate.clone(),
            },
        }
    }

    /// Returns where requests may go, and credentials with them. `named`: the texts that name hosts where the source has
    /// no base url.
    pub fn hosts(&self, base_url: Option<&str>, named: impl FnOnce() -> NamedHosts) -> Hosts {
        let allowed = self.source.as_ref().and_then(|s| s.network.allowed_hosts.clone());
        let listed = allowed.is_some();
        let hosts = Hosts::new(allowed).with(base_url);
        let has_credentials = self.source.as_ref().is_some_and(|s| s.auth.is_some()) || self.has_headers();
        match base_url.is_none() && !listed && has_credentials {
            true => hosts.trusting(Arc::new(named())),
            false => hosts,
        }
    }

    /// Returns how many bytes a response may hold.
    pub fn max_response(&self) -> usize {
        let own = self.source.as_ref().and_then(|s| s.network.max_response);
        own.map_or(http::DEFAULT_MAX_RESPONSE, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        })
    }

    /// Tells whether the source has headers of its own.
    pub fn has_headers(&self) -> bool {
        self.source.as_ref().is_some_and(|s| s.headers.is_some())
    }

    /// Returns the client with these settings, with the token it has.
    pub fn oauth2(&self, settings: OAuth2Settings, redactor: &Redactor) -> Arc<OAuth2> {
        let make = |settings| OAuth2::new(settings, redactor.clone(), self.tokens.clone());
        shared(&self.clients, settings, |client| &client.settings, make)
    }

    /// Returns the signer of these settings, with the token it has.
    pub fn jwt(&self, settings: JwtSettings, redactor: &Redactor) -> Arc<Jwt> {
        let make = |settings| Jwt::new(settings, redactor.clone());
        shared(&self.signers, settings, |signer| &signer.settings, make)
    }

    /// Returns the session of these settings, with the token it has.
    pub fn session(&self, settings: SessionSettings, redactor: &Redactor) -> Arc<Session> {
        let make = |settings| Session::new(settings, redactor.clone());
        shared(&self.sessions, settings, |session| &session.settings, make)
    }

    /// Returns when requests are sent again, with what one request wants otherwise.
    pub fn policy(&self, own: &RequestSpec) -> Policy {
        let mut policy = self.policy.clone();
        if let Some(retry) = &own.retry {
            adjust(&mut policy, retry);
        }
        // What changes nothing may be asked again, whatever its method.
        policy.non_idempotent |= own.safe;
        policy.idempotent = own.idempotent;
        policy
    }
}

/// Returns what has these settings among those of the source, or makes it.
fn shared<T, S: PartialEq>(
    all: &Mutex<Vec<Arc<T>>>,
    settings: S,
    settings_of: impl Fn(&T) -> &S,
    make: impl FnOnce(S) -> T,
) -> Arc<T> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.iter().find(|known| *settings_of(known) == settings) {
        return known.clone();
    }
    let made = Arc::new(make(settings));
    all.push(made.clone());
    made
}

fn concurrency_limiter(concurrency: Concurrency) -> ConcurrencyLimiter {
    match concurrency {
        Concurrency::Fixed(most) => ConcurrencyLimiter::fixed(most),
        Concurrency::Auto => ConcurrencyLimiter::auto(concurrency.most()),
    }
}

fn rate_limiter(rate: Option<&RateLimitSpec>) -> RateLimiter {
    RateLimiter::new(
        rate.map(|rate| (rate.requests, seconds(rate.per))),
        rate.map_or(1, |rate| rate.burst),
    )
}

/// Returns a time that the compiler has found to be above 0.
pub fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn adjust(policy: &mut Policy, retry: &RetrySpec) {
    if let Some(attempts) = retry.max_attempts {
        policy.max_attempts = attempts.max(1);
    }
    if let Some(backoff) = retry.backoff {
        policy.growth = match backoff {
            BackoffType::Exponential => Growth::Exponential,
            BackoffType::Linear => Growth::Linear,
            BackoffType::Constant => Growth::Constant,
        };
    }
    if let Some(initial) = retry.initial {
        policy.initial = seconds(initial);
    }
    if let Some(max) = retry.max {
        policy.max = seconds(max);
    }
    if let Some(jitter) = retry.jitter {
        policy.jitter = jitter;
    }
    if let Some(statuses) = &retry.statuses {
        policy.statuses = Some(statuses.clone());
    }
    if let Some(max_wait) = retry.max_wait {
        policy.max_wait = seconds(max_wait);
    }
    if let Some(max_elapsed) = retry.max_elapsed {
        policy.max_elapsed = seconds(max_elapsed);
    }
    if let Some(on) = &retry.on {
        policy.on_timeout = on.contains(&RetryOn::Timeout);
        policy.on_connect = on.contains(&RetryOn::Connect);
    }
    if let Some(non_idempotent) = retry.non_idempotent {
        policy.non_idempotent = non_idempotent;
    }
}
