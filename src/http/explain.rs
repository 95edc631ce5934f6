//! What went wrong on the way to a server and back, in words: what was asked, what answered, and what to look at.

use std::error::Error as StdError;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::live::shown;
use crate::error::{Error, ErrorKind};
use crate::exchange::Request;

/// Returns the error of a request that got no answer.
pub fn request(error: &reqwest::Error, request: &Request) -> Error {
    let target = shown(request);
    let why = innermost(error);
    if error.is_timeout() {
        return Error::new(ErrorKind::Timeout, format!("{target}: no answer in time"));
    }
    if has_bad_certificate(error) {
        let message = format!(
            "{target}: the certificate of {} is not trusted: {why}",
            host(request)
        );
        return Error::new(ErrorKind::Certificate, message);
    }
    if error.is_connect() {
        let error = match proxy(request) {
            Some(proxy) => Error::new(
                ErrorKind::Connect,
                format!("{target}: can't connect to {} through the proxy {proxy}: {why}", host(request)),
            )
            .help("check that the proxy runs; HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name it, and NO_PROXY the hosts that are asked directly"),
            None => Error::new(
                ErrorKind::Connect,
                format!("{target}: can't connect to {}: {why}", host(request)),
            ),
        };
        return error;
    }
    Error::new(
        ErrorKind::Broken,
        format!("{target}: the connection failed: {why}"),
    )
}

/// Returns the error of a body that could not be read.
pub fn body(error: &reqwest::Error, request: &Request) -> Error {
    let target = shown(request);
    if error.is_timeout() {
        return Error::new(
            ErrorKind::Timeout,
            format!("{target}: the body did not come in time"),
        );
    }
    let message = format!(
        "{target}: the body broke off or can't be decoded: {}",
        innermost(error)
    );
    Error::new(ErrorKind::Broken, message)
}

/// Returns the error of a server that says nothing.
pub fn silent(request: &Request, silence: Duration, what: &str) -> Error {
    let message = format!(
        "{}: {what}: nothing came for {} (`timeout`)",
        shown(request),
        humantime::format_duration(silence)
    );
    Error::new(ErrorKind::Timeout, message)
}

/// Returns the error of a request that takes longer than it may.
pub fn too_long(request: &Request, total: Duration) -> Error {
    let message = format!(
        "{}: it was not done in {} (`total_timeout`)",
        shown(request),
        humantime::format_duration(total)
    );
    Error::new(ErrorKind::Timeout, message)
        .help("`total_timeout` bounds the whole of a request; `timeout` only each silence")
}

/// Returns the error of a body that ends in the middle.
pub fn cut(request: &Request) -> Error {
    let message = format!(
        "{}: the connection ended in the middle of the JSON",
        shown(request)
    );
    Error::new(ErrorKind::Broken, message)
}

/// Returns the innermost cause, which says what happened; the outer ones only say that something did.
pub fn innermost(error: &dyn StdError) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// Whether a certificate that was refused is among the causes.
fn has_bad_certificate(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if is_certificate(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// TLS errors travel inside those of I/O, in one or several layers.
fn is_certificate(error: &(dyn StdError + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    let io = error.downcast_ref::<std::io::Error>();
    io.and_then(std::io::Error::get_ref)
        .is_some_and(|inner| is_certificate(inner))
}

fn host(request: &Request) -> String {
    let host = request.url.host_str().unwrap_or("?");
    match request.url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_string(),
    }
}

/// The proxy that the environment names for a request, as the client finds it.
fn proxy(request: &Request) -> Option<String> {
    let uri: Uri = request.url.as_str().parse().ok()?;
    let found = Matcher::from_system().intercept(&uri)?;
    let proxy = found.uri();
    let authority = proxy.authority()?;
    let port = authority.port().map_or(String::new(), |port| format!(":{port}"));
    // Without the user and password that it may have.
    Some(format!("{}{port}", authority.host()))
}
