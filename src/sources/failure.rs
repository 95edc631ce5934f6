//! sqlx's errors as ours.

use sqlx::error::DatabaseError;

use crate::error::{Error, ErrorKind};

/// Returns what the connection says; of what the database says, `server` makes an error.
pub fn explain(error: &sqlx::Error, server: impl FnOnce(&dyn DatabaseError) -> Error) -> Error {
    match error {
        sqlx::Error::Database(database) => server(database.as_ref()),
        sqlx::Error::Io(io) => Error::new(ErrorKind::Connect, format!("the connection failed: {io}")),
        sqlx::Error::Tls(tls) => Error::new(ErrorKind::Connect, format!("TLS failed: {tls}")),
        sqlx::Error::PoolTimedOut => Error::new(ErrorKind::Timeout, "no connection became free in time"),
        sqlx::Error::ColumnDecode { index, source } => Error::new(
            ErrorKind::Value,
            format!("column {index} holds a value that can't be read: {source}"),
        ),
        other => Error::new(ErrorKind::Sql, other.to_string()),
    }
}

/// What to do about a server that has no connection to give.
pub const FULL: &str = "the server has no connection to give: run again when others have ended, or raise its limit, or that of the user";

/// Returns what is said of a server that takes connections and is silent, or drops them.
pub fn unanswered() -> Error {
    Error::new(ErrorKind::Timeout, "the server does not answer")
        .help("check host and port in `conn_str`, and that no firewall is in between")
}
