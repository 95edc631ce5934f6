//! The table of what was sent, and beside it that of what is being sent.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use sequor_planner::ops::WriteMode;
use uuid::Uuid;

use super::columns::{Compared, Wanted, columns_of};
use super::comparison::{Comparison, Ended, Sending};
use super::ended::ranges;
use super::names::{Names, beside, is_own};
use super::numbers::{numbers, rows};
use super::spelling::Respelled;
use crate::batch::column::Column;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Rows, TableName};
use crate::value::Row;

/// Ranges of rows in one statement: databases limit how long one may be.
const MOST_RANGES: usize = 200;

/// What a snapshot is of.
pub struct Of<'o> {
    /// What stands behind FROM for the rows.
    pub rows: String,
    pub wanted: Wanted<'o>,
    /// Which rows of the table are this step's: a digest.
    pub scope: String,
    /// What the request is now: a digest.
    pub definition: String,
}

/// The table of what was sent. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    pub(super) database: Arc<dyn Database>,
    pub table: TableName,
    pub(super) comparison: Arc<Comparison>,
}

impl Snapshot {
    /// Returns the snapshot of some rows; nothing of it is looked at yet.
    ///
    /// # Errors
    /// The database's; columns that the rows do not have.
    pub async fn of(database: Arc<dyn Database>, table: TableName, of: Of<'_>) -> Result<Snapshot> {
        let columns = columns_of(&*database, &of.rows, &of.wanted).await?;
        Ok(Snapshot::with(
            database,
            table,
            (of.rows, columns),
            (of.scope, of.definition),
        ))
    }

    /// The same, of other columns of the rows.
    pub(super) fn with_columns(&self, columns: Vec<Compared>) -> Snapshot {
        Snapshot::with(
            self.database.clone(),
            self.table.clone(),
            (self.comparison.names.rows.clone(), columns),
            (self.comparison.scope.clone(), self.comparison.definition.clone()),
        )
    }

    fn with(
        database: Arc<dyn Database>,
        table: TableName,
        (rows, columns): (String, Vec<Compared>),
        (scope, definition): (String, String),
    ) -> Snapshot {
        let comparison = Comparison {
            names: Names::new(&database, &table, rows, &scope),
            columns,
            scope,
            definition,
        };
        Snapshot {
            database,
            table,
            comparison: Arc::new(comparison),
        }
    }

    pub(super) fn pending_table(&self) -> TableName {
        beside(&*self.database, &self.table, "pending", &self.comparison.scope)
    }

    fn answers_table(&self) -> TableName {
        beside(&*self.database, &self.table, "answers", &self.comparison.scope)
    }

    pub(super) fn upsert(&self) -> WriteMode {
        WriteMode::Upsert(self.comparison.key())
    }

    /// Tells whether it was made.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_there(&self) -> Result<bool> {
        Ok(self.database.columns(&self.table).await?.is_some())
    }

    /// Tells whether the step has ever sent a row.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn has_rows(&self) -> Result<bool> {
        if !self.is_there().await? {
            return Ok(false);
        }
        let counts = self.numbers(&self.comparison.counted_ever()).await?;
        Ok(counts.first().is_some_and(|rows| *rows > 0))
    }

    /// Sees to it that no table of others has the name of one that is made.
    ///
    /// # Errors
    /// There is one.
    async fn check_names(&self) -> Result<()> {
        for table in [self.table.clone(), self.pending_table(), self.answers_table()] {
            let there = self.database.columns(&table).await?;
            if there.is_some_and(|columns| !is_own(&*self.database, &columns)) {
                let message =
                    format!("`{table}` is a table of its own, and none of what was sent: nothing was sent");
                return Err(Error::new(ErrorKind::Project, message)
                    .help("name another one: `snapshot: {table: ...}` in `changes`"));
            }
        }
        Ok(())
    }

    /// Makes it where it is not there, and gives it the columns that it lacks.
    ///
    /// # Errors
    /// The database's.
    pub async fn make(&self) -> Result<()> {
        self.check_names().await?;
        match self.database.columns(&self.table).await? {
            Some(there) => self.add_columns(&there).await,
            None if !self.tells_lengths() => self.make_roomy().await.map_err(|e| self.explain(e)),
            None => {
                let nothing = self.comparison.nothing_sent();
                let made = self
                    .database
                    .transform(&nothing, &self.table, self.upsert())
                    .await;
                made.map(|_| ()).map_err(|e| self.explain(e))
            }
        }
    }

    /// Takes those keys for one that the rows' database does: its table is known to be kept by the same.
    ///
    /// # Errors
    /// The database's.
    pub async fn follow_keys(&self) -> Result<()> {
        self.follow(&self.table).await
    }

    pub(super) async fn follow(&self, table: &TableName) -> Result<()> {
        let texts = self.comparison.text_keys();
        let rows = &self.comparison.names.rows;
        self.database.follow_collations(table, rows, &texts).await
    }

    /// Makes it anew: nothing counts of what it has.
    ///
    /// # Errors
    /// The database's.
    pub async fn make_anew(&self) -> Result<()> {
        let drop = format!("DROP TABLE {}", self.database.quoted(&self.table));
        self.database.execute(&drop).await?;
        self.make().await
    }

    /// Takes all rows for sent, where the step has never sent one. Whether they are. `at`: when.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_for_sent(&self, at: &str) -> Result<bool> {
        if self.has_rows().await? {
            return Ok(false);
        }
        let all = self.comparison.all_sent(at);
        let made = self.database.transform(&all, &self.table, self.upsert()).await;
        made.map_err(|e| self.explain(e))?;
        Ok(true)
    }

    /// Gives it the columns that it lacks.
    async fn add_columns(&self, there: &[Column]) -> Result<()> {
        let naming = self.database.naming();
        let lacks = |column: &&Compared| naming.find(there, &column.name).is_none();
        let lacking: Vec<&Compared> = self.comparison.columns.iter().filter(lacks).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let types = self.as_told().await?;
        let added = types
            .into_iter()
            .filter(|column| lacking.iter().any(|lacking| lacking.name == column.name));
        let added: Vec<_> = added.collect();
        self.database.alter(&self.table, &added, &[]).await?;
        self.drop_pending().await
    }

    pub(super) fn other_key(&self) -> Error {
        let message = format!(
            "`changes.key` is another one than that by which `{}` keeps what was sent: which of its rows are these is not known",
            self.table
        );
        Error::new(ErrorKind::Project, message)
            .help("take the key back, or forget what was sent by `sequor state reset FLOW STEP`: all rows count as added then")
    }

    /// Returns the rows to send, and behind their columns: what became of each, when it was sent last, and what was kept of the
    /// answer.
    ///
    /// # Errors
    /// The database's.
    pub async fn items(&self) -> Result<Rows> {
        self.database.query(&self.comparison.items()).await
    }

    /// Notes how rows that were being sent ended, by their numbers; with what is kept of their answers.
    ///
    /// # Errors
    /// The database's.
    pub async fn end(
        &self,
        id: Uuid,
        (ended, numbers): (Ended, Vec<u64>),
        answers: Vec<(u64, String)>,
    ) -> Result<()> {
        let kept = !answers.is_empty();
        if kept {
            self.keep_answers(answers).await?;
        }
        for some in ranges(numbers).chunks(MOST_RANGES) {
            let query = self.comparison.ended((&id.to_string(), ended), some, kept);
            let wanted: u64 = some.iter().map(|(from, to)| to - from + 1).sum();
            let noted = async {
                if let Some(respelled) = self.comparison.respelled(&id.to_string(), some) {
                    self.drop_old_spellings(&respelled).await?;
                }
                self.database.transform(&query, &self.table, self.upsert()).await
            };
            match noted.await {
                Ok(noted) if noted >= wanted => {}
                Ok(noted) => return Err(self.taken_over(wanted - noted, wanted)),
                // It is gone, or another run's.
                Err(_)
                    if self
                        .pending_of()
                        .await
                        .is_ok_and(|found| found.is_none_or(|(whose, _)| whose != id)) =>
                {
                    return Err(self.taken_over(wanted, wanted));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn taken_over(&self, missing: u64, of: u64) -> Error {
        let message = format!(
            "{missing} of {of} rows that were sent are not noted: another run of the step has begun meanwhile, and `{}` is its own",
            self.pending_table()
        );
        Error::new(ErrorKind::Data, message).help(
            "let one run at a time send the rows of a step, where their states are not in one place (`state` in project.yaml)",
        )
    }

    /// A row whose key is spelled in another way by now takes the place of the one that was sent.
    async fn drop_old_spellings(&self, respelled: &Respelled) -> Result<()> {
        let count = self.numbers(&respelled.count).await?;
        if count.first().is_some_and(|rows| *rows > 0) {
            self.database.execute(&respelled.delete).await?;
        }
        Ok(())
    }

    async fn keep_answers(&self, answers: Vec<(u64, String)>) -> Result<()> {
        let names = &self.comparison.names;
        let (n, response) = (names.folded("n"), names.folded("response"));
        let schema = Arc::new(Schema::new(vec![
            Field::new(n, DataType::Int64, true),
            Field::new(response, DataType::Utf8, true),
        ]));
        let numbers = answers.iter().map(|(n, _)| i64::try_from(*n).unwrap_or(i64::MAX));
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int64Array::from_iter_values(numbers)),
                Arc::new(StringArray::from_iter_values(
                    answers.iter().map(|(_, text)| text),
                )),
            ],
        )?;
        let types = ["bigint", "text"];
        let columns = schema.fields().iter().zip(types).map(|(field, sql)| {
            Ok(Column {
                name: field.name().clone(),
                column_type: self.database.column_type(sql)?,
            })
        });
        let columns: Vec<Column> = columns.collect::<Result<_>>()?;
        let mut load = self
            .database
            .begin_load(&self.answers_table(), &columns, WriteMode::Replace)
            .await?;
        match load.write(batch).await {
            Ok(()) => load.commit().await.map(|_| ()),
            Err(error) => {
                load.abort().await;
                Err(error)
            }
        }
    }

    /// Returns the keys of some rows in doubt, as texts.
    ///
    /// # Errors
    /// The database's.
    pub async fn some_in_doubt(&self) -> Result<Vec<String>> {
        let rows = self.rows(&self.comparison.some_in_doubt()).await?;
        let text = |row: &Row| {
            row.iter()
                .map(|(_, value)| value.to_text())
                .collect::<Vec<_>>()
                .join(", ")
        };
        Ok(rows.iter().map(text).collect())
    }

    /// Takes rows in doubt for sent ones, or, where they are `sent_again`, for rows that the API may have: they differ until they are
    /// sent, and are removed where they are gone.
    ///
    /// # Errors
    /// The database's.
    pub async fn settle_doubts(&self, sent_again: bool) -> Result<()> {
        self.database
            .execute(&self.comparison.settle_doubts(sent_again))
            .await
            .map(|_| ())
    }

    /// Takes rows that were sent for others, until they are sent again.
    ///
    /// # Errors
    /// The database's.
    pub async fn sent_are_old(&self, sending: &Sending) -> Result<()> {
        self.database
            .execute(&self.comparison.sent_are_old(sending))
            .await
            .map(|_| ())
    }

    /// Forgets what was being sent: it is known how each row ended.
    ///
    /// # Errors
    /// The database's.
    pub async fn drop_pending(&self) -> Result<()> {
        for table in [self.pending_table(), self.answers_table()] {
            if self.database.columns(&table).await?.is_some() {
                self.database
                    .execute(&format!("DROP TABLE {}", self.database.quoted(&table)))
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) fn explain(&self, error: Error) -> Error {
        error.context(format!("keeping what was sent in `{}`", self.table)).help(
            "where the source can only be read, keep it elsewhere: `snapshot: {source: ...}` in `changes`",
        )
    }

    pub(super) async fn rows(&self, sql: &str) -> Result<Vec<Row>> {
        rows(&*self.database, sql).await
    }

    pub(super) async fn numbers(&self, sql: &str) -> Result<Vec<u64>> {
        numbers(&*self.database, sql).await
    }
}
