//! The values in a source's definition that are computed when it is opened or asked.

use super::{
    AuthSpec, AwsSigv4Spec, HttpSource, JwtKey, JwtSpec, Network, OAuth1Spec, OAuth2Spec, SessionSpec,
    Source, SourceKind, Tls,
};
use crate::expr::{each_prop, each_prop_of_variants};

each_prop! {
    OAuth1Spec { consumer_key, consumer_secret, token, token_secret, realm; sha256 }
    OAuth2Spec { token_endpoint, client_id, client_secret, username, password, refresh_token, scope, audience, resource, extra_parameters, assertion; grant, client_auth, token_path }
    JwtSpec { key, claims, headers; algorithm, expires_in }
    SessionSpec { url, method, headers, body, key_name, prefix; token_path, expires_in, expires_in_path, in_query }
    AwsSigv4Spec { access_key_id, secret_access_key, session_token, region, service }
    Tls { ca_cert, client_cert, client_key; place }
    Network { tls; allowed_hosts, max_response }
    HttpSource { base_url, variables, headers, auth, network; timeout, total_timeout, concurrency, rate_limit, retry, cookies }
    Source { kind, identifiers; name, place }
}

each_prop_of_variants! {
    SourceKind { @Http, @Database, } else {}
}

each_prop_of_variants! {
    JwtKey { @Text, @File, } else {}
}

each_prop_of_variants! {
    AuthSpec {
        Basic { username, password },
        Bearer { token },
        ApiKey { name, value; in_query },
        Digest { username, password },
        @OAuth2,
        @OAuth1,
        @Session,
        @Jwt,
        @AwsSigv4,
    } else {}
}
