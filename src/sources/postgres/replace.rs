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
    let target_sql = sql::table(target);
    if exists(connection, target).await? {
        run(connection, "SAVEPOINT sequor_swap").await?;
        if run(connection, &format!("DROP TABLE {target_sql}"))
            .await
            .is_err()
        {
            run(connection, "ROLLBACK TO SAVEPOINT sequor_swap").await?;
            return run(connection, &format!("DELETE FROM {target_sql}"))
                .await
                .map(|_| ());
        }
    }
    run(connection, &format!("CREATE TABLE {target_sql} ({definitions})"))
        .await
        .map(|_| ())
}

/// Makes `side` be `target`. A target that nothing depends on is dropped and the side table gets its name; one with
/// views or foreign keys on it keeps its identity and gets the rows.
pub async fn swap(connection: &mut PgConnection, side: &TableName, target: &TableName) -> Result<()> {
    let (side_sql, target_sql) = (sql::table(side), sql::table(target));
    if exists(connection, target).await? {
        run(connection, "SAVEPOINT sequor_swap").await?;
        if run(connection, &format!("DROP TABLE {target_sql}"))
            .await
            .is_err()
        {
            run(connection, "ROLLBACK TO SAVEPOINT sequor_swap").await?;
            run(connection, &format!("DELETE FROM {target_sql}")).await?;
            run(
                connection,
                &format!("INSERT INTO {target_sql} SELECT * FROM {side_sql}"),
            )
            .await?;
            run(connection, &format!("DROP TABLE {side_sql}")).await?;
            return Ok(());
        }
    }
    run(
        connection,
        &format!("ALTER TABLE {side_sql} RENAME TO {}", sql::quote(&target.table)),
    )
    .await?;
    Ok(())
}
