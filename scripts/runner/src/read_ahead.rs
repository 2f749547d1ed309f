//! A stream that is read ahead of the database, within limits of records and bytes.

use std::sync::Arc;

use fetcher::{Cursor, FetchError, Priority, Selection, Source, pages};
use futures::StreamExt;
use staging::{ExaminedPage, Pass};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::job::{Job, ReadRange};
use crate::read_result::Traversal;

/// Records held in memory between the fetcher and the database, about; staged by one transaction where they
/// come fast.
const BUFFERED: usize = 10_000;
/// Bytes of answers that wait for the database: at most so many received, so many being staged, and so many
/// whose commit is not durable yet; one page that is larger waits alone.
const BUFFERED_BYTES: usize = 16 << 20;

/// Whether these pages are as many as may be held together.
pub(crate) fn is_full_batch<'p>(pages: impl IntoIterator<Item = &'p ExaminedPage>) -> bool {
    let (mut records, mut bytes) = (0, 0);
    for ExaminedPage { page, .. } in pages {
        records += page.records.len();
        bytes += page.bytes;
    }
    records > BUFFERED || bytes > BUFFERED_BYTES
}

/// Pages of the size that the module declares, or of another size, so that rows that shifted between two
/// pages are seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageSize {
    Declared,
    Other,
}

/// What the source sent, and the memory it takes until somebody receives it.
pub(crate) struct Received {
    item: Result<ExaminedPage, FetchError>,
    _memory: Option<OwnedSemaphorePermit>,
}

/// A stream that is being read ahead.
pub(crate) struct ReadAhead<'a> {
    pub(crate) pass: &'a Pass,
    pub(crate) incoming: mpsc::Receiver<Received>,
    /// The most pages in one group.
    pub(crate) most: usize,
}

impl<'a> ReadAhead<'a> {
    pub(crate) fn begin(source: &Source, job: &Job<'_>, pass: &'a Pass, size: PageSize) -> Self {
        let from = pass.cursor.clone().map(Cursor);
        let declared = job.definition.module.fetch.paging.size;
        // Two thirds: few boundaries between pages are the same then.
        let other = (declared * 2 / 3).max(1);
        // A run that reads everything may take its time; the regular ones go first.
        let priority = match job.range {
            ReadRange::Full | ReadRange::Repair { .. } => Priority::Backfill,
            ReadRange::Incremental => Priority::Scheduled,
        };
        let mut stream = pages(
            &source.with_priority(priority),
            &job.definition.module,
            Selection {
                since: pass.since.clone(),
                until: pass.until.clone(),
                page_size: (size == PageSize::Other).then_some(other),
            },
            from,
        );
        let most = (BUFFERED / declared.max(1) as usize).clamp(2, 100);
        let (sender, incoming) = mpsc::channel(most);
        let memory = Arc::new(Semaphore::new(BUFFERED_BYTES));
        tokio::spawn(async move {
            while let Some(item) = stream.next().await {
                let bytes = item
                    .as_ref()
                    .map_or(0, |page| page.bytes.min(BUFFERED_BYTES));
                let received = Received {
                    // Examined here, while the database is busy with the pages before.
                    item: item.map(ExaminedPage::from),
                    _memory: memory.clone().acquire_many_owned(bytes as u32).await.ok(),
                };
                if sender.send(received).await.is_err() {
                    return;
                }
            }
        });
        Self {
            pass,
            incoming,
            most,
        }
    }

    /// The pages of a group, numbered within the pass; what ended the stream goes into `traversal`.
    pub(crate) fn take_pages(
        &self,
        group: &mut Vec<Received>,
        traversal: &mut Traversal,
    ) -> Vec<ExaminedPage> {
        let mut ready = Vec::with_capacity(group.len());
        for received in group.drain(..) {
            match received.item {
                Ok(mut page) => {
                    page.page.number += u32::try_from(self.pass.page).unwrap_or(0);
                    ready.push(page);
                }
                Err(failure) => *traversal = Traversal::Stopped(failure),
            }
        }
        ready
    }
}
