//! Loads by the driver's bulk ingest into side tables, which then take their places in one transaction.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::executor::block_on;

use super::connections::{Connection, Connections};
use super::ingest::{Ingest, Plan};
use crate::error::{Error, Result};
use crate::sources::blocking::blocking;
use crate::sources::buffered::BufferedRows;
use crate::sources::loading::over;
use crate::sources::overlap::Overlap;
use crate::sources::transaction::Finish;

/// Loads under way: each table's rows come by a connection of their own.
pub struct Ingests {
    connections: Arc<Connections>,
    at_once: AtOnce,
    tables: Vec<Table>,
}

/// Whether several connections can write at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtOnce {
    Yes,
    /// That is not known: rows of all tables but the first wait in memory and in files.
    Unknown,
}

struct Table {
    filling: Filling,
    landing: Landing,
}

/// How a table gets its rows.
enum Filling {
    Now(Ingest),
    Later(Box<(Plan, BufferedRows)>),
}

/// What becomes of a side table.
pub struct Landing {
    /// The side table, quoted.
    pub side: String,
    /// The target, quoted.
    pub target: String,
    /// Looks at the target before the transaction, when all side tables have their rows.
    pub look: Look,
    /// Has the last word on errors.
    pub explain: Explain,
}

/// Looks at a target. Returns what puts the rows into their place, in a transaction.
pub type Look = Box<dyn FnOnce(&Connections, &mut Connection) -> Result<Place> + Send>;
/// Work on a connection.
pub type Place = Box<dyn FnOnce(&Connections, &mut Connection, Option<&Overlap>) -> Result<()> + Send>;
/// Makes an error of another.
pub type Explain = Box<dyn Fn(Error) -> Error + Send + Sync>;

impl Ingests {
    /// Loads without tables.
    pub fn new(connections: &Arc<Connections>, at_once: AtOnce) -> Ingests {
        Ingests {
            connections: connections.clone(),
            at_once,
            tables: Vec::new(),
        }
    }

    /// Adds a table; returns its number.
    pub fn add(&mut self, plan: Plan, landing: Landing) -> usize {
        let filling = match self.at_once == AtOnce::Yes || self.tables.is_empty() {
            true => Filling::Now(Ingest::begin(&self.connections, plan)),
            false => {
                let rows = BufferedRows::new(plan.columns.clone());
                Filling::Later(Box::new((plan, rows)))
            }
        };
        self.tables.push(Table { filling, landing });
        self.tables.len() - 1
    }

    /// Adds rows to a table.
    pub async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        let table = self.tables.get_mut(table).ok_or_else(over)?;
        let written = match &mut table.filling {
            Filling::Now(ingest) => ingest.write(batch).await,
            Filling::Later(later) => later.1.push(batch).await,
        };
        written.map_err(&table.landing.explain)
    }

    /// Makes the rows visible. The numbers of rows, by table.
    ///
    /// Once begun it goes to its end, also when nobody waits for it any more: no side table is left.
    pub async fn commit(self, finish: &Finish) -> Result<Vec<u64>> {
        let Ingests {
            connections, tables, ..
        } = self;
        let finish = finish.clone();
        blocking(move || {
            let (mut filled, mut rows, mut failed) = (Vec::new(), Vec::new(), None);
            for (at, table) in tables.into_iter().enumerate() {
                if failed.is_some() || finish.skips(at) {
                    // Dropped, it takes its side table back.
                    rows.push(0);
                    continue;
                }
                match table.filling.end(&connections) {
                    Ok(count) => {
                        rows.push(count);
                        filled.push((table.landing, finish.overlap(at)));
                    }
                    Err(error) => failed = Some((table.landing.explain)(error)),
                }
            }
            let sides: Vec<String> = filled.iter().map(|(landing, _)| landing.side.clone()).collect();
            let placed = match failed {
                Some(error) => Err(error),
                None => place(&connections, filled),
            };
            if placed.is_err() {
                let mut connection = connections.take()?;
                for side in sides {
                    let _ = connections.execute(&mut connection, &format!("DROP TABLE {side}"));
                }
                connections.give(connection);
            }
            placed.map(|()| rows)
        })
        .await
    }

    /// Takes everything back.
    pub async fn abort(self) {
        for table in self.tables {
            if let Filling::Now(ingest) = table.filling {
                ingest.take_back().await;
            }
        }
    }
}

impl Filling {
    /// Ends the rows: all of them are in the side table then. How many they are. Blocks.
    fn end(self, connections: &Arc<Connections>) -> Result<u64> {
        let (plan, rows) = match self {
            Filling::Now(mut ingest) => return ingest.end(),
            Filling::Later(later) => *later,
        };
        let mut ingest = Ingest::begin(connections, plan);
        block_on(async {
            let mut batches = rows.rows().await?.batches;
            while let Some(batch) = batches.next().await {
                ingest.write(batch?).await?;
            }
            Ok::<_, Error>(())
        })?;
        ingest.end()
    }
}

/// Puts the rows of side tables into their places: all of them, or none.
fn place(connections: &Connections, tables: Vec<(Landing, Option<&Overlap>)>) -> Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let mut connection = connections.take()?;
    let targets: Vec<String> = tables.iter().map(|(landing, _)| landing.target.clone()).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let placed = connections.turns(&targets, || {
        let mut places = Vec::with_capacity(targets.len());
        for (Landing { look, explain, .. }, overlap) in tables {
            let place = look(connections, &mut connection).map_err(&explain)?;
            places.push((place, overlap, explain));
        }
        connections.transaction(&mut connection, |connection| {
            for (place, overlap, explain) in places {
                place(connections, connection, overlap).map_err(explain)?;
            }
            Ok(())
        })
    });
    if placed.is_ok() {
        connections.give(connection);
    }
    placed
}
