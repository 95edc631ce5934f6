//! The rows of side tables into their places. MySQL ends a transaction at each CREATE and DROP: what replaces a table is
//! a table that was filled beside it, and changes its name in one step.

use async_trait::async_trait;
use sqlx::MySqlConnection;

use super::kept;
use super::sql::{SIDE, any, literal, namespace, quote, quoted, run, texts};
use crate::error::Result;
use crate::sources::database::TableName;
use crate::sources::landing::{Names, Room, SideTable};
use crate::sources::overlap::{Literal, Skip};

/// The column that tells the order of rows with the same key.
pub const ROW: &str = "_sequor_row";

/// Returns a name for a side table of `target`.
pub fn side_of(target: &TableName) -> TableName {
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

/// Rows that wait in a side table.
pub struct MySqlSide<'a> {
    pub connection: &'a mut MySqlConnection,
    pub side: &'a TableName,
    pub target: &'a TableName,
    pub names: Names,
    /// Whether the side table has the column [`ROW`] besides the target's.
    pub numbered: bool,
    /// What is to change names at the end, as RENAME TABLE has it.
    pub renames: Vec<String>,
    /// Tables, quoted, that are to be dropped at the end where they are left.
    pub left: Vec<String>,
}

impl MySqlSide<'_> {
    /// Has a table take the target's name at the end, and the target go.
    pub(super) async fn take_name(&mut self, new: String) -> Result<()> {
        let old = side_of(self.target);
        claim(self.connection, &old).await?;
        let (old, target) = (quoted(&old), &self.names.target);
        self.renames
            .extend([format!("{target} TO {old}"), format!("{new} TO {target}")]);
        self.left.push(old);
        Ok(())
    }

    /// An index on a key. It is for speed alone: columns that can't have one work without.
    async fn add_index(&mut self, table: &TableName, key: &[String]) -> Result<()> {
        let long = "SELECT CONVERT(column_name USING utf8mb4) FROM information_schema.columns \
            WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
            AND data_type IN ('tinytext', 'text', 'mediumtext', 'longtext', 'tinyblob', 'blob', 'mediumblob', 'longblob')";
        let within = namespace(table).map(String::as_str);
        let long = texts(self.connection, long, &[within, Some(&table.table)]).await?;
        let parts: Vec<String> = key
            .iter()
            .map(|name| match long.contains(name) {
                true => format!("{}(64)", quote(name)),
                false => quote(name),
            })
            .collect();
        let add = format!("ALTER TABLE {} ADD INDEX ({})", quoted(table), parts.join(", "));
        let _ = self.run(&add).await;
        Ok(())
    }

    /// Whether foreign keys of other tables are on the target.
    async fn has_children(&mut self) -> Result<bool> {
        let sql = "SELECT 'yes' FROM information_schema.key_column_usage \
            WHERE referenced_table_schema = COALESCE(?, DATABASE()) AND referenced_table_name = ? LIMIT 1";
        let within = namespace(self.target).map(String::as_str);
        let arguments = [within, Some(self.target.table.as_str())];
        Ok(!texts(self.connection, sql, &arguments).await?.is_empty())
    }
}

#[async_trait]
impl SideTable for MySqlSide<'_> {
    fn names(&self) -> &Names {
        &self.names
    }

    async fn run(&mut self, statement: &str) -> Result<u64> {
        run(self.connection, statement).await
    }

    async fn any(&mut self, query: &str) -> Result<bool> {
        any(self.connection, query).await
    }

    async fn target_exists(&mut self) -> Result<bool> {
        let sql = "SELECT 'yes' FROM information_schema.tables \
            WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
        let within = namespace(self.target).map(String::as_str);
        let arguments = [within, Some(self.target.table.as_str())];
        Ok(!texts(self.connection, sql, &arguments).await?.is_empty())
    }

    /// The side table becomes the target, with a key.
    async fn create_target(&mut self, key: Option<&[String]>) -> Result<Room> {
        let Names { side, target, .. } = self.names.clone();
        let unnumbered = self.numbered.then(|| format!("DROP COLUMN {ROW}"));
        let keyed = key.map(|key| format!("ADD PRIMARY KEY ({})", self.names.list(key)));
        let both: Vec<String> = unnumbered.iter().chain(&keyed).cloned().collect();
        if !both.is_empty() {
            let done = self.run(&format!("ALTER TABLE {side} {}", both.join(", "))).await;
            match key {
                // Text of any length can't be a primary key: what begins it is an index.
                Some(key) if done.is_err() => {
                    if let Some(unnumbered) = unnumbered {
                        self.run(&format!("ALTER TABLE {side} {unnumbered}")).await?;
                    }
                    self.add_index(self.side, key).await?;
                }
                _ => done.map(|_| ())?,
            }
        }
        self.renames.push(format!("{side} TO {target}"));
        Ok(Room::Filled)
    }

    async fn make_room(&mut self, there: bool) -> Result<Room> {
        if !there {
            return self.create_target(None).await;
        }
        // Tables with foreign keys on it would follow its old name: it stays, and gets the rows.
        if self.has_children().await? {
            kept::refuse_cascades(self.connection, self.target).await?;
            return Ok(Room::Occupied);
        }
        if !kept::is_plain(self.connection, self.target, self.side).await? {
            return self.keep_target().await;
        }
        self.take_name(self.names.side.clone()).await?;
        Ok(Room::Filled)
    }

    async fn keep_last(&mut self, key: &[String]) -> Result<()> {
        let (side, key) = (&self.names.side, self.names.list(key));
        let keep = format!(
            "DELETE s FROM {side} s LEFT JOIN (SELECT max({ROW}) AS kept FROM {side} GROUP BY {key}) k \
             ON s.{ROW} = k.kept WHERE k.kept IS NULL"
        );
        self.run(&keep).await.map(|_| ())
    }

    /// Without an index, each row of the target would be looked for in all of the side table.
    async fn prepare_merge(&mut self, key: &[String]) -> Result<()> {
        self.add_index(self.side, key).await
    }

    fn literal(&self, value: &Literal) -> String {
        literal(value)
    }

    fn latest(&self) -> &'static str {
        " LOCK IN SHARE MODE"
    }

    fn folds(&self) -> bool {
        true
    }

    async fn refuse_cascades(&mut self) -> Result<()> {
        kept::refuse_cascades(self.connection, self.target).await
    }

    /// Takes those rows out of the side table that the target has: with its index, each of the target's is looked for once.
    async fn insert_new(&mut self, skip: &Skip) -> Result<()> {
        let Names { side, target, .. } = &self.names;
        let from = skip.from.as_ref().map_or_else(String::new, |from| {
            format!(" WHERE t.{} >= {}", quote(&skip.column), literal(from))
        });
        let alike = self.names.alike(skip, ("t", "s"), |a, b| format!("{a} <=> {b}"));
        let drop = format!("DELETE s FROM {target} t JOIN {side} s ON {alike}{from}");
        self.run(&drop).await?;
        self.insert().await
    }

    async fn merge(&mut self, key: &[String]) -> Result<()> {
        let Names { side, target, .. } = self.names.clone();
        let same = self.names.same(key, "t", "s");
        let changed: Vec<String> = self
            .names
            .others(key)
            .map(|(name, _)| format!("t.{0} = s.{0}", quote(name)))
            .collect();
        if !changed.is_empty() {
            let changed = changed.join(", ");
            self.run(&format!(
                "UPDATE {target} t JOIN {side} s ON {same} SET {changed}"
            ))
            .await?;
        }
        self.run(&format!("DELETE s FROM {side} s JOIN {target} t ON {same}"))
            .await?;
        self.insert().await
    }
}
