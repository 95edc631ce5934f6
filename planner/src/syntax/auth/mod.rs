//! `auth` of an http source.

mod jwt;
mod oauth2;
mod session;

use serde::{Deserialize, Serialize};

use super::{Form, Key, Keys, Node, Shape, tagged};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;

pub use jwt::{JwtAlgorithm, JwtKey, JwtSpec};
pub use oauth2::{ClientAuth, GRANTS, GrantType, OAuth2Spec};
pub use session::SessionSpec;

/// How requests of a source prove who they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthSpec {
    Basic {
        username: Prop,
        password: Prop,
    },
    Bearer {
        token: Prop,
    },
    ApiKey {
        name: Prop,
        value: Prop,
        in_query: bool,
    },
    Digest {
        username: Prop,
        password: Prop,
    },
    OAuth2(Box<OAuth2Spec>),
    /// A token that a login gives.
    Session(Box<SessionSpec>),
    /// A token that is signed here.
    Jwt(Box<JwtSpec>),
    OAuth1(Box<OAuth1Spec>),
    AwsSigv4(Box<AwsSigv4Spec>),
}

/// `auth` of type oauth1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OAuth1Spec {
    pub consumer_key: Prop,
    pub consumer_secret: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<Prop>,
    /// HMAC with SHA-256 instead of SHA-1.
    pub sha256: bool,
}

/// `auth` of type aws_sigv4.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AwsSigv4Spec {
    pub access_key_id: Prop,
    pub secret_access_key: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Prop>,
    pub region: Prop,
    pub service: Prop,
}

pub(super) static AUTH_TYPE: Shape = Shape {
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
                Key::new("password", Form::Text, "The password.").default("empty"),
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
                Key::new("add_to", Form::Choice(&["header", "query"]), "Where it goes.").default("`header`"),
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
    ("oauth2", &oauth2::OAUTH2),
    ("session_token", &session::SESSION),
    ("jwt", &jwt::JWT),
    (
        "oauth1",
        &Shape {
            what: "`auth` of type oauth1",
            doc: "Requests are signed as OAuth 1.0 says (RFC 5849).",
            with: &[&AUTH_TYPE],
            keys: &[
                Key::new("consumer_key", Form::Text, "The client.").required(),
                Key::new("consumer_secret", Form::Text, "The client's secret.").required(),
                Key::new("token", Form::Text, "The access token."),
                Key::new("token_secret", Form::Text, "The access token's secret."),
                Key::new(
                    "signature_method",
                    Form::Choice(&["HMAC-SHA1", "HMAC-SHA256"]),
                    "How requests are signed.",
                )
                .default("`HMAC-SHA1`"),
                Key::new(
                    "realm",
                    Form::Text,
                    "The realm that some servers ask for, like NetSuite's account.",
                ),
            ],
        },
    ),
    (
        "aws_sigv4",
        &Shape {
            what: "`auth` of type aws_sigv4",
            doc: "Requests are signed as AWS asks for (Signature Version 4).",
            with: &[&AUTH_TYPE],
            keys: &[
                Key::new("access_key_id", Form::Text, "The access key.").required(),
                Key::new("secret_access_key", Form::Text, "The access key's secret.").required(),
                Key::new(
                    "session_token",
                    Form::Text,
                    "The token that belongs to temporary keys.",
                ),
                Key::new("region", Form::Text, "The region, like eu-central-1.").required(),
                Key::new("service", Form::Text, "The service, like execute-api or s3.").required(),
            ],
        },
    ),
];

/// Reads `auth`.
pub fn read_auth(node: &Node, d: &mut Diagnostics) -> Option<AuthSpec> {
    let (kind, shape, _) = tagged(node, "`auth`", "type", AUTH, Code::BadValue, d)?;
    let keys = Keys::new(node, shape, d)?;
    if kind == "oauth2" {
        return oauth2::read(&keys, d);
    }
    if kind == "jwt" {
        return jwt::read(&keys, d);
    }
    if kind == "session_token" {
        return session::read(&keys, d);
    }
    let text = |key: &str, d: &mut Diagnostics| keys.prop(key, d);
    Some(match kind {
        "digest_auth" => {
            let (username, password) = (text("username", d), text("password", d));
            AuthSpec::Digest {
                username: username?,
                password: password?,
            }
        }
        "basic_auth" => {
            let (username, password) = (text("username", d), text("password", d));
            AuthSpec::Basic {
                username: username?,
                // Many APIs take a key as the user, and no password.
                password: password.unwrap_or_else(|| Prop::Literal("".into())),
            }
        }
        "oauth1" => {
            let pair = ["token", "token_secret"];
            if let [true, false] | [false, true] = pair.map(|key| keys.has(key)) {
                let missing = if keys.has(pair[0]) { pair[1] } else { pair[0] };
                let message = format!("`auth` of type oauth1 needs `{missing}`, too");
                d.error(Code::MissingKey, keys.place().clone(), message).help(
                    "a token and its secret belong together; leave both out for requests without a user",
                );
                return None;
            }
            let (consumer_key, consumer_secret) = (text("consumer_key", d), text("consumer_secret", d));
            AuthSpec::OAuth1(Box::new(OAuth1Spec {
                token: text("token", d),
                token_secret: text("token_secret", d),
                realm: text("realm", d),
                sha256: keys.choice("signature_method", d) == Some("HMAC-SHA256"),
                consumer_key: consumer_key?,
                consumer_secret: consumer_secret?,
            }))
        }
        "aws_sigv4" => {
            let (access_key_id, secret_access_key) = (text("access_key_id", d), text("secret_access_key", d));
            let (region, service) = (text("region", d), text("service", d));
            AuthSpec::AwsSigv4(Box::new(AwsSigv4Spec {
                session_token: text("session_token", d),
                access_key_id: access_key_id?,
                secret_access_key: secret_access_key?,
                region: region?,
                service: service?,
            }))
        }
        "bearer_token" => AuthSpec::Bearer {
            token: text("token", d)?,
        },
        _ => {
            let (name, value) = (text("key_name", d), text("key_value", d));
            let in_query = keys.choice("add_to", d) == Some("query");
            AuthSpec::ApiKey {
                name: name?,
                value: value?,
                in_query,
            }
        }
    })
}
