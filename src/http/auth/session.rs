//! Sessions: a login gives a token that requests carry, until the API forgets it.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use sequor_planner::ops::DataPath;

use super::super::build::set_query;
use super::super::transport::Transport;
use super::answer::lives;
use super::{Signer, renewal, sensitive};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response, excerpt, outline, shown_url};
use crate::secret::{MASK, Redactor, Secret};
use crate::value::Value;
use crate::value::json::value_of;

/// Where recordings keep logins.
const STEP: &str = "login";

/// What a session is begun with, and how requests carry it.
#[derive(Clone)]
pub struct SessionSettings {
    pub login: Request,
    pub token_path: DataPath,
    /// How long a token lives; none: until it is refused.
    pub lives: Option<Duration>,
    /// Where the answer says so.
    pub lives_path: Option<DataPath>,
    pub key_name: String,
    pub in_query: bool,
    pub prefix: String,
}

impl PartialEq for SessionSettings {
    fn eq(&self, other: &Self) -> bool {
        let parts = |s: &Self| {
            (
                s.login.url.clone(),
                s.login.headers.clone(),
                s.login.body.clone(),
                s.key_name.clone(),
            )
        };
        parts(self) == parts(other) && self.prefix == other.prefix && self.in_query == other.in_query
    }
}

/// The session of one login at one API.
pub struct Session {
    pub settings: SessionSettings,
    redactor: Redactor,
    /// Locked while a login is under way: however many requests wait, one logs in.
    token: tokio::sync::Mutex<Option<Token>>,
}

struct Token {
    secret: Secret,
    /// When to log in anew; none: when it is refused.
    renew: Option<Instant>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    /// Creates a session; nothing is asked yet.
    pub fn new(settings: SessionSettings, redactor: Redactor) -> Session {
        Session {
            settings,
            redactor,
            token: tokio::sync::Mutex::default(),
        }
    }

    /// A token that is good for a while, and not the one that was `refused`.
    async fn token(&self, transport: &dyn Transport, refused: Option<&str>) -> Result<Secret> {
        let mut kept = self.token.lock().await;
        if let Some(token) = &*kept {
            let fresh = token.renew.is_none_or(|renew| Instant::now() < renew);
            if fresh && refused != Some(token.secret.reveal()) {
                return Ok(token.secret.clone());
            }
        }
        let token = self.log_in(transport).await.map_err(|e| e.context("login"))?;
        Ok(kept.insert(token).secret.clone())
    }

    async fn log_in(&self, transport: &dyn Transport) -> Result<Token> {
        let settings = &self.settings;
        let response = transport.send(STEP, &settings.login).await?;
        let url = shown_url(&settings.login.url);
        if !(200..300).contains(&response.status) {
            let message = format!("{url} answered {}: {}", response.status, excerpt(&response.body));
            return Err(
                Error::new(ErrorKind::Unauthorized, message).help("check `login` in the source's `auth`")
            );
        }
        let text = match value_of(&response.body, &settings.token_path) {
            Some(Value::Text(text)) if !text.is_empty() => text.to_string(),
            Some(Value::Int(number)) => number.to_string(),
            _ => {
                let message = format!(
                    "{url} gave no token at `{}`: {}",
                    settings.token_path,
                    outline(&response.body)
                );
                return Err(Error::new(ErrorKind::Unauthorized, message)
                    .help("check `token_path` in the source's `auth`"));
            }
        };
        let secret = Secret::new(text);
        self.redactor.add(&secret);
        let said = settings
            .lives_path
            .as_ref()
            .and_then(|path| value_of(&response.body, path));
        let lives = match &said {
            None if settings.lives_path.is_some() && settings.lives.is_none() => {
                let message = format!("{url} has nothing at `expires_in_path`");
                return Err(Error::new(ErrorKind::Unauthorized, message)
                    .help("check `expires_in_path` in the source's `auth`"));
            }
            None | Some(Value::Null) => settings.lives,
            Some(said) => Some(lives(said).ok_or_else(|| {
                let message = format!("{url} says at `expires_in_path` what is no number of seconds");
                Error::new(ErrorKind::Unauthorized, message)
                    .help("check `expires_in_path` in the source's `auth`")
            })?),
        };
        Ok(Token {
            secret,
            renew: lives.and_then(|lives| renewal(lives, Duration::ZERO)),
        })
    }

    /// Adds what stands for a token that is only known when a request is sent.
    pub fn stand_in(&self, request: &mut Request) -> Result<()> {
        self.put(request, MASK)
    }

    fn put(&self, request: &mut Request, token: &str) -> Result<()> {
        let settings = &self.settings;
        let value = format!("{}{token}", settings.prefix);
        match settings.in_query {
            true => set_query(&mut request.url, &settings.key_name, &value),
            false => {
                let name = HeaderName::from_bytes(settings.key_name.as_bytes()).map_err(|_| {
                    let message = format!("`{}` is not a header name", settings.key_name);
                    Error::new(ErrorKind::Project, message)
                })?;
                let value: HeaderValue = sensitive(&value)?;
                request.headers.insert(name, value);
            }
        }
        Ok(())
    }

    /// The token that a request carries.
    fn carried(&self, request: &Request) -> Option<String> {
        let settings = &self.settings;
        let value = match settings.in_query {
            true => {
                let mut pairs = request.url.query_pairs();
                pairs.find(|(name, _)| *name == settings.key_name)?.1.into_owned()
            }
            false => {
                let value = request.headers.get(settings.key_name.as_str())?;
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            }
        };
        value.strip_prefix(&settings.prefix).map(str::to_string)
    }
}

#[async_trait]
impl Signer for Session {
    async fn sign(
        &self,
        transport: &dyn Transport,
        request: &mut Request,
        refused: Option<&Response>,
    ) -> Result<bool> {
        let had = refused.and_then(|_| self.carried(request));
        let token = self.token(transport, had.as_deref()).await?;
        self.put(request, token.reveal())?;
        Ok(true)
    }
}
