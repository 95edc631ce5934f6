//! `auth` of type oauth2: tokens that are fetched, kept and renewed.

use serde::{Deserialize, Serialize};

use super::super::data_path::{self, DataPath};
use super::super::{Form, Key, Keys, Shape};
use super::jwt::{self, JwtSpec, SIGNED};
use super::{AUTH_TYPE, AuthSpec};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;

/// What a token is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    Password,
    ClientCredentials,
    RefreshToken,
    /// A token signed here (RFC 7523): that of a service account.
    JwtBearer,
}

/// `auth` of type oauth2.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OAuth2Spec {
    pub grant: GrantType,
    pub token_endpoint: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Prop>,
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
    /// How the client shows who it is; none: as 1.x did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Prop>,
    /// What else goes into the request for a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_parameters: Option<Prop>,
    /// Where the token is in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_path: Option<DataPath>,
    /// What is signed for `jwt_bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Box<JwtSpec>>,
}

/// How a client shows who it is (RFC 6749, 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Its id and secret are in the body.
    Body,
    /// They are in the header `Authorization`.
    Basic,
}

/// The keys of it.
pub(super) static OAUTH2: Shape = Shape {
    what: "`auth` of type oauth2",
    doc: "A token of OAuth 2.0 (RFC 6749), fetched, kept and renewed.",
    with: &[&AUTH_TYPE, &SIGNED],
    keys: &[
        Key::new(
            "grant_type",
            Form::Choice(&["password", "client_credentials", "refresh_token", "jwt_bearer"]),
            "What the token is given for. With `jwt_bearer` it is a token signed here, as service accounts have them: by `algorithm`, `key` or `key_path`, and `claims`.",
        )
        .required(),
        Key::new("token_endpoint", Form::Text, "The url that gives tokens.").required(),
        Key::new("client_id", Form::Text, "The client; not needed for `jwt_bearer`."),
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
        Key::new(
            "client_auth",
            Form::Choice(&["body", "basic"]),
            "How the client shows who it is: in the body, or by basic auth.",
        ).default("in the body; with `grant_type: password` in both"),
        Key::new("audience", Form::Text, "Whom the token is for."),
        Key::new("resource", Form::Text, "What the token is for (RFC 8707)."),
        Key::new(
            "extra_parameters",
            Form::Entries,
            "What else the request for a token says.",
        ),
        Key::new(
            "token_path",
            Form::Path,
            "Where the token is in the answer.",
        ).default("`access_token`"),
    ],
};

/// What each grant needs besides what all need.
pub const GRANTS: [(&str, &[&str]); 4] = [
    ("password", &["client_id", "username", "password"]),
    ("client_credentials", &["client_id", "client_secret"]),
    ("refresh_token", &["client_id", "refresh_token"]),
    ("jwt_bearer", &["algorithm"]),
];

/// The keys that one grant alone has.
const OF_GRANT: [(&str, &[&str]); 2] = [
    ("password", &["username", "password"]),
    ("refresh_token", &["refresh_token"]),
];

/// Reads `auth` of type oauth2.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<AuthSpec> {
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
    let of_others = OF_GRANT
        .iter()
        .flat_map(|(grant, own)| own.iter().map(|key| (*grant, *key)));
    let of_others = of_others.chain(SIGNED.keys.iter().map(|key| ("jwt_bearer", key.name)));
    for (grant, key) in of_others.filter(|(grant, _)| word.is_some_and(|word| word != *grant)) {
        if keys.has(key) {
            let message = format!(
                "`{key}` is for `grant_type: {grant}`, and this is {}",
                word.unwrap_or_default()
            );
            let place = keys.place_of(key).cloned();
            // 1.x took these and did nothing with them.
            let told = match grant {
                "jwt_bearer" => d.error(Code::BadValue, place, message),
                _ => d.warning(Code::BadValue, place, message),
            };
            told.help(format!("leave `{key}` out"));
        }
    }
    let assertion = match word {
        Some("jwt_bearer") => Some(Box::new(jwt::signed(keys, d)?)),
        _ => None,
    };
    let token_path = match keys.has("token_path") {
        true => Some(data_path::read(keys, "token_path", d)?),
        false => None,
    };
    let client_auth = keys.choice("client_auth", d).map(|word| match word {
        "basic" => ClientAuth::Basic,
        _ => ClientAuth::Body,
    });
    let mut text = |key: &str| keys.prop(key, d);
    let oauth2 = OAuth2Spec {
        grant: match word? {
            "client_credentials" => GrantType::ClientCredentials,
            "refresh_token" => GrantType::RefreshToken,
            "jwt_bearer" => GrantType::JwtBearer,
            _ => GrantType::Password,
        },
        client_secret: text("client_secret"),
        username: text("username"),
        password: text("password"),
        refresh_token: text("refresh_token"),
        scope: text("scope"),
        client_auth,
        audience: text("audience"),
        resource: text("resource"),
        extra_parameters: text("extra_parameters"),
        token_path,
        token_endpoint: text("token_endpoint")?,
        client_id: text("client_id"),
        assertion,
    };
    Some(AuthSpec::OAuth2(Box::new(oauth2)))
}
