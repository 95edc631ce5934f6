//! `auth` of an http source.

use serde::{Deserialize, Serialize};

use super::{Form, Key, Keys, Node, Shape, tagged};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;

/// How requests of a source prove who they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthSpec {
    Basic { username: Prop, password: Prop },
    Bearer { token: Prop },
    ApiKey { name: Prop, value: Prop, in_query: bool },
    Digest { username: Prop, password: Prop },
    OAuth2(Box<OAuth2Spec>),
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

/// What a token is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    Password,
    ClientCredentials,
    RefreshToken,
}

/// `auth` of type oauth2.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OAuth2Spec {
    pub grant: GrantType,
    pub token_endpoint: Prop,
    pub client_id: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Prop>,
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
                Key::new("password", Form::Text, "The password; empty when left out."),
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
                    "How requests are signed; HMAC-SHA1 when left out.",
                ),
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
        return read_oauth2(&keys, d);
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

/// What each grant needs besides what all need.
pub const GRANTS: [(&str, &[&str]); 3] = [
    ("password", &["username", "password"]),
    ("client_credentials", &["client_secret"]),
    ("refresh_token", &["refresh_token"]),
];

fn read_oauth2(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<AuthSpec> {
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
    let oauth2 = OAuth2Spec {
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
    Some(AuthSpec::OAuth2(Box::new(oauth2)))
}
