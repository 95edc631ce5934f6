//! Record and replay.

use crate::support::program::Project;
use crate::support::server::{Server, json};

const FLOW: &str = r#"
- op: http_request
  id: get
  request: {url: "URL/orders", parameters: {day: "{{ var('day') }}"}}
  response:
    tables:
      - {source: stage, table: t, columns: {id: bigint, note: text}, data_expression: "response.json()"}
- op: http_request
  id: put
  for_each: {source: stage, table: t, as: row}
  request: {url: "URL/item", method: POST, body: {note: "{{ var('row')['note'] }}"}}
"#;

#[test]
fn replay_answers_without_the_network() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "GET" => json(
            "[{\"id\": 1, \"note\": \"two\\nlines: \\\"x\\\" \u{1F600} \"},\n {\"id\": 2, \"note\": \"#hash | pipe \"}]\n\n",
        ),
        _ => json(""),
    });
    let project = Project::new().file("flows/f.yaml", &FLOW.replace("URL", &server.url));
    let ran = project.sequor(&["run", "f", "--var", "day=1", "--record", "rec"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let before = project.rows("stage", "select id, note from t order by id");
    drop(server);
    project.sequor(&["query", "stage", "select 1"]);
    let ran = project.sequor(&["run", "f", "--var", "day=1", "--replay", "rec"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        project.rows("stage", "select id, note from t order by id"),
        before
    );
    let ran = project.sequor(&["run", "f", "--var", "day=2", "--replay", "rec"]);
    ran.fails(
        1,
        &[
            "no recording answers GET",
            "day=2",
            "the nearest recording is GET",
            "day=1",
        ],
    );
    project
        .sequor(&["run", "f", "--var", "day=1", "--replay", "nowhere"])
        .fails(2, &["nowhere", "--record"]);
}

#[test]
fn what_is_named_like_a_secret_is_not_recorded() {
    let server = Server::start(|_| {
        json(r#"{"access_token": "ANSWERED-SECRET", "next_page_token": "page2", "ok": 1}"#)
    });
    let host = server.url.trim_start_matches("http://").to_string();
    let project = Project::new()
        .file(
            "home/envs/e.yaml",
            "variables: {api_token: ENV-SECRET, city: Paris}\n",
        )
        .file(
            "flows/f.yaml",
            &format!(
                r#"
- op: http_request
  request:
    url: "http://user:URL-SECRET@{host}/x?api_key=QUERY-SECRET&city={{{{ var('city') }}}}"
    method: POST
    headers: {{X-Custom-Token: HEADER-SECRET}}
    body: {{client_secret: BODY-SECRET, note: "{{{{ var('api_token') }}}} {{{{ env_var('MY_PASSWORD') }}}}"}}
- {{op: print, message: "{{{{ var('api_token') }}}}"}}
- {{op: print, message_expression: "int(var('api_token'))"}}
"#
            ),
        );
    let environment = [("MY_PASSWORD", "PROCESS-SECRET")];
    let text = project
        .sequor_with(&["run", "f", "--env", "e", "--record", "rec"], &environment)
        .all();
    let recording = project.read("rec/http_request_1/0001.yaml");
    for shown in [&text, &recording, &project.read("home/logs/sequor.log")] {
        assert!(!shown.contains("-SECRET"), "{shown}");
    }
    assert!(
        recording.contains("city=Paris") && recording.contains("page2"),
        "{recording}"
    );
    assert!(server.asked()[0].body.contains("BODY-SECRET"));
}
