//! Connection strings and the pool.

use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{Connection, MySqlConnection};

use super::error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::sources::failure::unanswered;

/// Connections at most: steps and lookups at the same time; loads have their own.
const MAX_CONNECTIONS: u32 = 8;
const TIMEOUT: Duration = Duration::from_secs(30);

/// As sqlx takes it: `mysql://user:password@host:3306/db`; SQLAlchemy's `mysql+pymysql://` as well.
pub fn options(
    conn_str: &Secret,
    username: Option<&str>,
    password: Option<&Secret>,
) -> Result<MySqlConnectOptions> {
    let text = conn_str.reveal().trim();
    let bad = |why: &str| {
        let message = format!("`conn_str` is not a MySQL connection string: {why}");
        Error::new(ErrorKind::Project, message)
            .help("write mysql://host:3306/database, with `username` and `password` as keys of their own")
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it has no `://`"))?;
    // SQLAlchemy names its Python driver behind a plus.
    let scheme = scheme.split('+').next().unwrap_or(scheme);
    if !matches!(scheme, "mysql" | "mariadb") {
        return Err(bad(&format!("it starts with `{scheme}`")));
    }
    // SQLAlchemy's way to say what is so anyway.
    let rest = rest.strip_suffix("?charset=utf8mb4").unwrap_or(rest);
    let mut options: MySqlConnectOptions = format!("mysql://{rest}")
        .parse()
        .map_err(|e: sqlx::Error| bad(&e.to_string()))?;
    if let Some(username) = username {
        options = options.username(username);
    }
    if let Some(password) = password {
        options = options.password(password.reveal());
    }
    // `a || b` stays what the server makes of it; times are those of UTC.
    Ok(options
        .pipes_as_concat(false)
        .timezone(Some("+00:00".to_string()))
        // Text that a query makes is compared by its characters alone, as other databases do.
        .charset("utf8mb4")
        .collation("utf8mb4_bin")
        .statement_cache_capacity(0))
}

/// Connects, and checks that the server answers.
pub async fn connect(options: &MySqlConnectOptions) -> Result<MySqlPool> {
    let server = || format!("MySQL at {}:{}", options.get_host(), options.get_port());
    match tokio::time::timeout(TIMEOUT, MySqlConnection::connect_with(options)).await {
        Ok(Ok(connection)) => drop(connection),
        Ok(Err(e)) => return Err(explain(&e).context(server())),
        Err(_) => {
            return Err(unanswered().context(server()));
        }
    }
    Ok(MySqlPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(TIMEOUT)
        .connect_lazy_with(options.clone()))
}
