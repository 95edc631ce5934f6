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
        let host = base.as_ref().and_then(Url::host_str);
        if let (Some(allowed), Some(host)) = (&mut self.allowed, host) {
            allowed.push(host.to_lowercase());
        }
        self
    }

    /// Whether requests may go there.
    pub fn allow(&self, url: &Url) -> bool {
        let Some(allowed) = &self.allowed else {
            return true;
        };
        let host = url.host_str().unwrap_or_default();
        allowed.iter().any(|allowed| match allowed.strip_prefix("*.") {
            Some(above) => host.strip_suffix(above).is_some_and(|name| name.ends_with('.')),
            None => allowed == host,
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
        assert!(!allow("https://cdn.test"));
        assert!(!allow("https://evilcdn.test"));
        assert!(!allow("https://api.shop.test.evil.test"));
        assert!(!allow("https://api.shop.test@evil.test/"));
        assert!(!allow("https://shop.test"));
        assert!(Hosts::default().allow(&"https://anything".parse().unwrap()));
    }
}
