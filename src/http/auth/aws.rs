//! Signature Version 4 of AWS, by the crate `aws-sigv4`.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::header::{HeaderName, HeaderValue};

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Request;
use crate::secret::Secret;

/// What requests are signed with.
#[derive(Clone)]
pub struct AwsSigv4 {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
    pub region: String,
    pub service: String,
}

impl fmt::Debug for AwsSigv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsSigv4")
    }
}

impl AwsSigv4 {
    /// Signs a request as it is now.
    pub fn sign(&self, request: &mut Request) -> Result<()> {
        self.sign_at(request, SystemTime::now())
    }

    fn sign_at(&self, request: &mut Request, time: SystemTime) -> Result<()> {
        let failed = |e: &dyn fmt::Display| {
            Error::new(
                ErrorKind::Unauthorized,
                format!("the request can't be signed for AWS: {e}"),
            )
        };
        let identity = Credentials::new(
            &self.access_key_id,
            self.secret_access_key.reveal(),
            self.session_token.as_ref().map(|t| t.reveal().to_string()),
            None,
            "sequor",
        )
        .into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(time)
            .settings(self.settings())
            .build()
            .map_err(|e| failed(&e))?
            .into();
        let headers = request
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let body = SignableBody::Bytes(request.body.as_deref().unwrap_or_default());
        let signable = SignableRequest::new(request.method.as_str(), request.url.as_str(), headers, body)
            .map_err(|e| failed(&e))?;
        let (instructions, _) = sign(signable, &params).map_err(|e| failed(&e))?.into_parts();
        let (headers, _) = instructions.into_parts();
        for header in headers {
            let name = HeaderName::from_static(header.name());
            let mut value = HeaderValue::from_str(header.value()).map_err(|e| failed(&e))?;
            value.set_sensitive(header.sensitive() || name == reqwest::header::AUTHORIZATION);
            request.headers.insert(name, value);
        }
        Ok(())
    }

    /// S3 takes paths as they are and wants the body's hash in a header; the other services do not.
    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use reqwest::Method;
    use reqwest::header::{AUTHORIZATION, HeaderMap};

    use super::*;

    fn signature(method: Method, url: &str, headers: HeaderMap, body: Option<&'static str>) -> String {
        let auth = AwsSigv4 {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
            region: "us-east-1".into(),
            service: "service".into(),
        };
        let mut request = Request {
            method,
            url: url.parse().unwrap(),
            headers,
            body: body.map(|b| b.into()),
            timeout: None,
            total_timeout: None,
        };
        // 2015-08-30T12:36:00Z, the time of the suite.
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        auth.sign_at(&mut request, time).unwrap();
        assert_eq!(request.headers["x-amz-date"], "20150830T123600Z");
        let header = request.headers[AUTHORIZATION].to_str().unwrap();
        header.rsplit_once("Signature=").unwrap().1.to_string()
    }

    /// Of AWS's Signature Version 4 test suite: get-vanilla, post-vanilla, get-vanilla-query-order-key-case,
    /// post-x-www-form-urlencoded.
    #[test]
    fn vectors_of_aws() {
        let none = HeaderMap::new;
        assert_eq!(
            signature(Method::GET, "https://example.amazonaws.com/", none(), None),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        assert_eq!(
            signature(Method::POST, "https://example.amazonaws.com/", none(), None),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        let url = "https://example.amazonaws.com/?Param2=value2&Param1=value1";
        assert_eq!(
            signature(Method::GET, url, none(), None),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
        let mut form = none();
        form.insert(
            reqwest::header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        assert_eq!(
            signature(
                Method::POST,
                "https://example.amazonaws.com/",
                form,
                Some("Param1=value1")
            ),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }
}
