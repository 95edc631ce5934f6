//! The databases that keep the contract: a new one is a line here.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use sequor::python::Python;
use sequor::secret::Secret;
use sequor::sources::adbc::Adbc;
use sequor::sources::database::Database;
use sequor::sources::duckdb::{DuckDb, Places};
use sequor::sources::location::Location;
use sequor::sources::mysql::MySql;
use sequor::sources::postgres::Postgres;
use sequor::sources::snowflake::{Account, Credential, Snowflake};
use sequor::sources::sqlite::Sqlite;
use sequor::staging::Staging;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::{duckdb, installed, mysql, postgres, snowflake};

/// A database that is empty, for as long as it is held.
pub struct Open {
    pub name: &'static str,
    pub database: Arc<dyn Database>,
    /// What it has not, by nature.
    pub lacks: &'static [Lack],
    _folder: TempDir,
}

/// What a database may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    Views,
    Namespaces,
    /// A comparison is a number.
    Booleans,
    /// Decimals are floats.
    Decimals,
    ForeignKeys,
    /// What a column is declared as, results do not say.
    Types,
    /// One load after the other.
    LoadsAtOnce,
    /// Several tables change one after the other, at the end.
    OneChange,
}

fn adbc(driver: &str, uri: &str) -> Adbc {
    let options = HashMap::from([("uri".to_string(), uri.to_string())]);
    Adbc::open(installed::driver(driver).as_os_str(), None, &options).unwrap()
}

impl Open {
    pub fn has(&self, what: Lack) -> bool {
        !self.lacks.contains(&what)
    }

    /// Rows with decimals of two digits as they come back.
    pub fn decimals(&self, rows: &[&str]) -> Vec<String> {
        let shorter = |row: &&str| match self.has(Lack::Types) {
            true => row.to_string(),
            false => row.replace(".10", ".1").replace(".00", ".0"),
        };
        rows.iter().map(shorter).collect()
    }

    /// A name in SQL of its own.
    pub fn quote(&self, name: &str) -> String {
        match self.name {
            "mysql" => format!("`{name}`"),
            _ => format!("\"{name}\""),
        }
    }
}

type Opening = fn(TempDir) -> BoxFuture<'static, Open>;

const NAMES: [&str; 8] = [
    "staging",
    "postgres",
    "duckdb",
    "sqlite",
    "mysql",
    "snowflake",
    "adbc postgresql",
    "adbc sqlite",
];

const ALL: [Opening; 8] = [
    |folder| {
        Box::pin(async {
            let database = Arc::new(Staging::open_folder(folder.path()).unwrap());
            Open {
                name: "staging",
                database,
                lacks: &[Lack::Views, Lack::ForeignKeys, Lack::OneChange],
                _folder: folder,
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
                lacks: &[],
                _folder: folder,
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
            let location = Location::read("duckdb:///t.db", "duckdb", folder.path()).unwrap();
            let database = Arc::new(DuckDb::open(&location, &places).unwrap());
            Open {
                name: "duckdb",
                database,
                lacks: &[Lack::ForeignKeys],
                _folder: folder,
            }
        })
    },
    |folder| {
        Box::pin(async {
            let location = Location::read("sqlite:///t.db", "sqlite", folder.path()).unwrap();
            Open {
                name: "sqlite",
                database: Arc::new(Sqlite::open(&location).await.unwrap()),
                lacks: &[Lack::Namespaces, Lack::Booleans, Lack::Decimals],
                _folder: folder,
            }
        })
    },
    |folder| {
        Box::pin(async {
            let server = tokio::task::spawn_blocking(mysql::Database::new).await.unwrap();
            let opened = MySql::open(&Secret::new(server.url.clone()), None, None).await;
            Open {
                name: "mysql",
                database: Arc::new(opened.unwrap()),
                lacks: &[Lack::Booleans, Lack::OneChange],
                _folder: folder,
            }
        })
    },
    |folder| {
        Box::pin(async {
            let database = tokio::task::spawn_blocking(move || {
                let server = snowflake::Database::new();
                let account = Account {
                    account: "fakesnow".into(),
                    user: Some("sequor".into()),
                    credential: Credential::Password(Secret::new("se cret".to_string())),
                    database: Some(server.name.clone()),
                    schema: Some("PUBLIC".into()),
                    host: Some("127.0.0.1".into()),
                    port: Some(server.port.to_string()),
                    protocol: Some("http".into()),
                    ..Account::default()
                };
                let driver = installed::driver("adbc_driver_snowflake");
                Snowflake::open(&account, Some(driver)).unwrap()
            });
            Open {
                name: "snowflake",
                database: Arc::new(database.await.unwrap()),
                lacks: &[Lack::ForeignKeys, Lack::OneChange],
                _folder: folder,
            }
        })
    },
    |folder| {
        Box::pin(async {
            let database = tokio::task::spawn_blocking(move || {
                let server = postgres::Database::new();
                adbc("adbc_driver_postgresql", &server.url)
            });
            Open {
                name: "adbc postgresql",
                database: Arc::new(database.await.unwrap()),
                // It reads by COPY, with a snapshot from before it waited for a table's lock.
                lacks: &[Lack::OneChange],
                _folder: folder,
            }
        })
    },
    |folder| {
        Box::pin(async {
            let file = folder.path().join("t.db");
            Open {
                name: "adbc sqlite",
                database: Arc::new(adbc("adbc_driver_sqlite", &file.to_string_lossy())),
                lacks: &[
                    Lack::Namespaces,
                    Lack::Booleans,
                    Lack::Decimals,
                    Lack::ForeignKeys,
                    Lack::Types,
                    Lack::LoadsAtOnce,
                ],
                _folder: folder,
            }
        })
    },
];

/// Every database, open; or the one that `SEQUOR_TEST_DATABASE` names.
pub async fn all() -> Vec<Open> {
    let only = std::env::var("SEQUOR_TEST_DATABASE").ok();
    let mut all = Vec::new();
    for (at, opening) in ALL.into_iter().enumerate() {
        // The others' servers need not run.
        if only.is_some() && only.as_deref() != Some(NAMES[at]) {
            continue;
        }
        let open = opening(TempDir::new().unwrap()).await;
        assert_eq!(open.name, NAMES[at]);
        all.push(open);
    }
    all
}
