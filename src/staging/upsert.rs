//! Rows take the place of those with the same key, or of those in a range: the table is written anew, in one commit. Rows that
//! are added where the table may have them already are compared with its own first.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::commit::{Bound, Change, Outcome, commit_bound, current_schema};
use super::convert::Mapping;
use super::database::Staging;
use super::names::{TableId, quote};
use super::rewrite::{ATTEMPTS, version};
use super::scratch::{Filling, ROW, Scratch};
use super::statement::{parse, parse_query};
use super::types::stored_schema;
use crate::batch::column::Column;
use crate::batch::types::arrow_schema;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::key::upsert_key;
use crate::sources::landing::{
    duplicate_keys_error, no_cursor_error, null_error, same_or_null, unknown_range,
};
use crate::sources::overlap::{Literal, Overlap, Region, Skip, Writes};
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

/// Where the new rows are, as SQL has it.
struct Source {
    table: String,
}

/// What takes whose place.
struct Upsert {
    id: TableId,
    /// The columns of the new rows.
    schema: SchemaRef,
    /// The columns that tell rows apart; without any, no row takes the place of another.
    key: Vec<String>,
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
    fn key_list(&self) -> String {
        let key: Vec<String> = self.key.iter().map(|name| quote(name)).collect();
        key.join(", ")
    }

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
        let from = overlap.and_then(|overlap| overlap.leave_out.as_ref());
        let source = Source {
            table: match from {
                Some(Skip {
                    column,
                    from: Some(from),
                }) => format!(
                    "(SELECT * FROM {} WHERE {} >= {})",
                    scratch.id.sql(),
                    quote(column),
                    literal(from)
                ),
                _ => scratch.id.sql(),
            },
        };
        let scratch = &source;
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

    /// Of the new rows with the same key, the last.
    fn last_of_each(&self, scratch: &Source, schema: &SchemaRef) -> String {
        let columns: Vec<String> = schema.fields().iter().map(|f| quote(f.name())).collect();
        if self.key.is_empty() {
            return format!("SELECT {} FROM {} AS \"new\"", columns.join(", "), scratch.table);
        }
        format!(
            "SELECT {} FROM (SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {} DESC) AS \"__sequor_n\" FROM {}) \
             AS \"new\" WHERE \"__sequor_n\" = 1",
            columns.join(", "),
            self.key_list(),
            quote(ROW),
            scratch.table,
        )
    }

    /// The new rows that are like none of those of a table.
    fn unlike(&self, scratch: &Source, schema: &SchemaRef, table: &str, skip: &Skip) -> String {
        let new: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| self.new_alone(field))
            .collect();
        let same = self.schema.fields().iter().map(|field| {
            let name = quote(field.name());
            match *field.name() == skip.column {
                true => format!("\"old\".{name} = \"new\".{name}"),
                false => same_or_null(&format!("\"old\".{name}"), &format!("\"new\".{name}")),
            }
        });
        let same: Vec<String> = same.collect();
        let from = skip.from.as_ref().map_or_else(String::new, |from| {
            format!(" WHERE {} >= {}", quote(&skip.column), literal(from))
        });
        format!(
            "SELECT {} FROM {} AS \"new\" LEFT ANTI JOIN (SELECT * FROM {table}{from}) AS \"old\" ON {}",
            new.join(", "),
            scratch.table,
            same.join(" AND "),
        )
    }

    /// A column of a new row that takes no other's place.
    fn new_alone(&self, field: &Field) -> String {
        match self.schema.index_of(field.name()) {
            Ok(_) => format!("{} AS {}", in_type(field), quote(field.name())),
            Err(_) => format!(
                "arrow_cast(NULL, '{}') AS {}",
                field.data_type(),
                quote(field.name())
            ),
        }
    }

    /// The old rows, without those of a region and those whose key a new row has, then the new ones. Columns that the new rows
    /// do not have stay.
    fn merged(
        &self,
        scratch: &Source,
        schema: &SchemaRef,
        (without, skip): (Option<&Region>, Option<&Skip>),
    ) -> String {
        let old: Vec<String> = schema
            .fields()
            .iter()
            .map(|f| format!("\"old\".{}", quote(f.name())))
            .collect();
        let same: Vec<String> = self
            .key
            .iter()
            .map(|name| format!("\"old\".{0} = \"new\".{0}", quote(name)))
            .collect();
        let same = same.join(" AND ");
        let table = match without {
            None => self.id.sql(),
            Some(region) => {
                let conditions = region.conditions(Writes {
                    quote: &quote,
                    literal: &literal,
                });
                let stays: Vec<String> = conditions
                    .iter()
                    .map(|one| format!("({one}) IS NOT TRUE"))
                    .collect();
                format!("(SELECT * FROM {} WHERE {})", self.id.sql(), stays.join(" AND "))
            }
        };
        if self.key.is_empty() {
            let new = match skip {
                Some(skip) => self.unlike(scratch, schema, &format!("{table} AS \"there\""), skip),
                None => {
                    let new: Vec<String> = schema
                        .fields()
                        .iter()
                        .map(|field| self.new_alone(field))
                        .collect();
                    format!("SELECT {} FROM {} AS \"new\"", new.join(", "), scratch.table)
                }
            };
            return format!(
                "SELECT {} FROM {table} AS \"old\" UNION ALL {new}",
                old.join(", ")
            );
        }
        let is_new = |field: &Field| self.schema.index_of(field.name()).is_ok();
        let new: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| match is_new(field) {
                true => format!("{} AS {}", in_type(field), quote(field.name())),
                false => format!("\"old\".{}", quote(field.name())),
            })
            .collect();
        let last = self.last_of_each(scratch, &self.schema);
        let join = match schema.fields().iter().all(|field| is_new(field)) {
            true => String::new(),
            false => format!(" LEFT JOIN {table} AS \"old\" ON {same}"),
        };
        format!(
            "SELECT {} FROM {table} AS \"old\" LEFT ANTI JOIN ({last}) AS \"new\" ON {same} \
             UNION ALL SELECT {} FROM ({last}) AS \"new\"{join}",
            old.join(", "),
            new.join(", "),
        )
    }
}

/// A value as SQL, of the type of its column.
fn literal(value: &Literal) -> String {
    match value {
        Literal::Date(_) => format!("arrow_cast({}, 'Date32')", value.plain()),
        Literal::Time { zoned: true, .. } => {
            format!(
                "arrow_cast({}, 'Timestamp(Microsecond, Some(\"UTC\"))')",
                value.plain()
            )
        }
        Literal::Time { zoned: false, .. } => {
            format!("arrow_cast({}, 'Timestamp(Microsecond, None)')", value.plain())
        }
        other => other.plain(),
    }
}

/// A new value in the type of its column: else the union would bring both to a common one.
fn in_type(field: &Field) -> String {
    let value = format!("\"new\".{}", quote(field.name()));
    match field.data_type() {
        DataType::Utf8 => value,
        other => format!("arrow_cast({value}, '{other}')"),
    }
}
