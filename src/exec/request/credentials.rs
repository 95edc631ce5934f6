//! The credentials of an http source, evaluated for a step. Secrets are masked from then on.

use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::ops::BodyFormat;
use sequor_planner::syntax::{AuthSpec, GrantType, JwtKey, JwtSpec, OAuth2Spec, SessionSpec};
use serde_json::{Map, Value as Json};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::api::{Api, seconds};
use crate::exec::context::StepContext;
use crate::http::{
    Auth, AwsSigv4, Body, Digest, Grant, JwtSettings, OAuth1, OAuth2Settings, Parts, SessionSettings,
};
use crate::secret::Secret;
use crate::value::Value;

/// The texts of optional properties.
struct Texts<'a>(&'a StepContext);

impl Texts<'_> {
    async fn text(&self, prop: &Prop) -> Result<String> {
        self.0.text(prop).await
    }

    async fn secret(&self, prop: &Prop) -> Result<Secret> {
        self.0.secret(prop).await
    }

    async fn optional(&self, prop: &Option<Prop>) -> Result<Option<String>> {
        match prop {
            Some(prop) => self.text(prop).await.map(Some),
            None => Ok(None),
        }
    }

    async fn optional_secret(&self, prop: &Option<Prop>) -> Result<Option<Secret>> {
        match prop {
            Some(prop) => self.secret(prop).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Returns the auth and the base url of a source.
pub async fn evaluate(step: &StepContext, api: &Api) -> Result<(Option<Auth>, Option<String>)> {
    let Some(source) = &api.source else {
        return Ok((None, None));
    };
    let texts = Texts(step);
    let base_url = texts.optional(&source.base_url).await?;
    let auth = match &source.auth {
        None => None,
        Some(AuthSpec::Basic { username, password }) => {
            let username = texts.text(username).await?;
            let password = texts.secret(password).await?;
            step.run.redactor.add(&Auth::basic_pair(&username, &password));
            Some(Auth::Basic { username, password })
        }
        Some(AuthSpec::Bearer { token }) => Some(Auth::Bearer {
            token: texts.secret(token).await?,
        }),
        Some(AuthSpec::ApiKey {
            name,
            value,
            in_query,
        }) => Some(Auth::ApiKey {
            name: texts.text(name).await?,
            value: texts.secret(value).await?,
            in_query: *in_query,
        }),
        Some(AuthSpec::Digest { username, password }) => {
            let (username, password) = (texts.text(username).await?, texts.secret(password).await?);
            Some(Auth::Digest(Arc::new(Digest::new(username, password))))
        }
        Some(AuthSpec::OAuth2(given)) => {
            let settings = oauth2(&texts, given).await?;
            Some(Auth::OAuth2(api.oauth2(settings, &step.run.redactor)))
        }
        Some(AuthSpec::Session(given)) => {
            let session = session(&texts, given, base_url.as_deref()).await?;
            Some(Auth::Session(api.session(session, &step.run.redactor)))
        }
        Some(AuthSpec::Jwt(given)) => {
            let settings = jwt(&texts, given).await?;
            Some(Auth::Jwt(api.jwt(settings, &step.run.redactor)))
        }
        Some(AuthSpec::OAuth1(given)) => {
            let token = match (&given.token, &given.token_secret) {
                (None, None) => None,
                (token, secret) => Some((
                    texts.optional(token).await?.unwrap_or_default(),
                    texts
                        .optional_secret(secret)
                        .await?
                        .unwrap_or_else(|| Secret::new("")),
                )),
            };
            Some(Auth::OAuth1(Arc::new(OAuth1 {
                consumer_key: texts.text(&given.consumer_key).await?,
                consumer_secret: texts.secret(&given.consumer_secret).await?,
                token,
                realm: texts.optional(&given.realm).await?,
                sha256: given.sha256,
            })))
        }
        Some(AuthSpec::AwsSigv4(given)) => Some(Auth::AwsSigv4(Arc::new(AwsSigv4 {
            access_key_id: texts.text(&given.access_key_id).await?,
            secret_access_key: texts.secret(&given.secret_access_key).await?,
            session_token: texts.optional_secret(&given.session_token).await?,
            region: texts.text(&given.region).await?,
            service: texts.text(&given.service).await?,
        }))),
    };
    Ok((auth, base_url))
}

/// How the body of a login is written: as its content type says, and JSON where it says nothing.
fn login_format(headers: Option<&Value>, body: Option<&Value>) -> BodyFormat {
    let content_type = match headers {
        Some(Value::Map(entries)) => entries
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            .map(|(_, value)| value.to_text().to_ascii_lowercase()),
        _ => None,
    };
    match (content_type, body) {
        (Some(form), Some(Value::Map(_))) if form.contains("form-urlencoded") => BodyFormat::FormUrlencoded,
        (Some(other), Some(Value::Text(_))) if !other.contains("json") => BodyFormat::Text,
        _ => BodyFormat::Json,
    }
}

/// The login of a source. All of its headers and its body are secrets.
async fn session(texts: &Texts<'_>, given: &SessionSpec, base_url: Option<&str>) -> Result<SessionSettings> {
    let optional = async |prop: &Option<Prop>| match prop {
        Some(prop) => texts.0.value(prop).await.map(Some),
        None => Ok(None),
    };
    let (headers, body) = (optional(&given.headers).await?, optional(&given.body).await?);
    for value in [&headers, &body].into_iter().flatten() {
        texts.0.hide(value);
    }
    let format = login_format(headers.as_ref(), body.as_ref());
    let login = crate::http::build(Parts {
        base_url,
        url: texts.0.value(&given.url).await?,
        method: texts.0.value(&given.method).await?,
        path_parameters: None,
        parameters: None,
        replaced: Vec::new(),
        headers: [None, headers, None],
        body: body.map(|value| Body {
            format,
            value,
            folder: &texts.0.run.folder,
        }),
        idempotency_key: None,
        timeout: None,
        total_timeout: None,
    });
    Ok(SessionSettings {
        login: login.map_err(|e| e.context("`login` of the source's auth"))?,
        token_path: given.token_path.clone(),
        lives: given.expires_in.map(seconds),
        lives_path: given.expires_in_path.clone(),
        key_name: texts.text(&given.key_name).await?,
        in_query: given.in_query,
        prefix: texts.optional(&given.prefix).await?.unwrap_or_default(),
    })
}

/// What a token is signed with, and what it says.
async fn jwt(texts: &Texts<'_>, given: &JwtSpec) -> Result<JwtSettings> {
    let key = match &given.key {
        JwtKey::Text(key) => texts.secret(key).await?,
        JwtKey::File(path) => {
            let path = texts.0.run.folder.join(texts.text(path).await?);
            let key = tokio::fs::read_to_string(&path).await.map_err(|e| {
                let message = format!("`key_path`: {} can't be read: {e}", path.display());
                Error::new(ErrorKind::Project, message)
            })?;
            Secret::new(key)
        }
    };
    let entries = async |prop: &Option<Prop>, name: &str| {
        let Some(prop) = prop else { return Ok(Map::new()) };
        let json = serde_json::to_value(texts.0.value(prop).await?);
        match json.map_err(|e| Error::new(ErrorKind::Data, e.to_string()))? {
            Json::Object(entries) => Ok(entries
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .collect()),
            Json::Null => Ok(Map::new()),
            _ => Err(Error::new(
                ErrorKind::Project,
                format!("`{name}` of the source's `auth` must be a map"),
            )),
        }
    };
    Ok(JwtSettings {
        algorithm: given.algorithm,
        key,
        claims: entries(&given.claims, "claims").await?,
        headers: entries(&given.headers, "headers").await?,
        lives: given.expires_in.map(seconds),
    })
}

async fn oauth2(texts: &Texts<'_>, given: &OAuth2Spec) -> Result<OAuth2Settings> {
    let missing = |key: &str| {
        Error::new(
            ErrorKind::Project,
            format!("`auth` of type oauth2 needs `{key}` for this grant"),
        )
    };
    let grant = match given.grant {
        GrantType::Password => {
            let username = given.username.as_ref().ok_or_else(|| missing("username"))?;
            let password = given.password.as_ref().ok_or_else(|| missing("password"))?;
            Grant::Password {
                username: texts.text(username).await?,
                password: texts.secret(password).await?,
            }
        }
        GrantType::ClientCredentials => Grant::ClientCredentials,
        GrantType::RefreshToken => {
            let token = given
                .refresh_token
                .as_ref()
                .ok_or_else(|| missing("refresh_token"))?;
            Grant::RefreshToken(texts.secret(token).await?)
        }
        GrantType::JwtBearer => {
            let assertion = given.assertion.as_ref().ok_or_else(|| missing("algorithm"))?;
            let mut signed = jwt(texts, assertion).await?;
            // The server is whom the token is for (RFC 7523, 3).
            let audience = texts.text(&given.token_endpoint).await?;
            signed
                .claims
                .entry("aud")
                .or_insert_with(|| audience.trim().into());
            Grant::JwtBearer(Box::new(signed))
        }
    };
    let endpoint = texts.text(&given.token_endpoint).await?;
    let token_endpoint = Url::parse(endpoint.trim()).map_err(|e| {
        Error::new(
            ErrorKind::Project,
            format!("`token_endpoint` `{endpoint}` is not a url: {e}"),
        )
    })?;
    let client_secret = texts.optional_secret(&given.client_secret).await?;
    let scope = texts.optional(&given.scope).await?;
    let mut extra = Vec::new();
    for (name, prop) in [("audience", &given.audience), ("resource", &given.resource)] {
        extra.extend(texts.optional(prop).await?.map(|text| (name.to_string(), text)));
    }
    if let Some(prop) = &given.extra_parameters {
        extra.extend(crate::http::pairs(
            &texts.0.value(prop).await?,
            "extra_parameters",
        )?);
    }
    Ok(OAuth2Settings {
        grant,
        extra,
        client_auth: given.client_auth,
        token_path: given.token_path.clone(),
        token_endpoint,
        client_id: texts.optional(&given.client_id).await?.unwrap_or_default(),
        client_secret,
        scope,
    })
}
