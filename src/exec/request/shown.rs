//! A request as text, for whoever looks at it before it is sent.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::exchange::Request;

/// The headers in the order they are sent; credentials are never shown.
fn headers(request: &Request) -> impl Iterator<Item = (String, String)> {
    request.headers.iter().map(|(name, value)| {
        let text = match value.is_sensitive() {
            true => "***".to_string(),
            false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        (name.to_string(), text)
    })
}

/// Returns the request as it goes over the wire.
pub fn trace(request: &Request) -> String {
    let mut out = format!("{} {}", request.method, request.url);
    for (name, value) in headers(request) {
        let _ = write!(out, "\n{name}: {value}");
    }
    if let Some(body) = &request.body {
        let _ = write!(out, "\n\n{}", String::from_utf8_lossy(body));
    }
    out
}

/// Returns the request in a form for people.
pub fn pretty(request: &Request) -> String {
    let mut url = request.url.clone();
    url.set_query(None);
    let mut out = format!("{} {url}", request.method);
    let mut section = |title: &str, entries: Vec<(String, String)>| {
        if !entries.is_empty() {
            let _ = write!(out, "\n{title}:");
            for (name, value) in entries {
                let _ = write!(out, "\n  {name}: {value}");
            }
        }
    };
    let parameters = request.url.query_pairs();
    section(
        "parameters",
        parameters
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect(),
    );
    section("headers", headers(request).collect());
    if let Some(body) = &request.body {
        let text = match serde_json::from_slice::<Json>(body) {
            Ok(json) => serde_json::to_string_pretty(&json).unwrap_or_default(),
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        out.push_str("\nbody:");
        for line in text.lines() {
            let _ = write!(out, "\n  {line}");
        }
    }
    out
}
