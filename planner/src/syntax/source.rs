//! `sources/<name>.yaml`: an API or a database.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{Keys, Node, Value, parse};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::dialect::Dialect;
use crate::expr::{Prop, Uses};
use crate::ops::{VariableScope, VariableSet, read_variables};
use crate::span::Place;

/// Requests under way at the same time on one source, when it does not say.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// A source of the project.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub kind: SourceKind,
    pub place: Place,
}

/// What a source is.
#[derive(Debug, Clone)]
pub enum SourceKind {
    Http(Box<HttpSource>),
    Postgres(Box<PostgresSource>),
    Staging,
}

/// `type: http`.
#[derive(Debug, Clone, Default)]
pub struct HttpSource {
    pub base_url: Option<Prop>,
    pub variables: Vec<VariableSet>,
    pub headers: Option<Prop>,
    pub auth: Option<Auth>,
    /// Seconds a request may take, connection and body included.
    pub timeout: Option<f64>,
    pub concurrency: Option<usize>,
}

/// How requests of a source prove who they are.
#[derive(Debug, Clone)]
pub enum Auth {
    Basic { username: Prop, password: Prop },
    Bearer { token: Prop },
    ApiKey { name: Prop, value: Prop, in_query: bool },
}

/// `type: postgres`.
#[derive(Debug, Clone)]
pub struct PostgresSource {
    pub conn_str: Prop,
    pub username: Option<Prop>,
    pub password: Option<Prop>,
}

impl Source {
    /// The SQL it speaks; none for an API.
    pub fn dialect(&self) -> Option<Dialect> {
        match self.kind {
            SourceKind::Http(_) => None,
            SourceKind::Postgres(_) => Some(Dialect::Postgres),
            SourceKind::Staging => Some(Dialect::Staging),
        }
    }

    /// The kind, as `type` names it.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            SourceKind::Http(_) => "http",
            SourceKind::Postgres(_) => "postgres",
            SourceKind::Staging => "staging",
        }
    }
}

impl HttpSource {
    /// What a request through the source uses besides its own keys.
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        let parts = [&self.base_url, &self.headers];
        parts.into_iter().flatten().for_each(|p| p.collect(&mut uses));
        self.variables.iter().for_each(|v| v.value.collect(&mut uses));
        match &self.auth {
            None => {}
            Some(Auth::Basic { username, password }) => {
                username.collect(&mut uses);
                password.collect(&mut uses);
            }
            Some(Auth::Bearer { token }) => token.collect(&mut uses),
            Some(Auth::ApiKey { name, value, .. }) => {
                name.collect(&mut uses);
                value.collect(&mut uses);
            }
        }
        // Its own variables are not the world's.
        for variable in &self.variables {
            uses.variables.remove(&variable.name);
        }
        uses
    }
}

const TYPES: [&str; 3] = ["http", "postgres", "staging"];
const AUTH_TYPES: [&str; 3] = ["basic_auth", "bearer_token", "api_key"];

/// Reads a source's file.
pub fn read_source(name: &str, file: &Arc<str>, text: &str, d: &mut Diagnostics) -> Option<Source> {
    let node = parse(file, text, d)?;
    let mut keys = Keys::new(&node, "a source", d)?;
    let (kind, place) = keys.required_name("type", d)?;
    let kind = match kind.as_str() {
        "http" => read_http(&mut keys, d).map(|http| SourceKind::Http(Box::new(http))),
        "postgres" => read_postgres(&mut keys, d).map(|postgres| SourceKind::Postgres(Box::new(postgres))),
        "staging" => Some(SourceKind::Staging),
        _ => {
            d.error(Code::BadValue, place, format!("`{kind}` is not a type of source"))
                .maybe_help(did_you_mean(&kind, "types", TYPES));
            return None;
        }
    };
    keys.finish(d);
    Some(Source {
        name: name.to_string(),
        kind: kind?,
        place,
    })
}

fn read_postgres(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<PostgresSource> {
    let conn_str = keys.required_prop("conn_str", d);
    let username = keys.prop("username", d);
    let password = keys.prop("password", d);
    Some(PostgresSource {
        conn_str: conn_str?,
        username,
        password,
    })
}

fn read_http(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<HttpSource> {
    let base_url = keys.prop("base_url", d);
    let variables = keys
        .node("variables")
        .map(|node| read_variables(node, VariableScope::Local, d))
        .unwrap_or_default();
    let headers = keys.entries("headers", d);
    let auth = keys
        .node("auth")
        .filter(|n| !n.is_null())
        .map(|node| read_auth(node, d));
    let timeout = positive("timeout", keys, d);
    let concurrency = positive("concurrency", keys, d).map(|n| (n as usize).max(1));
    Some(HttpSource {
        base_url,
        variables,
        headers,
        auth: match auth {
            None => None,
            Some(read) => Some(read?),
        },
        timeout,
        concurrency,
    })
}

fn positive(key: &'static str, keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<f64> {
    let node = keys.node(key)?;
    match node.to_json() {
        Json::Number(n) if n.as_f64().is_some_and(|n| n > 0.0) => n.as_f64(),
        _ => {
            d.error(
                Code::WrongType,
                node.place.clone(),
                format!("`{key}` must be a number above 0"),
            );
            None
        }
    }
}

fn read_auth(node: &Node, d: &mut Diagnostics) -> Option<Auth> {
    let mut keys = Keys::new(node, "`auth`", d)?;
    let (kind, place) = keys.required_name("type", d)?;
    let auth = match kind.as_str() {
        "basic_auth" => {
            let username = keys.required_prop("username", d);
            let password = keys.required_prop("password", d);
            Some(Auth::Basic {
                username: username?,
                password: password?,
            })
        }
        "bearer_token" => Some(Auth::Bearer {
            token: keys.required_prop("token", d)?,
        }),
        "api_key" => {
            let name = keys.required_prop("key_name", d);
            let value = keys.required_prop("key_value", d);
            let in_query = match keys.name("add_to", d) {
                None => false,
                Some((to, place)) => {
                    if !matches!(to.as_str(), "header" | "query") {
                        d.error(Code::BadValue, place, format!("`{to}` is not a place for a key"))
                            .maybe_help(did_you_mean(&to, "places", ["header", "query"]));
                    }
                    to == "query"
                }
            };
            Some(Auth::ApiKey {
                name: name?,
                value: value?,
                in_query,
            })
        }
        _ => {
            d.error(Code::BadValue, place, format!("`{kind}` is not a type of auth"))
                .maybe_help(did_you_mean(&kind, "types", AUTH_TYPES));
            return None;
        }
    };
    keys.finish(d);
    auth
}

/// Reads a flow's file: its steps.
pub fn read_flow(file: &Arc<str>, text: &str, d: &mut Diagnostics) -> Vec<crate::ops::FlowStep> {
    let Some(node) = parse(file, text, d) else {
        return Vec::new();
    };
    // 1.x wrote a flow as a map with `steps`, or as the list alone.
    match &node.value {
        Value::Map(_) => {
            let Some(mut keys) = Keys::new(&node, "a flow", d) else {
                return Vec::new();
            };
            keys.name("description", d);
            keys.name("title", d);
            let steps = match keys.node("steps") {
                Some(steps) => crate::ops::read_steps(steps, d),
                None => {
                    d.error(Code::MissingKey, node.place.clone(), "a flow needs `steps`")
                        .help("a flow is a list of steps, or a map with `steps:`");
                    Vec::new()
                }
            };
            keys.finish(d);
            steps
        }
        _ => crate::ops::read_steps(&node, d),
    }
}
