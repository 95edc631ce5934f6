//! Certificates of an http source, besides the roots that the system trusts.

use std::path::{Path, PathBuf};

use std::sync::Arc;

use reqwest::{ClientBuilder, Identity};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;

use super::pinned::Pinned;
use crate::error::{Error, ErrorKind, Result};

/// Files in PEM.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    pub ca_cert: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    /// None: it is in the file of the certificate.
    pub client_key: Option<PathBuf>,
}

impl TlsFiles {
    /// Adds the certificates to a client.
    pub fn apply(&self, client: ClientBuilder) -> Result<ClientBuilder> {
        if let Some(file) = &self.ca_cert {
            return Ok(client.tls_backend_preconfigured(self.trusting(file)?));
        }
        match &self.client_cert {
            None => Ok(client),
            Some(file) => {
                let identity = Identity::from_pem(&self.identity(file)?);
                Ok(client.identity(identity.map_err(|e| bad(file, &e))?))
            }
        }
    }

    /// A configuration that trusts the certificates of a file besides the system's roots.
    fn trusting(&self, file: &Path) -> Result<ClientConfig> {
        let trusted = certificates(file, &read(file)?)?;
        let provider = Arc::new(default_provider());
        let verifier = Verifier::new_with_extra_roots(trusted.iter().cloned(), provider.clone());
        let verifier = Pinned::new(trusted, verifier.map_err(|e| bad(file, &e))?);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::new(ErrorKind::Internal, format!("no TLS: {e}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.client_cert {
            None => config.with_no_client_auth(),
            Some(file) => {
                let pem = self.identity(file)?;
                let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|e| bad(file, &e))?;
                let own = certificates(file, &pem)?;
                config
                    .with_client_auth_cert(own, key)
                    .map_err(|e| bad(file, &e))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The client's certificate and its key.
    fn identity(&self, file: &Path) -> Result<Vec<u8>> {
        let mut pem = read(file)?;
        if let Some(key) = &self.client_key {
            pem.push(b'\n');
            pem.extend(read(key)?);
        }
        Ok(pem)
    }
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<std::result::Result<Vec<_>, _>>();
    match read.map_err(|e| bad(file, &e))? {
        none if none.is_empty() => Err(bad(file, &"no certificate is in it")),
        some => Ok(some),
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|e| {
        let message = format!("`tls`: {} can't be read: {e}", file.display());
        Error::new(ErrorKind::Project, message)
    })
}

fn bad(file: &Path, error: &dyn std::fmt::Display) -> Error {
    let message = format!("`tls`: {} is not what it should be: {error}", file.display());
    Error::new(ErrorKind::Project, message).help(
        "PEM text: `-----BEGIN CERTIFICATE-----`, and for the client `-----BEGIN PRIVATE KEY-----`, too",
    )
}
