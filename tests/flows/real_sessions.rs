//! Cookies, and sessions that a login begins, as real APIs have them.

use std::sync::Mutex;

use indoc::indoc;
use serde_json::{Value, from_str};

use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

/// A project whose source `api` is the server.
fn project(server: &Server, source: &str, flow: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n{source}", server.url),
        )
        .file("flows/main.yaml", flow)
}

/// How often a login was asked for.
fn logins(server: &Server) -> usize {
    server.asked().iter().filter(|a| a.path == "/login").count()
}

/// A server that sets a cookie in a redirect to the same url, and another one at its login.
fn with_cookies() -> Server {
    Server::start(|asked: &Asked| {
        let cookies = asked.header("cookie");
        match asked.path.as_str() {
            "/round" if cookies.contains("sid=1") => json(r#"[{"id": 5}]"#),
            "/round" => json("")
                .status(302)
                .header("location", "/round")
                .header("set-cookie", "sid=1; Path=/"),
            "/login" => json("{}").header("set-cookie", "session=abc; Path=/; HttpOnly"),
            _ if cookies.contains("session=abc") => json(r#"[{"id": 7}]"#),
            _ => json(r#"{"error": "no session"}"#).status(403),
        }
    })
}

const ROUND: &str = indoc! {"
    - op: http_request
      request: {source: api, url: /round}
      response:
        tables:
          - {source: stage, table: t, columns: {id: integer}, data_path: $}
"};
const LOGIN: &str = indoc! {"
    - op: http_request
      id: login
      request: {source: api, url: /login}
    - op: http_request
      depends_on: [login]
      request: {source: api, url: /data}
      response:
        tables:
          - {source: stage, table: t, columns: {id: integer}, data_path: $}
"};

#[test]
fn a_source_with_cookies_keeps_one_that_a_redirect_sets() {
    let server = with_cookies();
    let project = project(&server, "cookies: true\n", ROUND);
    project.run("main");
    assert_eq!(project.rows("stage", "select id from t"), ["5"]);
}

#[test]
fn a_source_with_cookies_keeps_them_from_step_to_step() {
    let server = with_cookies();
    let project = project(&server, "cookies: true\n", LOGIN);
    project.run("main");
    assert_eq!(project.rows("stage", "select id from t"), ["7"]);
}

#[test]
fn a_source_without_cookies_never_sends_one() {
    let server = with_cookies();
    let project = project(&server, "", LOGIN);
    project.sequor(&["run", "main"]).fails(1, &["no session"]);
    let asked = server.asked();
    assert!(asked.len() >= 2, "{asked:?}");
    assert!(asked.iter().all(|a| a.header("cookie").is_empty()), "{asked:?}");
}

const SESSION: &str = indoc! {"
    auth:
      type: session_token
      login:
        url: /login
        method: POST
        headers: {X-App: shop}
        body: {user: u, pass: p4ss-of-user}
      token_path: data.id
      add_to: header
      key_name: X-Session
"};

/// A server whose sessions end after three requests; what is at `/never` is never given.
fn with_sessions() -> Server {
    // Which session it is, and how often it was used.
    let state = Mutex::new((0, 0));
    Server::start(move |asked: &Asked| {
        let (number, used) = &mut *state.lock().expect("no panic");
        if asked.path == "/login" {
            let known = asked.method == "POST"
                && asked.header("x-app") == "shop"
                && from_str::<Value>(&asked.body)
                    .is_ok_and(|b| b["user"] == "u" && b["pass"] == "p4ss-of-user");
            if !known {
                return json(r#"{"error": "wrong user"}"#).status(401);
            }
            (*number, *used) = (*number + 1, 0);
            return json(format!(r#"{{"data": {{"id": "session-{number}"}}}}"#));
        }
        *used += 1;
        let good = asked.header("x-session") == format!("session-{number}") && *used <= 3;
        if asked.path == "/never" || !good {
            return json(r#"{"error": "the session is over"}"#).status(401);
        }
        let page = asked.parameter("page").and_then(|p| p.parse().ok()).unwrap_or(1);
        match page {
            1..=5 => json(format!(r#"[{{"id": {page}}}]"#)),
            _ => json("[]"),
        }
    })
}

#[test]
fn a_session_that_ends_is_begun_anew_and_no_row_is_missing() {
    let server = with_sessions();
    let flow = indoc! {"
        - op: http_request
          request: {source: api, url: /data, pagination: {type: page_number}}
          response:
            tables:
              - {source: stage, table: t, columns: {id: integer}, data_path: $}
    "};
    let project = project(&server, SESSION, flow);
    project.run("main");
    let rows = project.rows("stage", "select count(*), sum(id) from t");
    assert_eq!((rows[0].as_str(), logins(&server)), ("5|15", 2));
}

#[test]
fn a_session_that_is_never_taken_is_not_begun_for_ever() {
    let server = with_sessions();
    let flow = "- {op: http_request, request: {source: api, url: /never}}\n";
    let ran = project(&server, SESSION, flow).sequor(&["run", "main"]);
    ran.fails(1, &["answered 401"]);
    let logins = logins(&server);
    assert!((1..=2).contains(&logins), "{logins} logins");
    assert!(!ran.all().contains("p4ss-of-user"), "{}", ran.all());
}

#[test]
fn two_accounts_of_one_client_keep_their_own_tokens_and_a_replay_keeps_none() {
    // Each seed is good once; what follows it names its account.
    let used: Mutex<Vec<String>> = Mutex::default();
    let server = Server::start(move |asked: &Asked| {
        if asked.path != "/token" {
            return json("{}");
        }
        let form: Vec<(String, String)> = url::form_urlencoded::parse(asked.body.as_bytes())
            .into_owned()
            .collect();
        let token = form.iter().find(|(name, _)| name == "refresh_token");
        let token = token.map(|(_, token)| token.clone()).unwrap_or_default();
        let mut used = used.lock().expect("no panic");
        if used.contains(&token) {
            return json(r#"{"error": "invalid_grant"}"#).status(400);
        }
        used.push(token.clone());
        json(format!(
            r#"{{"access_token": "a-{token}", "refresh_token": "{token}-next", "expires_in": 3600}}"#
        ))
    });
    let source = |seed: &str| {
        format!(
            "type: http\nbase_url: {0}\nauth: {{type: oauth2, grant_type: refresh_token, client_id: app, token_endpoint: {0}/token, refresh_token: {seed}}}\n",
            server.url
        )
    };
    let project = Project::new()
        .file("sources/one.yaml", &source("first-seed"))
        .file("sources/two.yaml", &source("second-seed"))
        .file(
            "flows/main.yaml",
            "- op: http_request\n  request: {source: one, url: /x}\n- op: http_request\n  request: {source: two, url: /x}\n",
        );
    let ran = project.sequor(&["run", "main", "--record", "kept"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let ran = project.sequor(&["run", "main", "--replay", "kept"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    project.run("main");
    project.run("main");
}

#[test]
fn a_login_by_a_form_whose_token_outlives_every_clock() {
    let server = Server::start(|asked: &Asked| match asked.path.as_str() {
        "/login" => json(r#"{"token": "of-the-form", "lives": 1e19}"#),
        _ => json("{}"),
    });
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!(
                "type: http\nbase_url: {}\nauth: {{type: session_token, token_path: token, expires_in_path: lives, login: {{url: /login, headers: {{Content-Type: application/x-www-form-urlencoded}}, body: {{user: ann, pass: a b}}}}}}\n",
                server.url
            ),
        )
        .file("flows/main.yaml", "- op: http_request\n  request: {source: api, url: /x}\n");
    project.run("main");
    let asked = server.asked();
    assert_eq!(asked[0].body, "user=ann&pass=a+b");
    assert_eq!(asked[1].header("authorization"), "of-the-form");
}
