//! A table whose rows are replaced, and that others have put something on: indexes, triggers, constraints.

use super::side::{SqliteSide, literal, schema, texts};
use crate::error::{Error, Result};
use crate::sources::landing::SideTable;
use crate::sources::sql::quote;

impl SqliteSide<'_> {
    fn within(&self) -> &str {
        schema(self.target).unwrap_or("main")
    }

    /// The statements that made the target's indexes and triggers.
    pub(super) async fn extras(&mut self) -> Result<Vec<String>> {
        let query = format!(
            "SELECT sql FROM {}.sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL \
             AND lower(tbl_name) = lower({})",
            quote(self.within()),
            literal(&self.target.table)
        );
        texts(self.connection, &query).await
    }

    /// Whether the target has constraints that a table made anew would not have.
    pub(super) async fn has_constraints(&mut self) -> Result<bool> {
        let name = literal(&self.target.table);
        let constraint = format!(
            "SELECT 'column' FROM pragma_table_info({name}, {within}) \
             WHERE \"notnull\" OR pk OR dflt_value IS NOT NULL \
             UNION ALL SELECT 'table' FROM {master}.sqlite_master WHERE type = 'table' AND lower(name) = lower({name}) \
             AND (sql LIKE '%check%(%' OR sql LIKE '%unique%' OR sql LIKE '%references%' OR sql LIKE '%collate%' \
             OR sql LIKE '%generated%always%' OR sql LIKE '%)%strict%')",
            within = literal(self.within()),
            master = quote(self.within())
        );
        self.any(&constraint).await
    }

    /// Gives the target the columns of the side table, without making it anew. An index on a column that is gone goes with it.
    ///
    /// # Errors
    /// A column that is gone and can't be dropped: it is a key, or a view or a trigger reads it.
    pub(super) async fn fit_columns(&mut self) -> Result<()> {
        let (name, within) = (literal(&self.target.table), literal(self.within()));
        let master = quote(self.within());
        let there = format!("SELECT name FROM pragma_table_info({name}, {within})");
        let there = texts(self.connection, &there).await?;
        let number = self.number;
        let new = format!("SELECT name FROM pragma_table_info('_sequor_side_{number}', 'temp')");
        let new = texts(self.connection, &new).await?;
        let target = self.names().target.clone();
        let has = |names: &[String], wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        for gone in there.iter().filter(|name| !has(&new, name)) {
            let indexes = format!(
                "SELECT m.name FROM {master}.sqlite_master m, pragma_index_info(m.name, {within}) i \
                 WHERE m.type = 'index' AND m.sql IS NOT NULL AND lower(m.tbl_name) = lower({name}) AND lower(i.name) = lower({})",
                literal(gone)
            );
            for index in texts(self.connection, &indexes).await? {
                self.run(&format!("DROP INDEX {master}.{}", quote(&index)))
                    .await?;
            }
            let drop = format!("ALTER TABLE {target} DROP COLUMN {}", quote(gone));
            self.run(&drop).await.map_err(|e: Error| {
                e.context(format!("column `{gone}` is not in the new rows"))
                    .help("drop what is on the column, or the table, before it is replaced without it")
            })?;
        }
        for added in new.iter().filter(|name| !has(&there, name)) {
            let sql_type = format!(
                "SELECT type FROM pragma_table_info('_sequor_side_{number}', 'temp') WHERE name = {}",
                literal(added)
            );
            let sql_type = texts(self.connection, &sql_type).await?.pop().unwrap_or_default();
            let add = format!("ALTER TABLE {target} ADD COLUMN {} {sql_type}", quote(added));
            self.run(&add).await?;
        }
        Ok(())
    }
}
