//! Whether a database answers, which version it has, and whether tables can be made in it.

use chrono::Utc;
use futures::StreamExt;
use sequor_planner::Dialect;
use sequor_planner::syntax::{DatabaseSource, Source};

use super::{Found, PATIENCE, of_error, silent};
use crate::engine::{Loaded, Session, collect};
use crate::error::Result;
use crate::event::Check;
use crate::sources::database::Database;
use crate::value::Value;

/// Checks a database.
pub async fn check(loaded: &Loaded, source: &Source, kind: &DatabaseSource) -> Found {
    let name = format!("source {}", source.name);
    if let DatabaseSource::Staging(_) = kind {
        let folder = loaded.state_folder().join("staging").join(&source.name);
        return match folder.is_dir() {
            true => Check::ok(name, "the embedded database").into(),
            false => Check::ok(name, "the embedded database, no tables yet").into(),
        };
    }
    let mut session = Session::new(loaded);
    let looked = tokio::time::timeout(PATIENCE, look(&mut session, &source.name, &name)).await;
    // A connection that hangs is not waited for.
    let _ = tokio::time::timeout(PATIENCE / 10, session.close()).await;
    match looked {
        Err(_) => silent(name).into(),
        // A file that is not there is made by the first flow that writes to it.
        Ok(Err(error)) if is_file(kind) && error.message().contains("does not exist") => {
            let fix = error.advice().unwrap_or_default().to_string();
            Check::warning(name, error.message(), fix).into()
        }
        Ok(Err(error)) => of_error(&name, &error).into(),
        Ok(Ok(found)) => found,
    }
}

fn is_file(kind: &DatabaseSource) -> bool {
    matches!(kind, DatabaseSource::Sqlite(_) | DatabaseSource::DuckDb(_))
}

async fn look(session: &mut Session, source: &str, name: &str) -> Result<Found> {
    let database = session.database(source).await?;
    let dialect = database.dialect();
    let version = match version(dialect) {
        None => None,
        Some(sql) => one(&*database, sql).await?,
    };
    let version = version.map_or_else(|| "answers".to_string(), |value| value.to_text());
    let version = version.lines().next().unwrap_or_default().to_string();
    let ahead = match dialect {
        Dialect::Postgres => {
            seconds(&*database, "select extract(epoch from clock_timestamp())::float8").await
        }
        Dialect::MySql => seconds(&*database, "select unix_timestamp() + 0.0").await,
        _ => None,
    };
    let may = match may_create(dialect) {
        None => None,
        Some(sql) => one(&*database, sql).await.ok().flatten(),
    };
    let refused = match &may {
        Some(Value::Bool(may)) => !may,
        Some(other) => other.to_text() == "0",
        None => false,
    };
    let check = match refused {
        true => Check::warning(
            name,
            format!("{version}; its user may not create tables"),
            format!("grant it, where flows write to it: {}", grant(dialect)),
        ),
        false if dialect == Dialect::Snowflake => Check::ok(
            name,
            format!("{version}; whether its role may create tables is not looked at"),
        ),
        false => Check::ok(name, version),
    };
    Ok(Found { check, ahead })
}

fn version(dialect: Dialect) -> Option<&'static str> {
    Some(match dialect {
        Dialect::Postgres | Dialect::MySql | Dialect::DuckDb => "select version()",
        Dialect::Sqlite => "select 'SQLite ' || sqlite_version()",
        Dialect::Snowflake => "select 'Snowflake ' || current_version()",
        Dialect::Staging | Dialect::Generic => return None,
    })
}

/// A query that gives whether tables can be made.
fn may_create(dialect: Dialect) -> Option<&'static str> {
    Some(match dialect {
        Dialect::Postgres => "select has_schema_privilege(coalesce(current_schema(), 'public'), 'CREATE')",
        // What a role gives is not listed: with one in use nothing is said.
        Dialect::MySql => {
            "select case when current_role() not in ('NONE', '') then 1 \
             else (select count(*) from information_schema.user_privileges where privilege_type = 'CREATE' and replace(grantee, '''', '') = current_user()) \
             + (select count(*) from information_schema.schema_privileges where privilege_type = 'CREATE' and database() like table_schema and replace(grantee, '''', '') = current_user()) end"
        }
        _ => return None,
    })
}

/// The statement that lets a user create tables.
fn grant(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::MySql => "GRANT CREATE, INSERT, UPDATE, DELETE, ALTER, DROP ON DATABASE.* TO ...",
        _ => "GRANT CREATE ON SCHEMA ... TO ...",
    }
}

/// The first value of a query.
async fn one(database: &dyn Database, sql: &str) -> Result<Option<Value>> {
    let mut rows = database.query(sql).await?;
    rows.batches = rows.batches.take(1).boxed();
    let rows = collect(rows).await?;
    Ok(rows
        .first()
        .and_then(|row| row.iter().next().map(|(_, value)| value)))
}

/// How far this machine's clock is ahead of a server's.
async fn seconds(database: &dyn Database, sql: &str) -> Option<f64> {
    let theirs: f64 = one(database, sql).await.ok()??.to_text().parse().ok()?;
    // Milliseconds of this century fit.
    #[allow(clippy::cast_precision_loss)]
    let ours = Utc::now().timestamp_millis() as f64 / 1000.0;
    Some(ours - theirs)
}
