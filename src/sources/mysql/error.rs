//! MySQL's errors as ours.

use sqlx::mysql::MySqlDatabaseError;

use super::sql::SIDE;
use crate::error::{Error, ErrorKind};
use crate::sources::failure;

/// Returns what the server says.
pub fn explain(error: &sqlx::Error) -> Error {
    failure::explain(error, |database| match database.try_downcast_ref() {
        Some(mysql) => server(mysql),
        None => Error::new(ErrorKind::Sql, database.to_string()),
    })
}

/// Numbers of errors: <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>
fn server(mysql: &MySqlDatabaseError) -> Error {
    let kind = match mysql.number() {
        1044 | 1045 | 1142 | 1143 | 1227 => ErrorKind::Unauthorized,
        1040 | 1049 | 1203 | 1226 => ErrorKind::Connect,
        1146 => ErrorKind::NoTable,
        1205 | 1213 => ErrorKind::Timeout,
        1048 | 1062 | 1264 | 1265 | 1292 | 1366 | 1406 | 1451 | 1452 | 3140 | 4025 => ErrorKind::Value,
        _ => ErrorKind::Sql,
    };
    let error = Error::new(kind, unsided(mysql.message()));
    match mysql.number() {
        1205 | 1213 => error.help("another transaction had the table locked: run again when it is done"),
        1040 | 1203 | 1226 => error.help(failure::FULL),
        1021 => error.help("the server's disk is full: make room there"),
        1049 => error.help("check the database's name in `conn_str`"),
        1292 => error.help("MySQL's TIMESTAMP holds 1970 to 2038: declare the column as timestamp (without time zone) or text"),
        1792 => error.help("a query reads: use `execute` for statements that write"),
        1153 => error.help("a value is larger than the server's `max_allowed_packet`"),
        _ => error,
    }
}

/// The message without the name of a side table, which is nobody's business.
fn unsided(message: &str) -> String {
    let Some(at) = message.find(SIDE) else {
        return message.to_string();
    };
    let rest = &message[at + SIDE.len()..];
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    format!("{}(the rows){rest}", &message[..at])
}
