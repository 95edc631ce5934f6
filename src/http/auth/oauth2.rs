//! OAuth 2.0 (RFC 6749): a token is fetched once, kept for all requests of the source, renewed before it expires and once
//! after a 401.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use base64::Engine as _;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use sequor_planner::ops::DataPath;
use sequor_planner::syntax::ClientAuth;
use url::Url;

use super::super::transport::Transport;
use super::answer::Answer;
use super::jwt::JwtSettings;
use super::tokens::{TokenStore, token_name};
use super::{Signer, renewal, sensitive};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::exchange::{Request, Response};
use crate::secret::{Redactor, Secret};

/// A token is renewed so long before it expires: a request takes its time.
const MARGIN: Duration = Duration::from_secs(30);

/// Where recordings keep the requests for tokens.
const STEP: &str = "oauth2";

/// What proves the client's right to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    Password {
        username: String,
        password: Secret,
    },
    ClientCredentials,
    RefreshToken(Secret),
    /// A token signed here, anew each time (RFC 7523).
    JwtBearer(Box<JwtSettings>),
}

/// What a token is asked for with.
#[derive(Debug, Clone, PartialEq)]
pub struct OAuth2Settings {
    pub grant: Grant,
    pub token_endpoint: Url,
    /// Empty where the grant says who the client is.
    pub client_id: String,
    pub client_secret: Option<Secret>,
    pub scope: Option<String>,
    /// How the client shows who it is; none: as 1.x did.
    pub client_auth: Option<ClientAuth>,
    /// What else the request for a token says.
    pub extra: Vec<(String, String)>,
    /// Where the token is in the answer; none: `access_token`.
    pub token_path: Option<DataPath>,
}

/// The tokens of one client at one API.
pub struct OAuth2 {
    pub settings: OAuth2Settings,
    redactor: Redactor,
    store: Arc<dyn TokenStore>,
    /// Held while a token is fetched: however many requests wait, one asks.
    token: tokio::sync::Mutex<Option<Token>>,
}

struct Token {
    /// As requests carry it.
    header: HeaderValue,
    /// When to renew it; none: when it is refused.
    renew: Option<Instant>,
    /// Takes the place of the grant next time.
    refresh: Option<Secret>,
}

impl fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OAuth2")
    }
}

impl OAuth2 {
    /// Creates a client; nothing is asked yet.
    pub fn new(settings: OAuth2Settings, redactor: Redactor, store: Arc<dyn TokenStore>) -> OAuth2 {
        OAuth2 {
            settings,
            redactor,
            store,
            token: tokio::sync::Mutex::default(),
        }
    }

    /// A token that is good for a while, and not the one that was `refused`.
    async fn token(&self, transport: &dyn Transport, refused: Option<&HeaderValue>) -> Result<HeaderValue> {
        let mut kept = self.token.lock().await;
        if let Some(token) = &*kept {
            let fresh = token.renew.is_none_or(|renew| Instant::now() < renew);
            if fresh && refused != Some(&token.header) {
                return Ok(token.header.clone());
            }
        }
        let refresh = kept.as_ref().and_then(|token| token.refresh.clone());
        let renewed = match refresh {
            Some(refresh) => match self.ask(transport, &Grant::RefreshToken(refresh)).await {
                // A refresh token does not live for ever: the grant itself is asked again.
                Err(error) if error.kind() == ErrorKind::Unauthorized => None,
                renewed => Some(renewed?),
            },
            None => None,
        };
        let token = match renewed {
            Some(token) => token,
            None => self.first(transport).await?,
        };
        Ok(kept.insert(token).header.clone())
    }

    /// Asks by the grant of the source. Of a refresh token that was given a new one, the newest is kept from run to run.
    async fn first(&self, transport: &dyn Transport) -> Result<Token> {
        let Grant::RefreshToken(seed) = &self.settings.grant else {
            return self.ask(transport, &self.settings.grant).await;
        };
        if let Some(kept) = self.store.token(&self.token_name(seed)).await? {
            self.redactor.add(&kept);
            match self.ask(transport, &Grant::RefreshToken(kept)).await {
                // It may have been taken back: the seed is tried, then.
                Err(error) if error.kind() == ErrorKind::Unauthorized => {}
                token => return token,
            }
        }
        self.ask(transport, &self.settings.grant).await
    }

    /// Keeps a refresh token that took the place of the one before.
    async fn keep(&self, refresh: &Option<Secret>, asked_with: &Grant) -> Result<()> {
        let (Some(new), Grant::RefreshToken(seed)) = (refresh, &self.settings.grant) else {
            return Ok(());
        };
        if matches!(asked_with, Grant::RefreshToken(old) if old == new) {
            return Ok(());
        }
        self.store.keep_token(&self.token_name(seed), new).await
    }

    fn token_name(&self, seed: &Secret) -> String {
        token_name(&self.settings.token_endpoint, &self.settings.client_id, seed)
    }

    async fn ask(&self, transport: &dyn Transport, grant: &Grant) -> Result<Token> {
        let request = self.request(grant)?;
        let again = |error: &Error| match error.kind() {
            ErrorKind::Status(status) => status == 429 || status >= 500,
            kind => kind.policy().retry != Retry::Never,
        };
        // Asking for a token twice does no harm.
        let ask = || async { self.read(&transport.send(STEP, &request).await?, grant).await };
        let answer = ask.retry(ExponentialBuilder::default().with_jitter()).when(again);
        answer.await.map_err(|e| e.context("oauth2"))
    }

    fn request(&self, grant: &Grant) -> Result<Request> {
        let settings = &self.settings;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        match grant {
            Grant::Password { username, password } => {
                form.append_pair("grant_type", "password");
                form.append_pair("username", username);
                form.append_pair("password", password.reveal());
            }
            Grant::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
            }
            Grant::RefreshToken(token) => {
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", token.reveal());
            }
            Grant::JwtBearer(jwt) => {
                let assertion = jwt.sign()?;
                self.redactor.add(&assertion);
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.append_pair("assertion", assertion.reveal());
            }
        }
        if settings.client_auth != Some(ClientAuth::Basic) && !settings.client_id.is_empty() {
            form.append_pair("client_id", &settings.client_id);
            if let Some(secret) = &settings.client_secret {
                form.append_pair("client_secret", secret.reveal());
            }
        }
        if let Some(scope) = &settings.scope {
            form.append_pair("scope", scope);
        }
        form.extend_pairs(&settings.extra);
        let headers = HeaderMap::from_iter([
            (
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            ),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let mut headers = headers;
        let secret = settings.client_secret.as_ref().map_or("", Secret::reveal);
        let pair = match (settings.client_auth, grant) {
            // Both are form-encoded first (RFC 6749, 2.3.1).
            (Some(ClientAuth::Basic), _) => {
                Some(format!("{}:{}", encoded(&settings.client_id), encoded(secret)))
            }
            // As the Python Sequor has it: servers take one or the other.
            (None, Grant::Password { .. }) if settings.client_secret.is_some() => {
                Some(format!("{}:{secret}", settings.client_id))
            }
            _ => None,
        };
        if let Some(pair) = pair {
            let pair = Secret::new(base64::engine::general_purpose::STANDARD.encode(pair));
            self.redactor.add(&pair);
            headers.insert(AUTHORIZATION, sensitive(&format!("Basic {}", pair.reveal()))?);
        }
        Ok(Request {
            method: Method::POST,
            url: settings.token_endpoint.clone(),
            headers,
            body: Some(form.finish().into_bytes().into()),
            timeout: None,
            total_timeout: None,
        })
    }

    async fn read(&self, response: &Response, grant: &Grant) -> Result<Token> {
        let endpoint = &self.settings.token_endpoint;
        let answer = Answer::of(response, self.settings.token_path.as_ref());
        let good = (200..300).contains(&response.status);
        let access = match &answer {
            Answer::Token { access, .. } if good => access.clone(),
            answer => {
                let reason = match answer {
                    Answer::Error(reason) => reason.clone(),
                    _ => crate::exchange::outline(&response.body),
                };
                let message = match good {
                    true => format!("{endpoint} gave no token: {reason}"),
                    false => format!("{endpoint} answered {}: {reason}", response.status),
                };
                return Err(match response.status {
                    429 | 500.. => Error::new(ErrorKind::Status(response.status), message),
                    _ => Error::new(ErrorKind::Unauthorized, message).help(
                        "check the grant, the client's id and secret, the user, and `token_path` in the source's `auth`",
                    ),
                });
            }
        };
        self.redactor.add(&access);
        let (refresh, lives) = match answer {
            Answer::Token { refresh, lives, .. } => (refresh, lives),
            _ => (None, None),
        };
        // A server that gives no new refresh token means the old one to be used again (RFC 6749, 6).
        let refresh = match (refresh, grant) {
            (Some(token), _) => Some(token),
            (None, Grant::RefreshToken(token)) => Some(token.clone()),
            (None, _) => None,
        };
        refresh.iter().for_each(|token| self.redactor.add(token));
        self.keep(&refresh, grant).await?;
        Ok(Token {
            header: sensitive(&format!("Bearer {}", access.reveal()))?,
            renew: lives.and_then(|lives| renewal(lives, MARGIN)),
            refresh,
        })
    }
}

/// A text as a form has it.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[async_trait]
impl Signer for OAuth2 {
    async fn sign(
        &self,
        transport: &dyn Transport,
        request: &mut Request,
        refused: Option<&Response>,
    ) -> Result<bool> {
        let had = refused.and_then(|_| request.headers.get(AUTHORIZATION));
        let token = self.token(transport, had).await?;
        request.headers.insert(AUTHORIZATION, token);
        Ok(true)
    }
}
