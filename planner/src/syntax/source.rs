//! `sources/<name>.yaml`: an API or a database.

use serde::{Deserialize, Serialize};

use std::sync::Arc;

use super::auth::{AUTH, AuthSpec, read_auth};
use super::databases::{self, DatabaseSource, SOURCES, read_database};
use super::limits::{
    Concurrency, LIMITS, RateLimitSpec, RetrySpec, read_concurrency, read_rate_limit, read_retry,
};
use super::network::{NETWORK, Network, read_network};
use super::{Form, Key, Keys, Shape, Value, parse, tagged};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::{EachProp, Prop, Uses};
use crate::ops::{VariableScope, VariableSet, variables_of};
use crate::span::Place;

/// A source of the project.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    pub name: String,
    pub kind: SourceKind,
    /// Whether a database keeps names as they are written: `folded` or `quoted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<Prop>,
    pub place: Place,
}

/// What a source is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    Http(Box<HttpSource>),
    Database(Box<DatabaseSource>),
}

/// `type: http`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HttpSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Prop>,
    pub variables: Vec<VariableSet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthSpec>,
    /// Seconds that the API may be silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Seconds the whole of it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_timeout: Option<f64>,
    pub concurrency: Concurrency,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimitSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,
    pub network: Network,
    /// Whether cookies are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cookies: bool,
}

impl Source {
    /// Returns the SQL it speaks; none for an API.
    pub fn dialect(&self) -> Option<Dialect> {
        match self.kind {
            SourceKind::Http(_) => None,
            SourceKind::Database(ref database) => Some(database.kind().dialect()),
        }
    }

    /// Returns what opening it evaluates, where it is a database.
    pub fn settings(&self) -> Vec<&Prop> {
        let mut settings = Vec::new();
        if let SourceKind::Database(_) = &self.kind {
            self.each_prop(&mut |prop| settings.push(prop));
        }
        settings
    }

    /// Returns the kind, as `type` names it.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            SourceKind::Http(_) => "http",
            SourceKind::Database(ref database) => database.type_name(),
        }
    }
}

impl HttpSource {
    /// Returns what a request through the source uses besides its own keys.
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        self.each_prop(&mut |prop| prop.collect(&mut uses));
        // Its own variables are not the world's.
        for variable in &self.variables {
            uses.variables.remove(&variable.name);
        }
        uses
    }
}

pub(super) static HTTP: Shape = Shape {
    what: "an http source",
    doc: "An API.",
    with: &[&TYPE, &LIMITS, &NETWORK],
    keys: &[
        Key::new(
            "base_url",
            Form::Text,
            "A request `url` that starts with `/` is joined to it.",
        ),
        Key::new(
            "variables",
            Form::Variables,
            "Local variables of every request through the source.",
        )
        .or_python(),
        Key::new(
            "headers",
            Form::Entries,
            "Headers of every request through the source.",
        ),
        Key::new("auth", Form::OneOf(AUTH), "How requests prove who they are."),
        Key::new(
            "cookies",
            Form::Flag,
            "`true`: cookies that the API sets are sent back, through redirects and from step to step of a run.",
        ),
    ],
};

/// What every source has.
pub(super) static TYPE: Shape = Shape {
    what: "a source",
    doc: "An API or a database.",
    with: &[],
    keys: &[Key::new("type", Form::Name, "What the source is.").required()],
};

/// Reads a source's file.
pub fn read_source(name: &str, file: &Arc<str>, text: &str, d: &mut Diagnostics) -> Option<Source> {
    let node = parse(file, text, d)?;
    let (kind, shape, place) = tagged(&node, "a source", "type", SOURCES, Code::BadValue, d)?;
    let keys = Keys::new(&node, shape, d)?;
    let identifiers = match kind {
        "http" => None,
        _ => databases::read_identifiers(&keys, d),
    };
    let kind = match kind {
        "http" => SourceKind::Http(Box::new(read_http(&keys, d)?)),
        kind => SourceKind::Database(Box::new(read_database(kind, &keys, d)?)),
    };
    Some(Source {
        name: name.to_string(),
        kind,
        identifiers,
        place,
    })
}

fn read_http(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<HttpSource> {
    let variables = variables_of(keys, "variables", VariableScope::Local, d);
    let auth = keys.node("auth").map(|node| read_auth(node, d));
    Some(HttpSource {
        base_url: keys.prop("base_url", d),
        variables,
        headers: keys.prop("headers", d),
        timeout: keys.duration("timeout", d),
        total_timeout: keys.duration("total_timeout", d),
        rate_limit: read_rate_limit(keys, d),
        retry: read_retry(keys, d),
        concurrency: read_concurrency(keys, d).unwrap_or_default(),
        network: read_network(keys, d),
        cookies: keys.flag("cookies", d).unwrap_or_default(),
        auth: match auth {
            None => None,
            Some(read) => Some(read?),
        },
    })
}

/// The long form of a flow's file.
pub static FLOW: Shape = Shape {
    what: "a flow",
    doc: "A flow: a list of steps.",
    with: &[],
    keys: &[
        Key::new("description", Form::Label, "What the flow is for."),
        Key::new("title", Form::Label, "The flow's name for people."),
        Key::new("steps", Form::Steps, "The steps."),
    ],
};

/// Reads a flow's file: its steps.
pub fn read_flow(file: &Arc<str>, text: &str, d: &mut Diagnostics) -> Vec<crate::ops::FlowStep> {
    let Some(node) = parse(file, text, d) else {
        return Vec::new();
    };
    // 1.x wrote a flow as a map with `steps`, or as the list alone.
    match &node.value {
        Value::Map(_) => {
            let Some(keys) = Keys::new(&node, &FLOW, d) else {
                return Vec::new();
            };
            keys.node("steps")
                .map(|steps| crate::ops::read_steps(steps, d))
                .unwrap_or_default()
        }
        _ => crate::ops::read_steps(&node, d),
    }
}
