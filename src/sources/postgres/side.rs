//! The rows of a side table into their place, inside the transaction that filled it.

use arrow::datatypes::DataType;
use async_trait::async_trait;
use sqlx::PgConnection;

use super::database::{ask, run};
use super::{columns, kept, sql};
use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::Result;
use crate::sources::database::TableName;
use crate::sources::landing::{Names, Room, SideTable, same_or_null};
use crate::sources::overlap::Skip;

/// Tells whether the table is there.
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

/// Rows that wait in a side table.
pub struct PgSide<'a> {
    pub connection: &'a mut PgConnection,
    pub target: &'a TableName,
    pub side: &'a TableName,
    pub names: Names,
    /// The columns of the rows; none: the side table's own, which a query made.
    pub columns: Option<&'a [Column]>,
}

impl PgSide<'_> {
    /// Whether columns are declared with more than their type: the side table does not have that.
    fn declares_more(&self) -> bool {
        let columns = self.columns.unwrap_or_default();
        columns.iter().any(|c| c.column_type.declared.is_some())
    }

    /// Drops the target. False where it has to stay, since views or foreign keys hang on it.
    async fn drop_target(&mut self) -> Result<bool> {
        let drop = format!("DROP TABLE {}", self.names.target);
        self.tried(&drop).await
    }

    /// What is taken from the side table for the target's columns. Text is read as what the target has, as a literal is.
    async fn selected(&mut self, given: &[Column]) -> Result<Vec<String>> {
        let there = columns::of(&mut *self.connection, self.target)
            .await?
            .unwrap_or_default();
        let selected = given.iter().map(|column| {
            let name = sql::quote(&column.name);
            let known = there.iter().find(|t| t.name == column.name);
            match known.map(|known| &known.column_type) {
                // A cast to a length would cut the text.
                Some(known)
                    if column.column_type.arrow == DataType::Utf8
                        && column.column_type.logical == Logical::Plain
                        && (known.arrow != DataType::Utf8 || known.logical != Logical::Plain) =>
                {
                    format!("{name}::{}", known.sql)
                }
                _ => name,
            }
        });
        Ok(selected.collect())
    }
}

#[async_trait]
impl SideTable for PgSide<'_> {
    fn names(&self) -> &Names {
        &self.names
    }

    async fn run(&mut self, statement: &str) -> Result<u64> {
        run(self.connection, statement).await
    }

    async fn any(&mut self, query: &str) -> Result<bool> {
        Ok(run(self.connection, query).await? > 0)
    }

    async fn target_exists(&mut self) -> Result<bool> {
        exists(self.connection, self.target).await
    }

    async fn create_target(&mut self, key: Option<&[String]>) -> Result<Room> {
        let Names { side, target, .. } = self.names.clone();
        let create = match self.columns {
            Some(columns) => {
                let definitions = sql::definitions(columns, |c| c.column_type.declaration().to_string());
                format!("CREATE TABLE {target} ({definitions})")
            }
            None => format!("CREATE TABLE {target} AS SELECT * FROM {side} LIMIT 0"),
        };
        self.run(&create).await?;
        if let Some(key) = key {
            let keyed = format!("ALTER TABLE {target} ADD PRIMARY KEY ({})", self.names.list(key));
            self.run(&keyed).await?;
        }
        Ok(Room::Empty)
    }

    async fn make_room(&mut self, there: bool) -> Result<Room> {
        if there {
            let plain = kept::is_plain(self.connection, self.target, self.side).await?;
            // What else hangs on it, such as a function, is only known when it is dropped.
            if !plain || !self.drop_target().await? {
                self.empty_target().await?;
                return Ok(Room::Empty);
            }
        }
        if self.declares_more() {
            return self.create_target(None).await;
        }
        let rename = format!(
            "ALTER TABLE {} RENAME TO {}",
            self.names.side,
            sql::quote(&self.target.table)
        );
        self.run(&rename).await?;
        Ok(Room::Filled)
    }

    async fn keep_last(&mut self, key: &[String]) -> Result<()> {
        let (side, key) = (&self.names.side, self.names.list(key));
        // PostgreSQL has no maximum of row identifiers before version 14, but an order.
        let keep = format!(
            "DELETE FROM {side} WHERE ctid IN (SELECT r FROM (SELECT ctid AS r, row_number() OVER \
             (PARTITION BY {key} ORDER BY ctid DESC) AS n FROM {side}) AS rows WHERE n > 1)"
        );
        self.run(&keep).await.map(|_| ())
    }

    /// Two upserts at once would both add a key that neither finds.
    async fn prepare_merge(&mut self, _key: &[String]) -> Result<()> {
        let Names { side, target, .. } = self.names.clone();
        self.run(&format!("LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE"))
            .await?;
        self.run(&format!("ANALYZE {side}")).await.map(|_| ())
    }

    async fn refuse_cascades(&mut self) -> Result<()> {
        self.refuse_children().await
    }

    /// JSON has no equality of its own.
    async fn insert_new(&mut self, skip: &Skip) -> Result<()> {
        let there = columns::of(&mut *self.connection, self.target)
            .await?
            .unwrap_or_default();
        let incomparable: Vec<String> = there
            .iter()
            .filter(|c| !matches!(c.column_type.logical, Logical::Plain | Logical::Numeric))
            .map(|c| sql::quote(&c.name))
            .collect();
        if let Some(columns) = self.columns {
            self.names.selected = self.selected(columns).await?;
        }
        let equal = |a: &str, b: &str| match incomparable.iter().any(|name| a.ends_with(name.as_str())) {
            true => same_or_null(&format!("{a}::text"), &format!("{b}::text")),
            false => same_or_null(a, b),
        };
        let column = format!("t.{}", sql::quote(&skip.column));
        let from = skip.from.as_ref().map(|from| self.compared(&column, ">=", from));
        let insert = self.names.insert_unlike(skip, from.as_deref(), equal);
        self.run(&insert).await.map(|_| ())
    }

    fn exact(&self, column: &str) -> String {
        format!("{column} COLLATE \"C\"")
    }

    async fn insert(&mut self) -> Result<()> {
        if let Some(columns) = self.columns {
            self.names.selected = self.selected(columns).await?;
        }
        let insert = self.names.insert();
        self.run(&insert).await.map(|_| ())
    }
}
