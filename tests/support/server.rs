//! An HTTP server that answers as a test wants and keeps what it was asked.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use axum::response::Response;

/// A request that the server got.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
    pub at: Instant,
    /// HTTP/1.1 or HTTP/2.0.
    pub version: String,
}

impl Asked {
    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().expect("text"))
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
    }
}

/// What the server answers.
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub delay: Duration,
}

/// A JSON answer.
pub fn json(body: impl Into<String>) -> Reply {
    answer("application/json", body.into())
}

/// An answer of any type.
pub fn answer(content_type: &'static str, body: impl Into<Vec<u8>>) -> Reply {
    Reply {
        status: 200,
        content_type,
        headers: Vec::new(),
        body: body.into(),
        delay: Duration::ZERO,
    }
}

impl Reply {
    pub fn status(mut self, status: u16) -> Reply {
        self.status = status;
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    pub fn after(mut self, delay: Duration) -> Reply {
        self.delay = delay;
        self
    }
}

/// A server on loopback, for as long as it is held.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Starts a server that answers by `answer`.
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let router = router(answer, asked.clone());
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Server {
            url,
            asked,
            _runtime: runtime,
        }
    }

    /// Forgets what was asked.
    pub fn forget(&self) {
        self.asked.lock().expect("no panic").clear();
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }
}

/// What answers requests by `answer` and keeps them.
pub fn router(
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    kept: Arc<Mutex<Vec<Asked>>>,
) -> Router {
    let answer = Arc::new(answer);
    let handler = move |method: Method, uri: Uri, version: Version, headers: HeaderMap, body: Bytes| {
        let request = Asked {
            method: method.to_string(),
            path: uri.path().to_string(),
            query: uri.query().unwrap_or_default().to_string(),
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            at: Instant::now(),
            version: format!("{version:?}"),
        };
        let reply = answer(&request);
        kept.lock().expect("no panic").push(request);
        async move {
            tokio::time::sleep(reply.delay).await;
            let mut response =
                Response::builder().status(StatusCode::from_u16(reply.status).expect("a status"));
            if !reply
                .headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            {
                response = response.header("content-type", reply.content_type);
            }
            for (name, value) in reply.headers {
                response = response.header(name, value);
            }
            response.body(Body::from(reply.body)).expect("a response")
        }
    };
    Router::new().fallback(handler)
}
