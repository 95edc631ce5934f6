//! Rows that a task reads ahead, as a stream.

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::task::JoinError;

use crate::error::{Error, ErrorKind, Result};

/// Returns the batches that a task sends. A task that breaks down is an error, and not the end of the rows.
pub fn batches<T: Send + 'static>(
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    task: impl Future<Output = Result<T, JoinError>> + Send + Unpin + 'static,
) -> BoxStream<'static, Result<RecordBatch>> {
    stream::unfold(Some((receiver, task)), |state| async move {
        let (mut receiver, task) = state?;
        if let Some(batch) = receiver.recv().await {
            return Some((batch, Some((receiver, task))));
        }
        let broken = task.await.err()?;
        let message = format!("the task that reads rows ended unexpectedly: {broken}");
        Some((Err(Error::new(ErrorKind::Internal, message)), None))
    })
    .boxed()
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_breaks_down_is_an_error() {
        for breaks in [false, true] {
            let (sender, receiver) = mpsc::channel(1);
            let task = tokio::spawn(async move {
                let empty = RecordBatch::new_empty(std::sync::Arc::new(arrow::datatypes::Schema::empty()));
                let _ = sender.send(Ok(empty)).await;
                assert!(!breaks, "as a decoder might");
            });
            let read: Vec<bool> = batches(receiver, task).map(|batch| batch.is_ok()).collect().await;
            assert_eq!(read, if breaks { vec![true, false] } else { vec![true] });
        }
    }
}
