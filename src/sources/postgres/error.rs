//! PostgreSQL's errors as ours.

use sqlx::postgres::PgDatabaseError;

use crate::error::{Error, ErrorKind};
use crate::sources::failure;

/// Returns what the server or the connection says, with the server's own detail and hint.
pub fn explain(error: &sqlx::Error) -> Error {
    failure::explain(error, |database| {
        match database.try_downcast_ref::<PgDatabaseError>() {
            Some(pg) => server(pg),
            None => Error::new(ErrorKind::Sql, database.to_string()),
        }
    })
}

/// Classes of SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn server(pg: &PgDatabaseError) -> Error {
    let code = pg.code();
    let kind = match code {
        "42P01" => ErrorKind::NoTable,
        "3D000" | "53300" => ErrorKind::Connect,
        _ if code.starts_with("28") => ErrorKind::Unauthorized,
        _ if code.starts_with("08") || code.starts_with("57P") => ErrorKind::Connect,
        _ if code.starts_with("22") || code.starts_with("23") => ErrorKind::Value,
        _ => ErrorKind::Sql,
    };
    let mut message = pg.message().to_string();
    if let Some(detail) = pg.detail() {
        message.push_str(&format!(" ({detail})"));
    }
    // "COPY side, line 3, column total: ..." says which row.
    if let Some(at) = pg.r#where().filter(|w| w.starts_with("COPY")) {
        // The table named there is the side table: only the row and the column say something.
        let first = at.lines().next().unwrap_or(at);
        let place = first.split_once(", ").map_or(first, |(_, place)| place);
        message.push_str(&format!(" [{}]", place.replacen("line", "row", 1)));
    }
    let error = Error::new(kind, message);
    match pg.hint() {
        Some(hint) => error.help(hint),
        None if code == "25006" => error.help("a query reads: use `execute` for statements that write"),
        None if code == "53300" => error.help(failure::FULL),
        None if code == "53100" => error.help("the server's disk is full: make room there"),
        None if code == "3D000" => error.help("check the database's name in `conn_str`"),
        None => error,
    }
}
