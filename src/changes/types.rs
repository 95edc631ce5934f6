//! The types of a snapshot's columns: they follow those of the rows.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use sequor_planner::Dialect;
use sequor_planner::ops::WriteMode;

use super::comparison::{SENT, Stamp};
use super::snapshot::Snapshot;
use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};

/// Whether a column holds numbers, times or the like.
fn is_no_text(column: &Column) -> bool {
    let kind = &column.column_type.arrow;
    let is_number = kind.is_numeric() || column.column_type.logical == Logical::Numeric;
    is_number || kind.is_temporal() || *kind == DataType::Boolean
}

/// Whether a column holds texts of any kind.
fn is_text(column: &Column) -> bool {
    column.column_type.arrow == DataType::Utf8 && column.column_type.logical == Logical::Plain
}

impl Snapshot {
    /// Makes the table of what is being sent, without rows, and sees to it that the snapshot has room for them: a column that
    /// became wider would not take its values, and that would be found out behind the requests.
    ///
    /// # Errors
    /// The database's; types that are none of the other.
    pub(super) async fn begin_pending(&self, stamp: Stamp<'_>) -> Result<()> {
        self.make_pending(&self.comparison.nothing_pending(stamp)).await?;
        let mut others = self.differing().await?;
        if let Some((_, column)) = others.iter().find(|(was, is)| is_text(was) && is_no_text(is)) {
            return Err(self.no_text_any_more(column));
        }
        if !others.is_empty() && self.database.dialect() != Dialect::Sqlite {
            // Rows that are gone are sent as they were: their values need room, too. SQLite has room for any, and a text for what
            // was none.
            let wider = others
                .into_iter()
                .filter(|(was, is)| !is_text(is) || is_text(was));
            let names: BTreeSet<String> = wider.map(|(_, is)| is.name).collect();
            let both = self.comparison.nothing_pending_of_both(stamp, &names);
            let made = self.make_pending(&both).await;
            made.map_err(|e| e.help(self.other_type()))?;
            others = self.differing().await?;
        }
        self.follow(&self.pending_table()).await?;
        self.retype(others).await
    }

    /// Gives the snapshot's columns the types of these.
    pub(super) async fn retype(&self, others: Vec<(Column, Column)>) -> Result<()> {
        if others.is_empty() {
            return Ok(());
        }
        let others: Vec<Column> = others.into_iter().map(|(_, is)| is).collect();
        let retyped = self.database.retype(&self.table, &others).await;
        retyped.map_err(|e| {
            let names: Vec<&str> = others.iter().map(|column| column.name.as_str()).collect();
            e.context(format!(
                "giving `{}` of `{}` the type that it has by now",
                names.join("`, `"),
                self.table
            ))
            .help(self.other_type())
        })
    }

    /// What is said of a column that was a text: what was sent would be read as what it was not.
    fn no_text_any_more(&self, column: &Column) -> Error {
        let message = format!(
            "column `{}` was a text when it was sent, and is a {} by now",
            column.name, column.column_type.sql
        );
        Error::new(ErrorKind::Data, message).help(self.other_type())
    }

    /// What is to be done where a type can't be changed.
    pub(super) fn other_type(&self) -> String {
        format!(
            "give the column the type that it had; or drop the table `{}` by an `execute` step: all rows count as added then",
            self.table
        )
    }

    /// Whether the database tells of its columns how long their values may be: else nobody knows that one became wider.
    pub(super) fn tells_lengths(&self) -> bool {
        !matches!(self.database.dialect(), Dialect::Generic | Dialect::Snowflake)
    }

    /// Makes the snapshot, with columns of any length.
    pub(super) async fn make_roomy(&self) -> Result<()> {
        let own = &self.comparison.columns;
        let told = self.as_told().await?;
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

    /// The columns of the rows as the database tells them of a table: one without rows is made of them, which stays.
    pub(super) async fn as_told(&self) -> Result<Vec<Column>> {
        let stamp = Stamp {
            id: "",
            at: "",
            batch: None,
        };
        self.make_pending(&self.comparison.nothing_pending(stamp)).await?;
        let told = self.database.columns(&self.pending_table()).await?;
        Ok(told.unwrap_or_default())
    }

    pub(super) async fn make_pending(&self, nothing: &str) -> Result<()> {
        let made = self
            .database
            .transform(nothing, &self.pending_table(), WriteMode::Replace)
            .await;
        made.map(|_| ()).map_err(|e| self.explain(e))
    }

    /// The columns of what was sent, and those of what is being sent that have another type.
    pub(super) async fn differing(&self) -> Result<Vec<(Column, Column)>> {
        let there = self.database.columns(&self.table).await?.unwrap_or_default();
        let sent = self
            .database
            .columns(&self.pending_table())
            .await?
            .unwrap_or_default();
        let another = |is: Column| {
            self.comparison.columns.iter().find(|own| own.name == is.name)?;
            let was = there.iter().find(|known| known.name == is.name)?.clone();
            let (a, b) = (&was.column_type, &is.column_type);
            ((&a.sql, a.logical) != (&b.sql, b.logical)).then_some((was, is))
        };
        Ok(sent.into_iter().filter_map(another).collect())
    }
}
