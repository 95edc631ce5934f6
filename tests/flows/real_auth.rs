//! Tokens as real servers hand them out and take them back.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use indoc::indoc;

use crate::support::program::{Project, Ran};
use crate::support::server::{Asked, Reply, Server, answer, json};

const FETCH: &str = indoc! {"
    - op: http_request
      id: fetch
      request: {source: api, url: /data}
"};

/// A project whose source `api` is the server; `$API` stands for its address.
fn project(server: &Server, source: &str) -> Project {
    let source = source.replace("$API", &server.url);
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n{source}", server.url),
        )
        .file("flows/main.yaml", FETCH)
}

/// The requests that went to a path.
fn at(server: &Server, path: &str) -> Vec<Asked> {
    let asked = server.asked();
    asked.into_iter().filter(|a| a.path == path).collect()
}

/// A field of a form.
fn field(asked: &Asked, name: &str) -> Option<String> {
    url::form_urlencoded::parse(asked.body.as_bytes())
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.into_owned())
}

const CLIENT: &str = indoc! {"
    auth:
      type: oauth2
      grant_type: client_credentials
      token_endpoint: $API/token
      client_id: my client
      client_secret: s+cret/1
"};
const TOKEN: &str = r#"{"access_token": "tok-1", "token_type": "bearer", "expires_in": 60}"#;

/// A run with a token endpoint of its own; the data is for who has its token. Gives the request for the token, too.
fn with_token(settings: &str, token: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Ran, Asked) {
    let server = Server::start(move |asked: &Asked| match asked.path.as_str() {
        "/token" => token(asked),
        _ if asked.header("authorization") == "Bearer tok-1" => json(r#"[{"id": 1}]"#),
        _ => json(r#"{"error": "no token"}"#).status(401),
    });
    let ran = project(&server, &format!("{CLIENT}{settings}")).sequor(&["run", "main"]);
    let grants = at(&server, "/token");
    (ran, grants.first().expect("a token is asked for").clone())
}

fn done(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}", ran.all());
}

#[test]
fn the_life_of_a_token_may_be_written_as_a_text() {
    // A token of one second is renewed after half of it: the second step finds it too old.
    let server = Server::start(|asked: &Asked| match asked.path.as_str() {
        "/token" => json(r#"{"access_token": "tok-1", "expires_in": "1"}"#),
        _ => json("[]").after(Duration::from_millis(700)),
    });
    let again = FETCH.replace("id: fetch", "id: again\n  depends_on: [fetch]");
    let project = project(&server, CLIENT).file("flows/main.yaml", &format!("{FETCH}{again}"));
    project.run("main");
    assert_eq!((at(&server, "/data").len(), at(&server, "/token").len()), (2, 2));
}

#[test]
fn a_token_answer_may_be_a_form() {
    let (ran, _) = with_token("", |_| {
        answer(
            "application/x-www-form-urlencoded; charset=utf-8",
            "access_token=tok-1&token_type=bearer&expires_in=3600",
        )
    });
    done(&ran);
}

#[test]
fn a_token_is_found_at_its_path() {
    let nested = |_: &Asked| json(r#"{"data": {"access_token": "tok-1", "expires_in": 60}}"#);
    let (ran, _) = with_token("  token_path: data.access_token\n", nested);
    done(&ran);
    // Without the path there is none, and the answer is shown without the token.
    let (ran, _) = with_token("", nested);
    ran.fails(1, &["gave no token"]);
    assert!(!ran.all().contains("tok-1"), "{}", ran.all());
}

#[test]
fn a_token_error_with_status_200_is_an_error_and_is_shown() {
    let (ran, _) = with_token("", |_| {
        json(
            r#"{"error": "bad_verification_code", "error_description": "The code is incorrect or expired."}"#,
        )
    });
    ran.fails(1, &["bad_verification_code", "incorrect or expired"]);
}

#[test]
fn a_sign_in_page_is_no_token_and_is_shown() {
    let (ran, _) = with_token("", |_| answer("text/html", "<html>Sign in to go on</html>"));
    ran.fails(1, &["Sign in to go on"]);
}

#[test]
fn a_client_shows_who_it_is_by_basic_or_in_the_body() {
    let (ran, grant) = with_token("  client_auth: basic\n", |_| json(TOKEN));
    done(&ran);
    // Both parts are form-encoded first (RFC 6749, 2.3.1).
    let pair = BASE64.encode("my+client:s%2Bcret%2F1");
    assert_eq!(grant.header("authorization"), format!("Basic {pair}"));
    assert_eq!(field(&grant, "client_secret"), None, "{}", grant.body);

    let (ran, grant) = with_token("  client_auth: body\n", |_| json(TOKEN));
    done(&ran);
    assert_eq!(grant.header("authorization"), "");
    assert_eq!(field(&grant, "client_id").as_deref(), Some("my client"));
    assert_eq!(field(&grant, "client_secret").as_deref(), Some("s+cret/1"));
}

#[test]
fn a_token_is_asked_for_with_what_the_server_wants_to_know() {
    let place = "https://data.example.com/";
    for (setting, name, value) in [
        (format!("  audience: {place}\n"), "audience", place),
        (format!("  resource: {place}\n"), "resource", place),
        ("  extra_parameters: {tenant: t-1}\n".to_string(), "tenant", "t-1"),
    ] {
        let (ran, grant) = with_token(&setting, |_| json(TOKEN));
        done(&ran);
        assert_eq!(field(&grant, name).as_deref(), Some(value), "{}", grant.body);
    }
}

/// A server whose refresh tokens work once: each grant gives the next. The text is the token that it takes.
fn rotating(seed: &str) -> (Server, Arc<Mutex<String>>) {
    let valid = Arc::new(Mutex::new(seed.to_string()));
    let kept = valid.clone();
    let server = Server::start(move |asked: &Asked| {
        let mut valid = kept.lock().expect("no panic");
        if asked.path != "/token" {
            return match asked.header("authorization") == format!("Bearer access-of-{valid}") {
                true => json(r#"[{"id": 1}]"#),
                false => json(r#"{"error": "expired"}"#).status(401),
            };
        }
        if field(asked, "refresh_token").as_deref() != Some(valid.as_str()) {
            return json(r#"{"error": "invalid_grant", "error_description": "used already"}"#).status(400);
        }
        *valid = format!("{valid}-next");
        json(format!(
            r#"{{"access_token": "access-of-{valid}", "expires_in": 3600, "refresh_token": "{valid}"}}"#
        ))
    });
    (server, valid)
}

const REFRESH: &str = indoc! {r#"
    auth:
      type: oauth2
      grant_type: refresh_token
      token_endpoint: $API/token
      client_id: me
      client_secret: s3cret-of-client
      refresh_token: "{{ env_var('SEED') }}"
"#};

/// What the token endpoint was sent.
fn refreshed(server: &Server) -> Vec<String> {
    let grants = at(server, "/token");
    grants.iter().filter_map(|g| field(g, "refresh_token")).collect()
}

#[test]
fn a_rotated_refresh_token_is_kept_for_the_next_run() {
    let (server, _) = rotating("seed-token");
    let project = project(&server, REFRESH);
    for _ in 0..3 {
        done(&project.sequor_with(&["run", "main"], &[("SEED", "seed-token")]));
    }
    // Each run begins with what the one before was given, and none tries a token that is used up.
    let sent = ["seed-token", "seed-token-next", "seed-token-next-next"];
    assert_eq!(refreshed(&server), sent);
}

/// The files below a folder that hold a text.
fn holding(folder: &Path, text: &str, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, text, found);
        } else if String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).contains(text) {
            found.push(path);
        }
    }
}

#[test]
fn a_kept_refresh_token_is_for_its_owner_only_and_in_no_log() {
    let (server, _) = rotating("seed-token");
    let project = project(&server, REFRESH);
    let seed = [("SEED", "seed-token")];
    let ran = project.sequor_with(&["run", "main"], &seed);
    done(&ran);
    // It is kept, encrypted, and so is its key, for the owner alone.
    let mut files = Vec::new();
    holding(&project.home(), "seed-token-next", &mut files);
    assert!(files.is_empty(), "{files:?}");
    for file in ["state.db", "state.key"] {
        let file = project.home().join("project_state/test").join(file);
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let ran = project.sequor_with(&["run", "main"], &seed);
    let log = project.read("home/logs/sequor.log");
    for shown in [&ran.all(), &log] {
        assert!(!shown.contains("seed-token"), "{shown}");
    }
}

#[test]
fn a_changed_seed_wins_over_the_refresh_token_that_was_kept() {
    let (server, valid) = rotating("seed-token");
    let project = project(&server, REFRESH);
    done(&project.sequor_with(&["run", "main"], &[("SEED", "seed-token")]));
    // Someone signs in anew and writes the new token into the settings.
    *valid.lock().expect("no panic") = "another-seed".to_string();
    for _ in 0..2 {
        done(&project.sequor_with(&["run", "main"], &[("SEED", "another-seed")]));
    }
    let sent = ["seed-token", "another-seed", "another-seed-next"];
    assert_eq!(refreshed(&server), sent);
}

#[test]
fn a_token_that_dies_while_a_429_is_waited_for_is_renewed() {
    // What was given, and how often the data was asked for.
    let state = Mutex::new((0, 0));
    let server = Server::start(move |asked: &Asked| {
        let (given, hits) = &mut *state.lock().expect("no panic");
        if asked.path == "/token" {
            *given += 1;
            return json(format!(r#"{{"access_token": "a{given}", "expires_in": 400}}"#));
        }
        *hits += 1;
        if *hits == 1 {
            // Another client gets a token, and the first is no good any more.
            *given += 1;
            return json(r#"{"error": "slow"}"#)
                .status(429)
                .header("retry-after-ms", "100");
        }
        match asked.header("authorization") == format!("Bearer a{given}") {
            true => json(r#"[{"id": 1}]"#),
            false => json(r#"{"error": "expired"}"#).status(401),
        }
    });
    // The 401 behind the wait is no attempt that is missing later.
    let source = format!("retry: {{max_attempts: 1}}\n{CLIENT}");
    project(&server, &source).run("main");
    assert_eq!((at(&server, "/data").len(), at(&server, "/token").len()), (3, 2));
}
