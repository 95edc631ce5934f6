//! The rows of a side table into their place, inside a transaction of the connection.

use async_trait::async_trait;
use futures::executor::block_on;

use super::database::exists;
use crate::error::Result;
use crate::sources::adbc::{Connection, Connections};
use crate::sources::database::TableName;
use crate::sources::landing::{Names, Placing, Room, SideTable, land};
use crate::sources::sql::quote;

/// What the names of side tables begin with.
pub const SIDE: &str = "sequor_side_";

/// Returns a table beside the target, of a name that nobody has.
pub fn side(target: &TableName) -> TableName {
    TableName {
        table: format!("{SIDE}{}", uuid::Uuid::new_v4().simple()),
        ..target.clone()
    }
}

/// Rows that wait in a side table.
pub struct DuckDbSide<'a> {
    pub connections: &'a Connections,
    pub connection: &'a mut Connection,
    pub target: &'a TableName,
    pub names: Names,
    /// What makes the target, where that is more than the columns of the side table.
    pub declared: Option<&'a str>,
}

impl DuckDbSide<'_> {
    /// Puts them into their place.
    pub fn land(&mut self, placing: Placing<'_>) -> Result<()> {
        // The driver blocks: there is nothing to wait for in between.
        block_on(land(self, placing))
    }
}

#[async_trait]
impl SideTable for DuckDbSide<'_> {
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
        exists(self.connections, self.connection, self.target)
    }

    async fn create_target(&mut self, _key: Option<&[String]>) -> Result<Room> {
        let Names { side, target, .. } = &self.names;
        let create = match self.declared {
            Some(declared) => format!("CREATE TABLE {target} ({declared})"),
            None => format!("CREATE TABLE {target} AS SELECT * FROM {side} LIMIT 0"),
        };
        self.run(&create).await?;
        Ok(Room::Empty)
    }

    async fn make_room(&mut self, there: bool) -> Result<Room> {
        let Names { side, target, .. } = &self.names;
        let rename = format!("ALTER TABLE {side} RENAME TO {}", quote(&self.target.table));
        let drop = format!("DROP TABLE {target}");
        if there {
            self.run(&drop).await?;
        }
        if self.declared.is_some() {
            return self.create_target(None).await;
        }
        self.run(&rename).await?;
        Ok(Room::Filled)
    }

    async fn keep_last(&mut self, key: &[String]) -> Result<()> {
        let keep = self.names.keep_last(key, "rowid");
        self.run(&keep).await.map(|_| ())
    }
}
