//! The rows of a side table into their place. MySQL ends a transaction at each CREATE and DROP: what replaces a table is
//! a table that was filled beside it, and changes its name in one step.

use sqlx::MySqlConnection;

use super::sql::{SIDE, any, column_list, namespace, quote, quoted, run, texts};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;
use crate::sources::sql::null_error;
use sequor_planner::ops::WriteMode;

/// Rows that wait in a side table.
pub struct Side<'a> {
    pub side: &'a TableName,
    pub target: &'a TableName,
    /// The columns' names.
    pub columns: &'a [String],
    pub mode: &'a WriteMode,
}

/// A name for a table beside `target`.
pub fn beside(target: &TableName) -> TableName {
    TableName {
        table: format!("{SIDE}{}", uuid::Uuid::new_v4().simple()),
        ..target.clone()
    }
}

/// Takes the lock of a side table's name: as long as the connection lives, nobody clears the table away. Then clears
/// away those whose runs were killed.
pub async fn claim(connection: &mut MySqlConnection, side: &TableName) -> Result<()> {
    texts(
        connection,
        "SELECT CAST(GET_LOCK(?, 0) AS CHAR)",
        &[Some(&side.table)],
    )
    .await?;
    let left = "SELECT CONVERT(table_name USING utf8mb4) FROM information_schema.tables \
        WHERE table_schema = COALESCE(?, DATABASE()) AND table_name LIKE '\\_sequor\\_side\\_%' \
        AND IS_FREE_LOCK(table_name)";
    for name in texts(connection, left, &[namespace(side).map(String::as_str)]).await? {
        let table = TableName {
            table: name,
            ..side.clone()
        };
        run(connection, &format!("DROP TABLE IF EXISTS {}", quoted(&table))).await?;
    }
    Ok(())
}

/// Whether the table is there.
pub async fn exists(connection: &mut MySqlConnection, table: &TableName) -> Result<bool> {
    let sql = "SELECT 'yes' FROM information_schema.tables \
        WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
    let arguments = [namespace(table).map(String::as_str), Some(table.table.as_str())];
    Ok(!texts(connection, sql, &arguments).await?.is_empty())
}

impl Side<'_> {
    /// Puts the rows into their place, all at once. The side table is gone then. Of several that write the same table,
    /// one goes after the other: two would both add a key that neither finds, or both make the table.
    pub async fn settle(&self, connection: &mut MySqlConnection) -> Result<()> {
        let turn = format!("sequor:{:x}", hash(&quoted(self.target)));
        let lock = "SELECT CAST(COALESCE(GET_LOCK(?, 3600), 0) AS CHAR)";
        let got = texts(connection, lock, &[Some(&turn)]).await?;
        if got.first().map(String::as_str) != Some("1") {
            let message = format!("another run has been writing `{}` for an hour", self.target);
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        let done = self.place(connection).await;
        // It ends with the connection, too.
        let _ = texts(connection, "SELECT CAST(RELEASE_LOCK(?) AS CHAR)", &[Some(&turn)]).await;
        done
    }

    async fn place(&self, connection: &mut MySqlConnection) -> Result<()> {
        let (side, target) = (quoted(self.side), quoted(self.target));
        let columns = column_list(self.columns.iter().map(String::as_str));
        let there = exists(connection, self.target).await?;
        let insert = format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM {side}");
        match self.mode {
            WriteMode::Replace if !there => {
                return run(connection, &format!("RENAME TABLE {side} TO {target}"))
                    .await
                    .map(|_| ());
            }
            WriteMode::Replace if !self.has_children(connection).await? => {
                let old = beside(self.target);
                claim(connection, &old).await?;
                let old = quoted(&old);
                // Both names change in one step.
                run(
                    connection,
                    &format!("RENAME TABLE {target} TO {old}, {side} TO {target}"),
                )
                .await?;
                return run(connection, &format!("DROP TABLE {old}")).await.map(|_| ());
            }
            // Tables with foreign keys on it would follow its old name: it stays, and gets the rows.
            WriteMode::Replace => {
                self.in_transaction(connection, &[format!("DELETE FROM {target}"), insert])
                    .await?;
            }
            WriteMode::Append => {
                if !there {
                    self.create_like(connection, None).await?;
                }
                self.in_transaction(connection, &[insert]).await?;
            }
            WriteMode::Upsert(key) => {
                for name in key {
                    let nulls = format!("SELECT 1 FROM {side} WHERE {} IS NULL LIMIT 1", quote(name));
                    if any(connection, &nulls).await? {
                        return Err(null_error(name));
                    }
                }
                if !there {
                    self.create_like(connection, Some(key)).await?;
                }
                self.upsert(connection, key).await?;
            }
        }
        run(connection, &format!("DROP TABLE {side}")).await.map(|_| ())
    }

    /// Rows with the same key change, the others are added.
    async fn upsert(&self, connection: &mut MySqlConnection, key: &[String]) -> Result<()> {
        let (side, target) = (quoted(self.side), quoted(self.target));
        let columns = column_list(self.columns.iter().map(String::as_str));
        let same = key
            .iter()
            .map(|name| format!("t.{0} = s.{0}", quote(name)))
            .collect::<Vec<_>>()
            .join(" AND ");
        let changed: Vec<String> = self
            .columns
            .iter()
            .filter(|name| !key.contains(name))
            .map(|name| format!("t.{0} = s.{0}", quote(name)))
            .collect();
        let mut statements = Vec::new();
        if !changed.is_empty() {
            let changed = changed.join(", ");
            statements.push(format!("UPDATE {target} t JOIN {side} s ON {same} SET {changed}"));
        }
        statements.push(format!("DELETE s FROM {side} s JOIN {target} t ON {same}"));
        statements.push(format!(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {side}"
        ));
        // Without it, each row of the target would be looked for in all of the side table.
        self.add_index(connection, &side, self.side, key).await?;
        self.in_transaction(connection, &statements).await
    }

    async fn in_transaction(&self, connection: &mut MySqlConnection, statements: &[String]) -> Result<()> {
        run(connection, "START TRANSACTION").await?;
        for statement in statements {
            if let Err(error) = run(connection, statement).await {
                let _ = run(connection, "ROLLBACK").await;
                return Err(error);
            }
        }
        run(connection, "COMMIT").await.map(|_| ())
    }

    /// Makes the target with the side table's columns, and a key of them.
    async fn create_like(&self, connection: &mut MySqlConnection, key: Option<&[String]>) -> Result<()> {
        let (side, target) = (quoted(self.side), quoted(self.target));
        run(connection, &format!("CREATE TABLE {target} LIKE {side}")).await?;
        let Some(key) = key else { return Ok(()) };
        let keyed = format!(
            "ALTER TABLE {target} ADD PRIMARY KEY ({})",
            column_list(key.iter().map(String::as_str))
        );
        if run(connection, &keyed).await.is_err() {
            // Text of any length can't be a primary key: what begins it is an index.
            self.add_index(connection, &target, self.target, key).await?;
        }
        Ok(())
    }

    /// An index on a key. It is for speed alone: columns that can't have one work without.
    async fn add_index(
        &self,
        connection: &mut MySqlConnection,
        quoted: &str,
        table: &TableName,
        key: &[String],
    ) -> Result<()> {
        let long = "SELECT CONVERT(column_name USING utf8mb4) FROM information_schema.columns \
            WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
            AND data_type IN ('tinytext', 'text', 'mediumtext', 'longtext', 'tinyblob', 'blob', 'mediumblob', 'longblob')";
        let within = namespace(table).map(String::as_str);
        let long = texts(connection, long, &[within, Some(&table.table)]).await?;
        let parts: Vec<String> = key
            .iter()
            .map(|name| match long.contains(name) {
                true => format!("{}(64)", quote(name)),
                false => quote(name),
            })
            .collect();
        let add = format!("ALTER TABLE {quoted} ADD INDEX ({})", parts.join(", "));
        let _ = run(connection, &add).await;
        Ok(())
    }

    /// Whether foreign keys of other tables are on the target.
    async fn has_children(&self, connection: &mut MySqlConnection) -> Result<bool> {
        let sql = "SELECT 'yes' FROM information_schema.key_column_usage \
            WHERE referenced_table_schema = COALESCE(?, DATABASE()) AND referenced_table_name = ? LIMIT 1";
        let arguments = [
            namespace(self.target).map(String::as_str),
            Some(self.target.table.as_str()),
        ];
        Ok(!texts(connection, sql, &arguments).await?.is_empty())
    }
}

/// A number for a name: names of locks have 64 characters at most.
fn hash(name: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
