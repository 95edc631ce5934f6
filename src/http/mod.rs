//! HTTP: requests built from values, auth, sending with retries, and record and replay.

mod auth;
mod body;
mod build;
mod live;
mod pace;
mod paging;
mod recording;
mod retry;
mod told;
mod transport;

pub use crate::exchange::{Request, Response};
pub use auth::{Auth, Digest, Grant, OAuth2, OAuth2Settings};
pub use body::Body;
pub use build::{Parts, build};
pub use live::{Live, Settings};
pub use pace::Pace;
pub use paging::Pages;
pub use recording::{Recorder, Replay};
pub use retry::{Growth, Limits, Policy, Sent, send};
pub use transport::Transport;
