//! Loads rows of Arrow into one database and prints the seconds as JSON: `benches/loads.py` runs it beside each
//! database's own tool.
//!
//! ```text
//! cargo bench --bench load -- files FOLDER ROWS        the same rows as Arrow and CSV files
//! cargo bench --bench load -- TARGET WHERE ROWS        postgres, mysql, sqlite, duckdb, staging; WHERE: a url or file
//! cargo bench --bench load -- parquet FOLDER ROWS      DataFusion writes the rows as Parquet
//! cargo bench --bench load -- group FOLDER ROWS        a GROUP BY on staging
//! cargo bench --bench load -- group-text FOLDER ROWS   the same with prices that are text, as in the example's flow
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::ipc::writer::FileWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use futures::StreamExt as _;
use sequor::batch::column::Column;
use sequor::batch::types::arrow_schema;
use sequor::python::Python;
use sequor::secret::Secret;
use sequor::sources::database::{Database, TableName};
use sequor::sources::duckdb::{DuckDb, Places};
use sequor::sources::location::Location;
use sequor::sources::mysql::MySql;
use sequor::sources::postgres::Postgres;
use sequor::sources::sqlite::Sqlite;
use sequor::staging::Staging;
use sequor_planner::ops::WriteMode;

/// The program's own.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const BATCH: i64 = 8192;

const COLUMNS: [(&str, &str); 6] = [
    ("id", "bigint"),
    ("customer_id", "bigint"),
    ("email", "text"),
    ("created_at", "timestamp"),
    ("total_price", "numeric(10,2)"),
    ("total_items", "integer"),
];

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [what, place, rows] = arguments.as_slice() else {
        // `cargo bench` runs all benches: alone, this one measures nothing.
        eprintln!("run benches/loads.py, which runs this");
        return;
    };
    let rows: i64 = rows.parse().expect("ROWS is a number");
    let database: Arc<dyn Database> = match what.as_str() {
        "files" => return files(Path::new(place), rows),
        "parquet" => return parquet(place, rows).await,
        "group" => return group(place, rows, "total_price").await,
        "group-text" => return group(place, rows, "total_price::decimal").await,
        "postgres" => {
            let opened = Postgres::open(Secret::new(place.clone()), None, None).await;
            Arc::new(opened.unwrap())
        }
        "mysql" => Arc::new(
            MySql::open(&Secret::new(place.clone()), None, None)
                .await
                .unwrap(),
        ),
        "sqlite" => Arc::new(Sqlite::open(&location(place)).await.unwrap()),
        "duckdb" => {
            // The library of the Python package needs an interpreter in the process.
            Python::new().visit(|_| ()).await.unwrap();
            let places = Places {
                named: Some(std::env::var("SEQUOR_TEST_DUCKDB").expect("its library").into()),
                package: None,
            };
            Arc::new(DuckDb::open(&location(place), &places).unwrap())
        }
        "staging" => Arc::new(Staging::open_folder(Path::new(place)).unwrap()),
        other => panic!("no such target: {other}"),
    };
    let seconds = load(&*database, rows, &COLUMNS).await;
    database.close().await;
    println!("{{\"seconds\": {seconds:.4}}}");
}

fn location(place: &str) -> Location {
    Location {
        file: Some(PathBuf::from(place)),
        settings: Vec::new(),
    }
}

/// Seconds from the first row to the commit.
async fn load(database: &dyn Database, rows: i64, columns: &[(&str, &str)]) -> f64 {
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, sql)| Column {
            name: name.to_string(),
            column_type: database.column_type(sql).unwrap(),
        })
        .collect();
    let schema = arrow_schema(&columns);
    let batches: Vec<RecordBatch> = batches(rows)
        .map(|batch| {
            let cast = batch
                .columns()
                .iter()
                .zip(schema.fields())
                .map(|(column, field)| arrow::compute::cast(column, field.data_type()).unwrap());
            RecordBatch::try_new(schema.clone(), cast.collect()).unwrap()
        })
        .collect();
    let table = TableName::new("orders");
    let since = Instant::now();
    let mut load = database
        .begin_load(&table, &columns, WriteMode::Replace)
        .await
        .unwrap();
    for batch in batches {
        load.write(batch).await.unwrap();
    }
    assert_eq!(load.commit().await.unwrap(), rows as u64);
    since.elapsed().as_secs_f64()
}

/// The rows: orders, each with its own values.
fn batches(rows: i64) -> impl Iterator<Item = RecordBatch> {
    (0..rows).step_by(BATCH as usize).map(move |from| {
        let ids = from..(from + BATCH).min(rows);
        let text = |id: i64| Some(format!("customer{}@example.com", id % 9973));
        let prices = Decimal128Array::from_iter_values(ids.clone().map(|id| i128::from(id * 7 % 100_000)));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from_iter_values(ids.clone()))),
            (
                "customer_id",
                Arc::new(Int64Array::from_iter_values(ids.clone().map(|id| id % 9973))),
            ),
            ("email", Arc::new(StringArray::from_iter(ids.clone().map(text)))),
            (
                "created_at",
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    ids.clone().map(|id| 1_700_000_000_000_000 + id * 61_000_001),
                )),
            ),
            (
                "total_price",
                Arc::new(prices.with_precision_and_scale(10, 2).unwrap()),
            ),
            (
                "total_items",
                Arc::new(Int32Array::from_iter_values(ids.map(|id| (id % 17) as i32))),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    })
}

/// The rows as the other tools read them.
fn files(folder: &Path, rows: i64) {
    let mut csv = std::io::BufWriter::new(File::create(folder.join("orders.csv")).unwrap());
    let mut arrow: Option<FileWriter<File>> = None;
    let options = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.6f"));
    for batch in batches(rows) {
        let file = || File::create(folder.join("orders.arrow")).unwrap();
        arrow
            .get_or_insert_with(|| FileWriter::try_new(file(), &batch.schema()).unwrap())
            .write(&batch)
            .unwrap();
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            writeln!(csv, "{}", cells.join(",")).unwrap();
        }
    }
    arrow.unwrap().finish().unwrap();
    csv.flush().unwrap();
}

/// DataFusion writing the same rows as Parquet, as staging's yardstick.
async fn parquet(folder: &str, rows: i64) {
    let batches: Vec<RecordBatch> = batches(rows).collect();
    let context = SessionContext::new();
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
    context.register_table("orders", Arc::new(table)).unwrap();
    let frame = context.table("orders").await.unwrap();
    let since = Instant::now();
    frame
        .write_parquet(folder, DataFrameWriteOptions::new(), None)
        .await
        .unwrap();
    println!("{{\"seconds\": {:.4}}}", since.elapsed().as_secs_f64());
}

/// The GROUP BY of the seed's flow, the best of five. `price`: what is added up.
async fn group(folder: &str, rows: i64, price: &str) {
    let staging = Staging::open_folder(Path::new(folder)).unwrap();
    let columns = COLUMNS.map(|(name, sql)| match (name, price) {
        ("total_price", "total_price::decimal") => (name, "text"),
        _ => (name, sql),
    });
    load(&staging, rows, &columns).await;
    let query = format!(
        "SELECT email, SUM({price}) AS total_spent, COUNT(*) AS order_count FROM orders \
         WHERE email IS NOT NULL GROUP BY email"
    );
    let mut best = f64::MAX;
    for _ in 0..5 {
        let since = Instant::now();
        let mut groups = 0;
        let mut batches = staging.query(&query).await.unwrap().batches;
        while let Some(batch) = batches.next().await {
            groups += batch.unwrap().num_rows();
        }
        best = best.min(since.elapsed().as_secs_f64());
        assert_eq!(groups, 9973);
    }
    println!("{{\"seconds\": {best:.4}}}");
}
