//! A request, evaluated: what is sent for a row, or for a page.

use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::expr::Prop;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::api::seconds;
use crate::exec::request::context::RequestContext;
use crate::exec::scope::Scope;
use crate::http::{self, Body, Pages, Parts, Request};
use crate::value::Value;

/// Evaluates the request in the scope.
pub async fn render(context: &RequestContext, scope: &Scope, pages: Option<&Pages>) -> Result<Request> {
    let given = &context.http.request.request;
    let source_headers = context.api.source.as_ref().and_then(|s| s.headers.as_ref());
    let optional = [
        given.parameters.as_ref(),
        source_headers,
        given.headers.as_ref(),
        given.body.as_ref(),
        given.idempotency_key.as_ref(),
    ];
    let props: Vec<&Prop> = [Some(&given.url), Some(&given.method)]
        .into_iter()
        .chain(optional)
        .flatten()
        .collect();
    let mut values = context
        .step
        .run
        .evaluator
        .all(&props, &scope.world(), None)
        .await?
        .into_iter();
    let mut next = |there: bool| if there { values.next() } else { None };
    let url = next(true).unwrap_or(Value::Null);
    let method = next(true).unwrap_or(Value::Null);
    let [parameters, source_headers, headers, body, idempotency_key] = optional.map(|p| next(p.is_some()));
    let (mut url, mut parameters, mut body) = (url, parameters, body);
    if let Some(pages) = pages {
        let given = pages.parameters();
        match (pages.link(), pages.in_body()) {
            (Some(link), _) => (url, parameters) = (Value::text(link), None),
            (None, true) => body = Some(with(body, given)?),
            (None, false) => parameters = Some(with(parameters, given)?),
        }
    }
    let parts = Parts {
        base_url: context.base_url.as_deref(),
        url,
        method,
        parameters,
        headers: [source_headers, headers],
        body: body.map(|value| Body {
            format: given.body_format,
            value,
            folder: &context.step.run.folder,
        }),
        idempotency_key,
        timeout: given.timeout.map(seconds),
    };
    let mut request = http::build(parts)?;
    context
        .hosts
        .check(&request.url)
        .map_err(|e| e.at(&given.url_place))?;
    if let Some(auth) = &context.auth {
        auth.apply(&mut request)?;
    }
    Ok(request)
}

/// A map of parameters, or a body, with those of the paging.
fn with(given: Option<Value>, more: Vec<(String, Value)>) -> Result<Value> {
    let mut entries = match given {
        None | Some(Value::Null) => IndexMap::new(),
        Some(Value::Map(entries)) => Arc::unwrap_or_clone(entries),
        Some(other) => {
            let message = format!(
                "`pagination` adds to a map of names to values, and finds {}",
                other.kind()
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
    };
    entries.extend(more);
    Ok(Value::Map(Arc::new(entries)))
}
