//! Redirects (RFC 9110, 15.4): followed here rather than by the client, since only we know which headers are secrets.

use reqwest::Method;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION,
};

use super::hosts::Hosts;
use super::live::shown;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::secret::is_secret_name;

/// Redirects that are followed for one request.
pub const MOST: usize = 10;

/// Returns the request that a response sends on to; none when it is no redirect. Credentials stay with their server.
///
/// # Errors
/// A redirect to a host that is not allowed, and one that sends a body to another server.
pub fn next(request: &Request, response: &Response, hosts: &Hosts) -> Result<Option<Request>> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(target) = response.headers.get(LOCATION) else {
        return Ok(None);
    };
    let target = String::from_utf8_lossy(target.as_bytes());
    let mut url = request.url.join(&target).map_err(|e| {
        let message = format!(
            "{} is redirected to `{target}`, which is not a url: {e}",
            shown(request)
        );
        Error::new(ErrorKind::Data, message)
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let message = format!("{} is redirected to a {} url", shown(request), url.scheme());
        return Err(Error::new(ErrorKind::Data, message));
    }
    if url.origin() != request.url.origin() {
        hosts.check(&url).map_err(|e| e.context("redirect"))?;
    }
    if url.fragment().is_none() {
        url.set_fragment(request.url.fragment());
    }
    let mut next = request.clone();
    // As browsers do, and Python's requests: a redirected POST is followed by a GET, save for 307 and 308.
    let to_get = match response.status {
        302 | 303 => request.method != Method::HEAD,
        301 => request.method == Method::POST,
        _ => false,
    };
    if to_get {
        next.method = Method::GET;
    }
    if matches!(response.status, 301..=303) {
        next.body = None;
        next.headers.remove(CONTENT_TYPE);
        next.headers.remove(CONTENT_LENGTH);
    }
    if url.origin() != request.url.origin() {
        if !hosts.trusts(&url) {
            remove_credentials(&mut next.headers);
        }
        // A body may hold them, too.
        if next.body.is_some() && !hosts.trusts(&url) {
            let message = format!(
                "{} is redirected to another server, {}, with its body",
                shown(request),
                url.origin().ascii_serialization()
            );
            return Err(Error::new(ErrorKind::Data, message).help(
                "bodies are not sent to servers that the flow does not name: use the new url in the flow",
            ));
        }
    }
    next.url = url;
    Ok(Some(next))
}

/// Removes the headers that a source adds.
pub fn remove_source_headers(headers: &mut HeaderMap) {
    remove(headers, |_, value| value.is_sensitive());
}

fn remove_credentials(headers: &mut HeaderMap) {
    remove(headers, |name, value| {
        value.is_sensitive()
            || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
            || is_secret_name(name.as_str())
    });
}

fn remove(headers: &mut HeaderMap, which: impl Fn(&HeaderName, &HeaderValue) -> bool) {
    let names = headers.iter().filter(|(name, value)| which(name, value));
    let names: Vec<HeaderName> = names.map(|(name, _)| name.clone()).collect();
    for name in names {
        headers.remove(name);
    }
}

/// Returns what is said when there are too many.
pub fn too_many(request: &Request) -> Error {
    let message = format!("{}: more than {MOST} redirects", shown(request));
    Error::new(ErrorKind::Data, message)
        .help("the server redirects in circles, or the url is not the right one")
}
