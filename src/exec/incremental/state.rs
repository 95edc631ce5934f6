//! How far a step got, kept beside the rows of each of its tables: the table `_sequor_state` of the same schema.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use futures::StreamExt;
use sequor_planner::ops::WriteMode;

use super::digest::digest;
use super::state_rows::{BEFORE, COVERED, PARENT, UPDATED};
use crate::batch::column::Column;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::load::columns::{ColumnSpec, typed};
use crate::incremental::{Kind, Known, Parents, Ranges, StateRows};
use crate::sources::database::{Database, TableName};
use crate::sources::overlap::{Literal, Region};
use crate::sources::transaction::{Finish, LoadTransaction};

/// The table that holds states.
pub const STATE_TABLE: &str = "_sequor_state";

/// Whose state it is.
#[derive(Debug, Clone)]
pub struct Owner {
    pub project: String,
    pub flow: String,
    pub step: String,
}

/// Which states count no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stale {
    No,
    /// That of this step: no commit of its table says that it counts.
    Own,
    /// All of a table that is gone.
    Table,
}

/// The state of one table of a step.
pub struct TableState {
    pub database: Arc<dyn Database>,
    /// The table with the rows.
    pub target: TableName,
    pub(super) owner: Owner,
    /// What is covered, by part.
    pub known: Known,
    /// The same, as it is written.
    pub(super) written: HashMap<String, String>,
    pub parents: Parents,
    /// Whether its table lacks a column.
    is_older: bool,
    /// How often it was committed, where the rows' own commits count that.
    pub(super) generation: i64,
    /// The definitions that rows of it were written by.
    pub definitions: Vec<String>,
    /// When the run began that wrote the latest of it, in UTC.
    pub latest: Option<String>,
    /// Whether it counts no more.
    stale: Stale,
    /// Whether some of it was written, and its rows were not committed.
    is_ahead: bool,
    /// Whether it counts by the commits of its table.
    pub(super) is_bound: bool,
}

impl TableState {
    /// Reads what is kept of a table; what is kept of one that is gone does not count.
    ///
    /// # Errors
    /// The database's; a state of another kind of cursor.
    pub async fn read(
        database: Arc<dyn Database>,
        target: TableName,
        owner: Owner,
        kind: Option<Kind>,
    ) -> Result<TableState> {
        let mut state = TableState {
            database,
            target,
            owner,
            known: HashMap::new(),
            written: HashMap::new(),
            parents: HashMap::new(),
            is_older: false,
            generation: 0,
            definitions: Vec::new(),
            latest: None,
            stale: Stale::No,
            is_ahead: false,
            is_bound: false,
        };
        let database = state.database.clone();
        let table = state.table();
        let Some(there) = database.columns(&table).await? else {
            return Ok(state);
        };
        let parent = database.fold(PARENT);
        state.is_older = !there.iter().any(|column| column.name == parent);
        let scope = state.scope();
        let bound = database.bound(&state.target, &scope).await?;
        // Of a table that is gone, or was made anew since, nothing is known.
        if database.columns(&state.target).await?.is_none() {
            state.stale = Stale::Table;
            return Ok(state);
        }
        if bound == Some(None) {
            state.stale = Stale::Own;
            return Ok(state);
        }
        state.is_bound = bound.is_some();
        state.generation = bound.flatten().unwrap_or(0);
        let name = |name: &str| database.quote(&database.fold(name));
        let parent = match state.is_older {
            true => format!("NULL AS {}", name(PARENT)),
            false => name(PARENT),
        };
        let mut wanted = ["part", COVERED, BEFORE, "generation", "definition", UPDATED]
            .map(name)
            .to_vec();
        wanted.push(parent);
        let sql = format!(
            "SELECT {} FROM {} WHERE {} = '{scope}'",
            wanted.join(", "),
            database.quoted(&table),
            name("scope")
        );
        let mut rows = database.query(&sql).await?.batches;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let text = |at: usize| -> Result<ArrayRef> { Ok(cast(batch.column(at), &DataType::Utf8)?) };
            let (parts, covered, before, definitions) = (text(0)?, text(1)?, text(2)?, text(4)?);
            let (updated, parents) = (text(5)?, text(6)?);
            let generations = cast(batch.column(3), &DataType::Int64)?;
            let generations = generations.as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let value = |column: &ArrayRef| column.as_string::<i32>().value(row).to_string();
                // What was written and not committed with its rows does not count.
                let ahead = generations.value(row) - state.generation;
                state.is_ahead |= bound.is_some() && ahead > 0;
                let text = match ahead {
                    _ if bound.is_none() || ahead <= 0 => value(&covered),
                    1 => value(&before),
                    _ => continue,
                };
                let kind = kind.unwrap_or_else(|| kind_like(&text));
                let ranges = Ranges::read(&text, kind).ok_or_else(|| {
                    let message = format!(
                        "what is kept of `{}` is of another kind of cursor: {text}",
                        state.target
                    );
                    Error::new(ErrorKind::Data, message)
                        .help("sequor state reset forgets it: all is asked for again")
                })?;
                if (bound.is_none() || ahead <= 0) && parents.is_valid(row) {
                    let list = serde_json::from_str(&value(&parents)).unwrap_or_default();
                    state.parents.insert(value(&parts), list);
                }
                state.latest = state.latest.take().max(Some(value(&updated)));
                state.known.insert(value(&parts), ranges);
                state.written.insert(value(&parts), text);
                let definition = value(&definitions);
                if !state.definitions.contains(&definition) {
                    state.definitions.push(definition);
                }
            }
        }
        Ok(state)
    }

    /// Returns the table that holds it.
    pub fn table(&self) -> TableName {
        TableName {
            table: self.database.fold(STATE_TABLE),
            ..self.target.clone()
        }
    }

    /// Returns what tells it from others of its table, in hexadecimal.
    pub fn scope(&self) -> String {
        digest(&[
            &self.owner.project,
            &self.owner.flow,
            &self.owner.step,
            &self.target.table,
        ])
    }

    /// Takes nothing for covered: the next commit says so.
    pub fn begin_anew(&mut self) {
        self.known.clear();
        self.written.clear();
        self.parents.clear();
        self.definitions.clear();
        self.latest = None;
    }

    /// Returns rows that take the place of all that are kept.
    pub fn without_others(&self, rows: StateRows) -> StateRows {
        // Those of other steps, too: the rows that they have covered are gone.
        let target = self.database.fold("target");
        StateRows {
            gone: Some(Region::with(&target, Literal::Text(self.target.table.clone()))),
            ..rows
        }
    }

    /// Makes ready for what is to be written: forgets what does not count any more, before another table of that name is there.
    ///
    /// # Errors
    /// The database's.
    pub async fn prepare(&mut self) -> Result<()> {
        if self.is_older {
            let added = typed(&*self.database, &[ColumnSpec::new(PARENT, "text")])?;
            self.database.alter(&self.table(), &added, &[]).await?;
            self.is_older = false;
        }
        match self.stale {
            Stale::No => {}
            Stale::Own => self.forget(None).await?,
            // That of other steps, too: their rows are gone with it.
            Stale::Table => self.delete(&self.is("target", &self.target.table)).await?,
        }
        self.stale = Stale::No;
        if self.is_ahead {
            // Rows that were never committed would come to count with the next commit, whomever that is of.
            let name = |name: &str| self.database.quote(&self.database.fold(name));
            let (generation, next) = (name("generation"), self.generation + 1);
            let own = self.is("scope", &self.scope());
            // What those were before was never committed, either.
            self.delete(&format!("{own} AND {generation} > {next}")).await?;
            let back = format!(
                "UPDATE {} SET {} = {}, {generation} = {}, {} = NULL WHERE {own} AND {generation} = {next}",
                self.database.quoted(&self.table()),
                name(COVERED),
                name(BEFORE),
                self.generation,
                name(PARENT),
            );
            self.database.execute(&back).await?;
            self.is_ahead = false;
        }
        Ok(())
    }

    /// A condition of its rows: a column with a value.
    fn is(&self, column: &str, value: &str) -> String {
        let column = self.database.quote(&self.database.fold(column));
        format!("{column} = '{}'", value.replace('\'', "''"))
    }

    async fn delete(&self, which: &str) -> Result<()> {
        let delete = format!(
            "DELETE FROM {} WHERE {which}",
            self.database.quoted(&self.table())
        );
        self.database.execute(&delete).await.map(|_| ())
    }

    /// Forgets what is kept: of one part, or all of it.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget(&mut self, part: Option<&str>) -> Result<()> {
        let scope = self.scope();
        let which = match part {
            None => self.is("scope", &scope),
            Some(part) => self.is("id", &digest(&[&scope, part])),
        };
        self.delete(&which).await?;
        let stays = |known: &String| part.is_some_and(|part| part != known);
        self.known.retain(|known, _| stays(known));
        self.written.retain(|known, _| stays(known));
        Ok(())
    }

    /// Takes another definition for that of the rows that are kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn redefine(&mut self, definition: &str) -> Result<()> {
        let name = |name: &str| self.database.quote(&self.database.fold(name));
        let update = format!(
            "UPDATE {} SET {} = '{definition}' WHERE {} = '{}'",
            self.database.quoted(&self.table()),
            name("definition"),
            name("scope"),
            self.scope()
        );
        self.database.execute(&update).await?;
        self.definitions = vec![definition.to_string()];
        Ok(())
    }

    /// Writes what is covered, instead of what is kept of the same parts.
    ///
    /// # Errors
    /// A table that is not there, and so has no state; the database's.
    pub async fn set(&mut self, covered: Known, definition: &str, now: &str) -> Result<()> {
        let Some(there) = self.database.columns(&self.target).await? else {
            let message = format!(
                "there is no table `{}`, and so nothing is covered in it",
                self.target
            );
            return Err(Error::new(ErrorKind::NoTable, message)
                .help("run the flow first, or make the table with the rows that it is to have"));
        };
        self.prepare().await?;
        let rows = self.rows((&covered, &self.parents), definition, now)?;
        let mut loads = self.database.begin_loads().await?;
        match write_state(&mut *loads, (&self.target, &there), rows).await {
            Ok(()) => loads.commit(&Finish::default()).await.map(|_| ())?,
            Err(error) => {
                loads.abort().await;
                return Err(error);
            }
        }
        self.committed(covered, Parents::new());
        Ok(())
    }

    /// Notes that what is covered was committed.
    pub fn committed(&mut self, covered: Known, parents: Parents) {
        self.parents.extend(parents);
        self.generation += 1;
        let written = covered
            .iter()
            .map(|(part, ranges)| (part.clone(), ranges.to_json()));
        self.written.extend(written);
        self.known.extend(covered);
    }
}

/// Writes the state of a table, to which no rows are added.
async fn write_state(
    loads: &mut dyn LoadTransaction,
    (target, there): (&TableName, &[Column]),
    state: StateRows,
) -> Result<()> {
    let first = there.get(..1).unwrap_or_default();
    let table = loads.add(target, first, WriteMode::Append).await?;
    let place = loads
        .add(&state.table, &state.columns, WriteMode::Upsert(state.key))
        .await?;
    loads.bind(table, &state.scope, state.generation);
    loads.write(place, state.rows).await
}

/// What the positions of a state look like.
fn kind_like(covered: &str) -> Kind {
    let pairs: Vec<(Option<String>, String)> = serde_json::from_str(covered).unwrap_or_default();
    pairs.first().map_or(Kind::Text, |(_, to)| Kind::like(to))
}
