//! Queries as streams of Arrow batches.

use std::sync::Arc;

use arrow::datatypes::Schema;
use futures::TryStreamExt;
use sequor_planner::Dialect;
use sqlx::postgres::PgPool;
use sqlx::{Column as _, Executor, Statement as _, TypeInfo as _};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::decode::{Decoder, Kind};
use super::error::explain;
use super::sql::{quote, statement};
use crate::error::Result;
use crate::sources::database::Rows;
use crate::sources::reading::one;
use crate::sources::sql::without_end;
use crate::sources::stream::batches;

/// Rows of a batch: steps that ask once per row hold one batch at a time.
const BATCH_ROWS: usize = 4096;

/// Runs a query; its rows come as they are asked for.
pub async fn stream(pool: &PgPool, zone: &str, sql: &str) -> Result<Rows> {
    one(sql, Dialect::Postgres)?;
    let sql = without_end(sql);
    // A query reads: what writes belongs into `execute`, where the plan sees it.
    let mut connection = pool
        .begin_with("BEGIN READ ONLY")
        .await
        .map_err(|e| explain(&e))?;
    let prepared = (&mut *connection)
        .prepare(statement(sql))
        .await
        .map_err(|e| explain(&e))?;
    let described = prepared.columns().iter();
    let (columns, fields): (Vec<(Kind, bool)>, Vec<_>) = described
        .map(|column| {
            let (name, sql) = (column.name(), column.type_info().name());
            let kind = Kind::of(sql);
            (
                (kind, sql.eq_ignore_ascii_case("inet")),
                kind.field(name, sql, zone),
            )
        })
        .unzip();
    let schema = Arc::new(Schema::new(fields));
    let sql = as_text(sql, &columns);
    let (sender, receiver) = mpsc::channel(1);
    let task_schema = schema.clone();
    // The rows borrow the connection, and the stream must not: a task holds both.
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut rows = sqlx::query(statement(&sql)).fetch(&mut *connection);
        let mut decoder = Decoder::new(task_schema, columns.iter().map(|(kind, _)| *kind).collect());
        loop {
            match rows.try_next().await {
                Ok(Some(row)) => {
                    if let Err(error) = decoder.push(&row) {
                        let _ = sender.send(Err(error)).await;
                        return;
                    }
                    if decoder.rows() < BATCH_ROWS {
                        continue;
                    }
                    if sender.send(decoder.take()).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let _ = sender.send(Err(explain(&error))).await;
                    return;
                }
            }
        }
        if decoder.rows() > 0 {
            let _ = sender.send(decoder.take()).await;
        }
    }));
    Ok(Rows {
        schema,
        batches: batches(receiver, task),
    })
}

/// Has the server write as text what has no counterpart in Arrow. The columns: how each is read, and whether it is an
/// address, which a cast would give a mask that it does not have.
fn as_text(sql: &str, columns: &[(Kind, bool)]) -> String {
    if columns.iter().all(|(kind, _)| !kind.needs_text()) {
        return sql.to_string();
    }
    // By position: a query may give two columns the same name.
    let names: Vec<String> = (1..=columns.len()).map(|n| quote(&format!("c{n}"))).collect();
    let selected: Vec<String> = names
        .iter()
        .zip(columns)
        .map(|(name, (kind, is_address))| match kind {
            _ if *is_address => format!("abbrev({name})"),
            Kind::Array => format!("to_json({name})::text"),
            kind if kind.needs_text() => format!("{name}::text"),
            _ => name.clone(),
        })
        .collect();
    format!(
        "SELECT {} FROM ({sql}\n) AS q({})",
        selected.join(", "),
        names.join(", ")
    )
}
