//! Loads whose connection lives in a task of its own, so that encoding the next rows and sending the last overlap.

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::transaction::Finish;
use crate::error::{Error, ErrorKind, Result};

/// Encoded batches waiting for the database. Few: what waits is memory.
const WAITING: usize = 2;

/// What the task is told.
pub enum Message<T, D> {
    /// A table more. What is sent back says that its side table is there.
    Table(T, oneshot::Sender<()>),
    /// Rows of a table.
    Rows(usize, D),
    /// The rows are complete: make them visible. Without it, the end of the channel means: take them back.
    Commit(Finish),
}

/// What the task gets.
pub type Messages<T, D> = mpsc::Receiver<Message<T, D>>;

/// Rows on their way to the task of a transaction. Dropped, it ends the task, wherever that is.
pub struct Loading<T, D> {
    messages: mpsc::Sender<Message<T, D>>,
    task: AbortOnDropHandle<Result<Vec<u64>>>,
    tables: usize,
}

impl<T: Send + 'static, D: Send + 'static> Loading<T, D> {
    /// Starts the task: it gives the numbers of rows loaded, by table.
    pub fn start<F>(work: impl FnOnce(Messages<T, D>) -> F) -> Loading<T, D>
    where
        F: Future<Output = Result<Vec<u64>>> + Send + 'static,
    {
        let (messages, receiver) = mpsc::channel(WAITING);
        Loading {
            messages,
            task: AbortOnDropHandle::new(tokio::spawn(work(receiver))),
            tables: 0,
        }
    }

    /// Adds a table; returns its number when its side table is there.
    pub async fn add(&mut self, table: T) -> Result<usize> {
        let (there, made) = oneshot::channel();
        self.tell(Message::Table(table, there)).await?;
        if made.await.is_err() {
            return Err(self.ended().await);
        }
        self.tables += 1;
        Ok(self.tables - 1)
    }

    /// Passes rows on; waits while the database is behind.
    pub async fn send(&mut self, table: usize, rows: D) -> Result<()> {
        self.tell(Message::Rows(table, rows)).await
    }

    async fn tell(&mut self, message: Message<T, D>) -> Result<()> {
        match self.messages.send(message).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await),
        }
    }

    /// Why the task has ended before it was told to.
    async fn ended(&mut self) -> Error {
        match (&mut self.task).await {
            Ok(Err(error)) => error,
            _ => over(),
        }
    }

    /// Ends the rows.
    pub async fn commit(self, finish: &Finish) -> Result<Vec<u64>> {
        // A task that has ended does not listen; its result says why.
        let _ = self.messages.send(Message::Commit(finish.clone())).await;
        self.task.await.map_err(|_| over())?
    }

    /// Takes everything back.
    pub async fn abort(self) {
        drop(self.messages);
        let _ = self.task.await;
    }
}

/// Returns a load that was used after its end.
pub fn over() -> Error {
    Error::new(ErrorKind::Internal, "the load is over")
}
