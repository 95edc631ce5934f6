//! A request, evaluated: what is sent for a row, or for a page.

use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::expr::{PathStep, Prop};
use sequor_planner::ops::{BodyFormat, DataPath, ParameterPlace, RequestSpec, WINDOW};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::exec::api::seconds;
use crate::exec::request::checkpoint::Exchange;
use crate::exec::request::context::RequestContext;
use crate::exec::scope::Scope;
use crate::http::{self, Body, Pages, Parts, Request, Target};
use crate::value::Value;
use crate::value::json::value_at;

/// The properties of a request, evaluated: once for all pages of a paging.
#[derive(Clone)]
pub struct Rendered {
    url: Value,
    method: Value,
    path_parameters: Option<Value>,
    parameters: Option<Value>,
    /// The source's, then the request's own.
    headers: [Option<Value>; 2],
    body: Option<Value>,
    idempotency_key: Option<Value>,
}

/// Evaluates the request in the scope, and returns the first that is sent. `what`: what tells it from the others of the
/// exchange.
pub async fn render(
    context: &RequestContext,
    scope: &Scope,
    exchange: &Exchange,
    what: &str,
) -> Result<Request> {
    let pagination = context.http.request.request.pagination.as_ref();
    let target = pagination
        .map(|spec| Pages::new(spec).target())
        .unwrap_or_default();
    Rendered::new(context, scope)
        .await?
        .request(context, target, exchange, what)
}

impl Rendered {
    /// Evaluates the properties of the request in the scope.
    pub async fn new(context: &RequestContext, scope: &Scope) -> Result<Rendered> {
        let given = &context.http.request.request;
        let source_headers = context.api.source.as_ref().and_then(|s| s.headers.as_ref());
        let optional = [
            given.path_parameters.as_ref(),
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
        let evaluator = &context.step.run.evaluator;
        let mut values = evaluator.all(&props, &scope.world(), None).await?.into_iter();
        let mut next = |there: bool| if there { values.next() } else { None };
        let url = next(true).unwrap_or(Value::Null);
        let method = next(true).unwrap_or(Value::Null);
        let [
            path_parameters,
            parameters,
            source_headers,
            headers,
            body,
            idempotency_key,
        ] = optional.map(|p| next(p.is_some()));
        Ok(Rendered {
            url,
            method,
            path_parameters,
            parameters: ranged(given, scope, parameters)?,
            headers: [source_headers, headers],
            body,
            idempotency_key,
        })
    }

    /// Returns the request for a page. `what`: what tells it from the others of the exchange.
    ///
    /// # Errors
    /// What is no request: a url that is none, headers that HTTP does not allow, a host that is not allowed.
    pub fn request(
        &self,
        context: &RequestContext,
        target: Target,
        exchange: &Exchange,
        what: &str,
    ) -> Result<Request> {
        let given = &context.http.request.request;
        let linked = target.link.is_some();
        let mut parts = Parts {
            base_url: context.base_url.as_deref(),
            url: self.url.clone(),
            method: self.method.clone(),
            path_parameters: self.path_parameters.clone(),
            parameters: self.parameters.clone(),
            replaced: Vec::new(),
            headers: [self.headers[0].clone(), self.headers[1].clone(), None],
            body: None,
            idempotency_key: self.key(context, exchange, what),
            timeout: given.timeout.map(seconds),
            total_timeout: given.total_timeout.map(seconds),
        };
        let mut body = self.body.clone();
        match (target.link, target.place) {
            (Some(link), _) => {
                parts.url = Value::text(link);
                (parts.path_parameters, parts.parameters) = (None, None);
            }
            (None, _) if target.parameters.is_empty() => {}
            (None, ParameterPlace::Query) => parts.replaced = target.parameters,
            (None, ParameterPlace::Header) => parts.headers[2] = Some(Value::map(target.parameters)),
            (None, ParameterPlace::Body) => body = Some(with(body, target.parameters, given.body_format)?),
        }
        parts.body = body.map(|value| Body {
            format: given.body_format,
            value,
            folder: &context.step.run.folder,
        });
        let mut request = http::build(parts)?;
        let trusted = context.hosts.trusts(&request.url);
        if !trusted {
            http::remove_source_headers(&mut request.headers);
        }
        context
            .hosts
            .check(&request.url)
            .map_err(|e| e.at(&given.url_place))?;
        if let Some(auth) = context.auth.as_ref().filter(|_| trusted) {
            auth.apply(&mut request, linked)?;
        }
        Ok(request)
    }
}

impl Rendered {
    /// The idempotency key. One that is made up is the same in each attempt at the run; where only changes are sent, at the row.
    fn key(&self, context: &RequestContext, exchange: &Exchange, what: &str) -> Option<Value> {
        let place = exchange.place(what);
        let text = match (&self.idempotency_key, &exchange.identity, &context.checkpoint) {
            (Some(Value::Bool(true)), Some(identity), _) => format!("{identity} {place}"),
            (Some(Value::Bool(true)), None, Some(checkpoint)) => {
                format!(
                    "{} {} {} {place}",
                    context.step.run.id, checkpoint.key, exchange.row
                )
            }
            (key, ..) => return key.clone(),
        };
        let digest = Sha256::digest(text.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Some(Value::text(
            uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string(),
        ))
    }
}

/// The parameters of the query, with the range that an incremental request asks for.
fn ranged(given: &RequestSpec, scope: &Scope, parameters: Option<Value>) -> Result<Option<Value>> {
    let Some(incremental) = &given.incremental else {
        return Ok(parameters);
    };
    let window = scope.world().variable(WINDOW);
    let ends = [
        ("start", &incremental.start_param),
        ("end", &incremental.end_param),
    ];
    let mut more = Vec::new();
    for (end, param) in ends {
        if let (Some(name), Some(Value::Map(window))) = (param, &window)
            && let Some(value) = window.get(end).filter(|value| !matches!(value, Value::Null))
        {
            more.push((name.clone(), value.clone()));
        }
    }
    if more.is_empty() {
        return Ok(parameters);
    }
    // The names of parameters are no paths.
    let given = match parameters {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Map(entries)) => entries
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        Some(Value::Row(row)) => row
            .iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
        Some(other) => {
            let message = format!(
                "`parameters` must be a map beside `incremental`, and is {}",
                other.kind()
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
    };
    Ok(Some(Value::map(given.into_iter().chain(more))))
}

/// A body with the parameters of the paging, whose names are paths.
fn with(given: Option<Value>, more: Vec<(String, Value)>, format: BodyFormat) -> Result<Value> {
    let given = match given {
        // JSON that is written as text.
        Some(Value::Text(text)) if format == BodyFormat::Json => {
            value_at(text.as_bytes(), &[]).unwrap_or(Value::Text(text))
        }
        other => other.unwrap_or(Value::Null),
    };
    let mut body = match given {
        Value::Row(row) => Value::map(row.iter().map(|(name, value)| (name.to_string(), value))),
        other => other,
    };
    for (name, value) in more {
        // A form is flat.
        let path = match DataPath::steps(&name) {
            Some(path) if format == BodyFormat::Json => path,
            _ => vec![PathStep::Key(name.clone())],
        };
        set(&mut body, &path, value).map_err(|kind| {
            let message =
                format!("`pagination` sets `{name}` in the body, and finds {kind} where a map must be");
            Error::new(ErrorKind::Data, message)
        })?;
    }
    Ok(body)
}

/// Sets what stands at a path of maps; those that are missing are made. What stands there in place of a map is the error.
fn set(body: &mut Value, path: &[PathStep], value: Value) -> std::result::Result<(), &'static str> {
    let Some((step, rest)) = path.split_first() else {
        *body = value;
        return Ok(());
    };
    if matches!(body, Value::Null) {
        *body = Value::Map(Arc::new(IndexMap::new()));
    }
    match (body, step) {
        (Value::Map(entries), PathStep::Key(key)) => {
            let entries = Arc::make_mut(entries);
            set(entries.entry(key.clone()).or_insert(Value::Null), rest, value)
        }
        (Value::List(items), PathStep::Index(index)) => match Arc::make_mut(items).get_mut(*index) {
            Some(item) => set(item, rest, value),
            None => Err("a list that is shorter"),
        },
        (other, _) => Err(other.kind()),
    }
}
