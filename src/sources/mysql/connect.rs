//! Connection strings and the pool.

use std::sync::Arc;

use super::database::MySql;
use crate::sources::database::Database;
use crate::sources::nodelay::send_at_once;
use crate::sources::settings::Settings;
use sequor_planner::syntax::MySqlSource;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{Connection, MySqlConnection};

use super::error::explain;
use super::sql::texts;
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
        .charset("utf8mb4")
        .collation(COLLATION)
        .statement_cache_capacity(0))
}

/// Compares text by its characters alone. Spaces at its end make no difference to it, as they do in other databases.
pub const COLLATION: &str = "utf8mb4_bin";

/// The same, where they make one: MariaDB since 10.2, MySQL since 8.0.17.
const EXACT: &str = "SELECT CONVERT(collation_name USING utf8mb4) FROM information_schema.collations \
    WHERE collation_name IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') LIMIT 1";

/// Connects, and checks that the server answers. The options are those given, with the collation of text.
pub async fn connect(options: MySqlConnectOptions) -> Result<(MySqlPool, MySqlConnectOptions)> {
    let server = format!("MySQL at {}:{}", options.get_host(), options.get_port());
    let mut connection = match tokio::time::timeout(TIMEOUT, MySqlConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(e)) => return Err(explain(&e).context(server)),
        Err(_) => {
            return Err(unanswered().context(server));
        }
    };
    let options = match texts(&mut connection, EXACT, &[]).await?.first() {
        Some(collation) => options.collation(collation),
        None => options,
    };
    let port = options.get_port();
    let pool = MySqlPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(TIMEOUT)
        .after_connect(move |_, _| {
            send_at_once(port);
            Box::pin(std::future::ready(Ok(())))
        })
        .connect_lazy_with(options.clone());
    Ok((pool, options))
}

/// Opens the database of a source.
///
/// # Errors
/// Settings that can't be evaluated; a server that can't be reached, or refuses.
pub async fn open(source: &MySqlSource, settings: &dyn Settings) -> Result<Arc<dyn Database>> {
    let login = settings.login(&source.server).await?;
    let (username, password) = (login.username.as_deref(), login.password.as_ref());
    Ok(Arc::new(MySql::open(&login.conn_str, username, password).await?))
}
