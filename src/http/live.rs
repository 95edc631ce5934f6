//! The network, by reqwest: pooled connections, time-outs, a limit on what a response may hold.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use reqwest::{Client, Method, Version};
use sequor_planner::ops::RowFormat;
use tokio::time::timeout;

use super::explain;
use super::tls::TlsFiles;
use super::transport::Transport;
use super::unpack;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response, shown_url};

/// How long a server may be silent when the source does not say: before its answer, and within.
const DEFAULT_SILENCE: Duration = Duration::from_secs(5 * 60);
/// Connecting takes no longer, whatever the source says.
const LONGEST_CONNECT: Duration = Duration::from_secs(30);
/// A response must fit in memory: a page of an API does, an endless body does not.
pub const DEFAULT_MAX_RESPONSE: usize = 256 * 1024 * 1024;

/// What a client needs to know of its source.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How long a server may be silent; none: 5 minutes.
    pub timeout: Option<Duration>,
    /// How long the whole of a request may take; none: as long as something comes.
    pub total_timeout: Option<Duration>,
    pub tls: TlsFiles,
    /// Whether cookies that servers set are sent back.
    pub cookies: bool,
    /// Bytes that a response may have, unpacked.
    pub max_response: Option<usize>,
}

/// A client of one source; its connections are reused.
pub struct Live {
    client: Client,
    silence: Duration,
    total: Option<Duration>,
    max_response: usize,
}

impl Live {
    /// Creates a client. TLS certificates are verified against the system's roots.
    pub fn new(settings: Settings) -> Result<Live> {
        let silence = settings.timeout.unwrap_or(DEFAULT_SILENCE);
        let client = Client::builder()
            .user_agent(concat!("sequor/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(LONGEST_CONNECT.min(silence))
            // Undone here: some servers send it without its frame.
            .deflate(false)
            .cookie_store(settings.cookies)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(60));
        let client = settings.tls.apply(client)?.build().map_err(|e| {
            Error::new(
                ErrorKind::Project,
                format!("no HTTP client: {}", explain::innermost(&e)),
            )
        })?;
        Ok(Live {
            client,
            silence,
            total: settings.total_timeout,
            max_response: settings.max_response.unwrap_or(DEFAULT_MAX_RESPONSE),
        })
    }

    async fn read(&self, response: reqwest::Response, request: &Request) -> Result<Bytes> {
        let too_large = || {
            let message = format!(
                "the response of {} is larger than {}",
                shown(request),
                size(self.max_response)
            );
            Error::new(ErrorKind::Data, message)
                .help("ask for smaller pages, or allow more by `max_response_size` in the source")
        };
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).unwrap_or(usize::MAX) > self.max_response {
            return Err(too_large());
        }
        let silence = request.timeout.unwrap_or(self.silence);
        let mut chunks = response.bytes_stream();
        let mut next = async || match timeout(silence, chunks.next()).await {
            Ok(chunk) => chunk.transpose().map_err(|e| explain::body(&e, request)),
            Err(_) => Err(explain::silent(request, silence, "the body stopped")),
        };
        // One chunk, the usual case for small bodies, is passed on as it is.
        let Some(first) = next().await? else {
            return Ok(Bytes::new());
        };
        let mut body: Option<BytesMut> = None;
        while let Some(chunk) = next().await? {
            let whole = body.get_or_insert_with(|| BytesMut::from(&first[..]));
            if whole.len() + chunk.len() > self.max_response {
                return Err(too_large());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(body.map_or(first, BytesMut::freeze))
    }
}

#[async_trait]
impl Transport for Live {
    /// Redirects are given back as they are: who signs requests has to sign the next one, too.
    async fn send(&self, _: &str, request: &Request) -> Result<Response> {
        let whole = self.exchange(request);
        match request.total_timeout.or(self.total) {
            None => whole.await,
            Some(total) => match timeout(total, whole).await {
                Ok(response) => response,
                Err(_) => Err(explain::too_long(request, total)),
            },
        }
    }
}

impl Live {
    async fn exchange(&self, request: &Request) -> Result<Response> {
        let mut sending = self.client.request(request.method.clone(), request.url.clone());
        sending = sending.headers(request.headers.clone());
        match &request.body {
            Some(body) => sending = sending.body(body.clone()),
            // Some servers want to be told that there is none.
            None if !matches!(request.method, Method::GET | Method::HEAD) => {
                sending = sending.header(CONTENT_LENGTH, "0").body(Bytes::new());
            }
            None => {}
        }
        let silence = request.timeout.unwrap_or(self.silence);
        let response = match timeout(silence, sending.send()).await {
            Ok(response) => response.map_err(|e| explain::request(&e, request))?,
            Err(_) => return Err(explain::silent(request, silence, "no answer")),
        };
        let (status, mut headers) = (response.status().as_u16(), response.headers().clone());
        let ends_with_connection = response.version() < Version::HTTP_2
            && !headers.contains_key(CONTENT_LENGTH)
            && !headers.contains_key(TRANSFER_ENCODING);
        let body = self.read(response, request).await?;
        let body =
            unpack::decoded(&mut headers, body, self.max_response).map_err(|e| e.context(shown(request)))?;
        let response = Response::new(status, headers, request.url.clone(), body);
        match ends_with_connection && is_cut(&response) {
            true => Err(explain::cut(request)),
            false => Ok(response),
        }
    }
}

/// Whether a body that ends with its connection ends in the middle of its JSON: nothing else tells that it was cut.
fn is_cut(response: &Response) -> bool {
    let body = response.body.trim_ascii();
    if response.row_format() != RowFormat::Json || !body.starts_with(b"{") && !body.starts_with(b"[") {
        return false;
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err_and(|e| e.is_eof())
}

/// Bytes, for people.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 20 && b % (1 << 20) == 0 => format!("{} MB", b >> 20),
        b if b >= 1 << 10 && b % (1 << 10) == 0 => format!("{} KB", b >> 10),
        b => format!("{b} bytes"),
    }
}

/// Returns a request as messages name it: without its query, where secrets live.
pub fn shown(request: &Request) -> String {
    format!("{} {}", request.method, shown_url(&request.url))
}
