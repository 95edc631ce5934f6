//! Redirects (RFC 9110, 15.4): followed here rather than by the client, since only we know which headers are secrets.

use reqwest::Method;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, LOCATION, PROXY_AUTHORIZATION,
};

use super::hosts::Hosts;
use super::live::shown;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::secret::is_secret_name;

/// Redirects that are followed for one request.
pub const MOST: usize = 10;

/// The request that a response sends on to; none when it is no redirect. Credentials stay with their server.
///
/// # Errors
/// A redirect to a host that is not allowed, and one that would make a write a read: then nothing would be written.
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
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    match response.status {
        303 if request.method != Method::HEAD => {
            next.method = Method::GET;
            next.body = None;
            next.headers.remove(CONTENT_TYPE);
            next.headers.remove(CONTENT_LENGTH);
        }
        301 | 302 if !reads => {
            url.set_query(None);
            let message = format!(
                "{} is redirected to {url} with status {}, which would make it a GET: nothing would be written",
                shown(request),
                response.status
            );
            return Err(Error::new(ErrorKind::Data, message).help("use the new url in the flow"));
        }
        _ => {}
    }
    if url.origin() != request.url.origin() {
        remove_credentials(&mut next.headers);
        // A body may hold them, too.
        if next.body.is_some() {
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

fn remove_credentials(headers: &mut HeaderMap) {
    let secret: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, value)| {
            value.is_sensitive()
                || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
                || is_secret_name(name.as_str())
        })
        .map(|(name, _)| name.clone())
        .collect();
    for name in secret {
        headers.remove(name);
    }
}

/// What is said when there are too many.
pub fn too_many(request: &Request) -> Error {
    let message = format!("{}: more than {MOST} redirects", shown(request));
    Error::new(ErrorKind::Data, message)
        .help("the server redirects in circles, or the url is not the right one")
}
