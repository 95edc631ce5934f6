//! HTTP: requests built from values, auth, sending with retries, and record and replay.

mod auth;
mod body;
mod build;
mod live;
mod recording;
mod retry;
mod transport;

pub use crate::exchange::{Request, Response};
pub use auth::Auth;
pub use body::Body;
pub use build::{Parts, build};
pub use live::{Live, Settings};
pub use recording::{Recorder, Replay};
pub use retry::{Sent, send};
pub use transport::Transport;
