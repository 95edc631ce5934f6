//! The network, by reqwest: pooled connections, time-outs, a limit on what a response may hold.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Client, Method};

use super::tls::TlsFiles;
use super::transport::Transport;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response, shown_url};

/// How long an API may be silent when the source does not say how long a request may take: before its answer, and within.
const DEFAULT_SILENCE: Duration = Duration::from_secs(5 * 60);
/// A response must fit in memory: a page of an API does, an endless body does not.
pub const DEFAULT_MAX_RESPONSE: usize = 256 * 1024 * 1024;

/// What a client needs to know of its source.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// For the whole request, connecting and reading the body included; none: 5 minutes for each silence.
    pub timeout: Option<Duration>,
    pub tls: TlsFiles,
    /// Bytes that a response may have, unpacked.
    pub max_response: Option<usize>,
}

/// A client of one source; its connections are reused.
pub struct Live {
    client: Client,
    max_response: usize,
}

impl Live {
    /// Creates a client. TLS certificates are verified against the system's roots.
    pub fn new(settings: Settings) -> Result<Live> {
        let client = Client::builder()
            .user_agent(concat!("sequor/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(60));
        let client = match settings.timeout {
            Some(timeout) => client.timeout(timeout),
            // An export may take its time as long as it comes.
            None => client.read_timeout(DEFAULT_SILENCE),
        };
        let client = settings
            .tls
            .apply(client)?
            .build()
            .map_err(|e| Error::new(ErrorKind::Project, format!("no HTTP client: {}", chain(&e))))?;
        Ok(Live {
            client,
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
        let mut chunks = response.bytes_stream();
        // One chunk, the usual case for small bodies, is passed on as it is.
        let first = match chunks.next().await {
            None => return Ok(Bytes::new()),
            Some(chunk) => chunk.map_err(|e| explain(&e, request))?,
        };
        let mut body: Option<BytesMut> = None;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|e| explain(&e, request))?;
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
        let mut sending = self.client.request(request.method.clone(), request.url.clone());
        sending = sending.headers(request.headers.clone());
        if let Some(timeout) = request.timeout {
            sending = sending.timeout(timeout);
        }
        match &request.body {
            Some(body) => sending = sending.body(body.clone()),
            // Some servers want to be told that there is none.
            None if !matches!(request.method, Method::GET | Method::HEAD) => {
                sending = sending.header(CONTENT_LENGTH, "0").body(Bytes::new());
            }
            None => {}
        }
        let response = sending.send().await.map_err(|e| explain(&e, request))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.read(response, request).await?;
        Ok(Response::new(status, headers, request.url.clone(), body))
    }
}

/// Bytes, for people.
fn size(bytes: usize) -> String {
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

fn explain(error: &reqwest::Error, request: &Request) -> Error {
    let target = shown(request);
    let host = request.url.host_str().unwrap_or("?");
    let at = match request.url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_string(),
    };
    let why = chain(error);
    if error.is_timeout() {
        return Error::new(ErrorKind::Timeout, format!("{target}: no answer in time"));
    }
    if error.is_connect() {
        return Error::new(
            ErrorKind::Connect,
            format!("{target}: can't connect to {at}: {why}"),
        );
    }
    if error.is_decode() && !is_cut(error) {
        return Error::new(
            ErrorKind::Data,
            format!("{target}: the body can't be decoded: {why}"),
        );
    }
    Error::new(
        ErrorKind::Broken,
        format!("{target}: the connection failed: {why}"),
    )
}

/// Whether the body ended before it was whole: that is the connection's doing, not the encoding's.
fn is_cut(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind as Io;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if let Some(Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::UnexpectedEof) = io {
            return true;
        }
        cause = error.source();
    }
    // The HTTP layer does not show its own errors.
    chain(error).contains("before message length")
}

/// The innermost cause, which says what happened; the outer ones only say that something did.
fn chain(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
