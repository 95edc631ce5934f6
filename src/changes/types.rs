//! The types of a snapshot's columns: they follow those of the rows.

use std::collections::BTreeSet;

use sequor_planner::Dialect;
use sequor_planner::ops::WriteMode;

use super::comparison::{SENT, Stamp};
use super::snapshot::Snapshot;
use crate::batch::column::Column;
use crate::error::Result;

/// What is to be done where a type can't be changed.
pub(super) const OTHER_TYPE: &str = "where a column has another type than before, drop the table of what was sent: all rows count as added then";

impl Snapshot {
    /// Makes the table of what is being sent, without rows, and sees to it that the snapshot has room for them: a column that
    /// became wider would not take its values, and that would be found out behind the requests.
    ///
    /// # Errors
    /// The database's; types that are none of the other.
    pub(super) async fn begin_pending(&self, stamp: Stamp<'_>) -> Result<()> {
        self.make_pending(&self.comparison.nothing_pending(stamp)).await?;
        let mut others = self.differing().await?;
        if !others.is_empty() && self.database.dialect() != Dialect::Sqlite {
            // Rows that are gone are sent as they were: their values need room, too. SQLite has room for any.
            let names: BTreeSet<String> = others.into_iter().map(|column| column.name).collect();
            let both = self.comparison.nothing_pending_of_both(stamp, &names);
            let made = self.make_pending(&both).await;
            made.map_err(|e| e.help(OTHER_TYPE))?;
            others = self.differing().await?;
        }
        self.follow(&self.pending_table()).await?;
        self.retype(others).await
    }

    /// Gives the snapshot's columns the types of these.
    pub(super) async fn retype(&self, others: Vec<Column>) -> Result<()> {
        if others.is_empty() {
            return Ok(());
        }
        let retyped = self.database.retype(&self.table, &others).await;
        retyped.map_err(|e| {
            let names: Vec<&str> = others.iter().map(|column| column.name.as_str()).collect();
            e.context(format!(
                "giving `{}` of `{}` the type that it has by now",
                names.join("`, `"),
                self.table
            ))
            .help(OTHER_TYPE)
        })
    }

    /// Whether the database tells of its columns how long their values may be: else nobody knows that one became wider.
    pub(super) fn tells_lengths(&self) -> bool {
        !matches!(self.database.dialect(), Dialect::Generic | Dialect::Snowflake)
    }

    /// Makes the snapshot, with columns of any length.
    pub(super) async fn make_roomy(&self) -> Result<()> {
        let stamp = Stamp {
            id: "",
            at: "",
            batch: None,
        };
        self.make_pending(&self.comparison.nothing_pending(stamp)).await?;
        let told = self
            .database
            .columns(&self.pending_table())
            .await?
            .unwrap_or_default();
        let own = &self.comparison.columns;
        let mut columns: Vec<Column> = told
            .into_iter()
            .filter(|column| own.iter().any(|own| own.name == column.name))
            .collect();
        for name in SENT {
            columns.push(Column {
                name: self.comparison.names.folded(name),
                column_type: self.database.column_type("varchar(255)")?,
            });
        }
        let load = self
            .database
            .begin_load(&self.table, &columns, self.upsert())
            .await?;
        load.commit().await?;
        self.drop_pending().await
    }

    pub(super) async fn make_pending(&self, nothing: &str) -> Result<()> {
        let made = self
            .database
            .transform(nothing, &self.pending_table(), WriteMode::Replace)
            .await;
        made.map(|_| ()).map_err(|e| self.explain(e))
    }

    /// The columns of what is being sent that have another type than those of what was sent.
    pub(super) async fn differing(&self) -> Result<Vec<Column>> {
        let there = self.database.columns(&self.table).await?.unwrap_or_default();
        let sent = self
            .database
            .columns(&self.pending_table())
            .await?
            .unwrap_or_default();
        let is_another = |column: &Column| {
            let own = self.comparison.columns.iter().any(|own| own.name == column.name);
            let known = there.iter().find(|known| known.name == column.name);
            own && known.is_some_and(|known| {
                let (a, b) = (&known.column_type, &column.column_type);
                (&a.sql, a.logical) != (&b.sql, b.logical)
            })
        };
        Ok(sent.into_iter().filter(is_another).collect())
    }
}
