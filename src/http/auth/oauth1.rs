//! OAuth 1.0 (RFC 5849), by the crate `oauth1-request`: requests are signed with HMAC.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::num::NonZeroU64;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use oauth1_request::request::AssertSorted;
use oauth1_request::signature_method::{Sign, SignatureMethod};
use oauth1_request::{Builder, Credentials, HMAC_SHA1};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use sha2::Sha256;

use super::sensitive;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Request;
use crate::secret::Secret;

/// What requests are signed with.
#[derive(Clone)]
pub struct OAuth1 {
    pub consumer_key: String,
    pub consumer_secret: Secret,
    pub token: Option<(String, Secret)>,
    pub realm: Option<String>,
    /// HMAC with SHA-256 instead of SHA-1.
    pub sha256: bool,
}

impl fmt::Debug for OAuth1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OAuth1")
    }
}

impl OAuth1 {
    /// Signs a request as it is now.
    pub fn sign(&self, request: &mut Request) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        self.sign_at(request, now.as_secs(), &nonce, true)
    }

    /// `version`: whether to say `oauth_version`, which is optional, and which some servers miss.
    fn sign_at(&self, request: &mut Request, seconds: u64, nonce: &str, version: bool) -> Result<()> {
        let parameters = parameters(request);
        let sorted = AssertSorted::new(
            parameters
                .iter()
                .map(|(name, _, value)| (name.as_str(), value.as_str())),
        );
        let mut url = request.url.clone();
        // What is signed of the url, without the port that its scheme has anyway (RFC 5849, 3.4.1.2).
        url.set_query(None);
        url.set_fragment(None);
        let client = Credentials::new(self.consumer_key.as_str(), self.consumer_secret.reveal());
        let token = self.token.as_ref();
        let token = token.map(|(key, secret)| Credentials::new(key.as_str(), secret.reveal()));
        let method = request.method.as_str();
        let (nonce, time) = (Some(nonce), NonZeroU64::new(seconds));
        let header = match self.sha256 {
            false => {
                let mut builder = Builder::<_, &str>::new(client, HMAC_SHA1);
                builder.token(token).nonce(nonce).timestamp(time).version(version);
                builder.authorize(method, &url, &sorted)
            }
            true => {
                let mut builder = Builder::<_, &str>::new(client, HmacSha256);
                builder.token(token).nonce(nonce).timestamp(time).version(version);
                builder.authorize(method, &url, &sorted)
            }
        };
        let header = match &self.realm {
            Some(realm) if realm.contains(['"', '\\']) => {
                let message = format!("the realm `{realm}` of oauth1 holds a quote or a backslash");
                return Err(Error::new(ErrorKind::Project, message));
            }
            Some(realm) => header.replacen("OAuth ", &format!("OAuth realm=\"{realm}\","), 1),
            None => header,
        };
        request.headers.insert(AUTHORIZATION, sensitive(&header)?);
        Ok(())
    }
}

/// The parameters that are signed, in their order: those of the query, and of a form (RFC 5849, 3.4.1.3). Each is its
/// name, encoded as the base string holds it, which the crate leaves to us; its value encoded, by which equal names are
/// sorted; and its value.
fn parameters(request: &Request) -> BTreeSet<(String, String, String)> {
    let content_type = request.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let is_form = content_type.is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
    let form = request.body.as_deref().filter(|_| is_form).unwrap_or_default();
    let pairs = request.url.query_pairs().chain(url::form_urlencoded::parse(form));
    pairs
        .map(|(name, value)| (encoded(&encoded(&name)), encoded(&value), value.into_owned()))
        .collect()
}

/// HMAC-SHA256, which OAuth 1.0 itself does not know, and NetSuite and others ask for.
#[derive(Clone, Copy)]
struct HmacSha256;

/// A signature being made.
struct Signing {
    mac: Hmac<Sha256>,
}

impl SignatureMethod for HmacSha256 {
    type Sign = Signing;

    fn sign_with(self, client_secret: &str, token_secret: Option<&str>) -> Signing {
        let key = format!(
            "{}&{}",
            encoded(client_secret),
            token_secret.map(encoded).unwrap_or_default()
        );
        // HMAC takes keys of any length; the empty one can't be reached, since the key holds `&`.
        let mac = Hmac::new_from_slice(key.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Signing { mac }
    }
}

impl Sign for Signing {
    type Signature = String;

    fn get_signature_method_name(&self) -> &'static str {
        "HMAC-SHA256"
    }

    fn request_method(&mut self, method: &str) {
        self.mac.update(method.as_bytes());
        self.mac.update(b"&");
    }

    fn uri<T: Display>(&mut self, uri: T) {
        self.mac.update(format!("{uri}&").as_bytes());
    }

    fn parameter<V: Display>(&mut self, key: &str, value: V) {
        self.mac.update(format!("{key}%3D{value}").as_bytes());
    }

    fn delimiter(&mut self) {
        self.mac.update(b"%26");
    }

    fn end(self) -> String {
        encoded(&BASE64.encode(self.mac.finalize().into_bytes()))
    }
}

/// Percent-encoded (RFC 5849, 3.6): everything but letters, digits, `-`, `.`, `_` and `~`.
fn encoded(text: &str) -> String {
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // A form writes these three otherwise.
    form.replace('+', "%20").replace('*', "%2A").replace("%7E", "~")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use reqwest::Method;
    use reqwest::header::HeaderMap;

    use super::*;

    fn signed(auth: &OAuth1, method: Method, url: &str, body: Option<&str>, at: (u64, &str, bool)) -> String {
        let mut headers = HeaderMap::new();
        if body.is_some() {
            let form = reqwest::header::HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form);
        }
        let mut request = Request {
            method,
            url: url.parse().unwrap(),
            headers,
            body: body.map(|b| b.to_string().into()),
            timeout: None,
            total_timeout: None,
        };
        auth.sign_at(&mut request, at.0, at.1, at.2).unwrap();
        request.headers[AUTHORIZATION].to_str().unwrap().to_string()
    }

    #[test]
    fn rfc_5849_section_1_2() {
        let auth = OAuth1 {
            consumer_key: "dpf43f3p2l4k3l03".into(),
            consumer_secret: Secret::new("kd94hf93k423kf44"),
            token: Some(("nnch734d00sl2jdk".into(), Secret::new("pfkkdhi9sl3r4s00"))),
            realm: Some("Photos".into()),
            sha256: false,
        };
        let url = "http://photos.example.net/photos?file=vacation.jpg&size=original";
        let header = signed(&auth, Method::GET, url, None, (137_131_202, "chapoH", false));
        assert!(header.starts_with("OAuth realm=\"Photos\",oauth_consumer_key=\"dpf43f3p2l4k3l03\""));
        assert!(
            header.contains("oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\""),
            "{header}"
        );
    }

    /// The request of RFC 5849, 3.4.1.1; the signatures were made with the Python library oauthlib 4.0.
    #[test]
    fn names_twice_and_odd_characters() {
        let mut auth = OAuth1 {
            consumer_key: "9djdj82h48djs9d2".into(),
            consumer_secret: Secret::new("j49sk3j29djd"),
            token: Some(("kkk9d7dh3k39sjv7".into(), Secret::new("dh893hdasih9"))),
            realm: None,
            sha256: false,
        };
        let url = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b";
        let sign = |auth: &OAuth1| {
            signed(
                auth,
                Method::POST,
                url,
                Some("c2&a3=2+q"),
                (137_131_201, "7d8f3e4a", true),
            )
        };
        assert!(sign(&auth).contains(SHA1), "{}", sign(&auth));
        auth.sha256 = true;
        assert!(sign(&auth).contains(SHA256), "{}", sign(&auth));
    }

    const SHA1: &str = "oauth_signature=\"OB33pYjWAnf%2BxtOHN4Gmbdil168%3D\"";
    const SHA256: &str = "oauth_signature=\"xie2kqHv7CoC3VI1g%2FIUClHXm4q%2B1H3XJZG1izUgBXs%3D\"";
}
