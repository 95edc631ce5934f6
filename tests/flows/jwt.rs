//! Tokens that are signed here, taken apart on the wire.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indoc::indoc;
use serde_json::{Value as Json, json as value};

use crate::support::program::{Project, Ran};
use crate::support::server::{Asked, Server, json};

fn project(server: &Server, auth: &str) -> Project {
    let auth = auth.replace("$API", &server.url);
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\nauth: {auth}\n", server.url),
        )
        .file(
            "flows/main.yaml",
            indoc! {"
                - op: http_request
                  request: {source: api, url: /x}
                - op: http_request
                  request: {source: api, url: /y}
            "},
        )
}

/// The parts of a token: header and claims.
fn parts(token: &str) -> (Json, Json) {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    (parts.next().expect("a header"), parts.next().expect("claims"))
}

/// Runs a command of openssl in a folder.
fn openssl(project: &Project, arguments: &str) {
    let ran = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(project.path())
        .output()
        .expect("openssl");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn authorization(asked: &Asked) -> String {
    let header = asked.header("authorization");
    header
        .strip_prefix("Bearer ")
        .expect("a bearer token")
        .to_string()
}

#[test]
fn a_token_by_a_shared_secret() {
    let server = Server::start(|_: &Asked| json("{}"));
    let auth = r#"{type: jwt, algorithm: HS256, key: "{{ env_var('KEY') }}", claims: {iss: me, aud: them, level: 3}, headers: {kid: k1}, expires_in: 60}"#;
    let ran = project(&server, auth).sequor_with(&["run", "main"], &[("KEY", "a-secret-of-some-length")]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let asked = server.asked();
    let token = authorization(&asked[0]);
    // One token serves both.
    assert_eq!(authorization(&asked[1]), token);
    let (header, claims) = parts(&token);
    assert_eq!(header, value!({"typ": "JWT", "alg": "HS256", "kid": "k1"}));
    assert_eq!(
        (&claims["iss"], &claims["aud"], &claims["level"]),
        (&"me".into(), &"them".into(), &3.into())
    );
    assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|at| at + 60));
    let check = indoc! {"
        import base64, hashlib, hmac, sys
        head, signature = sys.argv[1].rsplit('.', 1)
        own = hmac.new(b'a-secret-of-some-length', head.encode(), hashlib.sha256).digest()
        assert base64.urlsafe_b64encode(own).rstrip(b'=').decode() == signature
    "};
    let checked = Command::new("python3").args(["-c", check, &token]).status();
    assert!(checked.expect("python3").success());
    assert!(!ran.all().contains(&token));
}

#[test]
fn keys_of_rsa_and_of_a_curve_from_a_file_and_from_a_text_of_one_line() {
    let server = Server::start(|_: &Asked| json("{}"));
    let rsa = project(
        &server,
        "{type: jwt, algorithm: RS256, key_path: keys/rsa.pem, claims: {iss: me}}",
    )
    .file("keys/readme", "");
    openssl(
        &rsa,
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out keys/rsa.pem",
    );
    rsa.run("main");
    assert_eq!(parts(&authorization(&server.asked()[0])).0["alg"], "RS256");

    let curve = project(
        &server,
        r#"{type: jwt, algorithm: ES256, key: "{{ env_var('KEY') }}", claims: {iss: me}}"#,
    );
    openssl(
        &curve,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem",
    );
    // As variables of the environment often hold it.
    let key = curve.read("ec.pem").replace('\n', "\\n");
    let ran = curve.sequor_with(&["run", "main"], &[("KEY", &key)]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(parts(&authorization(&server.asked()[2])).0["alg"], "ES256");
}

#[test]
fn a_service_account_gets_a_token_for_its_own() {
    let server = Server::start(|asked: &Asked| match asked.path.as_str() {
        "/token" => json(r#"{"access_token": "given-token", "expires_in": 3600}"#),
        _ => json("{}"),
    });
    let auth = "{type: oauth2, grant_type: jwt_bearer, token_endpoint: $API/token, algorithm: HS256, key: a-key-of-ours, claims: {iss: robot, scope: read}}";
    project(&server, auth).run("main");
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    let form: Vec<(String, String)> = url::form_urlencoded::parse(asked[0].body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(form.len(), 2);
    assert_eq!(
        form[0],
        (
            "grant_type".into(),
            "urn:ietf:params:oauth:grant-type:jwt-bearer".into()
        )
    );
    let (_, claims) = parts(&form[1].1);
    assert_eq!(
        (&claims["iss"], &claims["scope"], &claims["aud"]),
        (
            &"robot".into(),
            &"read".into(),
            &format!("{}/token", server.url).into()
        )
    );
    assert_eq!(asked[1].header("authorization"), "Bearer given-token");
}

#[test]
fn keys_that_are_none() {
    let server = Server::start(|_: &Asked| json("{}"));
    let run = |auth: &str| -> Ran { project(&server, auth).sequor(&["run", "main"]) };
    run("{type: jwt, algorithm: RS256, key: no pem, claims: {iss: me}}").fails(1, &["RS256", "PEM"]);
    run("{type: jwt, algorithm: HS256, key_path: missing.pem}").fails(1, &["key_path", "missing.pem"]);
    run("{type: jwt, algorithm: HS256}").fails(2, &["needs `key`"]);
    run("{type: jwt, key: k}").fails(2, &["needs `algorithm`"]);
    run("{type: oauth2, grant_type: jwt_bearer, token_endpoint: $API/token}")
        .fails(2, &["needs `algorithm`"]);
    run("{type: oauth2, grant_type: client_credentials, token_endpoint: $API/token, client_id: a, client_secret: b, key: c}")
        .fails(2, &["`key` is for `grant_type: jwt_bearer`"]);
    assert!(server.asked().is_empty());
}
