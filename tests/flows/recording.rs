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
