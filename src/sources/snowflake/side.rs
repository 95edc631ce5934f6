//! The rows of a side table into their place, by one statement: each of Snowflake's is atomic.

use async_trait::async_trait;
use futures::executor::block_on;

use crate::error::{ErrorKind, Result};
use crate::sources::adbc::{Connection, Connections};
use crate::sources::database::TableName;
use crate::sources::landing::{self, Names, Placing, Room, SideTable, check, land, settle};
use crate::sources::overlap::Literal;
use crate::sources::sql::{literal, quote};

/// Returns a table's full name, quoted.
pub fn quoted(table: &TableName) -> String {
    let parts = [&table.database, &table.namespace].into_iter().flatten();
    let parts: Vec<String> = parts.chain([&table.table]).map(|name| quote(name)).collect();
    parts.join(".")
}

/// Returns a name for a table of the session's schema.
pub fn side() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    format!("SEQUOR_SIDE_{id}")
}

/// Rows that wait in a side table.
pub struct SnowflakeSide<'a> {
    connections: &'a Connections,
    connection: &'a mut Connection,
    pub names: Names,
    merges: Merges,
}

/// How rows are merged into the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merges {
    /// By MERGE: no two rows have the same key.
    All,
    /// By MERGE, of the last row of each key. What tells their order.
    LastOf(&'static str),
    /// By an UPDATE and an INSERT, which go together with others in a transaction: no two rows have the same key.
    InTransaction,
}

impl<'a> SnowflakeSide<'a> {
    /// Rows that wait, on the connection that filled the side table.
    pub fn new(
        connections: &'a Connections,
        connection: &'a mut Connection,
        names: Names,
        merges: Merges,
    ) -> SnowflakeSide<'a> {
        SnowflakeSide {
            connections,
            connection,
            names,
            merges,
        }
    }

    /// Puts them into their place. Of several of this process that write the same table, one goes after the other;
    /// those of other processes wait at Snowflake's own lock.
    pub fn land(&mut self, placing: Placing<'_>) -> Result<()> {
        let (connections, target) = (self.connections, self.names.target.clone());
        // The driver blocks: there is nothing to wait for in between.
        connections.turn(&target, || {
            // Rows that go and those that come are two statements.
            if placing.delete().is_none() || !block_on(self.target_exists())? {
                return block_on(land(self, placing));
            }
            self.merges = Merges::InTransaction;
            block_on(self.run("BEGIN"))?;
            match block_on(land(self, placing)) {
                Ok(()) => block_on(self.run("COMMIT")).map(|_| ()),
                Err(error) => {
                    let _ = block_on(self.run("ROLLBACK"));
                    Err(error)
                }
            }
        })
    }

    /// What leaves only the last of the rows with the same key in a query, where there can be such.
    fn last_of_each(&self, key: &[String]) -> String {
        match self.merges {
            Merges::LastOf(row) => self.names.last_of_each(key, row),
            Merges::All | Merges::InTransaction => String::new(),
        }
    }

    /// Looks at the rows.
    pub fn check(&mut self, placing: Placing<'_>) -> Result<()> {
        block_on(check(self, placing))
    }

    /// Makes room for the rows; what makes or replaces a table is in its place then.
    pub fn make_room(&mut self, placing: Placing<'_>) -> Result<Room> {
        block_on(landing::make_room(self, placing))
    }

    /// Changes the target's rows, where they are not there yet.
    pub fn change(&mut self, placing: Placing<'_>, room: Room) -> Result<()> {
        block_on(settle(self, placing, room))
    }

    /// Whether the target is there.
    pub fn finds_target(&mut self) -> Result<bool> {
        block_on(self.target_exists())
    }
}

#[async_trait]
impl SideTable for SnowflakeSide<'_> {
    fn names(&self) -> &Names {
        &self.names
    }

    async fn run(&mut self, statement: &str) -> Result<u64> {
        let rows = self.connections.execute(self.connection, statement)?;
        Ok(rows.unwrap_or(0))
    }

    async fn any(&mut self, query: &str) -> Result<bool> {
        self.connections.any(self.connection, query)
    }

    async fn target_exists(&mut self) -> Result<bool> {
        let sql = format!("SELECT * FROM {} LIMIT 0", self.names.target);
        match self.connections.any(self.connection, &sql) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NoTable => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// With its rows, in one statement: a table without would stay behind when they fail.
    async fn create_target(&mut self, key: Option<&[String]>) -> Result<Room> {
        let Names { side, target, .. } = &self.names;
        let (named, last) = (self.names.named(), key.map(|key| self.last_of_each(key)));
        let last = last.unwrap_or_default();
        let create = format!("CREATE TABLE {target} AS SELECT {named} FROM {side}{last}");
        match self.run(&create).await {
            Ok(_) => Ok(Room::Filled),
            // Another process was faster.
            Err(_) if self.target_exists().await? => Ok(Room::Empty),
            Err(error) => Err(error),
        }
    }

    async fn make_room(&mut self, _there: bool) -> Result<Room> {
        let Names { side, target, .. } = &self.names;
        let named = self.names.named();
        let replace = format!("CREATE OR REPLACE TABLE {target} COPY GRANTS AS SELECT {named} FROM {side}");
        self.run(&replace).await?;
        Ok(Room::Filled)
    }

    /// The merge picks the last of them.
    async fn keep_last(&mut self, _key: &[String]) -> Result<()> {
        Ok(())
    }

    fn literal(&self, value: &Literal) -> String {
        // Backslashes begin escapes.
        value.sql(|text| literal(&text.replace('\\', "\\\\")))
    }

    async fn merge(&mut self, key: &[String]) -> Result<()> {
        if self.merges == Merges::InTransaction {
            if let Some(update) = self.names.update(key) {
                self.run(&update).await?;
            }
            let missing = self.names.insert_missing(key);
            return self.run(&missing).await.map(|_| ());
        }
        let last = self.last_of_each(key);
        let Names { side, target, .. } = &self.names;
        let others: Vec<String> = self
            .names
            .others(key)
            .map(|(name, _)| format!("t.{0} = s.{0}", quote(name)))
            .collect();
        let change = match others.is_empty() {
            true => String::new(),
            false => format!(" WHEN MATCHED THEN UPDATE SET {}", others.join(", ")),
        };
        let given: Vec<String> = self
            .names
            .columns
            .iter()
            .map(|name| format!("s.{}", quote(name)))
            .collect();
        let (named, same) = (self.names.named(), self.names.same(key, "t", "s"));
        let (columns, given) = (self.names.list(&self.names.columns), given.join(", "));
        let merge = format!(
            "MERGE INTO {target} t USING (SELECT {named} FROM {side}{last}) s ON {same}{change} \
             WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({given})"
        );
        self.run(&merge).await.map(|_| ())
    }

    /// Whoever made it drops it, after errors too.
    async fn drop_side(&mut self) -> Result<()> {
        Ok(())
    }
}
