//! A load whose connection lives in a task of its own, so that encoding the next rows and sending the last overlap.

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, ErrorKind, Result};

/// Encoded batches waiting for the database. Few: what waits is memory.
const WAITING: usize = 2;

/// What the task is told.
pub enum Message<D> {
    Data(D),
    /// The rows are complete: make them visible. Without it, the end of the channel means: take them back.
    Commit,
}

/// Rows on their way to the task of a load. Dropped, it ends the task, wherever that is.
pub struct Loading<D> {
    messages: mpsc::Sender<Message<D>>,
    task: AbortOnDropHandle<Result<u64>>,
}

impl<D: Send + 'static> Loading<D> {
    /// Starts the task: it gives the number of rows loaded.
    pub fn start<F>(work: impl FnOnce(mpsc::Receiver<Message<D>>) -> F) -> Loading<D>
    where
        F: Future<Output = Result<u64>> + Send + 'static,
    {
        let (messages, receiver) = mpsc::channel(WAITING);
        Loading {
            messages,
            task: AbortOnDropHandle::new(tokio::spawn(work(receiver))),
        }
    }

    /// Passes rows on; waits while the database is behind.
    pub async fn send(&mut self, data: D) -> Result<()> {
        match self.messages.send(Message::Data(data)).await {
            Ok(()) => Ok(()),
            // The task has ended, with the reason.
            Err(_) => Err(match (&mut self.task).await {
                Ok(Err(error)) => error,
                _ => over(),
            }),
        }
    }

    /// Ends the rows, with the last of them.
    pub async fn commit(self, last: Option<D>) -> Result<u64> {
        // A task that has ended does not listen; its result says why.
        if let Some(last) = last {
            let _ = self.messages.send(Message::Data(last)).await;
        }
        let _ = self.messages.send(Message::Commit).await;
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
