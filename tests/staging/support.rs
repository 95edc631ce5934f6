//! What the tests of the staging database share.

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use sequor::error::{Error, ErrorKind};
use sequor::sources::database::{Database, Rows, TableName};
use sequor::staging::Staging;
use tempfile::TempDir;

/// A database in a folder of its own.
pub struct Db {
    pub staging: Staging,
    pub folder: TempDir,
}

impl std::ops::Deref for Db {
    type Target = Staging;

    fn deref(&self) -> &Staging {
        &self.staging
    }
}

pub fn db() -> Db {
    let folder = tempfile::tempdir().unwrap();
    let staging = Staging::open_folder(folder.path()).unwrap();
    Db { staging, folder }
}

/// A database in which these statements were run.
pub async fn db_with(statements: &[&str]) -> Db {
    let db = db();
    for statement in statements {
        run(&db, statement).await;
    }
    db
}

pub async fn run(db: &Staging, statement: &str) -> Option<u64> {
    match db.execute(statement).await {
        Ok(rows) => rows,
        Err(error) => panic!("{statement}: {error} ({:?})", error.advice()),
    }
}

/// A query's rows as text: columns joined by `|`, null as `∅`.
pub async fn rows(db: &Staging, sql: &str) -> Vec<String> {
    match db.query(sql).await {
        Ok(rows) => text(rows).await.unwrap_or_else(|e| panic!("{sql}: {e}")),
        Err(error) => panic!("{sql}: {error} ({:?})", error.advice()),
    }
}

/// The only value of a query.
pub async fn value(db: &Staging, sql: &str) -> String {
    let rows = rows(db, sql).await;
    assert_eq!(rows.len(), 1, "{sql}");
    rows.into_iter().next().unwrap()
}

pub async fn scan(db: &Staging, table: &str) -> Vec<String> {
    let rows = db.scan(&TableName::new(table)).await.unwrap();
    text(rows).await.unwrap()
}

pub async fn text(rows: Rows) -> Result<Vec<String>, Error> {
    let schema = rows.schema.clone();
    let batches: Vec<RecordBatch> = rows.batches.try_collect().await?;
    let mut lines = Vec::new();
    for batch in &batches {
        assert_eq!(batch.schema(), schema, "batches have the stream's schema");
        let options = FormatOptions::default().with_null("∅");
        let columns: Vec<ArrayFormatter> = batch
            .columns()
            .iter()
            .map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            lines.push(values.join("|"));
        }
    }
    Ok(lines)
}

/// The error of a statement or query.
pub async fn error(db: &Staging, sql: &str) -> Error {
    let query = match db.query(sql).await {
        Err(error) if error.message().contains("is not a query") => None,
        Err(error) => Some(error),
        Ok(rows) => text(rows).await.err(),
    };
    match query {
        Some(error) => error,
        None => match db.execute(sql).await {
            Err(error) => error,
            Ok(_) => panic!("{sql}: no error"),
        },
    }
}

/// The error of SQL, or of a value that a cast or an operator refuses.
pub async fn sql_error(db: &Staging, sql: &str) -> String {
    let error = error(db, sql).await;
    let kinds = [ErrorKind::Sql, ErrorKind::Value];
    assert!(kinds.contains(&error.kind()), "{sql}: {error}");
    error.to_string()
}
