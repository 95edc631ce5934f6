//! `auth` of type session_token: a login gives a token that requests carry, until the API forgets it.

use serde::{Deserialize, Serialize};

use super::super::data_path::{self, DataPath};
use super::super::{Form, Key, Keys, Shape};
use super::{AUTH_TYPE, AuthSpec};
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;

/// `auth` of type session_token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionSpec {
    pub url: Prop,
    pub method: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Prop>,
    /// Where the token is in the answer.
    pub token_path: DataPath,
    /// Seconds that it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<f64>,
    /// Where the answer says how many seconds it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_path: Option<DataPath>,
    pub key_name: Prop,
    pub in_query: bool,
    /// What stands before the token, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prop>,
}

static LOGIN: Shape = Shape {
    what: "a login",
    doc: "The request that gives a token.",
    with: &[],
    keys: &[
        Key::new(
            "url",
            Form::Text,
            "The whole url, or a path from `/` that is joined to `base_url`.",
        )
        .required(),
        Key::new("method", Form::Text, "The HTTP method.").default("`POST`"),
        Key::new("headers", Form::Entries, "Headers of the login alone."),
        Key::new("body", Form::Value, "The body, written as JSON."),
    ],
};

/// The keys of it.
pub(super) static SESSION: Shape = Shape {
    what: "`auth` of type session_token",
    doc: "A token that a login gives. One new login follows where it is refused.",
    with: &[&AUTH_TYPE],
    keys: &[
        Key::new("login", Form::Map(&LOGIN), "The request that gives a token.").required(),
        Key::new("token_path", Form::Path, "Where the token is in the answer.").required(),
        Key::new("expires_in", Form::Duration, "How long a token lives.").default("until it is refused"),
        Key::new(
            "expires_in_path",
            Form::Path,
            "Where the answer says how many seconds it lives.",
        ),
        Key::new(
            "add_to",
            Form::Choice(&["header", "query"]),
            "Where the token goes.",
        )
        .default("`header`"),
        Key::new("key_name", Form::Text, "The name of the header or parameter.").default("`Authorization`"),
        Key::new(
            "prefix",
            Form::Text,
            "What stands before the token, as it is: `\"Bearer \"`.",
        ),
    ],
};

/// Reads `auth` of type session_token.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<AuthSpec> {
    let path = |key: &str, d: &mut Diagnostics| match keys.has(key) {
        true => data_path::read(keys, key, d).map(Some),
        false => Some(None),
    };
    let (token_path, expires_in_path) = (path("token_path", d)?, path("expires_in_path", d)?);
    let login = Keys::new(keys.node("login")?, &LOGIN, d)?;
    let post = || Prop::Literal("POST".into());
    Some(AuthSpec::Session(Box::new(SessionSpec {
        method: login.prop("method", d).unwrap_or_else(post),
        headers: login.prop("headers", d),
        body: login.prop("body", d),
        url: login.prop("url", d)?,
        token_path: token_path?,
        expires_in: keys.duration("expires_in", d),
        expires_in_path,
        key_name: keys
            .prop("key_name", d)
            .unwrap_or_else(|| Prop::Literal("Authorization".into())),
        in_query: keys.choice("add_to", d) == Some("query"),
        prefix: keys.prop("prefix", d),
    })))
}
