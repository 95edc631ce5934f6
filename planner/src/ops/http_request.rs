//! `http_request`: one request, or one per row of a table.

use serde::Serialize;

use super::common::FlowAction;
use super::http_response::{self, Response};
use super::messages::{VariableScope, VariableSet, read_variables};
use super::table::{RowsOf, read_rows};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::Keys;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    Json,
    FormUrlencoded,
}

/// The request as the flow says it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    /// The http source that gives auth and variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip)]
    pub source_place: Option<Place>,
    pub url: Prop,
    /// Where the url stands.
    #[serde(skip)]
    pub url_place: Place,
    pub method: Prop,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Prop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Prop>,
    pub body_format: BodyFormat,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Prop>,
}

/// An http_request step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HttpRequest {
    /// Variables set once, before the first request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub init: Vec<VariableSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<RowsOf>,
    pub request: Request,
    pub response: Response,
    #[serde(skip)]
    pub place: Place,
}

impl HttpRequest {
    /// The method when it is known before the run, in upper case.
    pub fn method(&self) -> Option<String> {
        self.request.method.as_text().map(str::to_uppercase)
    }

    /// Whether it changes nothing at the other side: GET, HEAD or OPTIONS.
    pub fn is_read(&self) -> bool {
        matches!(self.method().as_deref(), Some("GET" | "HEAD" | "OPTIONS"))
    }
}

pub(super) fn read(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let mut init = Vec::new();
    if let Some(node) = keys.node("init")
        && let Some(mut keys) = Keys::new(node, "`init`", d)
    {
        if let Some(node) = keys.node("variables") {
            init = read_variables(node, VariableScope::Project, d);
        }
        keys.finish(d);
    }
    let for_each = keys.node("for_each").map(|node| {
        let mut keys = Keys::new(node, "a for_each", d)?;
        let rows = read_rows(&mut keys, d);
        keys.finish(d);
        rows
    });
    let request = match keys.node("request") {
        Some(node) => Keys::new(node, "a request", d).and_then(|keys| read_request(keys, d)),
        None => {
            d.error(
                Code::MissingKey,
                keys.place().clone(),
                "an http_request needs `request`",
            );
            None
        }
    };
    let response = match keys.node("response") {
        Some(node) => http_response::read(node, d),
        None => Some(Response::default()),
    };
    Some(FlowAction::HttpRequest(Box::new(HttpRequest {
        init,
        for_each: match for_each {
            None => None,
            Some(read) => Some(read?),
        },
        request: request?,
        response: response?,
        place: keys.place().clone(),
    })))
}

fn read_request(mut keys: Keys<'_>, d: &mut Diagnostics) -> Option<Request> {
    let source = keys.name("source", d);
    let url = keys.required_prop("url", d);
    let method = match keys.has("method") {
        true => keys.prop("method", d),
        false => {
            keys.prop("method", d);
            Some(Prop::Literal("GET".into()))
        }
    };
    if let Some(method) = method.as_ref().and_then(Prop::as_text) {
        check_method(method, keys.key_place("method"), d);
    }
    // `params` is the short name that 1.x accepts.
    let key = if keys.has("params") {
        "params"
    } else {
        "parameters"
    };
    let parameters = keys.entries(key, d);
    let headers = keys.entries("headers", d);
    let body_format = match keys.name("body_format", d) {
        None => BodyFormat::Json,
        Some((format, place)) => match format.as_str() {
            "json" => BodyFormat::Json,
            "form_urlencoded" => BodyFormat::FormUrlencoded,
            _ => {
                d.error(Code::BadValue, place, format!("`{format}` is not a body format"))
                    .maybe_help(did_you_mean(&format, "body formats", ["json", "form_urlencoded"]));
                BodyFormat::Json
            }
        },
    };
    let body = keys.prop("body", d);
    let url_place = keys.place_of("url").unwrap_or(keys.place()).clone();
    keys.finish(d);
    let (source, source_place) = source.unzip();
    Some(Request {
        source,
        source_place,
        url: url?,
        url_place,
        method: method?,
        parameters,
        headers,
        body_format,
        body,
    })
}

fn check_method(method: &str, place: Option<&Place>, d: &mut Diagnostics) {
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    if !methods.contains(&method.to_uppercase().as_str()) {
        d.error(
            Code::BadValue,
            place.cloned(),
            format!("`{method}` is not an HTTP method"),
        )
        .maybe_help(did_you_mean(method, "methods", methods));
    }
}
