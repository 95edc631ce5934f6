//! Shows requests, and what parsers give, instead of doing what they ask for: `--debug-httprequest-...`.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use crate::error::Result;
use crate::event::EventKind;
use crate::exchange::Request;
use crate::exec::preview::PreviewMode;
use crate::exec::request::context::RequestContext;
use crate::exec::scope::Layer;
use crate::python::Parsed;

/// Prints a request instead of sending it.
pub async fn show_request(context: &RequestContext, request: &Request, look: PreviewMode) {
    let text = match look {
        PreviewMode::Pretty => pretty(request),
        _ => trace(request),
    };
    print(context, &text).await;
}

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

fn trace(request: &Request) -> String {
    let mut out = format!("{} {}", request.method, request.url);
    for (name, value) in headers(request) {
        let _ = write!(out, "\n{name}: {value}");
    }
    if let Some(body) = &request.body {
        let _ = write!(out, "\n\n{}", String::from_utf8_lossy(body));
    }
    out
}

fn pretty(request: &Request) -> String {
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

/// Prints what a response gave, as JSON: rows by table, variables, and whether to ask again.
pub async fn show_parsed(context: &RequestContext, parsed: &Parsed, own: &Layer, again: bool) -> Result<()> {
    let mut tables = Map::new();
    for (name, rows) in context.sink.aside()? {
        tables.insert(name, Json::Array(rows));
    }
    let mut variables = Map::new();
    let set = context
        .http
        .request
        .response
        .variables
        .iter()
        .map(|v| v.name.as_str());
    for name in set.chain(parsed.variables.keys().map(String::as_str)) {
        let value = own.get(name).map(|v| serde_json::to_value(v).unwrap_or_default());
        variables.insert(name.to_string(), value.unwrap_or_default());
    }
    let mut shown = Map::from_iter([("tables".to_string(), Json::Object(tables))]);
    if !variables.is_empty() {
        shown.insert("variables".into(), Json::Object(variables));
    }
    if again {
        shown.insert("while".into(), true.into());
    }
    print(context, &Json::Object(shown).to_string()).await;
    Ok(())
}

async fn print(context: &RequestContext, text: &str) {
    let text = context.step.run.redactor.redact(text);
    context.step.emit(EventKind::Printed { text }).await;
}
