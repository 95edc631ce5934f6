//! The databases that keep the contract: a new one is a line here.

use std::sync::Arc;

use futures::future::BoxFuture;
use sequor::python::Python;
use sequor::secret::Secret;
use sequor::sources::database::Database;
use sequor::sources::duckdb::{DuckDb, Location, Places};
use sequor::sources::postgres::Postgres;
use sequor::staging::Staging;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::{duckdb, postgres};

/// A database that is empty, for as long as it is held.
pub struct Open {
    pub name: &'static str,
    pub database: Arc<dyn Database>,
    _folder: TempDir,
    _server: Option<postgres::Database>,
}

type Opening = fn(TempDir) -> BoxFuture<'static, Open>;

const ALL: [Opening; 3] = [
    |folder| {
        Box::pin(async {
            let database = Arc::new(Staging::open_folder(folder.path()).unwrap());
            Open {
                name: "staging",
                database,
                _folder: folder,
                _server: None,
            }
        })
    },
    |folder| {
        Box::pin(async {
            // Making a database blocks on a runtime of its own.
            let server = tokio::task::spawn_blocking(postgres::Database::new)
                .await
                .unwrap();
            let opened = Postgres::open(Secret::new(server.url.clone()), None, None).await;
            Open {
                name: "postgres",
                database: Arc::new(opened.unwrap()),
                _folder: folder,
                _server: Some(server),
            }
        })
    },
    |folder| {
        Box::pin(async {
            // The library of the Python package needs an interpreter in the process, as the program has one.
            static PYTHON: OnceCell<()> = OnceCell::const_new();
            let started = PYTHON.get_or_init(|| async { Python::new().visit(|_| ()).await.unwrap() });
            started.await;
            let places = Places {
                named: Some(duckdb::library().into()),
                package: None,
            };
            let location = Location::read("duckdb:///t.db", folder.path()).unwrap();
            let database = Arc::new(DuckDb::open(&location, &places).unwrap());
            Open {
                name: "duckdb",
                database,
                _folder: folder,
                _server: None,
            }
        })
    },
];

/// Every database, open.
pub async fn all() -> Vec<Open> {
    let mut open = Vec::new();
    for opening in ALL {
        open.push(opening(TempDir::new().unwrap()).await);
    }
    open
}
