//! Digest and OAuth 2.0, checked on the wire.

use indoc::{formatdoc, indoc};
use std::collections::HashMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::program::Project;
use crate::support::server::{Asked, Reply, Server, json};

const ROWS: &str = indoc! {"
    - op: execute
      source: stage
      statement: create table rows as select * from generate_series(1, 40)
"};
const PUSH: &str = indoc! {"
    - op: http_request
      id: push
      for_each: {source: stage, table: rows, as: row}
      request: {source: api, url: /x, method: PUT}
"};

fn project(server: &Server, auth: &str) -> Project {
    let source = format!(
        "type: http\nbase_url: {0}\nauth:\n{1}",
        server.url,
        auth.replace("$API", &server.url)
    );
    let project = Project::new()
        .file("sources/api.yaml", &source)
        .file("flows/fill.yaml", ROWS)
        .file("flows/main.yaml", PUSH)
        .file(
            "flows/one.yaml",
            indoc! {"
                - op: http_request
                  request: {source: api, url: /x?a=1}
            "},
        );
    project.run("fill");
    project
}

/// The parts of a digest's header.
fn parts(header: &str) -> HashMap<String, String> {
    let parts = header.trim_start_matches("Digest ").split(", ");
    parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.to_string(), value.trim_matches('"').to_string()))
        .collect()
}

fn hash(algorithm: &str, text: &str) -> String {
    let code = "import hashlib,sys; print(hashlib.new(sys.argv[1], sys.argv[2].encode()).hexdigest())";
    let out = Command::new("python3")
        .args(["-c", code, algorithm, text])
        .output()
        .expect("python3");
    String::from_utf8_lossy(&out.stdout).trim().to_string()
}

#[test]
fn digest_answers_the_challenge_as_the_rfc_says() {
    for (name, algorithm) in [("MD5", "md5"), ("SHA-256", "sha256")] {
        let server = Server::start(move |asked: &Asked| match asked.header("authorization") {
            "" => json("{}").status(401).header(
                "www-authenticate",
                &format!(
                    r#"Digest realm="shop", qop="auth", algorithm={name}, nonce="abc123", opaque="xyz""#
                ),
            ),
            _ => json("{}"),
        });
        let project = project(
            &server,
            "  type: digest_auth\n  username: ann\n  password: s3cr3tpass\n",
        );
        project.run("one");
        project.run("main");
        let asked = server.asked();
        // One challenge per step serves all its requests, each with its own count.
        assert!(asked.len() >= 43, "{}", asked.len());
        let signed = asked.iter().filter(|a| !a.header("authorization").is_empty());
        let mut counts = Vec::new();
        for request in signed.take(5) {
            let parts = parts(request.header("authorization"));
            let uri = if request.query.is_empty() {
                "/x".to_string()
            } else {
                format!("/x?{}", request.query)
            };
            assert_eq!(parts["uri"], uri);
            assert_eq!(parts["opaque"], "xyz");
            let first = hash(algorithm, "ann:shop:s3cr3tpass");
            let second = hash(algorithm, &format!("{}:{uri}", request.method));
            let text = format!("{first}:abc123:{}:{}:auth:{second}", parts["nc"], parts["cnonce"]);
            assert_eq!(parts["response"], hash(algorithm, &text), "{name}");
            counts.push(parts["nc"].clone());
        }
        assert_eq!(counts[0], "00000001");
    }
}

/// A server that gives tokens and takes the one it gave last.
fn tokens(lives: &'static str) -> (Server, &'static AtomicUsize, &'static Mutex<Vec<Asked>>) {
    let given: &'static AtomicUsize = Box::leak(Box::default());
    let grants: &'static Mutex<Vec<Asked>> = Box::leak(Box::default());
    let server = Server::start(move |asked: &Asked| -> Reply {
        if asked.path == "/token" {
            grants.lock().unwrap().push(asked.clone());
            if asked.body.contains("wrong") {
                return json(r#"{"error":"invalid_grant","error_description":"authentication failure"}"#)
                    .status(400);
            }
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            return json(format!(
                r#"{{"access_token":"toktok{number}","token_type":"Bearer","expires_in":{lives},"refresh_token":"refref{number}"}}"#
            ))
            .after(std::time::Duration::from_millis(50));
        }
        // After the tenth request the first token is taken back.
        let valid = format!("Bearer toktok{}", given.load(Ordering::SeqCst));
        match asked.header("authorization") == valid {
            true => json("{}"),
            false => json("{}").status(401),
        }
    });
    (server, given, grants)
}

const PASSWORD: &str = "  type: oauth2\n  grant_type: password\n  token_endpoint: $API/token\n  client_id: app\n  client_secret: clientsecret\n  username: ann\n  password: s3cr3tpass\n";

#[test]
fn one_token_serves_all_requests_of_a_source() {
    let (server, given, grants) = tokens("3600");
    let project = project(&server, PASSWORD).file(
        "flows/both.yaml",
        &format!("{PUSH}{}", PUSH.replace("id: push", "id: again")),
    );
    let recordings = project.path().join("rec");
    let ran = project.sequor(&["run", "both", "--record", "rec"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(given.load(Ordering::SeqCst), 1, "one asks, the others wait");
    let grant = grants.lock().unwrap()[0].clone();
    assert_eq!(grant.method, "POST");
    assert_eq!(
        grant.body,
        "grant_type=password&username=ann&password=s3cr3tpass&client_id=app&client_secret=clientsecret"
    );
    assert_eq!(server.asked().len(), 81);
    // Nothing of it is kept, and the recordings answer all of it again.
    let kept = Command::new("grep")
        .args(["-rlE", "s3cr3tpass|clientsecret|toktok|refref"])
        .arg(&recordings)
        .output();
    assert_eq!(String::from_utf8_lossy(&kept.expect("grep").stdout), "");
    let ran = project.sequor(&["run", "both", "--replay", "rec"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(server.asked().len(), 81);
}

#[test]
fn tokens_are_renewed_before_they_expire_and_once_when_refused() {
    // A token of four seconds is renewed after two: the second step finds it too old.
    let (server, given, grants) = tokens("4");
    let project = project(&server, PASSWORD).file(
        "flows/both.yaml",
        &formatdoc!(
            r#"
            {PUSH}- op: set_variable
              set: {{x_expression: "__import__('time').sleep(2.2)"}}
              depends_on: []
            - op: http_request
              id: again
              request: {{source: api, url: "/x?{{{{ var('x') }}}}", method: PUT}}
        "#
        ),
    );
    project.run("both");
    assert_eq!(given.load(Ordering::SeqCst), 2);
    let second = grants.lock().unwrap()[1].body.clone();
    assert_eq!(
        second,
        "grant_type=refresh_token&refresh_token=refref1&client_id=app&client_secret=clientsecret"
    );
    // A token that is taken back: the server counts one more, as if it had given it to another.
    given.fetch_add(1, Ordering::SeqCst);
    project.run("one");
    // What is refused with a new token, too, is an error and not a circle.
    let refusing = Server::start(|asked: &Asked| match asked.path.as_str() {
        "/token" => json(r#"{"access_token":"toktok"}"#),
        _ => json("{}").status(401),
    });
    let ran = self::project(&refusing, PASSWORD).sequor(&["run", "one"]);
    ran.fails(1, &["answered 401"]);
    assert_eq!(refusing.asked().len(), 4);
}

#[test]
fn other_grants_and_refusals() {
    let (server, _, grants) = tokens("3600");
    let client = PASSWORD
        .replace("grant_type: password", "grant_type: client_credentials")
        .replace(
            "  username: ann\n  password: s3cr3tpass\n",
            "  scope: read write\n",
        );
    project(&server, &client).run("one");
    let body = grants.lock().unwrap()[0].body.clone();
    assert_eq!(
        body,
        "grant_type=client_credentials&client_id=app&client_secret=clientsecret&scope=read+write"
    );
    let refresh = "  type: oauth2\n  grant_type: refresh_token\n  token_endpoint: $API/token\n  client_id: app\n  refresh_token: kept123\n";
    project(&server, refresh).run("one");
    let body = grants.lock().unwrap()[1].body.clone();
    assert_eq!(
        body,
        "grant_type=refresh_token&refresh_token=kept123&client_id=app"
    );
    let ran = project(&server, &PASSWORD.replace("s3cr3tpass", "wrong-pass")).sequor(&["run", "one"]);
    ran.fails(1, &["invalid_grant: authentication failure", "answered 400"]);
    assert!(!ran.all().contains("wrong-pass"), "{}", ran.all());
    let incomplete =
        "  type: oauth2\n  grant_type: password\n  token_endpoint: $API/token\n  client_id: app\n";
    let incomplete = format!("type: http\nauth:\n{incomplete}");
    let project = Project::new().file("sources/api.yaml", &incomplete);
    project.sequor(&["validate"]).fails(
        2,
        &["needs `username` for `grant_type: password`", "needs `password`"],
    );
}
