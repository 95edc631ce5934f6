//! Times and numbers in the spellings of real APIs.

use chrono::{DateTime, FixedOffset};
use indoc::formatdoc;

use crate::support::program::Project;
use crate::support::server::{Server, json};

/// The databases whose types are fewer than PostgreSQL's.
const DATABASES: [&str; 2] = ["type: staging\n", "type: sqlite\nconn_str: sqlite:///lite.db\n"];

/// A project that has loaded `t` into the source `db`.
fn loaded(database: &str, columns: &str, body: &str) -> Project {
    let body = body.to_string();
    let server = Server::start(move |_| json(body.clone()));
    let project = Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("sources/db.yaml", database)
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  request: {{source: api, url: /x}}
                  response:
                    tables:
                      - {{source: db, table: t, {columns}data_path: $}}
                "
            ),
        );
    project.run("main");
    project
}

/// Offsets in every spelling, some near midnight.
const TIMES: [&str; 12] = [
    "2024-05-01T10:00:00Z",
    "2024-05-01T10:00:00.000+0000",
    "2024-05-01T10:00:00+02:00",
    "2024-05-01T10:00:00+0200",
    "2024-05-01T10:00:00+02",
    "2024-05-01 10:00:00+02",
    "2024-05-01T10:00:00-05:30",
    "2024-05-01T10:00:00-0530",
    "2024-05-01T23:30:00-05:00",
    "2024-05-01T23:30:00-0500",
    "2024-05-01T00:30:00+0900",
    "2024-05-01T10:00:00.250+0200",
];

/// The moment that a text names; one without an offset is in UTC.
fn moment(text: &str) -> DateTime<FixedOffset> {
    let text = text.replace(' ', "T").replace('Z', "+00:00");
    let (clock, zone) = match text[19..].find(['+', '-']) {
        Some(at) => text.split_at(19 + at),
        None => (text.as_str(), "+00"),
    };
    let zone = format!("{}00", zone.replace(':', ""));
    let moment = DateTime::parse_from_str(&format!("{clock}{}", &zone[..5]), "%Y-%m-%dT%H:%M:%S%.f%z");
    moment.unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The clock and the day are those that are written, and a time with its zone is the moment, in every spelling.
#[test]
fn offsets_mean_the_same_in_every_spelling() {
    let rows: Vec<String> = TIMES
        .iter()
        .enumerate()
        .map(|(id, t)| {
            format!(r#"{{"id": {id}, "raw": "{t}", "clock": "{t}", "moment": "{t}", "day": "{t}"}}"#)
        })
        .collect();
    let body = format!("[{}]", rows.join(","));
    let columns =
        "columns: {id: integer, raw: text, clock: timestamp, moment: timestamp with time zone, day: date}, ";
    for database in DATABASES {
        let project = loaded(database, columns, &body);
        let rows = project.rows("db", "select raw, clock, moment, day from t order by id");
        assert_eq!(rows.len(), TIMES.len(), "{rows:?}");
        for (row, raw) in rows.iter().zip(TIMES) {
            let cells: Vec<&str> = row.split('|').collect();
            assert_eq!(cells[0], raw, "a text is kept as it is");
            let clock = cells[1].replace('T', " ");
            assert_eq!(
                clock[..19],
                raw.replace('T', " ")[..19],
                "{raw} as timestamp is {clock}"
            );
            assert_eq!(
                moment(cells[2]),
                moment(raw),
                "{raw} with time zone is {}",
                cells[2]
            );
            assert_eq!(cells[3][..10], raw[..10], "{raw} as date is {}", cells[3]);
        }
    }
}

#[test]
fn fractions_of_a_second_are_kept() {
    let body = r#"[{"clock": "2024-05-01T10:00:00.250+0200", "moment": "2024-05-01T10:00:00.250+0200"}]"#;
    for database in DATABASES {
        let project = loaded(
            database,
            "columns: {clock: timestamp, moment: timestamp with time zone}, ",
            body,
        );
        let rows = project.rows("db", "select clock, moment from t");
        let cells: Vec<&str> = rows[0].split('|').collect();
        for cell in cells {
            assert!(cell.contains("00.25"), "{database}: {cell}");
        }
    }
}

#[test]
fn a_format_reads_milliseconds_in_a_text_and_the_date_of_a_mail() {
    let body = r#"[{"millis": "1714557600123", "mail": "Wed, 01 May 2024 10:00:00 GMT"}]"#;
    let columns = r#"columns: {millis: {type: timestamp, format: unix_ms}, mail: {type: timestamp, format: "%a, %d %b %Y %H:%M:%S GMT"}}, "#;
    let project = loaded("type: staging\n", columns, body);
    let rows = project.rows("db", "select millis, mail from t");
    let cells: Vec<String> = rows[0].split('|').map(|cell| cell.replace('T', " ")).collect();
    assert!(cells[0].starts_with("2024-05-01 10:00:00.123"), "{}", cells[0]);
    assert!(cells[1].starts_with("2024-05-01 10:00:00"), "{}", cells[1]);
}

/// Nothing is lost and nothing refused where the flow names no types: the column is what can hold it.
#[test]
fn a_number_that_fits_no_type_is_kept_where_columns_are_inferred() {
    let body = r#"[{"id": 7615917337495251231, "v": 1.5}, {"id": 2, "v": 1e400}]"#;
    for database in DATABASES {
        let project = loaded(database, "", body);
        let rows = project.rows("db", "select id, v from t order by id");
        assert_eq!(rows, ["2|1e400", "7615917337495251231|1.5"], "{database}");
    }
}
