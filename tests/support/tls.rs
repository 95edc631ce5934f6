//! An HTTPS server with a certificate authority of its own, which may ask the client for a certificate, too.

use std::sync::{Arc, Mutex};

use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::server::{Asked, Reply, router};

/// A certificate authority and what it has signed, as PEM.
pub struct Authority {
    pub ca: String,
    pub client_cert: String,
    pub client_key: String,
    server: (CertificateDer<'static>, PrivateKeyDer<'static>),
    ca_der: CertificateDer<'static>,
}

impl Authority {
    /// A new one, with certificates for `localhost` and for a client.
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let signed = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_string()]).expect("parameters");
            (params.signed_by(&key, &ca).expect("a certificate"), key)
        };
        let (server, server_key) = signed("localhost");
        let (client, client_key) = signed("client");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        Authority {
            ca: ca.pem(),
            ca_der: ca.der().clone(),
            client_cert: client.pem(),
            client_key: client_key.serialize_pem(),
            server: (server.der().clone(), key),
        }
    }

    /// A server that signed its certificate itself, as an authority for `names`, like many that servers make.
    pub fn of_itself(names: &[&str]) -> Authority {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Authority {
            ca: own.pem(),
            ca_der: own.der().clone(),
            client_cert: String::new(),
            client_key: String::new(),
            server: (own.der().clone(), key),
        }
    }
}

/// An HTTPS server on loopback.
pub struct TlsServer {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: tokio::runtime::Runtime,
}

impl TlsServer {
    /// Starts a server that offers `protocols`; `client`: whether the client has to show a certificate.
    pub fn start(
        authority: &Authority,
        protocols: &[&str],
        client: bool,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> TlsServer {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions");
        let config = match client {
            false => config.with_no_client_auth(),
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.ca_der.clone()).expect("a root");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let (certificate, key) = &authority.server;
        let mut config = config
            .with_single_cert(vec![certificate.clone()], key.clone_key())
            .expect("a certificate");
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let router = router(answer, asked.clone());
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let listener = Secured {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        runtime.spawn(async move { axum::serve(listener, router).await });
        TlsServer {
            url: format!("https://localhost:{port}"),
            asked,
            _runtime: runtime,
        }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }
}

struct Secured {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else {
                continue;
            };
            // A handshake that fails is the client's affair.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
