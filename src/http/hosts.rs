//! `allowed_hosts`: where the requests of a source may go, whatever a row's data made of their url.

use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// The hosts that a source allows.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// In lower case; `*.` before a name stands for all below it. None: any host.
    allowed: Option<Vec<String>>,
}

impl Hosts {
    /// Only these; none given: any.
    pub fn new(allowed: Option<Vec<String>>) -> Hosts {
        Hosts { allowed }
    }

    /// These and the host of the source's base url.
    pub fn with(mut self, base_url: Option<&str>) -> Hosts {
        let base = base_url.and_then(|base| Url::parse(base.trim()).ok());
        if let (Some(allowed), Some(base)) = (&mut self.allowed, &base)
            && let (Some(host), Some(port)) = (base.host_str(), base.port_or_known_default())
        {
            allowed.push(format!("{host}:{port}"));
        }
        self
    }

    /// Tells whether requests may go there.
    pub fn allow(&self, url: &Url) -> bool {
        let Some(allowed) = &self.allowed else {
            return true;
        };
        let host = url.host_str().unwrap_or_default();
        allowed.iter().any(|allowed| {
            // A port, where one is named; an address of version 6 has colons of its own.
            let (name, port) = match allowed.rsplit_once(':') {
                Some((name, port)) if !port.contains(']') => (name, port.parse::<u16>().ok()),
                _ => (allowed.as_str(), None),
            };
            let same_host = match name.strip_prefix("*.") {
                Some(above) => host.strip_suffix(above).is_some_and(|name| name.ends_with('.')),
                None => name == host,
            };
            same_host && (port.is_none() || url.port_or_known_default() == port)
        })
    }

    /// # Errors
    /// When requests may not go there.
    pub fn check(&self, url: &Url) -> Result<()> {
        if self.allow(url) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        let message =
            format!("requests may not go to {host}: `allowed_hosts` of the source does not list it");
        Err(Error::new(ErrorKind::Data, message)
            .help("check what the url is made of, or add the host to the list"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_below_them() {
        let hosts = Hosts::new(Some(vec![
            "api.shop.test".into(),
            "*.cdn.test".into(),
            "[::1]".into(),
        ]));
        let hosts = hosts.with(Some("https://Base.test/v1"));
        let allow = |url: &str| hosts.allow(&url.parse().unwrap());
        assert!(allow("https://api.shop.test/x"));
        assert!(allow("http://API.SHOP.TEST:8443/x"));
        assert!(allow("https://base.test"));
        assert!(allow("https://a.b.cdn.test"));
        assert!(allow("http://[::1]:80/"));
        let ports = Hosts::new(Some(vec![
            "a.test:8443".into(),
            "*.b.test:443".into(),
            "[::1]:80".into(),
        ]));
        let there = |url: &str| ports.allow(&url.parse().unwrap());
        assert!(there("http://a.test:8443") && there("https://x.b.test") && there("http://[::1]"));
        assert!(!there("https://a.test") && !there("http://x.b.test") && !there("http://[::1]:81"));
        assert!(!allow("https://cdn.test"));
        assert!(!allow("https://evilcdn.test"));
        assert!(!allow("https://api.shop.test.evil.test"));
        assert!(!allow("https://api.shop.test@evil.test/"));
        assert!(!allow("https://shop.test"));
        assert!(Hosts::default().allow(&"https://anything".parse().unwrap()));
    }
}
