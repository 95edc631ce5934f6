//! A table whose rows are replaced, and that others have put something on: comments, indexes, constraints, triggers. It
//! stays, or one like it takes its place. Grants and views go by a table's name, and stay anyway.

use sqlx::{MySqlConnection, Row as _};

use super::error::explain;
use super::side::{MySqlSide, ROW, claim, side_of};
use super::sql::{namespace, quote, quoted, texts};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;
use crate::sources::landing::{Room, SideTable};

/// Gives a row for each thing on a table that one just made has not.
const EXTRAS: &str = "SELECT 'index' FROM information_schema.statistics WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
    UNION ALL SELECT 'constraint' FROM information_schema.table_constraints WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
    UNION ALL SELECT 'trigger' FROM information_schema.triggers WHERE event_object_schema = COALESCE(?, DATABASE()) AND event_object_table = ? \
    UNION ALL SELECT 'column' FROM information_schema.columns WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
      AND (column_comment <> '' OR extra <> '' OR is_nullable = 'NO' OR (column_default IS NOT NULL AND column_default <> 'NULL')) \
    UNION ALL SELECT 'table' FROM information_schema.tables WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
      AND (table_comment <> '' OR create_options LIKE '%partitioned%')";

/// Gives a row for each trigger of a table, and for each of its foreign keys.
const UNLIKE: &str = "SELECT 'trigger' FROM information_schema.triggers WHERE event_object_schema = COALESCE(?, DATABASE()) AND event_object_table = ? \
    UNION ALL SELECT 'foreign key' FROM information_schema.table_constraints \
      WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND constraint_type = 'FOREIGN KEY'";

/// Tells whether a table can be dropped and made anew without a loss: it has no more on it than the side table, which was
/// just made.
pub async fn is_plain(connection: &mut MySqlConnection, table: &TableName, side: &TableName) -> Result<bool> {
    let mut of_table = found(connection, EXTRAS, table).await?;
    let mut of_side = found(connection, EXTRAS, side).await?;
    of_table.sort_unstable();
    of_side.sort_unstable();
    Ok(of_table == of_side)
}

/// # Errors
/// Foreign keys of other tables that would delete or change their rows with those of this one.
pub async fn refuse_cascades(connection: &mut MySqlConnection, table: &TableName) -> Result<()> {
    let cascades = "SELECT 'yes' FROM information_schema.referential_constraints \
        WHERE constraint_schema = COALESCE(?, DATABASE()) AND referenced_table_name = ? \
        AND delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')";
    if found(connection, cascades, table).await?.is_empty() {
        return Ok(());
    }
    let message = format!(
        "table `{table}` is not replaced: another table has a foreign key on it that deletes or changes its own rows with these"
    );
    Err(Error::new(ErrorKind::Sql, message).help(
        "use `write_mode: upsert`, which keeps the rows that are there, or a foreign key without `on delete`",
    ))
}

async fn found(
    connection: &mut MySqlConnection,
    query: &'static str,
    table: &TableName,
) -> Result<Vec<String>> {
    let within = namespace(table).map(String::as_str);
    let pairs = query.matches("COALESCE(?").count();
    let arguments: Vec<Option<&str>> = (0..pairs)
        .flat_map(|_| [within, Some(table.table.as_str())])
        .collect();
    texts(connection, query, &arguments).await
}

/// A table's columns with their types.
async fn columns(connection: &mut MySqlConnection, table: &TableName) -> Result<Vec<(String, String)>> {
    let rows = sqlx::query(
        "SELECT CONVERT(column_name USING utf8mb4), CONVERT(column_type USING utf8mb4) FROM information_schema.columns \
         WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ordinal_position",
    )
    .bind(namespace(table).cloned())
    .bind(table.table.clone())
    .fetch_all(connection)
    .await
    .map_err(|e| explain(&e))?;
    let text = |row: &sqlx::mysql::MySqlRow, at: usize| {
        row.try_get_unchecked::<String, _>(at).map_err(|e| explain(&e))
    };
    rows.iter()
        .map(|row| Ok((text(row, 0)?, text(row, 1)?)))
        .collect()
}

impl MySqlSide<'_> {
    /// Keeps the target for the new rows. With the same columns it is that very table; with others one like it is filled,
    /// and takes its name, unless triggers or foreign keys are on it, which no other table gets.
    pub(super) async fn keep_target(&mut self) -> Result<Room> {
        let there = columns(self.connection, self.target).await?;
        let new: Vec<_> = columns(self.connection, self.side)
            .await?
            .into_iter()
            .filter(|(name, _)| name != ROW)
            .collect();
        let mut changes = Vec::new();
        for (name, _) in &there {
            if !new.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                changes.push(format!("DROP COLUMN {}", quote(name)));
            }
        }
        for (name, sql) in &new {
            let known = there.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            match known {
                None => changes.push(format!("ADD COLUMN {} {sql}", quote(name))),
                Some((known, old)) if old != sql => {
                    changes.push(format!("MODIFY COLUMN {} {sql}", quote(known)));
                }
                Some(_) => {}
            }
        }
        if changes.is_empty() {
            return Ok(Room::Occupied);
        }
        let changes = changes.join(", ");
        if !found(self.connection, UNLIKE, self.target).await?.is_empty() {
            self.run(&format!("ALTER TABLE {} {changes}", self.names.target))
                .await?;
            return Ok(Room::Occupied);
        }
        let like = side_of(self.target);
        claim(self.connection, &like).await?;
        let (like, target) = (quoted(&like), self.names.target.clone());
        self.left.push(like.clone());
        self.run(&format!("CREATE TABLE {like} LIKE {target}")).await?;
        self.fill_like(&like, &changes).await?;
        self.take_name(like).await?;
        Ok(Room::Filled)
    }

    async fn fill_like(&mut self, like: &str, changes: &str) -> Result<()> {
        self.run(&format!("ALTER TABLE {like} {changes}")).await?;
        let mut names = self.names.clone();
        names.target = like.to_string();
        let insert = names.insert();
        self.run(&insert).await.map(|_| ())
    }
}
