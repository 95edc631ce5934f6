//! `mock`: the answer that a dry run, or a test, takes in place of the real one.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sequor_planner::expr::Prop;
use sequor_planner::ops::Mock;

use super::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::exec::layer::Layer;
use crate::exec::scope::Scope;
use crate::value::Value;

/// Returns the answer that a step or a test says. In it, `request` is what is answered.
///
/// # Errors
/// Values that can't be evaluated; a status that is none, headers that are none.
pub async fn response(
    context: &RequestContext,
    scope: &Scope,
    mock: &Mock,
    request: &Request,
) -> Result<Response> {
    let evaluator = &context.step.run.evaluator;
    let world = scope.with(Layer::one("request", asked(request))).world();
    let value = async |prop: &Option<Prop>| match prop {
        Some(prop) => evaluator.one(prop, &world, None).await.map(Some),
        None => Ok(None),
    };
    let wrong = |what: String| Error::new(ErrorKind::Project, format!("`mock`: {what}"));
    let status = match value(&mock.status).await? {
        None => 200,
        Some(value) => {
            let status = value.to_text().trim().parse::<u16>().ok();
            let status = status.filter(|status| (100..600).contains(status));
            status.ok_or_else(|| wrong(format!("{} is no HTTP status", value.to_text())))?
        }
    };
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    match value(&mock.headers).await? {
        None | Some(Value::Null) => {}
        Some(Value::Map(entries)) => {
            for (name, value) in entries.iter() {
                let text = value.to_text();
                let name = HeaderName::from_bytes(name.as_bytes());
                let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&text)) else {
                    return Err(wrong("`headers` has one that no answer can have".into()));
                };
                headers.insert(name, value);
            }
        }
        Some(other) => return Err(wrong(format!("`headers` is a map, not {}", other.kind()))),
    }
    let body = match (value(&mock.json).await?, value(&mock.body).await?) {
        (Some(json), _) => {
            let text = serde_json::to_vec(&json);
            text.map_err(|e| wrong(format!("`json` can't be written: {e}")))?
        }
        (None, Some(text)) => text.to_text().into_bytes(),
        (None, None) => Vec::new(),
    };
    Ok(Response::new(
        status,
        headers,
        request.url.clone(),
        Bytes::from(body),
    ))
}

/// A request as expressions see it: `method`, `url`, `path`, `query`, `headers`, `body` and, where the body is JSON, `json`.
fn asked(request: &Request) -> Value {
    let texts = |pairs: Vec<(String, String)>| {
        Value::map(pairs.into_iter().map(|(name, text)| (name, Value::text(text))))
    };
    let url = &request.url;
    let headers = request.headers.iter().filter(|(_, value)| !value.is_sensitive());
    let headers = headers.map(|(name, value)| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), text)
    });
    let body = request.body.as_deref().unwrap_or_default();
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    Value::map([
        ("method".into(), Value::text(request.method.as_str())),
        ("url".into(), Value::text(url.as_str())),
        ("path".into(), Value::text(url.path())),
        ("query".into(), texts(url.query_pairs().into_owned().collect())),
        ("headers".into(), texts(headers.collect())),
        ("body".into(), Value::text(String::from_utf8_lossy(body))),
        ("json".into(), json.as_ref().map_or(Value::Null, Value::from)),
    ])
}
