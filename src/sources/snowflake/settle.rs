//! The rows of a side table into their place, by one statement: each of Snowflake's is atomic.

use crate::error::Result;
use crate::sources::adbc::{Connection, Connections};
use crate::sources::database::TableName;
use crate::sources::sql::{column_list, null_error, quote};
use sequor_planner::ops::WriteMode;

/// A table's full name, quoted.
pub fn quoted(table: &TableName) -> String {
    let parts = [&table.database, &table.namespace].into_iter().flatten();
    let parts: Vec<String> = parts.chain([&table.table]).map(|name| quote(name)).collect();
    parts.join(".")
}

/// A name for a table of the session's schema.
pub fn side() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    format!("SEQUOR_SIDE_{id}")
}

/// Rows that wait in a side table.
pub struct Side<'a> {
    pub side: &'a str,
    pub target: &'a TableName,
    /// The target's columns.
    pub columns: &'a [String],
    /// What is selected from the side table for each.
    pub selected: &'a [String],
    /// What tells the order of rows with the same key, where there may be such.
    pub order: Option<&'a str>,
    pub mode: &'a WriteMode,
}

impl Side<'_> {
    /// Puts them into their place. Of several of this process that write the same table, one goes after the other;
    /// those of other processes wait at Snowflake's own lock.
    pub fn settle(&self, connections: &Connections, connection: &mut Connection) -> Result<()> {
        connections.turn(&quoted(self.target), || self.place(connections, connection))
    }

    fn place(&self, connections: &Connections, connection: &mut Connection) -> Result<()> {
        let (side, target) = (self.side, quoted(self.target));
        let columns = column_list(self.columns.iter().map(String::as_str));
        let named = self
            .columns
            .iter()
            .zip(self.selected)
            .map(|(name, selected)| format!("{selected} AS {}", quote(name)))
            .collect::<Vec<_>>()
            .join(", ");
        let mut run = |sql: String| connections.execute(connection, &sql).map(|_| ());
        if self.mode.replaces() {
            return run(format!(
                "CREATE OR REPLACE TABLE {target} AS SELECT {named} FROM {side}"
            ));
        }
        let create = format!("CREATE TABLE IF NOT EXISTS {target} AS SELECT {named} FROM {side} LIMIT 0");
        let WriteMode::Upsert(key) = self.mode else {
            run(create)?;
            return run(format!(
                "INSERT INTO {target} ({columns}) SELECT {} FROM {side}",
                self.selected.join(", ")
            ));
        };
        let of = |name: &String| {
            let at = self.columns.iter().position(|c| c == name);
            at.and_then(|at| self.selected.get(at))
                .cloned()
                .unwrap_or_default()
        };
        for name in key {
            let nulls = format!("SELECT 1 FROM {side} WHERE {} IS NULL LIMIT 1", of(name));
            if connections.any(connection, &nulls)? {
                return Err(null_error(name));
            }
        }
        connections.execute(connection, &create)?;
        let last = match self.order {
            None => String::new(),
            Some(order) => {
                let key: Vec<String> = key.iter().map(of).collect();
                format!(
                    " QUALIFY row_number() OVER (PARTITION BY {} ORDER BY {order} DESC) = 1",
                    key.join(", ")
                )
            }
        };
        let both = |separator: &str, names: &mut dyn Iterator<Item = &String>| {
            let both = names.map(|name| format!("t.{0} = s.{0}", quote(name)));
            both.collect::<Vec<_>>().join(separator)
        };
        let same = both(" AND ", &mut key.iter());
        let changed = both(", ", &mut self.columns.iter().filter(|name| !key.contains(name)));
        let change = match changed.is_empty() {
            true => String::new(),
            false => format!(" WHEN MATCHED THEN UPDATE SET {changed}"),
        };
        let given = self
            .columns
            .iter()
            .map(|name| format!("s.{}", quote(name)))
            .collect::<Vec<_>>()
            .join(", ");
        connections
            .execute(
                connection,
                &format!(
                    "MERGE INTO {target} t USING (SELECT {named} FROM {side}{last}) s ON {same}{change} \
                     WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({given})"
                ),
            )
            .map(|_| ())
    }
}
