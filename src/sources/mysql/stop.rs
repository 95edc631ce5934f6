//! Ending statements that nobody waits for any more: a MySQL server does not notice that its client is gone, and would
//! work on, and keep its locks, until they are done.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, Row as _};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::error::explain;
use super::sql::run;
use crate::error::Result;

/// Ends statements, by connections of its own.
pub struct Stops {
    options: MySqlConnectOptions,
    tasks: TaskTracker,
    /// Connections of the pool that have a query. When one is given up, its connection is another query's a moment
    /// later: it is only ended when all is.
    pooled: Mutex<BTreeSet<u64>>,
}

/// A connection whose statement is ended if this is dropped before it is done.
pub struct Watched {
    stops: Arc<Stops>,
    connection: u64,
    kind: Kind,
    done: bool,
}

enum Kind {
    Pooled,
    /// Nobody else will use it. What to do once its statement is ended.
    Own {
        cleanup: Option<String>,
        /// Until this is dropped, there may be something to end.
        _open: TaskTrackerToken,
    },
}

/// Returns a connection's number in the server.
pub async fn number(connection: &mut MySqlConnection) -> Result<u64> {
    let row = sqlx::query("SELECT CONNECTION_ID()").fetch_one(connection).await;
    let number = row.and_then(|row| row.try_get_unchecked::<u64, _>(0));
    number.map_err(|e| explain(&e))
}

impl Stops {
    /// For a server.
    pub fn new(options: &MySqlConnectOptions) -> Arc<Stops> {
        Arc::new(Stops {
            options: options.clone(),
            tasks: TaskTracker::new(),
            pooled: Mutex::default(),
        })
    }

    /// Watches over a connection that is used for this alone. `cleanup` is a statement for when its own was ended.
    pub fn watch(self: &Arc<Self>, connection: u64, cleanup: Option<String>) -> Watched {
        let kind = Kind::Own {
            cleanup,
            _open: self.tasks.token(),
        };
        self.watched(connection, kind)
    }

    /// Watches over a connection of the pool.
    pub fn watch_pooled(self: &Arc<Self>, connection: u64) -> Watched {
        self.queries(|queries| queries.insert(connection));
        self.watched(connection, Kind::Pooled)
    }

    fn watched(self: &Arc<Self>, connection: u64, kind: Kind) -> Watched {
        Watched {
            stops: self.clone(),
            connection,
            kind,
            done: false,
        }
    }

    fn queries<T>(&self, change: impl FnOnce(&mut BTreeSet<u64>) -> T) -> T {
        change(&mut self.pooled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the queries that are left, and waits for what is being ended.
    pub async fn finish(&self) {
        for connection in self.queries(std::mem::take) {
            if let Err(error) = self.stop(connection, None).await {
                tracing::debug!(%error, connection, "a query may go on in the server");
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn stop(&self, connection: u64, cleanup: Option<&str>) -> Result<()> {
        let mut own = MySqlConnection::connect_with(&self.options)
            .await
            .map_err(|e| explain(&e))?;
        let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL {connection}")));
        if let Err(error) = kill.execute(&mut own).await {
            // It ended by itself.
            tracing::debug!(%error, connection, "nothing to stop");
        }
        if let Some(cleanup) = cleanup {
            run(&mut own, cleanup).await?;
        }
        Ok(())
    }
}

impl Watched {
    /// What to do once its statement is ended, from now on.
    pub fn clean_up_by(&mut self, statement: String) {
        if let Kind::Own { cleanup, .. } = &mut self.kind {
            *cleanup = Some(statement);
        }
    }

    /// There is nothing to end any more.
    pub fn done(mut self) {
        if let Kind::Pooled = self.kind {
            self.stops.queries(|queries| queries.remove(&self.connection));
        }
        self.done = true;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Kind::Own { cleanup, .. } = &mut self.kind else {
            return;
        };
        // Without a runtime, the server is left to itself.
        let (false, Ok(runtime)) = (self.done, Handle::try_current()) else {
            return;
        };
        let (stops, connection, cleanup) = (self.stops.clone(), self.connection, cleanup.take());
        self.stops.tasks.spawn_on(
            async move {
                if let Err(error) = stops.stop(connection, cleanup.as_deref()).await {
                    tracing::debug!(%error, connection, "a statement may go on in the server");
                }
            },
            &runtime,
        );
    }
}
