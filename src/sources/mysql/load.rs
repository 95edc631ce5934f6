//! Loads: rows into side tables, which then take their places.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use sqlx::{MySqlConnection, query_with};

use super::error::explain;
use super::place::{Waiting, place};
use super::side::{ROW, claim, side_of};
use super::sql::{check, column_list, quote, quoted, run};
use super::stop::{Stops, Watched, number};
use super::types::defined;
use crate::batch::column::Column;
use crate::error::Result;
use crate::sources::bind::{Bound, Inserts, bound, refuse_non_finite, written_out};
use crate::sources::database::TableName;
use crate::sources::key::upsert_key;
use crate::sources::landing::{Placing, SameKeys};
use crate::sources::loading::{Loading, Message, Messages, over};
use crate::sources::transaction::{Finish, LoadTransaction, about};
use sequor_planner::ops::WriteMode;

/// Rows of one statement.
const ROWS: usize = 1000;
/// Parameters that a statement may have.
const PARAMETERS: usize = 65_535;
/// About how many bytes a statement's parameters have: servers take 16 MB at least, unless told otherwise.
const BYTES: usize = 2 * 1024 * 1024;

/// Loads under way.
pub struct MySqlLoads {
    tables: Vec<Encoding>,
    loading: Loading<Side, Statements>,
    collation: String,
}

type Statements = Vec<Bound<sqlx::MySql>>;

/// A table's rows on their way into statements.
struct Encoding {
    target: TableName,
    /// Rows of one statement.
    rows: usize,
}

impl MySqlLoads {
    /// Begins, on a connection of its own.
    pub async fn begin(
        mut connection: MySqlConnection,
        stops: &Arc<Stops>,
        collation: &str,
    ) -> Result<MySqlLoads> {
        let work = Work {
            sides: Vec::new(),
            watched: stops.watch(number(&mut connection).await?, None),
            is_open: false,
        };
        Ok(MySqlLoads {
            tables: Vec::new(),
            loading: Loading::start(|messages| work.run(connection, messages)),
            collation: collation.to_string(),
        })
    }
}

#[async_trait]
impl LoadTransaction for MySqlLoads {
    async fn add(&mut self, target: &TableName, columns: &[Column], mut mode: WriteMode) -> Result<usize> {
        upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str())).map_err(about(target))?;
        check(target).map_err(about(target))?;
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        let mut definitions: Vec<String> = columns
            .iter()
            .map(|c| format!("{} {}", quote(&c.name), defined(&c.column_type, &self.collation)))
            .collect();
        if matches!(mode, WriteMode::Upsert(_)) {
            definitions.push(format!("{ROW} BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY"));
        }
        self.tables.push(Encoding {
            target: target.clone(),
            rows: (PARAMETERS / columns.len().max(1)).clamp(1, ROWS),
        });
        let side = side_of(target);
        let list = column_list(names.iter().map(String::as_str));
        let into = format!("INSERT INTO {} ({list})", quoted(&side));
        self.loading
            .add(Side {
                target: target.clone(),
                inserts: Inserts::new(into, names.len()),
                columns: names,
                definitions: definitions.join(", "),
                side,
                mode,
                rows: 0,
            })
            .await
    }

    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        let encoding = self.tables.get(table).ok_or_else(over)?;
        let statements = encoding.statements(&batch);
        self.loading
            .send(table, statements.map_err(about(&encoding.target))?)
            .await
    }

    async fn commit(self: Box<Self>, finish: &Finish) -> Result<Vec<u64>> {
        self.loading.commit(finish).await
    }

    async fn abort(self: Box<Self>) {
        self.loading.abort().await;
    }
}

impl Encoding {
    fn statements(&self, batch: &RecordBatch) -> Result<Statements> {
        refuse_non_finite(batch)?;
        bound(&written_out(batch, "%Y-%m-%d %H:%M:%S%.f")?, self.rows, BYTES)
    }
}

/// A table to be loaded, and the one that its rows wait in.
struct Side {
    target: TableName,
    side: TableName,
    columns: Vec<String>,
    definitions: String,
    mode: WriteMode,
    inserts: Inserts,
    rows: u64,
}

/// What the task does.
struct Work {
    sides: Vec<Side>,
    /// Given up in the middle, loads leave nothing behind.
    watched: Watched,
    /// Whether a transaction is open.
    is_open: bool,
}

impl Work {
    async fn run(
        mut self,
        mut connection: MySqlConnection,
        messages: Messages<Side, Statements>,
    ) -> Result<Vec<u64>> {
        let done = self.load(&mut connection, messages).await;
        if !matches!(done, Ok(Some(_)))
            && let Some(drop) = self.drop_sides()
        {
            let _ = run(&mut connection, "ROLLBACK").await;
            let _ = run(&mut connection, &drop).await;
        }
        self.watched.done();
        Ok(done?.unwrap_or_default())
    }

    /// The numbers of rows loaded; none when they are taken back.
    async fn load(
        &mut self,
        connection: &mut MySqlConnection,
        mut messages: Messages<Side, Statements>,
    ) -> Result<Option<Vec<u64>>> {
        while let Some(message) = messages.recv().await {
            match message {
                Message::Table(side, there) => {
                    self.add(connection, side).await?;
                    let _ = there.send(());
                }
                Message::Rows(table, statements) => {
                    if !self.is_open {
                        // One transaction: each statement of its own would wait for the disk.
                        run(connection, "START TRANSACTION").await?;
                        self.is_open = true;
                    }
                    let side = self.sides.get_mut(table).ok_or_else(over)?;
                    let inserted = side.insert(connection, statements).await;
                    inserted.map_err(about(&side.target))?;
                }
                Message::Commit(finish) => {
                    if self.is_open {
                        run(connection, "COMMIT").await?;
                    }
                    self.commit(connection, &finish).await?;
                    return Ok(Some(self.sides.iter().map(|side| side.rows).collect()));
                }
            }
        }
        Ok(None)
    }

    /// Makes a side table. It commits the rows that are in others.
    async fn add(&mut self, connection: &mut MySqlConnection, side: Side) -> Result<()> {
        let about = about(&side.target);
        claim(connection, &side.side).await.map_err(&about)?;
        let create = format!("CREATE TABLE {} ({})", quoted(&side.side), side.definitions);
        self.sides.push(side);
        if let Some(drop) = self.drop_sides() {
            self.watched.clean_up_by(drop);
        }
        self.is_open = false;
        run(connection, &create).await.map(|_| ()).map_err(about)
    }

    async fn commit(&self, connection: &mut MySqlConnection, finish: &Finish) -> Result<()> {
        let all = self.sides.iter().enumerate();
        let kept = all.filter(|(at, _)| !finish.skips(*at));
        let waiting: Vec<Waiting<'_>> = kept
            .map(|(at, side)| Waiting {
                side: &side.side,
                target: &side.target,
                columns: &side.columns,
                placing: Placing {
                    overlap: finish.overlap(at),
                    ..Placing::of(&side.mode, SameKeys::KeepLast)
                },
                numbered: matches!(side.mode, WriteMode::Upsert(_)),
            })
            .collect();
        if !waiting.is_empty() {
            place(connection, &waiting).await?;
        }
        match self.drop_sides() {
            Some(drop) if !finish.skipped.is_empty() => run(connection, &drop).await.map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The statement that drops the side tables that are left.
    fn drop_sides(&self) -> Option<String> {
        let sides: Vec<String> = self.sides.iter().map(|side| quoted(&side.side)).collect();
        (!sides.is_empty()).then(|| format!("DROP TABLE IF EXISTS {}", sides.join(", ")))
    }
}

impl Side {
    async fn insert(&mut self, connection: &mut MySqlConnection, statements: Statements) -> Result<()> {
        for Bound { rows, arguments } in statements {
            let done = query_with(self.inserts.of(rows), arguments)
                .execute(&mut *connection)
                .await;
            done.map_err(|e| explain(&e))?;
            self.rows += rows as u64;
        }
        Ok(())
    }
}
