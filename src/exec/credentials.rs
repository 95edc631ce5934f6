//! The credentials of an http source, evaluated for a step. Secrets are masked from then on.

use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::syntax::{Auth as Given, GrantType, OAuth2 as GivenOAuth2};
use url::Url;

use super::api::Api;
use super::run::Run;
use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Auth, Digest, Grant, OAuth2Settings};
use crate::secret::Secret;

struct Texts<'a> {
    run: &'a Run,
    scope: &'a Scope,
}

impl Texts<'_> {
    async fn text(&self, prop: &Prop) -> Result<String> {
        Ok(self
            .run
            .evaluator
            .one(prop, &self.scope.world(), None)
            .await?
            .to_text())
    }

    async fn secret(&self, prop: &Prop) -> Result<Secret> {
        let secret = Secret::new(self.text(prop).await?);
        self.run.redactor.add(&secret);
        Ok(secret)
    }
}

/// The auth and the base url of a source.
pub async fn evaluate(run: &Run, api: &Api, scope: &Scope) -> Result<(Option<Auth>, Option<String>)> {
    let Some(source) = &api.source else {
        return Ok((None, None));
    };
    let texts = Texts { run, scope };
    let base_url = match &source.base_url {
        Some(prop) => Some(texts.text(prop).await?),
        None => None,
    };
    let auth = match &source.auth {
        None => None,
        Some(Given::Basic { username, password }) => {
            let username = texts.text(username).await?;
            let password = texts.secret(password).await?;
            run.redactor.add(&Auth::basic_pair(&username, &password));
            Some(Auth::Basic { username, password })
        }
        Some(Given::Bearer { token }) => Some(Auth::Bearer {
            token: texts.secret(token).await?,
        }),
        Some(Given::ApiKey {
            name,
            value,
            in_query,
        }) => Some(Auth::ApiKey {
            name: texts.text(name).await?,
            value: texts.secret(value).await?,
            in_query: *in_query,
        }),
        Some(Given::Digest { username, password }) => {
            let (username, password) = (texts.text(username).await?, texts.secret(password).await?);
            Some(Auth::Digest(Arc::new(Digest::new(username, password))))
        }
        Some(Given::OAuth2(given)) => {
            let settings = oauth2(&texts, given).await?;
            Some(Auth::OAuth2(api.oauth2(settings, &run.redactor)))
        }
    };
    Ok((auth, base_url))
}

async fn oauth2(texts: &Texts<'_>, given: &GivenOAuth2) -> Result<OAuth2Settings> {
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
    };
    let endpoint = texts.text(&given.token_endpoint).await?;
    let token_endpoint = Url::parse(endpoint.trim()).map_err(|e| {
        Error::new(
            ErrorKind::Project,
            format!("`token_endpoint` `{endpoint}` is not a url: {e}"),
        )
    })?;
    let client_secret = match &given.client_secret {
        Some(prop) => Some(texts.secret(prop).await?),
        None => None,
    };
    let scope = match &given.scope {
        Some(prop) => Some(texts.text(prop).await?),
        None => None,
    };
    Ok(OAuth2Settings {
        grant,
        token_endpoint,
        client_id: texts.text(&given.client_id).await?,
        client_secret,
        scope,
    })
}
