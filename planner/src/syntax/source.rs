//! `sources/<name>.yaml`: an API or a database.

use std::sync::Arc;

use super::limits::{LIMITS, RateLimit, RetrySpec, read_rate_limit, read_retry};
use super::{Form, Key, Keys, Node, Shape, Value, parse, tagged};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
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
    pub rate_limit: Option<RateLimit>,
    pub retry: Option<RetrySpec>,
}

/// How requests of a source prove who they are.
#[derive(Debug, Clone)]
pub enum Auth {
    Basic { username: Prop, password: Prop },
    Bearer { token: Prop },
    ApiKey { name: Prop, value: Prop, in_query: bool },
    Digest { username: Prop, password: Prop },
    OAuth2(Box<OAuth2>),
}

/// What a token is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantType {
    Password,
    ClientCredentials,
    RefreshToken,
}

/// `auth` of type oauth2.
#[derive(Debug, Clone)]
pub struct OAuth2 {
    pub grant: GrantType,
    pub token_endpoint: Prop,
    pub client_id: Prop,
    pub client_secret: Option<Prop>,
    pub username: Option<Prop>,
    pub password: Option<Prop>,
    pub refresh_token: Option<Prop>,
    pub scope: Option<Prop>,
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
            Some(Auth::OAuth2(oauth2)) => {
                oauth2.token_endpoint.collect(&mut uses);
                oauth2.client_id.collect(&mut uses);
                let optional = [
                    &oauth2.client_secret,
                    &oauth2.username,
                    &oauth2.password,
                    &oauth2.refresh_token,
                    &oauth2.scope,
                ];
                optional.into_iter().flatten().for_each(|p| p.collect(&mut uses));
            }
            Some(Auth::Basic { username, password } | Auth::Digest { username, password }) => {
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

static HTTP: Shape = Shape {
    what: "an http source",
    doc: "An API.",
    with: &[&TYPE, &LIMITS],
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
        ),
        Key::new(
            "headers",
            Form::Entries,
            "Headers of every request through the source.",
        ),
        Key::new("auth", Form::OneOf(AUTH), "How requests prove who they are."),
    ],
};

static POSTGRES: Shape = Shape {
    what: "a postgres source",
    doc: "A PostgreSQL database.",
    with: &[&TYPE],
    keys: &[
        Key::new(
            "conn_str",
            Form::Text,
            "postgresql://host:port/database, also as SQLAlchemy writes it.",
        )
        .required(),
        Key::new("username", Form::Text, "The user."),
        Key::new("password", Form::Text, "The password."),
    ],
};

static STAGING: Shape = Shape {
    what: "a staging source",
    doc: "The embedded database: DataFusion over Delta tables in the project's state. Needs no server.",
    with: &[&TYPE],
    keys: &[],
};

static TYPE: Shape = Shape {
    what: "a source",
    doc: "An API or a database.",
    with: &[],
    keys: &[Key::new("type", Form::Name, "What the source is.").required()],
};

/// Every type of source.
pub static SOURCES: &[(&str, &Shape)] = &[("http", &HTTP), ("postgres", &POSTGRES), ("staging", &STAGING)];

static AUTH_TYPE: Shape = Shape {
    what: "`auth`",
    doc: "How requests prove who they are.",
    with: &[],
    keys: &[Key::new("type", Form::Name, "The kind of auth.").required()],
};

static AUTH: &[(&str, &Shape)] = &[
    (
        "basic_auth",
        &Shape {
            what: "`auth` of type basic_auth",
            doc: "User name and password (RFC 7617).",
            with: &[&AUTH_TYPE],
            keys: &[
                Key::new("username", Form::Text, "The user.").required(),
                Key::new("password", Form::Text, "The password.").required(),
            ],
        },
    ),
    (
        "bearer_token",
        &Shape {
            what: "`auth` of type bearer_token",
            doc: "A token in the Authorization header (RFC 6750).",
            with: &[&AUTH_TYPE],
            keys: &[Key::new("token", Form::Text, "The token.").required()],
        },
    ),
    (
        "api_key",
        &Shape {
            what: "`auth` of type api_key",
            doc: "A key in a header or in the query string.",
            with: &[&AUTH_TYPE],
            keys: &[
                Key::new("key_name", Form::Text, "The name of the header or parameter.").required(),
                Key::new("key_value", Form::Text, "The key.").required(),
                Key::new(
                    "add_to",
                    Form::Choice(&["header", "query"]),
                    "Where it goes; header when left out.",
                ),
            ],
        },
    ),
    (
        "digest_auth",
        &Shape {
            what: "`auth` of type digest_auth",
            doc: "User name and password by challenge and answer (RFC 7616).",
            with: &[&AUTH_TYPE],
            keys: &[
                Key::new("username", Form::Text, "The user.").required(),
                Key::new("password", Form::Text, "The password.").required(),
            ],
        },
    ),
    (
        "oauth2",
        &Shape {
            what: "`auth` of type oauth2",
            doc: "A token of OAuth 2.0 (RFC 6749), fetched, kept and renewed.",
            with: &[&AUTH_TYPE],
            keys: &[
                Key::new(
                    "grant_type",
                    Form::Choice(&["password", "client_credentials", "refresh_token"]),
                    "What the token is given for.",
                )
                .required(),
                Key::new("token_endpoint", Form::Text, "The url that gives tokens.").required(),
                Key::new("client_id", Form::Text, "The client.").required(),
                Key::new("client_secret", Form::Text, "The client's secret."),
                Key::new("username", Form::Text, "The user, for `grant_type: password`."),
                Key::new(
                    "password",
                    Form::Text,
                    "The password, for `grant_type: password`.",
                ),
                Key::new(
                    "refresh_token",
                    Form::Text,
                    "The refresh token, for `grant_type: refresh_token`.",
                ),
                Key::new("scope", Form::Text, "What the token is to be good for."),
            ],
        },
    ),
];

/// Reads a source's file.
pub fn read_source(name: &str, file: &Arc<str>, text: &str, d: &mut Diagnostics) -> Option<Source> {
    let node = parse(file, text, d)?;
    let (kind, shape, place) = tagged(&node, "a source", "type", SOURCES, Code::BadValue, d)?;
    let keys = Keys::new(&node, shape, d)?;
    let kind = match kind {
        "http" => SourceKind::Http(Box::new(read_http(&keys, d)?)),
        "postgres" => SourceKind::Postgres(Box::new(PostgresSource {
            username: keys.prop("username", d),
            password: keys.prop("password", d),
            conn_str: keys.prop("conn_str", d)?,
        })),
        _ => SourceKind::Staging,
    };
    Some(Source {
        name: name.to_string(),
        kind,
        place,
    })
}

fn read_http(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<HttpSource> {
    let variables = keys.node("variables");
    let auth = keys.node("auth").map(|node| read_auth(node, d));
    Some(HttpSource {
        base_url: keys.prop("base_url", d),
        variables: variables
            .map(|node| read_variables(node, VariableScope::Local, d))
            .unwrap_or_default(),
        headers: keys.prop("headers", d),
        timeout: keys.duration("timeout", d),
        rate_limit: read_rate_limit(keys, d),
        retry: read_retry(keys, d),
        concurrency: keys.positive("concurrency", d).map(|n| (n as usize).max(1)),
        auth: match auth {
            None => None,
            Some(read) => Some(read?),
        },
    })
}

fn read_auth(node: &Node, d: &mut Diagnostics) -> Option<Auth> {
    let (kind, shape, _) = tagged(node, "`auth`", "type", AUTH, Code::BadValue, d)?;
    let keys = Keys::new(node, shape, d)?;
    if kind == "oauth2" {
        return read_oauth2(&keys, d);
    }
    let mut text = |key: &str| keys.prop(key, d);
    Some(match kind {
        "digest_auth" => {
            let (username, password) = (text("username"), text("password"));
            Auth::Digest {
                username: username?,
                password: password?,
            }
        }
        "basic_auth" => {
            let (username, password) = (text("username"), text("password"));
            Auth::Basic {
                username: username?,
                password: password?,
            }
        }
        "bearer_token" => Auth::Bearer {
            token: text("token")?,
        },
        _ => {
            let (name, value) = (text("key_name"), text("key_value"));
            let in_query = keys.choice("add_to", d) == Some("query");
            Auth::ApiKey {
                name: name?,
                value: value?,
                in_query,
            }
        }
    })
}

/// What each grant needs besides what all need.
pub const GRANTS: [(&str, &[&str]); 3] = [
    ("password", &["username", "password"]),
    ("client_credentials", &["client_secret"]),
    ("refresh_token", &["refresh_token"]),
];

fn read_oauth2(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<Auth> {
    let word = keys.choice("grant_type", d);
    let needed = GRANTS.iter().find(|(grant, _)| Some(*grant) == word);
    for key in needed
        .iter()
        .flat_map(|(_, keys)| *keys)
        .filter(|key| !keys.has(key))
    {
        let message = format!(
            "`auth` of type oauth2 needs `{key}` for `grant_type: {}`",
            word.unwrap_or_default()
        );
        d.error(Code::MissingKey, keys.place().clone(), message);
    }
    let mut text = |key: &str| keys.prop(key, d);
    let oauth2 = OAuth2 {
        grant: match word? {
            "client_credentials" => GrantType::ClientCredentials,
            "refresh_token" => GrantType::RefreshToken,
            _ => GrantType::Password,
        },
        client_secret: text("client_secret"),
        username: text("username"),
        password: text("password"),
        refresh_token: text("refresh_token"),
        scope: text("scope"),
        token_endpoint: text("token_endpoint")?,
        client_id: text("client_id")?,
    };
    Some(Auth::OAuth2(Box::new(oauth2)))
}

/// The long form of a flow's file.
pub static FLOW: Shape = Shape {
    what: "a flow",
    doc: "A flow: a list of steps.",
    with: &[],
    keys: &[
        Key::new("description", Form::Name, "What the flow is for."),
        Key::new("title", Form::Name, "The flow's name for people."),
        Key::new("steps", Form::Steps, "The steps.").required(),
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
            let texts = [keys.name("description", d), keys.name("title", d)];
            drop(texts);
            keys.node("steps")
                .map(|steps| crate::ops::read_steps(steps, d))
                .unwrap_or_default()
        }
        _ => crate::ops::read_steps(&node, d),
    }
}
