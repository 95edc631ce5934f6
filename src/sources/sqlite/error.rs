//! SQLite's errors as ours.

use sqlx::error::DatabaseError;

use crate::error::{Error, ErrorKind};
use crate::sources::failure;

/// Returns what SQLite says.
pub fn explain(error: &sqlx::Error) -> Error {
    failure::explain(error, reported)
}

/// Result codes: <https://www.sqlite.org/rescode.html>
fn reported(error: &dyn DatabaseError) -> Error {
    let message = error.message().to_string();
    // An extended code has the primary one in its last byte.
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => Error::new(ErrorKind::Timeout, message)
            .help("another program has the database locked: run again when it is done"),
        Some(8) => Error::new(ErrorKind::Sql, message)
            .help("a query reads: use `execute` for statements that write, and check the file's permissions"),
        Some(10 | 13 | 14) => Error::new(ErrorKind::Io, message),
        Some(18..=20) => Error::new(ErrorKind::Value, message),
        _ if message.starts_with("no such table") => Error::new(ErrorKind::NoTable, message),
        _ => Error::new(ErrorKind::Sql, message),
    }
}
