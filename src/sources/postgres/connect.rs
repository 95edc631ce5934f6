//! Connection strings and the pool.

use std::sync::Arc;

use super::database::Postgres;
use crate::sources::database::Database;
use crate::sources::settings;
use sequor_planner::syntax::PostgresSource;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::sources::failure::unanswered;
use crate::sources::nodelay::send_at_once;

/// Connections at most: steps and lookups at the same time; loads have their own.
const MAX_CONNECTIONS: u32 = 8;
const TIMEOUT: Duration = Duration::from_secs(30);

/// The first version whose servers can look whether anybody still waits for a statement.
const WATCHES_CLIENTS: u32 = 14_00_00;

/// How to reach a server, as the source says it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `postgresql://user:password@host:5432/db`; SQLAlchemy's `postgresql+psycopg2://` as well.
    pub conn_str: Secret,
    pub username: Option<String>,
    pub password: Option<Secret>,
}

impl Settings {
    /// As sqlx takes it. Options that it does not know are the string's mistake, not ours.
    pub fn options(&self) -> Result<PgConnectOptions> {
        let text = self.conn_str.reveal().trim();
        let bad = |why: &str| {
            Error::new(
                ErrorKind::Project,
                format!("`conn_str` is not a PostgreSQL connection string: {why}"),
            )
            .help(
                "write postgresql://host:5432/database, with `username` and `password` as keys of their own",
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it has no `://`"))?;
        // SQLAlchemy names its Python driver behind a plus.
        let scheme = scheme.split('+').next().unwrap_or(scheme);
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(bad(&format!("it starts with `{scheme}`")));
        }
        let mut options: PgConnectOptions = format!("postgresql://{rest}")
            .parse()
            .map_err(|e: sqlx::Error| bad(&e.to_string()))?;
        if let Some(username) = &self.username {
            options = options.username(username);
        }
        if let Some(password) = &self.password {
            options = options.password(password.reveal());
        }
        // A statement that is kept does not see that its table got other columns.
        Ok(options.application_name("sequor").statement_cache_capacity(0))
    }
}

/// Connects, and checks that the server answers.
pub async fn connect(options: &PgConnectOptions) -> Result<PgPool> {
    // The pool would try a refused connection again and again; one of our own says at once what is wrong.
    match tokio::time::timeout(TIMEOUT, PgConnection::connect_with(options)).await {
        Ok(Ok(connection)) => drop(connection),
        Ok(Err(e)) => return Err(explain(&e).context(server(options))),
        Err(_) => {
            return Err(unanswered().context(server(options)));
        }
    }
    let port = options.get_port();
    Ok(PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(TIMEOUT)
        .after_connect(move |connection, _| {
            send_at_once(port);
            Box::pin(async move {
                stop_when_gone(connection).await;
                own_settings(connection).await;
                Ok(())
            })
        })
        .connect_lazy_with(options.clone()))
}

/// Returns a connection of its own: dropped in the middle of a transaction, the server takes everything back.
pub async fn own(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut connection = PgConnection::connect_with(options)
        .await
        .map_err(|e| explain(&e))?;
    send_at_once(options.get_port());
    stop_when_gone(&mut connection).await;
    own_settings(&mut connection).await;
    Ok(connection)
}

/// Has the server end a statement whose client is gone: after an interrupt it would work on for nothing, and keep its
/// locks. Not as an option of the connection, which poolers refuse; where a server can't, it is left as it is.
async fn stop_when_gone(connection: &mut PgConnection) {
    if connection
        .server_version_num()
        .is_some_and(|version| version >= WATCHES_CLIENTS)
    {
        let watch = sqlx::raw_sql("SET client_connection_check_interval = '2s'").execute(connection);
        if let Err(error) = watch.await {
            tracing::debug!(%error, "the server does not watch its clients");
        }
    }
}

/// The zone and the style of dates that the database or the role has of its own: sqlx begins its sessions with others, and
/// text without an offset would mean another time than it does to every other client.
const OWN_SETTINGS: &str = "SELECT set_config(split_part(s.text, '=', 1), substr(s.text, strpos(s.text, '=') + 1), false) \
    FROM (SELECT unnest(setconfig) AS text, setdatabase, setrole FROM pg_db_role_setting) AS s \
    WHERE s.text ~* '^(timezone|datestyle)=' \
    AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
    AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)) \
    ORDER BY s.setrole <> 0, s.setdatabase <> 0";

async fn own_settings(connection: &mut PgConnection) {
    if let Err(error) = sqlx::raw_sql(OWN_SETTINGS).execute(connection).await {
        tracing::debug!(%error, "the settings of the database and the role are not readable");
    }
}

fn server(options: &PgConnectOptions) -> String {
    format!("PostgreSQL at {}:{}", options.get_host(), options.get_port())
}

async fn options(source: &PostgresSource, settings: &dyn settings::Settings) -> Result<PgConnectOptions> {
    let login = settings.login(&source.server).await?;
    let settings = Settings {
        conn_str: login.conn_str,
        username: login.username,
        password: login.password,
    };
    settings.options()
}

/// Opens the database of a source, where names without a schema are those of this one.
///
/// # Errors
/// As [`open`].
pub async fn open_in(
    source: &PostgresSource,
    settings: &dyn settings::Settings,
    namespace: &str,
) -> Result<Arc<dyn Database>> {
    let path = format!("\"{}\"", namespace.replace('"', "\"\""));
    let options = options(source, settings).await?.options([("search_path", path)]);
    Ok(Arc::new(Postgres::with(options).await?))
}

/// Returns connections to the database of a source, for what is not a flow's: the server has answered when this returns.
///
/// # Errors
/// As [`open`].
pub async fn pool(source: &PostgresSource, settings: &dyn settings::Settings) -> Result<PgPool> {
    connect(&options(source, settings).await?).await
}

/// Opens the database of a source.
///
/// # Errors
/// Settings that can't be evaluated; a server that can't be reached, or refuses.
pub async fn open(source: &PostgresSource, settings: &dyn settings::Settings) -> Result<Arc<dyn Database>> {
    let login = settings.login(&source.server).await?;
    let opened = Postgres::open(login.conn_str, login.username, login.password).await?;
    Ok(Arc::new(opened.quoted_names(settings.quoted())))
}
