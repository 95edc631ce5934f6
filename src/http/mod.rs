//! HTTP: requests built from values, auth, sending with retries, and record and replay.

mod auth;
mod body;
mod build;
mod concurrency_limiter;
mod explain;
mod hosts;
mod live;
mod multipart;
mod paging;
pub mod payload;
mod pinned;
mod policy;
mod rate_limiter;
mod recording;
mod redirect;
mod send;
mod tls;
mod transport;
mod unpack;
mod wait;

pub use crate::exchange::{Request, Response};
pub use auth::{
    Auth, AwsSigv4, Digest, Grant, Jwt, JwtSettings, NoTokens, OAuth1, OAuth2, OAuth2Settings, Session,
    SessionSettings, TokenStore,
};
pub use body::Body;
pub use build::{Parts, build, pairs};
pub use concurrency_limiter::ConcurrencyLimiter;
pub use hosts::{Hosts, NamedHosts};
pub use live::{DEFAULT_MAX_RESPONSE, Live, Settings};
pub use paging::{Page, Pages, Target};
pub use policy::{Growth, Policy, table as policy_table};
pub use rate_limiter::RateLimiter;
pub use recording::{Recorder, Recordings, Replay, keep_request};
pub use redirect::remove_source_headers;
pub use send::{Judge, Limits, Sending, Sent, Verdict, may_have_done};
pub use tls::TlsFiles;
pub use transport::Transport;
