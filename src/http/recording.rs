//! Record and replay: every exchange as a readable file, secrets masked.
//!
//! One YAML file per exchange, `DIR/<step>/<number>.yaml`:
//!
//! ```yaml
//! request:
//!   method: GET
//!   url: https://api.test/orders?page=1
//!   headers: {accept: application/json}
//! response:
//!   status: 200
//!   headers: {content-type: application/json}
//!   body: |
//!     {"orders": []}
//! ```

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use indexmap::IndexMap;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_saphyr::LitString;

use super::transport::Transport;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::secret::{MASK, Redactor, is_secret_name, mask_body, mask_url};

/// Headers whose value is a secret wherever it comes from.
const SECRET_HEADERS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
];

/// An exchange, as its file holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    request: Asked,
    response: Answered,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    url: String,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    headers: IndexMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<LitString>,
    /// A body that is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    status: u16,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    headers: IndexMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<LitString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// What makes two requests the same: method, url, body.
type Key = (String, String, String);

impl Asked {
    fn of(request: &Request, redactor: &Redactor) -> Asked {
        let (body, body_base64) = text_or_base64(request.body.as_deref().unwrap_or_default(), redactor);
        Asked {
            method: request.method.to_string(),
            url: redactor.redact(&mask_url(&request.url)),
            headers: headers(&request.headers, redactor),
            body,
            body_base64,
        }
    }

    fn key(&self) -> Key {
        let text = self.body.as_ref().map(|b| b.0.trim_end_matches('\n').to_string());
        let body = text.or_else(|| self.body_base64.clone()).unwrap_or_default();
        (self.method.clone(), self.url.clone(), body)
    }
}

fn text_or_base64(body: &[u8], redactor: &Redactor) -> (Option<LitString>, Option<String>) {
    match std::str::from_utf8(body) {
        Ok("") => (None, None),
        Ok(text) => (Some(LitString(redactor.redact(&mask_body(text)))), None),
        Err(_) => (None, Some(BASE64.encode(body))),
    }
}

fn headers(map: &HeaderMap, redactor: &Redactor) -> IndexMap<String, String> {
    let mut all = IndexMap::new();
    for (name, value) in map {
        let secret =
            value.is_sensitive() || SECRET_HEADERS.contains(&name.as_str()) || is_secret_name(name.as_str());
        let text = match secret {
            true => MASK.to_string(),
            false => redactor.redact(&String::from_utf8_lossy(value.as_bytes())),
        };
        all.entry(name.to_string())
            .and_modify(|all: &mut String| all.push_str(&format!(", {text}")))
            .or_insert(text);
    }
    all
}

/// How many exchanges each step has had: the numbers of their files.
pub type Recordings = Arc<Mutex<HashMap<String, usize>>>;

/// Sends by another transport and keeps what went to and fro.
pub struct Recorder {
    inner: Arc<dyn Transport>,
    folder: PathBuf,
    redactor: Redactor,
    numbers: Recordings,
}

impl Recorder {
    /// Records into `folder`. All recorders of a run share `numbers`.
    pub fn new(inner: Arc<dyn Transport>, folder: &Path, redactor: &Redactor, numbers: &Recordings) -> Self {
        Recorder {
            inner,
            folder: folder.to_path_buf(),
            redactor: redactor.clone(),
            numbers: numbers.clone(),
        }
    }

    fn file(&self, step: &str) -> PathBuf {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.entry(step.to_string()).or_insert(0);
        *number += 1;
        self.folder.join(step).join(format!("{number:04}.yaml"))
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, step: &str, request: &Request) -> Result<Response> {
        // The number is taken when the request is sent, so that files are in the order of sending.
        let file = self.file(step);
        let response = self.inner.send(step, request).await?;
        let (body, body_base64) = text_or_base64(&response.body, &self.redactor);
        let exchange = Exchange {
            request: Asked::of(request, &self.redactor),
            response: Answered {
                status: response.status,
                headers: response_headers(&response.headers, &self.redactor),
                body,
                body_base64,
            },
        };
        write(&file, &exchange).await?;
        Ok(response)
    }
}

/// A response's headers, without those that describe the bytes on the wire: the body is kept decoded.
fn response_headers(map: &HeaderMap, redactor: &Redactor) -> IndexMap<String, String> {
    let mut all = headers(map, redactor);
    for wire in [
        "content-length",
        "transfer-encoding",
        "content-encoding",
        "connection",
        "date",
    ] {
        all.shift_remove(wire);
    }
    all
}

/// Keeps a request that is not sent, secrets removed, in the form of recordings.
///
/// # Errors
/// A file that can't be written.
pub async fn keep_request(file: &Path, request: &Request, redactor: &Redactor) -> Result<()> {
    #[derive(Serialize)]
    struct Unanswered {
        request: Asked,
    }
    let request = Asked::of(request, redactor);
    write(file, &Unanswered { request }).await
}

async fn write(file: &Path, exchange: &impl Serialize) -> Result<()> {
    let failed = |e: String| {
        Error::new(
            ErrorKind::Io,
            format!("the recording {} can't be written: {e}", file.display()),
        )
    };
    let text = serde_saphyr::to_string(exchange).map_err(|e| failed(e.to_string()))?;
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|e| failed(e.to_string()))?;
    }
    tokio::fs::write(file, text)
        .await
        .map_err(|e| failed(e.to_string()))
}

/// Answers from recordings; the network is never touched.
pub struct Replay {
    answers: Mutex<HashMap<Key, VecDeque<Answered>>>,
    /// All recorded requests, to show the nearest one.
    known: Vec<Key>,
    redactor: Redactor,
}

impl Replay {
    /// Reads every recording below `folder`.
    pub fn read(folder: &Path, redactor: &Redactor) -> Result<Replay> {
        let mut files = Vec::new();
        find(folder, &mut files).map_err(|e| {
            Error::new(
                ErrorKind::Replay,
                format!("the recordings in {} can't be read: {e}", folder.display()),
            )
            .help("record them first: sequor run FLOW --record DIR")
        })?;
        files.sort();
        let mut answers: HashMap<Key, VecDeque<Answered>> = HashMap::new();
        let mut known = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file)?;
            let exchange: Exchange = serde_saphyr::from_str(&text).map_err(|e| {
                Error::new(
                    ErrorKind::Replay,
                    format!("{} is not a recording: {e}", file.display()),
                )
            })?;
            let key = exchange.request.key();
            known.push(key.clone());
            answers.entry(key).or_default().push_back(exchange.response);
        }
        if known.is_empty() {
            return Err(Error::new(
                ErrorKind::Replay,
                format!("there are no recordings in {}", folder.display()),
            )
            .help("record them first: sequor run FLOW --record DIR"));
        }
        Ok(Replay {
            answers: Mutex::new(answers),
            known,
            redactor: redactor.clone(),
        })
    }

    /// The recorded answer to a request; several recordings of the same request answer in their order.
    fn answer(&self, key: &Key) -> Option<Answered> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get_mut(key)?.pop_front()
    }

    fn missing(&self, key: &Key) -> Error {
        let (method, url, body) = key;
        let times = self.known.iter().filter(|k| *k == key).count();
        if times > 0 {
            let message = format!("{method} {url} was recorded {times} times, and is asked for once more");
            return Error::new(ErrorKind::Replay, message)
                .help("record again: the flow makes other requests now");
        }
        let nearest = self.known.iter().min_by_key(|(m, u, b)| {
            let same = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
            let far = u.len().max(url.len()) - same(u, url);
            (m != method, far, b != body)
        });
        let message = format!("no recording answers {method} {url}{}", shown_body(body));
        let error = Error::new(ErrorKind::Replay, message);
        match nearest {
            Some((m, u, b)) => error.help(format!("the nearest recording is {m} {u}{}", shown_body(b))),
            None => error,
        }
    }
}

fn shown_body(body: &str) -> String {
    match body.char_indices().nth(200) {
        _ if body.is_empty() => String::new(),
        Some((cut, _)) => format!(" with body {}...", &body[..cut]),
        None => format!(" with body {body}"),
    }
}

#[async_trait]
impl Transport for Replay {
    async fn send(&self, _: &str, request: &Request) -> Result<Response> {
        let key = Asked::of(request, &self.redactor).key();
        let answer = self.answer(&key).ok_or_else(|| self.missing(&key))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &answer.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        let body = match (answer.body, answer.body_base64) {
            (Some(text), _) => text.0.into_bytes(),
            (None, Some(encoded)) => BASE64
                .decode(encoded)
                .map_err(|e| Error::new(ErrorKind::Replay, format!("a recorded body is not base64: {e}")))?,
            (None, None) => Vec::new(),
        };
        Ok(Response::new(
            answer.status,
            headers,
            request.url.clone(),
            body.into(),
        ))
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
    }
    Ok(())
}
