//! `mock`: the answer that a dry run takes in place of the real one.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sequor_planner::expr::Prop;
use sequor_planner::ops::Mock;

use super::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::exec::scope::Scope;
use crate::value::Value;

/// Returns the answer that a step says.
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
    let world = scope.world();
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
