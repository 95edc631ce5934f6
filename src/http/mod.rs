//! HTTP: requests built from values, auth, sending with retries, and record and replay.

mod auth;
mod body;
mod build;
mod detect;
mod hosts;
mod live;
mod multipart;
mod pace;
mod paging;
mod policy;
mod recording;
mod redirect;
mod send;
mod tls;
mod told;
mod transport;
mod width;

pub use crate::exchange::{Request, Response};
pub use auth::{Auth, AwsSigv4, Digest, Grant, OAuth1, OAuth2, OAuth2Settings};
pub use body::Body;
pub use build::{Parts, build};
pub use hosts::Hosts;
pub use live::{Live, Settings};
pub use pace::Pace;
pub use paging::Pages;
pub use policy::{Growth, Policy};
pub use recording::{Recorder, Recordings, Replay};
pub use send::{Judge, Limits, Sending, Sent, Verdict};
pub use tls::TlsFiles;
pub use transport::Transport;
pub use width::Width;
