//! Responses in every format, packing and charset, and those that are too large.

use indoc::formatdoc;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::support::faults::{Act, Faults};
use crate::support::program::{Project, Ran};
use crate::support::server::{Asked, Reply, Server, answer, json};

/// A flow that loads `table` from what the server gives.
fn project(url: &str, source: &str, response: &str, table: &str) -> Project {
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {url}\n{source}"),
        )
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                    - op: http_request
                      id: get
                      request: {{source: api, url: /x}}
                      response:
                    {response}    tables:
                          - {{source: stage, table: t, {table}}}
                "
            ),
        )
}

fn loads(reply: impl Fn() -> Reply + Send + Sync + 'static, response: &str, table: &str) -> Vec<String> {
    let server = Server::start(move |_: &Asked| reply());
    let project = project(&server.url, "", response, table);
    project.run("main");
    project.rows("stage", "select * from t order by 1")
}

fn fails(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
    response: &str,
    table: &str,
    says: &[&str],
) -> Ran {
    let server = Server::start(move |_: &Asked| reply());
    let ran = project(&server.url, "", response, table).sequor(&["run", "main"]);
    ran.fails(1, says);
    ran
}

const COLUMNS: &str = "columns: {id: bigint, name: text, price: \"decimal(10,2)\"}";

#[test]
fn csv() {
    let text = "id,extra,name,price\r\n1,x,\"Smith, \"\"J\"\"\",1.10\r\n2,y,,\r\n3,z,\"two\nlines\",7\n";
    let rows = ["1|Smith, \"J\"|1.10", "2||", "3|two", "lines|7.00"];
    // By its content type, and by what the flow says.
    let by_type = loads(
        move || answer("text/csv; charset=utf-8", text),
        "",
        &format!("{COLUMNS}, data_path: $"),
    );
    assert_eq!(by_type[..2], rows[..2]);
    assert_eq!(
        loads(move || answer("text/plain", text), "    format: csv\n", COLUMNS),
        by_type
    );
    // Other separators, and columns that come from the first line.
    let semicolons = loads(
        || answer("text/csv", "a;b\n1;x\n2;\n"),
        "    format: csv\n",
        "write_mode: create",
    );
    assert_eq!(semicolons, ["1|x", "2|"]);
    let tabs = loads(
        || answer("text/tab-separated-values", "a\tb\n1\tx\n"),
        "    format: csv\n",
        "write_mode: append",
    );
    assert_eq!(tabs, ["1|x"]);
    fails(
        || answer("text/csv", "id,name,price\n1,a\n"),
        "    format: csv\n",
        COLUMNS,
        &["not good CSV", "line: 2"],
    );
    fails(
        || answer("text/csv", "id,price,name\n1,5,\"Ann\n2,6,B\n"),
        "    format: csv\n",
        COLUMNS,
        &["a quote does not end"],
    );
    fails(
        || answer("text/csv", "id,id\n1,2\n"),
        "    format: csv\n",
        COLUMNS,
        &["two columns `id`"],
    );
    fails(
        || answer("text/csv", "id,name,price\nx,a,1\n"),
        "    format: csv\n",
        COLUMNS,
        &["'x'", "`id`", "bigint"],
    );
    fails(
        || answer("text/csv", "id\n1\n"),
        "",
        &format!("{COLUMNS}, data_path: orders"),
        &["the response is CSV, which has no paths"],
    );
}

#[test]
fn json_lines() {
    let text = "{\"id\": 1, \"name\": \"a\", \"price\": 1.10}\n\n{\"id\": 12345678901, \"name\": null}\r\n";
    let rows = ["1|a|1.10", "12345678901||"];
    assert_eq!(
        loads(
            move || answer("application/x-ndjson", text),
            "",
            &format!("{COLUMNS}, data_path: $")
        ),
        rows
    );
    assert_eq!(
        loads(move || answer("text/plain", text), "    format: jsonl\n", COLUMNS),
        rows
    );
    let nested = "{\"rows\": [{\"id\": 1}, {\"id\": 2}]}\n{\"rows\": [{\"id\": 3}]}\n";
    let rows = loads(
        move || answer("application/jsonl", nested),
        "",
        "columns: {id: integer}, data_path: rows",
    );
    assert_eq!(rows, ["1", "2", "3"]);
    fails(
        || answer("application/x-ndjson", "{\"id\": 1}\n{\"id\": 2"),
        "    format: jsonl\n",
        COLUMNS,
        &["line 2 of the response", "not valid JSON"],
    );
}

#[test]
fn xml() {
    let text = "<?xml version=\"1.0\"?><orders total='2'><order id='1'><name>A &amp; B</name><price>1.10</price></order><order id='2'><name/></order></orders>";
    let table = "columns: {\"@id\": bigint, name: text, price: \"decimal(10,2)\"}, data_path: orders.order";
    let rows = ["1|A & B|1.10", "2||"];
    assert_eq!(loads(move || answer("application/xml", text), "", table), rows);
    assert_eq!(
        loads(move || answer("text/plain", text), "    format: xml\n", table),
        rows
    );
    assert_eq!(
        loads(
            || answer("text/xml", "<orders><order id='7'/></orders>"),
            "",
            table
        ),
        ["7||"]
    );
    assert!(loads(|| answer("application/atom+xml", "<orders/>"), "", table).is_empty());
    let found = loads(
        move || answer("application/xml", text),
        "",
        "columns: {name: text}, data_path: \"$..order[?@.price]\"",
    );
    assert_eq!(found, ["A & B"]);
    fails(
        || answer("text/xml", "<orders><order>"),
        "",
        table,
        &["not good XML", "ends inside of <order>"],
    );
    fails(
        || answer("text/xml", "<other/>"),
        "",
        table,
        &["no <orders>", "`data_path`"],
    );
}

#[test]
fn json_path() {
    let text = r#"{"pages": [{"rows": [{"id": 1, "price": 1.10}, {"id": 2, "price": 99999999.99}]}, {"rows": []}, {"rows": [{"id": 3}]}]}"#;
    let with = |path: &str| {
        let table = format!("columns: {{id: integer, price: \"decimal(10,2)\"}}, data_path: \"{path}\"");
        loads(move || json(text), "", &table)
    };
    assert_eq!(with("$.pages[*].rows[*]"), ["1|1.10", "2|99999999.99", "3|"]);
    assert_eq!(with("pages[*].rows"), ["1|1.10", "2|99999999.99", "3|"]);
    assert_eq!(with("$..rows[?@.price > 2]"), ["2|99999999.99"]);
    assert_eq!(with("$.pages[-1].rows"), ["3|"]);
    assert!(with("$.nothing[*]").is_empty());
    fails(
        move || json(text),
        "",
        "columns: {id: integer}, data_path: \"$.pages[*].rows[*].id\"",
        &["`$.pages[*].rows[*].id` finds 1 where rows must be objects"],
    );
}

#[test]
fn packed() {
    let text = "[{\"id\": 1, \"name\": \"Müller\"}]";
    let gzip = {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text.as_bytes()).expect("packs");
        packer.finish().expect("packs")
    };
    let deflate = {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text.as_bytes()).expect("packs");
        packer.finish().expect("packs")
    };
    let br = BASE64.decode("iw6AW3siaWQiOiAxLCAibmFtZSI6ICJNw7xsbGVyIn1dAw==");
    let zstd = BASE64.decode("KLUv/SAe8QAAW3siaWQiOiAxLCAibmFtZSI6ICJNw7xsbGVyIn1d");
    let packings = [
        ("gzip", gzip),
        ("deflate", deflate),
        ("br", br.expect("base64")),
        ("zstd", zstd.expect("base64")),
    ];
    for (name, bytes) in packings {
        let server = Server::start(move |_: &Asked| {
            answer("application/json", bytes.clone()).header("content-encoding", name)
        });
        let project = project(
            &server.url,
            "",
            "",
            "columns: {id: integer, name: text}, data_path: $",
        );
        project.run("main");
        assert_eq!(project.rows("stage", "select * from t"), ["1|Müller"], "{name}");
        // Deflate comes in two forms, and is not asked for.
        let asked = server.asked()[0].header("accept-encoding").contains(name);
        assert_eq!(asked, name != "deflate", "{name}");
    }
    fails(
        || json("no gzip").header("content-encoding", "gzip"),
        "",
        "columns: {id: integer}, data_path: $",
        &["the body broke off or can't be decoded"],
    );
}

#[test]
fn charsets() {
    let latin = b"[{\"id\": 1, \"name\": \"M\xfcller\"}]".to_vec();
    let utf16: Vec<u8> = "\u{feff}[{\"id\": 1, \"name\": \"Müller\"}]"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let bodies = [
        ("application/json; charset=ISO-8859-1", latin),
        ("application/json", utf16),
        (
            "application/json; charset=\"utf-8\"",
            "\u{feff}[{\"id\": 1, \"name\": \"Müller\"}]".as_bytes().to_vec(),
        ),
    ];
    for (content_type, body) in bodies {
        for data in [
            "data_path: $",
            "data_expression: response.json()",
            "data_expression: \"[r for r in response.json()]\"",
        ] {
            let body = body.clone();
            let rows = loads(
                move || answer(content_type, body.clone()),
                "",
                &format!("columns: {{id: integer, name: text}}, {data}"),
            );
            assert_eq!(rows, ["1|Müller"], "{content_type} {data}");
        }
    }
}

#[test]
fn too_large_ends_early() {
    let bomb = {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![b' '; 1 << 20];
        (0..64).for_each(|_| packer.write_all(&zeros).expect("packs"));
        packer.finish().expect("packs")
    };
    assert!(bomb.len() < 100_000);
    let server = Server::start(move |_: &Asked| {
        answer("application/json", bomb.clone()).header("content-encoding", "gzip")
    });
    let table = "columns: {id: integer}, data_path: $";
    let small = "max_response_size: 1MB\n";
    let ran = project(&server.url, small, "", table).sequor(&["run", "main"]);
    ran.fails(1, &["is larger than 1 MB", "`max_response_size`"]);
    // It is no use to ask again.
    assert_eq!(server.asked().len(), 1);

    let endless = Faults::start(|_, _| {
        vec![
            Act::Write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec()),
            Act::Endless(vec![b' '; 65536]),
        ]
    });
    let ran = project(&endless.url, small, "", table).sequor(&["run", "main"]);
    ran.fails(1, &["is larger than 1 MB"]);

    let announced = Faults::start(|_, _| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n";
        vec![Act::Write(head.as_bytes().to_vec())]
    });
    let ran = project(&announced.url, small, "", table).sequor(&["run", "main"]);
    ran.fails(1, &["is larger than 1 MB"]);
    project(&server.url, "max_response_size: much\n", "", table)
        .sequor(&["validate"])
        .fails(
            2,
            &[
                "`max_response_size` of an http source must be a size above 0",
                "64MB",
            ],
        );
}
