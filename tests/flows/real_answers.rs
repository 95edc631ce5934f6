//! Answers as real APIs write them: packed in odd ways, with bad bytes, without rows, or unchanged.

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use indoc::{formatdoc, indoc};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::postgres::Database;
use crate::support::program::{Project, Ran};
use crate::support::server::{Asked, Reply, Server, answer, json};

/// A flow that loads `table` into the source `db`. `response`: more lines of the response.
fn project(server: &Server, response: &str, table: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("sources/db.yaml", "type: staging\n")
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  id: fetch
                  request: {{source: api, url: /x}}
                  response:
                {response}    tables:
                      - {{source: db, table: t, {table}}}
                "
            ),
        )
}

fn run(reply: impl Fn() -> Reply + Send + Sync + 'static, response: &str, table: &str) -> (Project, Ran) {
    let server = Server::start(move |_: &Asked| reply());
    let project = project(&server, response, table);
    let ran = project.sequor(&["run", "main"]);
    (project, ran)
}

/// What a flow loads that must succeed.
fn loads(reply: impl Fn() -> Reply + Send + Sync + 'static, response: &str, table: &str) -> Vec<String> {
    let (project, ran) = run(reply, response, table);
    assert_eq!(ran.code, 0, "{response}{table}\n{}", ran.all());
    project.rows("db", "select * from t order by 1")
}

// Packed

const ROWS: &str = r#"[{"id": 1, "name": "Zoë"}]"#;
const CSV: &str = "id,name\n1,Zoë\n";
const COLUMNS: &str = "columns: {id: integer, name: text}, data_path: $";

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).expect("packs");
    packer.finish().expect("packs")
}

/// Deflate without the frame that the RFC asks for, as some servers send it.
fn raw_deflate(text: &str) -> Vec<u8> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).expect("packs");
    packer.finish().expect("packs")
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut packer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        packer
            .start_file(*name, SimpleFileOptions::default())
            .expect("packs");
        packer.write_all(text.as_bytes()).expect("packs");
    }
    packer.finish().expect("packs").into_inner()
}

#[test]
fn codings_of_the_transfer_are_known_in_every_spelling() {
    let packed = [
        ("GZIP", gzip(ROWS)),
        ("x-gzip", gzip(ROWS)),
        ("deflate", raw_deflate(ROWS)),
    ];
    for (coding, body) in packed {
        let reply = move || answer("application/json", body.clone()).header("content-encoding", coding);
        assert_eq!(loads(reply, "", COLUMNS), ["1|Zoë"], "{coding}");
    }
}

#[test]
fn a_payload_that_is_a_packed_file_is_unpacked() {
    let files = [
        ("csv", "auto", gzip(CSV)),
        ("csv", "gzip", gzip(CSV)),
        ("json", "auto", gzip(ROWS)),
        ("csv", "auto", zip(&[("report.csv", CSV)])),
        ("csv", "zip", zip(&[("report.csv", CSV)])),
        // A plain one is left alone.
        ("json", "auto", ROWS.as_bytes().to_vec()),
    ];
    for (format, compression, body) in files {
        let response = format!("    format: {format}\n    compression: {compression}\n");
        let reply = move || answer("application/octet-stream", body.clone());
        assert_eq!(loads(reply, &response, COLUMNS), ["1|Zoë"], "{response}");
    }
}

#[test]
fn a_payload_that_is_not_packed_as_said_is_an_error() {
    let said = |compression: &str| format!("    format: csv\n    compression: {compression}\n");
    let (_, ran) = run(|| answer("text/csv", CSV), &said("gzip"), COLUMNS);
    ran.fails(1, &["no gzip"]);
    let (_, ran) = run(|| answer("text/csv", CSV), &said("zip"), COLUMNS);
    ran.fails(1, &["zip of the response"]);
    let several = || answer("application/zip", zip(&[("a.csv", CSV), ("b.csv", CSV)]));
    let (_, ran) = run(several, &said("zip"), COLUMNS);
    ran.fails(1, &["holds several files"]);
}

// Texts that many databases can't hold

const NUL: &str = r#"[{"id": 1, "t": "fine"}, {"id": 2, "t": "bad\u0000text"}]"#;
const NESTED_NUL: &str = r#"[{"id": 1, "t": {"a": "fine"}}, {"id": 2, "t": {"a": "x\u0000y"}}]"#;
const HALF: &str = r#"[{"id": 1, "t": "fine"}, {"id": 2, "t": "half \ud83d here"}]"#;

#[test]
fn invalid_text_is_replaced_or_taken_out_and_all_rows_are_loaded() {
    let database = Database::new();
    for (mode, instead) in [("replace", "\u{fffd}"), ("strip", "")] {
        let response = format!("    invalid_text: {mode}\n");
        for (body, before, behind) in [
            (NUL, "bad", "text"),
            (NESTED_NUL, "x", "y"),
            (HALF, "half ", " here"),
        ] {
            let server = Server::start(move |_: &Asked| json(body));
            let project = project(&server, &response, "data_path: $");
            project.write("sources/db.yaml", &database.source());
            project.run("main");
            let rows = database.rows("select id, cast(t as text) as t from t order by id");
            assert_eq!(rows.len(), 2, "{rows:?}");
            let wanted = format!("{before}{instead}{behind}");
            assert!(rows[1].contains(&wanted), "{mode}: no `{wanted}` in {rows:?}");
        }
    }
}

#[test]
fn invalid_text_is_an_error_that_says_where() {
    let database = Database::new();
    for body in [NUL, NESTED_NUL] {
        let server = Server::start(move |_: &Asked| json(body));
        let project = project(&server, "", "data_path: $");
        project.write("sources/db.yaml", &database.source());
        let ran = project.sequor(&["run", "main"]);
        ran.fails(1, &["column `t`, row 2", "NUL", "`invalid_text: replace`"]);
    }
    // Half an emoji is no text for any database: the place in the response is told.
    let (_, ran) = run(|| json(HALF), "", "data_path: $");
    ran.fails(1, &[]);
    let all = ran.all();
    let places = ["byte ", "offset ", "position ", "line ", "column ", "row "];
    let told = places.iter().any(|place| {
        all.match_indices(place)
            .any(|(at, _)| all[at + place.len()..].starts_with(|c: char| c.is_ascii_digit()))
    });
    assert!(told, "{all}");
}

#[test]
fn nan_in_json_means_the_same_natively_and_in_python() {
    let flat =
        r#"[{"id": 1, "v": 1.5}, {"id": 2, "v": NaN}, {"id": 3, "v": Infinity}, {"id": 4, "v": -Infinity}]"#;
    let nested = r#"[{"id": 1, "v": {"x": NaN}}]"#;
    for (body, kind) in [(flat, "double precision"), (nested, "text")] {
        let outcomes = [
            "data_path: $",
            "data_expression: \"[dict(x) for x in response.json()]\"",
        ]
        .map(|data| {
            let (project, ran) = run(
                move || json(body),
                "",
                &format!("columns: {{id: integer, v: {kind}}}, {data}"),
            );
            assert!(matches!(ran.code, 0 | 1), "{}", ran.all());
            (ran.code == 0).then(|| project.rows("db", "select id, v from t order by id"))
        });
        assert_eq!(outcomes[0], outcomes[1], "{body}");
    }
}

// Without rows

#[test]
fn a_table_without_rows_is_there_and_sends_no_request_for_them() {
    for database in ["type: staging\n", "type: sqlite\nconn_str: sqlite:///lite.db\n"] {
        let server = Server::start(|_| json("[]"));
        let project = project(&server, "", COLUMNS);
        project.write("sources/db.yaml", database);
        let rest = indoc! {r#"
            - op: transform
              source: db
              query: select id, count(*) as n from t group by id
              target_table: counted
            - op: http_request
              id: push
              for_each: {source: db, table: counted, as: row}
              request: {source: api, url: "/rows/{{ var('row')['id'] }}", method: PUT}
        "#};
        let fetch = project.read("flows/main.yaml");
        project.write("flows/main.yaml", &format!("{fetch}{rest}"));
        project.run("main");
        assert_eq!(project.rows("db", "select count(*) from t"), ["0"]);
        assert!(project.rows("db", "select id, name from t").is_empty());
        assert_eq!(project.rows("db", "select count(*) from counted"), ["0"]);
        assert_eq!(server.asked().len(), 1, "{database}");
    }
}

// Charsets and CSV

/// Latin-1 whose content type does not say so.
fn latin() -> Reply {
    let body = b"[{\"id\": 1, \"name\": \"Ann\"}, {\"id\": 2, \"name\": \"Zo\xeb\"}]";
    answer("application/json", body.to_vec())
}

/// Whoever reads the rows: inferred and declared columns, and Python.
const READERS: [&str; 3] = [
    "data_path: $",
    COLUMNS,
    "columns: {id: integer, name: text}, data_expression: \"[dict(x) for x in response.json()]\"",
];

#[test]
fn bytes_that_do_not_fit_the_charset_are_an_error_for_every_reader() {
    let at = latin().body.iter().position(|byte| *byte == 0xeb);
    let place = format!("byte {} is", at.expect("the byte"));
    for table in READERS {
        let (_, ran) = run(latin, "", table);
        ran.fails(1, &[&place, "0xEB", "by `encoding` of the response"]);
    }
}

#[test]
fn the_flow_says_the_charset_where_the_answer_does_not() {
    for table in READERS {
        let rows = loads(latin, "    encoding: latin-1\n", table);
        assert_eq!(rows, ["1|Ann", "2|Zoë"], "{table}");
    }
}

#[test]
fn csv_with_other_quotes_escapes_and_no_header() {
    let csv = |options: &str| format!("    format: csv\n    csv: {{{options}}}\n");
    let escaped = || answer("text/csv", "id;name\n1;\"say \\\"hi\\\" ; now\"\n");
    let rows = loads(
        escaped,
        &csv(r#"delimiter: ";", escape: "\\""#),
        "write_mode: create",
    );
    assert_eq!(rows, [r#"1|say "hi" ; now"#]);
    let quoted = || answer("text/csv", "id,name\n1,'a, b'\n");
    assert_eq!(
        loads(quoted, &csv(r#"quote: "'""#), "write_mode: create"),
        ["1|a, b"]
    );
    let bare = || answer("text/csv", "1,Ann\n2,Bob\n");
    let rows = loads(bare, &csv("header: false"), "write_mode: create");
    assert_eq!(rows, ["1|Ann", "2|Bob"]);
}

#[test]
fn text_behind_a_closing_quote_is_no_csv() {
    let bad = || answer("text/csv", "id,name\n1,\"say \"hi\" now\"\n");
    let (_, ran) = run(bad, "    format: csv\n", "write_mode: create");
    ran.fails(1, &["not good CSV", "behind a closing quote", "line 2"]);
}

// What has not changed

/// A list that says by its `ETag` how many rows it has, and that nothing has changed to who knows it.
fn with_etag() -> (Server, Arc<AtomicUsize>) {
    let rows = Arc::new(AtomicUsize::new(2));
    let kept = rows.clone();
    let server = Server::start(move |asked: &Asked| {
        let count = kept.load(Ordering::SeqCst);
        let tag = format!("\"v{count}\"");
        if asked.header("if-none-match") == tag {
            return json("").status(304).header("etag", &tag);
        }
        let rows: Vec<String> = (1..=count).map(|id| format!(r#"{{"id": {id}}}"#)).collect();
        json(format!("[{}]", rows.join(","))).header("etag", &tag)
    });
    (server, rows)
}

/// The marks that requests carried.
fn sent(server: &Server) -> Vec<String> {
    let asked = server.asked();
    asked
        .iter()
        .map(|a| a.header("if-none-match").to_string())
        .collect()
}

#[test]
fn a_conditional_request_keeps_the_table_until_the_list_changes() {
    let (server, rows) = with_etag();
    let project = project(&server, "", "columns: {id: integer}, data_path: $");
    project.replace("flows/main.yaml", "url: /x", "url: /x, conditional: true");
    let count = || project.rows("db", "select count(*) from t");
    project.run("main");
    assert_eq!(count(), ["2"]);
    let ran = project.run("main");
    assert!(ran.all().contains("nothing has changed"), "{}", ran.all());
    assert_eq!(count(), ["2"]);
    rows.store(3, Ordering::SeqCst);
    project.run("main");
    assert_eq!(count(), ["3"]);
    assert_eq!(sent(&server), ["", "\"v2\"", "\"v2\""]);
}

#[test]
fn a_304_that_the_flow_asked_for_keeps_the_table() {
    for (rule, says) in [
        ("{status: [304], action: keep}", "nothing has changed"),
        (
            "{when_expression: response.status_code == 304, action: skip}",
            "its tables stay as they are",
        ),
    ] {
        let (server, _) = with_etag();
        let response = format!(
            "    success_status: [200, 304]\n    rules: [{rule}]\n    variables: {{tag_expression: \"response.headers.get('etag')\"}}\n"
        );
        let project = project(&server, &response, "columns: {id: integer}, data_path: $");
        let header =
            "url: /x, headers: {If-None-Match_expression: \"var('tag') if is_var_defined('tag') else None\"}";
        project.replace("flows/main.yaml", "url: /x", header);
        project.run("main");
        let ran = project.run("main");
        assert_eq!(sent(&server), ["", "\"v2\""]);
        assert!(ran.all().contains(says), "{}", ran.all());
        assert_eq!(project.rows("db", "select count(*) from t"), ["2"], "{rule}");
    }
}
