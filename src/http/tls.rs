//! Certificates of an http source, besides the roots that the system trusts.

use std::path::{Path, PathBuf};

use reqwest::{Certificate, ClientBuilder, Identity};

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
    pub fn apply(&self, mut client: ClientBuilder) -> Result<ClientBuilder> {
        if let Some(file) = &self.ca_cert {
            let certificates = Certificate::from_pem_bundle(&read(file)?).map_err(|e| bad(file, &e))?;
            if certificates.is_empty() {
                return Err(bad(file, &"no certificate is in it"));
            }
            client = client.tls_certs_merge(certificates);
        }
        if let Some(file) = &self.client_cert {
            let mut pem = read(file)?;
            if let Some(key) = &self.client_key {
                pem.push(b'\n');
                pem.extend(read(key)?);
            }
            client = client.identity(Identity::from_pem(&pem).map_err(|e| bad(file, &e))?);
        }
        Ok(client)
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
