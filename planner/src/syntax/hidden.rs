//! A source as a plan may show it: with its expressions, without the values of its secrets.

use serde_json::Value as Json;
use url::Url;

use super::{AuthSpec, JwtKey, JwtSpec, Source, SourceKind};
use crate::expr::{EachProp, Prop};
use crate::secrets::is_secret_name;

/// What stands for a value that is not shown.
const HIDDEN: &str = "***";

impl Source {
    /// Returns the source with `***` for each secret that is given as a plain value. Expressions stay: what they look
    /// up is no part of them.
    pub fn without_secrets(&self) -> Source {
        let mut source = self.clone();
        match &mut source.kind {
            SourceKind::Http(http) => {
                http.headers.iter_mut().for_each(hide_named);
                for variable in &mut http.variables {
                    match is_secret_name(&variable.name) {
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
            oauth2.extra_parameters.iter_mut().for_each(hide_named);
            oauth2.assertion.iter_mut().for_each(|jwt| hide_key(jwt));
        }
        AuthSpec::Jwt(jwt) => hide_key(jwt),
        AuthSpec::Session(session) => {
            hide_in_url(&mut session.url);
            [&mut session.headers, &mut session.body]
                .into_iter()
                .flatten()
                .for_each(hide);
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

fn hide_key(jwt: &mut JwtSpec) {
    if let JwtKey::Text(key) = &mut jwt.key {
        hide(key);
    }
}

/// Hides a value, and those inside it.
pub(crate) fn hide(prop: &mut Prop) {
    match prop {
        // What is empty is no secret.
        Prop::Literal(json) if json.as_str() == Some("") => {}
        Prop::Literal(json) => *json = HIDDEN.into(),
        Prop::Map(entries) => entries.iter_mut().for_each(|(_, inner)| hide(inner)),
        Prop::List(items) => items.iter_mut().for_each(hide),
        Prop::Jinja { .. } | Prop::Python { .. } => {}
    }
}

/// Hides the entries of a map whose names say that they are secrets, and passwords in urls.
pub(crate) fn hide_named(prop: &mut Prop) {
    match prop {
        Prop::Map(entries) => {
            for (name, inner) in entries {
                match is_secret_name(name) {
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
                match is_secret_name(name) {
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
        Some(text) if Url::parse(text).is_err() && names_a_secret(text) => *json = HIDDEN.into(),
        _ => hide_json(json),
    }
}

/// Whether text like `host=h;password=p` has a pair whose name says that its value is a secret.
fn names_a_secret(text: &str) -> bool {
    let names = text
        .split([' ', ';', ',', '&', '?'])
        .filter_map(|pair| pair.split_once('='));
    names.into_iter().any(|(name, _)| is_secret_name(name.trim()))
}

/// A url with its password and the secrets of its query hidden; none where there are none.
fn url_without_secrets(text: &str) -> Option<String> {
    let Ok(mut url) = Url::parse(text) else {
        return pairs_without_secrets(text);
    };
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let secret_pairs = pairs.iter().any(|(name, _)| is_secret_name(name));
    if url.password().is_none() && !secret_pairs {
        return None;
    }
    if url.password().is_some() {
        let _ = url.set_password(Some(HIDDEN));
    }
    if secret_pairs {
        let shown = pairs.iter().map(|(name, value)| match is_secret_name(name) {
            true => (name.as_str(), HIDDEN),
            false => (name.as_str(), value.as_str()),
        });
        url.query_pairs_mut().clear().extend_pairs(shown);
    }
    Some(url.to_string())
}

/// A path with a query, or pairs as connection strings have them, with the secrets hidden; none where there are none.
fn pairs_without_secrets(text: &str) -> Option<String> {
    if !names_a_secret(text) {
        return None;
    }
    let mut shown = String::new();
    let mut rest = text;
    while let Some(end) = rest
        .find([' ', ';', ',', '&', '?'])
        .map(|at| at + 1)
        .or(Some(rest.len()))
        .filter(|_| !rest.is_empty())
    {
        let (pair, after) = rest.split_at(end);
        match pair.split_once('=') {
            Some((name, value)) if is_secret_name(name.trim()) => {
                let separator = value
                    .strip_suffix([' ', ';', ',', '&', '?'])
                    .map_or("", |v| &value[v.len()..]);
                shown.push_str(&format!("{name}={HIDDEN}{separator}"));
            }
            _ => shown.push_str(pair),
        }
        rest = after;
    }
    Some(shown)
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
        assert_eq!(hidden("/x?token=abc&page=1"), "/x?token=***&page=1");
        assert_eq!(hidden("Server=h;Uid=x;Pwd=p;"), "Server=h;Uid=x;Pwd=***;");
    }
}
