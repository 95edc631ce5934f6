//! The rows of a side table into their place, inside a transaction. SQL that is everyone's: an UPDATE with the tables it
//! reads is not.

use async_trait::async_trait;
use futures::executor::block_on;

use super::connections::{Connection, Connections};
use crate::error::Result;
use crate::sources::database::TableName;
use crate::sources::landing::{Names, Placing, Room, SideTable, land};
use crate::sources::sql::quote;

/// The column that tells the order of rows with the same key.
pub const ROW: &str = "sequor_row";

/// Returns a table beside the target, of a name that nobody has.
pub fn side(target: &TableName) -> TableName {
    TableName {
        table: format!("sequor_side_{}", uuid::Uuid::new_v4().simple()),
        ..target.clone()
    }
}

/// Rows that wait in a side table.
pub struct AdbcSide<'a> {
    pub connections: &'a Connections,
    pub connection: &'a mut Connection,
    pub names: Names,
    /// What makes the target; none: the side table has its very columns.
    pub definitions: Option<&'a str>,
    /// Whether the target is there.
    pub there: bool,
    /// Whether it can't be dropped.
    pub stays: bool,
}

impl AdbcSide<'_> {
    /// Puts them into their place.
    pub fn land(&mut self, placing: Placing<'_>) -> Result<()> {
        // The driver blocks: there is nothing to wait for in between.
        block_on(land(self, placing))
    }
}

#[async_trait]
impl SideTable for AdbcSide<'_> {
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
        Ok(self.there)
    }

    /// The definitions have the key.
    async fn create_target(&mut self, _key: Option<&[String]>) -> Result<Room> {
        let Names { side, target, .. } = &self.names;
        let create = match self.definitions {
            Some(definitions) => format!("CREATE TABLE {target} ({definitions})"),
            None => format!("CREATE TABLE {target} AS SELECT * FROM {side} WHERE 1 = 0"),
        };
        self.run(&create).await?;
        Ok(Room::Empty)
    }

    async fn make_room(&mut self, there: bool) -> Result<Room> {
        // Views or foreign keys hang on it: it stays, and gets the rows.
        if there && self.stays {
            return Ok(Room::Occupied);
        }
        if there {
            let drop = format!("DROP TABLE {}", self.names.target);
            self.run(&drop).await?;
        }
        self.create_target(None).await
    }

    async fn keep_last(&mut self, key: &[String]) -> Result<()> {
        let keep = self.names.keep_last(key, &quote(ROW));
        self.run(&keep).await.map(|_| ())
    }

    /// Without an index, some databases look for each row in all of the side table.
    async fn prepare_merge(&mut self, key: &[String]) -> Result<()> {
        let name = quote(&format!("sequor_key_{}", uuid::Uuid::new_v4().simple()));
        let index = format!(
            "CREATE INDEX {name} ON {} ({})",
            self.names.side,
            self.names.list(key)
        );
        self.run(&index).await.map(|_| ())
    }

    async fn merge(&mut self, key: &[String]) -> Result<()> {
        let Names { side, target, .. } = &self.names;
        let same = self.names.same(key, "s", target);
        let others: Vec<String> = self
            .names
            .others(key)
            .map(|(name, selected)| {
                format!("{} = (SELECT {selected} FROM {side} s WHERE {same})", quote(name))
            })
            .collect();
        if !others.is_empty() {
            let others = others.join(", ");
            let update =
                format!("UPDATE {target} SET {others} WHERE EXISTS (SELECT 1 FROM {side} s WHERE {same})");
            self.run(&update).await?;
        }
        let drop_known = self.names.drop_known(key);
        self.run(&drop_known).await?;
        self.insert().await
    }
}

/// Tells whether a table can't be dropped, since others depend on it. Tried, and taken back, where that is possible.
pub fn stays(connections: &Connections, connection: &mut Connection, table: &str) -> Result<bool> {
    let tried = format!("sequor_side_{}", uuid::Uuid::new_v4().simple());
    let tried = quote(&tried);
    connections.begin(connection)?;
    let made = connections.execute(connection, &format!("CREATE TABLE {tried} (a integer)"));
    connections.rollback(connection);
    made?;
    // A database whose transactions do not hold CREATE and DROP has it now.
    if connections
        .execute(connection, &format!("DROP TABLE {tried}"))
        .is_ok()
    {
        return Ok(false);
    }
    connections.begin(connection)?;
    let dropped = connections.execute(connection, &format!("DROP TABLE {table}"));
    connections.rollback(connection);
    Ok(dropped.is_err())
}
