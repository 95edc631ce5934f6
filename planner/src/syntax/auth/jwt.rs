//! Tokens that the client signs itself (RFC 7519): as they are, or as what an oauth2 server gives a token for (RFC 7523).

use serde::{Deserialize, Serialize};

use super::super::{Form, Key, Keys, Shape};
use super::{AUTH_TYPE, AuthSpec};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;

/// What a token is signed with, and what it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JwtSpec {
    pub algorithm: JwtAlgorithm,
    pub key: JwtKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Prop>,
    /// Seconds that a token lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<f64>,
}

/// Where the key is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JwtKey {
    /// The shared secret, or the text of a PEM file.
    Text(Prop),
    /// A file of it.
    File(Prop),
}

/// How a token is signed (RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JwtAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Es256,
}

/// The algorithms by their names.
const ALGORITHMS: [(&str, JwtAlgorithm); 5] = [
    ("HS256", JwtAlgorithm::Hs256),
    ("HS384", JwtAlgorithm::Hs384),
    ("HS512", JwtAlgorithm::Hs512),
    ("RS256", JwtAlgorithm::Rs256),
    ("ES256", JwtAlgorithm::Es256),
];

/// The keys of it.
pub(super) static JWT: Shape = Shape {
    what: "`auth` of type jwt",
    doc: "A JSON Web Token (RFC 7519) that is signed here, in the Authorization header.",
    with: &[&AUTH_TYPE, &SIGNED],
    keys: &[],
};

/// The keys of a token that is signed here.
pub(super) static SIGNED: Shape = Shape {
    what: "a token",
    doc: "A token that is signed here.",
    with: &[],
    keys: &[
        Key::new(
            "algorithm",
            Form::Choice(&["HS256", "HS384", "HS512", "RS256", "ES256"]),
            "How a token is signed (RFC 7518).",
        ),
        Key::new(
            "key",
            Form::Text,
            "What signs it: the shared secret of HS256 and its kin, for RS256 and ES256 the private key in PEM.",
        ),
        Key::new(
            "key_path",
            Form::Text,
            "The file that holds the key, from the project's folder.",
        ),
        Key::new(
            "claims",
            Form::Entries,
            "What the token says: `{iss: ..., sub: ..., aud: ...}`. `iat` and `exp` are added.",
        ),
        Key::new(
            "headers",
            Form::Entries,
            "What its header says besides `alg` and `typ`: `{kid: ...}`.",
        ),
        Key::new(
            "expires_in",
            Form::Duration,
            "How long a token lives; then another is signed.",
        )
        .default("5 minutes"),
    ],
};

/// Reads `auth` of type jwt.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<AuthSpec> {
    signed(keys, d).map(|jwt| AuthSpec::Jwt(Box::new(jwt)))
}

/// Reads the keys of a token that is signed here.
pub(super) fn signed(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<JwtSpec> {
    if !keys.has("algorithm") {
        let message = format!("{} needs `algorithm`", keys.what());
        d.error(Code::MissingKey, keys.place().clone(), message);
    }
    match (keys.has("key"), keys.has("key_path")) {
        (false, false) => {
            let message = format!("{} needs `key` or `key_path`", keys.what());
            d.error(Code::MissingKey, keys.place().clone(), message);
        }
        (true, true) => {
            let place = keys.place_of("key_path").cloned();
            d.error(Code::BothForms, place, "both `key` and `key_path` are given")
                .help("keep one of them");
        }
        _ => {}
    }
    let algorithm = keys.pick("algorithm", &ALGORITHMS, d);
    let key = keys.prop("key", d).map(JwtKey::Text);
    let key = key.or_else(|| keys.prop("key_path", d).map(JwtKey::File));
    let expires_in = keys.duration("expires_in", d);
    Some(JwtSpec {
        claims: keys.prop("claims", d),
        headers: keys.prop("headers", d),
        expires_in,
        algorithm: algorithm?,
        key: key?,
    })
}
