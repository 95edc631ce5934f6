//! What is left after a run: the tables of the source `stage`, and the variables kept.

use std::fmt::Write;

use futures::StreamExt;
use sequor::batch::row::Row;
use sequor::secret::Secret;
use sequor::sources::database::TableName;
use sequor::sources::postgres::Postgres;
use sequor::staging::Staging;
use sequor::value::Value;

use super::postgres::Database;
use super::program::Project;

/// The tables in `stage` with their rows, sorted; in a PostgreSQL database where one is given.
pub fn tables(project: &Project, database: Option<&Database>, out: &mut String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let in_postgres = database.map(|database| {
        database.rows(
            "select case table_schema when 'public' then '' else table_schema || '.' end || table_name as t \
             from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema') order by 1",
        )
    });
    runtime.block_on(async {
        let (open, names): (Box<dyn sequor::sources::database::Database>, Vec<String>) = match database {
            Some(database) => {
                let open = Postgres::open(Secret::new(database.url.clone()), None, None).await;
                (Box::new(open.expect("connects")), in_postgres.unwrap_or_default())
            }
            None => {
                let state = project.path().join("home/project_state");
                let folders = std::fs::read_dir(&state).into_iter().flatten().flatten();
                let folder = folders
                    .map(|f| f.path().join("staging/stage"))
                    .find(|f| f.exists());
                let Some(folder) = folder else { return };
                let open = Staging::open_folder(&folder).expect("opens");
                let names = open.table_names().await.expect("names");
                (Box::new(open), names)
            }
        };
        for name in names {
            let (namespace, table) = match name.split_once('.') {
                Some((namespace, table)) => (Some(namespace.to_string()), table.to_string()),
                None => (None, name.clone()),
            };
            let id = TableName {
                database: None,
                namespace,
                table,
            };
            let scanned = open.scan(&id).await.expect("scans");
            let columns: Vec<&str> = scanned
                .schema
                .fields()
                .iter()
                .map(|f| f.name().as_str())
                .collect();
            let _ = writeln!(out, "table {name}: {}", columns.join(", "));
            let mut rows = Vec::new();
            let mut batches = scanned.batches;
            while let Some(batch) = batches.next().await {
                let batch = std::sync::Arc::new(batch.expect("a batch"));
                rows.extend((0..batch.num_rows()).map(|at| shown(&Row::new(batch.clone(), at))));
            }
            rows.sort();
            rows.iter().for_each(|row| {
                let _ = writeln!(out, "  {row}");
            });
        }
        open.close().await;
    });
}

fn shown(row: &Row) -> String {
    let cells = row.iter().map(|(_, value)| match value {
        Value::Null => "(null)".to_string(),
        Value::Bool(value) => value.to_string(),
        value => value.to_text(),
    });
    cells.collect::<Vec<_>>().join(" | ")
}

/// The variables kept for the next run.
pub fn variables(project: &Project, out: &mut String) {
    let state = project.path().join("home/project_state");
    for folder in std::fs::read_dir(state).into_iter().flatten().flatten() {
        let Ok(text) = std::fs::read_to_string(folder.path().join("variables.yaml")) else {
            continue;
        };
        let variables: std::collections::BTreeMap<String, serde_json::Value> =
            serde_saphyr::from_str(&text).expect("variables");
        for (name, value) in variables {
            let _ = writeln!(out, "variable {name}: {value}");
        }
    }
}
