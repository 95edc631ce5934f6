//! What is left after a run: the tables of the source `stage`, and the variables kept.

use std::fmt::Write;

use futures::StreamExt;
use sequor::python::Python;
use sequor::secret::Secret;
use sequor::sources::database::TableName;
use sequor::sources::duckdb::{DuckDb, Places};
use sequor::sources::location::Location;
use sequor::sources::mysql::MySql;
use sequor::sources::postgres::Postgres;
use sequor::sources::sqlite::Sqlite;
use sequor::staging::Staging;
use sequor::value::Row;
use sequor::value::Value;

use super::program::Project;
use super::{duckdb, mysql, postgres};

/// A database that `stage` can be.
pub enum Stage {
    Staging,
    Postgres(postgres::Database),
    /// The file `test.db` of the project.
    DuckDb,
    Sqlite,
    MySql(mysql::Database),
}

type Tables = (Box<dyn sequor::sources::database::Database>, Vec<String>);

impl Stage {
    /// The source's file.
    pub fn source(&self) -> String {
        match self {
            Stage::Staging => "type: staging\n".into(),
            Stage::Postgres(database) => database.source(),
            Stage::DuckDb => duckdb::source(),
            Stage::Sqlite => "type: sqlite\nconn_str: sqlite:///test.db\n".into(),
            Stage::MySql(database) => database.source(),
        }
    }

    /// The database, and the names of its tables, those outside the default namespace with it.
    async fn tables(&self, project: &Project) -> Option<Tables> {
        let file = || Location {
            file: Some(project.path().join("test.db")),
            settings: Vec::new(),
        };
        let url = |url: &str| Secret::new(url.to_string());
        let open: Box<dyn sequor::sources::database::Database> = match self {
            Stage::Staging => {
                let state = project.path().join("home/project_state");
                let folders = std::fs::read_dir(&state).into_iter().flatten().flatten();
                let mut folders = folders.map(|f| f.path().join("staging/stage"));
                let open = Staging::open_folder(&folders.find(|f| f.exists())?).expect("opens");
                let names = open.table_names().await.expect("names");
                return Some((Box::new(open), names));
            }
            Stage::Postgres(database) => {
                let open = Postgres::open(url(&database.url), None, None).await;
                Box::new(open.expect("connects"))
            }
            Stage::MySql(database) => {
                let open = MySql::open(&url(&database.url), None, None).await;
                Box::new(open.expect("connects"))
            }
            Stage::Sqlite => Box::new(Sqlite::open(&file()).await.expect("opens")),
            Stage::DuckDb => {
                // The library of the Python package needs an interpreter in the process.
                Python::new().visit(|_| ()).await.expect("an interpreter");
                let places = Places {
                    named: Some(duckdb::library().into()),
                    package: None,
                };
                Box::new(DuckDb::open(&file(), &places).expect("opens"))
            }
        };
        let names = match self {
            Stage::Sqlite => "select name as t from sqlite_master where type = 'table' order by 1",
            Stage::MySql(_) => {
                "select table_name as t from information_schema.tables where table_schema = database() order by 1"
            }
            _ => {
                "select case when table_schema in ('public', 'main') then '' else table_schema || '.' end || table_name as t \
                 from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema') order by 1"
            }
        };
        let mut names = open.query(names).await.expect("names").batches;
        let mut found = Vec::new();
        while let Some(batch) = names.next().await {
            let batch = std::sync::Arc::new(batch.expect("a batch"));
            let rows = (0..batch.num_rows()).map(|at| Row::new(batch.clone(), at));
            found.extend(rows.filter_map(|row| row.iter().next().map(|(_, name)| name.to_text())));
        }
        found.sort();
        Some((open, found))
    }
}

/// The tables in `stage` with their rows, sorted.
pub fn tables(project: &Project, stage: &Stage, out: &mut String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let Some((open, names)) = stage.tables(project).await else {
            return;
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
        value => value.to_json_text(),
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
