//! `http_request`: one request, or one per row of a table.

use serde::{Deserialize, Serialize};

use super::Operation;
use super::body::{BODY_FORMATS, BodyFormat, check_body};
use super::changes::{self, CHANGES, Changes};
use super::common::{COMMON, FlowAction};
use super::http_response::{self, RESPONSE, ResponseSpec};
use super::incremental::{self, Incremental};
use super::incremental_check;
use super::method::check_method;
use super::mock::{MOCK, Mock, read_mock};
use super::pagination::{self, Pagination, ParameterPlace};
use super::rejects::read_max_rejects;
use super::request_keys::REQUEST;
use super::rows::{self, ROWS, RowsOf};
use super::rules::RuleAction;
use super::set_variable::{VariableScope, VariableSet, variables_of};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{
    Concurrency, Form, Key, Keys, MostRows, Node, RateLimitSpec, RetrySpec, Shape, read_concurrency,
    read_rate_limit, read_retry,
};

/// The request as the flow says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestSpec {
    /// The http source that gives auth and variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip)]
    pub source_place: Option<Place>,
    pub url: Prop,
    /// Where the url stands.
    #[serde(skip)]
    pub url_place: Place,
    pub method: Prop,
    /// What stands for `{name}` in the url, one segment each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_parameters: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Prop>,
    pub body_format: BodyFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Prop>,
    /// `Idempotency-Key`: the same in every attempt, so that a request may be sent again whatever its method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Prop>,
    /// Seconds that the API may be silent, where that differs from its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Seconds the whole of it may take, where that differs from its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_timeout: Option<f64>,
    /// Requests at the same time, counted apart from the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// A limit of its own, in place of the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimitSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagination: Option<Pagination>,
    /// How it asks only for what is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<Incremental>,
    /// Whether it asks only for what has changed since the last run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
    /// Whether it only reads, whatever its method.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub safe: bool,
    /// Whether sending it twice is the same as sending it once; none: what its method says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
}

/// An http_request step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// Variables set once, before the first request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init: Vec<VariableSet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<RowsOf>,
    pub request: RequestSpec,
    pub response: ResponseSpec,
    /// How many rows may be rejected before the step fails; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejects: Option<MostRows>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mock: Option<Mock>,
    /// Whether nothing is kept to go on with: its rows are streamed, and a run that ends in it can't be gone on with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub streams: bool,
    #[serde(skip)]
    pub place: Place,
}

impl HttpRequest {
    /// Returns the method when it is known before the run, in upper case.
    pub fn method(&self) -> Option<String> {
        self.request.method.as_text().map(str::to_uppercase)
    }

    /// Returns how only changed rows are sent; none where all are.
    pub fn changes(&self) -> Option<&Changes> {
        self.for_each.as_ref()?.changes.as_ref()
    }

    /// Tells whether a response may ask for another request: by `while`, or by what its parser returns.
    pub fn asks_again(&self) -> bool {
        let parser = self.response.parser.as_ref();
        let may = |p: &Prop| matches!(p, Prop::Python { code, .. } if code.text.contains("while"));
        self.response.while_.is_some() || parser.is_some_and(may)
    }

    /// Tells whether it changes nothing at the other side: GET, HEAD or OPTIONS, or one that says so.
    pub fn is_read(&self) -> bool {
        self.request.safe || matches!(self.method().as_deref(), Some("GET" | "HEAD" | "OPTIONS"))
    }
}

static INIT: Shape = Shape {
    what: "`init`",
    doc: "What is done once, before the first request.",
    with: &[],
    keys: &[Key::new(
        "variables",
        Form::Variables,
        "Variables set before the first request; `scope: local` keeps one inside the step.",
    )
    .or_python()],
};

static FOR_EACH: Shape = Shape {
    what: "a for_each",
    doc: "One request per row of a table, or per batch of rows.",
    with: &[&ROWS],
    keys: &[
        Key::new(
            "batch_size",
            Form::Whole,
            "One request for so many rows: the variable is a list of rows.",
        ),
        Key::new(
            "changes",
            Form::Map(&CHANGES),
            "Only rows that were added, changed or removed since they were sent.",
        ),
    ],
};

pub(super) const OPERATION: Operation = Operation {
    shape: &Shape {
        what: "an http_request",
        doc: "Asks an API: one request, or one per row of a table.",
        with: &[&COMMON],
        keys: &[
            Key::new(
                "init",
                Form::Map(&INIT),
                "What is done once, before the first request.",
            )
            .or_python(),
            Key::new(
                "for_each",
                Form::Map(&FOR_EACH),
                "Asks once per row of a table or query, or per value of a list.",
            ),
            Key::new(
                "max_rejects",
                Form::Rejects,
                "How many rows may be rejected: a number, or a part of all rows like `5%`; the step fails where there are more.",
            ).default("any number"),
            Key::new(
                "checkpoint",
                Form::Flag,
                "`false`: nothing is kept of the step while it runs, neither a copy of its rows nor pages, and a run that ends in it can't be gone on with.",
            ).default("`true`"),
            Key::new(
                "mock",
                Form::Map(&MOCK),
                "The answer that a dry run takes to a request that it does not send.",
            )
            .deferred(),
            Key::new("request", Form::Map(&REQUEST), "The request.").required(),
            Key::new(
                "response",
                Form::Map(&RESPONSE),
                "What is done with the response.",
            )
            .or_python(),
        ],
    },
    read,
};

fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let init = match keys.node("init") {
        Some(node) => {
            Keys::new(node, &INIT, d).map(|init| variables_of(&init, "variables", VariableScope::Project, d))
        }
        None => keys
            .prop("init", d)
            .filter(|prop| matches!(prop, Prop::Python { .. }))
            .map(|prop| vec![VariableSet::many(prop, "variables", VariableScope::Project)]),
    };
    let for_each = keys.node("for_each").map(|node| {
        let keys = Keys::new(node, &FOR_EACH, d)?;
        let batch_size = keys.whole("batch_size", d);
        let changes = match keys.node("changes") {
            Some(node) => Some(changes::read(node, d)?),
            None if keys.has("changes") => {
                let place = keys.place_of("changes").cloned();
                d.error(Code::MissingKey, place, "`changes` needs `key`")
                    .help("name the columns that tell a row from the others: `changes: {key: [id]}`");
                return None;
            }
            None => None,
        };
        Some(RowsOf {
            batch_size,
            changes,
            ..rows::read(&keys, d)?
        })
    });
    let request = keys.node("request").and_then(|node| read_request(node, d));
    let response = match (keys.node("response"), keys.prop("response", d)) {
        // `response_expression`: one function for all of it, the first form that 1.x had of a parser.
        (_, Some(parser @ Prop::Python { .. })) => Some(ResponseSpec {
            parser: Some(parser),
            whole: true,
            ..ResponseSpec::default()
        }),
        (Some(node), _) => http_response::read(node, d),
        (None, _) => Some(ResponseSpec::default()),
    };
    if let (Some(request), Some(response)) = (&request, &response)
        && request.pagination.is_some()
        && response.while_.is_some()
    {
        let message = "both `pagination` and `while` are given";
        d.error(Code::BothForms, request.url_place.clone(), message)
            .help("keep one of them: each asks for the next page");
    }
    if let (Some(request), Some(response)) = (&request, &response)
        && request.conditional
    {
        let many = for_each.is_some() || request.pagination.is_some() || response.while_.is_some();
        if many {
            let message =
                "`conditional` is for a single request: of several, some could have changed and others not";
            d.error(Code::BadValue, request.url_place.clone(), message)
                .help("leave it out where there are pages or rows");
        }
    }
    let rules = response.iter().flat_map(|r| &r.rules);
    for rule in rules.filter(|rule| rule.action == RuleAction::Reject && for_each.is_none()) {
        let message = "`action: reject` needs rows to keep: an http_request with `for_each`";
        d.error(Code::BadValue, rule.place.clone(), message)
            .help("use `skip` or `fail`");
    }
    let batched = is_batched(keys);
    for rule in response
        .iter()
        .flat_map(|r| &r.rules)
        .filter(|rule| rule.rows.is_some() && !batched)
    {
        let message =
            "`rows_expression` names rows of a batch: an http_request with `for_each` and `batch_size`";
        d.error(Code::BadValue, rule.place.clone(), message)
            .help("leave it out: without a batch the rule rejects its one row");
    }
    let request = request?;
    let read = HttpRequest {
        init: init.unwrap_or_default(),
        for_each: match for_each {
            None => None,
            Some(read) => Some(read?),
        },
        // Its state says how far it got: another attempt goes on from there.
        streams: keys.flag("checkpoint", d) == Some(false) || request.incremental.is_some(),
        request,
        response: response?,
        max_rejects: read_max_rejects(keys, d),
        mock: read_mock(keys, d),
        place: keys.place().clone(),
    };
    incremental_check::check(&read, d);
    changes::check(&read, d);
    Some(FlowAction::HttpRequest(Box::new(read)))
}

/// Whether there is a request per batch of rows, also where only the run knows how many.
pub(super) fn is_batched(keys: &Keys<'_>) -> bool {
    let for_each = keys.node("for_each").map(Node::to_json);
    let entries = for_each.as_ref().and_then(serde_json::Value::as_object);
    entries.is_some_and(|entries| entries.keys().any(|key| key.starts_with("batch_size")))
}

fn read_request(node: &Node, d: &mut Diagnostics) -> Option<RequestSpec> {
    let keys = Keys::new(node, &REQUEST, d)?;
    let source = keys.name("source", d);
    let url = keys.prop("url", d);
    let method = match keys.has("method") {
        true => keys.prop("method", d),
        false => Some(Prop::Literal("GET".into())),
    };
    if let (Some(Prop::Literal(method)), Some(node)) = (&method, keys.node("method")) {
        let shown = method.as_str().map_or_else(|| method.to_string(), str::to_string);
        check_method(&shown, &node.place, d);
    }
    let body_format = keys.pick("body_format", &BODY_FORMATS, d);
    let body_format = body_format.unwrap_or(BodyFormat::Json);
    let body = keys.prop("body", d);
    if let (Some(body), Some(place)) = (&body, keys.place_of("body")) {
        check_body(body, body_format, place, d);
    }
    let pagination = match keys.node("pagination").map(|node| pagination::read(node, d)) {
        None => None,
        Some(read) => Some(read?),
    };
    let incremental = match keys.node("incremental").map(|node| incremental::read(node, d)) {
        None => None,
        Some(read) => Some(read?),
    };
    let no_body = matches!(
        method.as_ref().and_then(Prop::as_text),
        Some("GET" | "HEAD" | "get" | "head")
    );
    if no_body
        && pagination
            .as_ref()
            .is_some_and(|p| p.place == ParameterPlace::Body)
        && body.is_none()
    {
        let place = keys.place_of("pagination").cloned();
        d.error(
            Code::BadValue,
            place,
            "`pagination` puts its parameters into the body, which a GET does not have",
        )
        .help("leave `in` out, or give the `method` that the API asks for");
    }
    let (source, source_place) = source.unzip();
    Some(RequestSpec {
        source,
        source_place,
        url: url?,
        url_place: keys.place_of("url").unwrap_or(keys.place()).clone(),
        method: method?,
        path_parameters: keys.prop("path_parameters", d),
        parameters: keys.prop("parameters", d),
        headers: keys.prop("headers", d),
        body_format,
        body,
        idempotency_key: keys.prop("idempotency_key", d),
        timeout: keys.duration("timeout", d),
        total_timeout: keys.duration("total_timeout", d),
        concurrency: read_concurrency(&keys, d),
        rate_limit: read_rate_limit(&keys, d),
        retry: read_retry(&keys, d),
        pagination,
        incremental,
        conditional: keys.flag("conditional", d).unwrap_or_default(),
        safe: keys.flag("safe", d).unwrap_or_default(),
        idempotent: keys.flag("idempotent", d),
    })
}
