//! Loads: rows into side tables, which then take their places, in one transaction.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::database::{quoted, shown_name};
use super::side::{DuckDbSide, side};
use crate::batch::column::Column;
use crate::batch::types::{Logical, arrow_schema};
use crate::error::Result;
use crate::sources::adbc::{AtOnce, Connection, Connections, Explain, Ingests, Landing, Look, Plan};
use crate::sources::database::TableName;
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, Placing, SameKeys};
use crate::sources::overlap::Overlap;
use crate::sources::sql::{definitions, quote};
use crate::sources::transaction::{Finish, LoadTransaction, about};
use sequor_planner::ops::WriteMode;

/// Loads under way.
pub struct DuckDbLoads(Ingests);

impl DuckDbLoads {
    /// Loads without tables.
    pub fn new(connections: &Arc<Connections>) -> DuckDbLoads {
        DuckDbLoads(Ingests::new(connections, AtOnce::Yes))
    }
}

#[async_trait]
impl LoadTransaction for DuckDbLoads {
    async fn add(&mut self, target: &TableName, columns: &[Column], mut mode: WriteMode) -> Result<usize> {
        upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str())).map_err(about(target))?;
        let side = side(target);
        let create = format!(
            "CREATE TABLE {} ({})",
            quoted(&side),
            definitions(columns, |c| match c.column_type.logical {
                Logical::Array => "JSON".to_string(),
                _ => c.column_type.sql.clone(),
            })
        );
        let plan = Plan {
            side: side.table.clone(),
            schema: side.namespace.clone(),
            catalog: side.database.clone(),
            columns: arrow_schema(columns),
            create,
        };
        let landing = Landing {
            side: quoted(&side),
            target: quoted(target),
            explain: explain(target),
            look: look(target, &side, columns, mode),
        };
        Ok(self.0.add(plan, landing))
    }

    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        self.0.write(table, batch).await
    }

    async fn commit(self: Box<Self>, finish: &Finish) -> Result<Vec<u64>> {
        self.0.commit(finish).await
    }

    async fn abort(self: Box<Self>) {
        self.0.abort().await;
    }
}

/// The table beside the target is nobody's business.
fn explain(target: &TableName) -> Explain {
    let (about, target) = (about(target), target.clone());
    Box::new(move |error| about(error.map_text(|text| shown_name(text, &target))))
}

/// Puts the rows of the side table into their place. Nothing is looked at before.
fn look(target: &TableName, side: &TableName, columns: &[Column], mode: WriteMode) -> Look {
    let (target, side_sql) = (target.clone(), quoted(side));
    // JSON's own reading of lists, which text does not get.
    let arrays: Vec<String> = columns
        .iter()
        .filter(|c| c.column_type.logical == Logical::Array)
        .map(|c| {
            let (name, sql) = (quote(&c.name), &c.column_type.sql);
            format!("ALTER TABLE {side_sql} ALTER COLUMN {name} TYPE {sql} USING CAST({name} AS {sql})")
        })
        .collect();
    let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
    // What is more than types the side table has not.
    let more = columns.iter().any(|c| c.column_type.declared.is_some());
    let declared = more.then(|| definitions(columns, |c| c.column_type.declaration().to_string()));
    let place = move |connections: &Connections, connection: &mut Connection, overlap: Option<&Overlap>| {
        for array in &arrays {
            connections.execute(connection, array)?;
        }
        let names = Names::plain(side_sql, quoted(&target), names, quote);
        let mut side = DuckDbSide {
            connections,
            connection,
            target: &target,
            names,
            declared: declared.as_deref(),
        };
        side.land(Placing {
            overlap,
            ..Placing::of(&mode, SameKeys::KeepLast)
        })
    };
    Box::new(move |_, _| Ok(Box::new(place)))
}
