//! The contract of the places where state is kept, kept by both of them: statements, tables of each version, chunks.

mod chunks;
mod home;
mod locks;
mod versions;

use std::sync::Arc;

use sequor::state::{Chunks, Folder, Home, PostgresHome, SqliteHome, Table};
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;

use crate::support::postgres;

/// A place that is empty, for as long as it is held.
struct Place {
    name: &'static str,
    home: Arc<dyn Home>,
    folder: TempDir,
    /// The schema's database.
    database: Option<postgres::Database>,
}

const NAMES: [&str; 2] = ["sqlite", "postgres"];

impl Place {
    async fn new(name: &'static str) -> Place {
        let folder = TempDir::new().unwrap();
        let database = match name {
            // Making a database blocks on a runtime of its own.
            "postgres" => Some(
                tokio::task::spawn_blocking(postgres::Database::new)
                    .await
                    .unwrap(),
            ),
            _ => None,
        };
        let mut place = Place {
            name,
            home: Arc::new(SqliteHome::open(&folder.path().join("state.db")).await.unwrap()),
            folder,
            database,
        };
        place.home = place.again().await;
        place
    }

    /// Opens it once more, as another program does.
    async fn again(&self) -> Arc<dyn Home> {
        match &self.database {
            None => Arc::new(
                SqliteHome::open(&self.folder.path().join("state.db"))
                    .await
                    .unwrap(),
            ),
            Some(database) => {
                let pool = PgPoolOptions::new().max_connections(4).connect(&database.url);
                let home = PostgresHome::open(pool.await.unwrap(), "se\"quor").await;
                Arc::new(home.unwrap())
            }
        }
    }

    /// Where its runs keep chunks.
    fn chunks(&self, home: &Arc<dyn Home>) -> Arc<dyn Chunks> {
        match self.database {
            None => Arc::new(Folder::new(self.folder.path().join("runs"))),
            Some(_) => Arc::new(Table::new(home.clone())),
        }
    }
}

/// Every place.
async fn all() -> Vec<Place> {
    let mut all = Vec::new();
    for name in NAMES {
        all.push(Place::new(name).await);
    }
    all
}
