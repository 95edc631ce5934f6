//! From evaluated values to a request.

use std::borrow::Cow;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::body::Body;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{IDEMPOTENCY_KEY, Request};
use crate::value::Value;
use crate::value::in_path;

/// The parts of a request, evaluated.
#[derive(Debug)]
pub struct Parts<'a> {
    pub base_url: Option<&'a str>,
    pub url: Value,
    pub method: Value,
    /// What stands for `{name}` in the url.
    pub path_parameters: Option<Value>,
    pub parameters: Option<Value>,
    /// Parameters that take the place of those of their names, wherever they stand.
    pub replaced: Vec<(String, Value)>,
    /// The source's headers, then the request's own, then those that take the place of both.
    pub headers: [Option<Value>; 3],
    pub body: Option<Body<'a>>,
    /// `true`: one is made up.
    pub idempotency_key: Option<Value>,
    pub timeout: Option<Duration>,
    pub total_timeout: Option<Duration>,
}

/// Builds a request. Nothing of a row's data gets into it unencoded or unchecked: parameters are encoded, header names
/// and values are checked, the URL must be one.
pub fn build(parts: Parts<'_>) -> Result<Request> {
    let method = parts.method.to_text().to_uppercase();
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Error::new(ErrorKind::Project, format!("`{method}` is not an HTTP method")))?;
    let mut url = match &parts.path_parameters {
        None => url(&parts.url, parts.base_url)?,
        Some(parameters) => url(&filled(&parts.url, parameters)?, parts.base_url)?,
    };
    if let Some(parameters) = &parts.parameters {
        let pairs = pairs(parameters, "parameters")?;
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
    }
    for (name, value) in &parts.replaced {
        set_query(&mut url, name, &text(value));
    }
    let mut headers = HeaderMap::new();
    for (at, given) in parts.headers.iter().enumerate() {
        let Some(given) = given else { continue };
        for (name, value) in pairs(given, "headers")? {
            let bad = |what: &str| {
                Error::new(
                    ErrorKind::Data,
                    format!("header `{name}` has {what} that HTTP does not allow"),
                )
            };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("a name"))?;
            let mut value = header_value(&value).ok_or_else(|| bad("a value"))?;
            // Those of a source are credentials, whatever their names.
            value.set_sensitive(at == 0);
            headers.insert(header, value);
        }
    }
    let key = match parts.idempotency_key {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(uuid::Uuid::new_v4().to_string()),
        Some(key) => Some(key.to_text()),
    };
    if let Some(key) = key {
        let value = HeaderValue::from_str(&key).map_err(|_| {
            Error::new(
                ErrorKind::Data,
                "the idempotency key has characters that a header can't carry",
            )
        })?;
        headers.insert(IDEMPOTENCY_KEY, value);
    }
    let body = parts.body.map(|b| b.write(&mut headers)).transpose()?;
    Ok(Request {
        method,
        url,
        headers,
        body,
        timeout: parts.timeout,
        total_timeout: parts.total_timeout,
    })
}

/// The url with its `{name}` filled in, one segment of the path each.
fn filled(url: &Value, parameters: &Value) -> Result<Value> {
    let mut text = url.to_text();
    for (name, value) in entries(parameters, "path_parameters")? {
        let marker = format!("{{{name}}}");
        if !text.contains(&marker) {
            let message = format!("`path_parameters` has `{name}`, and the url `{text}` has no `{marker}`");
            return Err(Error::new(ErrorKind::Project, message));
        }
        let segment = match &value {
            Value::Null => Err(in_path::null()),
            value => in_path::segment(&self::text(value)),
        };
        text = text.replace(
            &marker,
            &segment.map_err(|e| e.context(format!("path parameter `{name}`")))?,
        );
    }
    Ok(Value::text(text))
}

fn url(value: &Value, base: Option<&str>) -> Result<Url> {
    let Value::Text(text) = value else {
        return Err(Error::new(
            ErrorKind::Data,
            format!("the url must be a string, and is {}", value.kind()),
        ));
    };
    let text = text.trim();
    let full = match (text.starts_with('/'), base) {
        (true, Some(base)) => format!("{}{text}", base.trim_end_matches('/')),
        (true, None) => {
            return Err(
                Error::new(ErrorKind::Project, format!("url `{text}` has no host"))
                    .help("set `base_url` in the http source, or write the whole url"),
            );
        }
        (false, _) => text.to_string(),
    };
    let url = Url::parse(&encoded(&full)).map_err(|e| {
        Error::new(ErrorKind::Data, format!("`{full}` is not a url: {e}"))
            .help("a url looks like https://host/path; check the variables in it")
    })?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(
            Error::new(ErrorKind::Data, format!("url `{full}` has the scheme `{scheme}`"))
                .help("use http or https"),
        ),
    }
}

/// Sets a parameter of a url, in place of all that have its name; the others stay as they are spelled.
pub(super) fn set_query(url: &mut Url, name: &str, value: &str) {
    let is_it = |pair: &&str| url::form_urlencoded::parse(pair.as_bytes()).any(|(n, _)| n == name);
    let given = url.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = given.filter(|pair| !pair.is_empty() && !is_it(pair)).collect();
    let mut set = url::form_urlencoded::Serializer::new(kept.join("&"));
    let query = set.append_pair(name, value).finish();
    url.set_query(Some(&query));
}

/// Characters that no url holds as they are, encoded behind the host: what else the parser would leave, or take for `/`.
/// Where a `%` is no escape, none is.
fn encoded(url: &str) -> Cow<'_, str> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let Some(path) = url[start..].find(['/', '?', '#']).map(|at| start + at) else {
        return Cow::Borrowed(url);
    };
    let rest = &url[path..];
    let escape = |at: usize| {
        let digits = rest.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
    };
    let escapes = rest.match_indices('%').all(|(at, _)| escape(at));
    let query = rest.find(['?', '#']).unwrap_or(rest.len());
    let odd = |at: usize, c: char| match c {
        '%' => !escapes,
        '|' | '^' | '\\' | '`' | '{' | '}' => true,
        '[' | ']' => at < query,
        _ => false,
    };
    if !rest.char_indices().any(|(at, c)| odd(at, c)) {
        return Cow::Borrowed(url);
    }
    let mut out = url[..path].to_string();
    for (at, c) in rest.char_indices() {
        match odd(at, c) {
            true => out.push_str(&format!("%{:02X}", u32::from(c))),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A value in a query or a header: a boolean as APIs write it, a map as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        value => value.to_json_text(),
    }
}

/// A header's value: Latin-1 where that can write it, as HTTP had it once and servers still read it, else UTF-8.
fn header_value(text: &str) -> Option<HeaderValue> {
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&latin.unwrap_or_else(|| text.as_bytes().to_vec())).ok()
}

/// Names and values of parameters, headers or a form. Null is left out; a list gives its name once per item.
pub fn pairs(value: &Value, what: &str) -> Result<Vec<(String, String)>> {
    let entries = entries(value, what)?;
    let mut pairs = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        match value {
            Value::Null => {}
            Value::List(items) => {
                let items = items.iter().filter(|v| !matches!(v, Value::Null));
                pairs.extend(items.map(|v| (name.clone(), text(v))));
            }
            value => pairs.push((name, text(&value))),
        }
    }
    Ok(pairs)
}

fn entries(value: &Value, what: &str) -> Result<Vec<(String, Value)>> {
    Ok(match value {
        Value::Null => Vec::new(),
        Value::Map(_) | Value::Pairs(_) => {
            let entries = value.entries().unwrap_or_default();
            entries.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
        }
        Value::Row(row) => row.iter().map(|(k, v)| (k.to_string(), v)).collect(),
        other => {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "`{what}` must be a map of names to values, and is {}",
                    other.kind()
                ),
            ));
        }
    })
}
