//! A source as a plan may show it: with its expressions, without the values of its secrets.

use serde_json::Value as Json;
use url::Url;

use super::{AuthSpec, Source, SourceKind};
use crate::expr::{EachProp, Prop};

/// What stands for a value that is not shown.
const HIDDEN: &str = "***";

/// Parts of names whose values are secrets.
const SECRETS: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "key",
    "authorization",
    "cookie",
    "credential",
    "signature",
];

impl Source {
    /// Returns the source with `***` for each secret that is given as a plain value. Expressions stay: what they look
    /// up is no part of them.
    pub fn without_secrets(&self) -> Source {
        let mut source = self.clone();
        match &mut source.kind {
            SourceKind::Http(http) => {
                http.headers.iter_mut().for_each(hide_named);
                for variable in &mut http.variables {
                    match is_secret(&variable.name) {
                        true => hide(&mut variable.value),
                        false => hide_named(&mut variable.value),
                    }
                }
                http.base_url.iter_mut().for_each(hide_in_url);
                http.auth.iter_mut().for_each(hide_auth);
            }
            SourceKind::Database(database) => database.kind_mut().hide_secrets(),
        }
        source
    }
}

fn hide_auth(auth: &mut AuthSpec) {
    match auth {
        AuthSpec::OAuth2(oauth2) => {
            let secrets = [
                &mut oauth2.client_secret,
                &mut oauth2.password,
                &mut oauth2.refresh_token,
            ];
            secrets.into_iter().flatten().for_each(hide);
        }
        AuthSpec::Basic { password, .. } | AuthSpec::Digest { password, .. } => hide(password),
        AuthSpec::ApiKey { value, .. } => hide(value),
        AuthSpec::AwsSigv4(aws) => {
            aws.secret_access_key.each_prop_mut(&mut hide);
            aws.session_token.each_prop_mut(&mut hide);
        }
        AuthSpec::Bearer { .. } | AuthSpec::OAuth1(_) => auth.each_prop_mut(&mut hide),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRETS.iter().any(|part| name.contains(part))
}

/// Hides a value, and those inside it.
pub(super) fn hide(prop: &mut Prop) {
    match prop {
        Prop::Literal(json) => *json = HIDDEN.into(),
        Prop::Map(entries) => entries.iter_mut().for_each(|(_, inner)| hide(inner)),
        Prop::List(items) => items.iter_mut().for_each(hide),
        Prop::Jinja { .. } | Prop::Python { .. } => {}
    }
}

/// Hides the entries of a map whose names say that they are secrets, and passwords in urls.
pub(super) fn hide_named(prop: &mut Prop) {
    match prop {
        Prop::Map(entries) => {
            for (name, inner) in entries {
                match is_secret(name) {
                    true => hide(inner),
                    false => hide_named(inner),
                }
            }
        }
        Prop::List(items) => items.iter_mut().for_each(hide_named),
        Prop::Literal(json) => hide_json(json),
        Prop::Jinja { .. } | Prop::Python { .. } => {}
    }
}

fn hide_json(json: &mut Json) {
    match json {
        Json::Object(entries) => {
            for (name, inner) in entries {
                match is_secret(name) {
                    true => *inner = HIDDEN.into(),
                    false => hide_json(inner),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(hide_json),
        Json::String(text) => {
            if let Some(hidden) = url_without_secrets(text) {
                *text = hidden;
            }
        }
        _ => {}
    }
}

/// Hides what is secret in a connection string.
pub(super) fn hide_in_url(prop: &mut Prop) {
    let Prop::Literal(json) = prop else { return };
    match json.as_str() {
        // Pairs of names and values, as some drivers take them.
        Some(text) if Url::parse(text).is_err() && is_secret(text) => *json = HIDDEN.into(),
        _ => hide_json(json),
    }
}

/// A url with its password and the secrets of its query hidden; none where there are none.
fn url_without_secrets(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let secret_pairs = pairs.iter().any(|(name, _)| is_secret(name));
    if url.password().is_none() && !secret_pairs {
        return None;
    }
    if url.password().is_some() {
        let _ = url.set_password(Some(HIDDEN));
    }
    if secret_pairs {
        let shown = pairs.iter().map(|(name, value)| match is_secret(name) {
            true => (name.as_str(), HIDDEN),
            false => (name.as_str(), value.as_str()),
        });
        url.query_pairs_mut().clear().extend_pairs(shown);
    }
    Some(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::url_without_secrets;

    #[test]
    fn urls_show_no_secrets() {
        let hidden = |url| url_without_secrets(url).unwrap_or_else(|| "as it is".into());
        assert_eq!(hidden("postgresql://u:p@h/d"), "postgresql://u:***@h/d");
        assert_eq!(
            hidden("postgresql://u@h/d?password=p&a=b"),
            "postgresql://u@h/d?password=***&a=b"
        );
        assert_eq!(hidden("postgresql://u@h/d?a=b"), "as it is");
        assert_eq!(hidden("no url"), "as it is");
    }
}
