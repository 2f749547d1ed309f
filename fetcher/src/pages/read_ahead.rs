//! Reads pages ahead of their consumer.

use futures::Stream;
use tokio::sync::mpsc;

use super::page::Page;
use crate::failure::error::FetchError;

/// One page waits in the channel and one in the sender: two are read ahead.
const WAITING: usize = 1;

pub(super) type Item = Result<Page, FetchError>;
pub(super) type Sender = mpsc::Sender<Item>;

/// A stream of what `reading` sends; it runs in a task of its own until the stream is dropped.
pub(super) fn ahead<R>(
    reading: impl FnOnce(Sender) -> R,
) -> impl Stream<Item = Item> + Send + Unpin + 'static
where
    R: Future<Output = Result<(), FetchError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let reading = reading(sender.clone());
    let task = tokio::spawn(async move {
        let outcome = tokio::select! {
            () = sender.closed() => return,
            outcome = reading => outcome,
        };
        if let Err(failure) = outcome {
            // A dropped stream is no failure of the source.
            let _ = sender.send(Err(failure)).await;
        }
    });
    Box::pin(futures::stream::unfold(
        (receiver, Some(task)),
        |(mut receiver, mut task)| async move {
            if let Some(item) = receiver.recv().await {
                return Some((item, (receiver, task)));
            }
            // A panic must not look like the end of the stream.
            if let Some(Err(stopped)) = futures::future::OptionFuture::from(task.take()).await
                && stopped.is_panic()
            {
                std::panic::resume_unwind(stopped.into_panic());
            }
            None
        },
    ))
}
