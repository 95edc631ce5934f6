//! How an http source is reached: `tls`, `allowed_hosts` and `max_response_size`.

use serde::{Deserialize, Serialize};

use super::{Form, Key, Keys, Shape};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;

/// How an http source is reached.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Network {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Hosts that requests may go to besides that of `base_url`; none given: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
    /// Bytes that a response may have, unpacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_response: Option<u64>,
}

/// `tls`: files in PEM.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tls {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<Prop>,
    #[serde(skip)]
    pub place: Option<Place>,
}

static TLS: Shape = Shape {
    what: "`tls`",
    doc: "Certificates, besides the roots that the system trusts. Paths are relative to the project.",
    with: &[],
    keys: &[
        Key::new(
            "ca_cert",
            Form::Text,
            "A PEM file of certificate authorities to trust, besides the system's.",
        ),
        Key::new(
            "client_cert",
            Form::Text,
            "A PEM file of the certificate that the client shows.",
        ),
        Key::new(
            "client_key",
            Form::Text,
            "A PEM file of the client's private key; left out when `client_cert` holds it, too.",
        ),
    ],
};

/// The keys about reaching a source.
pub static NETWORK: Shape = Shape {
    what: "an http source",
    doc: "How the API is reached.",
    with: &[],
    keys: &[
        Key::new(
            "tls",
            Form::Map(&TLS),
            "Certificates, besides the roots that the system trusts.",
        ),
        Key::new(
            "allowed_hosts",
            Form::Hosts,
            "The only hosts that requests and redirects may go to, besides that of `base_url`: `api.shop.com`, `localhost:8080`, or `*.shop.com` with all below it.",
        ),
        Key::new(
            "max_response_size",
            Form::Size,
            "How large a response may be, unpacked: bytes, or like 64MB.",
        )
        .default("`256MB`"),
    ],
};

/// Reads how a source is reached.
pub fn read_network(keys: &Keys<'_>, d: &mut Diagnostics) -> Network {
    let tls = keys.node("tls").and_then(|node| {
        let keys = Keys::new(node, &TLS, d)?;
        if keys.has("client_key") && !keys.has("client_cert") {
            let message = "`tls` has a `client_key` and no `client_cert`";
            d.error(Code::MissingKey, keys.place().clone(), message)
                .help("add `client_cert`, the certificate that belongs to the key");
        }
        Some(Tls {
            ca_cert: keys.prop("ca_cert", d),
            client_cert: keys.prop("client_cert", d),
            client_key: keys.prop("client_key", d),
            place: Some(keys.place().clone()),
        })
    });
    let hosts = keys
        .has("allowed_hosts")
        .then(|| keys.texts("allowed_hosts", "hosts", d));
    for (host, place) in hosts.iter().flatten() {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let odd = |c: char| c.is_whitespace() || matches!(c, '/' | '*' | '@' | '?' | '#');
        // Behind the name may be a port; an address of version 6 is in brackets.
        let bare = match name.split_once(']') {
            Some((address, rest)) if address.starts_with('[') => rest,
            _ => name.trim_start_matches(|c: char| c != ':'),
        };
        let port = bare.strip_prefix(':').map(|port| port.parse::<u16>().is_ok());
        if name.is_empty()
            || name.starts_with(':')
            || name.contains(odd)
            || (!bare.is_empty() && port != Some(true))
        {
            d.error(Code::BadValue, place.clone(), format!("`{host}` is not a host"))
                .help("a name like `api.shop.com`, or `*.shop.com` for all below it; no scheme, no path");
        }
    }
    Network {
        tls,
        allowed_hosts: hosts.map(|hosts| hosts.into_iter().map(|(h, _)| h.to_lowercase()).collect()),
        max_response: keys.size("max_response_size", d),
    }
}
