//! A side table takes the place of its target, inside the transaction that filled it.

use sqlx::PgConnection;

use super::database::{ask, run};
use super::sql;
use crate::error::Result;
use crate::sources::database::TableName;

/// Whether the table is there.
pub async fn exists(connection: &mut PgConnection, table: &TableName) -> Result<bool> {
    ask(
        connection,
        "SELECT to_regclass($1) IS NOT NULL",
        &sql::table(table),
    )
    .await
}

/// Of several transactions of ours that write a table, one goes after the other until its end: two would both make it.
pub async fn take_turn(connection: &mut PgConnection, table: &TableName) -> Result<()> {
    ask(
        connection,
        "SELECT pg_advisory_xact_lock(hashtextextended('sequor ' || $1, 0)) IS NOT NULL",
        &sql::table(table),
    )
    .await
    .map(|_| ())
}

/// Makes the target anew by its definitions; one with views or foreign keys on it keeps its identity and is emptied.
pub async fn make_room(connection: &mut PgConnection, target: &TableName, definitions: &str) -> Result<()> {
    if emptied(connection, target).await? {
        return Ok(());
    }
    let create = format!("CREATE TABLE {} ({definitions})", sql::table(target));
    run(connection, &create).await.map(|_| ())
}

/// Makes `side` be `target`. A target that nothing depends on is dropped and the side table gets its name; one with
/// views or foreign keys on it keeps its identity and gets the rows.
pub async fn swap(connection: &mut PgConnection, side: &TableName, target: &TableName) -> Result<()> {
    let (side_sql, target_sql) = (sql::table(side), sql::table(target));
    if emptied(connection, target).await? {
        let insert = format!("INSERT INTO {target_sql} SELECT * FROM {side_sql}");
        run(connection, &insert).await?;
        run(connection, &format!("DROP TABLE {side_sql}")).await?;
        return Ok(());
    }
    let rename = format!("ALTER TABLE {side_sql} RENAME TO {}", sql::quote(&target.table));
    run(connection, &rename).await.map(|_| ())
}

/// Drops the target, or empties it where views or foreign keys hang on it. Whether it is still there.
async fn emptied(connection: &mut PgConnection, target: &TableName) -> Result<bool> {
    if !exists(connection, target).await? {
        return Ok(false);
    }
    let target = sql::table(target);
    run(connection, "SAVEPOINT sequor_swap").await?;
    if run(connection, &format!("DROP TABLE {target}")).await.is_ok() {
        return Ok(false);
    }
    run(connection, "ROLLBACK TO SAVEPOINT sequor_swap").await?;
    run(connection, &format!("DELETE FROM {target}")).await?;
    Ok(true)
}
