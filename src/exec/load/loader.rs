//! The task that loads the tables of one database while their rows come. Before the step's turn rows wait in memory and in
//! files: nothing of the database is held meanwhile, neither a connection nor a lock that a step before may need.

use std::sync::Arc;

use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::batch::types::arrow_schema;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::load::filling::{Beginning, Filling};
use crate::exec::load::unparsed::Batch;
use crate::exec::scope::Scope;
use crate::sources::buffered::BufferedRows;
use crate::sources::database::{Database, TableName};

/// Batches waiting for the database. Few: what waits is memory.
const WAITING: usize = 2;

/// What the task is told.
enum Message {
    /// A table more. What is sent back says that its load has begun, or waits for the step's turn.
    Table(Box<Beginning>, oneshot::Sender<()>),
    Rows(usize, Batch),
}

/// The loads of one database.
pub struct Loader {
    database: Arc<dyn Database>,
    targets: Vec<TableName>,
    messages: mpsc::Sender<Message>,
    task: Option<AbortOnDropHandle<Result<Filling>>>,
}

/// The loaders of a step.
#[derive(Default)]
pub struct Loaders(Vec<Loader>);

/// Where a table is being loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Which of the loaders.
    pub loader: usize,
    /// Which of its tables.
    pub table: usize,
}

/// A way to a loader.
pub struct Sender {
    messages: mpsc::Sender<Message>,
    table: usize,
}

impl Sender {
    /// Passes rows on; waits while the database is behind. False: the loader has ended.
    pub async fn send(&self, rows: Batch) -> bool {
        self.messages.send(Message::Rows(self.table, rows)).await.is_ok()
    }
}

impl Loaders {
    /// Begins the load of a table: together with others of its database, but for a second load of the same table.
    pub async fn add(
        &mut self,
        database: &Arc<dyn Database>,
        scope: &Scope,
        beginning: Beginning,
    ) -> Result<Loaded> {
        let takes = |loader: &Loader| {
            Arc::ptr_eq(&loader.database, database) && !loader.targets.contains(&beginning.target)
        };
        let at = match self.0.iter().position(takes) {
            Some(at) => at,
            None => {
                self.0.push(Loader::start(database, scope));
                self.0.len() - 1
            }
        };
        let table = self.0[at].add(beginning).await?;
        Ok(Loaded { loader: at, table })
    }

    /// Returns the way to a table's load.
    pub fn sender(&self, to: Loaded) -> Option<Sender> {
        Some(Sender {
            messages: self.0.get(to.loader)?.messages.clone(),
            table: to.table,
        })
    }

    /// Takes the task of a loader that has ended.
    pub fn take_task(&mut self, of: Loaded) -> Option<AbortOnDropHandle<Result<Filling>>> {
        self.0.get_mut(of.loader)?.task.take()
    }

    /// Ends the rows: returns the tables of each loader, filled.
    pub async fn end(self) -> Result<Vec<Filling>> {
        let mut all = Vec::with_capacity(self.0.len());
        for Loader { messages, task, .. } in self.0 {
            drop(messages);
            let task = task.ok_or_else(|| Error::new(ErrorKind::Internal, "the load ended early"))?;
            all.push(joined(task).await?);
        }
        Ok(all)
    }
}

/// Returns how a task has ended.
pub async fn joined(task: AbortOnDropHandle<Result<Filling>>) -> Result<Filling> {
    task.await.map_err(|e| {
        Error::new(
            ErrorKind::Internal,
            format!("the task of a load ended unexpectedly: {e}"),
        )
    })?
}

impl Loader {
    fn start(database: &Arc<dyn Database>, scope: &Scope) -> Loader {
        let (messages, receiver) = mpsc::channel(WAITING);
        let (filling, scope) = (Filling::new(database), scope.clone());
        Loader {
            task: Some(AbortOnDropHandle::new(tokio::spawn(run(
                database.clone(),
                filling,
                scope,
                receiver,
            )))),
            database: database.clone(),
            targets: Vec::new(),
            messages,
        }
    }

    async fn add(&mut self, beginning: Beginning) -> Result<usize> {
        let target = beginning.target.clone();
        let (there, begun) = oneshot::channel();
        let message = Message::Table(Box::new(beginning), there);
        if self.messages.send(message).await.is_err() || begun.await.is_err() {
            let ended = match self.task.take() {
                Some(task) => joined(task).await.err(),
                None => None,
            };
            return Err(ended.unwrap_or_else(|| Error::new(ErrorKind::Internal, "the load ended early")));
        }
        self.targets.push(target);
        Ok(self.targets.len() - 1)
    }
}

/// Loads what comes. The tables are given back when all rows are written.
async fn run(
    database: Arc<dyn Database>,
    mut filling: Filling,
    scope: Scope,
    mut messages: mpsc::Receiver<Message>,
) -> Result<Filling> {
    let done = async {
        if !scope.is_current() {
            in_turn(&*database, &mut filling, &scope, &mut messages).await?;
        }
        while let Some(message) = messages.recv().await {
            match message {
                Message::Table(beginning, there) => {
                    filling.add(*beginning).await?;
                    let _ = there.send(());
                }
                Message::Rows(table, rows) => filling.write(table, rows).await?,
            }
        }
        Ok(())
    };
    match done.await {
        Ok(()) => Ok(filling),
        Err(error) => {
            filling.abort().await;
            Err(error)
        }
    }
}

/// Keeps rows until the step's turn comes, and then loads them.
async fn in_turn(
    database: &dyn Database,
    filling: &mut Filling,
    scope: &Scope,
    messages: &mut mpsc::Receiver<Message>,
) -> Result<()> {
    let mut held: Vec<(Beginning, BufferedRows)> = Vec::new();
    let mut more = true;
    let mut turn = std::pin::pin!(scope.wait_for_turn());
    loop {
        tokio::select! {
            come = &mut turn => {
                come?;
                break;
            }
            message = messages.recv(), if more => match message {
                Some(Message::Table(beginning, there)) => {
                    let rows = BufferedRows::new(arrow_schema(&beginning.columns));
                    held.push((*beginning, rows));
                    let _ = there.send(());
                }
                Some(Message::Rows(table, rows)) => {
                    if let Some((beginning, kept)) = held.get_mut(table) {
                        let read = beginning.read(database, rows).await;
                        let named = |e: Error| e.about_table(&beginning.target.to_string()).at(&beginning.place);
                        kept.push(read.map_err(named)?).await?;
                    }
                }
                None => more = false,
            },
        }
    }
    for (beginning, rows) in held {
        let table = filling.add(beginning).await?;
        let mut kept = rows.rows().await?.batches;
        while let Some(batch) = kept.next().await {
            filling.load(table, batch?).await?;
        }
    }
    Ok(())
}
