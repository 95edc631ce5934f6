//! Where the requests of a source may go, and where its credentials go with them, whatever a row's or a response's data
//! made of their url.

use std::sync::Arc;

use url::{Origin, Url};

use crate::error::{Error, ErrorKind, Result};

/// The hosts that a source allows and trusts.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// In lower case; `*.` before a name stands for all below it. None: any host.
    allowed: Option<Vec<String>>,
    /// That of the source's base url.
    base: Option<Origin>,
    /// Where there is no base url: texts that name hosts.
    named: Option<Arc<NamedHosts>>,
}

/// Texts that the people who run a flow wrote: hosts in them are meant.
#[derive(Debug, Default)]
pub struct NamedHosts(Vec<String>);

impl Hosts {
    /// Only these; none given: any.
    pub fn new(allowed: Option<Vec<String>>) -> Hosts {
        Hosts {
            allowed,
            base: None,
            named: None,
        }
    }

    /// Trusts the hosts that texts name, where the source has no base url.
    pub fn trusting(mut self, named: Arc<NamedHosts>) -> Hosts {
        self.named = Some(named);
        self
    }

    /// These and the host of the source's base url.
    pub fn with(mut self, base_url: Option<&str>) -> Hosts {
        let base = base_url.and_then(|base| Url::parse(base.trim()).ok());
        if let (Some(allowed), Some(base)) = (&mut self.allowed, &base)
            && let (Some(host), Some(port)) = (base.host_str(), base.port_or_known_default())
        {
            allowed.push(format!("{host}:{port}"));
        }
        self.base = base.map(|base| base.origin());
        self
    }

    /// Tells whether the source's credentials go there: to the origin of its base url and to `allowed_hosts`; without
    /// both to hosts that the flow's own text names.
    pub fn trusts(&self, url: &Url) -> bool {
        if self.base.as_ref() == Some(&url.origin()) {
            return true;
        }
        match (&self.allowed, &self.base, &self.named) {
            (Some(_), _, _) => self.allow(url),
            (None, Some(_), _) => false,
            (None, None, Some(named)) => named.names(url),
            (None, None, None) => true,
        }
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

impl NamedHosts {
    /// Keeps the texts that may name a host.
    pub fn new(texts: impl IntoIterator<Item = String>) -> NamedHosts {
        let texts = texts.into_iter().map(|text| text.to_ascii_lowercase());
        NamedHosts(
            texts
                .filter(|text| text.contains(['.', ':']) || text.contains("localhost"))
                .collect(),
        )
    }

    /// Tells whether a text names the url's host: whole, or by a literal end of at least two labels behind something
    /// computed, as in `https://{{ var('shop') }}.myshopify.com`.
    fn names(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let ends: Vec<&str> = host
            .match_indices('.')
            .map(|(at, _)| &host[at..])
            .filter(|end| end[1..].contains('.') && !end[1..].starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        self.0.iter().any(|text| {
            let whole = |at: usize| {
                let before = &text[..at];
                let bounded = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || ".-_".contains(c));
                bounded && !(before.ends_with("https://") && url.scheme() != "https")
            };
            let end = |at: usize| text[..at].ends_with(['}', '\'', '"']);
            let found = |host: &str, fits: &dyn Fn(usize) -> bool| {
                text.match_indices(host)
                    .any(|(at, _)| fits(at) && is_whole_before(&text[at + host.len()..], url))
            };
            found(host, &whole) || ends.iter().any(|e| found(e, &end))
        })
    }
}

/// Whether a host ends where `rest` begins, and its port, where one is written, is the url's.
fn is_whole_before(rest: &str, url: &Url) -> bool {
    if rest.starts_with(|c: char| c.is_ascii_alphanumeric() || ".-_".contains(c)) {
        return false;
    }
    let digits = rest.strip_prefix(':').map(|port| {
        let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
        &port[..end]
    });
    match digits {
        Some(port) if !port.is_empty() => port.parse().ok() == url.port_or_known_default(),
        _ => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_where_the_flow_says() {
        let trusts = |hosts: &Hosts, url: &str| hosts.trusts(&url.parse().unwrap());
        let based = Hosts::new(None).with(Some("https://api.shop.test/v1"));
        assert!(trusts(&based, "https://api.shop.test/x") && based.allow(&"http://any".parse().unwrap()));
        assert!(!trusts(&based, "http://api.shop.test/x") && !trusts(&based, "https://api.shop.test:8443/x"));
        assert!(!trusts(&based, "https://evil.test/api.shop.test"));
        let texts = [
            "https://api.shop.test/orders?page={{ var('page') }}",
            "https://{{ var('shop')['name'] }}.myshopify.com/admin",
            "f'http://127.0.0.1:{port}/x'",
            "http://10.0.0.1:8080/x",
        ];
        let named = Hosts::new(None).trusting(Arc::new(NamedHosts::new(texts.map(String::from))));
        for url in [
            "https://api.shop.test/a",
            "https://one.myshopify.com/",
            "http://127.0.0.1:99/",
            "http://10.0.0.1:8080/",
        ] {
            assert!(trusts(&named, url), "{url}");
        }
        for url in [
            "http://api.shop.test/a",
            "https://api.shop.test.evil.test/",
            "https://xapi.shop.test/",
            "https://shop.test/",
            "https://myshopify.com.evil.test/",
            "https://evil.com/",
            "http://10.0.0.1:8081/",
            "http://0.0.0.1/",
            "https://one.myshopify.com@evil.com/",
        ] {
            assert!(!trusts(&named, url), "{url}");
        }
        let listed = Hosts::new(Some(vec!["cdn.test".into()])).with(Some("https://api.test"));
        assert!(trusts(&listed, "https://cdn.test/x") && trusts(&listed, "https://api.test/x"));
        assert!(!trusts(&listed, "https://other.test/x"));
    }

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
