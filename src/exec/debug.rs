//! Looking at requests and parsers without their effects: `--debug-httprequest-...`.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::event::Event;
use super::http_step::Asking;
use super::scope::Layer;
use crate::batch::builder::BatchBuilder;
use crate::batch::column::Column;
use crate::batch::spool::Spool;
use crate::batch::types::{BareDecimal, column_type};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Request;
use crate::python::Parsed;
use crate::value::Row;

/// What is looked at instead of done.
#[derive(Default)]
pub struct Debug {
    /// Rows that take the place of those of a request's table.
    pub records: Option<Vec<Row>>,
    pub look: Option<Look>,
}

/// What a preview shows. Nothing is written, and variables stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The request as it would go over the wire. It is not sent.
    Trace,
    /// The request in a form for people. It is not sent.
    Pretty,
    /// What the response's parser gives. The request is sent.
    Parser,
}

/// Rows from the text of a JSON object, or of a list of them.
pub fn records(text: &str) -> Result<Vec<Row>> {
    let wrong = |what: String| {
        Error::new(ErrorKind::Project, format!("the test record {what}"))
            .help("give a JSON object: '{\"email\": \"test@example.com\"}'")
    };
    let json: Json = serde_json::from_str(text).map_err(|e| wrong(format!("is not valid JSON: {e}")))?;
    let objects = match json {
        Json::Array(items) => items,
        object => vec![object],
    };
    if objects.is_empty() || objects.iter().any(|o| o.as_object().is_some_and(Map::is_empty)) {
        return Err(wrong("has no columns".into()));
    }
    let mut spool = Spool::default();
    for object in &objects {
        if !object.is_object() {
            return Err(wrong("must be an object, or a list of objects".into()));
        }
        spool.push(object.to_string().as_bytes())?;
    }
    let columns = spool.columns().map(|(name, sql)| {
        Ok(Column {
            name: name.to_string(),
            column_type: column_type(sql, BareDecimal::Exact)?,
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let keys = columns.iter().map(|c| c.name.clone()).collect();
    let mut builder = BatchBuilder::new("test record", keys, &columns)?;
    let mut rows = Vec::with_capacity(objects.len());
    let mut replay = spool.replay()?;
    loop {
        let more = replay.fill(&mut builder)?;
        if let Some(batch) = builder.take()? {
            let batch = Arc::new(batch);
            rows.extend((0..batch.num_rows()).map(|at| Row::new(batch.clone(), at)));
        }
        if !more {
            return Ok(rows);
        }
    }
}

/// Prints a request instead of sending it.
pub async fn show_request(asking: &Asking, request: &Request, look: Look) {
    let text = match look {
        Look::Pretty => pretty(request),
        _ => trace(request),
    };
    print(asking, &text).await;
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
pub async fn show_parsed(asking: &Asking, parsed: &Parsed, own: &Layer, again: bool) -> Result<()> {
    let mut tables = Map::new();
    for (name, rows) in asking.sink.aside()? {
        tables.insert(name, Json::Array(rows));
    }
    let mut variables = Map::new();
    let set = asking
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
    print(asking, &Json::Object(shown).to_string()).await;
    Ok(())
}

async fn print(asking: &Asking, text: &str) {
    let text = asking.run.redactor.redact(text);
    asking.run.events.emit(Event::Printed(text)).await;
}
