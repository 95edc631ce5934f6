//! `auth` of an http source.

use super::{Form, Key, Keys, Node, Shape, tagged};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{Prop, Uses};

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

impl Auth {
    /// Adds what the credentials use.
    pub fn collect(&self, uses: &mut Uses) {
        match self {
            Auth::OAuth2(oauth2) => {
                oauth2.token_endpoint.collect(uses);
                oauth2.client_id.collect(uses);
                let optional = [
                    &oauth2.client_secret,
                    &oauth2.username,
                    &oauth2.password,
                    &oauth2.refresh_token,
                    &oauth2.scope,
                ];
                optional.into_iter().flatten().for_each(|p| p.collect(uses));
            }
            Auth::Basic { username, password } | Auth::Digest { username, password } => {
                username.collect(uses);
                password.collect(uses);
            }
            Auth::Bearer { token } => token.collect(uses),
            Auth::ApiKey { name, value, .. } => {
                name.collect(uses);
                value.collect(uses);
            }
        }
    }
}

static AUTH_TYPE: Shape = Shape {
    what: "`auth`",
    doc: "How requests prove who they are.",
    with: &[],
    keys: &[Key::new("type", Form::Name, "The kind of auth.").required()],
};

/// Every kind of auth.
pub static AUTH: &[(&str, &Shape)] = &[
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

/// Reads `auth`.
pub fn read_auth(node: &Node, d: &mut Diagnostics) -> Option<Auth> {
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
