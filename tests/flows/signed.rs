//! Signed requests, checked on the wire by a second implementation of the signatures, in Python's standard library.

use indoc::{formatdoc, indoc};
use std::process::Command;

use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

/// Gives `good` when the signature is.
const OAUTH1: &str = r#"
import base64, hashlib, hmac, sys
from urllib.parse import parse_qsl, quote, unquote
method, url, query, body, header, secrets = sys.argv[1:7]
q = lambda s: quote(s, safe="-._~")
assert header.startswith("OAuth "), header
given = dict(p.strip().split("=", 1) for p in header[6:].split(","))
given = {k: unquote(v.strip('"')) for k, v in given.items()}
realm = given.pop("realm", None)
assert realm == "shop 1", realm
signature = given.pop("oauth_signature")
assert given["oauth_version"] == "1.0" and len(given["oauth_nonce"]) > 15 and int(given["oauth_timestamp"]) > 1.7e9
pairs = list(given.items()) + parse_qsl(query, True) + parse_qsl(body, True)
pairs = sorted((q(k), q(v)) for k, v in pairs)
base = "&".join([method, q(url), q("&".join(k + "=" + v for k, v in pairs))])
algorithm = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}[given["oauth_signature_method"]]
wanted = base64.b64encode(hmac.new(secrets.encode(), base.encode(), algorithm).digest()).decode()
assert wanted == signature, (base, wanted, signature)
print("good", given["oauth_signature_method"])
"#;

const SIGV4: &str = r#"
import hashlib, hmac, sys
from urllib.parse import parse_qsl, quote
method, path, query, body, header, secret = sys.argv[1:7]
headers = dict(h.split(": ", 1) for h in sys.argv[7:])
q = lambda s: quote(s, safe="-._~")
parts = dict(p.strip().split("=", 1) for p in header.removeprefix("AWS4-HMAC-SHA256 ").split(","))
key_id, date, region, service, end = parts["Credential"].split("/")
assert (region, service, end) == ("eu-central-1", "execute-api", "aws4_request"), parts
signed = parts["SignedHeaders"].split(";")
assert "host" in signed and "x-amz-date" in signed and "x-amz-security-token" in signed, signed
pairs = sorted((q(k), q(v)) for k, v in parse_qsl(query, True))
canonical = "\n".join([method, quote(path, safe="/-._~"), "&".join(k + "=" + v for k, v in pairs),
    "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed), ";".join(signed),
    hashlib.sha256(body.encode()).hexdigest()])
scope = "/".join([date, region, service, end])
text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
key = ("AWS4" + secret).encode()
for part in [date, region, service, end]:
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
assert wanted == parts["Signature"], (canonical, wanted, parts)
print("good")
"#;

fn python(code: &str, args: &[&str]) -> String {
    let out = Command::new("python3")
        .arg("-c")
        .arg(code)
        .args(args)
        .output()
        .expect("python3");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    text.trim().to_string()
}

fn project(server: &Server, auth: &str, request: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\nauth:\n{auth}", server.url),
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  request: {{source: api, {request}}}
            "
            ),
        )
}

/// Nothing of the secrets is in what the run said or kept.
fn keeps_secrets(project: &Project, secrets: &[&str]) {
    let ran = project.sequor(&["run", "main", "--record", "kept"]);
    let log = project.read("home/logs/sequor.log");
    let mut all = ran.all() + &log;
    for entry in std::fs::read_dir(project.path().join("kept/http_request_1")).expect("recordings") {
        all += &std::fs::read_to_string(entry.expect("a file").path()).expect("text");
    }
    for preview in [
        "--debug-httprequest-preview-trace",
        "--debug-httprequest-preview-pretty",
    ] {
        all += &project
            .sequor(&["run", "main", "--op-id", "http_request_1", preview])
            .all();
    }
    assert!(all.contains("***"), "{all}");
    for secret in secrets {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn oauth1() {
    for method in ["HMAC-SHA1", "HMAC-SHA256"] {
        let server = Server::start(|_: &Asked| json("{}"));
        let auth = format!(
            "  type: oauth1\n  consumer_key: \"k e/y\"\n  consumer_secret: \"consumer s&cret\"\n  token: tok\n  token_secret: token-secret\n  realm: shop 1\n  signature_method: {method}\n"
        );
        let requests = [
            "url: \"/x/y z?b=2&a=1&a=0\", parameters: {\"c@\": \"=%3D ü*~\", empty: \"\"}",
            "url: /x, method: POST, body_format: form_urlencoded, body: {z: \"1 2\", a: \"+&\"}",
            "url: /x?q=1, method: POST, body: {json: is not signed}",
        ];
        for request in requests {
            let project = project(&server, &auth, request);
            project.run("main");
            let asked = server.asked().last().cloned().expect("asked");
            let url = format!("{}{}", server.url, asked.path);
            let form = asked.header("content-type").contains("form");
            let body = if form { asked.body.as_str() } else { "" };
            let args = [
                &asked.method,
                &url,
                &asked.query,
                body,
                asked.header("authorization"),
                "consumer%20s%26cret&token-secret",
            ];
            assert_eq!(python(OAUTH1, &args), format!("good {method}"), "{request}");
            keeps_secrets(
                &project,
                &[
                    "consumer s&cret",
                    "consumer%20s%26cret",
                    "token-secret",
                    "oauth_signature",
                ],
            );
        }
        // Each request has a nonce of its own.
        let asked = server.asked();
        let nonce = |a: &Asked| {
            let header = a.header("authorization").to_string();
            header.split("oauth_nonce=").nth(1).expect("a nonce")[..30].to_string()
        };
        assert_ne!(nonce(&asked[0]), nonce(&asked[1]));
    }
    let server = Server::start(|_: &Asked| json("{}"));
    project(
        &server,
        "  type: oauth1\n  consumer_key: a\n  signature_method: RSA-SHA1\n",
        "url: /x",
    )
    .sequor(&["validate"])
    .fails(2, &["needs `consumer_secret`", "`RSA-SHA1` is not allowed"]);
}

#[test]
fn aws_sigv4() {
    let server = Server::start(|_: &Asked| json("{}"));
    let auth = "  type: aws_sigv4\n  access_key_id: AKIDEXAMPLE\n  secret_access_key: wJalrXUtnFEMI/K7MDENG\n  session_token: session-token-1\n  region: eu-central-1\n  service: execute-api\n";
    let requests = [
        "url: \"/prod/orders?b=2&a=1\", parameters: {q: \"a b/ü\"}, headers: {X-Custom: \"a   b\"}",
        "url: /prod/orders, method: POST, body: {id: 1}",
        "url: /prod/orders/1, method: DELETE",
    ];
    for request in requests {
        let project = project(&server, auth, request);
        project.run("main");
        let asked = server.asked().last().cloned().expect("asked");
        let headers: Vec<String> = asked
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        let authorization = asked.header("authorization");
        let mut args = vec![
            asked.method.as_str(),
            &asked.path,
            &asked.query,
            &asked.body,
            authorization,
            "wJalrXUtnFEMI/K7MDENG",
        ];
        args.extend(headers.iter().map(String::as_str));
        assert_eq!(python(SIGV4, &args), "good", "{request}");
        keeps_secrets(&project, &["wJalrXUtnFEMI", "session-token-1", "Signature="]);
    }
    project(&server, "  type: aws_sigv4\n  access_key_id: a\n", "url: /x")
        .sequor(&["validate"])
        .fails(
            2,
            &["needs `secret_access_key`", "needs `region`", "needs `service`"],
        );
}

#[test]
fn a_redirected_request_is_signed_anew() {
    let server = Server::start(|asked: &Asked| match asked.path.as_str() {
        "/a" => json("").status(302).header("location", "/b?x=1"),
        _ => json("{}"),
    });
    let auth = "  type: oauth1\n  consumer_key: k\n  consumer_secret: consumer-secret\n  realm: shop 1\n";
    project(&server, auth, "url: /a").run("main");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    for asked in asked {
        let url = format!("{}{}", server.url, asked.path);
        let header = asked.header("authorization");
        let args = [&asked.method, &url, &asked.query, "", header, "consumer-secret&"];
        assert_eq!(python(OAUTH1, &args), "good HMAC-SHA1");
    }
    // A key in the query goes along, too.
    let key = "  type: api_key\n  key_name: k\n  key_value: s3cret\n  add_to: query\n";
    project(&server, key, "url: /a").run("main");
    assert_eq!(server.asked().last().expect("asked").query, "x=1&k=s3cret");
}

#[test]
fn an_echo_of_the_credentials_stays_good_json_in_a_recording() {
    let server = Server::start(|asked: &Asked| {
        json(
            serde_json::json!({"authorization": asked.header("authorization"), "rows": [{"id": 1}]})
                .to_string(),
        )
    });
    let auth = "  type: oauth1\n  consumer_key: k\n  consumer_secret: consumer-secret\n";
    let project = project(&server, auth, "url: /a");
    project.write(
        "flows/main.yaml",
        indoc! {"
            - op: http_request
              request: {source: api, url: /a}
              response:
                tables:
                  - {source: stage, table: t, columns: {id: integer}, data_path: rows}
        "},
    );
    let ran = project.sequor(&["run", "main", "--record", "kept"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    drop(server);
    let ran = project.sequor(&["run", "main", "--replay", "kept"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(
        !project
            .read("kept/http_request_1/0001.yaml")
            .contains("oauth_signature")
    );
}
