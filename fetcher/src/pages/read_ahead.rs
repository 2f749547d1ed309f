//! A reading that is ahead of whoever uses its pages.

use futures::Stream;
use tokio::sync::mpsc;

use super::page::Page;
use crate::failure::error::FetchError;

/// One page waits in the channel and one in the sender's hand: two are read ahead.
const WAITING: usize = 1;

pub(super) type Item = Result<Page, FetchError>;
pub(super) type Sender = mpsc::Sender<Item>;

/// What a reading sends, read by a task of its own for as long as somebody listens.
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
            // Nobody listening any more is no failure of the source.
            let _ = sender.send(Err(failure)).await;
        }
    });
    Box::pin(futures::stream::unfold(
        (receiver, Some(task)),
        |(mut receiver, mut task)| async move {
            if let Some(item) = receiver.recv().await {
                return Some((item, (receiver, task)));
            }
            // A reader that panicked must not look like one that came to the end.
            if let Some(Err(stopped)) = futures::future::OptionFuture::from(task.take()).await
                && stopped.is_panic()
            {
                std::panic::resume_unwind(stopped.into_panic());
            }
            None
        },
    ))
}
