//! Rows take the place of those with the same key, or of those in a range: the table is written anew, in one commit. Rows that
//! are added where the table may have them already are compared with its own first.

use arrow::array::RecordBatch;

use super::commit::{Bound, Change, Outcome, commit_bound, current_schema};
use super::convert::Mapping;
use super::database::Staging;
use super::merging::{Source, Upsert};
use super::names::{TableId, quote};
use super::rewrite::{ATTEMPTS, version};
use super::scratch::{Filling, Scratch};
use super::statement::{parse, parse_query};
use super::types::stored_schema;
use crate::batch::column::Column;
use crate::batch::types::arrow_schema;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::key::upsert_key;
use crate::sources::landing::{
    duplicate_keys_error, no_cursor_error, not_a_cursor_error, null_error, unknown_range,
};
use crate::sources::overlap::{Overlap, changed_error};
use sequor_planner::ops::WriteMode;

/// The load of rows that are compared with those of the table: they are kept in a scratch table until all are there.
pub struct UpsertLoad {
    upsert: Upsert,
    filling: Filling,
}

/// A load whose rows are all there, and have keys.
pub struct ReadyUpsert {
    upsert: Upsert,
    scratch: Scratch,
}

/// Starts a load.
pub fn begin(db: &Staging, id: TableId, columns: &[Column], mut mode: WriteMode) -> Result<UpsertLoad> {
    let key = upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?.to_vec();
    let schema = stored_schema(&arrow_schema(columns))?;
    Ok(UpsertLoad {
        filling: Filling::new(db, &schema)?,
        upsert: Upsert { id, schema, key },
    })
}

impl UpsertLoad {
    /// Returns the table.
    pub fn id(&self) -> &TableId {
        &self.upsert.id
    }

    /// Adds rows.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.filling.write(batch).await
    }

    /// Ends the rows.
    ///
    /// # Errors
    /// A column of the key that is null.
    pub async fn ready(self, db: &Staging) -> Result<ReadyUpsert> {
        let UpsertLoad { upsert, filling } = self;
        let scratch = filling.finish(db).await?;
        match upsert.refuse_nulls(db, &scratch).await {
            Ok(()) => Ok(ReadyUpsert { upsert, scratch }),
            Err(error) => {
                scratch.remove(db).await;
                Err(error)
            }
        }
    }

    /// Takes everything back.
    pub async fn discard(self) {
        self.filling.discard().await;
    }
}

impl ReadyUpsert {
    /// Returns the table.
    pub fn id(&self) -> &TableId {
        &self.upsert.id
    }

    /// Makes the rows visible. How many they are.
    pub async fn commit(self, db: &Staging, bound: &[Bound], overlap: Option<&Overlap>) -> Result<u64> {
        let ReadyUpsert { upsert, scratch } = self;
        let rows = scratch.rows;
        let merged = upsert.merge(db, &scratch, (bound, overlap)).await;
        scratch.remove(db).await;
        merged.map(|()| rows)
    }

    /// Takes everything back.
    pub async fn discard(self, db: &Staging) {
        self.scratch.remove(db).await;
    }
}

/// Upserts the rows of a query, or puts them in the place of others. The number of rows.
pub async fn query(
    db: &Staging,
    sql: &str,
    id: TableId,
    mut mode: WriteMode,
    overlap: Option<&Overlap>,
) -> Result<u64> {
    let planned = db.plan(parse_query(sql)?).await?;
    let schema = stored_schema(&planned.schema())?;
    let key = upsert_key(&mut mode, schema.fields().iter().map(|f| f.name().as_str()))?.to_vec();
    let upsert = Upsert { id, schema, key };
    let scratch = Scratch::of_query(db, sql, &upsert.schema).await?;
    let rows = scratch.rows;
    let merged = async {
        if !upsert.key.is_empty() {
            upsert.refuse_duplicate_keys(db, &scratch).await?;
        }
        upsert.refuse_nulls(db, &scratch).await?;
        upsert.merge(db, &scratch, (&[], overlap)).await
    };
    let merged = merged.await;
    scratch.remove(db).await;
    merged.map(|()| rows)
}

impl Upsert {
    /// Whether a query over the scratch table gives any row.
    async fn any(db: &Staging, sql: &str) -> Result<bool> {
        Ok(db.count_rows(parse(sql)?).await? > 0)
    }

    /// # Errors
    /// New rows with the same key: which would count is not known.
    async fn refuse_duplicate_keys(&self, db: &Staging, scratch: &Scratch) -> Result<()> {
        let (key, new) = (self.key_list(), scratch.id.sql());
        let duplicates = format!("SELECT {key} FROM {new} GROUP BY {key} HAVING count(*) > 1 LIMIT 1");
        match Upsert::any(db, &duplicates).await? {
            false => Ok(()),
            true => Err(duplicate_keys_error(&self.key)),
        }
    }

    /// # Errors
    /// New rows that stand nowhere.
    async fn refuse_unplaced(&self, db: &Staging, scratch: &Scratch, column: &str) -> Result<()> {
        let columns: Vec<String> = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let Some(column) = columns.iter().find(|name| name.eq_ignore_ascii_case(column)) else {
            return Err(not_a_cursor_error(column, &columns));
        };
        let nulls = format!(
            "SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1",
            scratch.id.sql(),
            quote(column)
        );
        match Upsert::any(db, &nulls).await? {
            true => Err(no_cursor_error(column)),
            false => Ok(()),
        }
    }

    /// # Errors
    /// New rows without a key.
    async fn refuse_nulls(&self, db: &Staging, scratch: &Scratch) -> Result<()> {
        for name in &self.key {
            let nulls = format!(
                "SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1",
                scratch.id.sql(),
                quote(name)
            );
            if Upsert::any(db, &nulls).await? {
                return Err(null_error(name));
            }
        }
        Ok(())
    }

    async fn merge(
        &self,
        db: &Staging,
        scratch: &Scratch,
        (bound, overlap): (&[Bound], Option<&Overlap>),
    ) -> Result<()> {
        if self.key.is_empty() && overlap.is_none() {
            return Err(unknown_range());
        }
        if let Some(column) = overlap.and_then(Overlap::column) {
            self.refuse_unplaced(db, scratch, column).await?;
        }
        let scratch = &Source::of(scratch, &self.schema, overlap);
        let lock = db.tables.lock(&self.id).await;
        for _ in 0..ATTEMPTS {
            let there = db.tables.open(&self.id).await?;
            let (schema, change, sql) = match &there {
                None => (
                    self.schema.clone(),
                    Change::CreateMissing,
                    self.last_of_each(scratch, &self.schema),
                ),
                Some(table) => {
                    let schema = current_schema(table)?;
                    // Every new column has to be there.
                    Mapping::by_name(&self.schema, schema.clone())
                        .map_err(|e| e.context(format!("table `{}`", self.id)))?;
                    let rewrite = Change::Rewrite {
                        version: version(table)?,
                    };
                    let overlap = overlap.cloned().unwrap_or_default();
                    if let Some(unchanged) = &overlap.unchanged {
                        let there = self.without(overlap.delete.as_ref());
                        let changed = unchanged.query((&scratch.table, &there), quote);
                        if Upsert::any(db, &changed).await? {
                            return Err(changed_error());
                        }
                    }
                    let (change, sql) = match (&overlap.delete, &overlap.skip) {
                        (None, Some(skip)) => {
                            let without = self.unlike(scratch, &schema, &self.id.sql(), skip);
                            (Change::Append, without)
                        }
                        (delete, skip) => {
                            let sql = self.merged(scratch, &schema, (delete.as_ref(), skip.as_ref()));
                            (rewrite, sql)
                        }
                    };
                    (schema, change, sql)
                }
            };
            let mapping = Mapping::by_position(schema.clone());
            let query = db.plan(parse(&sql)?).await?;
            let written = db.write_files(query, &self.id, schema.clone(), mapping).await?;
            let outcome = commit_bound(
                &db.tables,
                &self.id,
                &lock,
                change,
                (&schema, Some(written)),
                bound,
            )
            .await?;
            if outcome == Outcome::Done {
                return Ok(());
            }
        }
        let message = format!("table `{}` is changed by others all the time", self.id);
        Err(Error::new(ErrorKind::Sql, message))
    }
}
